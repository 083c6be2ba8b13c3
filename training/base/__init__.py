"""The policy's own weights in a model that can be trained, and LoRA on it."""

from __future__ import annotations

from ..errors import BaseModelError
from .lora import TARGETS, LoraSettings, with_lora
from .policy import BasePolicy, load_base

__all__ = [
    "TARGETS",
    "BaseModelError",
    "BasePolicy",
    "LoraSettings",
    "load_base",
    "with_lora",
]
