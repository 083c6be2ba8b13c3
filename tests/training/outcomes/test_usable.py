"""Which logged episodes are learned from, by outcome, split, weights, sampler and secrets; and what is said of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.episodes.journal import Journal, Prompt
from atlas.runtime.errors import UsageError
from atlas.runtime.policies import PolicyIdentity, Proposal
from atlas.training.errors import TooFewOutcomes, TrainingError
from atlas.training.outcomes import judged_detail, parse_filter, unfit, usable_episodes

SAMPLED = {"temperature": 1.0, "greedy": False, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
GREEDY = {"temperature": 0.0, "greedy": True}


class Log:
    """Writes episodes with outcomes through the real journal."""

    def __init__(self, folder: Path) -> None:
        self.store = EpisodeStore(folder / "log.db")

    def add(
        self, reply: str = "answer(1)", *, kind: str = "known", reward: float | None = 1.0, detail: str = "",
        sampled: bool = True, split: str | None = "practice", task: str = "a task",
    ) -> str:  # fmt: skip
        ids = list(reply.encode())
        journal = Journal.begin(
            self.store, task, PolicyIdentity("scripted", "h" * 64), {}, counting="exact", atlas="0", split=split
        )
        sampler = dict(SAMPLED if sampled else GREEDY)
        proposal = Proposal(reply, ids, [-0.5] * len(ids), [-0.5] * len(ids), 3, len(ids), sampler=sampler)
        journal.turn(1, Prompt("user", task, [257, 1, 2], True, 3, ()), proposal, reply, "bare", None)
        journal.finish("answered", 1, seconds=0.1, error=None, notes=[])
        if kind != "unknown":
            self.store.set_outcome(journal.episode, kind, reward, detail)
        return journal.episode

    def change(self, identifier: str, **columns: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in columns)
        self.store.connection.execute(f"UPDATE turns SET {names} WHERE episode = ?", (*columns.values(), identifier))

    @property
    def base_hash(self) -> str:
        return self.store.list()[0].base_hash


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.store.close()


def reasons(log: Log, **options: Any) -> dict[str, int]:
    return dict(usable_episodes(log.store, base_hash=None, **options).left_out)


def test_known_checked_and_rated_outcomes_count_and_others_do_not(log: Log) -> None:
    for kind, reward in (("known", 1.0), ("checked", 0.0), ("rated", 1.0), ("unknown", None), ("judged", 1.0)):
        log.add(kind=kind, reward=reward)
    found = usable_episodes(log.store, base_hash=log.base_hash)
    assert found.counts() == {"rated": 1, "checked": 1, "known": 1}
    assert [one.solved for one in found] == [True, False, True]
    assert found.left_out == {"of unknown outcome": 1, "judged by a judge that is not calibrated": 1}
    assert len(found.solved) == 2 and len(found.failed) == 1


def test_what_a_router_wrote_teaches_nobody_to_write_programs(log: Log) -> None:
    identifier = log.add()
    log.store.connection.execute("UPDATE episodes SET settings = '{\"acting\": \"route\"}' WHERE id = ?", (identifier,))
    assert reasons(log) == {"of a router, which writes no programs": 1}


def test_a_judged_outcome_counts_where_its_judge_is_trusted(log: Log) -> None:
    log.add(kind="judged", reward=1.0, detail=judged_detail("abc123", "kappa 0.8"))
    log.add(kind="judged", reward=0.0, detail=judged_detail("other"))
    found = usable_episodes(log.store, base_hash=None, trusted_judges={"abc123"})
    assert [one.solved for one in found] == [True] and found.left_out.total() == 1


def test_held_out_episodes_are_never_used_whatever_is_asked(log: Log) -> None:
    log.add(split="heldout")
    assert reasons(log, allow_unknown=True) == {"held out": 1}
    assert reasons(log, filter="split=heldout") == {"held out": 1}


def test_episodes_of_other_weights_or_without_ids_are_left_out(log: Log) -> None:
    log.add()
    assert dict(usable_episodes(log.store, base_hash="0" * 64).left_out) == {"of another base model": 1}
    log.change(log.add(), reply_ids=None)
    log.change(log.add(), logprobs=b"\0\0\0\0")
    assert reasons(log) == {"without token ids": 1, "damaged": 1}
    assert reasons(log, vocabulary=100)["of another tokenizer"] == 1


def test_greedy_and_truncated_samples_feed_supervised_recipes_only(log: Log) -> None:
    log.add(sampled=False)
    truncated = log.add()
    log.change(truncated, sampler='{"temperature": 1.0, "greedy": false, "top_p": 0.9}')
    log.change(log.add(), logprobs_at_temperature=None)
    log.add()
    assert len(usable_episodes(log.store, base_hash=None)) == 4
    found = usable_episodes(log.store, base_hash=None, purpose="reinforcement")
    assert len(found) == 1 and found.episodes[0].exact_sampling
    assert found.left_out == {"sampled greedily or truncated": 3}


def test_a_reply_with_a_secret_is_left_out_and_counted(log: Log) -> None:
    log.add("key = 'ghp_a1B2a1B2a1B2a1B2a1B2'\nanswer(1)")
    log.add("rows = [1]\nanswer(rows[0])")
    found = usable_episodes(log.store, base_hash=None)
    assert len(found) == 1 and found.left_out == {"with a secret in a reply": 1}


def test_an_episode_that_was_interrupted_is_not_the_policys_failure(log: Log) -> None:
    identifier = log.add()
    log.store.connection.execute("UPDATE episodes SET status = 'interrupted' WHERE id = ?", (identifier,))
    identifier = log.add()
    log.store.connection.execute("UPDATE episodes SET status = 'error' WHERE id = ?", (identifier,))
    assert reasons(log) == {"interrupted": 1, "ended by an error that is not the policy's doing": 1}


def test_too_few_outcomes_say_how_many_there_are_and_how_to_rate_more(log: Log) -> None:
    log.add()
    unrated = log.add(kind="unknown")
    found = usable_episodes(log.store, base_hash=None)
    assert found.require(1) is found
    with pytest.raises(TooFewOutcomes) as told:
        found.require(20)
    assert isinstance(told.value, TrainingError)
    assert told.value.message == "there are 1 usable outcome, and 20 are needed; left out: 1 of unknown outcome"
    assert "atlas episodes rate" in told.value.mend and unrated in told.value.mend
    with pytest.raises(TooFewOutcomes, match="nothing to compare"):
        found.require(1, both=True)
    log.add(reward=0.0)
    assert usable_episodes(log.store, base_hash=None).require(2, both=True)
    with pytest.raises(TooFewOutcomes, match="1 of 2 usable episodes solved"):
        usable_episodes(log.store, base_hash=None).require(2, solved=2)


def test_an_empty_log_and_one_where_all_failed_are_told_apart(log: Log) -> None:
    with pytest.raises(TooFewOutcomes, match="0 usable outcomes"):
        usable_episodes(log.store, base_hash=None).require(1)
    log.add(reward=0.0)
    with pytest.raises(TooFewOutcomes, match="0 of 1 usable episode solved"):
        usable_episodes(log.store, base_hash=None).require(1, solved=1)


def test_unknown_outcomes_can_be_asked_for_where_a_judge_is_to_score_them(log: Log) -> None:
    log.add(kind="unknown")
    found = usable_episodes(log.store, base_hash=None, allow_unknown=True)
    assert [one.solved for one in found] == [None]


def test_an_episode_without_turns_or_with_nonsense_ids_is_damaged(log: Log) -> None:
    identifier = log.add()
    record = log.store.get(identifier)
    assert unfit(record) is None
    assert unfit(dataclasses.replace(record, turns=[])) == "without a turn"
    turn = dataclasses.replace(record.turns[0], constrained=[10_000])
    assert unfit(dataclasses.replace(record, turns=[turn])) == "damaged"
    turn = dataclasses.replace(record.turns[0], logprobs=[float("nan")] * len(record.turns[0].reply_ids or []))
    assert unfit(dataclasses.replace(record, turns=[turn])) == "damaged"


def test_filters_choose_by_field_time_text_and_number(log: Log) -> None:
    for task in ("count sales", "Send mail", "count mails"):
        log.add(task=task)
    log.add(task="count nothing", reward=0.0)

    def tasks(text: str) -> list[str]:
        return [one.record.episode.task for one in usable_episodes(log.store, text, base_hash=None)]

    assert tasks("task~COUNT solved") == ["count mails", "count sales"]
    assert tasks('task~"nd mail"') == ["Send mail"]
    assert tasks("failed") == ["count nothing"] and tasks("last=2") == ["count nothing", "count mails"]
    assert tasks("since=1h outcome=known,rated status!=budget model=scripted adapter=none") == tasks("")
    assert tasks("until=2020-01-01") == tasks("outcome!=known") == []
    first = log.store.ids()[0]
    assert tasks(f"id={first.lower()}") == ["count sales"]


@pytest.mark.parametrize("text", ["outcme=known", "since=soon", "last=0", "last=x", "known", "task~'open", "=x", "since~7d"])
def test_a_filter_that_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_filter(text)
    assert told.value.where == "--episodes" and told.value.mend
