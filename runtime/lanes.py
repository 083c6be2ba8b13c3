"""How many calls are under way at once, all servers together and for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Lanes:
    """A call waits for a lane of its server, and for one of all; who came first goes first."""

    def __init__(self, most: int, most_per_server: int) -> None:
        self._most_per_server = most_per_server
        self._all = asyncio.Semaphore(most)
        self._servers: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def lane(self, server: str) -> AsyncIterator[None]:
        """Wait for room, and hold it."""
        own = self._servers.setdefault(server, asyncio.Semaphore(self._most_per_server))
        async with own, self._all:
            yield
