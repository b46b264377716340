"""Run the whole asset graph on the embedded sample, in this process.

From raw records to a deployed endpoint: 1,837 index constituents against 7,992 SEC registrants.

  matching demo
"""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """It has no options; the state folder is MATCHING_HOME or .matching here."""


def run(given: argparse.Namespace) -> int:
    """Run the graph and print what came out."""
    raise NotImplementedError
