"""The containers, as far as they can be looked at without Docker: what goes in, and that it is enough to score."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
DOCKERFILE = (CONTAINER / "Dockerfile").read_text()

SCORE = """
import importlib.abc, sys
from importlib.metadata import packages_distributions
from packaging.utils import canonicalize_name

allowed, bundle = set(sys.argv[1].split(",")), sys.argv[2]
owners = packages_distributions()

class OnlyWhatIsInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        of = {canonicalize_name(owner) for owner in owners.get(name.partition(".")[0], [])} - {"matching-assets"}
        if of and not of & allowed:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

for loaded in [name for name in sys.modules if name.partition(".")[0] in ("numpy", "yaml", "requests")]:
    raise SystemExit(f"{loaded} was loaded before")
sys.meta_path.insert(0, OnlyWhatIsInstalled())

import pathlib, pkgutil
import matching
import polars as pl
for found in pkgutil.iter_modules(matching.__path__):
    if found.name.startswith("runtime"):
        __import__(f"matching.{found.name}")
from matching.scoring import Scorer

record = pl.DataFrame({"record_id": ["1"], "name": ["Allen Organ Co"], "country": ["US"], "lei": [None]})
print(Scorer.load(pathlib.Path(bundle)).score(record).decisions.height)
"""


def listed(name: str) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in (CONTAINER / name).read_text().splitlines())
    return {canonicalize_name(line) for line in lines if line}


def with_dependencies(names: set[str]) -> set[str]:
    """What an installer takes for these names."""
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = map(Requirement, requires(name) or [])
        except PackageNotFoundError:
            continue
        waiting += [canonicalize_name(n.name) for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.parametrize("name", ["serving.txt", "training.txt"])
def test_every_package_of_an_image_is_locked(name: str) -> None:
    locked = {canonicalize_name(n) for n in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M)}

    assert listed(name) <= locked


def test_the_serving_image_has_nothing_that_only_training_or_the_graph_needs() -> None:
    heavy = {"torch", "xgboost", "shap", "dagster", "dagster-pipes", "boto3", "sagemaker", "pandas", "scikit-learn"}

    assert with_dependencies(listed("serving.txt")) & heavy == set()


@pytest.mark.slow
def test_a_bundle_is_scored_with_what_is_in_the_serving_image(small_bundle: Path) -> None:
    installed = with_dependencies(listed("serving.txt"))
    command = [sys.executable, "-c", SCORE, ",".join(sorted(installed)), str(small_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr[-2000:]


def test_what_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M)
        for source in line.split()[:-1]
        if not source.startswith("--")
    ]
    kept = re.findall("^!(.*)$", (CONTAINER / "Dockerfile.dockerignore").read_text(), re.M)

    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(source == entry or source.startswith(f"{entry}/") for entry in kept)


@pytest.mark.parametrize("target", ["serving", "dagster"])
def test_what_listens_is_not_root(target: str) -> None:
    stage = DOCKERFILE.partition(f" AS {target}\n")[2].partition("\nFROM ")[0]

    assert re.search(r"^USER (?!0$|root$)\d+$", stage, re.M)


def test_uv_is_the_one_of_the_makefile() -> None:
    wanted = re.search(r"^UV := (.*)$", (ROOT / "Makefile").read_text(), re.M)

    assert wanted
    assert f"uv=={wanted[1]}" in DOCKERFILE


@pytest.mark.parametrize(("word", "module"), [("serve", "matching.runtime"), ("train", "matching.train")])
def test_sagemakers_words_start_their_program(word: str, module: str) -> None:
    script = CONTAINER / word

    assert script.stat().st_mode & 0o111
    assert f"exec python -m {module} {word}" in script.read_text()
    assert f'CMD ["{word}"]' in DOCKERFILE
