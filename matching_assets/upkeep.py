"""Upkeep: what is kept of what was replaced. It makes no asset, so it is an op and not one of the graph's nodes.

Folders in the object store stay: a reviewer asks for a bundle years later, and equal content is stored once.
"""

from datetime import timedelta

import dagster as dg

from resources.tables import Tables


class UpkeepConfig(dg.Config):
    """`days`: for how long a replaced version of a table stays readable."""

    days: int = 30


@dg.op
def forget_replaced_versions(
    context: dg.OpExecutionContext, config: UpkeepConfig, tables: dg.ResourceParam[Tables]
) -> None:
    """Forget the versions of all tables that are older than `days` and not current."""
    context.add_output_metadata({"versions": tables.expire(timedelta(days=config.days))})


@dg.job(description="Forget what was replaced in tables more than 30 days ago. What is current is never touched.")
def expire() -> None:
    """One step."""
    forget_replaced_versions()
