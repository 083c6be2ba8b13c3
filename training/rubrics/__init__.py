"""Rubrics: what makes a run of a task good, in the paper's four categories, scored by programs where that can be."""

from __future__ import annotations

from .checks import Check
from .facts import Facts
from .files import load_rubric, save_rubric
from .from_worlds import plain_rubric, rubric_of_world
from .gates import Gates
from .rubric import CATEGORIES, CATEGORY_WEIGHTS, PAPER_COUNTS, Category, Rubric, RubricCriterion
from .store import RubricStore
from .write import write_rubric

__all__ = [
    "CATEGORIES",
    "CATEGORY_WEIGHTS",
    "PAPER_COUNTS",
    "Category",
    "Check",
    "Facts",
    "Gates",
    "Rubric",
    "RubricCriterion",
    "RubricStore",
    "load_rubric",
    "plain_rubric",
    "rubric_of_world",
    "save_rubric",
    "write_rubric",
]
