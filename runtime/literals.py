"""Which parts of a reply are data: string literals of a program, and the JSON of a tool call.

A model copies what it read into strings. What looks like markup there (a fence, `<code>`, the end of a thought) is text like
any other, and must never decide what is run. The reply need not parse: it may be cut off, wrong, or wrapped in prose.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

# A quote right after a letter is an apostrophe.
_OPENING = re.compile(r"#[^\n]*|(?<![\w\\])[bBrRuUfF]{0,2}(\"\"\"|'''|\"|')")
_REST = {
    quote: re.compile(rf"(?:[^\\{'' if len(quote) == 3 else chr(92) + 'n'}]|\\.)*?{quote}", re.DOTALL)
    for quote in ('"""', "'''", '"', "'")
}
_MARKUP = re.compile(r"<[|/]?[\w:]+\|?>|\[/?[A-Z_]{4,}\]|`{3,}\w*")
_PROGRAM_BEFORE = re.compile(
    r"\s*(?:$|[(\[{\"']|[A-Za-z_][\w.]*(?:\[[^\]\n]*\])*\s*(?:\(|[-+*/%|&]|[-+*/%|&]?=)"
    r"|(?:for|while|if|elif|with|return|raise|assert|yield|not|await|lambda)\b)"
)
_JSON_OPENING = re.compile(
    r"(?:\A|<tool_calls?>|<\|tool_call\|>|<function_call>|\[TOOL_CALLS\]|^[ \t]*(?:```+|~~~+)[ \t]*\w*[ \t]*\n)\s*(?=[{\[])",
    re.MULTILINE,
)
_HEAD_CHARACTERS = 2_000
_MOST_JSON_VALUES = 64


class Literals:
    """The string literals and JSON values in one text, by their places."""

    def __init__(self, text: str) -> None:
        self._strings = list(_strings(text))
        self._starts = [start for start, _, _ in self._strings]
        self._values = list(_json_values(text))

    def hold(self, at: int, *, closed: bool = False) -> bool:
        """True where the character at `at` is data; with `closed` only in a literal whose end was written."""
        if any(start < at < end for start, end in self._values):
            return True
        place = bisect_right(self._starts, at) - 1
        if place < 0:
            return False
        start, end, has_end = self._strings[place]
        return start < at < end and (has_end or not closed)


def _strings(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end, and whether the end was written, of each string that stands where a program can have one."""
    position, program_line = 0, -1
    while (found := _OPENING.search(text, position)) is not None:
        position, quote = found.end(), found.group(1)
        line = text.rfind("\n", 0, found.start()) + 1
        if quote is None or not (line == program_line or _begins_program(text[line : found.start()])):
            continue
        program_line = line
        rest = _REST[quote].match(text, position)
        position = rest.end() if rest else len(text) if len(quote) == 3 else _line_end(text, position)
        yield found.start(), position, rest is not None


def _begins_program(head: str) -> bool:
    """True where a line's text before a quote, or a part of it after some markup, is the beginning of a statement."""
    return any(_PROGRAM_BEFORE.match(part) for part in _MARKUP.split(head[-_HEAD_CHARACTERS:]))


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _json_values(text: str) -> Iterator[tuple[int, int]]:
    """JSON that opens the text, a tool call or a fence; its strings may hold raw line ends, which a program's may not."""
    decoder, position = json.JSONDecoder(strict=False), 0
    for _ in range(_MOST_JSON_VALUES):
        found = _JSON_OPENING.search(text, position)
        if found is None:
            return
        position = max(found.end(), position + 1)
        try:
            _, end = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            continue
        yield found.end(), end
        position = end
