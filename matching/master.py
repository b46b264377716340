"""The reference master: one row for each entity of the reference, with parsed names, aliases and namesakes."""

from __future__ import annotations

from functools import lru_cache, partial
from urllib.parse import urlsplit

import polars as pl

from matching.identifiers import canonical_identifier
from matching.name_reader import NameReader
from matching.records import ATTRIBUTES, IDENTIFIERS, InputError
from matching.territories import country_code

COMPUTED = ("core_name", "legal_form", "share_class", "aliases", "alias_dates", "namesakes", "merged_ids")


def build_reference_master(
    reference: pl.DataFrame, aliases: pl.DataFrame | None = None, names: NameReader | None = None
) -> pl.DataFrame:
    """Build the master from guarded frames. `names` reads the titles, and remembers them for who comes after.

    Rows that agree in the name and in every attribute and identifier are one entity delivered twice: the first stays,
    the ids of the others go to `merged_ids`, so that a decision can be traced to either. Rows that only share the name
    are namesakes and stay apart.

    Returns reference_id, name, core_name, legal_form, share_class, aliases (list), alias_dates (list), namesakes (how
    many other rows have the same core name), merged_ids (list), then the attributes, identifiers and other columns as
    delivered, sorted by reference_id. A delivered column of the name of a computed one becomes `own_<name>`. Raises
    InputError when the reference has no rows.
    """
    if reference.is_empty():
        raise InputError("the reference has no rows", remedy="Deliver at least one row.")
    reference = reference.rename({c: f"own_{c}" for c in COMPUTED if c in reference.columns})
    same = [c for c in ("name", *ATTRIBUTES, *IDENTIFIERS) if c in reference.columns]
    merged = (
        reference.sort("reference_id")
        .with_columns(
            pl.col(c).map_elements(partial(canonical_identifier, c), return_dtype=pl.String)
            for c in IDENTIFIERS
            if c in reference.columns
        )
        .with_columns(_distinct=_merge_key(same))
        .group_by("_distinct", maintain_order=True)
        .agg(pl.all().first(), merged_ids=pl.col("reference_id").slice(1))
        .drop("_distinct")
    )
    read = (names or NameReader()).read(merged["name"])
    merged = merged.with_columns(
        core_name=pl.Series(read.cores(), dtype=pl.String),
        legal_form=pl.Series([*read.forms, ""], dtype=pl.String).gather(read.form % (len(read.forms) + 1)),
        share_class=pl.Series(["" if c < 0 else chr(c) for c in read.share_class.tolist()], dtype=pl.String),
    ).with_columns(namesakes=pl.len().over("core_name").cast(pl.Int32) - 1)
    merged = _with_aliases(merged, aliases)
    first = ["reference_id", "name", *COMPUTED]
    return merged.select(first + [c for c in merged.columns if c not in first])


def _merge_key(same: list[str]) -> pl.Expr:
    """Rows with only a name cannot be told to be one entity: without any other value they stay apart."""
    others = [c for c in same if c != "name"]
    if not any(c in IDENTIFIERS for c in others):
        return pl.col("reference_id")
    known = pl.any_horizontal(pl.col(c).is_not_null() for c in others if c in IDENTIFIERS)
    return (
        pl.when(known)
        .then(pl.concat_str([pl.col(c).fill_null("") for c in same], separator="\0"))
        .otherwise("reference_id")
    )


def _with_aliases(master: pl.DataFrame, aliases: pl.DataFrame | None) -> pl.DataFrame:
    if aliases is None or aliases.is_empty():
        empty = pl.lit([], dtype=pl.List(pl.String))
        return master.with_columns(aliases=empty, alias_dates=empty)
    dated = aliases if "asof" in aliases.columns else aliases.with_columns(asof=pl.lit(None, dtype=pl.String))
    owner = master.select(
        "reference_id", pl.concat_list(pl.concat_list("reference_id"), "merged_ids").alias("any_id")
    ).explode("any_id")
    grouped = (
        dated.rename({"reference_id": "any_id"})
        .join(owner, on="any_id")
        .sort("reference_id", "asof", "alias")
        .group_by("reference_id", maintain_order=True)
        .agg(aliases=pl.col("alias"), alias_dates=pl.col("asof"))
    )
    filled = [pl.col(c).fill_null(pl.lit([], dtype=pl.List(pl.String))) for c in ("aliases", "alias_dates")]
    return master.join(grouped, on="reference_id", how="left", maintain_order="left").with_columns(filled)


def delivered(master: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reference and the aliases that `build_reference_master` makes this master of.

    A row that was merged into another is that row once more, under its own id.
    """
    ids = pl.concat_list(pl.concat_list("reference_id"), "merged_ids")
    own = {f"own_{c}": c for c in COMPUTED if f"own_{c}" in master.columns}
    reference = master.with_columns(reference_id=ids).explode("reference_id").drop(COMPUTED).rename(own)
    names = master.select("reference_id", alias="aliases", asof="alias_dates").explode("alias", "asof")
    return reference, names.drop_nulls("alias")


def changed(
    master: pl.DataFrame, added: pl.DataFrame, removed: pl.Series, aliases: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reference and aliases of a master after a change: `added` rows, in place of those of the same id; ids gone.

    A row that is replaced keeps its aliases, and `aliases` come to them. Raises InputError for an id of `removed` that
    is not there, or is both removed and added.
    """
    reference, names = delivered(master)
    for wrong, what in (
        (~removed.is_in(reference["reference_id"].implode()), "is not in the reference"),
        (removed.is_in(added["reference_id"].implode()), "is both removed and added"),
    ):
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise InputError(f"{removed[row]} {what}", column="reference_id", row=row + 1, remedy="Leave it out.")
    gone = pl.concat([removed, added["reference_id"]]).implode()
    reference = pl.concat([reference.filter(~pl.col("reference_id").is_in(gone)), added], how="diagonal_relaxed")
    names = names.filter(~pl.col("reference_id").is_in(removed.implode()))
    if aliases is not None:
        names = pl.concat([names, aliases], how="diagonal_relaxed").unique(maintain_order=True)
    return reference, names


def all_ids(master: pl.DataFrame) -> pl.Series:
    """Every id that was delivered and accepted, String [n]: those of the master's rows, then those merged into them."""
    return pl.concat([master["reference_id"], master["merged_ids"].explode().drop_nulls()])


def with_surviving_ids(labels: pl.DataFrame, master: pl.DataFrame) -> pl.DataFrame:
    """Labels (`reference_id`, optional `same_name_alternatives`) with merged ids replaced by the id that stayed."""
    merged = master.select("merged_ids", stayed="reference_id").explode("merged_ids").drop_nulls()
    stayed = dict(merged.iter_rows())
    return labels.with_columns(
        pl.col("reference_id").replace(stayed),
        pl.col("^same_name_alternatives$").list.eval(pl.element().replace(stayed)),
    )


@lru_cache(maxsize=262144)
def comparable(attribute: str, value: str | None) -> str | None:
    """The form in which two values of an attribute are compared, or None where there is nothing to compare.

    Countries become ISO 3166 codes (`rigour`), websites their host, everything else lower-case ASCII words.
    """
    text = (value or "").strip()
    if not text:
        return None
    if attribute == "country":
        return _country(text)
    if attribute == "website":
        return _host(text)
    words = "".join(c if c.isalnum() else " " for c in _ascii(text).lower()).split()
    return " ".join(words) or None


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    from rigour.text.translit import ascii_text

    return str(ascii_text(text))


def _host(text: str) -> str | None:
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:  # no address: `http://[`
        return None
    return host.removeprefix("www.") or None


def _country(text: str) -> str:
    return country_code(text) or text.casefold()
