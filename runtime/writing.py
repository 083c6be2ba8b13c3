"""What a policy writes, by `acting`: how its reply becomes a program, and how it is told what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .extract import Extracted, extract_program
from .json_acting import NO_CALL, extract_call
from .messages import NO_PROGRAM
from .options import Acting
from .route_acting import NO_STEP, extract_step, information


@dataclass(frozen=True, slots=True)
class Writing:
    """One way of writing; everything between the two ends (gate, journal, limits, results) is the same."""

    read: Callable[[str], Extracted]
    nothing: str
    """What is said of a reply without a program."""
    told: Callable[[str], str] = str
    """The result message in the form that the policy expects."""


WRITINGS: dict[Acting, Writing] = {
    "program": Writing(extract_program, NO_PROGRAM),
    "json": Writing(extract_call, NO_CALL),
    "route": Writing(extract_step, NO_STEP, information),
}
