"""Splits a task into its steps, because a search for one step finds more than a search for all of them at once."""

from __future__ import annotations

import re

MAX_STEPS = 24
_LEAST_WORDS = 2
_BREAKS = re.compile(
    r"(?<=[.!?;:])\s+"  # sentences
    r"|\n+"
    r"|\s[-–—•*]\s|—"  # bullets and dashes
    r"|,\s+"  # clauses and lists
    r"|\s+(?:and then|then|after that|afterwards)\s+"
    r"|\s+and\s+(?=\w+ (?:the|me|a|an|my|its|their|which|how|what|all|any)\b)",  # `and send the ...`
    re.IGNORECASE,
)


def steps(task: str) -> list[str]:
    """The parts of a task that ask for something each, in order; a short task is one step."""
    parts = [part.strip() for part in _BREAKS.split(task)]
    found = [part for part in parts if len(part.split()) >= _LEAST_WORDS]
    if len(found) > MAX_STEPS:  # a very long task: neighbours are searched for together
        size = -(-len(found) // MAX_STEPS)
        found = [" ".join(found[start : start + size]) for start in range(0, len(found), size)]
    return found or [task]
