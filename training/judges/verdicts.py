"""Judges episodes that nobody has rated, so that they can be trained on; only a judge that was found to agree may do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..outcomes import judge_of, judged_detail, parse_filter
from ..rubrics import Rubric, RubricStore, plain_rubric

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record
    from ...runtime.episodes.store import EpisodeStore
    from .calibration import Calibration
    from .judge import Judge


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of judging a log."""

    solved: int = 0
    failed: int = 0
    missing: int = 0
    """Episodes on which the judge gave no verdict; their outcome stays unknown."""


async def outcome_score(judge: Judge, record: Record, rubric: Rubric) -> float | None:
    """How far the task was fulfilled, from 0 to 1: the fulfilment criteria by their weights, 0 where a gate was failed."""
    facts = rubric.facts(record)
    if not all(rubric.gates.run(facts).values()):
        return 0.0
    scores = {one.id: one.scored(facts) for one in rubric.of("fulfilment")}
    open_ = [one for one in rubric.of("fulfilment") if one.check is None]
    scores |= await judge.verdicts(record, rubric, open_)
    if not open_ or any(scores[one.id] is None for one in open_):
        return None
    weights = {one.id: one.weight for one in rubric.of("fulfilment")}
    known = {name: score for name, score in scores.items() if score is not None}
    # A run is not solved because it ended with an answer: what is judged has to be met as well.
    mean = sum(weights[name] * score for name, score in known.items()) / sum(weights[name] for name in known)
    return min(mean, *(known[one.id] for one in open_))


async def judge_episodes(
    store: EpisodeStore,
    judge: Judge,
    calibration: Calibration,
    rubrics: RubricStore | None = None,
    filter: str | None = None,
    *,
    again: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Record an outcome `judged` for every finished episode whose outcome is unknown; `again` also for judged ones.

    What a world, a check or a person said is never overwritten.
    """
    wanted = parse_filter(filter)
    identifiers: list[str] = store.ids()
    chosen = [row for row in map(store.find, reversed(identifiers)) if wanted.passes(row) and row.status is not None]
    chosen = [
        row for row in chosen
        if row.status not in ("interrupted", "error")
        and (row.outcome == "unknown" or (row.outcome == "judged" and (again or judge_of(row) != judge.fingerprint)))
    ][: wanted.last]  # fmt: skip
    counts = {"solved": 0, "failed": 0, "missing": 0}
    for number, row in enumerate(chosen, 1):
        record = store.get(row.id)
        rubric = (rubrics.get(row.task) if rubrics else None) or plain_rubric(row.task)
        score = await outcome_score(judge, record, rubric)
        if score is None:
            counts["missing"] += 1
        else:
            kappa = calibration.overall.kappa or 0.0
            store.set_outcome(row.id, "judged", round(score, 4), judged_detail(judge.fingerprint, f"kappa {kappa:.2f}"))
            counts["solved" if score >= 0.5 else "failed"] += 1
        if progress is not None:
            progress(number, len(chosen))
    return Judged(**counts)
