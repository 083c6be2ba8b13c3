"""What overlapping calls save: reading 50 resources that take 20 ms each, in a comprehension and one by one.

`python benchmarks/overlap.py [REPEATS]`
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from measure import heading, table

from atlas.runtime import Runtime
from atlas.sandbox import Outcome, Sandbox

SECONDS, COUNT = 0.02, 50
ONE = "slow.read(n=1)"
MANY = f"[slow.read(n=n) for n in range({COUNT})]"
USED = f"sum(len(slow.read(n=n)) for n in range({COUNT}))"
SCHEMA = {"slow.read": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}


class Slow:
    """Reads, and counts how many reads are under way."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def read(self, n: int) -> str:
        """Read a slow resource."""
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(SECONDS)
        self.now -= 1
        return f"resource {n}"

    def server(self) -> Any:
        """As a server in this process that says that it only reads."""
        from mcp.server import MCPServer
        from mcp.types import ToolAnnotations

        server = MCPServer("slow")
        server.tool(annotations=ToolAnnotations(read_only_hint=True))(self.read)
        return server


async def measured(slow: Slow, run: Callable[[str], Awaitable[Outcome]], repeats: int) -> dict[str, tuple[float, int]]:
    """Median seconds of each program, and the most reads that were under way; the programs take turns."""
    seconds: dict[str, list[float]] = {ONE: [], MANY: [], USED: []}
    most: dict[str, int] = {}
    await run(ONE)
    for _ in range(repeats):
        for program, times in seconds.items():
            slow.most = 0
            outcome = await run(program)
            assert outcome.status == "ok", outcome
            times.append(outcome.seconds)
            most[program] = max(most.get(program, 0), slow.most)
    return {program: (statistics.median(times), most[program]) for program, times in seconds.items()}


async def in_sandbox(overlap: bool, repeats: int) -> dict[str, tuple[float, int]]:
    """The sandbox alone."""
    slow = Slow()

    def call(tool: str, arguments: dict[str, Any]) -> Awaitable[str]:
        return slow.read(**arguments)

    async with Sandbox(overlap=overlap) as sandbox:
        return await measured(slow, lambda program: sandbox.arun(program, SCHEMA, call, read_only=SCHEMA), repeats)


async def in_runtime(overlap: bool, repeats: int) -> dict[str, tuple[float, int]]:
    """With journal, argument check and the MCP SDK on both sides, all in this process."""
    slow = Slow()
    async with Runtime("none", tools=[slow.server()], toolbox=False, log=False, overlap=overlap,
                       workspace=Path(__file__).parent) as runtime:  # fmt: skip
        return await measured(slow, runtime.execute, repeats)


async def main(repeats: int) -> None:
    """All of it."""
    heading(f"Overlap: {COUNT} reads of {SECONDS * 1e3:.0f} ms")
    rows: list[list[object]] = []
    for name, work in (("sandbox", in_sandbox), ("runtime", in_runtime)):
        for overlap in (True, False):
            found = await work(overlap, repeats if overlap else 1)
            one = found[ONE][0]
            for label, program in (("one read", ONE), ("50 in a comprehension", MANY), ("50, each used at once", USED)):
                seconds, most = found[program]
                how = "overlapping" if overlap else "one by one"
                rows.append([f"{name}, {how}: {label}", f"{seconds * 1e3:.0f} ms", f"{seconds / one:.1f}", most])
    table(["program", "median", "times one read", "most under way"], rows)


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
