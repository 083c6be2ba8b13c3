"""A server of this process that is called without a connection: the toolbox, as a run uses it.

Importing the SDK's server takes longer than all else that a short run does, so a run pays for it only where it has other
servers. The same functions are served by real MCP servers too; tests hold the two to the same lists and results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from .errors import RegistryError, ToolFailed
from .listing import Listing
from .results import RESULT_BYTES, check_size


class DirectServer:
    """Plain functions under a server's name; what they raise as `RegistryError` is what the tool says."""

    def __init__(
        self,
        listing: Listing,
        functions: Mapping[str, Callable[..., object]],
        lifetime: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        """`lifetime` is entered by the first call and left by `close`."""
        self.listing = listing
        self._functions = functions
        self._lifetime = lifetime
        self._held: AsyncExitStack | None = None

    async def call(
        self, tool_name: str, arguments: Mapping[str, object], *, timeout_seconds: float, result_bytes: int = RESULT_BYTES
    ) -> object:
        """Call a tool in a thread. Raises `ToolFailed`."""
        where = f"{self.listing.identity}.{tool_name}"
        await self._hold()
        try:
            async with asyncio.timeout(timeout_seconds):
                value = await asyncio.to_thread(self._functions[tool_name], **arguments)
        except TimeoutError as problem:
            raise ToolFailed(f"no answer within {timeout_seconds:g} s", kind="timeout", where=where) from problem
        except RegistryError as problem:
            raise ToolFailed(problem.message, kind=problem.kind, where=where) from problem
        except Exception as problem:  # a defect of one tool is an error of its program, not the end of the run
            raise ToolFailed(f"{type(problem).__name__}: {problem}", where=where) from problem
        check_size(value, where, result_bytes)
        return value

    async def close(self) -> None:
        """End what the tools keep running between calls."""
        held, self._held = self._held, None
        if held is not None:
            await held.aclose()

    async def _hold(self) -> None:
        if self._held is None and self._lifetime is not None:
            self._held = AsyncExitStack()
            await self._held.enter_async_context(self._lifetime())
