"""Reinforcement from the log alone: how far the policy is from the one that wrote the rows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.training.learn import LearnSettings, Trainer
from atlas.training.recipes.replayed import effective
from atlas.training.rows import Row

from ..learn.conftest import adapted, make_row

SAMPLED = 12
KEPT = 0.8


def written(trainer: Trainer, *, temperature: float) -> list[Row]:
    """Rows as the trainer's own policy would have written them: at a temperature, every third token among allowed names."""
    ids = np.random.default_rng(3).integers(0, 97, (4, 30))
    mask = [0] * (30 - SAMPLED) + [1] * SAMPLED
    rows = [make_row(one, mask, sampler={"temperature": temperature}) for one in ids]
    return [
        _as_sampled(row, values) for row, values in zip(rows, trainer.logprobs(rows, at_temperature=True), strict=True)
    ]


def _as_sampled(row: Row, values: list[float]) -> Row:
    start = len(row.ids) - SAMPLED
    kept = [KEPT if number % 3 == 0 else 1.0 for number in range(SAMPLED)]
    behaviour = [value - math.log(share) for value, share in zip(values, kept, strict=True)]
    kept[-1], behaviour[-1] = 1e-6, 0.0  # the constraint left one name: it says nothing of the policy
    weights = [0.0] * start + [1.0] * SAMPLED
    return replace(
        row, rl_weight=weights, advantage=weights, constrained=[1.0] * start + kept,
        behaviour_logprob=[math.nan] * start + behaviour,
    )  # fmt: skip


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_rows_of_the_policy_itself_count_in_full(tmp_path: Path, temperature: float):
    trainer = Trainer(adapted(), LearnSettings(), tmp_path)
    rows = written(trainer, temperature=temperature)
    found = effective(trainer, rows)
    assert found["effective_share"] == pytest.approx(1, abs=1e-6) and found["k3"] < 1e-9
    assert found["tokens"] == 4 * (SAMPLED - 1)  # without those that were forced


def test_a_policy_that_moved_is_far_from_the_rows(tmp_path: Path):
    trainer = Trainer(adapted(), LearnSettings(learning_rate=0.05), tmp_path)
    rows = written(trainer, temperature=0.5)
    step = trainer.step(rows)
    assert step.ratios.effective_share == pytest.approx(1, abs=1e-6)  # as the trainer itself saw it before the step
    assert effective(trainer, rows)["effective_share"] < 0.99
