"""The store of adapters without torch: names, copies, broken folders, promotion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from atlas.training.adapters import AdapterStore
from atlas.training.errors import AdapterError


def made(folder: Path, **card: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    whole = {"model": "nano", "base_hash": "a" * 64, "created": 1.0, "parity": {"weights": "F32"}, "promotion": None} | card
    (folder / "adapter.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "home")


def test_an_empty_store_has_nothing(store: AdapterStore):
    assert store.list() == [] and store.latest() is None
    with pytest.raises(AdapterError, match="no adapter x"):
        store.get("x")


@pytest.mark.parametrize("name", ["", "..", "../out", "a/b", ".hidden", "latest", "none", "auto"])
def test_names_that_are_no_folder_names_are_refused(name: str, store: AdapterStore):
    with pytest.raises(AdapterError, match="cannot be the name"):
        store.path_of(name)
    with pytest.raises(AdapterError):
        store.remove(name)


def test_an_adapter_from_elsewhere_is_copied_and_not_promoted(store: AdapterStore, tmp_path: Path):
    source = made(tmp_path / "elsewhere", promotion={"promoted": True, "at": 5.0})
    assert store.add(source).promoted is None and store.add(source, name="again").gguf.read_bytes() == b"GGUF"
    assert [one.name for one in store.list()] == ["again", "elsewhere"] and store.latest() is None
    with pytest.raises(AdapterError, match="already"):
        store.add(source)
    (source / "adapter.gguf").unlink()
    with pytest.raises(AdapterError, match=r"adapter\.gguf is missing"):
        store.add(source, name="broken")


def test_a_broken_adapter_is_listed_never_chosen_and_can_be_removed(store: AdapterStore):
    made(store.folder / "good")
    (made(store.folder / "bad") / "adapter.json").write_text("[1]", encoding="utf-8")
    problems = {one.name: one.problem for one in store.list()}
    assert problems["good"] is None and "cannot be read" in str(problems["bad"])
    for act in (store.use, lambda name: store.promote(name, (0.0, 0.1))):
        with pytest.raises(AdapterError, match="bad is broken") as caught:
            act("bad")
        assert "atlas adapters remove bad" in caught.value.mend
    store.remove("bad")
    with pytest.raises(AdapterError, match="no adapter goood") as caught:
        store.remove("goood")
    assert "did you mean good" in caught.value.mend


def test_promotion_needs_parity_and_a_sound_interval(store: AdapterStore):
    made(store.folder / "unchecked", parity=None)
    made(store.folder / "checked")
    with pytest.raises(AdapterError, match="not compared with llama"):
        store.promote("unchecked", (0.1, 0.2))
    for interval in ((0.2, 0.1), (float("nan"), 0.1)):
        with pytest.raises(AdapterError, match="no interval"):
            store.promote("checked", interval)
    assert store.latest() is None and not store.promote("checked", (-0.5, 0.5))
    assert store.get("checked").card["promotion"]["interval"] == [-0.5, 0.5]


def test_each_base_model_has_its_own_latest(store: AdapterStore):
    made(store.folder / "ours")
    made(store.folder / "theirs", base_hash="b" * 64, model="qwen")
    store.use("ours")
    store.use("theirs")
    assert store.latest("a" * 64) == store.folder / "ours" / "adapter.gguf"
    assert store.latest("b" * 64) == store.folder / "theirs" / "adapter.gguf"
    assert [one.name for one in store.use_none("b" * 64)] == ["theirs"] and store.latest("b" * 64) is None
    assert store.latest("a" * 64)


def test_looking_at_adapters_does_not_load_torch():
    program = (
        "import sys, atlas.training.adapters, atlas.commands.adapters;"
        "print([m for m in ('torch', 'peft', 'llama_cpp', 'gguf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[]", done.stdout
