"""Programs that every worker runs before it is handed out. They do what programs usually do, and leave nothing behind."""

from __future__ import annotations

from typing import Any

OUTPUT_BYTES = 1 << 16
"""More than the rehearsal of one worker says."""

_TOOLS: dict[str, Any] = {
    "demo.find": {"parameters": ["pattern", "limit"], "required": 1},
    "demo.read": {"parameters": ["path"], "required": 1},
    "search_tools": {"parameters": ["query", "k"], "required": 1},
}
_LIMITS = {
    "max_calls": 100, "max_output_bytes": 10_000, "max_nodes": 20_000, "max_result_bytes": 100_000,
    "max_frame_bytes": 100_000,
}
_PROGRAMS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("1 + 1", ()),
    (
        """
import json, re
from datetime import date, datetime

def words(text: str, least: int = 1) -> list:
    return [w.strip(".,").lower() for w in text.split() if len(w) >= least]

totals = {}
for path in demo.find("**/*.md", limit=3):
    text = demo.read(path=path)
    for number, line in enumerate(text.splitlines()):
        if ":" not in line or not re.search(r"\\d+", line):
            continue
        name, _, amount = line.partition(":")
        totals[name] = totals.get(name, 0) + int(amount)
        totals[name] += 0
    try:
        json.loads(text)
    except ValueError as error:
        print(f"{path}: {len(words(text)):>3} words, {type(error).__name__}")
best = sorted(totals.items(), key=lambda pair: -pair[1])[:2]
share = {name: round(100 * value / sum(totals.values()), 1) for name, value in best}
while len(best) > 5:
    best.pop()
answer({"best": best, "share": share, "year": date.fromisoformat("2024-05-06").year, "all": any(share) and max(share)})
""",
        (["a.md", "b.md"], "x: 1\ny: 22\n", "z: 3\nno number\n"),
    ),
    (
        """
import asyncio

async def both(path):
    return await demo.read(path), len(search_tools("read", k=2))

async def main():
    first, *rest = await asyncio.gather(*[both(p) for p in ("a", "b")])
    return first[0] + rest[0][0]

class Note:
    def __init__(self, text):
        self.text = text
    def __repr__(self):
        return "Note(%r)" % self.text

notes = [Note(t) for t in (await asyncio.gather(demo.read("c"), demo.read("d")))]
notes[0].text += await main()
print(notes, {n.text for n in notes}, sum(x * x for x in range(5)))
""",
        ("one", "two", "three", ["demo.read"], "four", ["demo.read"]),
    ),
    ("t = demo.find('x')\nprint(t[3])", (["a"],)),
    ("demo.raed('x')", ()),
    ("def f(:", ()),
)


def rehearsal() -> list[Any]:
    """What the host's side of the pipe says: each program with the returns of its calls, then that all is forgotten."""
    said: list[Any] = []
    number = 1
    for place, (source, returns) in enumerate(_PROGRAMS):
        first = place == 0
        once = {"tools": _TOOLS, "limits": _LIMITS} if first else {}
        said.append({"t": "run", "source": source, "check": True, **once})
        for value in returns:
            said.append([number, value])
            number += 1
    return [*said, {"t": "fresh"}]


def steps() -> int:
    """How many of these messages begin something; the others are returns."""
    return len(_PROGRAMS) + 1
