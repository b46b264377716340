"""Who may import whom (docs/ARCHITECTURE.md), read from the source, so that imports inside functions count too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ["matching", "resources", "matching_assets", "sensors"]  # each may import those before it
EVERYTHING = ROOT / "matching_assets" / "definitions.py"
CLOUD_AND_GRAPH = {"boto3", "botocore", "dagster", "moto", "s3fs", "sagemaker"}


def imported(source: str, package: str) -> set[str]:
    """The top-level packages that `source`, a module of `package`, imports anywhere, be it by import_module("...")."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                names.add(package if node.level else node.module or "")
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__")):
                names |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return {name.split(".")[0] for name in names}


def trespasses(package: str, forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        if path != EVERYTHING
        for name in sorted(imported(path.read_text(), package) & forbidden)
    ]


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_the_layers_below_it(package):
    assert trespasses(package, set(LAYERS[LAYERS.index(package) + 1 :])) == []


def test_the_domain_knows_neither_dagster_nor_aws():
    assert trespasses("matching", CLOUD_AND_GRAPH) == []


def test_every_package_is_read():
    assert [package for package in LAYERS if not list((ROOT / package).rglob("*.py"))] == []


@pytest.mark.parametrize(
    "source",
    [
        "import sensors.rules",
        "from sensors.rules import landing",
        "def late():\n    from sensors import records",
        "if False:\n    import matching, sensors",
        "from importlib import import_module\nimport_module('sensors.records')",
        "import importlib\nimportlib.import_module('sensors')",
    ],
)
def test_a_forbidden_import_is_found_wherever_it_stands(source):
    assert "sensors" in imported(source, "matching")


def test_a_relative_import_stays_in_its_package():
    assert imported("from . import names", "matching") == {"matching"}
