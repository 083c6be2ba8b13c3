"""Small exercises beside the tasks of a view: copying a text, writing a call that is spelt out, naming a described tool.

Copying is what everything else stands on, and worlds alone teach it late: after 4 M positions without drills the loss on
names was still that of guessing (docs/lab-log.md).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from tokenizers import Tokenizer

from ...runtime.prompt import view_text
from ...tools_registry.stubs import stub, summary_line
from ...tools_registry.tool import Tool
from .model import Tree
from .rows import branch_ids, prefix_ids, server_index

_CALLS = ("call {tool} with {rest}", "{tool} {rest}", "use {tool}: {rest}", "run {tool}, {rest}")
_SAYS = ("say {text}", "answer {text}", "repeat: {text}", "give back \"{text}\"")
_NAMES = ("which tool does this: {text}", "name the tool for: {text}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drill_tree(
    tools: Sequence[Tool], tokenizer: Tokenizer, words: Sequence[str], rng: random.Random, *, branches: int = 20
) -> Tree:
    """A view of one to six tools with drills over them: short, because copying is learnt in short contexts first."""
    view = rng.sample(list(tools), rng.choice((1, 2, 2, 3, 4, 6)))
    prefix = prefix_ids(tokenizer, view_text(server_index(view), [stub(tool) for tool in view]))
    rows = [branch_ids(tokenizer, text, [program], []) for text, program in drills(view, words, rng, branches)]
    return Tree(prefix, [ids for ids, _ in rows], [mask for _, mask in rows])


def drills(view: Sequence[Tool], words: Sequence[str], rng: random.Random, count: int) -> list[tuple[str, str]]:
    """`count` pairs of task and program over the tools of a view."""
    made = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.4:
            made.append(_say(words, rng))
        elif kind < 0.9 or not any(tool.description for tool in view):
            made.append(_call(rng.choice(view), words, rng))
        else:
            made.append(_name(rng.choice([tool for tool in view if tool.description]), rng))
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


def _call(tool: Tool, words: Sequence[str], rng: random.Random) -> tuple[str, str]:
    names = tool.parameters
    chosen = [name for name in names if rng.random() < 0.8][:4]
    values = [value(words, rng) for _ in chosen]
    pairs = list(zip(chosen, values, strict=True))
    spelt = " and ".join(f"{name} {one}" for name, one in pairs) or "nothing"
    given = ", ".join(f"{name}={one if one.isdigit() else json.dumps(one)}" for name, one in pairs)
    return rng.choice(_CALLS).format(tool=tool.full_name, rest=spelt), f"answer({tool.full_name}({given}))"


def _name(tool: Tool, rng: random.Random) -> tuple[str, str]:
    text = rng.choice(_NAMES).format(text=summary_line(tool.description))
    return text, f'answer("{tool.full_name}")'
