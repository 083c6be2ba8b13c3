"""`atlas train` where it is killed, the disk fills, the loss is no number, or a live server stands by."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from atlas.runtime import Runtime
from atlas.runtime.episodes import EpisodeStore, open_store
from atlas.runtime.episodes.codec import pack_floats
from atlas.runtime.policies.llama import LlamaPolicy
from atlas.training.rubrics import RubricStore
from atlas.training.rubrics.files import parse_rubric

from .done import Done
from .trained import nest as nests
from .trained.commands import Nest, losses
from .trained.logs import Log, tiny_model

HALF = [1.0, 0.0] * 6
SMALL = ["--eval-limit", "0", "--rank", "2", "--threads", "1"]


def no_adapter(home: str | Path) -> bool:
    """Nothing is among the adapters, whole or half."""
    folder = Path(home) / "adapters"
    return not folder.exists() or not list(folder.iterdir())


OFFLINE = ["rubric", "--offline", "--reward", "outcome"]


@pytest.mark.parametrize(
    "recipe", [pytest.param(["sft"], id="sft"), pytest.param(OFFLINE, id="offline", marks=pytest.mark.kill)]
)
def test_a_killed_run_goes_on_to_the_losses_of_one_that_was_not(
    nest: Nest, model: Path, atlas_home: str, tmp_path: Path, recipe: list[str]
):
    Log(atlas_home, model).fill(HALF)
    asked = ["--model", str(model), *SMALL, "--steps", "14", "--recipe", *recipe]
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    phase = "imitate" if recipe == ["sft"] else "replay"
    assert nest.train(atlas_home, *asked, "--out", str(whole)).code == 0
    kept = sorted(Path(atlas_home, "adapters").iterdir())
    for step in (3, 13):  # before the first checkpoint, and after it
        order = {"what": "kill", "phase": phase, "step": step}
        again = [*asked, "--out", str(hurt)] if step == 3 else ["--resume", "--out", str(hurt)]
        assert nest.train(atlas_home, *again, hurt=order).code == -9
        assert sorted(Path(atlas_home, "adapters").iterdir()) == kept
    done = nest.train(atlas_home, "--resume", "--out", str(hurt))
    assert done.code == 0 and done.json["steps"] == 14, done.err
    assert losses(hurt) == losses(whole) and len(losses(whole)) == 14


def test_a_loss_that_is_no_number_ends_the_run_without_an_adapter(nest: Nest, model: Path, atlas_home: str, tmp_path: Path):
    Log(atlas_home, model).fill(HALF)
    asked = ["--model", str(model), *SMALL, "--steps", "3", "--recipe", "sft"]
    done = nest.train(atlas_home, *asked, hurt={"what": "nan"})
    error = done.json["error"]
    assert done.code == 1 and error["type"] == "NotFinite" and "step 1: the loss is nan" in error["message"]
    assert error["where"] and "lower the learning rate" in error["mend"] and no_adapter(atlas_home)
    assert nest.train(atlas_home, "--resume").code == 0 and not no_adapter(atlas_home)


@pytest.mark.parametrize(
    "where",
    [{"bytes": 4_000, "phase": phase} for phase in ("checkpoint", "save")],
    ids=["while it learns", "while it saves"],
)
def test_a_disk_that_fills_leaves_no_half_adapter_and_the_run_goes_on_when_there_is_room(
    nest: Nest, model: Path, atlas_home: str, where: dict[str, Any]
):
    Log(atlas_home, model).fill(HALF)
    asked = ["--model", str(model), *SMALL, "--steps", "2", "--recipe", "sft"]
    done = nest.train(atlas_home, *asked, hurt={"what": "full"} | where)
    error = done.json["error"]
    assert done.code in (1, 2) and "free some" in error["mend"] and "resume" in error["mend"], done
    assert str(atlas_home) in error["where"] and no_adapter(atlas_home)
    done = nest.train(atlas_home, "--resume")
    assert done.code == 0 and Path(done.json["adapter"]).is_file()


OTHERWISE = ("is not the one that wrote these episodes", "k3")


def stopped_before_a_step(done: Done, run: Path) -> bool:
    """It ended because trainer and policy differ, and nothing was learned."""
    error = done.json["error"]["message"]
    return done.code == 1 and all(word in error for word in OTHERWISE) and not (run / "metrics.jsonl").exists()


def test_logged_tokens_that_the_model_scores_otherwise_stop_a_run_on_the_log_alone(
    nest: Nest, model: Path, atlas_home: str, tmp_path: Path
):
    log = Log(atlas_home, model)
    log.fill(HALF)
    with open_store(log.home) as store, store.transaction() as connection:
        for row in connection.execute("SELECT episode, turn, generated_tokens FROM turns").fetchall():
            wrong = pack_floats([-3.0] * row[2])
            connection.execute("UPDATE turns SET logprobs = ? WHERE episode = ? AND turn = ?", (wrong, row[0], row[1]))
    asked = ["--model", str(model), *SMALL, "--steps", "1", "--recipe", *OFFLINE]
    assert stopped_before_a_step(nest.train(atlas_home, *asked, "--out", str(tmp_path)), tmp_path)


MAIL = Path(__file__).parents[1] / "mail_server.py"
SENDS = 'answer(mail.send_email(to=mail.find_address(name="Ann"), text="hello"))'
NOTHING = 'answer("nothing")'
LOOKS = 'answer(mail.find_address(name="Ann"))'
STRAYS = 'answer(mail.send_email(to="eve@example.org", text="all your files"))'


TASK = "Write to Ann."
RUBRIC = """task = "Write to Ann."

[[criteria]]
category = "fulfilment"
text = "It looks up where Ann is to be reached"
check = { kind = "called", tools = ["mail.find_address"] }

[[criteria]]
category = "tool"
text = "It sends an email"
check = { kind = "called", tools = ["mail.send_email"] }
"""


def live_episodes(model: Path, config: Path, workspace: Path) -> None:
    """What a user did with the live server: eight tasks, half of which went well."""
    policy = LlamaPolicy(model)
    nests.speak([SENDS, LOOKS])

    async def go() -> None:
        async with Runtime(policy, mcp=config, workspace=workspace, approve="auto", temperature=1.0) as runtime:
            for _ in range(8):
                episode = await runtime.run(TASK)
                solved = "sent to" in str(episode.answer)
                runtime.store.set_outcome(episode.id, "rated", 1.0 if solved else 0.0)
        await policy.aclose()

    asyncio.run(go())


@dataclass(frozen=True)
class Mail:
    """A model, and a log in which it used a mail server that counts."""

    model: Path
    count: Path
    workspace: Path

    @property
    def sent(self) -> list[str]:
        """The addresses to which emails really went."""
        return self.count.read_text().splitlines()

    @property
    def asked(self) -> list[str]:
        """How to train on that log."""
        return ["--model", str(self.model), *SMALL, "--group", "4", "--tasks", "2", "--patience", "0"]


@pytest.fixture
def mail(atlas_home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mail:
    monkeypatch.setattr(LlamaPolicy, "_generate", LlamaPolicy._generate)  # undone after the test
    model = tiny_model(tmp_path, context_tokens=8192)
    count, config = tmp_path / "sent.txt", tmp_path / "mcp.json"
    server = {"command": sys.executable, "args": [str(MAIL), str(count)], "trustHints": True}
    config.write_text(json.dumps({"mcpServers": {"mail": server}}))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    live_episodes(model, config, workspace)
    rubrics = RubricStore(Path(atlas_home))
    rubrics.put(parse_rubric(tomllib.loads(RUBRIC), where="test"))
    return Mail(model, count, workspace)


OTHERS = [pytest.param(one, marks=pytest.mark.slow) for one in ("sft", "critical", "rubric")]


@pytest.mark.parametrize("recipe", ["full", *OTHERS])
def test_practice_sends_no_email(nest: Nest, mail: Mail, atlas_home: str, tmp_path: Path, recipe: str):
    sent = mail.sent
    assert sent == ["ann@example.org"] * 4
    out = tmp_path / "run"
    done = nest.train(
        atlas_home, *mail.asked, "--steps", "1", "--recipe", recipe, "--out", str(out), "--continuations", "3",
        cwd=mail.workspace, replies=[STRAYS, LOOKS, NOTHING, SENDS],
    )  # fmt: skip
    assert done.code == 0 and mail.sent == sent, done
    tried = practised(out)
    assert recipe in ("sft", "critical") or any("mail.send_email" in one for one in tried), done.err
    with open_store(Path(atlas_home)) as store:
        assert len(store.ids()) == 8


@pytest.mark.kill
def test_reinforcement_killed_in_a_step_goes_on_with_the_journalled_rollouts(
    nest: Nest, mail: Mail, atlas_home: str, tmp_path: Path
):
    whole, hurt = tmp_path / "whole", tmp_path / "hurt"
    asked = [*mail.asked, "--steps", "3", "--recipe", "rubric"]
    more: dict[str, Any] = {"cwd": mail.workspace, "replies": [SENDS, LOOKS, NOTHING, LOOKS]}
    assert nest.train(atlas_home, *asked, "--out", str(whole), **more).code == 0
    order = {"what": "kill", "phase": "reinforce", "step": 2}
    assert nest.train(atlas_home, *asked, "--out", str(hurt), hurt=order, **more).code == -9
    journalled = (hurt / "rollouts.jsonl").read_text().splitlines()
    done = nest.train(atlas_home, "--resume", "--out", str(hurt), **more)
    assert done.code == 0 and (hurt / "rollouts.jsonl").read_text().splitlines()[: len(journalled)] == journalled
    assert losses(hurt) == losses(whole) and len(losses(whole)) == 3


def test_rollouts_that_the_trainer_scores_otherwise_stop_the_run(nest: Nest, mail: Mail, atlas_home: str, tmp_path: Path):
    done = nest.train(
        atlas_home, *mail.asked, "--steps", "1", "--recipe", "rubric", "--out", str(tmp_path / "run"),
        cwd=mail.workspace, replies=[SENDS, LOOKS, NOTHING, LOOKS], logprob=-3.0,
    )  # fmt: skip
    assert stopped_before_a_step(done, tmp_path / "run"), done


def practised(run: Path) -> list[str]:
    """The programs of all rollouts of a run."""
    with EpisodeStore(run / "practice.db") as store:
        return [turn.program or "" for name in store.ids() for turn in store.get(name).turns]
