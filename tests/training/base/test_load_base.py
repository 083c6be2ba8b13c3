"""The trainer's copy of the policy: the very weights of the GGUF, or a refusal that names what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from atlas.runtime.policies.file_hash import FileHash
from atlas.runtime.policies.spec import nano_path
from atlas.training.adapters.agreement import Served, compare, trainer_logprobs
from atlas.training.adapters.random_adapter import write_random_adapter
from atlas.training.adapters.specimens import Specimen
from atlas.training.base import LoraSettings, load_base, with_lora
from atlas.training.errors import BaseModelError

SMALL = Specimen(layers=2, width=64, heads=4, shared_heads=2, head_width=16, feed_forward=96, context_tokens=512)
IDS = [[int(i) for i in np.random.default_rng(0).integers(0, 256, 60)]]


def rewritten(source: Path, target: Path, *, drop: str = "", **changed: Any) -> Path:
    """A copy of a GGUF with tensors left out or replaced, and metadata (`qwen3__x` for `qwen3.x`) set."""
    reader = gguf.GGUFReader(source)
    architecture = changed.pop("architecture", reader.fields["general.architecture"].contents())
    writer = gguf.GGUFWriter(target, architecture)
    for name, entry in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            kind = entry.types[-1] if len(entry.types) > 1 else None
            name = name.replace(reader.fields["general.architecture"].contents() + ".", architecture + ".")
            writer.add_key_value(name, entry.contents(), entry.types[0], kind)
    tensors = {t.name: np.array(t.data) for t in reader.tensors if not (drop and drop in t.name)}
    for name, value in changed.items():
        if isinstance(value, np.ndarray):
            tensors[name.replace("__", ".")] = value
        elif isinstance(value, str):
            writer.add_string(name.replace("__", "."), value)
        else:
            writer.add_uint32(name.replace("__", "."), value)
    for name, value in tensors.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def gap(model: Any, path: Path) -> float:
    """Mean difference of the log-probabilities from llama.cpp's."""
    served = Served(path, tokens=64)
    try:
        return compare(trainer_logprobs(model, IDS), served.logprobs(IDS)).mean
    finally:
        served.close()


def test_nano_is_loaded_as_it_is_served():
    base = load_base("nano")
    assert (base.architecture, base.source, base.gguf) == ("qwen3", "nano", nano_path())
    assert base.base_hash == FileHash(nano_path()).value and base.vocabulary == base.model.config.vocab_size
    assert not base.model.training and not any(weight.requires_grad for weight in base.model.parameters())
    assert not any(weight.is_meta for weight in [*base.model.parameters(), *base.model.buffers()])


def test_quantised_weights_are_those_that_gguf_dequantises(tmp_path: Path):
    path = replace(SMALL, precision="Q8_0").write(tmp_path / "q8.gguf")
    tensor = next(t for t in gguf.GGUFReader(path).tensors if t.name == "blk.1.attn_v.weight")
    expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    weight = load_base(path, dtype=torch.float32).model.model.layers[1].self_attn.v_proj.weight
    assert np.array_equal(weight.numpy(), expected)
    assert load_base(path, dtype=torch.bfloat16).model.lm_head.weight.dtype == torch.bfloat16


def test_untied_heads_and_scaled_rotations_are_computed_like_llama_cpp(tmp_path: Path):
    untied = replace(SMALL, tied=False).write(tmp_path / "untied.gguf")
    model = load_base(untied).model
    assert model.lm_head.weight is not model.model.embed_tokens.weight and gap(model, untied) < 1e-5
    llama = replace(SMALL, architecture="llama", head_width=16).write(tmp_path / "llama.gguf")
    factors = np.linspace(1, 8, 8, dtype=np.float32)
    turned = rewritten(llama, tmp_path / "turned.gguf", rope_freqs__weight=factors)
    assert gap(load_base(turned).model, turned) < 1e-5
    assert gap(load_base(llama).model, turned) > 1e-4  # the factors matter


def test_a_folder_of_hugging_face_gives_the_same_model(tmp_path: Path):
    path = SMALL.write(tmp_path / "small.gguf")
    base = load_base(path)
    base.model.save_pretrained(tmp_path / "folder")
    alone, served = load_base(tmp_path / "folder"), load_base(tmp_path / "folder", served=path)
    assert alone.gguf is None and len(alone.base_hash) == 64 and alone.base_hash != base.base_hash
    assert (served.gguf, served.base_hash, served.architecture) == (path, base.base_hash, "qwen3")
    assert gap(served.model, path) < 1e-5
    other = replace(SMALL, architecture="llama").write(tmp_path / "llama.gguf")
    with pytest.raises(BaseModelError, match="is a llama"):
        load_base(tmp_path / "folder", served=other)
    with pytest.raises(BaseModelError, match="fused"):
        load_base(tmp_path / "folder", served=replace(SMALL, fused=True).write(tmp_path / "fused.gguf"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "gemma3"}, "gemma3"),
        ({"qwen3__expert_count": 8}, "mixture of experts"),
        ({"qwen3__rope__scaling__type": "yarn"}, "yarn"),
        ({"drop": "blk.1.ffn_down"}, "no tensor blk.1.ffn_down.weight"),
        ({"drop": "token_embd"}, "no token_embd"),
        ({"blk.0.attn_sub_norm.weight": np.ones(64, dtype=np.float32)}, "attn_sub_norm"),
        ({"blk.0.ffn_up.weight": np.ones((96, 32), dtype=np.float32)}, "shape"),
        ({"blk.0.ffn_up.weight": np.full((96, 64), np.nan, dtype=np.float32)}, "no numbers"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(change: dict[str, Any], words: str, tmp_path: Path):
    path = rewritten(SMALL.write(tmp_path / "small.gguf"), tmp_path / "changed.gguf", **change)
    with pytest.raises(BaseModelError, match=words) as caught:
        load_base(path)
    assert str(path) in caught.value.where and caught.value.mend


def test_files_that_are_no_base_model_are_refused(tmp_path: Path):
    path = SMALL.write(tmp_path / "small.gguf")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.gguf").write_bytes(path.read_bytes()[:-2_000])
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    cases = {
        replace(SMALL, fused=True).write(tmp_path / "fused.gguf"): "fused projections",
        write_random_adapter(tmp_path / "adapter.gguf", path): "adapter",
        tmp_path / "missing.gguf": "no model file",
        tmp_path / "empty": "no config.json",
        tmp_path / "bert": "type bert",
        tmp_path / "cut.gguf": "cannot be read",
    }
    for spec, words in cases.items():
        with pytest.raises(BaseModelError, match=words):
            load_base(spec)


def test_a_fresh_adapter_trains_alone_and_the_same_seed_gives_the_same(tmp_path: Path):
    base = load_base(SMALL.write(tmp_path / "small.gguf"))
    before = torch.get_rng_state()
    model = with_lora(base, LoraSettings(rank=4, targets=("q", "down")), seed=7)
    assert torch.equal(before, torch.get_rng_state())
    trained = {name: weight.clone() for name, weight in model.named_parameters() if weight.requires_grad}
    assert all("lora_" in name for name in trained) and len(trained) == 2 * 2 * 2
    model.unload()
    again = dict(with_lora(base, LoraSettings(rank=4, targets=("q", "down")), seed=7).named_parameters())
    assert all(torch.equal(weight, again[name]) for name, weight in trained.items())


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"alpha": 0.0}, {"dropout": 1.0}, {"targets": ("lm_head",)}, {"targets": ()}]
)
def test_settings_that_make_no_adapter_are_refused(wrong: dict[str, Any]):
    with pytest.raises(BaseModelError) as caught:
        LoraSettings(**wrong)
    assert "LoraSettings" in caught.value.where
