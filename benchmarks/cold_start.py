"""Cold start of `atlas --help` and of `atlas run`, with and without twenty servers configured.

Compared in the same run with an empty Python, with the command of smolagents, and with an agent that starts every
configured server before its first turn. `python benchmarks/cold_start.py [REPEATS]`
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measure import BIN, ROOT, Timing, command, heading, peer, table, timed

SERVERS = 20
TASK = "How many words are in notes.md?"
REPLIES = ['answer(text.count(path="notes.md", what="words"))']


def main(repeats: int) -> None:
    heading("Cold start")
    python = BIN / "python"
    rows: list[tuple[str, Timing]] = [("`python -c pass`", timed(command([python, "-c", "pass"]), repeats))]
    rows.append(("`atlas --help`", timed(command([BIN / "atlas", "--help"]), repeats)))
    smolagents = peer("smolagents")
    if smolagents:
        rows.append(("`smolagent --help` (smolagents)", timed(command([smolagents / "smolagent", "--help"]), repeats)))
    with tempfile.TemporaryDirectory() as home:
        rows += _runs(Path(home), repeats)
    columns = ["command", "median (least to most)", "processor time"]
    table(columns, [[label, timing, timing.work] for label, timing in rows])


def _runs(home: Path, repeats: int) -> list[tuple[str, Timing]]:
    replies = home / "replies.json"
    replies.write_text(json.dumps(REPLIES), encoding="utf-8")
    config = home / "mcp.json.twenty"
    names = [f"server{number}" for number in range(SERVERS)]
    servers = {name: {"command": str(BIN / "python"), "args": [str(Path(__file__).with_name("small_server.py")), name]}
               for name in names}
    config.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    workspace = ROOT / "examples" / "workspace"
    model = "nano" if (ROOT / "models" / "nano.gguf").is_file() else f"scripted:{replies}"
    run = [BIN / "atlas", "run", TASK, "--workspace", workspace, "--quiet", "--model", model]
    state = {"ATLAS_HOME": str(home)}
    scripted = command([*run[:-1], f"scripted:{replies}"], **state)
    rows: list[tuple[str, Timing]] = [("`atlas run`, scripted policy", timed(scripted, repeats))]
    if model == "nano":
        rows.append(("`atlas run`, nano", timed(command(run, **state), repeats)))
    with_servers = [*run, "--mcp", config]
    command([BIN / "atlas", "tools", "refresh", "--mcp", config], **state)()
    label = f"`atlas run`, {model.split(':')[0]}, {SERVERS} known servers configured"
    rows.append((label, timed(command(with_servers, **state), repeats)))
    listing = command([BIN / "atlas", "tools", "refresh", "--mcp", config], **state)
    rows.append((f"`atlas tools refresh`: {SERVERS} servers listed anew", timed(listing, max(1, repeats // 3))))
    everything = command([BIN / "python", Path(__file__).with_name("connect_all.py"), config])
    label = f"baseline: all {SERVERS} started and listed by the MCP SDK before the first turn"
    rows.append((label, timed(everything, max(1, repeats // 3))))
    return rows


main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
