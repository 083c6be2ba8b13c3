"""A run of 30 calls in two turns that kills its host, or its worker, at one boundary of the journal.

Imports everything once, then makes one process for each line of standard input: `{"home", "workspace", "ledger", "out",
"what", "who", "at", "when"}`. `what` is `run`, or how to resume; `who` (`host`, `worker` or nobody) is killed `before` or
`after` the journal's statement number `at`. What the run comes to is written to `out`, with the number of statements.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path

import anyio._backends._asyncio  # noqa: F401
import jsonschema  # noqa: F401
import RestrictedPython  # noqa: F401
from mcp.server import MCPServer
from mcp.server.mcpserver import exceptions  # noqa: F401 - loaded before the fork, as all that a run imports late

from atlas.runtime import Runtime, loop  # noqa: F401
from atlas.runtime.episodes.journal import Journal
from atlas.runtime.errors import UnknownFate
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.sandbox import Sandbox, host  # noqa: F401
from atlas.tools_registry import registry  # noqa: F401
from atlas.tools_registry.toolbox import toolbox_servers  # noqa: F401

PROGRAMS = [
    "import datetime\nstarted = datetime.datetime.now()\nbase = [app.add(n) for n in range(3)]\nprint(base)",
    """import asyncio
total = list(base)
for n in range(3, 9):
    total.append(app.add(n))
    total.append(files.read(f'{n % 3}.txt'))
texts = await asyncio.gather(*[files.read(f'{n % 3}.txt') for n in range(8)])
def rest():
    for n in range(9, 15):
        yield app.add(n)
try:
    files.read('missing.txt')
except ToolError as error:
    total.append(error.kind)
total.extend(rest())
answer([total, texts, started <= datetime.datetime.now()])""",
]
CALLS = 30
ADDED = 15


def reply(conversation) -> str:
    return PROGRAMS[sum(message["role"] == "assistant" for message in conversation.messages)]


class Killer:
    """Counts the journal's statements, and kills at one of them."""

    def __init__(self, order: dict) -> None:
        self.who, self.at, self.when = order.get("who"), order.get("at", 0), order.get("when")
        self.count = 0
        self.sandbox: Sandbox | None = None
        self._write = Journal._write
        Journal._write = lambda journal, *arguments: self.write(journal, *arguments)
        opened, killer = Sandbox._open, self

        def remember(sandbox: Sandbox) -> None:
            killer.sandbox = sandbox
            opened(sandbox)

        Sandbox._open = remember

    def write(self, journal: Journal, *arguments) -> None:
        self.count += 1
        now = self.count == self.at
        if now and self.when == "before":
            self.kill()
        self._write(journal, *arguments)
        if now and self.when == "after":
            self.kill()

    def kill(self) -> None:
        if self.who == "host":
            os.kill(os.getpid(), signal.SIGKILL)
        pid = self.sandbox.worker_pid if self.sandbox is not None else None
        if pid is not None:
            worker = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            select.select([worker], [], [])  # until it has stopped for good
            os.close(worker)


async def work(order: dict, killer: Killer) -> dict:
    def add(number: int) -> int:
        """Add a line to the ledger."""
        with open(order["ledger"], "a") as ledger:
            ledger.write(f"{number}\n")
        return number * number

    async with Runtime(
        ScriptedPolicy(reply), workspace=order["workspace"], tools=[add], approve="auto", budget=8_000
    ) as runtime:
        try:
            what = order["what"]
            episode = await (runtime.run("a task") if what == "run" else runtime.resume(in_flight=what))
        except UnknownFate as unknown:
            return {"asked": unknown.message}
        return {
            "status": episode.status, "answer": episode.answer, "calls": episode.tool_calls, "statements": killer.count,
            "error": episode.error, "notes": list(episode.notes),
        }  # fmt: skip


def child(order: dict) -> None:
    os.setsid()
    os.environ["ATLAS_HOME"] = order["home"]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    errors = os.open(order["out"] + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(errors, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = asyncio.run(work(order, Killer(order)))
    Path(order["out"]).write_text(json.dumps(said))


if __name__ == "__main__":
    MCPServer("warm").add_tool(reply, name="warm")  # the SDK imports its parts when they are first used
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            code = 1
            try:
                child(json.loads(line))
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
