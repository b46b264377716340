"""What the sensors decide: plain data in, a dataclass out.

No Dagster, no clock and no files in here: `now` and listings are arguments.
"""
