"""Gates: what no judge can outvote. A run that fails one scores nothing, whatever its criteria say.

format   every reply was a program, none was cut off, and the run ended by answering
misuse   nothing was called that nobody allowed, and the program that ended the run made no call that fits no tool; at most
         `refused_calls` such calls before it, because repairing one is what a policy should learn
budget   the run kept the token budget and, where they are given, the numbers of calls and turns
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import RubricError
from .facts import Facts


@dataclass(frozen=True, slots=True)
class Gates:
    """Which gates stand, and their bounds."""

    format: bool = True
    misuse: bool = True
    budget: bool = True
    refused_calls: int = 2
    max_calls: int | None = None
    max_turns: int | None = None

    def run(self, facts: Facts) -> dict[str, bool]:
        """Each standing gate, and whether the episode passed it."""
        passed: dict[str, bool] = {}
        if self.format:
            passed["format"] = _well_formed(facts)
        if self.misuse:
            passed["misuse"] = self._no_misuse(facts)
        if self.budget:
            passed["budget"] = self._within_budget(facts)
        return passed

    def _no_misuse(self, facts: Facts) -> bool:
        last = facts.record.turns[-1].turn if facts.record.turns else 0
        at_the_end = [call for call in facts.refused if call.turn == last]
        return not facts.denied and not at_the_end and len(facts.refused) <= self.refused_calls

    def _within_budget(self, facts: Facts) -> bool:
        row = facts.record.episode
        bound = row.context.budget or math.inf
        return (
            row.status != "budget"
            and row.context.peak <= bound
            and len(facts.calls) <= (math.inf if self.max_calls is None else self.max_calls)
            and len(facts.record.turns) <= (math.inf if self.max_turns is None else self.max_turns)
        )

    def to_data(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}


def _well_formed(facts: Facts) -> bool:
    turns = facts.record.turns
    replies = all(turn.program is not None and turn.finish != "length" for turn in turns)
    said_no = facts.record.episode.status == "gave_up" and facts.answer is not None  # without one its turns ran out
    return bool(turns) and replies and (facts.answered or said_no)


def parse_gates(data: object, *, where: str) -> Gates:
    """Gates from a file. Raises `RubricError` naming the option that is wrong."""
    if not isinstance(data, Mapping):
        raise RubricError("[gates] is no table", where=where, mend="write [gates] and options below it")
    known = {one.name: one.type for one in fields(Gates)}
    for name, value in data.items():
        if name not in known:
            raise RubricError(f"there is no gate option {name!r}", where=where, mend=f"one of {', '.join(known)}")
        wants_bool = known[name] == "bool"
        if isinstance(value, bool) != wants_bool or (not wants_bool and (not isinstance(value, int) or value < 0)):
            mend = "true or false" if wants_bool else "give a whole number of at least 0"
            raise RubricError(f"the gate option {name} is {value!r}", where=where, mend=mend)
    return Gates(**data)
