"""More ways to say what the lists of phrasings say, for practice only.

The lists beside the intents are small, and a fifth of each is held out. What is practised beyond them stands in the text
files of this folder: a line `= phrasing` names a list by the first of its phrasings that is practised, and the
lines below it say the same. Whoever writes here reads no held-out phrasing; one that comes out the same is not used.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from ..synonyms import says_one

_SLOT = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile("<([^<>]*)>")


def further(listed: Sequence[str], held_out: Sequence[str]) -> tuple[str, ...]:
    """What the book adds to a list of phrasings, without what those held out of it can say.

    Where lists begin alike, each takes the phrasings whose slots it fills.
    """
    first = next(phrasing for phrasing in listed if phrasing not in held_out)
    filled = {frozenset(_SLOT.findall(phrasing)) for phrasing in listed}
    said = [phrasing for phrasing in _book().get(first, ()) if frozenset(_SLOT.findall(phrasing)) in filled]
    return tuple(phrasing for phrasing in said if not _says_any(phrasing, held_out))


def _says_any(phrasing: str, held_out: Sequence[str]) -> bool:
    said = says_one(tuple(_plain(template) for template in held_out))
    return any(said.fullmatch(_plain(text)) for text in _all_ways(phrasing))


def _plain(text: str) -> str:
    """Without what may be told either way: casing, the last mark, and the sign of a command."""
    return text.removeprefix("!").lower().rstrip(".?!,:;")


def _all_ways(phrasing: str) -> Iterator[str]:
    """The phrasing with every choice of its `<a|b>`."""
    parts = _CHOICE.split(phrasing)
    choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    return (" ".join("".join(way).split()) for way in itertools.product(*choices))


@cache
def _book() -> dict[str, list[str]]:
    book: dict[str, list[str]] = {}
    for file in sorted(Path(__file__).parent.glob("*.txt")):
        lines: list[str] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("= "):
                lines = book.setdefault(line[2:], [])
            elif line:
                lines.append(line)
    return book
