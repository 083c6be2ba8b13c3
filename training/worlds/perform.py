"""Runs programs over a world without a sandbox and writes down what happened as the record of an episode.

For programs that this repository made itself: references, and references that were changed on purpose to go wrong in a known
way. They teach a judge what a bad run looks like; a policy's own programs run in the sandbox.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from ...runtime.episodes.episode import ContextUse, Status
from ...runtime.episodes.rows import CallRow, EpisodeRow, Record, TurnRow
from ...runtime.prompt import result_message
from ...tools_registry.search import ToolIndex
from ...tools_registry.stubs import prompt_stub
from .base import State, Task, World
from .check import passes
from .rehearse import ProgramToolError, ReferenceError, Rehearsal, Stage

_CANNOT = "Cannot"
_LEAST_RECORDED = 1_000_000


class _Logged(Stage):
    """A stage that keeps every call, and lets a program ask for what is not there."""

    def __init__(self, world: World, state: State, index: ToolIndex | None) -> None:
        super().__init__(world, state, index)
        self.rows: list[CallRow] = []
        self.turn = 1

    def call(self, full_name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call and write down what came of it."""
        tool = self.tools.get(full_name)
        arguments = dict(zip(tool.parameters, args, strict=False)) | kwargs if tool else dict(kwargs)
        try:
            value = super().call(full_name, args, kwargs)
        except ProgramToolError as problem:
            self._keep(full_name, arguments, kind=problem.kind, message=problem.message, sent=True)
            raise
        except (ReferenceError, TypeError, KeyError) as problem:
            self._keep(full_name, arguments, kind="invalid", message=str(problem), sent=False)
            raise ProgramToolError(full_name, str(problem), "invalid") from None
        self._keep(full_name, arguments, value=value, ok=True, sent=True)
        return value

    def search_tools(self, query: str, k: int = 8) -> list[str]:
        """Search, written down as the runtime does."""
        found = super().search_tools(query, k)
        self._keep("search_tools", {"query": query, "k": k}, value=found, ok=True, sent=False)
        return found

    def load_tools(self, *names: Any) -> None:
        """Load; a name that is not there is an error of the program."""
        try:
            super().load_tools(*names)
        except (KeyError, IndexError):
            raise ProgramToolError("load_tools", f"no tool {names!r}", "not_found") from None

    def _keep(
        self, tool: str, arguments: dict[str, Any], *, sent: bool, ok: bool = False, value: Any = None,
        kind: str | None = None, message: str | None = None,
    ) -> None:  # fmt: skip
        known = self.tools.get(tool)
        number = len(self.rows) + 1
        place = sum(row.turn == self.turn for row in self.rows)
        self.rows.append(CallRow(
            "", number, self.turn, place, tool, arguments, "", bool(known and known.read_only), "allowed", "world",
            0.0 if sent else None, int(sent), 0.0, number, ok, value, kind, message,
        ))  # fmt: skip


def perform(
    world: World, task: Task, programs: Sequence[str], expected: Rehearsal, *, index: ToolIndex | None = None
) -> Record:
    """The record of an episode in which a policy replies with `programs`, its outcome known from the world's check."""
    state = world.open()
    try:
        stage = _Logged(world, state, index)
        turns: list[TurnRow] = []
        for number, program in enumerate(programs, 1):
            stage.turn = number
            turns.append(_turn(stage, number, program, task))
            if turns[-1].answered and turns[-1].status == "ok":
                break
        answer = stage.outcome.answer if turns and turns[-1].answered and turns[-1].status == "ok" else None
        said_no = isinstance(answer, str) and answer.startswith(_CANNOT)
        ended = bool(turns) and turns[-1].answered and turns[-1].status == "ok"
        solved, why = passes(task, expected, answer=answer, gave_up=said_no, snapshot=state.snapshot())
        if not ended:
            solved, why = False, "no answer"
        status: Status = "answered" if ended and not said_no else "gave_up"
        return Record(_episode(world, task, status, answer, solved, why, len(turns)), turns, stage.rows)
    finally:
        state.close()


def _turn(stage: _Logged, number: int, program: str, task: Task) -> TurnRow:
    stage.loaded, stage.effects = [], []
    stage.outcome.answered = False
    printed, error = io.StringIO(), None
    shown = sorted({name for name in task.needed if f"{name}(" in program})
    stubs = "".join(f"{prompt_stub(stage.tools[name])}\n" for name in shown if name in stage.tools)
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(program, "<performed>", "exec"), stage.names)
        except ProgramToolError as problem:
            error = {"type": "ToolError", "message": problem.message, "line": None}
        except Exception as problem:
            error = {"type": type(problem).__name__, "message": str(problem), "line": None}
    text = f"{error['type']}: {error['message']}" if error else None
    message = result_message(output=printed.getvalue(), error=text, calls=stage.effects if text else (), loaded=stage.loaded)
    return TurnRow(
        episode="", turn=number, created_at=0.0, role="user" if number == 1 else "result", prompt_text=stubs,
        row_start=number == 1, prompt_ids=None, prompt_tokens=0, in_view=(), reply_text=program, reply_ids=None,
        logprobs=None, logprobs_at_temperature=None, sampler={}, constrained=[], finish="stop", generated_tokens=0,
        propose_seconds=0.0, program=program, reply_kind="bare", thinking=None, status="error" if error else "ok",
        error=error, output=printed.getvalue(), value=stage.outcome.answer, answered=stage.outcome.answered,
        program_seconds=0.0, peak_rss_mb=None, variables={}, result_text=message, loaded=tuple(stage.loaded),
        finished_at=0.0,
    )  # fmt: skip


def _episode(world: World, task: Task, status: Status, answer: Any, solved: bool, why: str, turns: int) -> EpisodeRow:
    return EpisodeRow(
        id=f"world-{world.seed}", task=task.text, created_at=0.0, finished_at=0.0, status=status, answer=answer, error=None,
        owner="", parent=None, forked_at=None, atlas="", model="reference", base_hash="", adapter=None, adapter_hash=None,
        policy_version="", settings={}, servers_started=(), context=ContextUse(budget=_LEAST_RECORDED), seconds=0.0,
        outcome="known", reward=float(solved), outcome_detail=why, split=world.split,
    )  # fmt: skip
