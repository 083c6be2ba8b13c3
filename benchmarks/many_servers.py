"""What twenty configured servers cost a run before its first program, beside connecting to all of them first.

`python benchmarks/many_servers.py DIR [REPEATS]`, where DIR was filled by `install_real_servers.sh`. Their tool lists are
cached by one `atlas tools refresh`; then runs with and without them take turns. A run has reached its first program when the
file that this program writes is there; the clock starts when the process is made.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import BIN, Timing, children_seconds, command, heading, table, timed
from real_servers import installed, workplace

SERVERS = 20
REPLIES = ['files.write(path="first", content="x")\nanswer(1)']


def main(folder: Path, repeats: int) -> None:
    heading("Twenty real servers configured")
    chosen = installed(folder)[:SERVERS]
    with workplace() as work, tempfile.TemporaryDirectory() as home:
        config, replies = Path(home) / "twenty.json", Path(home) / "replies.json"
        entries = {one.name: one.entry(folder, work) for one in chosen}
        config.write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
        replies.write_text(json.dumps(REPLIES), encoding="utf-8")
        state = {"ATLAS_HOME": home}
        listed = command([BIN / "atlas", "tools", "refresh", "--mcp", config, "--json"], **state)()
        tools = [json.loads(line) for line in listed.splitlines()]
        print(f"{len(chosen)} servers with {sum(row['tools'] for row in tools)} tools, toolbox included.\n")
        flags = ["--model", f"scripted:{replies}", "--approve", "auto", "--json"]
        run = [BIN / "atlas", "run", "Write the first file.", *flags]
        none, many, started = list[tuple[float, float]](), list[tuple[float, float]](), set[str]()
        for turn in range(repeats + 1):  # the first of each is not counted
            for times, more in ((none, []), (many, ["--mcp", str(config)]))[:: 1 if turn % 2 else -1]:
                seconds, work_seconds, servers = _first_program([*map(str, run), *more], state)
                started |= servers
                times += [(seconds, work_seconds)] if turn else []
        apart = [statistics.median(later[one] - sooner[one] for later, sooner in zip(many, none, strict=True))
                 for one in (0, 1)]  # fmt: skip
        every = timed(command([BIN / "python", Path(__file__).with_name("connect_all.py"), config]), 1)
        table(["until the first program", "wall: median (least to most)", "processor time of the whole run"], [
            ["no server configured", *_timings(none)],
            [f"{len(chosen)} configured, their lists cached", *_timings(many)],
            ["difference of neighbours, median", *(f"{one * 1e3:.0f} ms" for one in apart)],
            ["servers started by these runs", len(started), ""],
            ["connecting to all of them and listing their tools (MCP SDK), nothing else", every, every.work],
        ])  # fmt: skip


def _timings(runs: list[tuple[float, float]]) -> list[Timing]:
    return [Timing(tuple(run[one] for run in runs)) for one in (0, 1)]


def _first_program(run: list[str], state: dict[str, str]) -> tuple[float, float, set[str]]:
    with tempfile.TemporaryDirectory() as workspace:
        used = children_seconds()
        began = time.time_ns()
        done = subprocess.run(
            [*run, "--workspace", workspace], capture_output=True, text=True, timeout=300, env=os.environ | state
        )
        first = Path(workspace) / "first"
        if not first.exists():
            raise SystemExit(f"the program was not reached: {done.stderr[-2000:]}")
        seconds = (first.stat().st_mtime_ns - began) / 1e9
        return seconds, children_seconds() - used, set(json.loads(done.stdout)["servers_started"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: many_servers.py DIR [REPEATS]")
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 15)
