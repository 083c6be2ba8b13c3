"""Sharing prefixes changes nothing but the work: log-probabilities, loss and gradients are those of the plain model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.errors import BaseModelError, NothingToLearn, SettingsError
from atlas.training.learn import LearnSettings, Runner, objective
from atlas.training.learn.terms import Terms, needed, score_terms, terms_of
from atlas.training.learn.tree import grow, partition

from .conftest import VOCABULARY, adapted, family_of_rows, make_row, tiny

EXACT = 1e-5


def plain(model: Any, rows: list[Any], terms: Terms, settings: LearnSettings) -> tuple[np.ndarray, dict[str, torch.Tensor]]:
    """Every row on its own through the model of transformers, with autograd."""
    model.zero_grad()
    values = np.zeros(len(terms))
    for number, row in enumerate(rows):
        mine = np.nonzero(terms.row == number)[0]
        some = terms.where(mine)
        logits = model(torch.tensor([row.ids])).logits[0, some.place - 1]
        scaled = logits / torch.tensor(some.temperature, dtype=torch.float32)[:, None]
        logprobs = scaled.log_softmax(-1)[torch.arange(len(some)), torch.tensor(some.target)]
        (slope_of(settings)(some, logprobs.detach()) * logprobs).sum().backward()
        values[mine] = logprobs.detach().numpy()
    return values, gradients(model)


def slope_of(settings: LearnSettings) -> Any:
    return lambda terms, logprobs: objective.slope(objective.Losses.of(terms, torch.device("cpu")), logprobs, settings)


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def shared(model: Any, rows: list[Any], terms: Terms, settings: LearnSettings, **options: Any) -> Any:
    model.zero_grad()
    done = Runner(model, **options).run(needed(rows, terms), terms, slope_of(settings))
    return done, gradients(model)


def close(mine: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return mine.keys() == theirs.keys() and all((mine[name] - theirs[name]).abs().max() < EXACT for name in theirs)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_loss_and_gradients_equal_those_of_separate_rows(family: str):
    model, rows, settings = adapted(family), family_of_rows(), LearnSettings()
    terms, _ = terms_of(rows, settings)
    values, wanted = plain(model, rows, terms, settings)
    assert max(float(weight.abs().max()) for weight in wanted.values()) > 1e-3
    for options in ({"block_tokens": 8}, {}, {"share": False}, {"block_tokens": 32, "gradient_checkpointing": True}):
        done, found = shared(model, rows, terms, settings, **options)
        assert np.abs(done.logprobs - values).max() < EXACT
        assert close(found, wanted)
        loss, plain_loss = (objective.value(terms, each, settings)["loss"] for each in (done.logprobs, values))
        assert abs(loss - plain_loss) < EXACT


def test_common_prefixes_are_computed_once():
    model, rows = adapted(), family_of_rows()
    terms = score_terms(rows)
    ids = needed(rows, terms)
    once = Runner(model).run(ids, terms, None)
    assert once.row_tokens == sum(map(len, ids))
    assert once.tokens == len({tuple(row[:end]) for row in ids for end in range(1, len(row) + 1)})
    assert Runner(model, share=False).run(ids, terms, None).tokens == once.row_tokens > once.tokens


def test_a_full_weight_model_gets_the_same_gradients():
    model, rows, settings = tiny(), family_of_rows(), LearnSettings()
    terms, _ = terms_of(rows, settings)
    _, wanted = plain(model, rows, terms, settings)
    _, found = shared(model, rows, terms, settings, block_tokens=32)
    assert close(found, wanted)


OTHER_KINDS = (
    {"use_dora": True}, {"use_rslora": True}, {"target_modules": ["q_proj", "up_proj"]}, {"rank_pattern": {"k_proj": 2}},
)  # fmt: skip


@pytest.mark.parametrize("options", OTHER_KINDS)
def test_other_kinds_of_lora_give_their_own_gradients(options: dict[str, Any]):
    model, rows, settings = adapted(**options), family_of_rows(), LearnSettings()
    terms, _ = terms_of(rows, settings)
    values, wanted = plain(model, rows, terms, settings)
    done, found = shared(model, rows, terms, settings, block_tokens=64)
    assert np.abs(done.logprobs - values).max() < EXACT
    assert close(found, wanted)


def test_nothing_stays_changed_in_the_model():
    model, rows = adapted(), family_of_rows()
    ids = torch.tensor([rows[0].ids])
    with torch.no_grad():
        before = model(ids).logits
        terms = score_terms(rows)
        Runner(model).run(needed(rows, terms), terms, None)
        assert torch.equal(model(ids).logits, before)
    assert not any("forward" in vars(module) for module in model.modules())


def test_bfloat16_is_near_and_trains_the_adapter_in_float32():
    from atlas.training.learn.trainer import _prepared

    rows, settings = family_of_rows(), LearnSettings(precision="bfloat16")
    terms, _ = terms_of(rows, settings)
    exact, _ = shared(adapted(), rows, terms, settings)
    model = _prepared(adapted(), settings, "cpu")
    rounded, found = shared(model, rows, terms, settings)
    assert 0 < np.abs(exact.logprobs - rounded.logprobs).mean() < 0.05
    assert all(weight.dtype == torch.float32 for weight in found.values())


def test_what_stands_after_the_last_loss_is_not_read():
    row = make_row(range(30), [0] * 10 + [1] * 2 + [0] * 18, ce_weight=[0.0] * 10 + [1.0] * 2 + [0.0] * 18)
    terms, _ = terms_of([row], LearnSettings())
    assert [len(ids) for ids in needed([row], terms)] == [11]


def test_a_forest_holds_every_sequence_and_parts_cover_it_once():
    random = np.random.default_rng(3)
    sequences = [random.integers(0, 3, random.integers(0, 30)).tolist() for _ in range(60)]
    forest = grow(sequences)
    for sequence, path in zip(sequences, forest.paths, strict=True):
        joined = [int(token) for node in path for token in node.ids]
        assert joined[: len(sequence)] == sequence and len(joined) == len(sequence)
    for limit in (1, 7, 50, 1000):
        seen, pending = [], partition(forest.roots, limit)
        while pending:
            part = pending.pop()
            seen += [node.index for node in part.nodes]
            pending += part.inner
            assert part.tokens <= limit or len(part.nodes) == 1
        assert sorted(seen) == [node.index for node in forest.nodes]


def test_rows_without_any_weight_are_refused():
    with pytest.raises(NothingToLearn, match="no token of these 1 rows"):
        terms_of([make_row([1, 2, 3], [0, 1, 1])], LearnSettings())


def test_a_row_that_is_too_long_is_named():
    row = make_row(range(30), [0] * 29 + [1], ce_weight=[0.0] * 29 + [1.0], rollout="episode-7")
    with pytest.raises(SettingsError, match="episode-7#0 has 30 tokens"):
        terms_of([row], LearnSettings(max_row_tokens=20))
    terms, _ = terms_of([row], LearnSettings())
    with pytest.raises(SettingsError, match="made for 16"):
        Runner(tiny(max_position_embeddings=16)).run(needed([row], terms), terms, None)


def test_a_model_of_another_family_is_refused():
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(BaseModelError, match="gpt2"):
        Runner(model)
