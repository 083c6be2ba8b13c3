"""The data flow of the journal: a step that the answer and the changes never depended on cannot have been critical.

A backward slice over whole turns. A turn is depended on when a later turn of the slice reads a name that it bound, writes
out a value that only its result showed, or calls a tool that it loaded; turns whose calls changed something, and the
turn that answered, begin the slice. It needs no rollout, so it stands in where a fork cannot be run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..rubrics.facts import tools_of
from .selected import SHARE, Category, Label, Selected, cap, trainable_turns

if TYPE_CHECKING:
    from ...runtime.episodes.rows import CallRow, Record, TurnRow

VERSION = "1"
_WORTH_MATCHING = 3
"""Shorter texts and numbers are found everywhere."""


@dataclass(slots=True)
class _Step:
    """One turn as the slice sees it."""

    turn: TurnRow
    calls: list[CallRow]
    binds: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    literals: set[str] = field(default_factory=set)
    needed_by: set[int] = field(default_factory=set)
    why: list[str] = field(default_factory=list)

    @property
    def changed(self) -> list[CallRow]:
        return [call for call in self.calls if call.ok and not call.repeatable]


def data_flow(record: Record, *, share: float = SHARE, changing: frozenset[str] | None = None) -> Selected:
    """The turns that the outcome depends on, those with most depending on them first, at most the share.

    `changing` names the tools known to change something; without it the journal's own word counts.
    """
    steps = sliced(record, changing)
    turns = trainable_turns(record)
    ranked = sorted((one for one in steps if one.turn.turn in turns), key=lambda one: (-len(one.needed_by), -one.turn.turn))
    chosen = ranked[: cap(len(turns), share)]
    labels = tuple(
        Label(one.turn.turn, category_of(record, one.turn.turn), "; ".join(one.why), float(len(one.needed_by)))
        for one in sorted(chosen, key=lambda one: one.turn.turn)
    )
    numbers = frozenset(label.turn for label in labels)
    return Selected(record.episode.id, "data_flow", VERSION, numbers, labels, len(turns), share)


def sliced(record: Record, changing: frozenset[str] | None = None) -> list[_Step]:
    """The turns in the backward slice of what the episode answered and changed."""
    steps = [_step(turn, [call for call in record.calls if call.turn == turn.turn]) for turn in record.turns]
    wanted: list[_Step] = []
    for one in reversed(steps):
        if one.turn.answered and one.turn.status == "ok":
            one.why.append("it gave the answer")
        if any(changing is None or call.tool in changing for call in one.changed):
            one.why.append(f"it changed something with {', '.join(sorted({call.tool for call in one.changed}))}")
        for later in wanted:
            reason = _depends(later, one, record)
            if reason:
                one.needed_by |= {later.turn.turn} | later.needed_by
                one.why.append(f"turn {later.turn.turn} {reason}")
        if one.why:
            one.needed_by.add(one.turn.turn)
            wanted.append(one)
    return list(reversed(wanted))


def category_of(record: Record, number: int) -> Category:
    """Which of the paper's four categories a turn falls under, by the structure of the journal alone."""
    place = next(index for index, turn in enumerate(record.turns) if turn.turn == number)
    turn, before = record.turns[place], record.turns[place - 1] if place else None
    if before is not None and before.status != "ok" and turn.status == "ok":
        return "self_correction"
    if turn.loaded or (place == 0 and len(record.turns) > 1 and not turn.answered):
        return "plan_creation"
    if before is not None and _tools(record, turn.turn) - _tools(record, before.turn) and before.result_text:
        return "critical_observation"
    return "critical_action"


def _tools(record: Record, turn: int) -> set[str]:
    return {call.tool for call in record.calls if call.turn == turn}


def _depends(later: _Step, earlier: _Step, record: Record) -> str:
    """Why a later turn depends on an earlier one; empty where nothing says so."""
    names = later.reads & earlier.binds
    if names and earlier.turn.status in ("ok", "error"):
        return f"reads {', '.join(sorted(names)[:3])}"
    used = tools_of(earlier.turn.loaded) & {call.tool for call in later.calls}
    if used:
        return f"calls {', '.join(sorted(used)[:3])}, which it loaded"
    shown = earlier.turn.result_text or ""
    known = record.episode.task
    copied = [text for text in later.literals if _appears(text, shown) and not _appears(text, known)]
    if copied:
        return f"writes {sorted(copied)[0]!r:.40}, which its result showed"
    if earlier.turn.error and later.turn.turn == earlier.turn.turn + 1 and later.turn.status == "ok":
        return "mends its error"
    return ""


def _appears(text: str, inside: str) -> bool:
    return len(text) >= _WORTH_MATCHING and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", inside) is not None


def _step(turn: TurnRow, calls: Iterable[CallRow]) -> _Step:
    step = _Step(turn, list(calls))
    try:
        tree = ast.parse(turn.program or "")
    except (SyntaxError, ValueError, RecursionError):
        return step
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (step.reads if isinstance(node.ctx, ast.Load) else step.binds).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            step.binds.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | int | float):
            step.literals.add(str(node.value))
    step.reads -= _bound_first(tree)
    return step


def _bound_first(tree: ast.Module) -> set[str]:
    """Names that the program's top level binds before anything reads them: an earlier turn's value is not read."""
    seen: dict[str, bool] = {}
    for statement in tree.body:
        loads = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for name in loads:
            seen.setdefault(name, False)
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        seen.setdefault(node.id, True)
    return {name for name, bound in seen.items() if bound}


def reasons(selected: Selected) -> Mapping[int, str]:
    """Why each turn was chosen."""
    return {label.turn: label.reason for label in selected.labels}
