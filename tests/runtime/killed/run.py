"""Runs of ten calls in three turns, to be killed and resumed.

Imports everything once, then makes one process for each line of standard input: `{"home", "mcp", "what", "out"}`, where
`what` is `run`, or how to resume: `stop`, `repeat`, `report`. Its id is printed; what it says is written to `out`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys

import mcp.client.stdio  # noqa: F401 - loaded before the fork

from atlas.runtime import Runtime, loop  # noqa: F401
from atlas.runtime.errors import UnknownFate
from atlas.runtime.policies.scripted import ScriptedPolicy
from atlas.sandbox import host  # noqa: F401
from atlas.tools_registry import guardian, registry  # noqa: F401

PROGRAMS = [
    "first = [ledger.add(n) for n in range(3)]\nprint(first)",
    "seen = []\nfor n in range(3, 7):\n    seen.append(ledger.look(n) if n % 2 else ledger.add(n))\nprint(seen)",
    "rest = [ledger.add(n) for n in range(7, 10)]\nanswer(first + seen + rest)",
]


def reply(conversation) -> str:
    return PROGRAMS[sum(message["role"] == "assistant" for message in conversation.messages) % 3]


async def work(mcp_file: str, what: str) -> None:
    async with Runtime(ScriptedPolicy(reply), mcp=mcp_file, approve="auto", toolbox=False, budget=8_000) as runtime:
        print("open", flush=True)
        try:
            episode = await (runtime.run("a task") if what == "run" else runtime.resume(in_flight=what))
        except UnknownFate as unknown:
            said = {"asked": unknown.message}
        else:
            said = {"status": episode.status, "answer": episode.answer, "calls": episode.tool_calls}
    print(json.dumps(said), flush=True)


def child(order: dict) -> None:
    guardian._process_mark = secrets.token_hex(8)  # as a process of its own would have
    os.environ["ATLAS_HOME"] = order["home"]
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asyncio.run(work(order["mcp"], order["what"]))


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        ready, in_its_session = os.pipe()
        process = os.fork()
        if process == 0:
            code = 1
            try:
                os.setsid()
                os.close(ready)
                os.close(in_its_session)
                child(json.loads(line))
                code = 0
            finally:
                os._exit(code)
        os.close(in_its_session)
        os.read(ready, 1)  # ends when the child leads a session: whoever looks for that finds it
        os.close(ready)
        print(process, flush=True)
