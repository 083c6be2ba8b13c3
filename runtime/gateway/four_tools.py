"""The whole toolspace as four tools: find tools, look at them, run a program over them, have a task done."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.shared.exceptions import MCPError

from ..approval import Approve
from ..episodes.episode import Episode
from ..errors import AtlasRuntimeError
from ..events import CallFinished, EpisodeFinished, Event, TurnStarted
from ..runtime import Runtime
from ..view import MetaToolError
from .asking import CALLER, ask_client
from .caller import Caller, Context, Json
from .clients import Clients
from .limits import GatewayLimits
from .parking import Parking
from .workbench import Workbench, bounded

_MOST_FOUND = 50
_NAME_CHARS = 400
_TASK_CHARS = 20_000
_SESSION = {"type": "string", "description": "The session of your earlier results, to find your variables again."}

_PROGRAM = """Run a short Python program that calls tools, for example:
    for path in files.find(pattern="**/*.md"):
        print(path, text.count(path=path, what="words"))
Any known tool can be called as server.tool(...), positional or by keyword; results are plain Python values. Variables \
stay for your next program. Only what is printed, the value of a last expression or of answer(value) comes back, so filter \
and count in the program. json, re, math, datetime, statistics, collections and itertools are there; files, network and \
processes are not, other than by tools. A failed tool raises ToolError (.kind, .message)."""

Handler = Callable[["FourTools", Caller, Workbench, Json], Awaitable[Json]]


class FourTools:
    """Serves a runtime's toolspace to whoever connects to `server`. Use as a block; the runtime is opened with it.

    `approve` is `ask` (the client's user is asked by elicitation, else the call is refused), `auto` or `never`.
    """

    def __init__(
        self, options: dict[str, Any], *, approve: Approve, many_clients: bool, limits: GatewayLimits | None = None
    ) -> None:
        from ... import __version__

        self.limits = limits or GatewayLimits()
        self._approve: Approve = ask_client if approve == "ask" else approve
        self._options = options
        self._stack = AsyncExitStack()
        self._runtime: Runtime | None = None
        self._parking = Parking(self.limits)
        self._clients = Clients(self._workbench, self.limits, many_clients=many_clients)
        self.server: Server[Any] = Server("atlas", version=__version__, on_list_tools=self._list, on_call_tool=self._call)

    async def open(self) -> None:
        """Open the runtime: servers that were never seen are listed."""
        self._runtime = await self._stack.enter_async_context(Runtime(**self._options, approve=self._approve))
        known = self._runtime.registry
        self.server.instructions = (
            f"{len(known.tools)} tools of {len(known.servers)} servers: "
            f"{', '.join(f'{one.name} ({one.tool_count})' for one in known.servers[:24])}. "
            "search_tools finds tools, load_tools shows how to call them, run_program calls them."
        )

    async def close(self) -> None:
        """End every worker, connection and run."""
        await self._parking.close()
        self._clients.close()
        await self._stack.aclose()

    def _workbench(self) -> Workbench:
        assert self._runtime is not None
        return Workbench(self._runtime, self._approve, self.limits, unsafe=bool(self._options.get("unsafe_sandbox", False)))

    async def _list(self, context: Context, params: Any) -> types.ListToolsResult:
        numbered = self._clients.numbered(Caller(context))
        return types.ListToolsResult(
            tools=[_tool(name, numbered) for name in _TOOLS], ttl_ms=3_600_000 if not numbered else 0, cache_scope="private"
        )

    async def _call(self, context: Context, params: types.CallToolRequestParams) -> Any:
        if params.name not in _TOOLS:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: {params.name}; there are {', '.join(_TOOLS)}")
        raw = dict(context.params or {})

        async def work(caller: Caller) -> Json:
            CALLER.set(caller)
            return await self._answer(caller, params.name, dict(params.arguments or {}))

        return await self._parking.serve(Caller(context), raw, work)

    async def _answer(self, caller: Caller, name: str, arguments: Json) -> Json:
        handler = _TOOLS[name][2]
        try:
            given = checked(name, arguments)
            bench, number = self._clients.of(caller, given.pop("session", None))
            result = await handler(self, caller, bench, given)
        except (MetaToolError, AtlasRuntimeError, ValueError) as problem:
            mend = getattr(problem, "mend", "")
            return _result({"error": str(problem) + (f" ({mend})" if mend else "")}, failed=True)
        return _result(result | ({"session": number} if number else {}))

    # -- the tools

    async def search_tools(self, caller: Caller, bench: Workbench, given: Json) -> Json:
        """Find tools by what they do."""
        return {"tools": bench.search(given["query"], min(given.get("k", 8), _MOST_FOUND))}

    async def load_tools(self, caller: Caller, bench: Workbench, given: Json) -> Json:
        """Show how tools are called: typed stubs by full name (files.read), or all of a server by its name."""
        return bounded_stubs(bench.load(given["names"]), self.limits.result_bytes)

    async def run_program(self, caller: Caller, bench: Workbench, given: Json) -> Json:
        """Run a program over the tools."""
        return await bench.run(given["program"])

    async def run_task(self, caller: Caller, bench: Workbench, given: Json) -> Json:
        """Have a task done by Atlas' own model, which finds and calls the tools by itself."""
        assert self._runtime is not None
        events = self._runtime.stream(given["task"])
        episode: Episode | None = None
        try:
            async for event in events:
                await _report(caller, event, self._runtime.options.max_turns)
                if isinstance(event, EpisodeFinished):
                    episode = bench.episode = event.result
        finally:
            await _closed(events)
        assert episode is not None
        return bounded(episode.to_json(), self.limits.result_bytes)


def checked(name: str, arguments: Json) -> Json:
    """Arguments of one of the four tools. Raises `ValueError` that names what is wrong."""
    import jsonschema

    schema = _TOOLS[name][1]
    unlisted = {**schema, "properties": {**schema["properties"], "session": _SESSION}}
    try:
        jsonschema.validate(arguments, unlisted)
    except jsonschema.ValidationError as problem:
        place = ".".join(str(part) for part in problem.absolute_path) or "arguments"
        raise ValueError(f"{name}: {place}: {problem.message[:300]}") from None
    return dict(arguments)


def bounded_stubs(stubs: list[str], limit: int) -> Json:
    """As many stubs as fit; the rest is counted."""
    shown: list[str] = []
    size = 0
    for one in stubs:
        size += len(one.encode("utf-8", "replace")) + 8
        if size > limit:
            return {"stubs": shown, "cut": f"{len(stubs) - len(shown)} more stubs: load fewer at once"}
        shown.append(one)
    return {"stubs": shown}


async def _report(caller: Caller, event: Event, most_turns: int) -> None:
    """Progress of a task, for clients that asked for it."""
    if isinstance(event, TurnStarted):
        await caller.progress(event.turn, most_turns, f"turn {event.turn}")
    elif isinstance(event, CallFinished):
        await caller.progress(event.turn, most_turns, f"{event.tool} {'done' if event.ok else 'failed'}")


async def _closed(events: AsyncIterator[Event]) -> None:
    with suppress(Exception):
        await events.aclose()  # type: ignore[attr-defined]


def _result(value: Json, *, failed: bool = False) -> Json:
    text = json.dumps(value, ensure_ascii=False, default=str)
    said = {"content": [{"type": "text", "text": text}], "structuredContent": json.loads(text), "isError": failed}
    return {"resultType": "complete", **said}  # the SDK leaves the type out for clients of the older era


def _tool(name: str, numbered: bool) -> types.Tool:
    description, schema, _ = _TOOLS[name]
    if numbered:
        schema = {**schema, "properties": {**schema["properties"], "session": _SESSION}}
    looks = name in ("search_tools", "load_tools")
    return types.Tool(
        name=name, description=description, input_schema=schema,
        annotations=types.ToolAnnotations(
            read_only_hint=looks, destructive_hint=not looks, idempotent_hint=looks, open_world_hint=not looks
        ),
    )  # fmt: skip


def _object(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_TOOLS: dict[str, tuple[str, Json, Handler]] = {
    "search_tools": (
        "Find tools by what they do. Returns lines `server.tool  # what it does`, best first.",
        _object(
            ["query"], query={"type": "string", "maxLength": 2_000},
            k={"type": "integer", "minimum": 1, "maximum": _MOST_FOUND, "default": 8},
        ),
        FourTools.search_tools,
    ),
    "load_tools": (
        "Show how tools are called: typed Python stubs by full name (`files.read`), or of a whole server by its name.",
        _object(["names"], names={
            "type": "array", "items": {"type": "string", "maxLength": _NAME_CHARS}, "minItems": 1, "maxItems": 64,
        }),
        FourTools.load_tools,
    ),
    "run_program": (_PROGRAM, _object(["program"], program={"type": "string"}), FourTools.run_program),
    "run_task": (
        "Have a task done: Atlas' own small model finds and calls the tools by itself, and answers. For small, clear tasks.",
        _object(["task"], task={"type": "string", "minLength": 1, "maxLength": _TASK_CHARS}),
        FourTools.run_task,
    ),
}  # fmt: skip
