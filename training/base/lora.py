"""LoRA over a frozen base: which matrices, which rank, and the same start for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ..errors import BaseModelError
from .policy import BasePolicy

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Every linear layer of a block: this beats attention alone at the same number of weights, and all map to GGUF."""
_SHORT = {name.removesuffix("_proj"): name for name in TARGETS}


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """The size and place of an adapter; its effect is scaled by alpha / rank."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = TARGETS

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(_SHORT.get(name, name) for name in self.targets))
        unknown = [name for name in self.targets if name not in TARGETS]
        if unknown or not self.targets:
            wrong = f"cannot adapt {', '.join(unknown)}" if unknown else "no matrix is to be adapted"
            raise BaseModelError(wrong, where="LoraSettings.targets", mend=f"choose among {', '.join(TARGETS)}")
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise BaseModelError(
                f"rank {self.rank}, alpha {self.alpha:g} and dropout {self.dropout:g} make no adapter",
                where="LoraSettings",
                mend="give a rank of at least 1, a positive alpha and a dropout below 1",
            )

    def to_json(self) -> dict[str, Any]:
        """As written beside the adapter."""
        return asdict(self) | {"targets": list(self.targets)}


def with_lora(base: BasePolicy, settings: LoraSettings, *, seed: int) -> Any:
    """The base with a fresh, trainable adapter (a `peft.PeftModel`). The base's own weights stay frozen.

    peft puts its layers into the model itself: call `unload()` on the result before making another one from the
    same base. The random state of torch is left as it was.
    """
    import peft

    config = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft divides it, whole or not
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets), bias="none", task_type="CAUSAL_LM",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), quiet_peft():
        torch.manual_seed(seed)
        model = peft.get_peft_model(base.model, config)
    model.peft_config["default"].base_model_name_or_path = base.source
    return model


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warning about a property that peft 0.21 asks transformers 5 for by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield
