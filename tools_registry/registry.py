"""All tools of all servers, and the one owner of every connection.

A server passes through four states: configured, known (its tool list is in the catalogue), started (a live connection)
and called. Opening a registry lists only servers never seen before; nothing else is started until a call needs it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from . import arguments as checking
from .cards import Card
from .catalogue import Catalogue
from .config import CALL_SECONDS, ServerConfig
from .connection import Connection, OnProgress
from .errors import RegistryError, ServerError, ServerStartError, ToolChanged, UnknownTool
from .identifiers import server_identifiers
from .keeping import Keep
from .offers import value_of
from .results import RESULT_BYTES, native, sized
from .search import Hit, Meant
from .server import Callbacks, Server
from .space import Space, space_of
from .tool import Tool

if TYPE_CHECKING:
    from .encoding import Encoder

STARTS_AT_ONCE = 4
"""Starting servers is bound by the processor; more at a time is not faster."""


@dataclass(frozen=True)
class ServerInfo:
    """One server as the registry knows it."""

    name: str
    """Its identifier in programs."""
    server_name: str
    tool_count: int
    instructions: str = ""
    problem: str | None = None
    """Why its tools could not be listed; it has those that were known before, if any, and the others stay usable."""
    warnings: tuple[str, ...] = ()
    """Malformed tools that were left out."""
    identity: str = ""
    protocol: str = ""
    listed_at: float | None = None
    """When its list was fetched (seconds since 1970); None for servers of this process."""
    in_process: bool = False
    source: str = ""


class Registry:
    """The tools of `servers` (from configuration files) and of `in_process` servers (MCP server objects by name).

        async with Registry(load_config("mcp.json"), catalogue=Catalogue(path)) as registry:
            tool = registry.tools["time.convert_time"]
            value = await registry.call(tool, {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"})

    The hints of in-process servers (read-only, idempotent) are trusted, those of others only with `trustHints`.
    `callbacks` gives for each configured server what is handed to the SDK's client (`elicitation_callback`, ...);
    `on_progress` is told in a line when servers are being listed for the first time. With an `encoder`, tools are found by
    meaning too; their vectors are kept in the file `vectors` (unless given, the catalogue's). `clock` gives the seconds
    since 1970.
    """

    def __init__(
        self,
        servers: Sequence[ServerConfig] = (),
        *,
        in_process: Mapping[str, object] | None = None,
        catalogue: Catalogue | None = None,
        callbacks: Callbacks | None = None,
        on_progress: Callable[[str], None] | None = None,
        result_bytes: int = RESULT_BYTES,
        encoder: Encoder | None = None,
        vectors: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.catalogue = catalogue if catalogue is not None else Catalogue()
        self.started: list[str] = []
        self._result_bytes = result_bytes
        self._on_progress = on_progress or (lambda line: None)
        targets: list[tuple[str, ServerConfig | object]] = [*(in_process or {}).items()]
        targets += [(config.name, config) for config in _without_repeats(servers)]
        names = server_identifiers([name for name, _ in targets])
        self._servers = {
            name: Server(name, original, target, self.catalogue, result_bytes=result_bytes, callbacks=callbacks,
                         on_change=self._forget_space, clock=clock)
            for name, (original, target) in zip(names, targets, strict=True)
        }
        kept = vectors or self.catalogue.path
        self._meant = Meant(encoder, kept, self._on_progress) if encoder is not None else None
        self._space: Space | None = None
        self._cards: dict[str, Card] | None = None
        self._validator = checking.ArgumentValidator()
        self._told: list[str] = []
        self._just_asked: set[str] = set()
        self._starting = asyncio.Semaphore(STARTS_AT_ONCE)

    async def __aenter__(self) -> Self:
        known = self.catalogue.get_all([server.config.fingerprint for server in self._servers.values() if server.config])
        new = []
        for server in self._servers.values():
            entry = known.get(server.config.fingerprint) if server.config else None
            if entry is None or not server.know(entry):
                new.append(server)
        try:
            await self._list(new)
            self._just_asked = {server.name for server in new}
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    @property
    def tools(self) -> Mapping[str, Tool]:
        """All tools by full name. With a catalogue on disk each is read when it is asked for."""
        return self._toolspace()

    @property
    def cards(self) -> Mapping[str, Card]:
        """What programs must know of each tool, by full name; the same object until a tool changes."""
        if self._cards is None:
            self._cards = {card.full_name: card for card in self._toolspace().cards()}
        return self._cards

    @property
    def servers(self) -> Sequence[ServerInfo]:
        """All servers, those of this process first, in the order they were given."""
        return [_info(server) for server in self._servers.values()]

    @property
    def warnings(self) -> list[str]:
        """What did not go well without stopping anything: the catalogue, servers without a list, tools left out."""
        found = [*self.catalogue.warnings, *self._told]
        for server in self._servers.values():
            found += [f"server {server.server_name}: {server.problem}"] if server.problem else []
            found += [f"server {server.server_name}: tool {line}" for line in server.head.problems]
        return found

    def search(self, query: str, k: int = 8) -> list[Hit]:
        """The `k` best tools for a query, best first."""
        return self._toolspace().index.search(query, k)

    def first_view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Tool]:
        """The tools that a run shows before its first turn, best first."""
        return self._toolspace().index.first_view(task, minimum=minimum, limit=limit)

    def view(self, task: str, *, minimum: int = 8, limit: int = 16) -> list[Hit]:
        """The first view with what each tool is worth; 0 for one that only fills up."""
        return self._toolspace().index.view(task, minimum=minimum, limit=limit)

    def tool(self, full_name: str) -> Tool:
        """The tool of that name. Raises `UnknownTool`, which names the nearest ones."""
        try:
            return self.tools[full_name]
        except KeyError:
            raise self._unknown(full_name) from None

    def nearest(self, full_name: str) -> list[str]:
        """The full names most like `full_name`, best first."""
        server, _, name = full_name.partition(".")
        known = list(self.tools)
        inside = [one.partition(".")[2] for one in known if one.startswith(f"{server}.")]
        same_server = [f"{server}.{close}" for close in checking.nearest(name, inside, 2)]
        elsewhere = [one for one in known if one.partition(".")[2] == name]
        anywhere = checking.nearest(full_name, known, 3)
        return list(dict.fromkeys([*same_server, *elsewhere, *anywhere]))[:3]

    def validate(self, tool: Tool, arguments: Mapping[str, object]) -> dict[str, object]:
        """Arguments under the tool's own parameter names, ready to be sent. Raises `ArgumentError`."""
        return self._validator.validate(tool, arguments)

    async def call(
        self, tool: Tool, arguments: Mapping[str, object], *, timeout_seconds: float | None = None,
        sent: dict[str, object] | None = None, as_approved: bool = False, keep: Keep | None = None,
        on_progress: OnProgress | None = None,
    ) -> object:  # fmt: skip
        """Call a tool and return its result as a native value that JSON can hold.

        Starts the tool's server where it is not running. Arguments are validated first, unless `sent` is what `validate`
        made of them. `as_approved` says that a person agreed to `tool` as it is given: where its server lists it otherwise
        by now, nothing is sent; nor where `tool` was known to be read-only, or idempotent, and no longer is. `keep` writes
        results that are too large, and bytes, to files (see `keeping`).
        Raises `ArgumentError`, `ToolChanged`, `ToolFailed`, `UnknownTool`, or a `ServerError`.
        """
        server = self._servers.get(tool.server)
        if server is None:
            raise self._unknown(tool.full_name)
        sent = self.validate(tool, arguments) if sent is None else sent
        if server.direct is not None:
            return await server.direct.call(
                tool.tool_name or tool.name, sent, timeout_seconds=timeout_seconds or CALL_SECONDS,
                result_bytes=self._result_bytes,
            )  # fmt: skip
        connection = await self._connected(server)
        now = self.tools.get(tool.full_name)
        if now is None:
            raise self._unknown(tool.full_name)
        lost = tool.lost_by(now)
        if lost is not None:
            raise ToolChanged(
                f"{tool.full_name} is no longer known to be {lost}; nothing was sent",
                where=tool.full_name, mend="call it again: it is asked about then",
            )
        if not now.same_offer(tool):
            if as_approved:
                raise ToolChanged(
                    f"{tool.full_name} is no longer what was approved: its server describes it anew; nothing was sent",
                    where=tool.full_name, mend=f"load_tools({tool.full_name!r}) shows it as it is now",
                )
            sent = self.validate(now, arguments)
        if now.method:
            answer = await connection.ask(now.method, sent, timeout_seconds)
            return sized(value_of(now.method, answer, keep), now.full_name, self._result_bytes, keep)
        result = await connection.call(now.tool_name or now.name, sent, timeout_seconds, on_progress)
        return native(
            result, tool=now.full_name, output_schema=now.output_schema, limit_bytes=self._result_bytes,
            own=server.config is None, keep=keep, wrong=lambda value: self._validator.wrong_result(now, value),
            on_warning=self._warn,
        )

    async def _connected(self, server: Server) -> Connection:
        try:
            connection = await server.connected(self._starting, self._note_start)
            if self._space is None:  # its list was another one
                await self.prepare_search()
            return connection
        except ServerError as error:
            error.fate = "not_sent"
            error.message += "; the call was not sent"
            raise
        except RegistryError:
            raise
        except Exception as error:  # whatever one server does, a program can catch it
            raise ServerStartError(
                f"server {server.server_name!r} cannot be used: {type(error).__name__}: {error}; the call was not sent",
                server=server.server_name, mend=f"`atlas tools refresh {server.server_name}` asks it again",
            ) from error

    def _warn(self, line: str) -> None:
        if line not in self._told:
            self._told.append(line)

    async def prepare_search(self) -> None:
        """Make the vectors of all tools that have none, which takes long for thousands; nothing without an encoder."""
        meaning = self._toolspace().index.meaning if self._meant is not None else None
        if meaning is not None:
            await meaning.prepared()

    async def refresh(self, server_name: str | None = None) -> None:
        """List all servers again, or the one of that name (identifier or original); starts and stops them.

        Without a name, servers that were asked when the registry was opened are not asked twice.
        """
        chosen = [server for server in self._servers.values() if server_name in (None, server.name, server.server_name)]
        if server_name is None:
            chosen = [server for server in chosen if server.name not in self._just_asked]
            self._just_asked = set()
        elif not chosen:
            close = checking.nearest(server_name or "", self._servers)
            raise UnknownTool(f"no server {server_name!r}" + (f", did you mean {close[0]!r}?" if close else ""),
                              where=str(server_name), mend=f"known servers: {', '.join(self._servers) or 'none'}")
        await self._list(chosen)
        await self.prepare_search()

    async def _list(self, servers: Sequence[Server]) -> None:
        outside = [server.server_name for server in servers if server.config is not None]
        if outside:
            self._on_progress(f"listing the tools of {', '.join(outside)}")
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.list_once(self._starting))

    async def _close(self) -> None:
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        self._forget_space()

    def _toolspace(self) -> Space:
        if self._space is None:
            outside = any(server.config is not None for server in self._servers.values())
            self._space = space_of([*self._servers.values()], self.catalogue.path if outside else None, self._meant)
        return self._space

    def _forget_space(self) -> None:
        if self._space is not None:
            if self._meant is not None and (meaning := self._space.index.meaning) is not None:
                meaning.stop()
            self._space.close()
        self._space = self._cards = None

    def _note_start(self, server: Server) -> None:
        if server.config is not None and server.server_name not in self.started:
            self.started.append(server.server_name)

    def _unknown(self, full_name: str) -> UnknownTool:
        close = self.nearest(full_name)
        meant = f", did you mean {' or '.join(close)}?" if close else ""
        return UnknownTool(f"no tool {full_name}{meant}", where=full_name, mend="search_tools(query) finds tools by words")


def _without_repeats(servers: Sequence[ServerConfig]) -> list[ServerConfig]:
    """The same server in two configuration files is one server."""
    return list({(config.name, config.fingerprint): config for config in servers}.values())


def _info(server: Server) -> ServerInfo:
    known = server.head
    return ServerInfo(
        name=server.name, server_name=server.server_name, tool_count=server.tool_count, instructions=known.instructions,
        problem=server.problem, warnings=known.problems, identity=known.identity, protocol=known.protocol,
        listed_at=server.listed_at, in_process=server.config is None,
        source=server.config.source if server.config else "",
    )
