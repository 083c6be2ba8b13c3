"""Which state belongs to which client, and how long it lives."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from ...tools_registry import sdk_internals
from .caller import Caller
from .limits import GatewayLimits
from .workbench import Workbench

Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle]


class Clients:
    """Workbenches by client.

    A client on standard input and output, or of a protocol with sessions, is known by its connection. Requests of
    2026-07-28 over HTTP stand each for itself: there a client gets a session number with its first result and sends it
    along (`numbered`).
    """

    def __init__(
        self,
        make: Callable[[], Workbench],
        limits: GatewayLimits,
        *,
        many_clients: bool,
        clock: Callable[[], float] = time.monotonic,
        later: Later | None = None,
    ) -> None:
        """`clock` gives seconds from any beginning; `later` calls back after so many of them (the event loop's)."""
        self._make, self._limits, self._many = make, limits, many_clients
        self._clock, self._later = clock, later
        self._benches: dict[object, Workbench] = {}
        self._reaper: asyncio.TimerHandle | None = None

    def numbered(self, caller: Caller) -> bool:
        """Whether this client has to send its session number along."""
        return self._many and caller.modern

    def of(self, caller: Caller, session: object) -> tuple[Workbench, str | None]:
        """The state of a client, and its session number where it needs one. Raises `MCPError`."""
        self._reap()
        number = None
        if not self.numbered(caller):
            key = None if caller.modern else sdk_internals.connection_of(caller.context.session)
        elif session is None:
            key = number = secrets.token_urlsafe(16)
        else:
            key = number = str(session)
            if number not in self._benches:
                raise MCPError(
                    code=types.INVALID_PARAMS, message="unknown or ended session: leave it out to begin a new one"
                )
        bench = self._benches.get(key)
        if bench is None:
            bench = self._admit(key)
            if not caller.modern:
                sdk_internals.at_client_end(caller.context.session, lambda: self._end(key))
        bench.used_at = self._clock()
        return bench, number

    def close(self) -> None:
        """End every worker."""
        if self._reaper is not None:
            self._reaper.cancel()
        for key in list(self._benches):
            self._end(key)

    def _admit(self, key: object) -> Workbench:
        if len(self._benches) >= self._limits.clients:
            numbered = [one for one, bench in self._benches.items() if isinstance(one, str) and not bench.busy]
            if not numbered:
                raise MCPError(
                    code=types.INTERNAL_ERROR, message=f"{len(self._benches)} clients are served already: try later"
                )
            self._end(min(numbered, key=lambda one: self._benches[one].used_at))
        self._benches[key] = bench = self._make()
        return bench

    def _reap(self) -> None:
        """Forget clients that were not heard of for long; look again when the next one may be due."""
        if self._reaper is not None:
            self._reaper.cancel()
        oldest = self._clock() - self._limits.idle_seconds
        for key, bench in list(self._benches.items()):
            if bench.used_at <= oldest and not bench.busy:
                self._end(key)
        later = self._later or asyncio.get_running_loop().call_later
        self._reaper = later(max(1.0, self._limits.idle_seconds / 4), self._reap)

    def _end(self, key: Any) -> None:
        bench = self._benches.pop(key, None)
        if bench is not None:
            bench.close()
