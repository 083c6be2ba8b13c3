"""Runs one untrusted program in a locked worker process; knows nothing of MCP or models.

The public names are imported lazily, because the worker shares this package and needs only a part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .errors import SandboxBusy, SandboxClosed, SandboxError, SandboxUnavailable, ToolError
    from .host import Sandbox
    from .limits import Limits
    from .nursery import keep_warm
    from .outcome import CallRecord, ErrorInfo, Outcome

__all__ = [
    "CallRecord",
    "ErrorInfo",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxBusy",
    "SandboxClosed",
    "SandboxError",
    "SandboxUnavailable",
    "ToolError",
    "keep_warm",
]

_HOMES = {
    "CallRecord": ".outcome",
    "ErrorInfo": ".outcome",
    "Limits": ".limits",
    "Outcome": ".outcome",
    "Sandbox": ".host",
    "SandboxBusy": ".errors",
    "SandboxClosed": ".errors",
    "SandboxError": ".errors",
    "SandboxUnavailable": ".errors",
    "ToolError": ".errors",
    "keep_warm": ".nursery",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
