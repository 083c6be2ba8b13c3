"""The losses do what they say, token by token."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.errors import SettingsError
from atlas.training.learn import LearnSettings, objective, ratios_of
from atlas.training.learn.metrics import policy_shares
from atlas.training.learn.terms import CE, RL, Terms, terms_of

from .conftest import make_row


def terms(
    logratios: list[float], advantages: list[float], kind: int = RL, weight: float = 1.0
) -> tuple[Terms, torch.Tensor]:
    """Terms whose policy is at -1 and whose behaviour is so far below."""
    size = len(logratios)
    integers, ones = np.zeros(size, dtype=np.int64), np.ones(size)
    behaviour = -1.0 - np.asarray(logratios)
    some = Terms(
        integers, integers + 1, integers, np.full(size, kind), ones, ones * weight, np.asarray(advantages), behaviour,
        np.zeros(size), np.zeros(size), np.zeros(size),
    )  # fmt: skip
    return some, torch.full((size,), -1.0)


def slopes(logratios: list[float], advantages: list[float], settings: LearnSettings | None = None) -> list[float]:
    some, now = terms(logratios, advantages)
    given = settings or LearnSettings()
    return objective.slope(objective.Losses.of(some, torch.device("cpu")), now, given).tolist()


def test_an_on_policy_token_is_pushed_by_its_advantage():
    assert slopes([0, 0], [1.5, -0.5]) == pytest.approx([-1.5, 0.5])


def test_a_token_that_moved_far_enough_is_let_go_and_higher_above_than_below():
    up, down = math.log(1.25), math.log(0.79)
    assert slopes([up, math.log(1.29), down], [1, 1, -1]) == pytest.approx([-1.25, 0, 0])
    assert slopes([down, up], [1, -1]) == pytest.approx([-0.79, 1.25])


def test_importance_weights_are_truncated():
    assert slopes([math.log(5)], [-1]) == pytest.approx([2.0])
    assert slopes([100.0], [-1]) == pytest.approx([2.0])
    some, now = terms([math.log(5), 0.0], [-1, 1])
    ratios, clipped, capped = policy_shares(some, now.numpy().astype(float), LearnSettings())
    assert (clipped, capped) == (0.0, 0.5)
    assert ratios.largest == pytest.approx(5)


def test_the_supervised_loss_is_the_weighted_mean_of_surprise():
    some, now = terms([0, 0], [0, 0], CE, 0.5)
    found = objective.slope(objective.Losses.of(some, torch.device("cpu")), now, LearnSettings())
    assert found.tolist() == [-0.5, -0.5]
    assert objective.value(some, now.numpy().astype(float), LearnSettings())["loss_ce"] == pytest.approx(1.0)


def test_the_surrogate_is_that_of_ppo_with_a_cap():
    some, now = terms([math.log(1.5), math.log(0.5), math.log(9.0), math.log(1.1)], [1, -1, -1, 2])
    value = objective.value(some, now.numpy().astype(float), LearnSettings())
    assert value["loss_policy"] == pytest.approx(-(1.28 - 0.8 - 2.0 + 2.2))


def test_the_kl_term_pulls_towards_the_base():
    some, now = terms([0], [0])
    some = some.with_reference(np.asarray([-2.0]))
    slope = objective.slope(objective.Losses.of(some, torch.device("cpu")), now, LearnSettings(kl_weight=0.1))
    assert slope.item() == pytest.approx(0.1 * (1 - math.exp(-1)))
    assert objective.value(some, now.numpy().astype(float), LearnSettings(kl_weight=0.1))["kl_base"] == pytest.approx(
        math.exp(-1)
    )


def row(tokens: int, rollout: str, **changes: Any) -> Any:
    mask = [0, *[1] * tokens]
    ones = [float(flag) for flag in mask]
    return make_row(range(tokens + 1), mask, rl_weight=ones, advantage=ones, ce_weight=ones, rollout=rollout, **changes)


@pytest.mark.parametrize(
    ("settings", "long", "short"),
    [
        (LearnSettings(), 1 / 12, 1 / 12),
        (LearnSettings(normalisation="rollouts"), 1 / 20, 1 / 4),
        (LearnSettings(normalisation="constant", constant_tokens=100), 1 / 200, 1 / 200),
    ],
)
def test_length_is_normalised_as_asked(settings: LearnSettings, long: float, short: float):
    found, counts = terms_of([row(6, "a"), row(4, "a"), row(2, "b")], settings)
    weights = {(row, kind): found.weight[(found.row == row) & (found.kind == kind)] for row in range(3) for kind in (CE, RL)}
    assert weights[0, RL] == pytest.approx(long) and weights[1, RL] == pytest.approx(long)
    assert weights[2, RL] == pytest.approx(short)
    assert weights[0, CE] == pytest.approx(1 / 12)
    assert (counts.ce_tokens, counts.rl_tokens) == (12, 12)


def test_supervised_tokens_do_not_dilute_the_policy_gradient():
    alone, _ = terms_of([row(4, "a")], LearnSettings())
    beside, _ = terms_of([row(4, "a"), make_row(range(9), [0, *[1] * 8], ce_weight=[0.0, *[1.0] * 8])], LearnSettings())
    assert beside.weight[beside.kind == RL].tolist() == alone.weight[alone.kind == RL].tolist()


def test_a_token_that_the_name_constraint_chose_gets_no_policy_gradient():
    given = row(4, "a", constrained=[1.0, 0.3, 0.8, 0.9, 1.0], behaviour_logprob=[math.nan, -1.0, -1.0, 0.0, 0.0])
    found, counts = terms_of([given], LearnSettings())
    assert found.place[found.kind == RL].tolist() == [2, 4]
    assert counts.forced_tokens == 2
    assert found.behaviour[found.kind == RL] == pytest.approx([-1 + math.log(0.8), 0.0])
    assert found.weight[found.kind == RL] == pytest.approx(1 / 4)


def test_tokens_without_advantage_are_not_computed_but_counted():
    found, counts = terms_of(
        [row(4, "a"), make_row(range(5), [0, 1, 1, 1, 1], rl_weight=[0.0, *[1.0] * 4])], LearnSettings()
    )
    assert set(found.row[found.kind == RL]) == {0}
    assert found.weight[found.kind == RL] == pytest.approx(1 / 8)
    assert counts.rl_tokens == 8


def test_a_stale_row_keeps_its_supervised_loss_only():
    found, counts = terms_of([row(4, "a"), row(4, "b")], LearnSettings(), [False, True])
    assert set(found.row[found.kind == RL]) == {0} and set(found.row[found.kind == CE]) == {0, 1}
    assert found.weight[found.kind == RL] == pytest.approx(1 / 4)
    assert counts.stale_rows == 1


def test_ratios_measure_how_far_two_policies_are_apart():
    same = ratios_of(np.asarray([-1.0, -2.0]), np.asarray([-1.0, -2.0]))
    assert (same.k3, same.effective_share, same.mean) == (0.0, 1.0, 1.0)
    apart = ratios_of(np.asarray([-1.0, -2.0, -1.0]), np.asarray([-2.0, -2.0, math.nan]))
    weights = np.exp([1.0, 0.0])
    assert apart.tokens == 2
    assert apart.k3 == pytest.approx((math.e - 2) / 2)
    assert apart.effective_share == pytest.approx(weights.sum() ** 2 / (2 * (weights**2).sum()))


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"steps": 0}, {"precision": "float8"}, {"importance_cap": 0.5}, {"clip_low": 2.0}]
)
def test_settings_out_of_range_are_named(wrong: dict[str, Any]):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        LearnSettings(**wrong)


def test_the_learning_rate_warms_up_and_falls():
    settings = LearnSettings(learning_rate=0.1, warmup_steps=4, steps=24, decay=True)
    rates = [settings.rate_at(step) for step in range(25)]
    assert rates[0] == pytest.approx(0.02) and rates[4] == pytest.approx(0.1)
    assert rates[24] == pytest.approx(0.01) and rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
