"""`atlas train --recipe router`: demonstrations and PPO over a pool, killed and gone on with, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke
from atlas.runtime.adapters import latest_adapter, read_stored
from atlas.runtime.routing.pool import Pool
from atlas.runtime.routing.thinkers import router_adapter
from atlas.training.adapters import AdapterStore

from .trained.commands import Nest, losses

STEPS = ["<think>a can</think><search>a@@all: do it</search>", "<think>so</think><answer>1</answer>"]
SMALL = ["--recipe", "router", "--eval-limit", "0", "--rank", "2", "--threads", "1", "--group", "2", "--tasks", "1",
         "--steps", "3", "--demonstrations", "2"]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a pool of two scripted models."""
    folder = tmp_path_factory.mktemp("home")
    tables = []
    for price, (name, reply) in enumerate({"a": "answer(1)", "b": 'answer("Cannot: no tool does this.")'}.items(), 1):
        (folder / f"{name}.json").write_text(json.dumps([reply] * 400), encoding="utf-8")
        tables.append(f'[models.{name}]\nmodel = "scripted:{folder}/{name}.json"\ninput_price = {price}\n')
    (folder / "atlas.toml").write_text("".join(tables), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(nest: Nest, model: Path, home: Path) -> tuple[Path, Any]:
    """The folder of a run that nothing befell, and what it told."""
    done = nest.train(home, *SMALL, "--model", str(model), "--out", str(home / "whole"), replies=STEPS)
    assert done.code == 0, done.err
    return home / "whole", done.json


def test_a_killed_run_goes_on_to_the_losses_of_one_that_was_not(
    nest: Nest, model: Path, home: Path, whole: tuple[Path, Any], tmp_path: Path
):
    hurt = tmp_path / "hurt"
    kill = {"what": "kill", "phase": "route", "step": 4}  # in the middle of the second step's passes
    asked = [*SMALL, "--model", str(model), "--out", str(hurt)]
    assert nest.train(home, *asked, replies=STEPS, hurt=kill).code == -9
    done = nest.train(home, "--resume", "--out", str(hurt), replies=STEPS)
    assert done.code == 0, done.err
    assert losses(hurt) == losses(whole[0]) and [phase for phase, *_ in losses(hurt)].count("route") == 3


def test_a_run_of_the_router_that_the_trainer_scores_otherwise_stops_before_it_is_learned_from(
    nest: Nest, model: Path, home: Path, tmp_path: Path
):
    asked = [*SMALL, "--demonstrations", "0", "--model", str(model), "--out", str(tmp_path)]
    done = nest.train(home, *asked, replies=STEPS, logprob=-3.0)
    assert done.code == 1 and "is not the one that wrote these episodes" in done.json["error"]["message"], done
    assert not (tmp_path / "metrics.jsonl").exists()


def test_every_part_of_the_reward_is_on_record_and_on_the_page(whole: tuple[Path, Any]):
    hurt = whole[0]
    lines = [json.loads(line) for line in (hurt / "metrics.jsonl").read_text().splitlines()]
    routed = [line for line in lines if line["phase"] == "route"]
    assert all(line["reward_format"] == 0.0 and line["asked"]["a"] == 1.0 and line["usd"] > 0 for line in routed)
    assert all(
        line["reward"] == pytest.approx(sum(line[f"reward_{part}"] for part in ("format", "outcome", "selection")))
        for line in routed
    )
    page = (hurt / "report.html").read_text()
    assert "Parts of the router&#x27;s reward" in page or "Parts of the router's reward" in page


def test_an_adapter_that_routes_is_never_taken_by_plain_runs(whole: tuple[Path, Any], model: Path, home: Path):
    stored = AdapterStore(home).use(Path(whole[1]["adapter"]).parent.name)
    assert stored.purpose == "router" and read_stored(stored.folder).promoted
    assert latest_adapter(home) is None
    assert router_adapter(str(model), home) == str(stored.gguf)


def test_without_a_pool_there_is_nothing_to_route_to(atlas_home: str, capsys: pytest.CaptureFixture[str]):
    assert not Pool()
    assert invoke(["train", "--recipe", "router"]) == 2
    assert "pool of models is empty" in capsys.readouterr().err
