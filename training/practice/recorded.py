"""Practice against recorded results: servers that know nothing but what an episode's journal says they answered.

The same tool with the same arguments, after the same changes, gives the logged result (or the logged failure); any other
call ends the rollout as unknown. No server is started for it: the tools come from the catalogue. Only tools that the
user named for practice are called live.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.toolspace import CATALOGUE_FILE
from ...tools_registry.config import ServerConfig, load_config
from ...tools_registry.direct import DirectServer
from ...tools_registry.errors import RegistryError, ToolFailed
from ...tools_registry.listing import Listing
from ...tools_registry.registry import Registry
from ...tools_registry.results import RESULT_BYTES
from ...tools_registry.toolbox import toolbox_tools
from .places import Kind, Scene, copy_problem, copy_workspace

if TYPE_CHECKING:
    from ...runtime.episodes.rows import CallRow, Record

_NO_RESULT = frozenset({"cancelled", "unknown_fate"})
"""Failures that say nothing of what the tool would have answered."""
TOOLBOX = frozenset({"files", "text", "tables", "clock", "units"})


class NotPractisable(Exception):
    """Why no safe place can be made from an episode; the caller reports it and goes on without."""


@dataclass(frozen=True, slots=True)
class RecordedPlace:
    """The toolbox on a copy of the episode's workspace, and its other servers as their recorded results."""

    record: Record
    servers: tuple[tuple[ServerConfig, Listing], ...]
    live: frozenset[str] = frozenset()
    """Full names of the tools that the user named for practice."""
    world_task: None = None

    @property
    def kind(self) -> Kind:
        """`recorded` where a server other than the toolbox takes part."""
        return "recorded" if self.servers else "workspace"

    @asynccontextmanager
    async def scene(self) -> AsyncIterator[Scene]:
        """A fresh copy of the workspace, and the results from the beginning."""
        import tempfile

        settings = self.record.episode.settings
        then = datetime.fromtimestamp(self.record.episode.created_at, UTC)
        with tempfile.TemporaryDirectory(prefix="atlas-practice-") as folder:
            copy = Path(folder) / "workspace"
            await asyncio.to_thread(copy_workspace, Path(settings["workspace"]), copy)
            async with AsyncExitStack() as stack:
                toolbox = bool(settings.get("toolbox", True))
                scene = RecordedScene({"workspace": copy, "toolbox": toolbox, "now": lambda: then}, record=self.record)
                live = await self._live_registry(stack)
                scene.runtime_options["tools"] = {
                    config.name: _RecordedServer(config, listing, scene, live) for config, listing in self.servers
                }
                yield scene

    async def _live_registry(self, stack: AsyncExitStack) -> Registry | None:
        chosen = []
        for config, listing in self.servers:
            names = {tool.name for tool in listing.tools if f"{config.name}.{tool.name}" in self.live}
            if names:
                chosen.append(replace(config, include_tools=frozenset(names)))
        return await stack.enter_async_context(Registry(chosen)) if chosen else None


def recorded_place(record: Record, home: Path, live: Collection[str] = ()) -> RecordedPlace:
    """The safe place for a logged episode. Raises `NotPractisable` where none can be made."""
    settings = record.episode.settings
    folder = settings.get("workspace")
    if not isinstance(folder, str):
        raise NotPractisable("its workspace is not recorded")
    problem = copy_problem(Path(folder))
    if problem:
        raise NotPractisable(problem)
    if any(call.ok and call.tool in _changing() for call in record.calls):
        raise NotPractisable("it changed files, and its workspace is no longer as it was before")
    servers = _known_servers(settings, Path(folder), home)
    for name in {call.tool.partition(".")[0] for call in record.calls if call.sent_at is not None}:
        if name not in TOOLBOX and not servers:
            raise NotPractisable(f"its server {name} was part of the program that ran it, and cannot be made again")
    return RecordedPlace(record, tuple(servers), frozenset(live))


@cache
def _changing() -> frozenset[str]:
    """Tools of the toolbox that change the workspace."""
    return frozenset(tool.full_name for tool in toolbox_tools() if not tool.read_only)


def _known_servers(settings: Mapping[str, Any], workspace: Path, home: Path) -> list[tuple[ServerConfig, Listing]]:
    from ...tools_registry.catalogue import Catalogue

    configs: dict[tuple[str, str], ServerConfig] = {}
    for path in settings.get("mcp") or ():
        try:
            configs.update({(one.name, one.fingerprint): one for one in load_config(path, workspace=workspace)})
        except RegistryError as problem:
            raise NotPractisable(f"its servers cannot be read: {problem.message}") from None
    if not configs:
        return []
    catalogue = Catalogue(home / CATALOGUE_FILE)
    known = catalogue.get_all([one.fingerprint for one in configs.values()])
    found = []
    for config in configs.values():
        entry, listing = known.get(config.fingerprint), catalogue.listing(config.fingerprint)
        if entry is None or entry.problem or listing is None:
            raise NotPractisable(f"the tools of its server {config.name} are not in the catalogue")
        found.append((config, listing))
    return found


@dataclass(slots=True)
class RecordedScene(Scene):
    """One rollout against the record: which changes it has made so far decides which results still hold."""

    record: Record | None = None
    changes: tuple[str, ...] = ()
    """The calls that may have changed something, in order."""
    results: dict[tuple[tuple[str, ...], str], list[CallRow]] = field(default_factory=dict)
    _given: dict[tuple[tuple[str, ...], str], int] = field(default_factory=dict)

    def opened(self, registry: Registry) -> None:
        """Arrange the journal by what was changed before and what was called."""
        assert self.record is not None
        changes: tuple[str, ...] = ()
        for call in self.record.calls:
            if call.tool.partition(".")[0] in TOOLBOX or call.sent_at is None:
                continue
            key = _key(*_sent(registry, call))
            if call.finished and call.error_kind not in _NO_RESULT:
                self.results.setdefault((changes, key), []).append(call)
            if not call.repeatable:
                changes = (*changes, key)

    def answer(self, tool: str, arguments: Mapping[str, object]) -> CallRow | None:
        """What the journal says to this call, or None where it says nothing."""
        key = (self.changes, _key(tool, arguments))
        rows = self.results.get(key, [])
        given = self._given.get(key, 0)
        if given >= len(rows) and not (rows and rows[-1].repeatable):
            return None
        self._given[key] = given + 1
        row = rows[min(given, len(rows) - 1)]
        if not row.repeatable:
            self.changes = (*self.changes, key[1])
        return row

    def end(self, tool: str, arguments: Mapping[str, object]) -> None:
        """The program has left the record."""
        self.unknown_call = f"{tool}({', '.join(f'{name}={value!r:.60}' for name, value in arguments.items())})"
        self.left_record.set()


class _RecordedServer(DirectServer):
    """A server of which only the recorded answers are left."""

    def __init__(self, config: ServerConfig, listing: Listing, scene: RecordedScene, live: Registry | None) -> None:
        super().__init__(_as_configured(config, listing), {})
        self._config, self._scene, self._registry = config, scene, live

    async def call(
        self, tool_name: str, arguments: Mapping[str, object], *, timeout_seconds: float, result_bytes: int = RESULT_BYTES
    ) -> object:
        """The logged result, or the end of the rollout."""
        live = self._live_tool(tool_name)
        if live is not None and self._registry is not None:
            return await self._registry.call(live, arguments, timeout_seconds=timeout_seconds)
        name = f"{self._config.name}.{tool_name}"
        row = self._scene.answer(name, arguments)
        if row is None:
            self._scene.end(name, arguments)
            await asyncio.Event().wait()  # the rollout is cancelled here
        assert row is not None
        if row.ok:
            return row.value
        raise ToolFailed(row.error_message or "failed", kind=row.error_kind or "failed", where=name)

    def _live_tool(self, tool_name: str) -> Any:
        if self._registry is None:
            return None
        return next((tool for tool in self._registry.tools.values() if tool.tool_name == tool_name
                     and tool.server_name == self._config.name), None)  # fmt: skip


def _as_configured(config: ServerConfig, listing: Listing) -> Listing:
    """The tools as a run saw them: those that the configuration offers, their hints only where it trusts them."""
    tools = []
    for tool in listing.tools:
        if config.offers(tool.name):
            named = tool.name in config.idempotent_tools
            read_only = config.trust_hints and tool.read_only_hint
            idempotent = named or (config.trust_hints and tool.idempotent_hint)
            tools.append(replace(tool, read_only_hint=read_only, idempotent_hint=idempotent))
    return replace(listing, tools=tuple(tools), problems=())


def _sent(registry: Registry, call: CallRow) -> tuple[str, Mapping[str, object]]:
    """A logged call as it was sent: the server's own names for tool and arguments."""
    tool = registry.tools.get(call.tool)
    if tool is None:
        return call.tool, call.arguments
    name = f"{tool.server_name}.{tool.tool_name}"
    try:
        return name, registry.validate(tool, call.arguments)
    except RegistryError:
        return name, call.arguments


def _key(tool: str, arguments: Mapping[str, object]) -> str:
    return f"{tool} {json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=str)}"


def live_tools(names: Sequence[str], place: RecordedPlace) -> RecordedPlace:
    """The same place with these tools (`server.tool`, or `server` for all of one) called live."""
    chosen = {
        f"{config.name}.{tool.name}"
        for config, listing in place.servers
        for tool in listing.tools
        if config.name in names or f"{config.name}.{tool.name}" in names
    }
    return replace(place, live=frozenset(chosen))
