"""Finding the servers that a task needs among hundreds, thousands and tens of thousands of tools.

`python benchmarks/tool_search.py [FOLDER] [--encoder SPEC]`, where FOLDER holds `toolspaces/*.jsonl.gz` and
`tasks/mcp-bench-tasks.jsonl.gz` (not part of the repository; `../shared/data` by default). Query: the fuzzy description of
a task. Figure: the share of its servers that have a tool among the first 8, by the server's exact name. The near-copy figure
also accepts a server that is a copy of a needed one by this rule: at least half of the needed server's tool names (letters
and digits only, lower case), and at least two where it has two, are also names of the other's tools, or both servers are
called the same but for case, gaps and the words `server` and `mcp`.

With `--encoder` (`minilm`, a .gguf file, `http://host:port/v1#model`) the same is measured with meaning fused in. Vectors
are kept in the file `$ATLAS_VECTORS` where that is set, so that a second run measures the search only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measure import ROOT, heading, peer_code, table

from atlas.commands.toolspace import read_listings
from atlas.runtime.encoders.naming import load_encoder
from atlas.runtime.view import LIMIT, MINIMUM
from atlas.tools_registry.search import Meant, ToolIndex
from atlas.tools_registry.tool import Tool

K = 8
BARS = {257: 1.15, 3_407: 1.25, 17_835: 1.3}
GOALS = {257: 1.3, 3_407: 1.6, 17_835: 1.6}
"""With an encoder."""
SPACES = {257: None, 3_407: "toucan-valid", 17_835: "toucan-all"}
RESAMPLES = 10_000
BM25S = """
import sys, json, bm25s
given = json.load(sys.stdin)
index = bm25s.BM25()
index.index(bm25s.tokenize(given["texts"], show_progress=False), show_progress=False)
found, _ = index.retrieve(bm25s.tokenize(given["queries"], show_progress=False), k=given["k"], show_progress=False)
json.dump(found.tolist(), sys.stdout)
"""


@dataclass(frozen=True)
class Task:
    """One task with the servers it needs."""

    text: str
    servers: frozenset[str]


def main(folder: Path, spec: str) -> None:
    heading("Tool search")
    bench = folder / "toolspaces" / "mcp-bench.jsonl.gz"
    if not bench.is_file():
        print(f"{bench} is not there: nothing is measured")
        return
    own, tasks = list(read_listings(bench)), _tasks(folder / "tasks" / "mcp-bench-tasks.jsonl.gz")
    print(f"{len(tasks)} tasks, fuzzy descriptions, first {K} tools; ratio with its 95 % interval by paired bootstrap.\n")
    kinds = dict.fromkeys(["none", spec])
    rows = [row for size, other in SPACES.items() for row in _rows(size, folder, other, own, tasks, [*kinds])]
    figures = ["bm25s, defaults", "Atlas", "ratio", "bar", "with near-copies: bm25s", "Atlas"]
    times = ["ms a task: processor", "wall, median", "build s", "vectors: processor s", "wall s"]
    table(["tools", "encoder", *figures, *times], rows)


def _rows(
    size: int, folder: Path, other: str | None, own: list[Tool], tasks: list[Task], kinds: list[str]
) -> list[list[object]]:
    tools = list(own)
    if other:
        path = folder / "toolspaces" / f"{other}.jsonl.gz"
        tools += [replace(tool, server=f"other_{tool.server}") for tool in read_listings(path)]
    plain, copies = _bm25s(tools, tasks), _copies(own, tools)
    return [[f"{size:,}", kind, *_row(kind, tools, tasks, plain, copies, size)] for kind in kinds]


def _row(
    kind: str, tools: list[Tool], tasks: list[Task], plain: list[list[Tool]], copies: dict[str, set[str]], size: int
) -> list[object]:
    encoder = load_encoder(kind)
    kept = os.environ.get("ATLAS_VECTORS")
    meant = Meant(encoder, Path(kept) if kept else None, print) if encoder is not None else None
    started = time.process_time()
    index = ToolIndex(tools, None, meant)
    built = time.process_time() - started
    started, begun = time.process_time(), time.perf_counter()
    if index.meaning is not None:
        index.meaning.prepare()
    encoding = [time.process_time() - started, time.perf_counter() - begun]
    index.first_view("warm the encoder up", minimum=MINIMUM, limit=LIMIT)
    started, walls, atlas = time.process_time(), list[float](), list[list[Tool]]()
    for task in tasks:
        begun = time.perf_counter()
        atlas.append(index.first_view(task.text, minimum=MINIMUM, limit=LIMIT)[:K])
        walls.append(time.perf_counter() - begun)
    took = (time.process_time() - started) / len(tasks)
    ours, theirs = _shares(atlas, tasks), _shares(plain, tasks)
    low, high = interval(ours, theirs)
    ratio = statistics.mean(ours) / statistics.mean(theirs)
    wanted = (BARS if encoder is None else GOALS)[size]
    wide = [f"{statistics.mean(_shares(found, tasks, copies)):.3f}" for found in (plain, atlas)]
    return [
        f"{statistics.mean(theirs):.3f}", f"{statistics.mean(ours):.3f}", f"{ratio:.2f} ({low:.2f} to {high:.2f})",
        f"{wanted} {'held' if ratio >= wanted and low > 1 else 'MISSED'}", *wide,
        f"{took * 1e3:.1f}", f"{statistics.median(walls) * 1e3:.1f}", f"{built:.1f}",
        *([f"{seconds:.1f}" for seconds in encoding] if encoder is not None else ["", ""]),
    ]  # fmt: skip


def _bm25s(tools: Sequence[Tool], tasks: Sequence[Task]) -> list[list[Tool]]:
    texts = [f"{tool.server_name} {tool.tool_name} {tool.description}" for tool in tools]
    given = {"texts": texts, "queries": [task.text for task in tasks], "k": K}
    return [[tools[number] for number in found] for found in json.loads(peer_code("bm25s", BM25S, json.dumps(given)))]


def _shares(
    found: Sequence[Sequence[Tool]], tasks: Sequence[Task], copies: dict[str, set[str]] | None = None
) -> list[float]:
    """For each task the share of its servers that were found; with `copies`, a copy of one counts as it."""
    shares = []
    for tools, task in zip(found, tasks, strict=True):
        names, servers = {tool.server_name for tool in tools}, {tool.server for tool in tools}
        held = [name in names or bool(copies and copies[name] & servers) for name in task.servers]
        shares.append(sum(held) / len(held))
    return shares


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the ratio of the means, tasks drawn with replacement, both systems on the same draw."""
    rng, pairs = random.Random(0), list(zip(ours, theirs, strict=True))
    ratios = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(pairs, k=len(pairs))
        ratios.append(sum(one for one, _ in drawn) / max(1e-9, sum(other for _, other in drawn)))
    ratios.sort()
    return ratios[RESAMPLES // 40], ratios[-RESAMPLES // 40]


def _copies(own: Sequence[Tool], tools: Sequence[Tool]) -> dict[str, set[str]]:
    """For each needed server the identifiers of its near-copies, by the rule above."""
    names: dict[str, set[str]] = {}
    called: dict[str, str] = {}
    for tool in tools:
        names.setdefault(tool.server, set()).add(_letters(tool.tool_name))
        called[tool.server] = _server_letters(tool.server_name)
    found: dict[str, set[str]] = {}
    for server in dict.fromkeys(tool.server for tool in own):
        needed = max(len(names[server]) / 2, min(2, len(names[server])))
        original = next(tool.server_name for tool in own if tool.server == server)
        found[original] = {
            other for other in names
            if called[other] == called[server] or len(names[server] & names[other]) >= needed
        }  # fmt: skip
    return found


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _server_letters(name: str) -> str:
    return _letters(re.sub(r"\b(?:mcp|server)\b", " ", re.sub(r"[_-]", " ", name.lower())))


def _tasks(path: Path) -> list[Task]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [Task(row["fuzzy_description"], frozenset(row["servers"])) for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--encoder", default="none", metavar="SPEC")
    given = parser.parse_args()
    main(given.folder, given.encoder)
