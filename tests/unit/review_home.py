"""A state folder with a day that is decided by the small bundle and queued for review: what the page's tests share."""

from datetime import date
from pathlib import Path

import polars as pl

from matching.review import ReviewPlan, review_queue
from matching.scoring import Scorer
from matching_assets.landing import of_day
from matching_assets.review.desk import Desk
from matching_assets.review.verdicts import verdicts_below
from resources.environment import for_environment
from resources.iceberg import Part

DAY = date(2026, 1, 7)
PLAN = ReviewPlan(capacity=300, match_audit=0.2, no_match_audit=1.0)


def make_home(home: Path, bundle: Path, records: pl.DataFrame, plan: ReviewPlan = PLAN) -> pl.DataFrame:
    """Make the folder and return its queue."""
    resources = for_environment("local", home)
    scorer = Scorer.load(bundle)
    digest = resources["store"].put_folder(bundle)
    resources["registry"].register(digest, {}, {}, {}, {"bundle_version": scorer.bundle_version})
    queue = review_queue(scorer.score(records, reasons=False).decisions, plan)
    resources["tables"].write(
        "clean_records", of_day(records.drop("day", strict=False), DAY), Part("day", days=(DAY, DAY))
    )
    resources["tables"].write("review_queue", of_day(queue, DAY), Part("day", days=(DAY, DAY)))
    return queue


def open_desk(home: Path, reviewer: str) -> Desk:
    """A reviewer sits down."""
    resources = for_environment("local", home)
    return Desk(reviewer, resources["tables"], resources["store"], resources["registry"], verdicts_below(home))


def landed(home: Path) -> dict[str, str | None]:
    """What has landed as labels: record to reference."""
    files = (home / "landing" / "labels").glob("*.parquet")
    return dict(row for file in files for row in pl.read_parquet(file).select("record_id", "reference_id").rows())
