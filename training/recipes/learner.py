"""The policy while it learns: its trainable copy, the trainer, and the served model that gets every new version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RecipeError
from ..rows import Row

if TYPE_CHECKING:
    from ...runtime.policies.llama import LlamaPolicy
    from ..base import BasePolicy
    from ..learn import LearnSettings, Trainer
    from .folder import RunFolder
    from .options import TrainOptions

_CHECKED_SEQUENCES = 4
"""Episodes on which trainer and llama.cpp are compared before an adapter is exported."""
_CHECKED_ROWS = 8
"""Rows whose logged tokens are scored again before the first step."""


@dataclass(slots=True)
class Learner:
    """Base weights with a LoRA on top, and the llama.cpp policy that practises with them."""

    policy: LlamaPolicy
    base: BasePolicy
    model: Any
    options: TrainOptions
    folder: RunFolder
    specimens: list[list[int]] = field(default_factory=list)
    """Token ids of real episodes, for the comparison at export."""

    @classmethod
    def open(cls, policy: LlamaPolicy, options: TrainOptions, folder: RunFolder) -> Learner:
        """Load the trainable copy. Raises `BaseModelError` for a model that cannot be trained."""
        import torch

        from ..base import LoraSettings, load_base, with_lora

        if options.threads:
            torch.set_num_threads(options.threads)
        dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
        base = load_base(options.model, device=options.device, dtype=dtype)
        if base.base_hash != policy.identity.base_hash:
            raise RecipeError(
                "the weights to train are not those that are served", where=options.model,
                mend="give the same --model for collecting episodes and for training",
            )  # fmt: skip
        model = with_lora(base, LoraSettings(rank=options.rank, alpha=options.alpha), seed=options.seed)
        return cls(policy, base, model, options, folder)

    def trainer(self, phase: str, settings: LearnSettings) -> Trainer:
        """The trainer of one phase, over the same weights as the phase before."""
        from ..learn import Trainer

        return Trainer(self.model, settings, self.folder.checkpoint(phase), device=self.options.device)

    def remember(self, rows: Sequence[Row]) -> None:
        """Keep some rows for the comparison at export."""
        room = _CHECKED_SEQUENCES - len(self.specimens)
        if room > 0:
            self.specimens += [row.ids for row in sorted(rows, key=lambda row: len(row.ids))[:room]]

    def check_served(self, trainer: Trainer, rows: Sequence[Row]) -> None:
        """Before a phase's first step: the trainer scores what the served weights, its own, have just written as they did.

        Raises `Disagreement`.
        """
        from ..learn import preflight

        if not trainer.step_number:
            preflight(trainer, rows, most_rows=_CHECKED_ROWS)

    def check_base(self, trainer: Trainer, rows: Sequence[Row]) -> None:
        """The same for logged rows of the base model, scored without the adapter: a phase before may have taught it."""
        from ..learn import preflight

        with self.model.disable_adapter():
            preflight(trainer, [row for row in rows if row.adapter_hash is None], most_rows=_CHECKED_ROWS)

    def serve(self, version: str) -> None:
        """Export the weights as they are now, and practise with them from here on."""
        from ..adapters import save_adapter

        path = save_adapter(self.model, self.base, self.folder.path / "serving", run=f"{self.folder.name} {version}")
        self.policy.use_adapter(path)

    def save(self, target: Path, *, told: Callable[[str], None]) -> Path:
        """Save the adapter for good, compared with llama.cpp on real episodes; nothing is left where that fails."""
        from ..adapters import save_adapter

        told("comparing trainer and llama.cpp, and saving the adapter")
        settings = {"recipe": self.options.recipe, "options": self.options.to_json()}
        return save_adapter(
            self.model, self.base, target, run=self.folder.name, settings=settings, check=self.specimens
        )  # fmt: skip
