"""Sensors: a pure `decide()` and a thin Dagster sensor each."""
