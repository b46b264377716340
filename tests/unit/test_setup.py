"""The files that set the project up agree with one another."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("matching", "matching_assets", "resources", "sensors")
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
REQUIREMENTS = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]
MAKEFILE = (ROOT / "Makefile").read_text()
# What is imported, and what is installed for it, where the two names differ.
INSTALLED_AS = {
    "opentelemetry": "opentelemetry-sdk",
    "botocore": "boto3",
    "sklearn": "scikit-learn",
    "starlette": "fastapi",
    "stdnum": "python-stdnum",
    "yaml": "pyyaml",
}


def test_the_lock_names_exact_versions_without_a_local_tag_a_path_or_an_address():
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert [
        line
        for line in lines
        if not re.fullmatch(r"[a-z0-9-]+==[\w.]+( \\)?|    --hash=sha256:[0-9a-f]{64}( \\)?", line)
    ] == []


def test_everything_in_the_lock_but_torch_has_a_hash():
    assert re.findall(r"^([a-z0-9-]+)==[\w.]+$", LOCK, re.MULTILINE) == ["torch"]


def test_the_lock_brings_no_cuda():
    assert [name for name in LOCKED if name.startswith(("nvidia", "cuda", "triton"))] == []


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_the_lock_satisfies_what_the_project_asks_for(requirement):
    assert LOCKED[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_library_that_is_imported_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in REQUIREMENTS}
    undeclared = {
        f"{path.relative_to(ROOT)}: {name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name not in sys.stdlib_module_names and name not in PACKAGES
        if canonicalize_name(INSTALLED_AS.get(name, name)) not in declared
    }
    assert undeclared == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [str(node.module).split(".")[0]]
    return []


def test_every_make_target_is_phony_and_has_a_line_of_help():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    helped = re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE)
    assert sorted([*helped, "help"]) == sorted(phony[1].split())


def test_every_make_target_sets_the_environment_up_first():
    rules = re.findall(r"^([a-z]+):(.*)##", MAKEFILE, re.MULTILINE)
    assert [name for name, needs in rules if needs.strip() != ".venv/ready"] == []


def test_the_makefile_and_the_build_backend_name_the_same_uv():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    pinned = re.search(r"^UV := (\S+)$", MAKEFILE, re.MULTILINE)
    assert pinned is not None
    assert pinned[1] in Requirement(build[0]).specifier


def test_the_packages_in_the_build_are_the_packages_here():
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["build-backend"]
    assert sorted(backend["module-name"]) == sorted(PACKAGES)


def test_continuous_integration_runs_the_test_command_of_the_readme():
    assert "make test" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


def test_the_workspace_and_dagster_cloud_load_the_same_code_location():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    cloud = yaml.safe_load((ROOT / "dagster_cloud.yaml").read_text())["locations"][0]
    assert (workspace["location_name"], workspace["module_name"]) == (
        cloud["location_name"],
        cloud["code_source"]["module_name"],
    )
