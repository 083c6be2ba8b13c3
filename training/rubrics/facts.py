"""What the journal of an episode says, arranged for program checks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...runtime.episodes.rows import CallRow, Record

CANNOT = "Cannot"
_STUB = re.compile(r"^def ([\w.]+)\(", re.MULTILINE)


@dataclass
class Facts:
    """One episode as checks see it. `changing` names the tools that are known to change something."""

    record: Record
    changing: Collection[str] | None = None
    _texts: dict[str, str] = field(default_factory=dict)

    @property
    def answer(self) -> Any:
        """What the run answered."""
        return self.record.episode.answer

    @property
    def answered(self) -> bool:
        """True when it answered, and did not say that it cannot be done."""
        return self.record.episode.status == "answered"

    @property
    def gave_up(self) -> bool:
        """True when it said that the task cannot be done."""
        return isinstance(self.answer, str) and self.answer.startswith(CANNOT)

    @cached_property
    def calls(self) -> list[CallRow]:
        """Calls of tools, in order; searches are none."""
        return [call for call in self.record.calls if call.tool != "search_tools"]

    @cached_property
    def done(self) -> list[CallRow]:
        """Calls that succeeded."""
        return [call for call in self.calls if call.ok]

    @cached_property
    def effects(self) -> list[CallRow]:
        """Calls that succeeded and may have changed something."""
        return [call for call in self.done if self.changes(call)]

    @cached_property
    def refused(self) -> list[CallRow]:
        """Calls that never left: no such tool, arguments that do not fit, or no permission."""
        return [call for call in self.calls if call.sent_at is None and call.ok is False]

    @cached_property
    def denied(self) -> list[CallRow]:
        """Calls that nobody allowed."""
        return [call for call in self.calls if call.decision == "refused"]

    @property
    def searches(self) -> int:
        """How often tools were searched for."""
        return sum(call.tool == "search_tools" for call in self.record.calls)

    @cached_property
    def loaded(self) -> frozenset[str]:
        """Tools whose stubs the run put into its prompt."""
        return tools_of(stub for turn in self.record.turns for stub in turn.loaded)

    def changes(self, call: CallRow) -> bool:
        """True for a call that may have changed something."""
        return call.tool in self.changing if self.changing is not None else not call.repeatable

    def solved(self) -> float | None:
        """What those who know say of the task: 1 solved, 0 failed, None where nobody knows."""
        row = self.record.episode
        return float(row.reward >= 0.5) if row.outcome in ("known", "checked", "rated") and row.reward is not None else None


def tools_of(stubs: Iterable[str]) -> frozenset[str]:
    """The full names of the tools that these stubs are of, whether what they do stands above or behind the definition."""
    return frozenset(found.group(1) for stub in stubs if (found := _STUB.search(stub)))
