"""The trainer: owns a model, its optimiser and its place in the data, takes steps over rows, and survives `kill -9`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CheckpointError, NotFinite, SettingsError
from ..rows import Row, check
from . import checkpoint as files
from . import objective
from .critic import PREFIX, Critic, ValueHead
from .data import batch, fingerprint
from .log import RunLog
from .metrics import Ratios, StepMetrics, by_turn, peak_memory_mb, policy_shares, ratios_of, warnings_of
from .runner import Pass, Runner
from .settings import LearnSettings
from .terms import RL, SCORE, Counts, Floats, Terms, needed, score_terms, terms_of

_MAY_CHANGE = frozenset((
    "steps", "save_every", "share_prefixes", "block_tokens", "gradient_checkpointing", "max_row_tokens",
))  # fmt: skip
"""Settings that may differ when a run goes on: they do not change what a step computes (`steps` does when rates decay)."""


class Trainer:
    """Takes optimiser steps over rows, on the parameters of `model` that ask for gradients (a LoRA adapter)."""

    def __init__(self, model: nn.Module, settings: LearnSettings, folder: str | Path, *, device: str = "cpu") -> None:
        self.settings = settings
        self.folder = Path(folder)
        self.model = _prepared(model, settings, device)
        self._runner = Runner(
            self.model, share=settings.share_prefixes, block_tokens=settings.block_tokens,
            gradient_checkpointing=settings.gradient_checkpointing,
        )  # fmt: skip
        policy = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self._head = ValueHead(self._runner.width, self._runner.device) if settings.value_weight else None
        head = {f"{PREFIX}{name}": weight for name, weight in self._head.named_parameters()} if self._head else {}
        self._weights = policy | head
        if not policy:
            raise SettingsError("the model has nothing to train", where="model", mend="put a LoRA adapter on it (with_lora)")
        groups = [{"params": list(policy.values()), "scale": 1.0}]
        if head:
            groups.append({"params": list(head.values()), "scale": settings.value_rate})
        self._optimizer = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
        )
        self.step_number = 0
        """Optimiser steps taken."""
        self.cursor = 0
        """Batches taken by `run`."""
        self.versions: list[str] = []
        """Policy versions in the order in which they came to be; the caller appends. Empty: no row is stale."""
        self.extra: dict[str, Any] = {}
        """State of the caller that is saved and restored with the rest (JSON)."""
        self._rows = ""
        self._log = RunLog(self.folder)

    @property
    def runner(self) -> Runner:
        """What computes log-probabilities and gradients."""
        return self._runner

    def step(self, rows: Sequence[Row]) -> StepMetrics:
        """One optimiser step over all these rows together; the weights are untouched when it raises."""
        began = time.perf_counter()
        for row in rows:
            check(row, self._runner.vocabulary)
        stale = [self._is_stale(row) for row in rows]
        terms, counts = terms_of(rows, self.settings, stale)
        if self.settings.kl_weight:
            terms = self._with_reference(rows, terms)
        self._optimizer.zero_grad(set_to_none=True)
        self.model.train()
        critic = Critic(self._head, self._value_slope) if self._head else None
        done = self._runner.run(needed(rows, terms), terms, self._slope, critic)
        losses = objective.value(terms, done.logprobs, self.settings, done.values if critic else None)
        norm = self._clipped_norm(rows, terms, done.logprobs, losses["loss"])
        rate = self.settings.rate_at(self.step_number)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step_number += 1
        metrics = self._metrics(rows, terms, counts, done, losses, norm, rate, began)
        self._log.write(self.step_number, metrics.to_json())
        return metrics

    def run(
        self, rows: Sequence[Row], *, steps: int | None = None, on_step: Callable[[StepMetrics], None] = lambda metrics: None
    ) -> list[StepMetrics]:
        """Steps over batches of fixed rows until `steps` in all are taken, saving as it goes; goes on where it stopped."""
        mark = fingerprint(rows)
        if self._rows and self._rows != mark:
            raise CheckpointError(
                "these are not the rows that the run was started with", where=str(self.folder),
                mend="go on with the same episodes and weights, or begin in another folder",
            )  # fmt: skip
        self._rows = mark
        taken = []
        while self.step_number < (self.settings.steps if steps is None else steps):
            metrics = self.step(batch(rows, self.cursor, self.settings.step_rows, self.settings.seed))
            self.cursor += 1
            taken.append(metrics)
            if self.step_number % self.settings.save_every == 0:
                self.save()
            on_step(metrics)
        self.save()
        return taken

    def save(self) -> None:
        """Write a checkpoint; the old one stays until the new one is whole."""
        weights = {name: weight.detach().cpu() for name, weight in self._weights.items()}
        files.save(
            self.folder,
            files.Checkpoint(
                self.step_number, self.cursor, self.settings.to_json(), weights, self._optimizer.state_dict(), self._rows,
                self.versions, self.extra,
            ),
        )  # fmt: skip

    def restore(self) -> bool:
        """Go on from the last checkpoint of the folder; False where there is none."""
        found = files.load(self.folder)
        if found is None:
            return False
        self._refuse_other(found)
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(found.weights[name])
        self._optimizer.load_state_dict(found.optimizer)
        self.step_number, self.cursor, self._rows = found.step, found.cursor, found.rows
        self.versions, self.extra = found.versions, found.extra
        self._log.begin(self.step_number)
        return True

    def config(self, values: dict[str, Any]) -> None:
        """Write config.json: the settings, and what the caller adds."""
        self._log.config({"settings": self.settings.to_json()} | values)

    def logprobs(self, rows: Sequence[Row], *, at_temperature: bool = False, base: bool = False) -> list[list[float]]:
        """Of each row the log-probabilities of its sampled tokens, under the raw policy as it is now, or under its base."""
        terms = score_terms(rows, at_temperature=at_temperature)
        values = self._scores(rows, terms, base=base)
        return [values[terms.row == number].tolist() for number in range(len(rows))]

    def ratios(self, rows: Sequence[Row]) -> Ratios:
        """How far the policy is now from the one that wrote these rows, over the tokens that a step would reinforce."""
        terms, _ = terms_of(rows, self.settings, [self._is_stale(row) for row in rows])
        own = terms.where(terms.kind == RL)
        if not len(own):
            return Ratios()
        scored = replace(own, kind=np.full(len(own), SCORE))
        return ratios_of(self._scores(rows, scored, base=False), own.behaviour)

    def values(self, rows: Sequence[Row]) -> list[list[float]]:
        """Of each row the critic's value of the state that each sampled token was sampled in; 0 at other tokens."""
        if self._head is None:
            raise SettingsError("this trainer has no value head", where="value_weight", mend="set value_weight above 0")
        terms = score_terms(rows)
        with self._frozen():
            valued = self._runner.run(needed(rows, terms), terms, None, Critic(self._head)).values
        found = [[0.0] * len(row.ids) for row in rows]
        for row, place, value in zip(terms.row.tolist(), terms.place.tolist(), valued.tolist(), strict=True):
            found[row][place] = value
        return found

    def _value_slope(self, terms: Terms, values: Tensor) -> Tensor:
        return objective.value_slope(objective.Losses.of(terms, values.device), values, self.settings)

    def _slope(self, terms: Terms, logprobs: Tensor) -> Tensor:
        return objective.slope(objective.Losses.of(terms, logprobs.device), logprobs, self.settings)

    def _scores(self, rows: Sequence[Row], terms: Terms, *, base: bool) -> Floats:
        with self._frozen(), _without_adapter(self.model) if base else nullcontext():
            return self._runner.run(needed(rows, terms), terms, None).logprobs

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)

    def _with_reference(self, rows: Sequence[Row], terms: Terms) -> Terms:
        chosen = np.nonzero(terms.kind == RL)[0]
        values = np.zeros(len(terms))
        scored = replace(terms.where(chosen), kind=np.full(len(chosen), SCORE))
        values[chosen] = self._scores(rows, scored, base=True)
        return terms.with_reference(values)

    def _clipped_norm(self, rows: Sequence[Row], terms: Terms, logprobs: Floats, loss: float) -> float:
        limit = self.settings.gradient_clip or float("inf")
        apart: list[list[Tensor]] = [[], []]  # the value head must not use up what the policy may move
        for name, weight in self._weights.items():
            apart[name.startswith(PREFIX)].append(weight)
        norms = [float(nn.utils.clip_grad_norm_(part, limit)) if len(terms) and part else 0.0 for part in apart]
        norm = norms[0] if np.isfinite(norms[1]) else norms[1]
        if np.isfinite(loss) and np.isfinite(norm):
            return norm
        self._optimizer.zero_grad(set_to_none=True)
        suspects = sorted(set(terms.row[~np.isfinite(logprobs)].tolist()))
        bad = [rows[row].name for row in suspects if not np.isfinite(self.logprobs([rows[row]])[0]).all()]
        raise NotFinite(
            f"step {self.step_number + 1}: the loss is {loss} and the gradient {norm}",
            where=", ".join(bad[:4]) or "gradient",
            mend="lower the learning rate, use float32, or leave these rows out; then go on with --resume",
        )  # fmt: skip

    def _metrics(
        self, rows: Sequence[Row], terms: Terms, counts: Counts, done: Pass, losses: dict[str, float], norm: float,
        rate: float, began: float,
    ) -> StepMetrics:  # fmt: skip
        ratios, clipped, capped = policy_shares(terms, done.logprobs, self.settings)
        on_gpu = self._runner.device.type == "cuda"
        return StepMetrics(
            step=self.step_number, **losses, grad_norm=norm, learning_rate=rate, rows=len(rows), row_tokens=done.row_tokens,
            computed_tokens=done.tokens, ce_tokens=counts.ce_tokens, rl_tokens=counts.rl_tokens,
            forced_tokens=counts.forced_tokens, stale_rows=counts.stale_rows, clipped_share=clipped, capped_share=capped,
            ratios=ratios, turn_k3=by_turn(rows, terms, done.logprobs), seconds=time.perf_counter() - began,
            peak_memory_mb=torch.cuda.max_memory_allocated() / (1 << 20) if on_gpu else peak_memory_mb(),
            warnings=warnings_of(ratios, counts.stale_rows),
        )  # fmt: skip

    def _is_stale(self, row: Row) -> bool:
        """Too many versions old, or of a version that is not among those of this run."""
        if not self.versions or not any(row.rl_weight):
            return False
        if row.policy_version not in self.versions:
            return True
        return len(self.versions) - 1 - self.versions.index(row.policy_version) > self.settings.staleness

    def _refuse_other(self, found: files.Checkpoint) -> None:
        mine = self.settings.to_json()
        other = [name for name, value in found.settings.items() if name not in _MAY_CHANGE and mine.get(name) != value]
        shapes = {name: tuple(weight.shape) for name, weight in self._weights.items()}
        if other:
            problem = f"it was made with {other[0]} = {found.settings[other[0]]!r}, and this run has {mine.get(other[0])!r}"
        elif {name: tuple(weight.shape) for name, weight in found.weights.items()} != shapes:
            problem = "it is of another model or adapter shape"
        else:
            return
        raise CheckpointError(
            f"the checkpoint does not fit: {problem}", where=str(self.folder / files.FILE),
            mend="go on with the same settings, or begin in another folder",
        )  # fmt: skip


def _prepared(model: nn.Module, settings: LearnSettings, device: str) -> nn.Module:
    """The model on its device; in bfloat16 only the frozen weights are rounded, the trained ones stay exact."""
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(
            f"the device {device!r} cannot be used: {str(error).splitlines()[0]}", where="device", mend="use cpu"
        ) from error
    if settings.precision == "bfloat16":
        for weight in model.parameters():
            if not weight.requires_grad:
                weight.data = weight.data.to(torch.bfloat16)
    return model


def _without_adapter(model: nn.Module) -> AbstractContextManager[Any]:
    disable = getattr(model, "disable_adapter", None)
    if disable is None:
        raise SettingsError(
            "a KL term needs the base model beside the adapter",
            where="kl_weight",
            mend="set kl_weight to 0, or train with LoRA",
        )
    context: AbstractContextManager[Any] = disable()
    return context
