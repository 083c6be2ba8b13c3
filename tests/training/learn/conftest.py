"""Tiny random models of the three families under LoRA, and rows of rollouts that share prompts and replies."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.rows import Row

VOCABULARY = 97
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Results to the last bit, and no fight over the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(family: str = "qwen3", **changes: Any) -> Any:
    """A transformers model with random weights."""
    import transformers

    name = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[family]
    sizes = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.15,
    }  # fmt: skip
    torch.manual_seed(1)
    config = getattr(transformers, f"{name}Config")(**sizes | ({"head_dim": 12} if family == "qwen3" else {}) | changes)
    return getattr(transformers, f"{name}ForCausalLM")(config).eval()


def adapted(family: str = "qwen3", *, rank: int = 4, changes: dict[str, Any] | None = None, **options: Any) -> Any:
    """The same under a LoRA adapter that is not zero."""
    import peft

    config = peft.LoraConfig(**{"r": rank, "lora_alpha": 8, "target_modules": TARGETS} | options)
    with warnings.catch_warnings():  # peft asks transformers for a name that is to go
        warnings.simplefilter("ignore", FutureWarning)
        model = peft.get_peft_model(tiny(family, **(changes or {})), config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model


def make_row(ids: Sequence[int], mask: Sequence[bool | int], **changes: Any) -> Row:
    """A row without weights whose sampled tokens are one turn."""
    size, sampled = len(ids), [bool(flag) for flag in mask]
    plain: dict[str, Any] = {
        "ids": [int(token) for token in ids], "loss_mask": sampled, "turn": [0 if flag else -1 for flag in sampled],
        **{name: [0.0] * size for name in ("ce_weight", "rl_weight", "advantage", "value")},
        "behaviour_logprob": [-1.0 if flag else math.nan for flag in sampled], "raw_logprob": [math.nan] * size,
        "constrained": [1.0] * size, "sampler": {"temperature": 1.0}, "rollout": "r", "task": "t", "exact_sampling": True,
    }  # fmt: skip
    return Row(**plain | changes)


def family_of_rows(*, seed: int = 0, count: int = 5) -> list[Row]:
    """Rollouts of one task: a long common prompt, replies that begin alike, own ends; one more row of another task.

    They were sampled at different temperatures, and the first of them is there twice.
    """
    random = np.random.default_rng(seed)
    prompt, common = random.integers(0, VOCABULARY, 40), random.integers(0, VOCABULARY, 30)
    rows = []
    for number in range(count):
        start = common[: random.integers(1, 30)] if number % 2 else random.integers(0, VOCABULARY, 5)
        ids = np.concatenate([prompt, start, random.integers(0, VOCABULARY, random.integers(3, 40))])
        mask = random.random(len(ids)) < 0.4
        mask[:10], mask[-1] = False, True
        rows.append(_weighed(ids, mask, random, 0.7 if number % 3 else 1.0, number))
    rows.append(_weighed(random.integers(0, VOCABULARY, 20), [False] * 10 + [True] * 10, random, 1.0, count))
    return [*rows, rows[0]]


def _weighed(ids: Any, mask: Any, random: np.random.Generator, temperature: float, number: int) -> Row:
    def values(draw: Callable[[], float]) -> list[float]:
        return [float(draw()) if flag else 0.0 for flag in mask]

    return make_row(
        ids, mask, ce_weight=values(random.random), rl_weight=values(lambda: 1.0), advantage=values(random.normal),
        behaviour_logprob=values(lambda: -1 - 6 * random.random()), sampler={"temperature": temperature},
        rollout=f"r{number}", task=f"t{number // 5}",
    )  # fmt: skip
