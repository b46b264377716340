"""What on-call has to hear of an endpoint: nobody answers, a rollout was turned back, an error budget burns.

And that a version serves which somebody has rejected since: in SageMaker's console that moves no traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matching_assets import runbooks
from resources.alarms import Burn
from sensors.rules.troubles import Trouble

ABOVE = "endpoint:"


@dataclass(frozen=True)
class Health:
    """An endpoint after it was advanced.

    `silent`: variants of which no instance answers; `burning`: SLOs; `rejected`: the champion's version, if it is.
    """

    status: str
    silent: Sequence[str]
    reason: str
    burning: Sequence[Burn] = ()
    rejected: int | None = None


def decide(health: Health) -> list[Trouble]:
    """What to alert on; a cause that is not in it any more is well again."""
    found = []
    if health.status in ("Failed", "InService") and (health.silent or health.status == "Failed"):
        names = ", ".join(health.silent) or "any variant"
        sentence = (
            f"No instance of {names} answers. They are being started again; the logs in endpoint/ say why they ended."
        )
        found.append(Trouble(f"{ABOVE}silent", "ERROR", runbooks.page("endpoint-silent"), len(health.silent), sentence))
    if health.status in ("InService", "RollingBack") and health.reason:
        sentence = f"The last rollout was turned back, what served before serves: {health.reason}"
        found.append(Trouble(f"{ABOVE}turned-back", "WARN", runbooks.page("rollout-turned-back"), 1, sentence))
    if health.rejected is not None:
        sentence = f"Version {health.rejected} serves although it was rejected: roll back, promote another, or close."
        found.append(
            Trouble(f"{ABOVE}rejected", "ERROR", runbooks.page("champion-rejected"), health.rejected, sentence)
        )
    page = runbooks.page("error-budget")
    found += [Trouble(f"{ABOVE}slo:{b.slo}", b.severity, page, b.rate, b.sentence) for b in health.burning]
    return found
