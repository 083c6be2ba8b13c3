"""Names of servers, tools and parameters as Python identifiers.

A name that is an identifier already keeps it; every other name takes what is left, with a suffix `_2`, `_3`, ... where
it would clash. Python normalises identifiers (NFKC) when it parses them, so the same is done here.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence

MAX_CHARS = 80

BOUND_NAMES = frozenset(
    "json re math datetime statistics collections itertools asyncio "
    "search_tools load_tools answer print printed ToolError".split()
)
"""What a program finds bound beside the servers."""

_RESERVED = BOUND_NAMES | frozenset(name for name in dir(builtins) if not name.startswith("_"))


def server_identifiers(names: Sequence[str]) -> list[str]:
    """An identifier for each server name; none clashes with a keyword, builtin, bound name or other server."""
    return _assign(names, prefix="server", reserved=_RESERVED)


def tool_identifiers(names: Sequence[str]) -> list[str]:
    """An identifier for each tool of one server; attributes may be called like builtins (`files.list`)."""
    return _assign(names, prefix="tool")


def parameter_identifiers(names: Iterable[str]) -> dict[str, str]:
    """Map the parameter names of one tool to identifiers."""
    given = list(names)
    return dict(zip(given, _assign(given, prefix="arg"), strict=True))


def identifier(name: str, prefix: str = "name") -> str:
    """An identifier made from `name`, without a leading underscore; it may still be a keyword."""
    text = unicodedata.normalize("NFKC", name[: 4 * MAX_CHARS])
    if not text.isidentifier():
        text = re.sub(r"\W+", "_", text).rstrip("_")
    text = text.lstrip("_")[:MAX_CHARS]
    if not text.isidentifier():
        text = f"{prefix}_{text}".rstrip("_")
    return text if text.isidentifier() else prefix


def _assign(names: Sequence[str], *, prefix: str, reserved: Collection[str] = ()) -> list[str]:
    wanted = [identifier(name, prefix) for name in names]
    chosen: list[str | None] = [None] * len(names)
    taken: set[str] = set()
    for place, (name, text) in enumerate(zip(names, wanted, strict=True)):
        if name == text and text not in taken and not _clashes(text, reserved):
            taken.add(text)
            chosen[place] = text
    numbers: dict[str, int] = {}
    return [text or _free(want, taken, reserved, numbers) for text, want in zip(chosen, wanted, strict=True)]


def _free(text: str, taken: set[str], reserved: Collection[str], numbers: dict[str, int]) -> str:
    """`numbers` holds the next one to try of each text: thousands of names may want the same."""
    number = numbers.get(text, 1)
    candidate = text if number == 1 else f"{text}_{number}"
    while candidate in taken or _clashes(candidate, reserved):
        number += 1
        candidate = f"{text}_{number}"
    numbers[text] = number + 1
    taken.add(candidate)
    return candidate


def _clashes(text: str, reserved: Collection[str]) -> bool:
    return keyword.iskeyword(text) or text in reserved
