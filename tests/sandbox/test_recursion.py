"""Endless recursion and deep data end with an error, as in Python, and the worker and its variables live on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox

from . import support
from .recursion_maker import endless

DEEP = "x = []\nfor i in range(100_000): x = [x]\n"
ENDLESS = {
    "coroutine": "async def f(): await f()\nawait f()",
    "coroutine kept in a name": "async def f():\n    x = f()\n    await x\nawait f()",
    "two coroutines": "async def a(): await b()\nasync def b(): await a()\nawait a()",
    "coroutine that nobody awaits": "async def f(): await f()\nf()",
    "coroutine of a method": "class A:\n    async def f(self): await self.f()\nawait A().f()",
    "coroutine and function": "f = lambda: g()\nasync def g(): return await f()\nawait g()",
    "asyncio.run": "import asyncio\nasync def f(): await f()\nasyncio.run(f())",
    "asyncio.run in itself": "import asyncio\ndef f(): asyncio.run(g())\nasync def g(): f()\nf()",
    "gather": "import asyncio\nasync def f(): await asyncio.gather(f())\nawait f()",
    "task": "import asyncio\nasync def f(): await asyncio.create_task(f())\nawait f()",
    "task group": "import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as g: g.create_task(f())\nawait f()",
    "wait_for": "import asyncio\nasync def f(): await asyncio.wait_for(f(), 3)\nawait f()",
    "as_completed": "import asyncio\nasync def f():\n    for c in asyncio.as_completed([f()]): await c\nawait f()",
    "semaphore": "import asyncio\ns = asyncio.Semaphore(1)\nasync def f():\n    async with s: pass\n    await f()\n"
                 "await f()",
    "asynchronous generator": "async def g():\n    async for x in g(): yield x\nasync for x in g(): pass",
    "anext": "async def g():\n    yield await anext(g())\nawait anext(g())",
    "async with": "class C:\n    async def __aenter__(self):\n        async with C(): pass\n"
                  "    async def __aexit__(self, *a): pass\nasync with C(): pass",
    "asynchronous comprehension": "async def f(): return [await f() for _ in range(2)]\nawait f()",
    "generator": "def g(): yield from g()\nlist(g())",
    "function": "def f(): return f()\nf()",
    "comprehension": "f = lambda: [f() for _ in range(2)]\nf()",
    "generator expression": "f = lambda: sum(f() for _ in range(2))\nf()",
    "__repr__": "class A:\n    def __repr__(self): return repr([self])\nA()",
    "__str__": "class A:\n    def __str__(self): return f'{self}'\nprint(A())",
    "__eq__": "class A:\n    def __eq__(self, other): return [self] == [other]\nA() == A()",
    "__hash__": "class A:\n    def __hash__(self): return hash((self,))\n{A()}",
    "__lt__ in sorted": "class A:\n    def __lt__(self, other): return sorted([self, other])\nsorted([A(), A()])",
    "__next__": "class A:\n    def __iter__(self): return self\n    def __next__(self): return next(self)\nlist(A())",
    "__init__": "class A:\n    def __init__(self): A()\nA()",
    "property": "class A:\n    @property\n    def x(self): return self.x\nA().x",
    "super": "class A:\n    def f(self): return self.f()\nclass B(A):\n    def f(self): return super().f()\nB().f()",
    "sort key": "def k(x): return sorted([x, x], key=k)\nsorted([1, 2], key=k)",
    "map": "f = lambda x: list(map(f, [x]))\nf(1)",
    "reduce": "import functools\nf = lambda a, b: functools.reduce(f, [1, 2])\nf(1, 2)",
    "cache": "import functools\n@functools.cache\ndef f(n): return f(n + 1)\nf(0)",
    "re.sub": "import re\nf = lambda m: re.sub('a', f, 'a')\nf(0)",
    "defaultdict": "from collections import defaultdict\nd = defaultdict(lambda: d['x'])\nd['x']",
    "exceptions in handlers": "def f():\n    try: 1 / 0\n    except Exception: f()\nf()",
    "exception that makes itself": "class E(Exception):\n    def __init__(self): raise E()\nraise E()",
}  # fmt: skip
DEEP_DATA = {
    "repr of a list": DEEP + "repr(x)",
    "value of a list": DEEP + "x",
    "value of a dict": "x = {}\nfor i in range(100_000): x = {'a': x}\nx",
    "comparison": "x = y = ()\nfor i in range(100_000): x, y = (x,), (y,)\nx == y",
    "list in itself": "x, y = [], []\nx.append(x)\ny.append(y)\nx == y",
    "JSON": f"import json\n{DEEP}json.dumps(x)",
    "JSON text": "import json\njson.loads('[' * 100_000)",
    "deepcopy": f"import copy\n{DEEP}copy.deepcopy(x)",
    "pprint": f"import pprint\n{DEEP}pprint.pprint(x)",
    "dataclasses": "from dataclasses import dataclass\n@dataclass\nclass N:\n    n: object\n"
                   "x = None\nfor i in range(20_000): x = N(x)\nx",
    "exception of exceptions": "e = ValueError(1)\nfor i in range(100_000): e = ValueError(e)\ne",
    "closures": "f = lambda: 1\ndef w(g): return lambda: g()\nfor i in range(50_000): f = w(f)\nf()",
}  # fmt: skip
REFUSED = {
    "answer": (DEEP + "answer(x)", ("limit", "max_result_bytes")),
    "answer of a list in itself": ("x = []\nx.append(x)\nanswer(x)", ("limit", "max_result_bytes")),
    "argument": (DEEP + "demo.echo(text=x)", ("error", "TypeError")),
    "argument, awaited": (DEEP + "await demo.echo(text=x)", ("error", "TypeError")),
    "chain of causes": ("e = None\nfor i in range(50_000):\n    try: raise ValueError(i) from e\n"
                        "    except ValueError as x: e = x\nraise e", ("error", "ValueError")),
    "error made of errors": ("e = ValueError(1)\nfor i in range(100_000): e = ValueError(e)\nraise e",
                             ("error", "ValueError")),
    "error that shows itself": ("class E(Exception):\n    def __str__(self): return str(self)\nraise E()",
                                ("error", "E")),
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(memory_mb=128)) as opened:
        support.works(opened)
        yield opened


def _run(sandbox: Sandbox, source: str) -> Outcome:
    """Run a program that leaves its worker and the variables as they are."""
    sandbox.run("kept = 'still here'")
    worker = sandbox.worker_pid
    outcome = sandbox.run(source, support.ECHO, support.give_back)
    assert sandbox.run("kept").value == "still here" and sandbox.worker_pid == worker, outcome
    support.works(sandbox)
    return outcome


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_recursion_is_a_recursion_error(sandbox: Sandbox, name: str) -> None:
    outcome = _run(sandbox, ENDLESS[name])
    assert outcome.error is not None and outcome.error.type == "RecursionError", outcome


@pytest.mark.parametrize("name", DEEP_DATA)
def test_what_walks_over_deep_data_is_a_recursion_error(sandbox: Sandbox, name: str) -> None:
    outcome = _run(sandbox, DEEP_DATA[name])
    assert outcome.error is not None and outcome.error.type == "RecursionError", outcome


@pytest.mark.parametrize("name", REFUSED)
def test_deep_data_does_not_leave_the_program(sandbox: Sandbox, name: str) -> None:
    source, end = REFUSED[name]
    outcome = _run(sandbox, source)
    assert outcome.error is not None and (outcome.status, outcome.error.type) == end, outcome


def test_random_ways_of_recursion_are_recursion_errors(sandbox: Sandbox) -> None:
    for seed in range(20):
        outcome = sandbox.run(endless(seed))
        assert outcome.error is not None and outcome.error.type == "RecursionError", (outcome, endless(seed))
    support.works(sandbox)


def test_a_program_can_catch_the_recursion_of_coroutines(sandbox: Sandbox) -> None:
    for awaited, most in (("f(n + 1)", 1_000), ("asyncio.gather(f(n + 1))", 5_000)):
        outcome = _run(sandbox, f"import asyncio\ndeepest = 0\nasync def f(n):\n    global deepest\n    deepest = n\n"
                                f"    await {awaited}\ntry: await f(0)\nexcept RecursionError: answer(deepest)")  # fmt: skip
        assert outcome.status == "ok" and most / 3 < outcome.value <= most, outcome


def test_coroutines_may_nest_as_deep_as_functions(sandbox: Sandbox) -> None:
    outcome = _run(sandbox, "async def f(n): return 1 + await f(n - 1) if n else 0\nawait f(900)")
    assert outcome.value == 900


@pytest.mark.parametrize(("count", "at_the_end"), [(12_000, "pass"), (4_000, "await asyncio.sleep(0)")])
def test_tasks_that_each_start_the_next_are_no_recursion(sandbox: Sandbox, count: int, at_the_end: str) -> None:
    outcome = _run(sandbox, f"import asyncio\nleft = {count}\nasync def tick():\n    global left\n    left -= 1\n"
                            f"    if left: asyncio.create_task(tick())\n    {at_the_end}\nawait tick()")  # fmt: skip
    assert outcome.status == "ok" and sandbox.run("left").value == 0


def test_a_long_row_of_tasks_that_wait_for_one_another_is_no_recursion(sandbox: Sandbox) -> None:
    outcome = _run(sandbox, "import asyncio\nasync def one(): return 1\nasync def after(task): return 1 + await task\n"
                            "task = asyncio.create_task(one())\n"
                            "for i in range(5_000): task = asyncio.create_task(after(task))\nawait task")  # fmt: skip
    assert outcome.value == 5_001


@pytest.mark.parametrize("shown", [
    "[await anext(it), await anext(it), await anext(it, 9)]", "await asyncio.gather(anext(it), anext(it))",
])  # fmt: skip
def test_anext_is_awaited_as_in_python(sandbox: Sandbox, shown: str) -> None:
    source = f"import asyncio\nasync def g():\n    yield 1\n    yield 2\nit = g()\n{shown}"
    support.agrees(sandbox, source, support.cpython(source))


def test_without_memory_for_an_error_the_end_is_still_called_a_lack_of_memory() -> None:
    with Sandbox(Limits(memory_mb=32)) as sandbox:
        outcome = sandbox.run("x = []\ntry:\n    while True: x.append(bytes(48))\nexcept MemoryError: pass\n"
                              "def k(x): return sorted([x, x], key=k)\nsorted([1, 2], key=k)")  # fmt: skip
        assert outcome.error is not None and (outcome.status, outcome.error.type) == ("limit", "memory_mb"), outcome
        support.works(sandbox)


def test_a_worker_that_dies_with_memory_to_spare_was_killed() -> None:
    def kill(tool: str, arguments: object) -> None:
        assert sandbox.worker_pid is not None
        os.kill(sandbox.worker_pid, signal.SIGSEGV)

    with Sandbox(Limits(memory_mb=32)) as sandbox:
        outcome = sandbox.run("demo.echo('x')\nwhile True: pass", support.ECHO, kill)
        assert outcome.error is not None and (outcome.status, outcome.error.type) == ("killed", "WorkerDied"), outcome
        support.works(sandbox)
