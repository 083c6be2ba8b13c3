"""Standard input and output as the wire of one client.

The SDK reads standard input in a thread that nothing can interrupt: a polite kill would wait for the client's next line.
Here the event loop reads it, lines are bounded, and descriptors 0 and 1 point elsewhere while the gateway serves, so
that no program and no stray print can speak on the wire.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .limits import GatewayLimits

_TOO_LONG = '{"jsonrpc":"2.0"}'
"""Stands for a line over the limit: no message, and the SDK says so to whoever listens."""


class _Lines:
    """What the client sends, a line at a time."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor, self._limit = descriptor, limit
        self._reader: asyncio.StreamReader | None = None

    async def open(self) -> asyncio.BaseTransport | None:
        loop = asyncio.get_running_loop()
        transport: asyncio.BaseTransport | None
        reader = asyncio.StreamReader(limit=self._limit)
        file = os.fdopen(os.dup(self._descriptor), "rb", buffering=0)
        try:
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        except ValueError:  # a regular file: nothing to wait for
            reader.feed_data(file.read())
            reader.feed_eof()
            file.close()
            transport = None
        self._reader = reader
        return transport

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        assert self._reader is not None
        try:
            line = await self._reader.readline()
        except ValueError:  # the rest of the line comes as lines of its own, which are no messages either
            return _TOO_LONG
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class _Writer:
    """What the client reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._writer: asyncio.StreamWriter | None = None
        self._plain: Any = None

    async def open(self) -> asyncio.BaseTransport | None:
        loop = asyncio.get_running_loop()
        file = os.fdopen(os.dup(self._descriptor), "wb", buffering=0)
        try:
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
        except ValueError:
            self._plain = file
            return None
        self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        return transport

    async def write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        if self._writer is not None:
            self._writer.write(data)
        else:
            self._plain.write(data)

    async def flush(self) -> None:
        if self._writer is not None:
            await self._writer.drain()

    def close(self) -> None:
        if self._plain is not None:
            self._plain.close()


@asynccontextmanager
async def standard_streams(limits: GatewayLimits) -> AsyncIterator[tuple[Any, Any]]:
    """The read and the write stream of the SDK's server."""
    from mcp.server.stdio import stdio_server

    sys.stdout.flush()
    wire_in, wire_out = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    lines, writer = _Lines(wire_in, limits.request_bytes), _Writer(wire_out)
    transports: list[asyncio.BaseTransport | None] = []
    try:
        transports += [await lines.open(), await writer.open()]
        async with stdio_server(lines, writer) as streams:  # type: ignore[arg-type]
            yield streams
    finally:
        for transport in transports:
            if transport is not None:
                transport.close()
        writer.close()
        os.dup2(wire_in, 0)
        os.dup2(wire_out, 1)
        os.set_blocking(0, True)
        os.set_blocking(1, True)
        os.close(wire_in)
        os.close(wire_out)
