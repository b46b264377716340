"""The numbers behind `matching.drift`: how a column becomes what is compared, effect sizes, and tests.

Values are float64 with NaN where there is no finite number, or text. Effect sizes are taken between two weightings of
the same values, so that hundreds of resampled windows are one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

IS_MISSING = " is missing"
SMALLEST_SPREAD = 0.001  # Evidently's unit for a constant column
Floats = NDArray[np.float64]
Values = NDArray[np.float64] | NDArray[np.str_]


def pairs(reference: pl.DataFrame, current: pl.DataFrame) -> dict[str, tuple[Values, Values | None]]:
    """The values of each column of the reference and the current ones, None when there is no such column of that kind.

    Where numbers are missing on either side, a second pair `<column> is missing` says which.
    """
    found: dict[str, tuple[Values, Values | None]] = {}
    for column in reference:
        before, now = _values(column), _values(current[column.name]) if column.name in current.columns else None
        if now is None or now.dtype.kind != before.dtype.kind:
            found[column.name] = before, None
            continue
        found[column.name] = before, now
        if before.dtype.kind == "f" and (np.isnan(before).any() or np.isnan(now).any()):
            found[column.name + IS_MISSING] = _gaps(before), _gaps(now)
    return found


def _values(column: pl.Series) -> Values:
    if not column.dtype.is_numeric():
        return column.cast(pl.String).fill_null("missing").to_numpy().astype(str)
    numbers = column.cast(pl.Float64).to_numpy()
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _gaps(numbers: Values) -> Values:
    return np.where(np.isnan(numbers), "missing", "present")


def draw_windows(generator: np.random.Generator, rows: int, size: int, windows: int) -> Floats:
    """Windows of `size` of the `rows`, drawn with replacement: how often each holds a row, float64 [windows, rows]."""
    return generator.multinomial(size, np.full(rows, 1 / rows), size=windows).astype(np.float64)


def distances(values: Values, ours: Floats, theirs: Floats, unit: float) -> Floats:
    """The effect size between weightings [windows, rows] of values [rows]: float64 [windows], NaN between nothing.

    Numbers: Wasserstein distance in `unit`. Categories: Jensen-Shannon distance, natural logarithm.
    """
    from scipy.spatial.distance import jensenshannon

    if values.dtype.kind != "f":
        kinds, codes = np.unique(values, return_inverse=True)
        members = np.eye(len(kinds))[codes]
        return np.asarray(jensenshannon(_shares(ours @ members), _shares(theirs @ members), axis=1), dtype=np.float64)
    ordered = np.argsort(values, kind="stable")[: np.count_nonzero(~np.isnan(values))]  # NaN sorts last
    apart = np.cumsum(_shares(ours[:, ordered]) - _shares(theirs[:, ordered]), axis=1)
    gaps = np.diff(values[ordered].astype(np.float64))
    return np.asarray(np.abs(apart[:, :-1]) @ gaps / unit, dtype=np.float64)


def _shares(counts: Floats) -> Floats:
    totals = counts.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    return shares


def unit_of(reference: Values) -> float:
    """The unit of an effect size: the standard deviation of the reference's numbers; 1 for categories."""
    numbers = reference[~np.isnan(reference)] if reference.dtype.kind == "f" else None
    if numbers is None or not len(numbers):
        return 1.0
    return float(numbers.std()) or SMALLEST_SPREAD


def effect_size(reference: Values, current: Values) -> float:
    """How far the current values are from those of the reference; NaN when either has none."""
    inside = np.repeat([1.0, 0.0], [len(reference), len(current)])[np.newaxis]
    pooled: Values = np.concatenate([reference, current])
    return float(distances(pooled, inside, 1 - inside, unit_of(reference))[0])


def p_value(reference: Values, current: Values, worth: float = 1.0) -> float:
    """The probability of such a difference or a larger one, were both drawn from one source; 1 where either has none.

    Numbers: Kolmogorov-Smirnov, asymptotic, which is cautious on ties. Categories: chi-square test of homogeneity.
    worth: how many independent rows a row of the reference counts as, at most 1; statistics shrink accordingly (Rao &
    Scott, "The analysis of categorical data from complex sample surveys", JASA 1981: the first-order correction).
    """
    from scipy.stats import chi2, chi2_contingency, ks_2samp, kstwo

    if reference.dtype.kind == "f":
        ours, theirs = reference[~np.isnan(reference)], current[~np.isnan(current)]
        if not (len(ours) and len(theirs)):
            return 1.0
        apart = ks_2samp(ours, theirs, method="asymp").statistic
        return float(kstwo.sf(apart, max(1, round(_together(len(ours) * worth, len(theirs))))))
    kinds, codes = np.unique(np.concatenate([reference, current]), return_inverse=True)
    if len(kinds) < 2:
        return 1.0
    counts = [np.bincount(part, minlength=len(kinds)) for part in np.split(codes, [len(reference)])]
    found = chi2_contingency(counts, correction=False)
    shrunk = _together(len(reference) * worth, len(current)) / _together(len(reference), len(current))
    return float(chi2.sf(found.statistic * shrunk, found.dof))


def _together(n: float, m: float) -> float:
    """The sample size that two samples have when they are compared."""
    return n * m / (n + m)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false alarm is bounded, however the tests depend on each other.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]


def typical(reference: Values, current: Values) -> tuple[str, str]:
    """What a person compares: the two means, or the two shares of the category that moved most."""
    if reference.dtype.kind == "f":
        return _mean(reference), _mean(current)
    kinds = np.unique(np.concatenate([reference, current]))
    before, now = ((kinds[:, np.newaxis] == part).mean(axis=1) for part in (reference, current))
    most = int(np.abs(before - now).argmax())
    return f"{before[most]:.1%} {kinds[most]}", f"{now[most]:.1%} {kinds[most]}"


def _mean(values: Values) -> str:
    numbers = values[~np.isnan(values)]
    return f"mean {numbers.mean():.4g}" if len(numbers) else "no value"
