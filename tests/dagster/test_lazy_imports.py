"""What importing the code location costs: every step's process pays it."""

import subprocess
import sys

HEAVY = {"torch", "xgboost", "shap", "evidently", "sagemaker", "boto3", "pyspark"}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules in a fresh Python after `statement`."""
    script = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_code_location_loads_no_heavy_library():
    assert loaded_by("import matching_assets.definitions") & HEAVY == set()


def test_the_command_line_loads_no_heavy_library_and_no_dagster():
    assert loaded_by("import matching_assets.cli") & (HEAVY | {"dagster", "polars"}) == set()


def test_a_heavy_library_would_be_seen():
    assert "boto3" in loaded_by("import boto3")
