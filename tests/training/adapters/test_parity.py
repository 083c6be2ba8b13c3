"""Trainer against llama.cpp: every family, precision and kind of adapter, or a refusal of the export."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.adapters.agreement import LIMIT_K3, Differences, Parity, parity
from atlas.training.adapters.fold import pairs_of
from atlas.training.adapters.gguf_export import write_gguf_adapter
from atlas.training.adapters.specimens import Specimen
from atlas.training.adapters.table import FAMILIES, Family, family_lines, random_adapter
from atlas.training.base import BasePolicy, load_base
from atlas.training.errors import AdapterError, ParityError

SIZE: dict[str, Any] = {"layers": 2, "width": 64, "heads": 4, "shared_heads": 2, "head_width": 16, "feed_forward": 128}
IDS = [[int(i) for i in np.random.default_rng(seed).integers(0, 256, 50)] for seed in range(2)]


@pytest.mark.parametrize("family", FAMILIES)
def test_trainer_and_llama_cpp_agree_on_logged_episodes(family: Family, tmp_path: Path):
    for line in family_lines(family, tmp_path / family, 2, **SIZE):
        assert line.exact.tokens > 200 and line.exact.k3 < LIMIT_K3
        if line.floor is None:
            assert line.exact.mean < {"F32": 1e-5, "F16": 2e-3}[line.weights]
        else:  # what is left is what llama.cpp's own kernels round
            assert line.exact.mean < 0.05 and line.exact.mean < 1.05 * line.floor.mean + 1e-4
        if line.weights == "Q4_0":
            assert line.original is not None and line.original.mean > 2 * line.exact.mean


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    return Specimen(request.param, context_tokens=512, **SIZE).write(folder / "small.gguf")


def lora(base: BasePolicy, **settings: Any) -> Any:
    """The base with a random adapter of any kind that peft knows."""
    import warnings

    import peft

    values: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "down_proj"]} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(base.model, peft.LoraConfig(**values))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn(weight.shape, generator=generator))
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 3, "layers.0.mlp.down_proj": 40}},
        {"rank_pattern": {"k_proj": 7}, "alpha_pattern": {"k_proj": 5}, "use_rslora": True},
        {"bias": "none", "lora_dropout": 0.5, "layers_to_transform": [1]},
        {"target_modules": "all-linear", "init_lora_weights": "gaussian"},
    ],
)
def test_every_scale_comes_out_right_in_llama_cpp(settings: dict[str, Any], served: Path, tmp_path: Path):
    base = load_base(served)
    model = lora(base, **settings)
    write_gguf_adapter(model, base, tmp_path / "adapter.gguf", run="test")
    found = parity(base, model, tmp_path / "adapter.gguf", served, IDS)
    assert found.adapted.mean < 1e-5 and found.base.mean < 1e-5 and found.agrees and found.weights == "F32"
    with model.disable_adapter(), pytest.raises(ParityError, match="about the adapter"):  # and the adapter matters
        parity_without(base, model, tmp_path / "adapter.gguf", served).check("here")


def parity_without(base: BasePolicy, model: Any, adapter: Path, served: Path) -> Parity:
    class Silent:
        """The model with its adapter off, whatever is asked of it."""

        training = False

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def __call__(self, **inputs: Any) -> Any:
            return model(**inputs)

    return parity(base, Silent(), adapter, served, IDS)


def trained_head(base: BasePolicy) -> Any:
    return lora(base, target_modules=["q_proj", "lm_head"])


def pissa(base: BasePolicy) -> Any:
    return lora(base, init_lora_weights="pissa")


def two_at_once(base: BasePolicy) -> Any:
    import peft

    model = lora(base)
    model.add_adapter("second", peft.LoraConfig(r=2, target_modules=["v_proj"]))
    model.base_model.set_adapter(["default", "second"])
    return model


def merged(base: BasePolicy) -> Any:
    model = lora(base)
    model.merge_adapter()
    return model


def infinite(base: BasePolicy) -> Any:
    model = lora(base)
    with torch.no_grad():
        next(weight for name, weight in model.named_parameters() if "lora_B" in name)[0, 0] = float("inf")
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda base: lora(base, use_dora=True), "DoRA"),
        (lambda base: lora(base, modules_to_save=["embed_tokens"]), "modules_to_save"),
        (lambda base: lora(base, bias="lora_only"), "trained biases"),
        (lambda base: lora(base, target_modules=["embed_tokens"]), "adapted embedding"),
        (lambda base: lora(base, trainable_token_indices=[1, 2]), "token embeddings"),
        (trained_head, "adapted head"),
        (pissa, "pissa"),
        (two_at_once, "2 adapters"),
        (merged, "merged"),
        (infinite, "no number"),
    ],
)
def test_what_a_gguf_adapter_cannot_hold_is_refused(
    make: Callable[[BasePolicy], Any], words: str, tmp_path: Path
):
    base = load_base(Specimen("qwen3", context_tokens=512, tied=False, **SIZE).write(tmp_path / "small.gguf"))
    with pytest.raises(AdapterError, match=words) as caught:
        write_gguf_adapter(make(base), base, tmp_path / "adapter.gguf", run="test")
    assert caught.value.where and caught.value.mend


def test_ranks_and_scales_are_read_from_the_layers(tmp_path: Path):
    base = load_base(Specimen("qwen3", context_tokens=512, **SIZE).write(tmp_path / "small.gguf"))
    pairs = {pair.module: pair for pair in pairs_of(lora(base, rank_pattern={"k_proj": 2}))}
    assert pairs["model.layers.0.self_attn.q_proj"].scale == 2 and pairs["model.layers.1.self_attn.k_proj"].rank == 2


def test_weights_of_another_model_are_found_out(tmp_path: Path):
    small = Specimen("qwen3", context_tokens=512, **SIZE)
    base = load_base(small.write(tmp_path / "small.gguf"))
    model = random_adapter(base)
    write_gguf_adapter(model, base, tmp_path / "adapter.gguf", run="test")
    other = replace(small, seed=9).write(tmp_path / "other.gguf")
    found = parity(base, model, tmp_path / "adapter.gguf", other, IDS)
    assert not found.agrees
    with pytest.raises(ParityError, match="about the base alone") as caught:
        found.check("adapter.gguf")
    assert "nothing was exported" in caught.value.mend
    with pytest.raises(ParityError, match="no token sequence"):
        parity(base, model, tmp_path / "adapter.gguf", other, [[1]])


def test_an_adapter_may_leave_what_its_quantised_base_leaves_and_not_more():
    def figures(mean: float, k3: float = 1e-4) -> Differences:
        return Differences(100, mean, 5 * mean, k3)

    assert Parity(figures(0.035), figures(0.02), "Q8_0").agrees
    assert not Parity(figures(0.05), figures(0.02), "Q8_0").agrees
    assert not Parity(figures(0.02, k3=0.02), figures(0.02), "Q8_0").agrees
    assert not Parity(figures(3e-5, k3=1e-9), figures(2e-6, k3=1e-12), "F32").agrees
