"""A policy that keeps its weights for a whole episode, for those that can be given others while they live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from .base import Policy


@runtime_checkable
class Swappable(Protocol):
    """A policy whose adapter can change."""

    def pinned(self, *adapter: str | Path | None, name: str | None = None) -> object:
        """A view of it that keeps the present adapter, or the one given."""
        ...


def pinned(policy: Policy, *adapter: str | Path | None, name: str | None = None) -> Policy:
    """The policy with its present adapter, or the one given, whatever is swapped later; others as they are."""
    if not isinstance(policy, Swappable):
        return policy
    return cast("Policy", policy.pinned(*adapter, name=name))
