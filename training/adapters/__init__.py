"""Adapters: saved for peft and for llama.cpp, compared with what llama.cpp computes, kept and promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .store import AdapterStore, StoredAdapter

if TYPE_CHECKING:
    from .agreement import Parity, parity
    from .save import save_adapter

__all__ = ["AdapterStore", "Parity", "StoredAdapter", "parity", "save_adapter"]


def __getattr__(name: str) -> object:
    """What needs torch is imported on first use: listing adapters does not."""
    if name == "save_adapter":
        from .save import save_adapter

        return save_adapter
    if name in ("Parity", "parity"):
        from . import agreement as module

        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
