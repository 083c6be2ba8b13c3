"""Saving an adapter: both forms and the card, checked against llama.cpp first, all of it or nothing."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.runtime.policies import AdapterError as SwapError
from atlas.runtime.policies import load_policy
from atlas.runtime.policies.file_hash import FileHash
from atlas.training.adapters import AdapterStore, gguf_export, save_adapter
from atlas.training.adapters.agreement import trainer_logprobs
from atlas.training.adapters.specimens import Specimen
from atlas.training.adapters.table import random_adapter, saved_adapter
from atlas.training.base import BasePolicy, load_base
from atlas.training.errors import AdapterError, ParityError

SMALL = Specimen(
    "llama", layers=2, width=64, heads=4, shared_heads=2, head_width=16, feed_forward=96, context_tokens=512
)  # fmt: skip
IDS = [[int(i) for i in np.random.default_rng(0).integers(0, 256, 40)]]


@pytest.fixture
def base(tmp_path: Path) -> BasePolicy:
    return load_base(SMALL.write(tmp_path / "small.gguf"))


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_an_adapter_is_saved_for_peft_and_for_llama_cpp(base: BasePolicy, tmp_path: Path):
    model = random_adapter(base)
    path = save_adapter(model, base, tmp_path / "runs" / "one", run="one", settings={"recipe": "sft"}, check=IDS)
    folder = path.parent
    assert only(tmp_path / "runs") == ["one"] and only(folder) == ["adapter.gguf", "adapter.json", "peft"]
    card = json.loads((folder / "adapter.json").read_text("utf-8"))
    assert (card["run"], card["base_hash"], card["adapter_hash"]) == ("one", base.base_hash, FileHash(path).value)
    assert card["lora"]["rank"] == 8 and card["settings"] == {"recipe": "sft"} and card["promotion"] is None
    assert card["parity"]["adapted"]["mean"] < 1e-5 and card["architecture"] == "llama"
    wanted = trainer_logprobs(model, IDS)
    again = saved_adapter(load_base(tmp_path / "small.gguf"), folder)
    assert np.allclose(trainer_logprobs(again, IDS)[0], wanted[0], atol=1e-6)
    assert base.gguf is not None
    policy = load_policy(str(base.gguf), adapter=path)
    assert policy.identity.adapter_hash == card["adapter_hash"]
    asyncio.run(policy.aclose())
    other = replace(SMALL, seed=5).write(tmp_path / "other.gguf")
    with pytest.raises(SwapError, match="another base model"):
        load_policy(str(other), adapter=path)


def test_saving_again_replaces_the_folder_as_a_whole(base: BasePolicy, tmp_path: Path):
    model, folder = random_adapter(base), tmp_path / "run"
    first = FileHash(save_adapter(model, base, folder, run="run")).value
    (folder / "stale").touch()
    with torch.no_grad():
        next(weight for name, weight in model.named_parameters() if "lora_B" in name).mul_(2)
    second = FileHash(save_adapter(model, base, folder, run="run")).value
    assert first != second and only(folder) == ["adapter.gguf", "adapter.json", "peft"]
    assert only(tmp_path) == ["run", "small.gguf"]


def test_an_export_that_llama_cpp_computes_otherwise_is_refused(base: BasePolicy, tmp_path: Path, monkeypatch: Any):
    model, folder = random_adapter(base, scale=0.3), tmp_path / "runs" / "one"
    whole = save_adapter(model, base, folder, run="one", check=IDS)
    before = FileHash(whole).value
    monkeypatch.setattr(gguf_export, "is_permuted", lambda *_: False)  # the classic mistake with Llama
    with pytest.raises(ParityError, match="about the adapter") as caught:
        save_adapter(model, base, folder, run="one", check=IDS)
    assert "nothing was exported" in caught.value.mend and "k3" in caught.value.message
    assert only(folder.parent) == ["one"] and FileHash(whole).value == before


def test_weights_that_are_not_the_served_ones_are_refused(base: BasePolicy, tmp_path: Path):
    model, served = random_adapter(base), replace(base, gguf=replace(SMALL, seed=3).write(tmp_path / "other.gguf"))
    with pytest.raises(ParityError, match="about the base alone"):
        save_adapter(model, served, tmp_path / "run", run="run", check=IDS)
    with pytest.raises(AdapterError, match="no GGUF serves"):
        save_adapter(model, replace(base, gguf=None), tmp_path / "run", run="run", check=IDS)
    assert not (tmp_path / "run").exists()


def test_nothing_half_written_is_left(base: BasePolicy, tmp_path: Path, monkeypatch: Any):
    model, folder = random_adapter(base), tmp_path / "runs" / "one"
    model.peft_config["default"].use_dora = True
    with pytest.raises(AdapterError, match="DoRA"):
        save_adapter(model, base, folder, run="one")
    assert not folder.parent.exists()
    model.peft_config["default"].use_dora = False
    from atlas.training.adapters import save

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(save, "_write_card", full)
    with pytest.raises(AdapterError, match="No space left") as caught:
        save_adapter(model, base, folder, run="one")
    assert str(folder) in caught.value.where and "resumed" in caught.value.mend
    assert only(folder.parent) == []
    (tmp_path / "file").touch()
    with pytest.raises(AdapterError, match="cannot be written"):
        save_adapter(model, base, tmp_path / "file" / "one", run="one")


def test_a_saved_adapter_is_promoted_only_when_it_did_no_harm(base: BasePolicy, tmp_path: Path):
    store, model = AdapterStore(tmp_path / "home"), random_adapter(base)
    for name in ("one", "two", "three"):
        save_adapter(model, base, store.path_of(name), run=name, check=IDS)
    assert store.latest() is None and len(store.list()) == 3
    assert store.promote("one", (0.01, 0.08), gain=0.04) and store.latest() == store.path_of("one") / "adapter.gguf"
    assert store.promote("two", (-0.019, 0.05)) and store.latest(base.base_hash) == store.path_of("two") / "adapter.gguf"
    assert not store.promote("three", (-0.02, 0.3)) and store.latest() == store.path_of("two") / "adapter.gguf"
    assert store.latest("0" * 64) is None
    store.use("three")
    assert store.latest() == store.path_of("three") / "adapter.gguf"
    store.remove("three")
    assert store.latest() == store.path_of("two") / "adapter.gguf" and only(store.folder) == ["one", "two"]
    assert [one.name for one in store.use_none()] and store.latest() is None
