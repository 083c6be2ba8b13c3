"""`atlas route`: the choice is explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas.cli import invoke


@pytest.fixture
def pool(atlas_home: str) -> None:
    (Path(atlas_home) / "atlas.toml").write_text(
        '[models.small]\nmodel = "nano"\nwatts = 30\n[models.cloud]\nmodel = "http://127.0.0.1:9/v1#x"\ninput_price = 1\n',
        encoding="utf-8",
    )


def test_explain_shows_every_pair_and_the_reason(pool: None, capsys: pytest.CaptureFixture[str]):
    assert invoke(["route", "explain", "count the words in notes.md", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == "small" and found["fallback"] == "no_clusters"
    assert {row["model"] for row in found["pairs"]} == {"small", "cloud"}
    assert all({"accuracy", "cost_usd", "cost", "utility", "seen"} <= set(row) for row in found["pairs"])


def test_explain_for_people_ends_with_the_reason(pool: None, capsys: pytest.CaptureFixture[str]):
    assert invoke(["route", "explain", "count the words in notes.md", "--cost-weight", "0"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "accuracy" in shown[1] and "too few logged tasks" in shown[-1]


def test_explain_without_a_pool_says_how_to_make_one(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["route", "explain", "anything"]) == 2
    assert "[models.name]" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["cost_weight = 1.5", 'router = "clusters"', "spend_limit = -1"])
def test_a_wrong_setting_is_named(line: str, atlas_home: str, capsys: pytest.CaptureFixture[str]):
    (Path(atlas_home) / "atlas.toml").write_text(line, encoding="utf-8")
    assert invoke(["route", "explain", "anything"]) == 2
    assert f"atlas.toml: {line.split()[0]}" in capsys.readouterr().err


@pytest.fixture
def scripted_pool(atlas_home: str, tmp_path: Path) -> None:
    for name, reply in (("gives_up", "answer('Cannot')"), ("answers", "answer(7)")):
        (tmp_path / f"{name}.json").write_text(json.dumps([reply]), encoding="utf-8")
    (Path(atlas_home) / "atlas.toml").write_text(
        f'[models.cheap]\nmodel = "scripted:{tmp_path}/gives_up.json"\ninput_price = 1\n'
        f'[models.dear]\nmodel = "scripted:{tmp_path}/answers.json"\ninput_price = 2\n',
        encoding="utf-8",
    )


def test_a_run_is_routed_and_its_json_says_how(scripted_pool: None, capsys: pytest.CaptureFixture[str]):
    assert invoke(["run", "--router", "auto", "--spend-limit", "1", "a task", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["answer"] == 7
    assert [one["model"] for one in found["route"]["attempts"]] == ["cheap", "dear"]
    assert 0 < found["route"]["total_usd"] == found["route"]["spent_usd"] <= found["route"]["spend_limit_usd"] == 1
    assert "routed to cheap" in shown.err and "of 1 USD are spent" in shown.err


def test_a_learned_router_asks_step_by_step(
    scripted_pool: None, atlas_home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    steps = ["<think>d</think><search>dear@@all: do it</search>", "<think>so</think><answer>7</answer>"]
    (tmp_path / "router.json").write_text(json.dumps(steps), encoding="utf-8")
    file = Path(atlas_home) / "atlas.toml"
    file.write_text(f'router_model = "scripted:{tmp_path}/router.json"\n{file.read_text()}', encoding="utf-8")
    assert invoke(["run", "--router", "learned", "a task", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["answer"] == 7 and [one["model"] for one in found["route"]["steps"]] == ["dear"]
    assert found["route"]["total_usd"] > 0 and "dear was asked with all tools" in shown.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--router", "learned"], "has no policy"),
        (["--router", "cluster", "--model", "nano"], "give one of them"),
        (["--spend-limit", "1"], "add --router cluster"),
        (["--router", "cluster", "--resume", "latest"], "no limit is kept"),
        (["--router", "cluster", "--cost-weight", "2"], "cost-weight"),
    ],
)
def test_what_cannot_be_routed_is_refused(
    options: list[str], said: str, scripted_pool: None, capsys: pytest.CaptureFixture[str]
):
    task = [] if "--resume" in options else ["a task"]
    assert invoke(["run", *options, *task]) == 2
    assert said in capsys.readouterr().err


def test_routing_without_a_pool_says_how_to_make_one(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    assert invoke(["run", "--router", "cluster", "a task"]) == 2
    assert "pool" in capsys.readouterr().err
