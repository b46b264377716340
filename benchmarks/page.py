"""docs/BENCHMARKS.md and its plots, from what the parts kept; a part that was not run is not spoken of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import OURS
from benchmarks.judging import TARGET
from benchmarks.plots import COLOURS, plot_certificate, plot_risk, plot_scale
from matching.files import atomic_write

Found = dict[str, Any]
HEAD = """# Benchmarks

Written by `make bench` (`python -m benchmarks`; one part of it: `python -m benchmarks accuracy`, `crossval`,
`peers`, `scale` or `certificate`). Measured on {machine}. The data are real names and are not part of the project.
But for the cross-validation 70 % of a task's entities, by a hash, may be learnt from; thresholds are chosen on them
alone, and every figure is of the other 30 %.
"""
PEERS = """Every matcher answers the same records in the same run, in a process and an environment of its own
(`benchmarks/peers/`), and is judged by the same code. The threshold of a peer is the lowest at which precision is
{target} on entities to learn from that it was not taught; this project's is its certificate. *Certified coverage* is
what the same certificate would let a peer match. *Best coverage* reads the threshold off the test: nobody can have it.
Throughput is without start-up, reasons included; latency is of one record in process; memory is of the whole process.
"""
SCALE = """Generated names (`benchmarks/generator.py`), 20 % of the records absent from the reference. Throughput is of
batches, reasons included; start-up is a fresh process from its beginning to its end with one decision, compiled code
cached. Master is the reading of all names, index what is built of them; reindex and update (1,000 references replaced)
are the commands.
Peers answer fewer records of the same set. *top-1* only shows that all look for the same thing.
"""
CROSSVAL = """Every labelled record, decided by a bundle that was fitted and certified on the other two thirds of the
entities, its threshold fixed before. Folds differ more than records would: errors come by entity.
"""
UNTAUGHT = """The same records, decided by `matching fit --reference F` alone, without a label. It orders candidates and
has no certificate, so nothing is matched without review.
"""
ACCOUNTS = """Entities that several held-out records name, each as one account (`matching match --account`), beside the
same records decided by themselves. The certificate speaks of records; this shows what combining does to it.
"""
CERTIFICATE = """{draws} draws of entities a task, on margins of rankers that had not seen the entity
(`benchmarks/certificate.py`). *Claim*: certified on entities drawn from a world whose precision is known; it must hold
over records in 95 % of the draws, which is the certificate's promise. One record an entity is told beside it.
*Split*: certified on half of the entities, counted on the other
half; its count is of a sample as well, so it is below the target more often than the truth is.
"""


def write_page(kept: dict[str, Found], page: Path) -> None:
    """Write the page and the plots beside it, in a folder of its name in lower case."""
    sections: dict[str, Callable[[Found, Path], str]] = {
        "accuracy": accuracy, "crossval": crossval, "peers": peers, "scale": scale, "certificate": certificate
    }  # fmt: skip
    plots = page.parent / page.stem.lower()
    parts = [HEAD.format(machine=" and ".join(sorted({machine(one["machine"]) for one in kept.values()})) or "nothing")]
    for name, section in sections.items():
        if name in kept:
            parts.append(section(kept[name]["found"], plots) + f"\nMeasured at commit `{kept[name]['commit']}`.\n")
    atomic_write(page, "\n".join(parts))


def machine(one: Found) -> str:
    """Its size."""
    return f"{one['cores']} cores ({one['processor']}), {one['memory_gib']} GiB of memory"


def accuracy(found: Found, _plots: Path) -> str:
    """What the certified threshold reached, what the commands cost, and the slices."""
    rows = []
    for task, one in found.items():
        m = one["metrics"]
        rows.append([
            task, f"{m['records']:,} ({m['no_match_records']:,})", precise(m), share(m["coverage"]),
            share(m["false_accept_share"]), share(m["recall@1"]), share(m["recall@10"]), share(m["recall@50"]),
            share(m["best_f1"]), share(m["ece"], 4),
        ])  # fmt: skip
    head = ["task", "records (no match)", "precision of auto-match [95 %]", "coverage", "no-match accepted", "top-1",
            "recall@10", "recall@50", "best F1", "ECE"]  # fmt: skip
    costs = [
        [task, f"`matching {name}`", f"{run['seconds']:.0f}", gigabytes(run["peak_bytes"])]
        for task, one in found.items()
        for name, run in one["runs"].items()
    ]
    said = [
        f"**{task}**: {one['references']:,} references. {one['certificate']}\n\nReindexed onto the other task's "
        f"reference: {one['reindexed']}\n"
        for task, one in found.items()
    ]
    accounts = [
        [task, what, f"{m['asked']:,}", share(m["top1"]), share(m["coverage"]), share(m["precision"], 4)]
        for task, one in found.items()
        for what, m in one["accounts"].items()
    ]
    untaught = [
        [task, *(share(one["without_labels"][name]) for name in ("recall@1", "recall@50", "best_f1", "coverage"))]
        for task, one in found.items()
    ]
    nothing = ["### Without labels\n", UNTAUGHT, table(["task", "top-1", "recall@50", "best F1", "coverage"], untaught)]
    several = ["### Several names of one account\n", ACCOUNTS, table(ACCOUNT_HEAD, accounts)]
    text = [
        "## Accuracy on held-out entities\n",
        table(head, rows),
        *said,
        *nothing,
        *several,
        "### Time and memory of each command\n",
    ]
    return "\n".join([*text, table(["task", "command", "seconds, start-up included", "peak memory"], costs)])


ACCOUNT_HEAD = ["task", "decided", "number", "top-1", "coverage", "precision of auto-match"]


def crossval(found: Found, _plots: Path) -> str:
    """Each fold and all of them."""
    rows = [
        [task, name, f"{m['records']:,}", precise(m), share(m["coverage"]), share(m["false_accept_share"]),
         share(m["recall@1"]), share(m["recall@50"]), share(m["best_f1"]), share(m["ece"], 4),
         "" if seen is None else f"{1 - seen['errors'] / max(seen['accepted'], 1):.4f}"]
        for task, one in found.items()
        for name, m, seen in (
            *((f"{i + 1}", fold, fold["certified_on"]) for i, fold in enumerate(one["folds"])),
            ("all", one["all"], None),
        )
    ]  # fmt: skip
    head = ["task", "fold", "records", "precision of auto-match [95 %]", "coverage", "no-match accepted", "top-1",
            "recall@50", "best F1", "ECE", "precision when certified"]  # fmt: skip
    return "\n".join(["## Cross-validation over entities\n", CROSSVAL, table(head, rows)])


def peers(found: Found, plots: Path) -> str:
    """All matchers beside one another, and by slice."""
    text = ["## Against its peers\n", PEERS.format(target=TARGET)]
    for task, unordered in found.items():
        everyone = {name: unordered[name] for name in COLOURS if name in unordered}
        shown = {name: one for name, one in everyone.items() if "skipped" not in one}
        text += [f"### {task}\n", table(PEER_HEAD, [peer_row(name, one) for name, one in shown.items()])]
        text += [f"- {name}: {', '.join(filter(None, (one['version'], one['note'])))}." for name, one in shown.items()]
        text += [f"- {name}: skipped, {one['skipped']}" for name, one in everyone.items() if "skipped" in one]
        plot_risk(task, shown, TARGET, plots / f"{task}.svg")
        text += [f"\n![Share of wrong matches by coverage on {task}]({plots.name}/{task}.svg)\n", slices(shown)]
    return "\n".join(text)


PEER_HEAD = ["matcher", "records", "top-1 / recall@50", "best F1", "best coverage", "precision [95 %] at coverage",
             "certified coverage", "no-match accepted", "prepared in", "records/s", "one record p50 / p99",
             "peak memory"]  # fmt: skip


def peer_row(name: str, one: Found) -> list[str]:
    """Its figures."""
    certified = one["coverage"] if name == OURS else one["certified"]["coverage"]
    return [
        name, f"{one['records']:,}", f"{share(one['recall@1'])} / {share(one['recall@50'])}", share(one["best_f1"]),
        share(one["oracle_coverage"]), f"{precise(one)} at {share(one['coverage'])}", share(certified),
        share(one["false_accept_share"]), f"{one['prepare_seconds']:.1f} s", f"{one['records_per_second']:,.0f}",
        f"{one['p50_ms']:.2f} / {one['p99_ms']:.2f} ms", gigabytes(one["peak_bytes"]),
    ]  # fmt: skip


def slices(shown: dict[str, Found]) -> str:
    """Top-1 of each matcher by slice, worst first by ours; one that judged fewer records has its own smaller slice."""
    first = next(iter(shown.values()))["slices"]
    rows = [
        (
            value["recall@1"],
            [f"{column}: {name}", f"{value['records']:,}"]
            + [share(one["slices"].get(column, {}).get(name, {}).get("recall@1")) for one in shown.values()],
        )
        for column, values in first.items()
        for name, value in values.items()
        if value["recall@1"] is not None
    ]
    return table(["top-1 by slice", "records", *shown], [row for _, row in sorted(rows, key=lambda item: item[0])])


def scale(found: Found, plots: Path) -> str:
    """This project by the number of references, and its peers beside it."""
    found = dict(sorted(found.items(), key=lambda one: int(one[0])))
    rows = [scale_row(int(size), one[OURS]) for size, one in found.items()]
    head = ["references", "records/s", "without reasons", "reasons a record", "one record p50 / p99", "index built in",
            "master made in", "index", "peak of building", "reindex", "update", "start-up", "peak of scoring",
            "top-1"]  # fmt: skip
    beside = [
        [f"{int(size):,}", name, f"{one['records']:,}", f"{one['records_per_second']:,.0f}",
         f"{everyone[OURS]['records_per_second'] / one['records_per_second']:.1f}", f"{one['prepare_seconds']:.1f} s",
         f"{one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms", gigabytes(one["peak_bytes"]), share(one["top1"])]
        for size, everyone in found.items()
        for name, one in everyone.items()
        if name != OURS and "skipped" not in one
    ]  # fmt: skip
    skipped = [
        f"- {int(size):,} references, {name}: skipped, {one['skipped']}"
        for size, everyone in found.items()
        for name, one in everyone.items()
        if "skipped" in one
    ]
    plot_scale(found, "records_per_second", "records a second", plots / "throughput.svg")
    plot_scale(found, "p99_ms", "one record, p99, ms", plots / "latency.svg")
    peer_head = ["references", "peer", "records", "records/s", "ours is faster by", "prepared in",
                 "one record p50 / p99", "peak memory", "top-1"]  # fmt: skip
    images = [f"![Records a second by references]({plots.name}/throughput.svg)\n",
              f"![Latency by references]({plots.name}/latency.svg)\n"]  # fmt: skip
    text = ["## Speed and memory at scale\n", SCALE, table(head, rows), table(peer_head, beside), *skipped, "", *images]
    return "\n".join(text)


def scale_row(size: int, one: Found) -> list[str]:
    """This project at one size."""
    index = one["index"]
    return [
        f"{size:,}", f"{one['records_per_second']:,.0f}", f"{one['records_per_second_without_reasons']:,.0f}",
        f"{one['reasons_us']:.0f} µs", f"{one['p50_ms']:.2f} / {one['p99_ms']:.2f} ms",
        f"{index['index_seconds']:.1f} s", f"{index['master_seconds']:.1f} s", gigabytes(index["index_bytes"]),
        gigabytes(index["peak_bytes"]), f"{one['reindex_seconds']:.0f} s",
        f"{one['update_seconds']:.0f} s", f"{one['start_seconds']:.1f} s",
        gigabytes(one["peak_bytes"]), share(one["top1"]),
    ]  # fmt: skip


def certificate(found: Found, plots: Path) -> str:
    """How often it held."""
    columns = {
        "granted": "granted", "mean coverage": "coverage", "mean precision": "precision",
        "holds over records": "holds_records", "holds, one record an entity": "holds_entities",
        "mean no-match accepted": "false_accepts", "holds for no-match": "holds_false_accepts",
    }  # fmt: skip
    rows = [
        [task, f"{one['entities']:,}", kind, *(share(one[kind][name], 4) for name in columns.values())]
        for task, one in found.items()
        for kind in ("claim", "split")
    ]
    head = ["task", "entities", "simulation", *columns]
    plot_certificate(found, plots / "certificate.svg")
    draws = next(iter(found.values()))["claim"]["draws"]
    image = f"![Precision of each draw of the claim, sorted]({plots.name}/certificate.svg)\n"
    return "\n".join(["## Does the certificate hold?\n", CERTIFICATE.format(draws=draws), table(head, rows), image])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines) + "\n"


def precise(m: Found) -> str:
    """Precision with its interval."""
    if m["precision"] is None:
        return "nothing matched"
    low, high = m["precision_ci95"]
    return f"{m['precision']:.4f} [{low:.4f}, {high:.4f}]"


def share(value: float | None, digits: int = 3) -> str:
    """A share; nothing where nothing was counted."""
    return "" if value is None else f"{value:.{digits}f}"


def gigabytes(count: float) -> str:
    """Bytes in GB."""
    return f"{count / 1e9:.2f} GB"
