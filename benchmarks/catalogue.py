"""Opening a catalogue of thousands of tools in a new process and answering a first query, beside bm25s.

`python benchmarks/catalogue.py [FILE] [REPEATS]`, where FILE holds listings (not part of the repository;
`../shared/data/toolspaces/toucan-all.jsonl.gz` by default). Both keep their index on disk and open it as lazily as they can
(bm25s: memory-mapped). Times begin after the imports; memory is the most a process ever held less that of an empty one.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measure import BIN, ROOT, heading, peer, table

from atlas.commands.toolspace import read_parts
from atlas.tools_registry.stored import store_space

QUERIES = (
    "find hiking trails in national parks", "convert currency exchange rate", "create a github issue", "search for papers",
    "what is the weather tomorrow", "send an email", "list files in a folder", "translate text", "stock price history",
    "play music", "book a flight", "query a postgres database",
)  # fmt: skip
ATLAS = """
import json, sys, time
import sqlite3, numpy
from atlas.tools_registry import ranking, search, stored, tool
start = time.perf_counter()
space = stored.open_space(sys.argv[1], "bench")
index = search.StoredIndex(space)
queries = json.loads(sys.argv[2])
found = index.search(queries[0], 8)
first = time.perf_counter() - start
later = []
for query in queries[1:] * 3:
    start = time.perf_counter()
    index.search(query, 8)
    later.append(time.perf_counter() - start)
"""
BM25S = """
import json, sys, time
import numpy, bm25s
start = time.perf_counter()
index = bm25s.BM25.load(sys.argv[1], mmap=True, load_corpus=True)
queries = json.loads(sys.argv[2])
def ask(query):
    return index.retrieve(bm25s.tokenize(query, show_progress=False), k=8, show_progress=False)
found = ask(queries[0])[0][0]
first = time.perf_counter() - start
later = []
for query in queries[1:] * 3:
    start = time.perf_counter()
    ask(query)
    later.append(time.perf_counter() - start)
"""
REPORT = """
most = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
print(json.dumps({"found": len(found), "first": first, "later": later, "kib": most}))
"""
EMPTY = "import json; found, first, later = [], 0, [0]" + REPORT
BUILD = """
import bm25s, json, sys
tools = json.load(sys.stdin)
index = bm25s.BM25(corpus=[{"tool": tool} for tool in tools])
texts = [" ".join((tool["server"], tool["name"], tool["description"])) for tool in tools]
index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
index.save(sys.argv[1], corpus=index.corpus)
"""


def main(path: Path, repeats: int) -> None:
    heading("Catalogue")
    if not path.is_file():
        print(f"{path} is not there: nothing is measured")
        return
    parts = list(read_parts(path))
    tools = [tool for part in parts for tool in part.tools]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalogue.db"
        started = time.process_time()
        store_space(file, "bench", parts)
        built = time.process_time() - started
        parts[len(parts) // 2] = type(parts[0])("changed", parts[len(parts) // 2].tools, "changed")
        started = time.process_time()
        anew = store_space(file, "changed", parts)
        changed = time.process_time() - started
        print(f"{len(tools):,} tools of {len(parts):,} servers; processor time to build the index {built:.1f} s, "
              f"{changed:.1f} s when {len(anew)} server changed.\n")  # fmt: skip
        empty = _ask(BIN, EMPTY, file, 3)
        rows = [_row("Atlas", _ask(BIN, ATLAS + REPORT, file, repeats), empty)]
        other = peer("bm25s")
        if other is not None:
            where = Path(folder) / "bm25s"
            given = [{"server": t.server_name, "name": t.tool_name, "description": t.description} for t in tools]
            subprocess.run([other / "python", "-c", BUILD, where], input=json.dumps(given), text=True, check=True)
            rows.append(_row("bm25s, memory-mapped", _ask(other, BM25S + REPORT, where, repeats), empty))
        table(["", "open and first query: median (range)", "later queries: median", "memory above an empty process"], rows)


def _ask(python: Path, code: str, file: Path, repeats: int) -> list[dict[str, object]]:
    asked = [str(python / "python"), "-c", code, str(file), json.dumps(QUERIES)]
    runs = [subprocess.run(asked, capture_output=True, text=True, check=True).stdout for _ in range(repeats)]
    return [json.loads(out) for out in runs]


def _row(name: str, runs: Sequence[dict[str, object]], empty: Sequence[dict[str, object]]) -> list[object]:
    first = [float(str(run["first"])) * 1e3 for run in runs]
    later = [seconds * 1e3 for run in runs for seconds in run["later"]]  # type: ignore[attr-defined]
    held = statistics.median(int(str(run["kib"])) for run in runs) - statistics.median(int(str(run["kib"])) for run in empty)
    spread = f"{statistics.median(first):.1f} ms ({min(first):.1f} to {max(first):.1f})"
    return [name, spread, f"{statistics.median(later):.2f} ms", f"{held / 1024:.0f} MB"]


if __name__ == "__main__":
    default = ROOT.parent / "shared" / "data" / "toolspaces" / "toucan-all.jsonl.gz"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default, int(sys.argv[2]) if len(sys.argv) > 2 else 9)
