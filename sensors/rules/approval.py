"""Which version to promote: the newest approved one, once, and never one that has been deployed before.

A version that was rolled back is still approved: without the second half of the rule it would come straight back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """The version to promote (None: nothing to do), its run key, and the sentence that says why, or why not."""

    version: int | None
    run_key: str | None
    sentence: str


def decide(approved: Collection[int], promoted: Collection[int]) -> Decision:
    """Decide what to promote. `approved`: all that are. `promoted`: all that are or ever were in production."""
    if not approved:
        return Decision(None, None, "No version is approved.")
    newest = max(approved)
    if newest in promoted:
        return Decision(None, None, f"The newest approved version, {newest}, has been in production already.")
    return Decision(newest, f"promote:{newest}", f"Version {newest} is approved and was never in production.")
