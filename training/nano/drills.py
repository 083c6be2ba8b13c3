"""Small exercises beside the tasks of a view: copying a text, writing a call that is spelt out, naming a described tool.

Copying is what everything else stands on, and worlds alone teach it late: after 4 M positions without drills the loss on
names was still that of guessing (docs/lab-log.md).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from ...tools_registry.stubs import summary_line
from ...tools_registry.tool import Tool
from .rows import Rewrite

_CALLS = ("call {tool} with {rest}", "{tool} {rest}", "use {tool}: {rest}", "run {tool}, {rest}")
_SAYS = ("say {text}", "answer {text}", "repeat: {text}", "give back \"{text}\"")
_NAMES = ("which tool does this: {text}", "name the tool for: {text}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drills(
    view: Sequence[Tool], words: Sequence[str], rng: random.Random, count: int, rewrite: Rewrite
) -> list[tuple[str, str]]:
    """`count` pairs of task and program over the tools of a view."""
    made = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.35:
            made.append(_say(words, rng))
        elif kind < 0.85 or not any(tool.description for tool in view):
            made.append(_call(rng.choice(view), words, rng, rewrite))
        else:
            made.append(_name(rng.choice([tool for tool in view if tool.description]), rng, rewrite))
    return made


def value(words: Sequence[str], rng: random.Random) -> str:
    """A text that cannot be guessed: words, random letters, numbers, in any casing."""
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.6:
            word = rng.choice(words)
            pieces.append(rng.choice((word, word, word.capitalize(), word.upper())))
        elif rng.random() < 0.6:
            pieces.append("".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 8))))
        else:
            pieces.append(str(rng.randrange(1, 10 ** rng.randint(1, 5))))
    return rng.choice((" ", " ", "_", "-", ".", "/")).join(pieces)


def _say(words: Sequence[str], rng: random.Random) -> tuple[str, str]:
    text = " ".join(value(words, rng) for _ in range(rng.randint(1, 3)))
    return rng.choice(_SAYS).format(text=text), f"answer({json.dumps(text, ensure_ascii=False)})"


def _call(tool: Tool, words: Sequence[str], rng: random.Random, rewrite: Rewrite) -> tuple[str, str]:
    names = [rewrite(name) for name in tool.parameters]
    chosen = [name for name in names if rng.random() < 0.8][:4]
    values = [value(words, rng) for _ in chosen]
    pairs = list(zip(chosen, values, strict=True))
    spelt = " and ".join(f"{name} {one}" for name, one in pairs) or "nothing"
    given = ", ".join(f"{name}={one if one.isdigit() else json.dumps(one)}" for name, one in pairs)
    full_name = rewrite(tool.full_name)
    return rng.choice(_CALLS).format(tool=full_name, rest=spelt), f"answer({full_name}({given}))"


def _name(tool: Tool, rng: random.Random, rewrite: Rewrite) -> tuple[str, str]:
    text = rng.choice(_NAMES).format(text=rewrite(summary_line(tool.description)))
    return text, f'answer("{rewrite(tool.full_name)}")'
