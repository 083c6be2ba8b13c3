"""`atlas train`: what comes of a run, and that whatever is wrong is told before anything half-made is left."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke
from atlas.runtime.episodes import open_store
from atlas.runtime.episodes.codec import pack_floats, pack_ids
from atlas.training.rubrics import RubricStore, plain_rubric
from atlas.training.rubrics.files import parse_rubric

from .trained.logs import Log, tiny_model

Train = Callable[..., tuple[int, Any, str]]
HALF = [1.0, 0.0] * 6
SMALL = ["--eval-limit", "0", "--steps", "2", "--rank", "2", "--threads", "1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def log(atlas_home: str, model: Path) -> Log:
    return Log(atlas_home, model)


@pytest.fixture
def train(atlas_home: str, model: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Train:
    """`train("--recipe", "sft")`: the exit code, the object on stdout, and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, small: Sequence[str] = SMALL) -> tuple[int, Any, str]:
        code = invoke(["train", "--model", str(model), *small, *arguments, "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and out.count("\n") == 1, out + err
        return code, json.loads(out), err

    return run


def refused(told: tuple[int, Any, str], code: int, *words: str) -> dict[str, str]:
    """The error of a refusal: its code, its words, a place and a mend."""
    assert told[0] == code, told
    error: dict[str, str] = told[1]["error"]
    assert all(word in error["message"] + error["where"] + error["mend"] for word in words), error
    assert error["where"] and error["mend"], error
    return error


def nothing_left(home: str, *, runs: int = 0) -> None:
    """No adapter, whole or half, and so many runs to go on with."""
    adapters = Path(home) / "adapters"
    assert not adapters.exists() or not list(adapters.iterdir())
    assert len(list((Path(home) / "training").glob("*/run.json"))) == runs


def test_a_run_makes_an_adapter_a_report_and_says_what_it_did(train: Train, log: Log, atlas_home: str):
    log.fill(HALF)
    code, told, err = train("--recipe", "sft")
    assert code == 0, told
    assert told["recipe"] == "sft" and told["episodes"] == 12 and told["rows"] == 6 and told["steps"] == 2
    assert told["before"] is None and not told["promoted"]
    folder = Path(told["adapter"]).parent
    assert folder.parent == Path(atlas_home) / "adapters" and (folder / "peft" / "adapter_model.safetensors").is_file()
    card = json.loads((folder / "adapter.json").read_text())
    assert card["parity"]["adapted"]["k3"] < 1e-2 and card["settings"]["recipe"] == "sft"
    page = Path(told["report"]).read_text()
    assert page.startswith("<!doctype html>") and "Supervised loss" in page and "<svg" in page
    assert "12 episodes (6 solved)" in err and "to play:" in err and "not promoted" in err
    assert invoke(["adapters", "list"]) == 0


@pytest.mark.parametrize("selector", ["data_flow", "random", "counterfactual"])
def test_critical_steps_carry_the_loss(train: Train, log: Log, selector: str):
    log.fill(HALF, turns=3)
    code, told, err = train("--recipe", "critical", "--selector", selector)
    assert code == 0 and told["rows"] == 6, told
    chosen = [json.loads(line) for line in Path(told["report"]).with_name("selections.jsonl").read_text().splitlines()]
    assert chosen and all(len(one["turns"]) <= 1 for one in chosen)
    assert ("the data flow chose the steps" in err) == (selector == "counterfactual")  # there is no place to fork in


def test_own_tasks_are_not_forked_in_vain_because_nobody_could_say_how_it_went(train: Train, log: Log, tmp_path: Path):
    log.fill(HALF, turns=3, workspace=str(tmp_path), toolbox=True)
    code, told, err = train("--recipe", "critical")
    assert code == 0 and told["rows"] == 6, told
    assert "to play: nothing to play" in err and "selecting steps" in err
    assert "for 6 episodes the data flow chose the steps: nobody can say how its continuations went" in err
    assert "6 episodes were left out of the supervised steps: failed, and nobody can say" in err


def test_the_log_alone_is_reinforced_on_with_its_effective_sample_size(train: Train, log: Log):
    log.fill(HALF)
    code, told, _ = train("--recipe", "rubric", "--offline", "--reward", "outcome")
    assert code == 0 and told["rows"] == 12, told
    lines = [json.loads(line) for line in Path(told["report"]).with_name("metrics.jsonl").read_text().splitlines()]
    assert lines[0]["effective_share"] == pytest.approx(1.0, abs=1e-3) and lines[-1]["effective_share"] <= 1.0
    assert "Effective share" in Path(told["report"]).read_text()


def test_without_usable_episodes_it_says_how_many_there_are_and_how_to_get_more(train: Train, log: Log, atlas_home: str):
    refused(train("--recipe", "sft"), 2, "0 usable outcomes", "8 are needed", "--keep")
    log.fill([None] * 9 + [1.0])
    told = refused(train("--recipe", "sft"), 2, "1 usable outcome", "9 of unknown outcome")
    assert "atlas episodes rate" in told["mend"]
    nothing_left(atlas_home)


def test_when_all_failed_there_is_nothing_to_imitate(train: Train, log: Log, atlas_home: str):
    log.fill([0.0] * 10)
    refused(train("--recipe", "sft"), 2, "0 of 10 usable episodes solved their task")
    nothing_left(atlas_home)


def test_when_all_did_equally_well_there_is_nothing_to_compare(train: Train, log: Log, atlas_home: str):
    log.fill([1.0] * 10)
    refused(train("--recipe", "rubric", "--offline", "--reward", "outcome"), 2, "did equally well")
    nothing_left(atlas_home, runs=1)


def test_episodes_of_another_model_or_tokenizer_are_left_out_by_name(
    train: Train, log: Log, atlas_home: str, tmp_path: Path
):
    Log(atlas_home, tiny_model(tmp_path, "other", seed=5)).fill([1.0] * 8)
    refused(train("--recipe", "sft"), 2, "0 usable outcomes", "8 of another base model")
    log.fill([1.0] * 8)
    log.change("reply_ids", pack_ids([5, 300, 7]))
    log.change("logprobs", None)
    log.change("logprobs_at_temperature", None)
    refused(train("--recipe", "sft"), 2, "8 of another tokenizer")
    nothing_left(atlas_home)


def test_damaged_episodes_are_left_out_and_counted(train: Train, log: Log, atlas_home: str):
    log.fill([1.0] * 8)
    log.change("prompt_tokens", 99)
    refused(train("--recipe", "sft"), 2, "8 damaged")
    log.change("logprobs", pack_floats([-0.5]))
    refused(train("--recipe", "sft"), 2, "8 damaged")
    nothing_left(atlas_home, runs=1)


def test_logged_tokens_that_the_model_scores_otherwise_stop_the_run(train: Train, log: Log, atlas_home: str):
    log.fill(HALF)
    with open_store(log.home) as store, store.transaction() as connection:
        for row in connection.execute("SELECT episode, turn, generated_tokens FROM turns").fetchall():
            wrong = pack_floats([-3.0] * row[2])
            connection.execute("UPDATE turns SET logprobs = ? WHERE episode = ? AND turn = ?", (wrong, row[0], row[1]))
    refused(train("--recipe", "sft"), 1, "is not the one that wrote these episodes", "k3")
    nothing_left(atlas_home, runs=1)


CLASH = """[[criteria]]
id = "a"
category = "tool"
text = "It reads a file"
weight = 3
check = { kind = "called", tools = ["files.read"] }

[[criteria]]
id = "b"
category = "tool"
text = "No file is touched"
weight = 3
check = { kind = "avoided", tools = ["files.read"] }

[[criteria]]"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("weight = ", "weight = 0 #", "the weight is 0"), ("[[criteria]]", CLASH, "contradict each other")],
)
def test_a_rubric_that_weighs_nothing_or_contradicts_itself_is_told_before_anything_is_learned(
    train: Train, log: Log, atlas_home: str, tmp_path: Path, old: str, new: str, words: str
):
    log.fill(HALF, workspace=str(tmp_path), toolbox=True)
    rubrics = RubricStore(Path(atlas_home))
    path = rubrics.path(rubrics.put(plain_rubric("How many words are in file 1?")))
    path.write_text(path.read_text().replace(old, new, 1))
    error = refused(train("--recipe", "full"), 2, words)
    assert str(path) in error["where"]
    nothing_left(atlas_home)


CHECKED = """task = "How many words are in file 1?"

[[criteria]]
category = "tool"
text = "It reads a file"
check = { kind = "called", tools = ["files.read"] }
"""


@pytest.mark.parametrize(("recipe", "reward"), [("rubric", "rubric"), ("full", "rubric"), ("rubric", "outcome")])
def test_own_tasks_that_nobody_could_score_are_told_before_anything_is_played(
    train: Train, log: Log, atlas_home: str, tmp_path: Path, recipe: str, reward: str
):
    log.fill(HALF, workspace=str(tmp_path), toolbox=True)
    told = train("--recipe", recipe, "--reward", reward)
    error = refused(told, 2, "none of the 3 tasks", "--judge SPEC", "docs/rubrics.md")
    assert ("whether it solved" in error["message"]) == (reward == "outcome")
    nothing_left(atlas_home)


def test_only_the_tasks_whose_rubric_programs_can_score_are_practised_without_a_judge(
    train: Train, log: Log, atlas_home: str, tmp_path: Path
):
    log.fill(HALF, workspace=str(tmp_path), toolbox=True)
    RubricStore(Path(atlas_home)).put(parse_rubric(tomllib.loads(CHECKED), where="test"))
    code, told, _ = train("--recipe", "rubric", "--group", "2", "--tasks", "1", "--out", str(tmp_path / "run"))
    assert code == 2 and "all rollouts" in told["error"]["message"]  # of a random model, which never calls a tool
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    assert len(state["tasks"]) == 1 and any(note.startswith("2 tasks are not practised") for note in state["notes"])


def test_a_judge_that_was_never_calibrated_is_told_before_anything_is_learned(train: Train, log: Log, atlas_home: str):
    log.fill(HALF)
    refused(train("--recipe", "full", "--judge", "nano"), 2, "never calibrated", "atlas judge calibrate")
    refused(train("--recipe", "rubric", "--reward", "paper"), 2, "given by a judge", "--judge")
    nothing_left(atlas_home)


def test_what_cannot_be_trained_is_told(train: Train, log: Log, atlas_home: str, tmp_path: Path):
    refused(train("--model", "http://localhost:1/v1#m", "--recipe", "sft"), 2, "not a model in this process")
    refused(train("--model", str(tmp_path / "none.gguf"), "--recipe", "sft"), 2, "none.gguf")
    refused(train("--resume", small=[]), 2, "--model was given as well")
    nothing_left(atlas_home)


@pytest.mark.parametrize("which", ["", "last=12", "since=1h"])
def test_resuming_goes_on_with_the_episodes_that_the_run_began_with(
    train: Train, log: Log, capsys: Any, tmp_path: Path, which: str
):
    log.fill(HALF)
    chosen = ("--episodes", which) if which else ()
    code, told, _ = train("--recipe", "sft", "--out", str(tmp_path / "run"), *chosen)
    assert code == 0 and (tmp_path / "run" / "adapter" / "adapter.gguf").is_file()
    assert invoke(["train", "--resume", "--out", str(tmp_path / "run"), "--json"]) == 2
    assert "come to its end" in capsys.readouterr().out
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(state | {"finished": False, "saved": False}))
    log.change("created_at", 5.0, "episodes")  # time has passed, and other episodes are the last ones now
    log.fill([1.0] * 4)
    assert invoke(["train", "--resume", "--out", str(tmp_path / "run"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["episodes"] == told["episodes"] == 12 and again["rows"] == told["rows"]


def test_a_phase_that_ended_early_is_not_gone_on_with(train: Train, log: Log, capsys: Any, tmp_path: Path):
    log.fill([1.0] * 24)
    code, _, err = train(
        "--recipe", "sft", "--out", str(tmp_path / "run"), "--patience", "1", "--learning-rate", "1e-9",
        "--seed", "4",  # which watches one of the six tasks
        small=["--eval-limit", "0", "--rank", "2", "--threads", "1"],
    )  # fmt: skip
    assert code == 0 and "imitate ended early" in err
    metrics = (tmp_path / "run" / "metrics.jsonl").read_text()
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps(state | {"finished": False, "saved": False}))
    assert invoke(["train", "--resume", "--out", str(tmp_path / "run"), "--json"]) == 0
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == metrics
    assert "imitate ended early" in capsys.readouterr().err
