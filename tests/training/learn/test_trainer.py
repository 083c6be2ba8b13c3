"""The trainer learns, tells what it does, and goes on after a kill as if nothing had been."""

from __future__ import annotations

import itertools
import json
import math
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.training.errors import CheckpointError, Disagreement, NotFinite, SettingsError
from atlas.training.learn import LearnSettings, Trainer, preflight
from atlas.training.learn.data import batch
from atlas.training.learn.events import checksum

from ...waiting import ended
from .conftest import adapted, family_of_rows, make_row, tiny

SETTINGS = LearnSettings(learning_rate=0.01, steps=6, step_rows=3, save_every=2)


def supervised(rows: list[Any]) -> list[Any]:
    """The same rows with equal supervised weights and nothing else."""
    return [
        replace(row, ce_weight=[float(flag) for flag in row.loss_mask], rl_weight=[0.0] * len(row.ids), rollout=f"s{number}")
        for number, row in enumerate(rows)
    ]


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(line["step"], line["loss"]) for line in map(json.loads, lines)]


def test_supervised_steps_teach_the_rows(tmp_path: Path):
    trainer = Trainer(adapted(), replace(SETTINGS, steps=12, step_rows=8, learning_rate=0.03), tmp_path)
    taken = trainer.run(supervised(family_of_rows()))
    assert taken[-1].loss < taken[0].loss - 0.1
    assert [step for step, _ in losses(tmp_path)] == list(range(1, 13))


def test_policy_gradient_steps_raise_what_had_advantage_and_lower_the_rest(tmp_path: Path):
    model = adapted()
    random_ids = np.random.default_rng(5).integers(0, 97, (2, 30))
    rows = [make_row(ids, [0] * 20 + [1] * 10, rollout=f"r{number}") for number, ids in enumerate(random_ids)]
    trainer = Trainer(model, replace(SETTINGS, learning_rate=0.003), tmp_path)
    before = trainer.logprobs(rows)
    weighed = [
        replace(row, rl_weight=[0.0] * 20 + [1.0] * 10, advantage=[0.0] * 20 + [sign] * 10,
                behaviour_logprob=[0.0] * 20 + logged)
        for row, sign, logged in zip(rows, (1.0, -1.0), before, strict=True)
    ]  # fmt: skip
    metrics = trainer.step(weighed)
    after = trainer.logprobs(rows)
    assert sum(after[0]) > sum(before[0]) and sum(after[1]) < sum(before[1])
    assert metrics.ratios.k3 < 1e-9 and metrics.ratios.effective_share == pytest.approx(1)
    assert metrics.clipped_share == metrics.capped_share == 0


def test_rows_far_off_policy_are_warned_of(tmp_path: Path):
    row = make_row(range(40), [0] * 10 + [1] * 30, rl_weight=[0.0] * 10 + [1.0] * 30, advantage=[0.0] * 10 + [1.0] * 30,
                   behaviour_logprob=[0.0] * 10 + [-14.0] * 3 + [-0.01] * 27)  # fmt: skip
    metrics = Trainer(adapted(), SETTINGS, tmp_path).step([row])
    assert metrics.ratios.effective_share < 0.3
    assert any("effective sample size" in warning for warning in metrics.warnings)


def test_the_base_model_holds_the_policy_back(tmp_path: Path):
    rows = family_of_rows()
    free = Trainer(adapted(), SETTINGS, tmp_path / "free").step(rows)
    held = Trainer(adapted(), replace(SETTINGS, kl_weight=0.1), tmp_path / "held").step(rows)
    assert free.kl_base == 0 < held.kl_base
    assert held.loss != free.loss
    with pytest.raises(SettingsError, match="needs the base model"):
        Trainer(tiny(), replace(SETTINGS, kl_weight=0.1), tmp_path / "none").step(rows)


def test_resuming_gives_the_losses_of_the_run_that_was_not_stopped(tmp_path: Path):
    rows, options = family_of_rows(), {"lora_dropout": 0.2}  # dropout: the random state must come back too
    whole = Trainer(adapted(**options), SETTINGS, tmp_path / "whole")
    torch.manual_seed(7)
    whole.run(rows)
    first = Trainer(adapted(**options), SETTINGS, tmp_path / "parts")
    first.extra["judged"] = {"a": 1.0}
    first.versions.append("v0")
    first.versions.clear()
    torch.manual_seed(7)
    random.seed(7)
    expected = random.getstate()
    first.run(rows, steps=4)
    random.random()
    first.step(rows)  # never saved
    second = Trainer(adapted(**options), SETTINGS, tmp_path / "parts")
    assert second.restore()
    assert random.getstate() == expected
    assert (second.step_number, second.extra) == (4, {"judged": {"a": 1.0}})
    second.run(rows)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    for name, weight in whole.model.named_parameters():
        assert torch.equal(weight, second.model.get_parameter(name))


CHILD = """
import importlib.util, signal, sys
import torch
from pathlib import Path
spec = importlib.util.spec_from_file_location("shared_fixtures", sys.argv[1])
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
from atlas.training.learn import LearnSettings, Trainer
torch.set_num_threads(1)

def told(metrics):
    print(metrics.step, flush=True)
    if metrics.step == 50:
        signal.pause()  # it is killed at some step, at the latest here

trainer = Trainer(made.tiny(), LearnSettings(learning_rate=0.01, steps=400, step_rows=3, save_every=2), Path(sys.argv[2]))
trainer.run(made.family_of_rows(), on_step=told)
"""


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path: Path):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(__file__).with_name("conftest.py")), str(tmp_path / "killed")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with ended(child):
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 5:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    settings = replace(SETTINGS, steps=14)
    again = Trainer(tiny(), settings, tmp_path / "killed")
    assert again.restore() and again.step_number >= 4
    settings = replace(settings, steps=again.step_number + 4)
    again.run(family_of_rows(), steps=settings.steps)
    Trainer(tiny(), settings, tmp_path / "whole").run(family_of_rows())
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("*.new"))


def test_a_loss_that_is_no_number_leaves_the_weights_alone(tmp_path: Path):
    model = adapted()
    trainer = Trainer(model, SETTINGS, tmp_path)
    trainer.run(family_of_rows(), steps=1)
    kept = (tmp_path / "checkpoint.pt").read_bytes()
    with torch.no_grad():
        model.get_base_model().model.embed_tokens.weight[3] = math.nan
    before = {name: weight.clone() for name, weight in trainer._weights.items()}
    bad = make_row([1, 2, 3, 4], [0, 0, 1, 1], ce_weight=[0.0, 0.0, 1.0, 1.0], rollout="episode-9")
    good = make_row([1, 2, 4, 5], [0, 0, 1, 1], ce_weight=[0.0, 0.0, 1.0, 1.0])
    with pytest.raises(NotFinite, match="step 2: the loss is nan") as caught:
        trainer.step([good, bad])
    assert caught.value.where == "episode-9#0"
    assert all(torch.equal(weight, before[name]) for name, weight in trainer._weights.items())
    assert trainer.step_number == 1 and (tmp_path / "checkpoint.pt").read_bytes() == kept


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """Files cannot grow beyond so many bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path):
    trainer = Trainer(adapted(), SETTINGS, tmp_path)
    rows = family_of_rows()
    trainer.run(rows, steps=2)
    kept = (tmp_path / "checkpoint.pt").read_bytes()
    with full_disk(5_000), pytest.raises(CheckpointError, match="cannot be written"):
        trainer.save()
    assert (tmp_path / "checkpoint.pt").read_bytes() == kept
    assert not list(tmp_path.glob("*.new"))
    with full_disk(100), pytest.raises(CheckpointError, match="the log of the run"):
        trainer.step(rows)
    again = Trainer(adapted(), SETTINGS, tmp_path)
    assert again.restore() and again.step_number == 2


def test_a_damaged_checkpoint_is_told(tmp_path: Path):
    Trainer(adapted(), SETTINGS, tmp_path).run(family_of_rows(), steps=1)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="cannot be read"):
        Trainer(adapted(), SETTINGS, tmp_path).restore()


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    rows = family_of_rows()
    Trainer(adapted(), SETTINGS, tmp_path).run(rows, steps=1)
    with pytest.raises(CheckpointError, match=r"learning_rate = 0\.01"):
        Trainer(adapted(), replace(SETTINGS, learning_rate=0.02), tmp_path).restore()
    with pytest.raises(CheckpointError, match="another model or adapter shape"):
        Trainer(adapted(rank=2), SETTINGS, tmp_path).restore()
    trainer = Trainer(adapted(), SETTINGS, tmp_path)
    assert trainer.restore()
    with pytest.raises(CheckpointError, match="not the rows"):
        trainer.run(rows[1:])


def test_versions_too_old_get_no_policy_gradient(tmp_path: Path):
    rows = [replace(row, policy_version=f"v{number}") for number, row in enumerate(family_of_rows()[:3])]
    trainer = Trainer(adapted(), replace(SETTINGS, staleness=1), tmp_path)
    trainer.versions += ["v0", "v1", "v2"]
    assert trainer.step(rows).stale_rows == 1
    trainer.versions = ["another"]
    assert trainer.step(rows).stale_rows == 3


def test_nothing_to_train_is_told(tmp_path: Path):
    with pytest.raises(SettingsError, match="nothing to train"):
        Trainer(tiny().requires_grad_(False), SETTINGS, tmp_path)


def test_preflight_passes_its_own_log_and_refuses_another(tmp_path: Path):
    model, rows = adapted(), family_of_rows()
    trainer = Trainer(model, SETTINGS, tmp_path)
    logged = []
    for row, values in zip(rows, map(iter, trainer.logprobs(rows)), strict=True):
        logged.append(replace(row, raw_logprob=[next(values) if flag else math.nan for flag in row.loss_mask]))
    passed = preflight(trainer, logged)
    assert passed.tokens == sum(row.reply_tokens for row in rows) and passed.k3 < 1e-9
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(8.0 if "lora_B" in name else 1.0)
    with pytest.raises(Disagreement, match=r"k3 .*, mean difference .* over") as caught:
        preflight(model, logged)
    assert caught.value.where.startswith("r")
    assert preflight(trainer, rows).tokens == 0


def test_batches_are_a_function_of_their_number():
    rows = [make_row([1, 2], [0, 1], rollout=f"r{number}", task=f"t{number % 4}") for number in range(10)]
    epoch = [batch(rows, number, 4, seed=1) for number in range(3)]
    assert sorted(row.rollout for some in epoch for row in some) == sorted(row.rollout for row in rows)
    assert [len(some) for some in epoch] == [3, 3, 4]
    assert epoch == [batch(rows, number, 4, seed=1) for number in range(3)]
    assert epoch != [batch(rows, number, 4, seed=1) for number in range(3, 6)]
    tasks = [row.task for some in epoch for row in some]
    assert sum(left != right for left, right in itertools.pairwise(tasks)) == 3


def test_event_files_hold_checked_records(tmp_path: Path):
    assert checksum(b"123456789") == 0xE3069283
    Trainer(adapted(), SETTINGS, tmp_path).run(family_of_rows(), steps=2)
    data = next(iter(tmp_path.glob("events.out.tfevents.*"))).read_bytes()
    records = 0
    while data:
        length = int.from_bytes(data[:8], "little")
        data, records = data[16 + length :], records + 1
    assert records == 4  # version, start, two steps


def test_a_config_is_written_for_people(tmp_path: Path):
    trainer = Trainer(adapted(), SETTINGS, tmp_path)
    trainer.config({"recipe": "sft"})
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["recipe"] == "sft" and stored["settings"]["learning_rate"] == 0.01
    shutil.rmtree(tmp_path)
