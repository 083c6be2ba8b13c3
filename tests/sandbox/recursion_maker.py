"""Random programs that call themselves without end, through whatever calls a function back."""

from __future__ import annotations

import random

HEAD = """\
import asyncio, collections, copy, functools, heapq, itertools, json, re, statistics
class Calls:
    def __init__(self, function): self.function = function
    def __repr__(self): return str(self.function())
    def __str__(self): return str(self.function())
    def __format__(self, spec): return str(self.function())
    def __eq__(self, other): return self.function()
    def __lt__(self, other): return self.function()
    def __hash__(self): return self.function()
    def __bool__(self): return self.function()
    def __len__(self): return self.function()
    def __call__(self, *values): return self.function()
    def __iter__(self): return iter([self.function()])
    def __contains__(self, one): return self.function()
    def __getitem__(self, key): return self.function()
    def __add__(self, other): return self.function()
    def __enter__(self): return self.function()
    def __exit__(self, *error): return None
    async def __aenter__(self): return await self.function()
    async def __aexit__(self, *error): return None
    @property
    def value(self): return self.function()
def each(function): yield function()
def through(function): yield from each(function)
async def async_each(function): yield await function()
async def async_through(function):
    async for one in async_each(function): yield one
"""
PLAIN = (
    "{f}()", "[{f}() for _ in range(2)]", "{{{f}() for _ in range(2)}}", "sum({f}() for _ in range(2))",
    "sorted([2, 1], key=lambda _: {f}())", "max([2, 1], key=Calls({f}))", "list(map(Calls({f}), [1]))",
    "list(filter(Calls({f}), [1]))", "functools.reduce(Calls({f}), [1, 2])", "re.sub('a', Calls({f}), 'a')",
    "repr(Calls({f}))", "str([Calls({f})])", "f'{{Calls({f})}}'", "'%s' % Calls({f})", "print(Calls({f}))",
    "Calls({f}) == 1", "[Calls({f})] == [1]", "1 in [Calls({f})]", "1 in Calls({f})", "{{Calls({f}): 1}}",
    "hash((Calls({f}),))",
    "sorted([Calls({f}), Calls({f})])", "heapq.heapify([Calls({f}), Calls({f})])", "min(Calls({f}), Calls({f}))",
    "bool(Calls({f}))", "len(Calls({f}))", "list(Calls({f}))", "Calls({f})[0]", "Calls({f}) + 1", "Calls({f}).value",
    "next(each({f}))", "list(through({f}))", "list(itertools.starmap({f}, [()]))",
    "list(itertools.accumulate([1, 2], Calls({f})))",
    "collections.defaultdict({f})[1]", "statistics.median([Calls({f}), Calls({f})])", "json.dumps([{f}()])",
    "functools.cache({f})()", "functools.partial({f})()", "getattr(Calls({f}), 'value')", "copy.copy({f}())",
)  # fmt: skip
AWAITED = (
    "await {f}()", "await asyncio.gather({f}())", "await asyncio.create_task({f}())", "[await {f}() for _ in range(2)]",
    "await asyncio.wait_for({f}(), 1)", "await anext(async_each({f}))", "[one async for one in async_through({f})]",
    "await asyncio.gather({f}(), asyncio.sleep(0))", "asyncio.run({f}())", "await anext(async_each({f}), None)",
)
FRAMES = (
    "    return {call}", "    x = {call}\n    return x", "    with Calls(lambda: 1):\n        return {call}",
    "    try:\n        return {call}\n    finally:\n        pass", "    for _ in range(1):\n        return {call}",
    "    try:\n        1 / 0\n    except ZeroDivisionError:\n        return {call}",
    "    try:\n        return {call}\n    except KeyError:\n        return 1",
    "    match [1]:\n        case [one]:\n            return {call}",
    "    inner = lambda: {lazy}\n    return {inner}",
)


def endless(seed: int) -> str:
    """One to four functions, plain or asynchronous, each of which calls the next one, and the last the first."""
    choose = random.Random(seed)
    count = choose.randint(1, 4)
    awaits = [choose.random() < 0.5 for _ in range(count)]
    lines = [HEAD]
    for number, asynchronous in enumerate(awaits):
        following = (number + 1) % count
        ways = PLAIN if not awaits[following] else AWAITED if asynchronous else ("asyncio.run({f}())",)
        call = choose.choice(ways).format(f=f"f{following}")
        frame = choose.choice(FRAMES if not awaits[following] else FRAMES[:-1])
        lines.append(("async " if asynchronous else "") + f"def f{number}():")
        lines.append(frame.format(call=call, lazy=call, inner="inner()"))
    lines.append("await f0()" if awaits[0] else "f0()")
    return "\n".join(lines)
