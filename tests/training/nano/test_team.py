"""A team of real processes: one mean gradient for all, and one who says when it is over."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from atlas.training.nano import tokenizer as tokens
from atlas.training.nano.config import RECIPES, ModelConfig
from atlas.training.nano.corpus import world_text
from atlas.training.nano.pretrain import pretrain
from atlas.training.nano.team import Team
from atlas.training.worlds.composed import composed_world

from ...waiting import until

TINY = ModelConfig(vocabulary=600, width=16, layers=1, heads=1, key_value_heads=1, head_width=16, feed_forward=16)


def vocabulary() -> Tokenizer:
    return tokens.train_tokenizer([world_text(composed_world(1, "practice", tasks=6))], vocabulary=TINY.vocabulary)


def share(team: Team, folder: Path) -> None:
    weights = torch.nn.Parameter(torch.zeros(2))
    weights.grad = torch.tensor([team.rank, 10.0])
    team.share_gradients([weights])
    heard = team.told(7.0 + team.rank)
    fresh = folder / f"{team.rank}.new"
    fresh.write_text(json.dumps([weights.grad.tolist(), heard]))
    fresh.rename(folder / str(team.rank))


def test_everyone_gets_the_mean_gradient_and_the_word_of_the_leader(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    team = Team.lead(2, share, tmp_path)
    try:
        share(team, tmp_path)
        until(lambda: (tmp_path / "1").exists())
    finally:
        team.close()
    assert os.sched_getaffinity(0) == cores
    assert [json.loads((tmp_path / name).read_text()) for name in "01"] == [[[0.5, 10.0], [7.0]]] * 2


class Refusing:
    """Cannot be read by another process, like a function of a module that is not there."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.stat, ("/nonexistent",)


def test_a_member_that_cannot_start_ends_the_meeting_instead_of_leaving_the_leader_to_wait() -> None:
    cores = os.sched_getaffinity(0)
    with pytest.raises(RuntimeError, match="worker 1 of 2 ended before it began"):
        Team.lead(2, share, Refusing())
    assert os.sched_getaffinity(0) == cores


def test_a_run_of_two_workers_ends_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    tokens.save(vocabulary(), tmp_path)
    (tmp_path / "lexicon.txt").write_text("gasket\nlantern\nmeadow\npebble\nthimble\nwalnut\n" * 40)
    pretrain(TINY, dataclasses.replace(RECIPES["smoke"], tokens=6_000, workers=2), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["tokens"] >= 6_000
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["progress"]["step"] == len(rows)
