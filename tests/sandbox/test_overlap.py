"""Calls that do not depend on each other overlap; everything else is as if they were made one by one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox, ToolError, keep_warm

from . import random_programs as programs

TOOLS, READ_ONLY = programs.TOOLS, programs.READ_ONLY


def _go(body: Callable[[], Coroutine[Any, Any, Any]], seconds: float = 60) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(seconds):
            return await body()

    return asyncio.run(bounded())


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[None]:
    with keep_warm():
        yield


class World:
    """Tools with latencies and failures of their own; reading gives what the last write left."""

    def __init__(
        self, seed: int = 0, *, failing: tuple[int, ...] = (), wait_for: int = 0, first_alone: bool = False,
        seconds: float = 0.0,
    ) -> None:  # fmt: skip
        """With `wait_for` a call returns when that many have been under way at once (but for the first, if it is alone)."""
        self.first_alone = first_alone
        self.rng = random.Random(seed)
        self.failing, self.wait_for, self.seconds = failing, wait_for, seconds
        self.version = self.now = self.most = 0
        self.sent: list[tuple[str, Any]] = []
        self.most_per_server: dict[str, int] = {}
        self._per_server: dict[str, int] = {}

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        server = tool.split(".")[0]
        self.sent.append((tool, arguments["n"]))
        self.now += 1
        self._per_server[server] = self._per_server.get(server, 0) + 1
        self.most = max(self.most, self.now)
        self.most_per_server[server] = max(self.most_per_server.get(server, 0), self._per_server[server])
        assert tool != "demo.write" or self.now == 1, "what may change something is alone"
        first = self.first_alone and len(self.sent) == 1
        while self.most < self.wait_for and not first:
            await asyncio.sleep(0.001)
        if self.seconds:
            await asyncio.sleep(self.rng.random() * self.seconds)
        self.now -= 1
        self._per_server[server] -= 1
        if arguments["n"] in self.failing:
            raise ToolError(f"no {arguments['n']}", "not_found")
        if tool == "demo.write":
            self.version += 1
            return self.version
        return (arguments["n"] * 7 + self.version + len(tool)) % 10


async def _run(sandbox: Sandbox, source: str, world: World, *, overlap: bool = True) -> Outcome:
    return await sandbox.arun(source, TOOLS, world.call, read_only=READ_ONLY if overlap else ())


def _once(source: str, world: World, *, limits: Limits | None = None, **options: Any) -> Outcome:
    async def body() -> Outcome:
        async with Sandbox(limits or Limits(wall_seconds=30), **options) as sandbox:
            return await _run(sandbox, source, world)

    outcome: Outcome = _go(body)
    return outcome


TOGETHER = [
    ("r = [demo.read(n) for n in range(6)]", 6),
    ("r = {n: demo.read(n) for n in range(6)}", 6),
    ("r = [(demo.read(n), demo.size(n)) for n in range(3)]", 6),
    ("r = [demo.read(n) for n in range(9) if n % 2]", 4),
    ("r = [demo.read(n=a * b) for a in range(2) for b in range(3)]", 6),
    ("r = list(demo.read(n) for n in range(6))", 6),
    ("r = sum(demo.read(n) for n in range(6))", 5),  # the first alone, because adding might fail
    ("r = [demo.read(n) // 2 for n in range(6)]", 5),
    ("r = [n for n in range(6) if demo.read(n) > 3]", 5),
    ("r = []\nfor n in range(6):\n    r.append(demo.read(n))", 6),
    ("r = {}\nfor n in range(6):\n    r[n] = demo.read(n)", 6),
    ("r = 0\nfor n in range(6):\n    r += demo.read(n)", 5),
    ("r = []\nfor i, n in enumerate([5, 6, 7]):\n    m = n * 2 + i\n    r.append(demo.read(m))", 3),
    ("r = []\nfor n in range(6):\n    if demo.read(n) > 4:\n        r.append(n)\n    else:\n        print(n)", 5),
    ("for n in range(6):\n    t = demo.read(n)\n    if t > 4:\n        continue\n    print(t)", 5),
    ("rows = [{'id': n} for n in range(6)]\nfor row in rows:\n    row['v'] = demo.read(row['id'])", 6),
    ("for a, b in zip([1, 2, 3], [4, 5, 6]):\n    print(a, demo.read(b))", 3),
    ("def f(ns):\n    return [demo.read(n) for n in ns]\nr = f([1, 2, 3])", 3),
    ("if True:\n    r = [demo.read(n) for n in (1, 2, 3)]", 3),
    ("a = demo.read(1)\nb = demo.size(2)\nc = other.look(3)", 3),
    ("a = demo.read(1)\nprint(a)\nb = demo.read(2)", 2),
    ("answer(demo.read(1) + demo.read(2))", 2),
    ("answer({'a': demo.read(1), 'b': [demo.read(2), f'{demo.read(3)}']})", 3),
    ("x, y = demo.read(1), demo.read(2)", 2),
    ("if demo.read(1) > demo.read(2):\n    pass", 2),
    ("def f():\n    a = demo.read(1)\n    return a, demo.read(2)\nf()", 2),
    ("demo.write(demo.read(1) + demo.read(2))", 2),
    ("a = await demo.read(1)\nb = await demo.read(2)\n[await demo.read(n) for n in range(2)]", 2),
]  # fmt: skip


@pytest.mark.parametrize(("source", "most"), TOGETHER)
def test_calls_that_do_not_depend_on_each_other_are_under_way_at_once(source: str, most: int) -> None:
    world = World(wait_for=most, first_alone=most == 5)
    outcome = _once(source, world)
    assert (outcome.status, world.most) == ("ok", most), outcome


ALONE = [
    "for n in range(4):\n    if demo.read(n) > 8:\n        break",
    "def f():\n    for n in range(4):\n        if demo.read(n) > 8:\n            return n\nf()",
    "for n in range(4):\n    if n:\n        demo.read(n)",
    "x = 1\nfor n in range(4):\n    x = demo.read(x)",
    "for n in range(4):\n    a = demo.read(n)\n    b = demo.read(a)",
    "for n in range(4):\n    assert demo.read(n) < 99",
    "for n in range(4):\n    demo.read(n)\n    demo.write(n)",
    "def f(n):\n    return demo.read(n)\n[f(n) for n in range(4)]",
    "def g():\n    for n in range(4):\n        yield demo.read(n)\nlist(g())",
    "any(demo.read(n) > 8 for n in range(4))",
    "next(demo.read(n) for n in range(4))",
    "try:\n    [demo.read(n) for n in range(4)]\n    a = demo.read(1)\n    b = demo.read(2)\nexcept ToolError:\n    pass",
    "def f():\n    return [demo.read(n) for n in range(4)]\ntry:\n    f()\nexcept ToolError:\n    pass",
    "a = demo.read(1)\nb = demo.read(a)",
    "a = demo.read(1)\n{}.get(1)\nb = [1][0]\nc = demo.read(2)",
    "demo.read(1) > 8 and demo.read(2)",
    "a = demo.read(1)\nx = 1 // 1\nb = demo.read(2)",
    "a = demo.read(1) // 1\nb = demo.read(2)",
    "it = iter([1, 2, 3])\nfor n in it:\n    demo.read(n)",
    "ns = [1, 2, 3]\nfor n in ns:\n    demo.read(n)\n    ns.remove(n)",
    "t = demo\nfor n in range(3):\n    demo.read(n)",
    "class N:\n    def __str__(self):\n        return 'n'\n    def __eq__(self, o):\n        return demo.read(1)\n"
    "[demo.read(n) for n in range(3)]",
    "len = demo.read\n[len(n) for n in range(3)]",
    "while demo.read(1) > 99:\n    pass\nfor n in range(2):\n    while demo.read(n) > 99:\n        pass",
]  # fmt: skip


@pytest.mark.parametrize("source", ALONE)
def test_calls_that_depend_on_what_happens_before_are_not(source: str) -> None:
    world = World(seconds=0.01)
    outcome = _once(source, world)
    assert outcome.status == "ok" and world.most == 1, outcome


LOAD = "def load(*a):\n    demo.write(9)\n    return 'w'\n"
EACH = "r = [(demo.read(n), {}) for n in range(4)]"
HIDDEN = {
    "a file to print to": "class Log:\n    def write(self, text):\n        demo.write(9)\nlog = Log()\nr = []\n"
    "for n in range(4):\n    r.append(demo.read(n))\n    print('x', file=log)",
    "a writer of rows": "import csv\nclass Log:\n    def write(self, text):\n        demo.write(9)\nw = csv.writer(Log())\n"
    + EACH.format("w.writerow([1])"),
    "a replacement": LOAD + "import re\np = re.compile('x')\n" + EACH.format("p.sub(load, 'x')"),
    "a replacement out of a list": LOAD + "import re\nfs = [load]\n" + EACH.format("re.sub('x', fs[0], 'x')"),
    "a module by another name": LOAD + "import re as q\n" + EACH.format("q.sub('x', load, 'x')"),
    "a property": LOAD + "class A:\n    data = property(load)\na = A()\n" + EACH.format("a.data"),
    "a property of later": LOAD + "class A:\n    pass\nA.data = property(load)\na = A()\n" + EACH.format("a.data"),
    "a cached property": LOAD + "import functools\nclass A:\n    data = functools.cached_property(load)\n"
    "xs = [A() for _ in range(4)]\n" + EACH.format("xs[n].data"),
    "an iterator with an end": LOAD + "it = iter(load, 'stop')\n" + EACH.format("next(it)"),
    "a merge": LOAD + "import heapq\nm = heapq.merge([1, 2, 3, 4, 5], [6], key=load)\n" + EACH.format("next(m)"),
    "keys that compare": "def order(a, b):\n    demo.write(9)\n    return -1\nimport functools\n"
    "ks = [functools.cmp_to_key(order)(x) for x in range(5)]\n" + EACH.format("ks[n] < ks[n + 1]"),
    "what is done at the end": LOAD + "import contextlib\nst = contextlib.ExitStack()\nst.callback(load)\nr = []\n"
    "for n in range(4):\n    r.append(demo.read(n))\n    if n == 2:\n        st.close()",
    "a field with the name of a method": LOAD + "from collections import namedtuple\nP = namedtuple('P', 'find')\n"
    "p = P(load)\n" + EACH.format("p.find('a')"),
    "what follows making": "import dataclasses as d\n@d.dataclass\nclass A:\n    x: int = 1\n    def __post_init__(self):\n"
    "        if self.x > 1:\n            demo.write(9)\na = A()\n" + EACH.format("d.replace(a, x=2)"),
    "a map by another name": LOAD + "f = map\nm = f(load, [1, 2, 3, 4, 5])\n" + EACH.format("next(m)"),
    "a map that waits": LOAD + "import functools\nm = functools.partial(map, load)([1, 2, 3, 4])\n" + EACH.format("next(m)"),
    "a default": LOAD + "import collections\nD = collections.defaultdict\nd = D(load)\n" + EACH.format("d[n]"),
    "options": LOAD + "o = {'key': load}\n" + EACH.format("sorted([1], **o)"),
    "a method": "import re\nclass A:\n    def go(self, m):\n        demo.write(9)\n        return 'x'\n"
    "p = re.compile('x')\na = A()\n" + EACH.format("p.sub(a.go, 'x')"),
    "a method by its text": "import re\nclass A:\n    def go(self, m):\n        demo.write(9)\n        return 'x'\n"
    "p = re.compile('x')\ng = getattr(A(), 'go')\n" + EACH.format("p.sub(g, 'x')"),
    "a function that was kept by another": "import re\nkept = []\ndef keep(f):\n    kept.append(f)\n    return f\n@keep\n"
    + LOAD + "p = re.compile('x')\n" + EACH.format("p.sub(kept[0], 'x')"),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("apart", [False, True])
def test_a_call_that_is_not_to_be_seen_keeps_its_place(name: str, apart: bool) -> None:
    """`apart`: what hides it was made by an earlier program of the sandbox."""
    parts = HIDDEN[name].rpartition("r = [")
    if apart and not parts[0].strip():
        parts = ("", "", HIDDEN[name])
    sources = [parts[0], parts[1] + parts[2]] if apart else [HIDDEN[name]]

    async def body(first: bool, second: bool) -> tuple[Outcome, World]:
        world = World()
        async with Sandbox(Limits(wall_seconds=30)) as sandbox:
            for source in sources[:-1]:
                assert (await _run(sandbox, source, world, overlap=first)).status == "ok"
            return await _run(sandbox, sources[-1], world, overlap=second), world

    alone, in_order = _go(lambda: body(False, False))
    for first in (False, True):
        together, world = _go(lambda first=first: body(first, True))
        assert (together.status, together.value, world.sent) == ("ok", alone.value, in_order.sent)


QUIET = [
    "def f(x):\n    return x.strip()\nr = [(demo.read(n), f) for n in range(4)]",
    "class E(Exception):\n    def __init__(self, m):\n        super().__init__(m)\n[demo.read(n) for n in range(4)]",
    "def f(n):\n    return demo.read(n)\nf(1)\nlist(map(f, [1]))\nsorted([1], key=f)\n[demo.read(n) for n in range(4)]",
]


@pytest.mark.parametrize("source", QUIET)
def test_functions_that_hide_nothing_do_not_keep_calls_apart(source: str) -> None:
    world = World(seconds=0.01)
    assert _once(source, world).status == "ok" and world.most == 4


def test_the_first_iteration_goes_alone_where_what_follows_its_call_may_fail() -> None:
    world = World()
    outcome = _once("[1 // (demo.read(n) * 0) for n in range(9)]", world)
    assert outcome.error is not None and outcome.error.type == "ZeroDivisionError" and len(world.sent) == 1


def test_nothing_more_is_sent_once_a_failure_has_come_back() -> None:
    world = World(failing=(2,))
    outcome = _once("[demo.read(n) for n in range(500)]", world, limits=Limits(max_in_flight=4, wall_seconds=30))
    assert str(outcome.error) == "line 1: ToolError: no 2" and len(world.sent) <= 3 + 2 * 4


@pytest.mark.parametrize(("limits", "most", "per_server"), [
    (Limits(max_in_flight=3), 3, 3), (Limits(max_in_flight_per_server=2), 4, 2), (Limits(max_in_flight=1), 1, 1),
])  # fmt: skip
def test_no_more_calls_are_under_way_than_the_limits_say(limits: Limits, most: int, per_server: int) -> None:
    world = World(seconds=0.005)
    outcome = _once("[(demo.read(n), other.look(n)) for n in range(8)]", world, limits=limits)
    assert outcome.status == "ok" and len(world.sent) == 16
    assert world.most <= most and all(one <= per_server for one in world.most_per_server.values())
    assert most == 1 or world.most > 1


def test_it_can_be_turned_off() -> None:
    world = World(seconds=0.01)
    assert _once("[demo.read(n) for n in range(4)]", world, overlap=False).status == "ok"
    assert world.most == 1


def test_a_budget_of_calls_is_used_up_at_the_same_call() -> None:
    source = "for n in range(9):\n    print(n)\n    demo.read(n)"
    world = World()
    outcome = _once(source, world, limits=Limits(max_calls=4, wall_seconds=30))
    assert (outcome.status, outcome.output, len(world.sent)) == ("limit", "0\n1\n2\n3\n4\n", 4)


def test_no_plan_is_left_among_the_variables() -> None:
    async def body() -> None:
        async with Sandbox(Limits(wall_seconds=30)) as sandbox:
            source = "a = demo.read(1)\nb = demo.read(2)\nfor n in range(3):\n    print(demo.read(n))"
            outcome = await _run(sandbox, source, World())
            assert set(outcome.variables) == {"a", "b", "n"}
            failed = await _run(sandbox, "for n in range(3):\n    print(demo.read(n))", World(failing=(1,)))
            assert failed.status == "error" and set(failed.variables) == {"a", "b", "n"}
            assert (await _run(sandbox, "a", World())).status == "ok"

    _go(body)


def compare(seed: int, alone: Outcome, world: World, together: Outcome, other: World) -> None:
    """Assert that a program did the same one by one and with calls that overlap."""
    parts = [(one.status, one.value, one.output, one.error, one.answered, one.variables) for one in (alone, together)]
    assert parts[0] == parts[1], (seed, parts)
    made = [[(one.tool, one.arguments, one.ok) for one in outcome.calls] for outcome in (alone, together)]
    if alone.status == "ok" and all(one.ok for one in alone.calls):
        assert made[0] == made[1], seed
        return
    rest = iter(made[1])
    extra = []
    for call in made[0]:  # every call of the run one by one, in its order
        for found in rest:
            if found == call:
                break
            extra.append(found)
        else:
            raise AssertionError((seed, "missing", call))
    extra += rest
    assert all(tool in READ_ONLY for tool, _, _ in extra), seed
    assert [one for one in world.sent if one[0] == "demo.write"] == [one for one in other.sent if one[0] == "demo.write"]


async def compared(seed: int) -> int:
    """Compare one random program; the most calls that were under way at once."""
    source = programs.program(seed)
    failing = tuple(random.Random(seed).sample(range(60), 2)) if seed % 3 == 0 else ()
    outcomes = []
    for overlap in (False, True):
        world = World(seed + overlap, failing=failing, seconds=0.002)
        async with Sandbox(Limits(wall_seconds=30)) as sandbox:
            outcomes += [await _run(sandbox, source, world, overlap=overlap), world]
    compare(seed, *outcomes)
    return outcomes[3].most


@pytest.mark.parametrize("block", range(4))
def test_random_programs_do_the_same_as_one_by_one(block: int) -> None:
    async def body() -> list[int]:
        return [await compared(seed) for seed in range(block * 6, block * 6 + 6)]

    assert max(_go(body)) > 1


_WRITES = "def f(*a):\n    demo.write(n=1)\n    return 'q'\n"
_LOOP = "r = []\nfor n in range(4):\n    v = demo.read(n)\n    {step}\n    r.append(v)\nr"
UNSEEN_WRITES = {
    "a property of a class body": (_WRITES + "class A:\n    x = property(f)\na = A()\n", "a.x"),
    "a property that comes later": (_WRITES + "class A: pass\nA.x = property(f)\na = A()\n", "a.x"),
    "a property in a format": (_WRITES + "class A: pass\nA.x = property(f)\na = A()\n", "'{0.x}'.format(a)"),
    "a method under a second name": (
        "class A:\n    def __post_init__(self, o=None):\n        return demo.write(n=1)\n"
        "    __eq__ = __post_init__\na = A()\n",
        "a == 1",
    ),
    "keywords by stars": (_WRITES + "k = {'key': f}\n", "sorted([1], **k)"),
    "a pattern's replacement": (_WRITES + "p = re.compile('x')\n", "p.sub(f, 'x')"),
    "a replacement out of a list": (_WRITES + "fs = [f]\n", "re.sub('x', fs[0], 'x')"),
    "a predicate": ("import textwrap\n" + _WRITES, "textwrap.indent('x', ' ', f)"),
    "an exit stack": ("from contextlib import ExitStack\n" + _WRITES + "s = ExitStack()\n", "s.callback(f); s.close()"),
    "replace of a dataclass": (
        "import dataclasses as dc\n@dc.dataclass\nclass A:\n    x: int\n"
        "    def __post_init__(self):\n        demo.write(n=1)\na = A(1)\n", "dc.replace(a, x=n)",
    ),
    "a lambda's default": ("", "sorted([1], key=lambda k, w=demo.write(n=1): k)"),
    "map as a value": (_WRITES + "m = map\nit = m(f, [1] * 9)\n", "next(it)"),
    "starmap by getattr": (_WRITES + "it = getattr(itertools, 'starmap')(f, [(1,)] * 9)\n", "next(it)"),
    "a field that is called": (
        _WRITES + "from collections import namedtuple\nN = namedtuple('N', 'items')\na = N(f)\n", "a.items()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", UNSEEN_WRITES)
def test_a_write_hidden_in_a_loop_is_seen_by_every_read_after_it(way: str) -> None:
    before, step = UNSEEN_WRITES[way]
    source = before + _LOOP.format(step=step)
    alone, together = World(), World()
    outcomes = _once(source, alone, overlap=False), _once(source, together)
    assert outcomes[0].status == "ok" and len(set(outcomes[0].value)) > 1, outcomes[0]
    assert outcomes[0].value == outcomes[1].value
    assert alone.sent == together.sent


def test_a_class_made_while_programs_ran_one_by_one_is_looked_at_later() -> None:
    async def body() -> None:
        source = "class A:\n    def __str__(self):\n        return str(demo.write(n=1))\na = A()"
        async with Sandbox(Limits(wall_seconds=30)) as sandbox:
            assert (await _run(sandbox, source, World(), overlap=False)).status == "ok"
            world = World()
            await _run(sandbox, _LOOP.format(step="str(a)"), world)
            assert [tool for tool, _ in world.sent] == ["demo.read", "demo.write"] * 4

    _go(body)


def test_arguments_that_are_equal_and_written_differently_are_not_the_same() -> None:
    class Echoing(World):
        async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
            return repr(arguments["n"])

    source = "a = [1]\nb = a\nr = []\nfor n in range(3):\n    b[0] = bool(n) or 1\n    r.append(demo.read(a))\nr"
    outcome = _once(source, Echoing())
    assert outcome.value == ["[1]", "[True]", "[True]"]
