"""`atlas adapters`, and `--adapter` of `atlas run` and `atlas eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke
from atlas.runtime.policies.file_hash import FileHash
from atlas.runtime.policies.spec import nano_path
from atlas.training.adapters.random_adapter import write_random_adapter

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(
    home: str, name: str, *, base_hash: str = "", promoted: float | None = None, created: float = 1.0, recipe: str = "sft"
) -> Path:
    folder = Path(home) / "adapters" / name
    folder.mkdir(parents=True)
    path = write_random_adapter(folder / "adapter.gguf", nano_path(), rank=2, scale=1e-4)
    promotion = {"promoted": True, "at": promoted, "by": "evaluation", "interval": [0.01, 0.09]} if promoted else None
    card = {"run": name, "model": "nano", "created": created, "promotion": promotion, "settings": {"recipe": recipe}}
    card["base_hash"] = base_hash or FileHash(nano_path()).value
    (folder / "adapter.json").write_text(json.dumps(card), encoding="utf-8")
    return path


def ran(capsys: Capture, *arguments: str) -> tuple[int, Any, str]:
    code = invoke([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, [json.loads(line) for line in out.splitlines()], err


def test_adapters_are_listed_used_and_removed(atlas_home: str, capsys: Capture):
    assert ran(capsys, "adapters", "list")[:2] == (0, [])
    made(atlas_home, "old", promoted=5.0)
    made(atlas_home, "new", created=2.0)
    code, lines, _ = ran(capsys, "adapters", "list")
    assert code == 0 and [(line["adapter"], line["used"]) for line in lines] == [("new", False), ("old", True)]
    assert lines[1]["interval"] == [0.01, 0.09] and lines[1]["promoted"] and lines[0]["model"] == "nano"
    assert ran(capsys, "adapters", "use", "new")[1] == [{"used": "new", "model": "nano"}]
    assert [line["used"] for line in ran(capsys, "adapters", "list")[1]] == [True, False]
    assert invoke(["adapters", "list"]) == 0
    out = capsys.readouterr().out
    assert "* new" in out and "chosen by you" in out and "+1.0 to +9.0 points" in out
    assert ran(capsys, "adapters", "remove", "new")[1] == [{"removed": ["new"]}]
    assert ran(capsys, "adapters", "use", "none")[1] == [{"used": None, "withdrawn": ["old"]}]
    assert [line["used"] for line in ran(capsys, "adapters", "list")[1]] == [False]


def test_whose_runs_use_an_adapter_is_told_by_what_it_was_trained_for(atlas_home: str, capsys: Capture):
    made(atlas_home, "worker")
    made(atlas_home, "router", recipe="router")
    assert invoke(["adapters", "use", "worker"]) == 0
    assert "plain runs of nano use worker now" in capsys.readouterr().err
    assert invoke(["adapters", "use", "router"]) == 0
    assert "runs of nano with --router learned use router now" in capsys.readouterr().err
    assert [line["used"] for line in ran(capsys, "adapters", "list")[1] if line["adapter"] == "worker"] == [True]


def test_a_wrong_name_is_told_with_the_nearest(atlas_home: str, capsys: Capture):
    made(atlas_home, "monday")
    for verb in ("use", "remove"):
        code, (told,), _ = ran(capsys, "adapters", verb, "mondy")
        assert code == 2 and told["error"]["type"] == "AdapterError" and "did you mean monday" in told["error"]["mend"]


def test_a_plain_run_uses_the_promoted_adapter_of_its_model(atlas_home: str, capsys: Capture, tmp_path: Path):
    (tmp_path / "notes.md").write_text("one two\n", encoding="utf-8")
    task = ["run", "How many words are in notes.md?", "--approve", "never", "--max-turns", "1"]
    made(atlas_home, "other", base_hash="f" * 64, promoted=9.0)
    assert ran(capsys, *task)[1][0]["adapter"] is None
    code, (told,), _ = ran(capsys, *task, "--adapter", "latest")
    assert code == 2 and "no promoted adapter was trained on nano" in told["error"]["message"] and told["error"]["mend"]
    path = made(atlas_home, "ours", promoted=5.0)
    _, (told,), err = ran(capsys, *task)
    assert told["adapter"] == "ours" and "using the adapter ours" in err
    assert ran(capsys, *task, "--adapter", "latest")[1][0]["adapter"] == "ours"
    assert ran(capsys, *task, "--adapter", "none")[1][0]["adapter"] is None
    assert ran(capsys, *task, "--adapter", str(path))[1][0]["adapter"] == str(path)


def test_adapters_that_nobody_promoted_are_not_the_latest(atlas_home: str, capsys: Capture):
    made(atlas_home, "monday")
    assert invoke(["adapters", "list"]) == 0
    assert "not tried on enough held-out tasks" in capsys.readouterr().out
    code, (told,), _ = ran(capsys, "run", "a task", "--adapter", "latest")
    assert code == 2 and "none of the 1 adapters was promoted" in told["error"]["message"]
    assert "atlas adapters use monday" in told["error"]["mend"]


def test_run_and_eval_refuse_an_adapter_that_cannot_be_used(atlas_home: str, capsys: Capture, tmp_path: Path):
    from atlas.training.adapters.specimens import Specimen

    base = Specimen(layers=1, width=32, heads=2, shared_heads=1, head_width=16, feed_forward=32).write(tmp_path / "b.gguf")
    foreign = write_random_adapter(tmp_path / "foreign.gguf", base)
    for verb in (["run", "a task"], ["eval", "toolbox", "--limit", "1"]):
        for adapter, words in {
            "latest": "there is no adapter yet",
            str(foreign): "another base model than nano",
            str(nano_path()): "is a model, not an adapter",
            str(tmp_path / "missing.gguf"): "no model file",
            "unheard-of": "no adapter unheard-of",
        }.items():
            code, (told,), _ = ran(capsys, *verb, "--adapter", adapter)
            assert code == 2 and words in told["error"]["message"] and told["error"]["mend"], told


def test_eval_scores_what_a_plain_run_would_use(atlas_home: str, capsys: Capture):
    made(atlas_home, "ours", promoted=5.0)
    _, (told,), _ = ran(capsys, "eval", "toolbox", "--limit", "1")
    assert told.get("adapter") == "ours", told
    assert ran(capsys, "eval", "toolbox", "--limit", "1", "--adapter", "none")[1][0]["adapter"] is None
