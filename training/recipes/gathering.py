"""What a run learns from: the usable episodes of the log, the choice of their steps, and where they can be practised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptRow, NotTrainable, SelectorError
from ..outcomes import Selection, Usable
from ..practice.recorded import NotPractisable
from ..practice.tasks import PracticeTask, practice_task, suite_practice, world_practice
from ..rows import Row, rows_of, weigh
from ..selectors.choosing import select
from ..selectors.counterfactual import Counterfactual, flip_labels
from ..selectors.selected import Selected
from ..suites import tasks_of_family

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ...runtime.policies.base import Policy
    from .options import TrainOptions

Told = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


@dataclass(slots=True)
class Chosen:
    """The steps to imitate."""

    rows: list[Row] = field(default_factory=list)
    selections: list[Selected] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    flipped: set[str] = field(default_factory=set)
    """Ids of the continuations that turned a failure into a success; the episodes of a task can share one."""

    @property
    def flips(self) -> int:
        """How many there are."""
        return len(self.flipped)

    @property
    def fell_back(self) -> Counter[str]:
        """How many episodes were chosen from by the data flow instead, and why."""
        return Counter(one.fell_back for one in self.selections if one.fell_back and one.turns)


@dataclass(slots=True)
class Pool:
    """The tasks that can be practised, by name, and why the others cannot."""

    tasks: dict[str, PracticeTask] = field(default_factory=dict)
    of_episode: dict[str, str] = field(default_factory=dict)
    """Episode id to task name."""
    once: dict[str, PracticeTask] = field(default_factory=dict)
    """Every task once, however often it was run: what there is to practise."""
    left_out: Counter[str] = field(default_factory=Counter)

    def task_of(self, episode: str) -> PracticeTask | None:
        """The practice task of a logged episode, where it has a safe place."""
        name = self.of_episode.get(episode)
        return self.tasks[name] if name else None


def practice_pool(records: Sequence[Record], home: Path, options: TrainOptions) -> Pool:
    """The safe places of logged episodes; tasks that occur more than once are kept once."""
    pool = Pool()
    texts: dict[tuple[str, str], str] = {}
    for record in records:
        try:
            task = practice_task(record, home, live=options.practice_tools)
        except (NotPractisable, KeyError) as problem:
            pool.left_out[str(problem)] += 1
            continue
        pool.tasks[task.name] = task  # of a task outside worlds every run has its own: forks need the record itself
        pool.of_episode[record.episode.id] = task.name
        where = task.name if task.world_task is not None else str(record.episode.settings.get("workspace"))
        if texts.setdefault((task.text, where), task.name) == task.name:
            pool.once[task.name] = task
    return pool


def suite_of(records: Sequence[Record]) -> str | None:
    """The suite that most of the episodes come from; None where they are a person's own."""
    origins = [str(record.episode.settings.get("origin") or "").partition("/")[0] for record in records]
    common = Counter(name for name in origins if name).most_common(1)
    return common[0][0] if common and common[0][1] * 2 >= len(origins) else None


def fresh_tasks(suite: str, options: TrainOptions) -> list[PracticeTask]:
    """Practice tasks of a suite that the log does not hold: others of the same kind, never held-out ones."""
    seed = 100_003 + options.seed
    if not options.families:
        stream = suite_practice(suite, seed=seed)
        return [next(stream) for _ in range(options.fresh_tasks)]
    decks = [tasks_of_family(suite, "practice", family, seed) for family in options.families]
    return [world_practice(next(decks[number % len(decks)])) for number in range(options.fresh_tasks)]


async def choose_steps(
    selection: Selection, pool: Pool, options: TrainOptions, *, policy: Policy | None,
    counterfactual: Counterfactual | None, told: Told,
) -> Chosen:  # fmt: skip
    """The rows of solved episodes (and of flipped failures) with loss on the chosen steps only."""
    chosen = Chosen()
    forks = options.chooses == "counterfactual" and counterfactual is not None
    wanted = [one for one in selection if one.solved or (forks and one.solved is False)]
    for number, one in enumerate(wanted, 1):
        told("selecting steps", number, len(wanted))
        try:
            if forks and counterfactual is not None:
                await _by_forks(one, pool, options, counterfactual, chosen)
            else:
                picked = await select(
                    one.record, kind=options.chooses, share=options.share, seed=options.seed, policy=policy
                )
                _take(chosen, one.record, picked)
        except SelectorError as problem:
            chosen.left_out[_reason(problem)] += 1
    return chosen


async def _by_forks(one: Usable, pool: Pool, options: TrainOptions, counterfactual: Counterfactual, chosen: Chosen) -> None:
    picked, flips = await counterfactual.select(one.record, pool.task_of(one.record.episode.id), bool(one.solved))
    if one.solved:
        _take(chosen, one.record, picked)
        return
    chosen.selections.append(picked)
    if picked.fell_back:
        chosen.left_out[f"failed, and {picked.fell_back}"] += 1
    for flip in flips:
        if flip.record.episode.id in chosen.flipped:
            continue
        chosen.flipped.add(flip.record.episode.id)
        _take(chosen, flip.record, flip_labels(flip, one.record, options.share))


def _take(chosen: Chosen, record: Record, picked: Selected) -> None:
    chosen.selections.append(picked)
    if not picked.turns:
        chosen.left_out["without a critical step"] += 1
        return
    try:
        rows = rows_of(record)
    except NotTrainable as problem:
        chosen.left_out[problem.reason] += 1
        return
    except CorruptRow:
        chosen.left_out["damaged"] += 1
        return
    weights = dict.fromkeys(picked.turns, 1.0)
    weighed = [weigh(row, ce=weights) for row in rows]
    chosen.rows += [row for row in weighed if any(row.ce_weight)]


def _reason(problem: SelectorError) -> str:
    return problem.message.split(":", 1)[0]


def logged_rows(selection: Selection, *, most: int = 8) -> list[Row]:
    """Rows of a few episodes as they were logged: real tokens on which trainer and llama.cpp are compared."""
    rows: list[Row] = []
    for one in selection:
        try:
            rows += rows_of(one.record)
        except (NotTrainable, CorruptRow):
            continue
        if len(rows) >= most:
            break
    return rows


def split_rows(rows: Sequence[Row], *, seed: int, share: float = 0.1, least: int = 20) -> tuple[list[Row], list[Row]]:
    """Rows to learn from and rows to watch, apart by task; nothing to watch where there are few."""
    import hashlib

    if len(rows) < least:
        return list(rows), []
    watched = {
        row.task for row in rows
        if int.from_bytes(hashlib.sha256(f"{seed}:{row.task}".encode()).digest()[:4]) / 2**32 < share
    }  # fmt: skip
    learned = [row for row in rows if row.task not in watched]
    return (learned, [row for row in rows if row.task in watched]) if learned else (list(rows), [])
