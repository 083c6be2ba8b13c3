"""All tools of a registry at one moment, with the search over them: on disk beside the catalogue, or in memory."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .cards import Card, card
from .search import Meant, Search, StoredIndex, ToolIndex
from .tool import Tool

if TYPE_CHECKING:
    from .server import Server
    from .stored import StoredSpace

_log = logging.getLogger(__name__)


class Space(Mapping[str, Tool]):
    """Tools by full name; each is read when it is asked for."""

    @property
    @abstractmethod
    def index(self) -> Search:
        """The search over the tools."""

    @abstractmethod
    def cards(self) -> list[Card]:
        """What programs must know of each tool, in order."""

    def close(self) -> None:
        """Let go of what is held open."""


@dataclass(frozen=True, slots=True)
class ServerPart:
    """A server as a part of a toolspace: its tools are made only where they are asked for."""

    server: Server

    @property
    def digest(self) -> str:
        """Of the listing, and of what the configuration makes of it."""
        return self.server.digest

    @property
    def tools(self) -> Sequence[Tool]:
        """Its tools."""
        return self.server.tools

    @property
    def instructions(self) -> str:
        """What a configured server says about itself; for the built-in ones their tools speak."""
        return self.server.head.instructions if self.server.config is not None else ""


class MemorySpace(Space):
    """A toolspace in memory."""

    def __init__(self, parts: Sequence[ServerPart], meant: Meant | None = None) -> None:
        self._meant = meant
        self._tools = {tool.full_name: tool for part in parts for tool in part.tools}
        self._said = {part.server.name: part.instructions for part in parts}
        self._index: ToolIndex | None = None

    def __getitem__(self, full_name: str) -> Tool:
        return self._tools[full_name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    @property
    def index(self) -> Search:
        """The search over the tools."""
        if self._index is None:
            self._index = ToolIndex(self._tools.values(), self._said, self._meant)
        return self._index

    def cards(self) -> list[Card]:
        """What programs must know of each tool, in order."""
        return [card(tool) for tool in self._tools.values()]


class DiskSpace(Space):
    """A toolspace of the catalogue's file."""

    def __init__(self, stored: StoredSpace, key: str, meant: Meant | None = None) -> None:
        self._stored = stored
        self._index = StoredIndex(stored, key, meant)

    def __getitem__(self, full_name: str) -> Tool:
        return self._stored[full_name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def index(self) -> Search:
        """The search over the tools."""
        return self._index

    def cards(self) -> list[Card]:
        """What programs must know of each tool, in order."""
        return self._stored.cards()

    def close(self) -> None:
        """Let go of the file."""
        self._stored.close()


def space_of(servers: Sequence[Server], file: Path | None, meant: Meant | None = None) -> Space:
    """The tools of these servers; `file` is the catalogue's, where they are kept (None: in memory).

    With `meant` they are also searched by meaning.

    A file that cannot be used is no reason to be without tools: they are then indexed in memory.
    """
    parts = [ServerPart(server) for server in servers]
    if file is None:
        return MemorySpace(parts, meant)
    key = "servers:" + hashlib.sha256("\n".join(part.digest for part in parts).encode()).hexdigest()
    try:
        return DiskSpace(_stored(parts, file, key), key, meant)
    except (OSError, sqlite3.Error) as problem:
        _log.debug("the toolspace is indexed in memory: %s", problem)
        return MemorySpace(parts, meant)


def _stored(parts: Sequence[ServerPart], file: Path, key: str) -> StoredSpace:
    from .stored import open_space, store_space

    found = open_space(file, key)
    if found is None:
        store_space(file, key, parts)
        found = open_space(file, key)
    if found is None:
        raise sqlite3.OperationalError("the toolspace that was just stored is gone")
    return found
