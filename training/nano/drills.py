"""Small exercises over a view: copying a text, finding a tool by what is said of it, naming a server.

Everything else stands on copying and on finding, and worlds alone teach both late: without drills the loss on names was
still that of guessing after 4 M positions, and without drills of finding the server of a tool was guessed after 19 M
(docs/lab-log.md).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence

from tokenizers import Tokenizer

from ...runtime.prompt import view_text
from ...tools_registry.stubs import prompt_stub, summary_line
from ...tools_registry.tool import Tool
from ...tools_registry.words import plain
from ..worlds.json_calls import drill_reply
from ..worlds.variants import Acting
from .model import Tree
from .rows import branch_ids, prefix_ids, server_index

_CALLS = ("call {tool} with {rest}", "{tool} {rest}", "use {tool}: {rest}", "run {tool}, {rest}", "{tool} with {rest}")
_SAYS = ("say {text}", "answer {text}", "repeat: {text}", "give back \"{text}\"")
_NAMES = ("which tool does this: {text}", "name the tool for: {text}")
_SERVERS = ("server of {text}", "which server: {text}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drill_tree(
    tools: Sequence[Tool],
    tokenizer: Tokenizer,
    words: Sequence[str],
    rng: random.Random,
    *,
    branches: int = 20,
    acting: Acting = "program",
) -> Tree:
    """A view of one to eight tools with drills over them: short, because pointing is learnt in short contexts first."""
    view = _near(tools, rng, rng.choice((1, 2, 2, 3, 4, 6, 8)))
    prefix = prefix_ids(tokenizer, view_text(server_index(view), [prompt_stub(tool) for tool in view]), acting)
    pairs = drills(view, words, rng, branches)
    replies = [drill_reply(program) if acting == "json" else program for _, program in pairs]
    rows = [branch_ids(tokenizer, text, [reply], []) for (text, _), reply in zip(pairs, replies, strict=True)]
    return Tree(prefix, [ids for ids, _ in rows], [mask for _, mask in rows])


def _near(tools: Sequence[Tool], rng: random.Random, count: int) -> list[Tool]:
    """Tools by chance, in half of the views from one or two servers, whose tools have like names."""
    servers = rng.choices(sorted({tool.server for tool in tools}), k=2)
    near = [tool for tool in tools if tool.server in servers] if rng.random() < 0.5 else []
    chosen = near if len(near) >= count else list(tools)
    return rng.sample(chosen, min(count, len(chosen)))


def drills(view: Sequence[Tool], words: Sequence[str], rng: random.Random, count: int) -> list[tuple[str, str]]:
    """`count` pairs of task and program over the tools of a view."""
    said = _sayings(view)
    made = []
    for _ in range(count):
        tool, kind = rng.choice(view), rng.random()
        if kind < 0.2:
            made.append(_say(words, rng))
        elif kind < 0.35:
            made.append((rng.choice(_SERVERS).format(text=rng.choice(said[tool.full_name])), f'answer("{tool.server}")'))
        elif kind < 0.45:
            made.append((rng.choice(_NAMES).format(text=rng.choice(said[tool.full_name])), f'answer("{tool.full_name}")'))
        else:
            made.append(_call(tool, rng.choice(said[tool.full_name]), words, rng))
    return made


def _sayings(view: Sequence[Tool]) -> dict[str, list[str]]:
    """For each tool the ways to name it that fit no other of the view: in full, bare, spoken, by its summary."""
    every = {tool.full_name: _ways(tool) for tool in view}
    counts = Counter(way for ways in every.values() for way in set(ways))
    return {name: [way for way in ways if way and counts[way] == 1] or [name] for name, ways in every.items()}


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


def _ways(tool: Tool) -> list[str]:
    return [tool.full_name, tool.name, plain(tool.name).lower(), summary_line(tool.description).rstrip(".")]


def _say(words: Sequence[str], rng: random.Random) -> tuple[str, str]:
    text = " ".join(value(words, rng) for _ in range(rng.randint(1, 3)))
    return rng.choice(_SAYS).format(text=text), f"answer({json.dumps(text, ensure_ascii=False)})"


def _call(tool: Tool, said: str, words: Sequence[str], rng: random.Random) -> tuple[str, str]:
    chosen = [name for name in tool.parameters if rng.random() < 0.6][:3]
    values = [value(words, rng) for _ in chosen]
    pairs = list(zip(chosen, values, strict=True))
    spelt = " and ".join(f"{name} {one}" for name, one in pairs) or "nothing"
    given = ", ".join(f"{name}={one if one.isdigit() else json.dumps(one)}" for name, one in pairs)
    return rng.choice(_CALLS).format(tool=said, rest=spelt), f"answer({tool.full_name}({given}))"
