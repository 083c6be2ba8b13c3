"""One run: the policy proposes a program, the sandbox runs it, what it did is read back, until it answers.

Everything is journalled as it happens, so that a run that dies is gone on with by running its programs again over the
recorded returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .episodes.episode import ContextUse, Episode, Status
from .episodes.journal import Journal
from .episodes.replay import Replay
from .errors import AtlasRuntimeError, BudgetError, EpisodeError, ReplayMismatch
from .events import (
    EpisodeFinished,
    EpisodeStarted,
    Event,
    Notice,
    ProgramFinished,
    ProgramStarted,
    Rebased,
    ReplyDelta,
    ReplyFinished,
    StubsShown,
    TurnStarted,
)
from .gate import Gate
from .messages import Step, after_program, error_text, shortened, trimmed
from .options import RunOptions, reply_tokens
from .policies.base import Sampling
from .policies.name_table import Names
from .prompting import Prompting
from .writing import WRITINGS

if TYPE_CHECKING:
    from ..sandbox import Outcome, Sandbox
    from .episodes.rows import Record, TurnRow
    from .policies.base import Policy, Proposal
    from .view import View

GAVE_UP = "Cannot"
"""An answer that begins with this word says that the task cannot be done."""
SOFT_BUDGETS = frozenset({"max_calls", "max_output_bytes", "max_result_bytes"})
"""Budgets that the worker keeps by itself, and that a replay uses up at the same place."""
WORKER_DIED = "WorkerDied"
SAME_FAILURES = 3
"""The same program failing in the same way this often ends the run."""
AGAIN_TEMPERATURE = 0.7
"""At which a greedy policy is asked again when it repeats a program that failed, at most `MOST_DRAWN` times in a run."""
MOST_DRAWN = 2
_ANSWER = {"answer": ("value",)}
_GIVEN = ("ToolError", "asyncio")


@dataclass(slots=True)
class Tally:
    """What a run has used."""

    peak: int = 0
    total_prompt: int = 0
    generated: int = 0
    turns: int = 0
    programs: int = 0
    seconds: float = 0.0
    """Of earlier processes, where the run goes on with an interrupted one."""


@dataclass(slots=True)
class Run:
    """Everything one run works with; `go` runs it to its end."""

    task: str
    policy: Policy
    options: RunOptions
    view: View
    gate: Gate
    journal: Journal
    sandbox: Sandbox
    prompting: Prompting
    emit: Callable[[Event], None]
    now: Callable[[], float] = time.time
    record: Record | None = None
    """What is known of the run, where it goes on with an interrupted one."""
    tally: Tally = field(default_factory=Tally)
    steps: list[Step] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    _drawn: int = 0
    """Programs that were drawn at a temperature because the greedy one had failed before."""
    _started: float = field(default_factory=time.perf_counter)

    async def go(self) -> Episode:
        """Run to the end and return the episode. What the policy did wrong is a status; what failed below it, an error.

        Raises `AtlasRuntimeError` where the model, the log or the machine failed; the episode says so, too.
        """
        identity, budget = self.policy.identity, self.prompting.budget
        self.emit(EpisodeStarted(
            self.journal.episode, self.task, identity.model, budget, self.options.max_turns, self.record is not None
        ))  # fmt: skip
        for server in self.view.registry.servers:
            if server.problem:
                self.emit(Notice(self.journal.episode, f"server {server.server_name} has no tools: {server.problem}"))
        try:
            status, answer = await self._run()
        except BudgetError as problem:
            return self._finish("budget", None, f"{problem.message}; {problem.mend}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._close("interrupted", "interrupted")
            raise
        except EpisodeError as problem:
            self._close("interrupted", problem.message)
            raise
        except Exception as problem:
            self._close("error", str(getattr(problem, "message", problem)) or type(problem).__name__)
            raise
        return self._finish(status, answer, None)

    async def _run(self) -> tuple[Status, Any]:
        if self.record is not None and self.record.turns:
            ended = await self._catch_up(self.record)
            if ended is not None:
                return ended
        else:
            self.prompting.open()
            self.emit(StubsShown(self.journal.episode, tuple(self.view.shown), len(self.view.registry.tools)))
        for turn in range(self.tally.turns + 1, self.options.max_turns + 1):
            program, cut = await self._propose(turn)
            ended = await self._act(turn, program, cut=cut)
            if ended is not None:
                return ended
        self.notes.append(f"no answer after {self.options.max_turns} turns")
        return "gave_up", None

    # -- the policy's half of a turn

    async def _propose(self, turn: int) -> tuple[str | None, bool]:
        """Ask the policy; the program in its reply, and whether the reply was cut off."""
        await asyncio.sleep(0)  # whoever follows the events is heard between two turns, however fast they are
        prompt = self.prompting.prompt()
        if prompt.tokens > self.prompting.budget:
            raise BudgetError(
                f"the prompt has {prompt.tokens} tokens, and the budget is {self.prompting.budget}",
                where="--budget", mend="raise --budget",
            )  # fmt: skip
        episode, read = self.journal.episode, WRITINGS[self.options.acting].read
        self.emit(TurnStarted(episode, turn, prompt.tokens))
        sampling = self._sampling(turn, prompt.tokens)
        proposal = await self._reply(turn, sampling)
        if self._stuck(proposal, read(proposal.text).program):
            self.emit(Notice(episode, f"the program of turn {turn} has failed before; another one is drawn"))
            self._count(turn, prompt.tokens, proposal)
            self._drawn += 1
            proposal = await self._reply(turn, replace(sampling, temperature=AGAIN_TEMPERATURE))
        found = read(proposal.text)
        self.journal.turn(turn, prompt, proposal, found.program, found.kind, found.thinking)
        self.prompting.replied(proposal)
        self._count(turn, prompt.tokens, proposal)
        self.emit(ReplyFinished(episode, turn, proposal.text, proposal.generated_tokens, proposal.seconds))
        return found.program, proposal.finish == "length"

    async def _reply(self, turn: int, sampling: Sampling) -> Proposal:
        return await self.policy.propose(
            self.prompting.conversation, sampling, names=self._names(),
            on_text=lambda text: self.emit(ReplyDelta(self.journal.episode, turn, text)),
        )  # fmt: skip

    def _stuck(self, proposal: Proposal, program: str | None) -> bool:
        """Whether a greedy reply says again what has failed: read once more, it would be said for ever."""
        greedy = proposal.sampler.get("greedy") and not proposal.sampler.get("scripted")
        return bool(greedy) and self._drawn < MOST_DRAWN and any(program == failed for failed, _ in +self._failures)

    def _sampling(self, turn: int, prompt_tokens: int) -> Sampling:
        room = self.policy.context_length - prompt_tokens - 1
        return Sampling(
            temperature=self.options.temperature, seed=self.options.seed + turn - 1,
            max_tokens=max(16, min(reply_tokens(self.policy), room)), constrain_names=self.options.constrain_names,
        )  # fmt: skip

    def _names(self) -> Names | None:
        if not self.options.constrain_names or self.options.acting != "program":
            return None
        known = self.view.parameters() | _ANSWER
        tools = {name: parameters for name, parameters in known.items() if name.partition(".")[0] not in self.variables}
        strict = self.policy.profile == "compact"  # other models know more of Python than the lexer does
        if not strict:
            return Names(tools)
        required = {name: given for name, given in self.view.required().items() if name in tools}
        return Names(tools, (*self.variables, *_GIVEN), frozenset(self.prompting.words), required)

    def _count(self, turn: int, prompt_tokens: int, proposal: Proposal) -> None:
        exact = self.policy.counting == "exact" or not proposal.prompt_tokens
        tokens = prompt_tokens if exact else proposal.prompt_tokens  # an endpoint knows better than our bound
        self.tally.turns = turn
        self.tally.peak = max(self.tally.peak, tokens)
        self.tally.total_prompt += tokens
        self.tally.generated += proposal.generated_tokens

    # -- the program's half of a turn

    async def _act(self, turn: int, program: str | None, *, cut: bool = False) -> tuple[Status, Any] | None:
        """Run the program of a turn; the end of the run, or None after the next message was added."""
        self.gate.start_turn(turn)
        outcome = await self._execute(turn, program) if program is not None else None
        loaded = self.view.take_pending()
        if outcome is not None and outcome.answered and outcome.status == "ok":
            self._ended(turn, outcome, "", loaded)
            answer = outcome.value
            return ("gave_up" if isinstance(answer, str) and answer.startswith(GAVE_UP) else "answered"), answer
        lost = await self._rebuild(outcome) if outcome is not None and outcome.status in ("limit", "killed") else ()
        return self._read_back(turn, program, outcome, loaded, lost, cut=cut)

    async def _execute(self, turn: int, program: str) -> Outcome:
        self.emit(ProgramStarted(self.journal.episode, turn, program))
        self.tally.programs += 1
        if await self.sandbox.renewed():
            await self._recover(turn)
        outcome = await self._run_program(program)
        if outcome.status == "killed" and outcome.error is not None and outcome.error.type == WORKER_DIED:
            await self._recover(turn)  # nothing that the program did: what it has got already, it gets again
            outcome = await self._run_program(program)
        self.gate.end_turn()
        self.variables = outcome.variables
        return outcome

    async def _recover(self, turn: int) -> None:
        """A worker died that nobody had ended: bring the next one to the beginning of this turn, over the journal."""
        pending = self.view.take_pending()
        record = self.journal.store.get(self.journal.episode)
        self.gate.replay = Replay(record)
        await self._replay_programs([row for row in record.turns if row.turn < turn])
        self.view.pending = pending
        self.gate.start_turn(turn)
        self.emit(Notice(self.journal.episode, f"the worker died in turn {turn}; the turn is run again over its journal"))

    async def _run_program(self, program: str) -> Outcome:
        tools = self.view.schemas()
        return await self.sandbox.arun(
            program, tools=tools, call=self.gate, now=lambda: self.gate.clock(self.now), read_only=self.view.read_only()
        )

    def _read_back(
        self, turn: int, program: str | None, outcome: Outcome | None, loaded: list[str], lost: Sequence[str], *, cut: bool
    ) -> tuple[Status, Any] | None:
        """Tell the policy what its program did. Ends the run where it fails again and again, or nothing fits any more."""
        writing = WRITINGS[self.options.acting]
        error = error_text(outcome, self.prompting.count, cut=cut, no_program=writing.nothing)
        effects = tuple(self.gate.effects)

        def message(output_tokens: int, stubs: int = len(loaded)) -> str:
            return writing.told(after_program(
                outcome, error, loaded=shortened(loaded, stubs), effects=effects if error else (), lost=lost,
                output_tokens=output_tokens, count=self.prompting.count,
            ))  # fmt: skip

        text = message(self.options.output_tokens)
        self._ended(turn, outcome, text, loaded)
        self._note_step(turn, program, outcome, error, effects)
        if error and self.gate.unasked is not None:
            self.notes.append(self.gate.unasked)
            return "gave_up", None
        self._failures[program or "", error or ""] += 1 if error else 0
        if self._failures[program or "", error or ""] >= SAME_FAILURES:
            self.notes.append(f"the same program failed {SAME_FAILURES} times")
            return "gave_up", None
        if turn < self.options.max_turns:
            self._append(turn, text, message, loaded)
        return None

    def _note_step(
        self, turn: int, program: str | None, outcome: Outcome | None, error: str | None, effects: tuple[str, ...]
    ) -> None:
        status = outcome.status if outcome else "no_program"
        self.steps.append(Step(turn, program, status, error, outcome.output if outcome else "", effects))

    def _append(self, turn: int, text: str, message: Callable[..., str], loaded: Sequence[str] = ()) -> None:
        """Add the result to the prompt; shorter, or with everything written anew, where it would not fit.

        `message(tokens, stubs)` is the result with that much room for its output, and so many of the stubs in `loaded`.
        """
        if self.prompting.fits(text):
            self.prompting.add_result(text)
            return
        if self.prompting.may_rebase(turn) and self._rebase(turn, text, message):
            return
        for tokens in (150, 60, 10):
            if self.prompting.fits(shorter := message(tokens)):
                self.prompting.add_result(shorter)
                return
        if self._rebase(turn, text, message):  # soon after the last time: costs the cached prefix, ends nothing
            return
        for stubs in (len(loaded) // 2, len(loaded) // 4, 2, 0) if loaded else ():
            if self.prompting.fits(shorter := message(10, stubs)):
                self.prompting.add_result(shorter)
            elif not self._rebase(turn, text, partial(message, stubs=stubs)):
                continue
            self.view.forget(loaded[stubs:])
            return
        raise BudgetError(
            f"after turn {turn} the prompt does not fit the budget of {self.prompting.budget} tokens",
            where="--budget", mend="raise --budget, or split the task",
        )  # fmt: skip

    def _rebase(self, turn: int, text: str, message: Callable[[int], str]) -> bool:
        """Write the prompt anew and tell of it; False where it does not fit even so."""
        before = self.prompting.conversation.size_with("result", text)
        tools = self.view.registry.tools
        used = [name for name in self.view.shown if any(f"{name}(" in (step.program or "") for step in self.steps)]
        recent = [name for name in self.view.shown if name not in used][-8:]
        stubs = [self.view.stub(tools[name]) for name in [*recent, *used] if name in tools]
        done = self.prompting.rebase(turn, stubs, self.steps, list(self.variables.items()), message)
        if done:
            self.emit(Rebased(self.journal.episode, turn, before, self.prompting.conversation.size()))
        return done

    async def _rebuild(self, outcome: Outcome) -> tuple[str, ...]:
        """Give the new worker the variables of the programs that ended well; the names that are lost nevertheless."""
        if not outcome.lost:
            return ()
        gate, turn = self.gate, self.gate.turn
        record = self.journal.store.get(self.journal.episode)
        effects = list(gate.effects)
        kept = gate.replay
        gate.replay = Replay(record)
        try:
            await self._replay_programs([row for row in record.turns if row.turn < turn])
        finally:
            gate.replay, gate.turn, gate.effects = kept, turn, effects
            self.view.take_pending()
        return tuple(name for name in outcome.lost if name not in self.variables)

    async def _replay_programs(self, turns: Sequence[TurnRow]) -> None:
        """Run finished programs again over their recorded returns. Raises `ReplayMismatch`."""
        for row in turns:
            if row.program is None or not _leaves_variables(row):
                await self.gate.resend_turn(row.turn)
                continue
            self.gate.start_turn(row.turn)
            outcome = await self._run_program(row.program)
            if outcome.status != row.status:
                raise ReplayMismatch(
                    f"the program of turn {row.turn} ended as {outcome.status}, and as {row.status} when it was recorded",
                    where=f"episode {row.episode}, turn {row.turn}", mend="start the task anew",
                )  # fmt: skip
            self.gate.replay.check_complete(row.turn, self.gate.made)
            self.variables = outcome.variables

    # -- going on with an interrupted run

    async def _catch_up(self, record: Record) -> tuple[Status, Any] | None:
        """Bring sandbox and prompt to where the run was, and finish the turn in which it died."""
        done = [row for row in record.turns if row.status is not None]
        begun = next((row for row in record.turns if row.status is None), None)
        self._recall(record)
        await self._replay_programs(done)
        self.view.take_pending()
        self.prompting.restore(record.turns)
        for row in done:
            error = row.error or {}
            line = f"line {error['line']}: " if error.get("line") is not None else ""
            text = f"{line}{error.get('type')}: {error.get('message')}" if error else None
            self.steps.append(Step(row.turn, row.program, row.status or "", text, row.output or "", ()))
        if begun is not None:
            return await self._act(begun.turn, begun.program, cut=begun.finish == "length")
        last = done[-1]
        if last.answered and last.status == "ok":
            return ("gave_up" if str(last.value).startswith(GAVE_UP) else "answered"), last.value
        text = last.result_text or ""
        self._append(last.turn, text, lambda tokens: trimmed(text, tokens, self.prompting.count))
        return None

    def _recall(self, record: Record) -> None:
        row = record.episode
        tally = self.tally
        tally.turns, tally.seconds = len(record.turns), row.seconds
        tally.programs = sum(turn.status is not None and turn.program is not None for turn in record.turns)
        tally.peak = max((turn.prompt_tokens for turn in record.turns), default=0)
        tally.total_prompt = sum(turn.prompt_tokens for turn in record.turns)
        tally.generated = sum(turn.generated_tokens for turn in record.turns)
        self.gate.called_servers += row.servers_started

    # -- the books

    def _ended(self, turn: int, outcome: Outcome | None, result: str, loaded: Sequence[str]) -> None:
        self.journal.program_ended(turn, outcome, result, loaded)
        self.journal.progress(self._context(), self._seconds(), self._servers_started())
        error = str(outcome.error) if outcome and outcome.error else None
        status = outcome.status if outcome else "no_program"
        self.emit(ProgramFinished(
            self.journal.episode, turn, status, outcome.output if outcome else "", error,
            outcome.seconds if outcome else 0.0, result,
        ))  # fmt: skip

    def _context(self) -> ContextUse:
        tally = self.tally
        return ContextUse(tally.peak, tally.total_prompt, tally.generated, self.prompting.budget, self.policy.counting)

    def _seconds(self) -> float:
        return self.tally.seconds + time.perf_counter() - self._started

    def _servers_started(self) -> tuple[str, ...]:
        """Servers that this run called and that had to be started for it; servers of this process count not."""
        started = set(self.view.registry.started)
        earlier = set(self.record.episode.servers_started) if self.record else set()
        return tuple(name for name in self.gate.called_servers if name in started | earlier)

    def _close(self, status: Status, error: str | None, answer: Any = None) -> None:
        """The last row; a log that cannot be written any more must not hide what went wrong before."""
        with contextlib.suppress(AtlasRuntimeError):
            self.journal.progress(self._context(), self._seconds(), self._servers_started())
            self.journal.finish(status, answer, seconds=self._seconds(), error=error, notes=self.notes)

    def _finish(self, status: Status, answer: Any, error: str | None) -> Episode:
        self.notes += [f"server {name}: {message}" for name, message in self.gate.unreachable.items()]
        for line in self.notes:
            self.emit(Notice(self.journal.episode, line))
        self.journal.progress(self._context(), self._seconds(), self._servers_started())
        self.journal.finish(status, answer, seconds=self._seconds(), error=error, notes=self.notes)
        identity = self.policy.identity
        record = self.journal.store.get(self.journal.episode)
        episode = Episode(
            id=self.journal.episode, status=status, answer=answer, task=self.task, turns=self.tally.turns,
            programs=self.tally.programs, tool_calls=sum(call.tool != "search_tools" for call in record.calls),
            servers_started=self._servers_started(), context=self._context(), seconds=self._seconds(),
            model=identity.model, adapter=identity.adapter, error=error, parent=record.episode.parent,
            notes=tuple(self.notes), unreachable=tuple(self.gate.unreachable),
        )  # fmt: skip
        return episode


def _leaves_variables(row: TurnRow) -> bool:
    """Whether the worker lived on after the program of a turn, so that the next turns may use what it made."""
    return row.status in ("ok", "error") or (row.status == "limit" and (row.error or {}).get("type") in SOFT_BUDGETS)


def finished(episode: Episode) -> EpisodeFinished:
    """The last event of a run."""
    return EpisodeFinished(episode.id, result=episode)
