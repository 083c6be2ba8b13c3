"""One server of a registry: what is known of it, and its connection while it has one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from . import listing as listings
from .catalogue import Catalogue, Entry
from .config import ServerConfig
from .connection import Connection
from .direct import DirectServer
from .errors import RegistryError, ServerTimeout
from .identifiers import tool_identifiers
from .listing import Head, ListedTool, Listing, head_of
from .tool import Tool

SILENCE_KEPT_SECONDS = 600.0
"""A server that did not answer is not waited for again by the runs of the next minutes; other failures show at once."""
LONGEST_TTL_SECONDS = 86_400.0
"""A server's word on how long its list holds counts for a day at most."""

Callbacks = Callable[[ServerConfig], Mapping[str, Any]]
"""What the SDK's client is to call when this server asks something."""


class Server:
    """A server under its identifier `name`, reached by a `ServerConfig` or being an MCP server object of this process."""

    def __init__(
        self,
        name: str,
        server_name: str,
        target: ServerConfig | object,
        catalogue: Catalogue,
        *,
        result_bytes: int,
        callbacks: Callbacks | None,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives the seconds since 1970."""
        self.name = name
        self.server_name = server_name
        self.config = target if isinstance(target, ServerConfig) else None
        self.direct = target if isinstance(target, DirectServer) else None
        self.head = Head()
        self.listed_at: float | None = None
        self.problem: str | None = None
        self._listing: Listing | None = None
        self._tools: list[Tool] | None = None
        self._target = target
        self._catalogue = catalogue
        self._way: str | None = None
        self._result_bytes, self._callbacks = result_bytes, callbacks
        self._on_change, self._clock = on_change, clock
        self._list_is_old = False
        self._connection: Connection | None = None
        self._opening: Connection | None = None
        self._connecting = asyncio.Lock()

    def know(self, entry: Entry) -> bool:
        """Take over what the catalogue knows; false where that is a problem long enough ago to try again."""
        if entry.problem and entry.age_seconds > SILENCE_KEPT_SECONDS:
            return False
        again = f"; seen {entry.age_seconds:.0f} s ago, `atlas tools refresh` tries again" if entry.problem else ""
        self.problem = f"{entry.problem}{again}" if entry.problem else None
        self._way, self.listed_at = entry.way, entry.listed_at
        self._take(entry.head, None)
        return True

    @property
    def tools(self) -> list[Tool]:
        """Its tools, made from the listing when they are first asked for."""
        if self._tools is None:
            listed = (self._kept_listing() or Listing()).tools
            offered = [tool for tool in listed if self.config is None or self.config.offers(tool.name)]
            names = tool_identifiers([tool.name for tool in offered])
            self._tools = [self._tool(name, tool) for name, tool in zip(names, offered, strict=True)]
        return self._tools

    def _kept_listing(self) -> Listing | None:
        if self._listing is None and self.config is not None:
            self._listing = self._catalogue.listing(self.config.fingerprint)
        return self._listing

    @property
    def tool_count(self) -> int:
        """How many tools it offers."""
        config = self.config
        everything = config is None or (config.include_tools is None and not config.exclude_tools)
        return self.head.tool_count if everything else len(self.tools)

    @property
    def digest(self) -> str:
        """Of everything that its tools are made of: its listing, its names and what the configuration says of them."""
        config = self.config
        said = (
            [sorted(config.include_tools) if config.include_tools is not None else None, sorted(config.exclude_tools),
             config.trust_hints, sorted(config.idempotent_tools)]
            if config else None
        )  # fmt: skip
        parts = [self.head.digest, self.name, self.server_name, said]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    async def list_once(self, starting: asyncio.Semaphore) -> None:
        """Fetch the tool list, with a connection only for that; a failure becomes the server's `problem`."""
        if self.direct is not None:
            self._take(head_of(self.direct.listing), self.direct.listing)
            return
        try:
            own = await listings.of_own_server(self._target) if self.config is None else None
            if own is not None:
                self._take(head_of(own), own)
                return
            async with self._connecting, starting:
                if self._connection is not None and self._connection.alive:
                    await self._relist(self._connection)
                else:
                    await self._list_apart()
        except RegistryError as error:
            if isinstance(error, ServerTimeout) and self.config is not None and not self.head.tool_count:
                self._catalogue.put_problem(self.config.fingerprint, self.server_name, error.message)
            self.problem = error.message + (f" ({error.mend})" if error.mend else "")
        except Exception as error:  # whatever one server does, the others stay usable
            self.problem = f"cannot be listed: {type(error).__name__}: {error}"

    async def connected(self, starting: asyncio.Semaphore, on_start: Callable[[Server], None]) -> Connection:
        """The live connection, opened where there is none.

        The first one of a run lists the tools again, unless the server said how long its list holds, and it still does; the
        same word makes a list old while the connection lives.
        """
        async with self._connecting:
            if self._connection is not None and not self._connection.alive:
                await self._disconnect()
            if self._connection is None:
                self._connection = await self._opened(starting, on_start)
                self._opening = None
            elif self._list_is_old or self._list_is_stale():
                await self._relist(self._connection)
            return self._connection

    async def _opened(self, starting: asyncio.Semaphore, on_start: Callable[[Server], None]) -> Connection:
        """A new connection, after one question: for the list, or where that still holds for what the server is."""
        holds = self.head.ttl_seconds is not None and not self._list_is_stale()
        for known in dict.fromkeys((None if holds else self._discovered(), None)):
            connection = self._new_connection(known)
            try:
                async with starting:
                    await connection.open()
                on_start(self)
                if holds and self._kept_listing() is not None:
                    connection.adopt(self._kept_listing() or Listing())
                else:
                    await self._relist(connection)
                self._note_discovered(connection, asked=known is None)
                return connection
            except BaseException as problem:
                await connection.close()
                if known is None or not isinstance(problem, RegistryError):
                    raise
                self._note_discovered(None, asked=True)  # it is not what it was
        raise AssertionError("the last attempt returns or raises")

    def _discovered(self) -> str | None:
        return self._catalogue.discovered(self.config.fingerprint) if self.config is not None else None

    def _note_discovered(self, connection: Connection | None, *, asked: bool) -> None:
        if asked and self.config is not None:
            said = connection.discovered if connection is not None else None
            if said is not None or self._discovered() is not None:
                self._catalogue.put_discovered(self.config.fingerprint, said)

    def _list_is_stale(self) -> bool:
        """Whether the time for which the server said that its list holds is over."""
        seconds = self.head.ttl_seconds
        return seconds is not None and self._clock() - (self.listed_at or 0.0) >= min(seconds, LONGEST_TTL_SECONDS)

    async def close(self) -> None:
        """End the connection, also one that is just being opened."""
        if self.direct is not None:
            await self.direct.close()
        if self._opening is not None:
            await self._opening.close()
        async with self._connecting:
            await self._disconnect()

    async def _list_apart(self) -> None:
        connection = self._new_connection()
        try:
            await connection.open()
            await self._relist(connection)
            self._note_discovered(connection, asked=True)
        finally:
            await connection.close()
            self._opening = None

    async def _relist(self, connection: Connection) -> None:
        self._list_is_old = False
        fetched = await connection.listing()
        self._way, self.problem = connection.way, None
        head = head_of(fetched)
        if self.config is not None and (head.digest != self.head.digest or self.listed_at is None):
            self._catalogue.put(self.config.fingerprint, self.server_name, fetched, connection.way)
        elif self.config is not None:
            self._catalogue.seen_again(self.config.fingerprint)
        self.listed_at = self._clock() if self.config is not None else None
        if head.digest != self.head.digest:
            if self.config is not None:  # what it said of itself may be another thing, too
                self._catalogue.put_discovered(self.config.fingerprint, None)
            self._take(head, fetched)

    def _new_connection(self, discovered: str | None = None) -> Connection:
        asked = self._callbacks(self.config) if self._callbacks is not None and self.config is not None else {}
        self._opening = Connection(
            self.server_name, self._target, remembered=self._way, on_list_changed=self._note_change,
            result_bytes=self._result_bytes, callbacks=asked, discovered=discovered,
        )
        return self._opening

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _note_change(self) -> None:
        self._list_is_old = True

    def _take(self, head: Head, listing: Listing | None) -> None:
        self.head, self._listing, self._tools = head, listing, None
        self._on_change()

    def _tool(self, name: str, listed: ListedTool) -> Tool:
        trusted = self.config is None or self.config.trust_hints
        named = self.config is not None and listed.name in self.config.idempotent_tools
        tool = Tool(
            server=self.name, name=name, description=listed.description, input_schema=listed.input_schema,
            output_schema=listed.output_schema, server_name=self.server_name, tool_name=listed.name,
            method=listed.method,
        )
        read_only = trusted and listed.read_only_hint
        return replace(tool, read_only=read_only, idempotent=named or read_only or (trusted and listed.idempotent_hint))
