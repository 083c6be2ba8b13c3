"""The loop: prompt, policy, program, result, episode. The public names are imported lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .approval import ApprovalRequest
    from .episodes.episode import Episode
    from .episodes.store import EpisodeStore
    from .gate import PendingCall
    from .once import run
    from .runtime import Runtime

__all__ = ["ApprovalRequest", "Episode", "EpisodeStore", "PendingCall", "Runtime", "run"]

_HOMES = {
    "ApprovalRequest": ".approval",
    "Episode": ".episodes.episode",
    "EpisodeStore": ".episodes.store",
    "PendingCall": ".gate",
    "Runtime": ".runtime",
    "run": ".once",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
