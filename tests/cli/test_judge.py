"""`atlas judge`: calibrates, says what it found, and judges only with a judge that agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.cli import invoke
from atlas.runtime.episodes import EpisodeStore
from atlas.runtime.episodes.journal import Journal, Prompt
from atlas.runtime.policies import PolicyIdentity, Proposal, ScriptedPolicy

Atlas = Callable[..., tuple[int, Any]]


@pytest.fixture
def atlas_json(capsys: pytest.CaptureFixture[str]) -> Atlas:
    """Runs a command line in this process: exit code and the JSON object on stdout."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = invoke([*arguments, "--json"])
        out = capsys.readouterr().out
        return code, json.loads(out) if out.strip() else None

    return run


def log_of(home: str, outcomes: list[float | None]) -> None:
    with EpisodeStore(Path(home) / "episodes.db") as store:
        for number, reward in enumerate(outcomes):
            journal = Journal.begin(
                store, f"task {number}", PolicyIdentity("scripted", "h" * 64), {"budget": 999}, counting="exact", atlas="0"
            )
            reply = f"answer({number})"
            proposal = Proposal(reply, [1], [-0.1], [-0.1], 3, 1, sampler={"greedy": True})
            journal.turn(1, Prompt("user", "a task", [1, 2], True, 2, ()), proposal, reply, "bare", None)
            journal.finish("answered" if reward != 0.0 else "gave_up", number, seconds=0.1, error=None, notes=[])
            if reward is not None:
                store.set_outcome(journal.episode, "rated", reward)


@pytest.fixture
def scripts(tmp_path: Path) -> Callable[[str], str]:
    """A judge that says the same to everything."""

    def script(word: str) -> str:
        path = tmp_path / f"{word}.json"
        path.write_text(json.dumps([word] * 4_000))
        return f"scripted:{path}"

    return script


def test_a_judge_that_agrees_with_nothing_is_measured_and_exits_with_1(
    atlas_json: Atlas, atlas_home: str, scripts: Callable[[str], str]
) -> None:
    log_of(atlas_home, [1.0, 0.0] * 12)
    code, found = atlas_json("judge", "calibrate", "--model", scripts("yes"), "--episodes", "outcome=rated")
    assert code == 1 and not found["trusted"] and found["overall"]["count"] > 0
    assert set(found["categories"]) == {"fulfilment", "tool", "grounding", "parameter"}
    assert found["examples"]["episodes"] == 24 and found["flattery"] and found["milliseconds"]["gain"] > 0
    _, listed = atlas_json("judge", "list")
    assert listed["judge"] == found["judge"] and not listed["trusted"]
    code, told = atlas_json("judge", "episodes", "--model", scripts("yes"))
    assert code == 2 and "does not agree" in told["error"]["message"]


def test_what_is_wrong_is_told_with_place_and_mend(
    atlas_json: Atlas, atlas_home: str, scripts: Callable[[str], str]
) -> None:
    log_of(atlas_home, [1.0, 0.0, None])
    judge = scripts("maybe")
    for arguments, why in (
        (["--episodes", "outcome=rated"], "2 episodes have a known truth"),
        (["--episodes", "outcme=rated"], "not understood"),
        (["--worlds", "0"], "nothing to calibrate on"),
    ):
        code, told = atlas_json("judge", "calibrate", "--model", judge, *arguments)
        assert code == 2 and why in told["error"]["message"] and told["error"]["mend"]
    code, told = atlas_json("judge", "episodes", "--model", judge)
    assert code == 2 and "never calibrated" in told["error"]["message"]


def test_a_report_for_people_names_agreement_flattery_and_speed(
    atlas_home: str, scripts: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    log_of(atlas_home, [1.0, 0.0] * 12)
    assert invoke(["judge", "calibrate", "--model", scripts("no"), "--episodes", ""]) == 1
    out = capsys.readouterr().out
    assert "kappa" in out and "flattery turns" in out and "ms a criterion" in out and "may not be trained on" in out


def test_a_judge_that_answers_in_prose_gives_no_verdicts_and_no_calibration(
    atlas_json: Atlas, atlas_home: str, scripts: Callable[[str], str]
) -> None:
    log_of(atlas_home, [1.0, 0.0] * 12)
    judge = scripts("I would say that this went rather well")
    code, told = atlas_json("judge", "calibrate", "--model", judge, "--episodes", "")
    assert code == 2 and "no question with yes or no" in told["error"]["message"] and "judge train" in told["error"]["mend"]
    assert not list((Path(atlas_home) / "judges").glob("*.json"))


def test_a_judge_that_falls_for_flattery_is_found_out(
    atlas_json: Atlas, atlas_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(atlas_home, [1.0, 0.0] * 12)

    def gullible(conversation: Any) -> str:
        return "yes" if "Every criterion is met" in conversation.messages[-1]["content"] else "no"

    async def loaded(spec: str, adapter: str | None) -> ScriptedPolicy:
        return ScriptedPolicy(gullible)

    monkeypatch.setattr("atlas.commands.judge._loaded", loaded)
    code, found = atlas_json("judge", "calibrate", "--episodes", "")
    assert code == 1 and not found["trusted"] and found["flipped"] > 0
    turned = {name: one["share"] for name, one in found["flattery"].items() if one["tries"]}
    assert turned["praise in the answer"] == 1.0 and turned["order in the answer"] == 0.0
