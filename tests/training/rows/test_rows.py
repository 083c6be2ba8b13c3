"""Rows are the logged tokens and nothing else; a damaged row is refused by its name."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from atlas.runtime.episodes.episode import ContextUse
from atlas.runtime.episodes.rows import EpisodeRow, Record, TurnRow
from atlas.training.errors import CorruptRow, NotTrainable, RowError
from atlas.training.rows import Row, check, read_dataset, rows_of, weigh, write_dataset

SAMPLED = {"temperature": 0.8, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "greedy": False, "seed": 1, "kept_mass": []}


def episode(**changes: Any) -> EpisodeRow:
    known: dict[str, Any] = {
        "id": "E1", "task": "count", "created_at": 0.0, "finished_at": 1.0, "status": "answered", "answer": 1, "error": None,
        "owner": "", "parent": None, "forked_at": None, "atlas": "1", "model": "nano", "base_hash": "b", "adapter": None,
        "adapter_hash": None, "policy_version": "v1", "settings": {}, "servers_started": (), "seconds": 1.0,
        "context": ContextUse(0, 0, 0, 0, "exact"), "outcome": "known", "reward": 1.0, "outcome_detail": None, "split": None,
    }  # fmt: skip
    return EpisodeRow(**known | changes)


def turn(number: int, prompt: list[int] | None, reply: list[int] | None, total: int, **changes: Any) -> TurnRow:
    """A turn that adds these ids to a prompt which then has `total` tokens."""
    count = len(reply or [])
    known: dict[str, Any] = {
        "episode": "E1", "turn": number, "created_at": 0.0, "role": "user", "prompt_text": "", "row_start": number == 1,
        "prompt_ids": prompt, "prompt_tokens": total, "in_view": (), "reply_text": "", "reply_ids": reply,
        "logprobs": [-0.5] * count, "logprobs_at_temperature": [-0.25] * count, "sampler": SAMPLED, "constrained": [],
        "finish": "stop", "generated_tokens": count, "propose_seconds": 0.0, "program": "", "reply_kind": "bare",
        "thinking": None, "status": "ok", "error": None, "output": "", "value": None, "answered": False,
        "program_seconds": 0.0, "peak_rss_mb": 0.0, "variables": {}, "result_text": "", "loaded": (), "finished_at": 1.0,
    }  # fmt: skip
    return TurnRow(**known | changes)


def record(*turns: TurnRow, **changes: Any) -> Record:
    return Record(episode(**changes), list(turns), [])


def two_turns(**changes: Any) -> Record:
    return record(turn(1, [1, 2, 3], [10, 11], 3), turn(2, [4, 5], [12, 13, 14], 7, **changes))


def test_a_row_is_the_episode_token_for_token():
    (row,) = rows_of(two_turns())
    assert row.ids == [1, 2, 3, 10, 11, 4, 5, 12, 13, 14]
    assert row.loss_mask == [False] * 3 + [True] * 2 + [False] * 2 + [True] * 3
    assert row.turn == [-1] * 3 + [1] * 2 + [-1] * 2 + [2] * 3
    assert row.behaviour_logprob[3] == -0.25 and row.raw_logprob[3] == -0.5 and math.isnan(row.raw_logprob[0])
    assert (row.rollout, row.task, row.policy_version, row.base_hash, row.name) == ("E1", "count", "v1", "b", "E1#0")
    assert row.exact_sampling and row.temperature == 0.8 and row.sampler["top_p"] == 1.0
    assert set(row.ce_weight + row.rl_weight + row.advantage + row.value) == {0.0}


def test_a_broken_prefix_begins_a_new_row():
    rows = rows_of(record(turn(1, [1, 2], [10], 2), turn(2, [1, 9], [11], 2, row_start=True), turn(3, [5], [12], 4)))
    assert [row.ids for row in rows] == [[1, 2, 10], [1, 9, 11, 5, 12]]
    assert [row.name for row in rows] == ["E1#0", "E1#1"]
    assert rows[1].turns == [2, 3]


def test_a_turn_without_ids_ends_its_row_until_the_next_start():
    gone = turn(2, None, None, 0)
    rows = rows_of(
        record(
            turn(1, [1], [10], 1), gone, turn(3, [4], [11], 9), turn(4, [7], [12], 1, row_start=True), turn(5, [8], [], 3)
        )
    )
    assert [row.ids for row in rows] == [[1, 10], [7, 12]]


def test_prompts_that_an_endpoint_reported_whole_are_laid_end_to_end():
    sampler = {"temperature": 1.0, "top_p": 1.0, "greedy": False, "untruncated": True}
    rows = rows_of(
        record(
            turn(1, None, [10], 2, sampler=sampler | {"prompt_ids": [1, 2]}),
            turn(2, None, [11], 4, sampler=sampler | {"prompt_ids": [1, 2, 10, 3]}),
            turn(3, None, [12], 3, sampler=sampler | {"prompt_ids": [1, 2, 9]}),
        )
    )
    assert [row.ids for row in rows] == [[1, 2, 10, 3, 11], [1, 2, 9, 12]]
    assert all(row.exact_sampling for row in rows)


def test_an_episode_without_ids_says_why_it_cannot_be_trained_on():
    with pytest.raises(NotTrainable) as caught:
        rows_of(record(turn(1, None, None, 0)))
    assert caught.value.reason == "no reply was logged with its token ids" and caught.value.where == "E1"
    with pytest.raises(NotTrainable, match="no turns"):
        rows_of(record())


def test_kept_mass_goes_to_the_constrained_tokens():
    (row,) = rows_of(two_turns(constrained=[1], sampler=SAMPLED | {"kept_mass": [0.25]}))
    assert row.constrained == [1.0] * 8 + [0.25, 1.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.0, "greedy": True}, {"top_p": 0.9}, {"top_k": 40}, {"min_p": 0.05}, {"repeat_penalty": 1.1},
        {"temperature": 1.0},
    ],
)  # fmt: skip
def test_greedy_truncated_or_mixed_sampling_is_for_supervised_learning_only(changes: dict[str, Any]):
    (row,) = rows_of(two_turns(sampler=SAMPLED | changes))
    assert not row.exact_sampling
    assert weigh(row, ce=1.0).ce_weight[3] == 1.0
    with pytest.raises(NotTrainable, match="not sampled exactly"):
        weigh(row, rl=1.0)


def test_unknown_logprobs_are_not_exact():
    (row,) = rows_of(two_turns(logprobs_at_temperature=None))
    assert not row.exact_sampling and math.isnan(row.behaviour_logprob[-1])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"prompt_tokens": 8}, "read 8 tokens, and the log holds 7"),
        ({"logprobs": [-1.0]}, "1 log-probabilities for 3 tokens"),
        ({"constrained": [0, 1], "sampler": SAMPLED | {"kept_mass": [0.5]}}, "2 constrained tokens and 1 kept"),
        ({"logprobs": [0.5, 0.0, 0.0]}, "no log-probability"),
        ({"reply_ids": [12, -3, 14]}, "-3 is outside the vocabulary"),
    ],
)
def test_a_damaged_log_is_refused_by_the_name_of_its_row(changes: dict[str, Any], told: str):
    with pytest.raises(CorruptRow, match=told) as caught:
        rows_of(two_turns(**changes))
    assert "E1#0" in str(caught.value)


def test_weights_go_to_replies_by_turn():
    (row,) = rows_of(two_turns())
    weighed = weigh(row, ce={2: 1.0}, rl=0.5, advantage={1: -1.0, 2: 2.0})
    assert weighed.ce_weight == [0.0] * 7 + [1.0] * 3
    assert weighed.rl_weight == [0.0] * 3 + [0.5] * 2 + [0.0] * 2 + [0.5] * 3
    assert weighed.advantage == [0.0] * 3 + [-1.0] * 2 + [0.0] * 2 + [2.0] * 3
    assert weigh(weighed, ce=0.0).rl_weight == weighed.rl_weight


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ids": []}, "no tokens"), ({"turn": [-1]}, "turn has 1 entries for 10 tokens"),
        ({"ce_weight": [1.0] * 10}, "did not sample"), ({"advantage": [math.nan] * 10}, "not finite"),
        ({"ce_weight": [0.0] * 3 + [-1.0] * 2 + [0.0] * 5}, "negative"), ({"constrained": [0.0] * 10}, "share outside"),
        ({"turn": [0] * 10}, "disagree"), ({"behaviour_logprob": [math.nan] * 10}, "no behaviour log-probability"),
    ],
)  # fmt: skip
def test_a_row_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str):
    (row,) = rows_of(two_turns())
    with pytest.raises(CorruptRow, match=told):
        check(replace(row, **changes))
    with pytest.raises(CorruptRow, match="14 is outside the vocabulary"):
        check(row, vocabulary=14)


def same(left: Row, right: Row) -> bool:
    return repr(left) == repr(right)  # NaN equals nothing, not even itself


def written(folder: Path) -> list[Row]:
    (row,) = rows_of(two_turns())
    rows = [weigh(row, ce={1: 1 / 3}, rl=1.0, advantage=-1 / 7), replace(row, rollout="E2", adapter_hash="a")]
    write_dataset(rows, folder)
    return rows


def test_a_dataset_folder_gives_its_rows_back(tmp_path: Path):
    rows = written(tmp_path / "rows")
    found = read_dataset(tmp_path / "rows")
    assert len(found) == 2 and all(map(same, rows, found))
    assert sorted(path.name for path in (tmp_path / "rows").iterdir()) == ["README.md", "data"]
    assert "data/train-*.parquet" in (tmp_path / "rows" / "README.md").read_text()


def test_a_dataset_is_replaced_whole_or_not_at_all(tmp_path: Path):
    rows = written(tmp_path / "rows")
    with pytest.raises(CorruptRow):
        write_dataset([rows[0], replace(rows[0], ids=[])], tmp_path / "rows")
    assert len(read_dataset(tmp_path / "rows")) == 2
    write_dataset(rows[:1], tmp_path / "rows")
    assert len(read_dataset(tmp_path / "rows")) == 1
    with pytest.raises(RowError, match="no rows"):
        write_dataset([], tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_changed_row_of_a_dataset_is_named(tmp_path: Path):
    written(tmp_path / "rows")
    file = next((tmp_path / "rows").rglob("*.parquet"))
    duckdb.sql(f"COPY (SELECT * FROM '{file}') TO '{tmp_path / 'plain.jsonl'}' (FORMAT json)")
    lines = (tmp_path / "plain.jsonl").read_text().splitlines()
    (tmp_path / "changed.jsonl").write_text("\n".join([lines[0], lines[1].replace("13", "17", 1)]))
    with pytest.raises(CorruptRow, match="row E2#0 is damaged: it is not what was written"):
        read_dataset(tmp_path / "changed.jsonl")
    assert len(read_dataset(tmp_path / "plain.jsonl")) == 2


def test_an_unreadable_dataset_is_told(tmp_path: Path):
    with pytest.raises(RowError, match="no dataset here"):
        read_dataset(tmp_path)
    written(tmp_path / "rows")
    file = next((tmp_path / "rows").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(RowError, match="not readable"):
        read_dataset(tmp_path / "rows")
