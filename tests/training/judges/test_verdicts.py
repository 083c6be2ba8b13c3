"""Judging what nobody rated: outcomes that people and worlds gave stay, failed verdicts stay unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.episodes.journal import Journal, Prompt
from atlas.runtime.policies import PolicyIdentity, Proposal, ScriptedPolicy
from atlas.training.judges import Judge
from atlas.training.judges.agreement import Agreement
from atlas.training.judges.calibration import Calibration
from atlas.training.judges.verdicts import Judged, judge_episodes
from atlas.training.outcomes import judge_of, usable_episodes

Answering = Callable[[Callable[[str, str], str]], ScriptedPolicy]
KNOWN = Calibration(
    "x", "scripted", None, "criterion", 0.0, Agreement(50, 0.8, 0.9), {"fulfilment": Agreement(20, 0.8, 0.9)}, {}, {}, 0.0
)


def add(store: EpisodeStore, task: str, status: str = "answered") -> str:
    journal = Journal.begin(store, task, PolicyIdentity("scripted", "h"), {"budget": 99}, counting="exact", atlas="0")
    reply = "answer(1)"
    journal.turn(1, Prompt("user", task, [1], True, 1, ()), Proposal(reply, [1], [-0.1], [-0.1], 1, 1), reply, "bare", None)
    journal.finish(status, 1, seconds=0.1, error=None, notes=[])
    return journal.episode


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EpisodeStore]:
    with EpisodeStore(tmp_path / "log.db") as opened:
        yield opened


def test_unknown_outcomes_are_judged_and_all_others_stay(store: EpisodeStore, answering: Answering) -> None:
    good, bad, odd, rated = (add(store, task) for task in ("good task", "bad task", "odd task", "rated task"))
    died = add(store, "died task", "error")
    store.rate(rated, "failed")

    def answer(transcript: str, question: str) -> str:
        return "hm" if "odd" in transcript else "yes" if "good" in transcript else "no"

    judge = Judge(answering(answer))
    assert asyncio.run(judge_episodes(store, judge, KNOWN)) == Judged(solved=1, failed=1, missing=1)
    rows = {name: store.find(name) for name in (good, bad, odd, rated, died)}
    assert [rows[name].outcome for name in rows] == ["judged", "judged", "unknown", "rated", "unknown"]
    assert rows[good].reward == 1.0 and rows[bad].reward == 0.0 and judge_of(rows[good]) == judge.fingerprint
    assert len(usable_episodes(store, base_hash=None)) == 1
    assert len(usable_episodes(store, base_hash=None, trusted_judges={judge.fingerprint})) == 3
    assert asyncio.run(judge_episodes(store, judge, KNOWN)) == Judged(missing=1)
    assert asyncio.run(judge_episodes(store, judge, KNOWN, again=True)).solved == 1


def test_a_run_that_spent_its_budget_is_failed_without_asking(store: EpisodeStore, answering: Answering) -> None:
    add(store, "good task", "budget")
    judge = Judge(answering(lambda transcript, question: "yes"))
    assert asyncio.run(judge_episodes(store, judge, KNOWN)) == Judged(failed=1) and judge.use.asked == 0
