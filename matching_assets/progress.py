"""Progress on a terminal: a bar on stderr for what takes over two seconds, and silence where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


SHARE = "{desc}{percentage:3.0f}% |{bar}| {elapsed}"


def bar(total: float, what: str, unit: str, layout: str | None = None) -> tqdm:
    """A bar over `total` units; use it as a context manager and call `update`. Nothing is shown before two seconds."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=what,
        unit=f" {unit}",
        bar_format=layout,
        delay=2,
        disable=None,
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
    )


@contextmanager
def stages(what: str) -> Iterator[Callable[[str, float], None]]:
    """One bar, stage by stage: yield a function that takes the stage and how much of it is done, from 0 to 1."""
    with bar(1.0, what, "share", SHARE) as shown:
        current = ""

        def report(stage: str, share: float) -> None:
            nonlocal current
            if stage != current:
                current = stage
                shown.reset()
                shown.set_description(f"{what}: {stage}")
            shown.update(share - shown.n)

        yield report
