"""What a judge reads of an episode: task, programs, calls with what they returned, answer.

All of it is untrusted. The judge's conversation tokenises it with special tokens off, so that it can open no turn; and every
line of it begins with `| `, or is one line of a call, so that no file or answer can pose as the criterion or as a verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...runtime.episodes.rows import CallRow, Record, TurnRow

_STUB = re.compile(r"^(?:# .*\n)?def ([\w.]+)\(.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Room:
    """How much is shown, in characters."""

    value: int = 240
    """Of what one call returned, and of each argument."""
    block: int = 1_600
    """Of a program, an output or an answer."""
    calls: int = 24
    """Calls of one turn; those in the middle are left out first."""


ROOMS = (Room(), Room(120, 800, 12), Room(60, 400, 8), Room(30, 200, 4))
"""From generous to sparse: the first that fits is taken."""


def transcript_of(record: Record, room: Room = ROOMS[0]) -> str:
    """The text of an episode for a judge."""
    row = record.episode
    lines = ["task:", *_block(row.task, room)]
    called = {call.tool for call in record.calls}
    stubs = _stubs(record, called)
    if stubs:
        lines += ["tools it called:", *(f"| {_short(line, room.value)}" for line in stubs)]
    for turn in record.turns:
        lines += _turn(turn, [call for call in record.calls if call.turn == turn.turn], room)
    lines.append(f"end: {row.status or 'interrupted'}")
    if row.answer is not None:
        lines += ["answer:", *_block(_text(row.answer), room)]
    return "\n".join(lines)


def fitting(record: Record, fits: Callable[[str], bool]) -> str | None:
    """The longest form of the transcript that `fits`, or None."""
    for room in ROOMS:
        text = transcript_of(record, room)
        if fits(text):
            return text
    return None


def _turn(turn: TurnRow, calls: list[CallRow], room: Room) -> list[str]:
    lines = [f"turn {turn.turn}:", *_block(turn.program if turn.program is not None else turn.reply_text, room)]
    half = room.calls // 2
    shown = calls if len(calls) <= room.calls else [*calls[:half], *calls[-half:]]
    for number, call in enumerate(shown):
        if len(shown) < len(calls) and number == half:
            lines.append(f"... {len(calls) - len(shown)} more calls")
        lines.append(_call(call, room))
    if turn.error:
        lines.append(f"error: {_short(_text(turn.error.get('message', '')), room.value)}")
    if turn.output and turn.output.strip():
        lines += ["printed:", *_block(turn.output, room)]
    return lines


def _call(call: CallRow, room: Room) -> str:
    arguments = ", ".join(f"{name}={_short(repr(value), room.value)}" for name, value in call.arguments.items())
    if call.ok:
        came = f"-> {_short(_text(call.value), room.value)}"
    else:
        came = f"failed: {_short(call.error_message or 'its fate is unknown', room.value)}"
    return f"call {_short(call.tool, 80)}({arguments}) {came}"


def _stubs(record: Record, called: set[str]) -> list[str]:
    """The stubs of called tools, from the prompts in which the policy read them."""
    found: dict[str, str] = {}
    for turn in record.turns:
        for match in _STUB.finditer(turn.prompt_text):
            if match.group(1) in called:
                found.setdefault(match.group(1), match.group(0))
    return list(found.values())


def _block(text: str, room: Room) -> list[str]:
    if len(text) > room.block:
        half = room.block // 2
        text = f"{text[:half]}\n...\n{text[-half:]}"
    return [f"| {line}" for line in text.splitlines() or [""]]


def _short(text: str, length: int) -> str:
    """One line, at most `length` characters, the middle left out."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    return f"{line[: length * 2 // 3]} ... {line[-length // 4 :]}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
