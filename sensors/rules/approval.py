"""Which version to promote: the newest approved one, once, and never one that has been deployed before.

A version that was rolled back is still approved: without the second half of the rule it would come straight back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """The version to promote (None: nothing to do), its run key, and the sentence that says why, or why not."""

    version: str | None
    run_key: str | None
    sentence: str


def decide(approved: Sequence[str], deployed: Collection[str]) -> Decision:
    """Decide what to promote.

    `approved`: versions in the order of their approval, oldest first. `deployed`: all that ever were.
    """
    if not approved:
        return Decision(None, None, "No version is approved.")
    newest = approved[-1]
    if newest in deployed:
        return Decision(None, None, f"The newest approved version, {newest}, has been deployed already.")
    return Decision(newest, f"promote:{newest}", f"Version {newest} is approved and was never deployed.")
