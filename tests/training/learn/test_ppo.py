"""PPO with a value head: advantages by hand, gradients against plain autograd, and going on exactly after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.errors import CheckpointError, SettingsError
from atlas.training.learn import LearnSettings, Trainer, objective
from atlas.training.learn.critic import PREFIX
from atlas.training.learn.gae import gae, with_advantages
from atlas.training.learn.terms import RL, terms_of

from .conftest import adapted, family_of_rows, make_row

PPO = LearnSettings(learning_rate=0.003, clip_high=0.2, value_weight=0.5, whiten=True, save_every=2)


def test_advantages_are_those_of_a_hand_computed_example():
    # delta = (0 + .9 * .4 - .5, 0 + .9 * .6 - .4, 1 - .6) = (-.14, .14, .4), and gamma * lam = .72
    found = gae([0.0, 0.0, 1.0], [0.5, 0.4, 0.6], gamma=0.9, lam=0.8)
    assert found == pytest.approx([-0.14 + 0.72 * (0.14 + 0.72 * 0.4), 0.14 + 0.72 * 0.4, 0.4])


def test_without_decay_an_advantage_is_the_return_less_the_value():
    assert gae([0, 0, 2.0], [0.5, -1.0, 3.0], gamma=1.0, lam=1.0) == pytest.approx([1.5, 3.0, -1.0])
    assert gae([0, 0, 2.0], [0.5, -1.0, 3.0], gamma=1.0, lam=0.0) == pytest.approx([-1.5, 4.0, -1.0])


def test_what_the_environment_wrote_is_no_step_in_time():
    whole = [make_row(range(6), [0, 1, 1, 0, 0, 1])]
    values = [[9.0, 0.1, 0.2, 9.0, 9.0, 0.3]]
    (row,) = with_advantages(whole, values, 1.0, gamma=0.9, lam=0.8)
    expected = gae([0, 0, 1.0], [0.1, 0.2, 0.3], gamma=0.9, lam=0.8)
    assert [row.advantage[place] for place in (1, 2, 5)] == pytest.approx(expected)
    assert row.advantage[0] == row.advantage[3] == row.rl_weight[4] == row.value[4] == 0
    assert row.rl_weight == [0, 1, 1, 0, 0, 1] and row.value == [0, 0.1, 0.2, 0, 0, 0.3]


def test_an_episode_in_two_rows_is_one_sequence():
    rows = [make_row(range(3), [0, 1, 1]), make_row(range(3), [0, 0, 1])]
    first, second = with_advantages(rows, [[0, 0.1, 0.2], [0, 0, 0.3]], 1.0, gamma=0.9, lam=0.8)
    expected = gae([0, 0, 1.0], [0.1, 0.2, 0.3], gamma=0.9, lam=0.8)
    assert [*first.advantage[1:], second.advantage[2]] == pytest.approx(expected)


def collected(trainer: Trainer, rewards: Any = (1.0, 0.0, 0.5, 1.0, 0.0, 1.0)) -> list[Any]:
    """Rows as a rollout would give them: sampled by the policy as it is, with its values."""
    rows = [replace(row, ce_weight=[0.0] * len(row.ids)) for row in family_of_rows()[:6]]
    found = []
    logged, values = trainer.logprobs(rows, at_temperature=True), trainer.values(rows)
    for row, own, seen, reward in zip(rows, logged, values, rewards, strict=True):
        behaviour = np.zeros(len(row.ids))
        behaviour[np.asarray(row.loss_mask)] = own
        row = replace(row, behaviour_logprob=behaviour.tolist())
        found += with_advantages([row], [seen], reward, gamma=1.0, lam=0.9)
    return found


def reference(trainer: Trainer, rows: list[Any], settings: LearnSettings) -> dict[str, torch.Tensor]:
    """The gradients of the PPO loss as the paper writes it, one row after the other, by autograd."""
    terms, _ = terms_of(rows, settings)
    chosen = terms.where(terms.kind == RL)
    model = trainer.model
    model.zero_grad()
    head = trainer._head
    assert head is not None
    head.zero_grad()
    policy, error = torch.zeros(()), torch.zeros(())
    for number, row in enumerate(rows):
        own = chosen.where(chosen.row == number)
        ids = torch.as_tensor(row.ids)[None]
        out = model(ids, output_hidden_states=True)
        states = out.hidden_states[-1][0, own.place - 1]
        scaled = (out.logits[0, own.place - 1] / row.temperature).log_softmax(-1)
        now = scaled[torch.arange(len(own)), torch.as_tensor(own.target)]
        names = ("behaviour", "advantage", "weight", "old_value", "returns")
        behaviour, advantage, weight, old, returns = (torch.as_tensor(getattr(own, name)) for name in names)
        ratio = (now - behaviour).exp()
        surrogate = torch.minimum(ratio * advantage, ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high) * advantage)
        policy = policy - (weight * surrogate).sum()
        value = head(states)
        held = old + (value - old).clamp(-settings.value_clip, settings.value_clip)
        error = error + 0.5 * (weight * torch.maximum((value - returns) ** 2, (held - returns) ** 2)).sum()
    (policy + settings.value_weight * error).backward()  # type: ignore[no-untyped-call]
    named = [*model.named_parameters(), *((f"{PREFIX}{name}", weight) for name, weight in head.named_parameters())]
    return {name: weight.grad.clone() for name, weight in named if weight.requires_grad and weight.grad is not None}


@pytest.mark.parametrize("moved", [0.0, 0.15, 0.6])
def test_gradients_are_those_of_clipped_ppo_by_autograd(tmp_path: Path, moved: float):
    settings = replace(PPO, importance_cap=1e6, gradient_clip=0.0)
    trainer = Trainer(adapted(), settings, tmp_path)
    rows = collected(trainer)
    random = np.random.default_rng(3)
    with torch.no_grad():  # a policy and a critic that have moved since: some ratios and values are beyond their clips
        for name, weight in trainer._weights.items():
            if name.startswith(PREFIX) or "lora_B" in name:
                weight += moved * torch.as_tensor(random.normal(size=weight.shape), dtype=weight.dtype) * 0.1
    expected = reference(trainer, rows, settings)
    kept: dict[str, torch.Tensor] = {}

    def look(*_: Any) -> None:
        kept.update({name: weight.grad.clone() for name, weight in trainer._weights.items() if weight.grad is not None})

    trainer._optimizer.register_step_pre_hook(look)
    metrics = trainer.step(rows)
    assert kept.keys() == expected.keys() and any(name.startswith(PREFIX) for name in kept)
    for name, gradient in expected.items():
        assert torch.allclose(kept[name], gradient, rtol=2e-3, atol=2e-6), name
    assert (metrics.clipped_share > 0) == (moved > 0)


def test_the_critic_learns_what_comes_of_it(tmp_path: Path):
    trainer = Trainer(adapted(), replace(PPO, value_rate=3.0, value_clip=10.0), tmp_path)
    rows = collected(trainer)
    assert trainer.values(rows)[0] == [0.0] * len(rows[0].ids)
    errors = [trainer.step(rows).loss_value for _ in range(30)]
    assert errors[-1] < 0.6 * errors[0]


def test_a_value_that_moved_far_enough_is_let_go():
    row = make_row(range(4), [0, 1, 1, 1], rl_weight=[0.0, 1.0, 1.0, 1.0], advantage=[0.0, 1.0, 1.0, -1.0])
    terms, _ = terms_of([row], replace(PPO, whiten=False))
    values = torch.tensor([0.1, 0.5, 0.5])  # returns 1, 1, -1; the second is past the clip towards its return
    slopes = objective.value_slope(objective.Losses.of(terms, torch.device("cpu")), values, PPO)
    assert (slopes * 3 / PPO.value_weight).tolist() == pytest.approx([-0.9, 0.0, 1.5])
    expected = 0.5 * np.mean([0.9**2, 0.8**2, 1.5**2])
    assert objective.value_loss(terms, values.double().numpy(), PPO) == pytest.approx(expected)


def test_whitening_leaves_the_returns_alone():
    row = make_row(range(4), [0, 1, 1, 1], rl_weight=[0.0, 1, 1, 1], advantage=[0.0, 1, 2, 3], value=[0.0, 5, 5, 5])
    terms, _ = terms_of([row], PPO)
    assert terms.advantage == pytest.approx([-1.2247449, 0, 1.2247449]) and terms.returns.tolist() == [6, 7, 8]


def test_resuming_gives_the_losses_of_the_run_that_was_not_stopped(tmp_path: Path):
    whole = Trainer(adapted(), PPO, tmp_path / "whole")
    rows = collected(whole)
    expected = [whole.step(rows).loss for _ in range(5)]
    first = Trainer(adapted(), PPO, tmp_path / "parts")
    begun = [first.step(rows).loss for _ in range(2)]
    first.save()
    first.step(rows)  # never saved
    second = Trainer(adapted(), PPO, tmp_path / "parts")
    assert second.restore()
    assert begun + [second.step(rows).loss for _ in range(3)] == expected
    assert second.values(rows) == whole.values(rows)


def test_a_checkpoint_without_a_value_head_is_refused(tmp_path: Path):
    plain = Trainer(adapted(), replace(PPO, value_weight=0.0), tmp_path)
    plain.save()
    with pytest.raises(CheckpointError, match="value_weight"):
        Trainer(adapted(), PPO, tmp_path).restore()
    with pytest.raises(SettingsError, match="no value head"):
        plain.values([])
