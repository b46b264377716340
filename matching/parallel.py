"""Work in parts, on as many threads as there are processors to use.

Compiled code lets go of the interpreter and runs on one thread; many records are worked on in parts beside one another.
So one record wakes no other thread, and requests that are answered beside one another do not disturb each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")
THREADS = 2


def spans(count: int, most: int) -> list[tuple[int, int]]:
    """0..count in equal spans (first, behind the last) of at most `most`; one for none."""
    parts = max(-(-count // most), 1)
    return [(part * count // parts, (part + 1) * count // parts) for part in range(parts)]


def each(work: Callable[[Part], Made], parts: Sequence[Part]) -> Iterator[Made]:
    """What `work` makes of each part, in their order: on THREADS threads where there are several, as far as it lets go.

    No more is made in advance than THREADS parts.
    """
    if len(parts) == 1:
        yield work(parts[0])
        return
    with ThreadPoolExecutor(THREADS) as pool:
        under_way: deque[Future[Made]] = deque()
        for part in parts:
            under_way.append(pool.submit(work, part))
            if len(under_way) > THREADS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
