"""Going on with an episode: its programs run again, and every call that has a recorded return gets that return.

A replayed program must make the calls that the journal holds, in the same order; returns are handed out in the order in
which they came, because what a program does may depend on it. A call that differs stops the replay with both shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..errors import ReplayMismatch
from ..prompt import call_text
from .rows import CallRow, Record


class Replay:
    """What is recorded about an episode, handed out as its programs ask for it again."""

    def __init__(self, record: Record | None = None) -> None:
        self._episode = record.episode.id if record else ""
        self._turns: dict[int, dict[int, CallRow]] = {}
        for call in record.calls if record else ():
            self._turns.setdefault(call.turn, {})[call.position] = call
        self._times = dict(record.times) if record else {}
        self._turnstiles: dict[int, _Turnstile] = {}

    def take(self, turn: int, position: int, tool: str, arguments: dict[str, Any]) -> CallRow | None:
        """The recorded call at this place of a turn, or None where nothing is recorded. Raises `ReplayMismatch`."""
        call = self._turns.get(turn, {}).get(position)
        if call is not None and (call.tool != tool or call.arguments != arguments):
            raise ReplayMismatch(
                f"the program now calls {call_text(tool, arguments)}, and the journal has "
                f"{call_text(call.tool, call.arguments)}",
                where=f"episode {self._episode}, turn {turn}, call {call.number}",
                mend="the model, the tools or the data are not those of the interrupted run; start the task anew",
            )
        return call

    def check_complete(self, turn: int, made: int) -> None:
        """Raise `ReplayMismatch` where a replayed program ended before it made all recorded calls."""
        missing = next((call for place, call in sorted(self._turns.get(turn, {}).items()) if place >= made), None)
        if missing is not None:
            raise ReplayMismatch(
                f"the program ended without {call_text(missing.tool, missing.arguments)}, which the journal has",
                where=f"episode {self._episode}, turn {turn}, call {missing.number}", mend="start the task anew",
            )  # fmt: skip

    async def in_order(self, call: CallRow) -> None:
        """Wait until the calls of the turn that came back earlier have been handed out."""
        stile = self._turnstiles.get(call.turn)
        if stile is None:
            stile = self._turnstiles[call.turn] = _Turnstile(list(self._turns[call.turn].values()))
        await stile.pass_through(call)

    def time(self, turn: int, position: int) -> float | None:
        """What the clock said at this place, or None where the record ends."""
        values = self._times.get(turn, [])
        return values[position] if position < len(values) else None


class _Turnstile:
    """Lets the finished calls of one turn through in the order in which they came back."""

    def __init__(self, calls: Sequence[CallRow]) -> None:
        done = [call for call in calls if call.finished]
        self._order = [call.number for call in sorted(done, key=lambda call: call.completed or 0)]
        self._gates = {number: asyncio.Event() for number in self._order}
        if self._order:
            self._gates[self._order[0]].set()

    async def pass_through(self, call: CallRow) -> None:
        gate = self._gates.get(call.number)
        if gate is None:
            return
        await gate.wait()
        place = self._order.index(call.number) + 1
        if place < len(self._order):
            self._gates[self._order[place]].set()
