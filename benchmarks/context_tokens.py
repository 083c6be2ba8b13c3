"""Tokens of the prompt before the first program by the size of the toolspace, beside loading everything and listing names.

`python benchmarks/context_tokens.py [FOLDER]`, where FOLDER holds `toolspaces/*.jsonl.gz` and
`tasks/mcp-bench-tasks.jsonl.gz` (not part of the repository; `../shared/data` by default). The listings are put into a
catalogue as those of configured servers; the prompt is what a run writes: system text, server index, stubs, task. A token
is 4.14 characters, as Qwen's tokenizer gives on these schemas, but where nano's own is named. Eager: every schema
as JSON, and every stub; names: every server with the names of its tools; each with the same task and system text.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import ROOT, heading, table

from atlas.commands.toolspace import read_parts
from atlas.runtime.prompt import first_message, system_text
from atlas.runtime.view import FULL_STUB_CHARS, View
from atlas.tools_registry import Catalogue, Registry, ServerConfig
from atlas.tools_registry.listing import ListedTool, Listing
from atlas.tools_registry.stubs import stub
from atlas.tools_registry.tool import Tool

Count = Callable[[str], int]
CHARS_A_TOKEN = 4.14
SPACES = {257: (), 3_407: ("toucan-valid",), 17_835: ("toucan-all",)}
MOST_TOKENS, MOST_STUB_TOKENS, MOST_GROWTH = 900, 700, 0.05


@dataclass(frozen=True)
class Measured:
    """One toolspace: means over the tasks."""

    tools: int
    compact: float
    stubs: float
    most_stubs: int
    full: float
    eager: float
    every_stub: float
    names: float


def main(folder: Path) -> None:
    heading("Context before the first program")
    if not (folder / "toolspaces" / "mcp-bench.jsonl.gz").is_file():
        print(f"{folder} holds no listings: nothing is measured")
        return
    with gzip.open(folder / "tasks" / "mcp-bench-tasks.jsonl.gz", "rt", encoding="utf-8") as lines:
        tasks = [str(json.loads(line)["fuzzy_description"]) for line in lines]
    count, counted_by = _counter()
    print(f"{len(tasks)} MCP-Bench tasks; stubs counted by {counted_by}.\n")
    rows = [asyncio.run(_measured(folder, others, tasks, count)) for others in SPACES.values()]
    columns = ["tools", "Atlas with nano: mean", "growth", "stubs, nano's tokenizer: mean (most)",
               "Atlas, full system text: mean", "growth", "eager, JSON", "eager, stubs", "name list"]  # fmt: skip
    table(columns, [_row(one, rows[0]) for one in rows])
    good = all(
        max(one.compact, one.full) <= MOST_TOKENS and one.stubs <= MOST_STUB_TOKENS
        and max(one.compact / rows[0].compact, one.full / rows[0].full) <= 1 + MOST_GROWTH
        for one in rows
    )  # fmt: skip
    print(f"\nBar: at most {MOST_TOKENS}, stubs at most {MOST_STUB_TOKENS}, growth at most {MOST_GROWTH:.0%}: "
          f"{'held' if good else 'MISSED'}")  # fmt: skip


def _row(one: Measured, first: Measured) -> list[object]:
    growth = [f"{now / before - 1:+.1%}" for now, before in ((one.compact, first.compact), (one.full, first.full))]
    wide = [f"{figure:,.0f}" for figure in (one.eager, one.every_stub, one.names)]
    stubs = f"{one.stubs:.0f} ({one.most_stubs})"
    return [f"{one.tools:,}", f"{one.compact:.0f}", growth[0], stubs, f"{one.full:.0f}", growth[1], *wide]


async def _measured(folder: Path, others: Sequence[str], tasks: Sequence[str], count: Count) -> Measured:
    with tempfile.TemporaryDirectory() as home:
        catalogue = Catalogue(Path(home) / "catalogue.db")
        configs: list[ServerConfig] = []
        for name in ("mcp-bench", *others):
            for part in read_parts(folder / "toolspaces" / f"{name}.jsonl.gz"):
                if part.tools:
                    config = ServerConfig(part.tools[0].server_name, command=f"/not/started/{len(configs)}")
                    catalogue.put(config.fingerprint, config.name, _listing(part.tools, part.instructions), "auto")
                    configs.append(config)
        async with Registry(configs, catalogue=catalogue) as registry:
            assert not registry.started
            return _of(registry, tasks, count)


def _listing(tools: Sequence[Tool], instructions: str) -> Listing:
    listed = [ListedTool(tool.tool_name, tool.description, tool.input_schema, tool.output_schema) for tool in tools]
    return Listing(tuple(listed), (), instructions)


def _of(registry: Registry, tasks: Sequence[str], count: Count) -> Measured:
    tools = list(registry.tools.values())
    schemas = "\n".join(_schema(tool) for tool in tools)
    stubs = "\n".join(map(stub, tools))
    names = "\n".join(
        f"{server.server_name}: {', '.join(tool.tool_name for tool in tools if tool.server == server.name)}"
        for server in registry.servers
    )
    compact, shown, full = [], [], []
    for task in tasks:
        view = View(registry, "search")
        first = view.first(task, count, 100_000)
        compact.append(_tokens(system_text("compact") + first_message(view.server_index(), first, task)))
        shown.append(count("".join(f"{one}\n" for one in first)))
        view = View(registry, "search")
        first = view.first(task, lambda text: round(_tokens(text)), 100_000, FULL_STUB_CHARS)
        full.append(_tokens(system_text("full") + first_message(view.server_index(), first, task)))
    around = statistics.mean(_tokens(system_text("full") + task) for task in tasks)
    return Measured(
        len(tools), statistics.mean(compact), statistics.mean(shown), max(shown), statistics.mean(full),
        around + _tokens(schemas), around + _tokens(stubs), around + _tokens(names),
    )  # fmt: skip


def _tokens(text: str) -> float:
    return len(text) / CHARS_A_TOKEN


def _schema(tool: Tool) -> str:
    parts = {"name": tool.tool_name, "description": tool.description, "inputSchema": tool.input_schema}
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def _counter() -> tuple[Count, str]:
    """nano's own tokenizer; where nano is not built, 2.6 characters a token."""
    model = ROOT / "models" / "nano.gguf"
    if not model.is_file():
        return (lambda text: round(len(text) / 2.6)), "2.6 characters each (models/nano.gguf is not there)"
    import llama_cpp

    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    return (lambda text: len(llama.tokenize(text.encode(), add_bos=False, special=False))), "nano's tokenizer"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data")
