"""Prompt tokens of a task's first turn against loading every schema, over real toolspaces where they are at hand.

`python benchmarks/context_tokens.py [FOLDER]`, where FOLDER holds `toolspaces/*.jsonl.gz` and `tasks/*.jsonl.gz` (not part
of the repository; `../shared/data` by default). Without it, twenty generated servers are measured.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from measure import ROOT, heading, table

from atlas.commands.toolspace import read_listings
from atlas.runtime.options import NANO_BUDGET
from atlas.runtime.prompt import first_message, system_text
from atlas.runtime.view import LIMIT, MINIMUM, STUB_TOKENS, fitting
from atlas.tools_registry.search import ToolIndex
from atlas.tools_registry.stubs import stub
from atlas.tools_registry.tool import Tool

Count = Callable[[str], int]
TASKS = ("How many words are in notes.md?", "Find the open issues of the repository and list their titles.")


def main(folder: Path) -> None:
    heading("Context")
    count, counted_by = _counter()
    spaces = sorted((folder / "toolspaces").glob("*.jsonl.gz")) if folder.is_dir() else []
    tasks = _tasks(folder)
    print(f"Tokens by {counted_by}; tasks: {len(tasks)}. First prompt: system text, server index, stubs in view, task.\n")
    rows = [_row(path.name.removesuffix(".jsonl.gz"), list(read_listings(path)), tasks, count) for path in spaces]
    if not rows:
        rows = [_row("generated", _generated(), [(task, ()) for task in TASKS], count)]
    first = ["Atlas, first prompt: median", "most", "ratio", "needed servers in view"]
    table(["toolspace", "tools", "every schema as JSON", "every stub", *first], rows)


def _row(name: str, tools: list[Tool], tasks: Sequence[tuple[str, Sequence[str]]], count: Count) -> list[object]:
    schemas = count("\n".join(_schema(tool) for tool in tools))
    stubs = count("\n".join(map(stub, tools)))
    index = ToolIndex(tools)
    servers: dict[str, int] = {}
    for tool in tools:
        servers[tool.server] = servers.get(tool.server, 0) + 1
    sizes, recalled = [], []
    present = {tool.server_name for tool in tools}
    for task, needed in tasks:
        view = index.first_view(task, minimum=MINIMUM, limit=LIMIT)
        shown = fitting([stub(tool) for tool in view], count, STUB_TOKENS)
        sizes.append(count(system_text("compact") + first_message(_index(servers, task, count), shown, task)))
        if needed and set(needed) <= present:
            found = {tool.server_name for tool in view[: len(shown)]}
            recalled.append(len(found & set(needed)) / len(needed))
    median = statistics.median(sizes)
    recall = f"{statistics.mean(recalled):.0%} of {len(recalled)} tasks'" if recalled else "-"
    every = [f"{schemas:,}", f"{stubs:,}"]
    return [name, len(tools), *every, f"{median:,.0f}", f"{max(sizes):,}", f"{schemas / median:.0f}x", recall]


def _index(servers: dict[str, int], task: str, count: Count) -> list[tuple[str, int]]:
    """The server index as a run shows it: one that leaves no room for the task gives way to the number of tools."""
    index = list(servers.items())
    room = NANO_BUDGET - count(system_text("compact") + first_message(index, [], task))
    return index if room >= 0 else [("...", sum(servers.values()))]


def _schema(tool: Tool) -> str:
    return json.dumps(
        {"name": tool.tool_name or tool.name, "description": tool.description, "inputSchema": tool.input_schema},
        separators=(",", ":"), ensure_ascii=False,
    )  # fmt: skip


def _tasks(folder: Path) -> list[tuple[str, tuple[str, ...]]]:
    path = folder / "tasks" / "mcp-bench-tasks.jsonl.gz"
    if not path.is_file():
        return [(task, ()) for task in TASKS]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [(row["fuzzy_description"], tuple(row["servers"])) for row in rows]


def _counter() -> tuple[Count, str]:
    """nano's own tokenizer; where nano is not built, four characters a token."""
    model = ROOT / "models" / "nano.gguf"
    if not model.is_file():
        return (lambda text: -(-len(text) // 4)), "four characters each (models/nano.gguf is not there)"
    import llama_cpp

    llama = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    return (lambda text: len(llama.tokenize(text.encode(), add_bos=False, special=False))), "nano's tokenizer"


def _generated() -> list[Tool]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.jsonl"
        properties = {"key": {"type": "string", "description": "Its key."}, "limit": {"type": "integer", "default": 10}}
        lines = [
            json.dumps({"server": f"server{s}", "tools": [
                {"name": f"get_record_{t}", "description": f"Get record {t} of store {s}, newest first.",
                 "inputSchema": {"type": "object", "properties": properties, "required": ["key"]}} for t in range(20)]})
            for s in range(20)
        ]  # fmt: skip
        path.write_text("\n".join(lines), encoding="utf-8")
        return list(read_listings(path))


main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data")
