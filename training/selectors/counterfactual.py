"""The counterfactual selector: a step is critical when the outcome depends on it.

A logged episode is forked at every turn boundary and the policy goes on from there; the mean outcome of these
continuations is the value of the boundary, and a step's weight is how much it changed that value (Q minus V). No strong
closed model is needed. Failed episodes take part as well (after CSO, arXiv 2602.03412): where a continuation turns
failure into success, that continuation is an episode of its own whose new step is verified to be the critical one.
Where the beginning cannot be played again, or nobody could say how a continuation went (as of all tasks but those of
generated worlds), the data flow of the journal decides for the successes, and the failures are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ...runtime.errors import EpisodeError
from ..practice.forks import adopt, continuations
from .data_flow import category_of, data_flow
from .selected import SHARE, Label, Selected, cap, trainable_turns

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ...runtime.episodes.store import EpisodeStore
    from ..practice.rollouts import Manner, Rollout
    from ..practice.tasks import PracticeTask

VERSION = "1"
CONTINUATIONS = 4
LEAST_CHANGE = 0.25
"""A step that changed the value by less is not critical, however few others there are."""


@dataclass(slots=True)
class Counterfactual:
    """Measures episodes; values of a task's beginning are kept, because its episodes share them."""

    manner: Manner
    source: EpisodeStore
    """The log that the episodes come from."""
    share: float = SHARE
    count: int = CONTINUATIONS
    seed: int = 0
    _starts: dict[str, Sequence[Rollout]] = field(default_factory=dict)

    async def select(self, record: Record, task: PracticeTask | None, solved: bool) -> tuple[Selected, list[Rollout]]:
        """The critical steps of an episode, and, where it failed, the continuations that turned it into a success.

        `task` None says that it has no safe place.
        """
        if task is None:
            return self._instead(record, solved, "it has no safe place to be forked in"), []
        if task.world_task is None:  # before anything is played: no place but a generated world has a verdict
            return self._instead(record, solved, "nobody can say how its continuations went"), []
        try:
            values, runs = await self._values(record, task, solved)
        except EpisodeError as problem:
            return self._instead(record, solved, f"a fork failed: {problem.message}"), []
        if any(value is None for value in values):
            return self._instead(record, solved, "its continuations took too long", values=values), []
        known = [float(value or 0.0) for value in values]
        chosen = self._critical(record, known) if solved else self._turning_points(record, known)
        return chosen, [] if solved else _flips(runs, known)

    def _instead(self, record: Record, solved: bool, why: str, **more: Any) -> Selected:
        """What stands where forks tell nothing: the choice by data flow, and nothing of a failure, which is not imitated."""
        found = data_flow(record, share=self.share)
        if not solved:
            found = replace(found, turns=frozenset(), labels=())
        return replace(found, fell_back=why, **more)

    async def _values(
        self, record: Record, task: PracticeTask, solved: bool
    ) -> tuple[tuple[float | None, ...], list[Sequence[Rollout]]]:
        """The mean outcome from each boundary on; the last one is the episode's own outcome."""
        runs = [await self._from_start(task)]
        numbers = [turn.turn for turn in record.turns]
        if len(numbers) > 1:
            adopt(self.source, self.manner.store, record.episode.id)
        for number in numbers[:-1]:
            runs.append(await continuations(
                self.manner, task, record.episode.id, number, count=self.count, seed=self.seed
            ))  # fmt: skip
        return (*(_mean(one) for one in runs), 1.0 if solved else 0.0), runs

    async def _from_start(self, task: PracticeTask) -> Sequence[Rollout]:
        if task.name not in self._starts:
            found = await continuations(self.manner, task, "", 0, count=self.count, seed=self.seed)
            self._starts[task.name] = found
        return self._starts[task.name]

    def _critical(self, record: Record, values: Sequence[float]) -> Selected:
        """The steps of a success that raised its chances most."""
        turns = trainable_turns(record)
        changes = {turn.turn: after - before for turn, before, after in _steps(record, values) if turn.turn in turns}
        ranked = sorted(changes, key=lambda number: (-changes[number], number))
        chosen = [number for number in ranked if changes[number] >= LEAST_CHANGE][: cap(len(turns), self.share)]
        labels = tuple(
            Label(number, category_of(record, number), f"it changed the chance of success by {changes[number]:+.2f}",
                  round(changes[number], 4))
            for number in sorted(chosen)
        )  # fmt: skip
        note = () if chosen else ("no step mattered: the policy solves this task from the beginning",)
        return self._selected(record, labels, values, note)

    def _turning_points(self, record: Record, values: Sequence[float]) -> Selected:
        """Where a failure was lost. Nothing of it is imitated; its flipped continuations are."""
        notes = tuple(
            f"turn {record.turns[place].turn} lost {values[place] - values[place + 1]:.2f} of the chance of success"
            for place in _lost(values)
        )
        return self._selected(record, (), values, notes)

    def _selected(
        self, record: Record, labels: tuple[Label, ...], values: Sequence[float], notes: tuple[str, ...]
    ) -> Selected:
        return Selected(
            record.episode.id, "counterfactual", VERSION, frozenset(label.turn for label in labels), labels,
            len(trainable_turns(record)), self.share, tuple(round(value, 4) for value in values), notes,
            details={"continuations": self.count, "temperature": self.manner.temperature},
        )  # fmt: skip


def flip_labels(flip: Rollout, parent: Record, share: float) -> Selected:
    """The choice for a flipped continuation: the step that it took in place of the one that failed."""
    kept = {turn.turn for turn in parent.turns} if flip.record.episode.parent == parent.episode.id else set()
    first = _first_new(flip.record, parent) if kept else flip.record.turns[0].turn
    label = Label(first, category_of(flip.record, first), "taking this step instead turned a failure into a success", 1.0)
    return Selected(
        flip.record.episode.id, "counterfactual", VERSION, frozenset((first,)), (label,),
        len(trainable_turns(flip.record)), share, notes=(f"a flip of episode {parent.episode.id}",),
    )  # fmt: skip


def _first_new(record: Record, parent: Record) -> int:
    for mine, theirs in zip(record.turns, parent.turns, strict=False):
        if mine.reply_ids != theirs.reply_ids:
            return mine.turn
    return record.turns[min(len(parent.turns), len(record.turns) - 1)].turn


def _steps(record: Record, values: Sequence[float]) -> list[tuple[TurnRow, float, float]]:
    return list(zip(record.turns, values[:-1], values[1:], strict=True))


def _lost(values: Sequence[float]) -> list[int]:
    """The boundaries, by their place, at which the next step lost much of the chance of success."""
    return [place for place, (before, after) in enumerate(pairwise(values)) if before - after >= LEAST_CHANGE]


def _flips(runs: Sequence[Sequence[Rollout]], values: Sequence[float]) -> list[Rollout]:
    """One success from each boundary at which much was lost, but none where the task is solved by chance anyway."""
    found = []
    for place in _lost(values):
        known = [run for run in runs[place] if run.known is not None]
        good = [run for run in known if run.known == 1.0]
        anyway = len(known) > 1 and values[place] > 1 - LEAST_CHANGE  # one success says too little of that
        if good and not anyway:
            found.append(min(good, key=lambda run: (len(run.record.turns), run.record.episode.id)))
    return found


def _mean(runs: Sequence[Rollout]) -> float | None:
    known = [run.known for run in runs if run.known is not None]
    return sum(known) / len(known) if known else None


if TYPE_CHECKING:
    from ...runtime.episodes.rows import TurnRow
