"""Before a prompt is planned, a policy may find out what the plan depends on: its context, and how it counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .options import reply_tokens
from .policies.errors import ModelError

if TYPE_CHECKING:
    from .options import RunOptions
    from .policies.base import Policy


@runtime_checkable
class Preparing(Protocol):
    """A policy that knows its context and its counting only after it asked."""

    async def prepare(self, tokens: int | None = None) -> None:
        """Find them out; `tokens` is what the user wants prompt and reply to take together. Raises `ModelError`."""
        ...


async def prepare(policy: Policy, options: RunOptions) -> None:
    """Let the policy prepare for a run under these options; others are ready as they are.

    A model that fails here fails again at its first reply, where the log of the episode tells it.
    """
    if isinstance(policy, Preparing):
        with suppress(ModelError):
            await policy.prepare(options.budget + reply_tokens(policy) if options.budget else None)
