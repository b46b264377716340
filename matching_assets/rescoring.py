"""Which bundle a day is scored again with, by any of the names that it has."""

import re
from pathlib import Path

from matching.records import InputError
from resources.registry import ModelPackage, Registry
from resources.store import MissingError, ObjectStore

DIGEST = re.compile(r"[0-9a-f]{64}")
SHORTEST = 6
"""Characters of a digest or bundle version: fewer could be any."""


def bundle_named(name: str, registry: Registry, store: ObjectStore) -> Path:
    """The folder of a bundle: by registry version (`3`), bundle version or digest, or their beginning.

    Nothing: the version in production. InputError: there is none of that name, or more than one.
    """
    found = _packages(name, registry)
    digests = {package.bundle_digest for package in found}
    if not digests and DIGEST.fullmatch(name) and store.exists(name):
        digests = {name}  # a bundle that was never registered
    if len(digests) != 1:
        known = ", ".join(f"{p.version} (bundle {p.lineage.get('bundle_version', 'unknown')})" for p in registry.list())
        what = f"{len(digests)} bundles are called so" if digests else "there is no such bundle"
        raise InputError(f"{name or 'production'}: {what}", remedy=f"Registered are {known or 'none'}.")
    return store.get_folder(digests.pop())


def bundle_of(bundle_version: str, registry: Registry, store: ObjectStore) -> Path | None:
    """The folder of the bundle that took a decision; None where this registry or store does not know it."""
    try:
        return bundle_named(bundle_version, registry, store)
    except (InputError, MissingError):
        return None


def _packages(name: str, registry: Registry) -> list[ModelPackage]:
    if not name:
        champion = registry.champion()
        return [champion] if champion else []
    packages = registry.list()
    if name.isdigit() and len(name) < SHORTEST:
        return [package for package in packages if package.version == int(name)]
    if len(name) < SHORTEST:
        return []
    names = ((p, (p.bundle_digest, str(p.lineage.get("bundle_version", "")))) for p in packages)
    return [package for package, own in names if any(one.startswith(name) for one in own)]
