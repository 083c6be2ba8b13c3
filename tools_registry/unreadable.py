"""Answers that nobody can read, matched to the request that they answer: whoever waits for one is told at once."""

from __future__ import annotations

import re
from itertools import islice

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_VALUE = re.compile(r'\s*+:\s*+(?:"?(-?\d{1,18})\b)?')
_KEYS = frozenset({'"jsonrpc"', '"id"', '"result"', '"method"'})
_HEAD_CHARS = 200
_TOKENS = 2_000_000
"""How many are looked at, so that a message made for it cannot hold the host."""


class Unreadable(str):
    """The beginning of an unreadable answer, in the `data` of the error that stands for it; no server can send one."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Unreadable:
        """The printable part of the beginning of a message."""
        return cls("".join(char for char in text[:_HEAD_CHARS] if char.isprintable()))


def answered_request(text: str) -> int | None:
    """The number of the request that a message answers, though the message is no sound JSON-RPC, or no JSON.

    None for whatever is no answer: questions and notifications of the server, and lines of a log that happen to be JSON.
    """
    found = _outer_keys(text)
    is_answer = '"method"' not in found and ('"jsonrpc"' in found or '"result"' in found)
    number = found.get('"id"') if is_answer else None
    return int(number) if number is not None else None


def _outer_keys(text: str) -> dict[str, str | None]:
    """The keys of the outermost object that tell a message's kind, with their values where these are numbers.

    Read token by token: what is too deep, too long or broken off for a parser can be read this way all the same.
    """
    found: dict[str, str | None] = {}
    if not text.lstrip().startswith("{"):
        return found
    depth = 0
    for token in islice(_TOKEN.finditer(text), _TOKENS):
        mark = text[token.start()]
        if mark in "{[":
            depth += 1
        elif mark in "]}":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token[0] in _KEYS and (value := _VALUE.match(text, token.end())):
            found[token[0]] = value[1]
    return found
