"""What a run shows of the toolspace: the server index, the stubs in view, and the functions that find more.

`--loading` is `search` (a first view, then `search_tools` and `load_tools`), `servers` or `tools` (the iterative server and
tool loading of ATLAS, arXiv 2603.06713), or `eager` (every stub at once).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..tools_registry.stubs import prompt_stub, summary_line
from .errors import BudgetError
from .kept import SCHEMA as KEPT_SCHEMA
from .prompt import found_text

if TYPE_CHECKING:
    from ..tools_registry.cards import Card
    from ..tools_registry.registry import Registry
    from ..tools_registry.tool import Tool
    from .observed import Observed
    from .worked import Worked

Loading = Literal["search", "tools", "servers", "eager"]
STUB_TOKENS = 700
"""What the stubs of the first view may take."""
FULL_STUB_CHARS = 1_350
"""And for a policy with the full system text, whose prompt before the first program is to stay under 900 tokens."""
MINIMUM = 8
LIMIT = 16
SERVERS_NAMED = 24
"""More servers than this are not all named in the prompt: stubs and search name those that matter."""
SERVERS_KEPT = 8
_SEARCH = "search_tools"
_LOAD = "load_tools"
READ_RESULT = "read_result"
"""Not named in the system text: the handle of a kept result says how it is read."""
LOADING_TEXTS: dict[Loading, str] = {
    "search": "",
    "eager": "All tools are listed.",
    "servers": 'No tool is shown at first: load_tools("server") shows all tools of a server.',
    "tools": 'No tool is shown at first: load_tools("server") names its tools, load_tools("server.tool") shows one.',
}
"""What the system text says besides, for the variants that nano is not trained on."""


class MetaToolError(Exception):
    """A meta-tool was given something that does not exist."""


@dataclass(slots=True)
class View:
    """The tools one run has in view."""

    registry: Registry
    loading: Loading
    shown: list[str] = field(default_factory=list)
    """Full names in the order in which they came into view."""
    pending: list[str] = field(default_factory=list)
    """Lines that `load_tools` put into the next prompt."""
    _told: tuple[Mapping[str, Card], dict[str, dict[str, Any]], frozenset[str]] | None = None
    """For the cards that they were made from: the schemas and the read-only tools that programs are told of."""
    observed: Observed | None = None
    """Types of results as they were logged, for tools that declare none."""
    worked: Worked | None = None
    """What worked for similar tasks before."""
    preferred: str | None = None
    """The server that a router chose: its tools come first in the first view."""
    hidden: frozenset[str] = frozenset()
    """Tools kept out of the first view; searching finds them. For tasks about finding tools."""
    hosted: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Functions of this run besides tools and meta-tools, by name, with their schemas."""

    def first(self, task: str, tokens: Callable[[str], int], room: int, chars: int | None = None) -> list[str]:
        """The stubs before turn 1; `room` is what the whole prompt may still take, `chars` what the stubs may at most."""
        if self.loading in ("servers", "tools"):
            return []
        if self.loading == "eager":
            return self._everything(tokens, room)
        spare = len(self.hidden)
        found = self._remembered(task)
        found += self.registry.first_view(task, minimum=MINIMUM + spare, limit=LIMIT + spare)
        if self.preferred is not None:
            found.sort(key=lambda tool: tool.server != self.preferred)
        named = {tool.full_name: tool for tool in found if tool.full_name not in self.hidden}
        chosen = list(named.values())[:LIMIT]
        stubs = fitting([self.stub(tool) for tool in chosen], tokens, min(STUB_TOKENS, room))
        stubs = fitting(stubs, len, chars) if chars is not None else stubs
        self.shown = [tool.full_name for tool in chosen[: len(stubs)]]
        return stubs

    def stub(self, tool: Tool) -> str:
        """A tool as the policy reads it."""
        return prompt_stub(self.observed.typed(tool) if self.observed is not None else tool)

    def _remembered(self, task: str) -> list[Tool]:
        tools = self.registry.tools
        return [tools[name] for name in self.worked.tools(task, tools)] if self.worked is not None else []

    def _everything(self, tokens: Callable[[str], int], room: int) -> list[str]:
        stubs = [self.stub(tool) for tool in self.registry.tools.values()]
        needed = tokens("".join(f"{one}\n" for one in stubs))
        if needed > room:
            raise BudgetError(
                f"all {len(stubs)} stubs take {needed} tokens, and the budget leaves {max(0, room)}",
                where="--loading eager", mend="raise --budget, name fewer servers, or use --loading search",
            )  # fmt: skip
        self.shown = list(self.registry.tools)
        return stubs

    def server_index(self) -> list[tuple[str, int]]:
        """Identifier and number of tools of each server; of many servers the first few, and `...` for the others."""
        index = [(server.name, server.tool_count) for server in self.registry.servers if server.tool_count]
        if len(index) <= SERVERS_NAMED or self.loading in ("servers", "tools"):  # there the policy chooses by server
            return index
        return [*index[:SERVERS_KEPT], ("...", sum(count for _, count in index[SERVERS_KEPT:]))]

    def functions(self) -> dict[str, dict[str, Any]]:
        """The meta-tools of this variant with their schemas."""
        if self.loading == "eager":
            return {}
        load = {_LOAD: {
            "type": "object", "properties": {"names": {"type": "array", "items": {}}}, "x-variadic": "names",
        }}  # fmt: skip
        if self.loading != "search":
            return load
        query = {"query": {"type": "string"}, "k": {"type": "integer", "default": 8}}
        return {_SEARCH: {"type": "object", "properties": query, "required": ["query"]}} | load

    def schemas(self) -> dict[str, dict[str, Any]]:
        """What a program can call: every known tool, in view or not, and the meta-tools."""
        return self._programs_know()[0]

    def read_only(self) -> frozenset[str]:
        """What programs can call that is known to change nothing."""
        return self._programs_know()[1]

    def parameters(self) -> dict[str, tuple[str, ...]]:
        """Every known tool and function of the run with its parameter names."""
        functions = {**self.functions(), READ_RESULT: KEPT_SCHEMA, **self.hosted}
        given = {name: tuple(schema.get("properties", ())) for name, schema in functions.items()}
        return {name: card.parameters for name, card in self.registry.cards.items()} | given

    def required(self) -> dict[str, tuple[str, ...]]:
        """What every tool that takes a fixed set of parameters must be given."""
        cards = self.registry.cards.items()
        return {name: tuple(card.schema["required"]) for name, card in cards if not card.schema.get("additionalProperties")}

    def _programs_know(self) -> tuple[dict[str, dict[str, Any]], frozenset[str]]:
        cards = self.registry.cards
        if self._told is None or self._told[0] is not cards:  # with thousands of tools too slow to do for every program
            functions = self.functions()
            known = {name for name, card in cards.items() if card.read_only}
            schemas = {name: card.schema for name, card in cards.items()} | functions | {READ_RESULT: KEPT_SCHEMA}
            schemas |= self.hosted
            self._told = cards, schemas, frozenset(known | ({_SEARCH} & functions.keys()) | {READ_RESULT})
        return self._told[1], self._told[2]

    def search(self, arguments: dict[str, Any]) -> list[str]:
        """`search_tools(query, k=8)`: one line for each tool found."""
        query, count = str(arguments.get("query", "")), arguments.get("k", 8)
        if not isinstance(count, int) or isinstance(count, bool):
            raise MetaToolError(f"search_tools takes a whole number k, not {count!r}")
        hits = self.registry.search(query, min(max(count, 0), 50))
        return [found_text(hit.tool.full_name, summary_line(hit.tool.description)) for hit in hits]

    def load(self, arguments: dict[str, Any]) -> None:
        """`load_tools(*names)`: puts stubs into the next prompt; text after the first blank of a name is left out."""
        for name in _flat(arguments.get("names", [])):
            self._load_one(name)

    def _load_one(self, name: str) -> None:
        tool = self.registry.tools.get(name)
        if tool is not None:
            self._show(tool)
            return
        members = [self.registry.tools[one] for one in self.registry.cards if one.partition(".")[0] == name]
        if not members:
            near = self.registry.nearest(name)
            raise MetaToolError(f"no tool {name!r}" + (f" (did you mean {near[0]}?)" if near else ""))
        if self.loading == "tools":
            self._add(f"{name}: {', '.join(one.name for one in members)}")
            return
        for one in members:
            self._show(one)

    def _show(self, tool: Tool) -> None:
        self._add(self.stub(tool))
        if tool.full_name not in self.shown:
            self.shown.append(tool.full_name)

    def _add(self, line: str) -> None:
        if line not in self.pending:
            self.pending.append(line)

    def forget(self, stubs: Sequence[str]) -> None:
        """These stubs did not fit into the prompt after all."""
        tools = self.registry.tools
        self.shown = [name for name in self.shown if name not in tools or self.stub(tools[name]) not in stubs]

    def take_pending(self) -> list[str]:
        """The lines for the next prompt."""
        lines, self.pending = self.pending, []
        return lines


def _flat(names: object) -> list[str]:
    """Names as programs give them: strings, lines of `search_tools`, lists of either."""
    if isinstance(names, list | tuple):
        return [flat for one in names for flat in _flat(one)]
    words = str(names).split(maxsplit=1)
    return words[:1]


def fitting(stubs: Sequence[str], tokens: Callable[[str], int], room: int) -> list[str]:
    """The longest beginning of `stubs` that fits."""
    low, high = 0, len(stubs)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens("".join(f"{one}\n" for one in stubs[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return list(stubs[:low])
