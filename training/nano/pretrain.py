"""Trains nano from random initialisation: `python -m atlas.training.nano --recipe cpu --out runs/nano`.

One straight run: tokenizer (if it is not there yet), model, stream of worlds, Muon and AdamW with warm-up, constant rate
and linear decay, a checkpoint every few minutes. Started again with the same folder it goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from .config import ModelConfig, Recipe, as_dict
from .model import Batch, Nano, to_batch
from .muon import Muon
from .start import load_weights, tokenizer_of
from .stream import Cursor, TreeStream
from .team import Team

CHECKPOINT = "checkpoint.pt"


@dataclass(slots=True)
class Progress:
    """What a checkpoint remembers beside weights and optimisers."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cursor: Cursor = field(default_factory=lambda: Cursor(0))


class Trainer:
    """The model, its optimisers, and one step over a batch."""

    def __init__(self, config: ModelConfig, recipe: Recipe, team: Team | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.config, self.team = recipe, config, team or Team()
        self.model = Nano(config).to(recipe.device)
        named = list(self.model.named_parameters())
        self.matrices = [p for name, p in named if p.dim() == 2 and "embed" not in name]
        self.others = [p for name, p in named if p.dim() != 2 or "embed" in name]
        self.kind = getattr(torch, recipe.precision)
        self.muon = Muon(self.matrices, recipe.muon_rate, recipe.muon_momentum, self.kind)
        self.adam = torch.optim.AdamW(self.others, recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.progress = Progress()

    def done(self) -> float:
        """How much of the run is done, by positions or by time."""
        share = self.progress.tokens / self.recipe.tokens
        return share if self.recipe.minutes is None else max(share, self.progress.seconds / 60 / self.recipe.minutes)

    def rate(self) -> float:
        """The share of the full learning rate at this point of the run."""
        done = self.done()
        warm = min(1.0, (self.progress.step + 1) / self.recipe.warmup_steps)
        return warm * max(0.02, min(1.0, (1.0 - done) / self.recipe.decay_share))

    def step(self, batch: Batch, rate: float | None = None) -> dict[str, float]:
        """Learn from one batch; returns the loss and the share of exactly right branches."""
        rate = self.rate() if rate is None else rate
        for group in self.muon.param_groups:
            group["lr"] = self.recipe.muon_rate * rate
        for group in self.adam.param_groups:
            group["lr"] = self.recipe.adam_rate * rate
        with torch.autocast(self.recipe.device, torch.bfloat16, enabled=self.kind == torch.bfloat16):
            logits = self.model.logits(batch)
        loss = F.cross_entropy(logits.float(), batch.labels)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.progress.step}; lower muon_rate or adam_rate")
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.share_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.others, self.recipe.gradient_clip)
        self.muon.step()
        self.adam.step()
        self.muon.zero_grad()
        self.adam.zero_grad()
        return {"loss": loss.item(), "exact": exactness(logits, batch), "rate": rate}


def exactness(logits: torch.Tensor, batch: Batch) -> float:
    """Share of branches whose every target is the most likely token, which equals greedy exactness."""
    wrong = torch.zeros(batch.branches, device=logits.device)
    wrong.index_add_(0, batch.branch_of_row, (logits.argmax(-1) != batch.labels).float())
    return float((wrong == 0).float().mean())


def pretrain(
    config: ModelConfig, recipe: Recipe, folder: Path, *, minutes: float | None = None, start: Path | None = None
) -> None:
    """Run or go on with a run in `folder`; `minutes` stops early with a checkpoint.

    `start` is a nano GGUF whose vocabulary and weights a new run begins with, in place of random ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if start is not None and not (folder / "tokenizer.json").exists():
        tokenizer_of(start, folder)
    prepare_vocabulary(config, recipe, folder)
    (folder / "config.json").write_text(json.dumps({"model": as_dict(config), "recipe": as_dict(recipe)}, indent=1))
    team = Team.lead(recipe.workers, _follow, config, recipe, folder, start)
    try:
        _train(Trainer(config, recipe, team), folder, start, minutes)
    finally:
        team.close()


def _follow(team: Team, config: ModelConfig, recipe: Recipe, folder: Path, start: Path | None) -> None:
    _train(Trainer(config, recipe, team), folder, start, None)


def _train(trainer: Trainer, folder: Path, start: Path | None, minutes: float | None) -> None:
    if start is not None:
        load_weights(trainer.model, start)
    _restore(trainer, folder)
    if trainer.recipe.tokens > 1_000_000:
        trainer.model.speed_up()
    stream = TreeStream(
        trainer.recipe, folder, trainer.progress.cursor, progress=trainer.done(), rank=trainer.team.rank
    )  # fmt: skip
    try:
        _loop(trainer, stream, folder, minutes)
    finally:
        stream.close()


def _loop(trainer: Trainer, stream: TreeStream, folder: Path, minutes: float | None) -> None:
    """Steps until the leader says that it is over."""
    progress, recipe, team = trainer.progress, trainer.recipe, trainer.team
    began = saved = start = time.monotonic()
    for flat, cursor in stream.batches():
        batch = to_batch(flat, recipe.device)
        row: dict[str, Any] = trainer.step(batch, team.told(trainer.rate())[0])
        seconds, start = time.monotonic() - start, time.monotonic()
        progress.step += 1
        progress.tokens += batch.ids.numel() * team.size
        progress.seconds += seconds
        progress.cursor = cursor
        stream.report(trainer.done())
        out_of_time = minutes is not None and time.monotonic() - began > minutes * 60
        [over] = team.told(trainer.done() >= 1 or out_of_time)
        if team.rank == 0:
            _record(row, batch, progress, recipe, folder)
            if over or time.monotonic() - saved > recipe.checkpoint_minutes * 60:
                save(trainer, folder)
                saved = time.monotonic()
        if over:
            return


def _record(row: dict[str, Any], batch: Batch, progress: Progress, recipe: Recipe, folder: Path) -> None:
    row |= {"step": progress.step, "tokens": progress.tokens, "targets": batch.labels.numel(),
            "branches": batch.branches, "seconds": round(progress.seconds, 1)}  # fmt: skip
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        metrics.write(json.dumps(row) + "\n")
    if progress.step % 10 == 0:
        _say(row, progress, recipe)


def _say(row: dict[str, Any], progress: Progress, recipe: Recipe) -> None:
    speed = progress.tokens / max(progress.seconds, 1e-9)
    left = (recipe.tokens - progress.tokens) / max(speed, 1e-9) / 60
    print(
        f"step {progress.step}  tokens {progress.tokens / 1e6:.2f}/{recipe.tokens / 1e6:.0f} M  loss {row['loss']:.3f}  "
        f"exact {row['exact']:.0%}  {speed:.0f} tokens/s  {left:.0f} min left", file=sys.stderr, flush=True,
    )  # fmt: skip


def prepare_vocabulary(config: ModelConfig, recipe: Recipe, folder: Path) -> None:
    """Make tokenizer and lexicon from practice worlds and the wide corpus, unless they are there."""
    known = (folder / "tokenizer.json").exists()
    if known and (folder / "lexicon.txt").exists():
        return
    from . import tokenizer as tokens
    from .corpus import vocabulary_texts

    texts, words = vocabulary_texts()
    if not known:
        tokens.save(tokens.train_tokenizer(texts, vocabulary=config.vocabulary), folder)
    (folder / "lexicon.txt").write_text("\n".join(words), encoding="utf-8")


def save(trainer: Trainer, folder: Path) -> None:
    """Write a checkpoint beside the old one, then put it in its place."""
    state = {
        "model": trainer.model.state_dict(),
        "muon": trainer.muon.state_dict(),
        "adam": trainer.adam.state_dict(),
        "progress": {"step": trainer.progress.step, "tokens": trainer.progress.tokens,
                     "seconds": trainer.progress.seconds, "seed": trainer.progress.cursor.seed},
        "torch_random": torch.get_rng_state(),
    }  # fmt: skip
    fresh = folder / (CHECKPOINT + ".new")
    torch.save(state, fresh)
    fresh.replace(folder / CHECKPOINT)


def _restore(trainer: Trainer, folder: Path) -> None:
    path = folder / CHECKPOINT
    if not path.exists():
        return
    state = torch.load(path, map_location=trainer.recipe.device, weights_only=True)
    trainer.model.load_state_dict(state["model"])
    trainer.muon.load_state_dict(state["muon"])
    trainer.adam.load_state_dict(state["adam"])
    torch.set_rng_state(state["torch_random"].cpu())
    kept = state["progress"]
    trainer.progress = Progress(kept["step"], kept["tokens"], kept["seconds"], Cursor(kept["seed"]))


def load_model(folder: Path) -> Nano:
    """The model of a run's last checkpoint, for export and scoring."""
    config = ModelConfig(**json.loads((folder / "config.json").read_text())["model"])
    model = Nano(config)
    model.load_state_dict(torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["model"])
    return model.eval()
