"""Atlas: an agent runtime that makes small language models good at very large sets of MCP tools.

The public names are imported lazily, so that `import atlas` loads neither torch, llama.cpp nor the MCP SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Episode, Runtime, run
    from .sandbox import Limits, Outcome, Sandbox, ToolError

__version__ = "0.1.0"

__all__ = ["Episode", "Limits", "Outcome", "Runtime", "Sandbox", "ToolError", "__version__", "run"]

_HOMES = {
    "Episode": ".runtime",
    "Runtime": ".runtime",
    "run": ".runtime",
    "Limits": ".sandbox",
    "Outcome": ".sandbox",
    "Sandbox": ".sandbox",
    "ToolError": ".sandbox",
}


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'atlas' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
