"""The toolspace that the `atlas tools` verbs look at: configured servers and the toolbox, or listings from a file."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import note, safe
from .settings import Settings, resolve

if TYPE_CHECKING:
    from ..tools_registry.encoding import Encoder
    from ..tools_registry.registry import Registry
    from ..tools_registry.search import Search
    from ..tools_registry.stored import ReadPart, StoredSpace
    from ..tools_registry.tool import Tool

McpFiles = Annotated[
    list[Path] | None, typer.Option("--mcp", metavar="FILE", help="A file with mcpServers; may be given several times.")
]
ToolspaceFile = Annotated[
    Path | None,
    typer.Option("--toolspace", metavar="FILE", help="Read listings from a JSONL file (plain or gzip) instead of servers."),
]
WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", metavar="DIR", help="The folder that the built-in servers may touch.")
]
SearchEncoder = Annotated[
    str | None,
    typer.Option(
        "--search-encoder", metavar="SPEC",
        help="Find tools by meaning too: none (default), minilm, a .gguf file, or http://host:port/v1#name.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Toolspace:
    """What the user asked to look at."""

    mcp: Sequence[Path] | None
    listings: Path | None
    workspace: Path | None
    searched: bool = False
    """Whether it is searched, so that an encoder is of use; ..."""
    search_encoder: str | None = None
    """... the one of the flag."""


@dataclass(frozen=True, slots=True)
class View:
    """An open toolspace."""

    tools: Mapping[str, Tool]
    index: Search | Registry
    servers: Sequence[Any] = ()
    problems: list[str] = field(default_factory=list)

    def search(self, query: str, k: int) -> list[tuple[Tool, float]]:
        """The `k` best tools with their scores."""
        return [(hit.tool, round(hit.score, 4)) for hit in self.index.search(query, k)]

    def first_view(self, task: str, k: int) -> list[tuple[Tool, float]]:
        """What a run would show before its first turn, with scores (0 for a tool that only fills up)."""
        from ..runtime.view import LIMIT, MINIMUM

        shown = self.index.view(task, minimum=MINIMUM, limit=max(k, LIMIT))
        return [(hit.tool, round(hit.score, 4)) for hit in shown[:k]]

    def nearest(self, name: str) -> list[str]:
        """Names that the user may have meant."""
        import difflib

        return difflib.get_close_matches(name, self.tools, 3)


@asynccontextmanager
async def open_toolspace(space: Toolspace, *, refresh: bool = False) -> AsyncIterator[View]:
    """Open what `space` names; every tool list is known inside the block."""
    home = atlas_home()
    flags = {"mcp": tuple(space.mcp or ()) or None, "workspace": space.workspace, "search_encoder": space.search_encoder}
    found = resolve(home, Path.cwd(), flags)
    encoder = _encoder(found.settings.search_encoder) if space.searched else None
    if space.listings is not None:
        with _listed(space.listings, encoder) as view:
            meaning = getattr(view.index, "meaning", None)
            if meaning is not None:
                await meaning.prepared()
            yield view
        return
    for notice in found.notices:
        note(safe(notice))
    async with open_servers(home, found.settings, refresh=refresh, encoder=encoder) as registry:
        yield View(registry.tools, registry, registry.servers, list(registry.warnings))


def _encoder(spec: str) -> Encoder | None:
    from ..runtime.encoders.naming import load_encoder

    return load_encoder(spec)


def open_servers(
    home: Path, settings: Settings, *, refresh: bool = False, encoder: Encoder | None = None
) -> AbstractAsyncContextManager[Registry]:
    """The toolbox on the workspace and the configured servers, with the tool lists that are cached on disk."""
    from ..runtime.toolspace import open_registry

    return open_registry(
        home, settings.mcp, settings.workspace, refresh=refresh, on_progress=note, encoder=encoder
    )


@contextmanager
def _listed(path: Path, encoder: Encoder | None) -> Iterator[View]:
    """A listings file; what was read of it is kept in the catalogue, and the next look reads only what it needs."""
    from ..runtime.toolspace import CATALOGUE_FILE
    from ..tools_registry.search import Meant, StoredIndex, ToolIndex

    raw = _bytes(path)
    meant = Meant(encoder, atlas_home() / CATALOGUE_FILE, note) if encoder is not None else None
    key = f"file:{hashlib.sha256(raw).hexdigest()}"
    stored = _stored(raw, path, key)
    if stored is None:  # the catalogue cannot be written
        parts = list(_parts(raw, path))
        tools = {tool.full_name: tool for part in parts for tool in part.tools}
        said = {part.tools[0].server: part.instructions for part in parts if part.tools}
        yield View(tools, ToolIndex(tools.values(), said, meant))
        return
    try:
        yield View(stored, StoredIndex(stored, key, meant))
    finally:
        stored.close()


def _stored(raw: bytes, path: Path, key: str) -> StoredSpace | None:
    import sqlite3

    from ..runtime.toolspace import CATALOGUE_FILE
    from ..tools_registry.stored import open_space, store_space

    file = atlas_home() / CATALOGUE_FILE
    try:
        found = open_space(file, key)
        if found is None:
            store_space(file, key, list(_parts(raw, path)))
            found = open_space(file, key)
    except (OSError, sqlite3.Error) as problem:
        note(f"what is in {safe(str(path))} was not kept: {safe(str(problem))}")
        return None
    return found


def read_parts(path: Path) -> Iterator[ReadPart]:
    """The servers of a listings file, each with its tools and what it says about itself."""
    return _parts(_bytes(path), path)


def read_listings(path: Path) -> Iterator[Tool]:
    """The tools of a listings file: lines of `{"server","tools":[{"name","description","inputSchema",...}]}`."""
    return (tool for part in _parts(_bytes(path), path) for tool in part.tools)


def _parts(raw: bytes, path: Path) -> Iterator[ReadPart]:
    """The servers of a listings file; a line may also hold the server's `instructions`."""
    from ..tools_registry.identifiers import server_identifiers, tool_identifiers
    from ..tools_registry.listing import read_tools
    from ..tools_registry.stored import ReadPart
    from ..tools_registry.tool import Tool

    rows = list(_rows(raw, path))
    for server, (line, row) in zip(server_identifiers([row["server"] for _, row in rows]), rows, strict=True):
        listed, _ = read_tools(row["tools"])
        tools = [
            Tool(
                server=server,
                name=name,
                description=one.description,
                input_schema=one.input_schema,
                output_schema=one.output_schema,
                server_name=row["server"],
                tool_name=one.name,
            )
            for name, one in zip(tool_identifiers([one.name for one in listed]), listed, strict=True)
        ]
        said = row.get("instructions")
        digest = hashlib.sha256(f"{server}\n{line}".encode()).hexdigest()
        yield ReadPart(digest, tools, said if isinstance(said, str) else "")


def _rows(raw: bytes, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_text(raw, path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("server"), str) or not isinstance(row.get("tools"), list):
            place = f"{path}, line {number}"
            raise UsageError('not a line of {"server","tools":[...]}', where=place, mend="write one server on each line")
        yield line, row


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot be read: {problem}", where=str(path), mend="give a JSONL file, plain or gzip") from None


def _text(raw: bytes, path: Path) -> str:
    try:
        return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (UnicodeDecodeError, EOFError, OSError) as problem:
        mend = "give a JSONL file, plain or gzip"
        raise UsageError(f"neither text in UTF-8 nor gzip of it: {problem}", where=str(path), mend=mend) from None
