"""A fork over a fresh copy of the world: the recorded calls that changed something are made again there, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from ..tools_registry.errors import RegistryError
from .errors import ReplayMismatch
from .prompt import call_text

if TYPE_CHECKING:
    from ..tools_registry.registry import Registry
    from .episodes.rows import CallRow

_FATE_UNKNOWN = ("cancelled", "unknown_fate")
"""Calls that were sent and never heard of again."""


class Resending:
    """What the fresh world still lacks; what the fork did itself is never part of it, however often it is replayed."""

    def __init__(self, registry: Registry, calls: Iterable[CallRow], servers: Collection[str] | None = None) -> None:
        """`calls` are those of the parent; `servers` the identifiers of those whose world is fresh, None for all."""
        self._registry = registry
        sent = [call for call in calls if call.finished and call.sent_at is not None]
        self._left = {call.number: call for call in sent if servers is None or call.tool.partition(".")[0] in servers}

    async def turn(self, turn: int) -> None:
        """Make what is left of a turn whose program is not run again, in the order in which the calls came back."""
        calls = [call for call in self._left.values() if call.turn == turn]
        for call in sorted(calls, key=lambda call: call.completed or 0):
            await self.call(call)

    async def call(self, call: CallRow) -> None:
        """Make one call, unless that is done or changes nothing. Raises `ReplayMismatch` where it comes out otherwise."""
        if self._left.pop(call.number, None) is None:
            return
        tool = self._registry.tools.get(call.tool)
        if tool is not None and tool.read_only:
            return
        if call.error_kind in _FATE_UNKNOWN:
            raise ReplayMismatch(
                f"nobody knows whether {call_text(call.tool, call.arguments)} was done in the recorded run",
                where=f"episode {call.episode}, call {call.number}", mend="fork from an earlier call",
            )  # fmt: skip
        try:
            got = await self._registry.call(tool or self._registry.tool(call.tool), call.arguments)
            same = bool(call.ok) and got == call.value
        except RegistryError as problem:
            got, same = str(problem.message), not call.ok
        if not same:
            raise ReplayMismatch(
                f"{call_text(call.tool, call.arguments)} gave {got!r:.200} here, and "
                f"{call.value if call.ok else call.error_message!r:.200} in the recorded run",
                where=f"episode {call.episode}, call {call.number}",
                mend="fork over a copy of the workspace as it was before the recorded run",
            )
