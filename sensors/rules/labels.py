"""When new labels are worth a retraining: at a minimum of them, when there is nothing to wait for.

New are the rows of label files that the last training did not read, or read with other content. A corrected file
counts with all its rows. A file of the review page grows all day: of it those rows count that came since, or a training
would start over for each verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

GROWING = "verdicts-"
"""How the names of label files begin that the review page writes."""


@dataclass(frozen=True)
class LabelFile:
    """A complete label file: sha256 and number of data rows."""

    digest: str
    rows: int


@dataclass(frozen=True)
class Decision:
    """The run key to retrain under (None: not now) and the sentence that says why, or why not."""

    run_key: str | None
    new_rows: int
    sentence: str


def decide(
    files: Mapping[str, LabelFile],
    known: Mapping[str, str],
    trained_by: str | None,
    wait_for: str | None,
    minimum: int,
    known_rows: Mapping[str, int] | None = None,
) -> Decision:
    """Decide whether to retrain on new labels.

    `known`, `known_rows`: file name to the sha256, and to the rows, that the last training read. `trained_by`: the run
    of that training; it is part of the run key, so that labels which are put back to an earlier state are trained on
    again. `wait_for`: what has to end or come first, in words, if anything.
    """
    new = {name: file for name, file in files.items() if known.get(name) != file.digest}
    read = {name: rows for name, rows in (known_rows or {}).items() if name.startswith(GROWING)}
    rows = sum(abs(file.rows - read.get(name, 0)) for name, file in new.items())
    if rows < minimum:
        return Decision(None, rows, f"{rows} new labels; a retraining starts at {minimum}.")
    if wait_for is not None:
        return Decision(None, rows, f"{rows} new labels wait for {wait_for}.")
    content = "".join(f"{name}\0{file.digest}\n" for name, file in sorted(files.items()))
    run_key = f"labels:{hashlib.sha256(content.encode()).hexdigest()[:16]}:{trained_by or 'first'}"
    return Decision(run_key, rows, f"{rows} new labels in {', '.join(sorted(new))}.")
