"""Outcomes: which logged episodes can be learned from, and why the others cannot."""

from __future__ import annotations

from .filters import EpisodeFilter, parse_filter
from .secrets import SecretFinder
from .usable import Purpose, Selection, Usable, exact, judge_of, judged_detail, unfit, usable_episodes

__all__ = [
    "EpisodeFilter",
    "Purpose",
    "SecretFinder",
    "Selection",
    "Usable",
    "exact",
    "judge_of",
    "judged_detail",
    "parse_filter",
    "unfit",
    "usable_episodes",
]
