"""From a reply to the program in it.

A policy of ours replies with a bare program. Chat models wrap it: in fences, in `<code>`, behind thinking, in channels, or
they make a tool call as JSON. All of these are read; what was not program is kept for the log. Nothing is executed here.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from .literals import Literals

Kind = Literal["bare", "fenced", "tool_call", "prose"]

_THINK = re.compile(r"<(think|thinking|thought|reasoning|seed:think)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THINK_END = re.compile(r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]", re.IGNORECASE)
_MISTRAL_THINK = re.compile(r"\[THINK\](.*?)(?:\[/THINK\]|\Z)", re.DOTALL)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|end\|>|<\|return\|>|<\|call\|>|<\|start\|>|<\|channel\|>|\Z)",
    re.DOTALL,
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+.-]*)[^\n]*\n", re.MULTILINE)
_CODE_TAG = re.compile(r"<(code|python|program|execute)>\s*\n?", re.IGNORECASE)
_CALL_TAG = re.compile(r"<tool_calls?>|<\|tool_call\|>|<function_call>|\[TOOL_CALLS\]")
_CALL_END = re.compile(r"</tool_calls?>|<\|/tool_call\|>|</function_call>|(?=<tool_call>)|\Z")
_BRACKETED = frozenset(("THINK", "TOOL_CALLS", "INST"))
"""Markup in brackets, which parses as a list of one name."""
_PROGRAM_LANGUAGES = frozenset(("", "python", "py", "python3", "tool_code", "program", "code"))
# End-of-turn strings that a server may leave at the end of a reply, whole or cut short.
_STOPS = (
    "<|im_end|>",
    "<|im_start|>",
    "<|end|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|return|>",
    "<|user|>",
    "<|assistant|>",
    "<|result|>",
    "</s>",
    "<eos>",
    "<|END_OF_TURN_TOKEN|>",
    "[INST]",
    "[/INST]",
)
_SHORTEST_STOP = 3
_MOST_TRIES = 32


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found in one reply."""

    program: str | None
    kind: Kind
    thinking: str | None = None


def extract_program(reply: str) -> Extracted:
    """The program in `reply`, or None where it holds only prose."""
    whole = _whole_program(reply)
    if whole is not None:  # no markup is looked for: what looks like it is in the program's own strings
        return Extracted(whole, "bare")
    text, thinking = split_thinking(reply)
    text = _without_stops(text)
    whole = _whole_program(text)
    if whole is not None:
        return Extracted(whole, "bare", thinking)
    fenced = _fenced(text)
    if fenced is not None:
        return Extracted(fenced, "fenced", thinking)
    actions = _actions(text)
    if actions:
        return Extracted("\n".join(_as_program(tool, arguments) for tool, arguments in actions), "tool_call", thinking)
    program = _bare(text)
    if not program or _is_prose(program):
        return Extracted(None, "prose", thinking)
    return Extracted(program, "bare", thinking)


def json_actions(reply: str) -> list[tuple[str, dict[str, object]]]:
    """The tool calls in a reply of the `--acting json` mode, in order; empty where there are none."""
    text, _ = split_thinking(reply)
    return _actions(_without_stops(text))


def split_thinking(reply: str) -> tuple[str, str | None]:
    """The reply without the model's thinking, and the thinking; an unterminated thought takes the rest."""
    thoughts: list[str] = []
    text = _channels(reply, thoughts)
    for pattern in (_THINK, _MISTRAL_THINK):
        text = _without_thoughts(text, pattern, thoughts)
    end = _thought_end(text)
    if end is not None:  # the prompt's own end opened the thought
        thoughts.append(text[: end.start()])
        text = text[end.end() :]
    thinking = "\n".join(thought.strip() for thought in thoughts if thought.strip())
    return text, thinking or None


def _without_thoughts(text: str, pattern: re.Pattern[str], thoughts: list[str]) -> str:
    """The text without the thoughts of one form, which are added to `thoughts`."""
    for _ in range(_MOST_TRIES):
        thought = None if _whole_program(text) is not None else _outside(pattern, text)
        if thought is None:
            break
        thoughts.append(thought.group(thought.lastindex or 0))
        text = text[: thought.start()] + text[thought.end() :]
    return text


def _thought_end(text: str) -> re.Match[str] | None:
    if _whole_program(text) is not None:
        return None
    literals = Literals(text)
    return next((end for end in _THINK_END.finditer(text) if not literals.hold(end.start())), None)


def _channels(reply: str, thoughts: list[str]) -> str:
    """The final (or only) channel of a reply in OpenAI's harmony format; other replies as they are."""
    first = _outside(_CHANNEL, reply)
    if first is None:
        return reply
    parts = [(match.group(1), match.group(2)) for match in _CHANNEL.finditer(reply, first.start())]
    thoughts += [text for name, text in parts if name == "analysis"]
    spoken = [text for name, text in parts if name != "analysis"]
    return "\n".join(spoken)


def _without_stops(text: str) -> str:
    """Cut a whole end-of-turn string and what follows it, or a partial one at the very end."""
    found = sorted(at for stop in _STOPS for at in _stops_at(text, stop))[:_MOST_TRIES]
    for at in reversed(found):
        if _whole_program(text[:at]) is not None:  # the ones before it are in its strings
            return text[:at]
    literals = Literals(text)
    text = next((text[:at] for at in found if not literals.hold(at)), text)
    stripped = text.rstrip()
    for stop in _STOPS:
        for length in range(len(stop) - 1, _SHORTEST_STOP - 1, -1):
            if stripped.endswith(stop[:length]) and "|" in stop[:length]:
                return stripped[:-length]
    return text


def _stops_at(text: str, stop: str) -> list[int]:
    """Where `stop` can end the reply: at the end of a line, of a word, or of the text."""
    return [match.start() for match in re.finditer(re.escape(stop) + r"(?=\s|\Z)", text)]


def _outside(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match that does not begin inside a string of a program."""
    literals = Literals(text)
    places = (one.start() for one in re.finditer(r"[<\[]", text) if not literals.hold(one.start()))
    return next((match for at in places if (match := pattern.match(text, at)) is not None), None)


@dataclass(frozen=True, slots=True)
class _Block:
    """Text between an opening and its end."""

    start: int
    end: int
    language: str
    text: str


def _fences(text: str) -> list[_Block]:
    """The fenced blocks, in order; a fence inside a string of a program opens and ends nothing."""
    literals, blocks, position = Literals(text), list[_Block](), 0
    while (opening := _FENCE.search(text, position)) is not None:
        position = opening.end()
        if not literals.hold(opening.start()):
            language = opening.group(2).lower()
            tries = _MOST_TRIES if language in _PROGRAM_LANGUAGES and len(blocks) < _MOST_TRIES else 0
            inside, position = _fence_end(text, opening, literals, tries)
            blocks.append(_Block(opening.start(), position, language, text[opening.end() : inside]))
    return blocks


def _fence_end(text: str, opening: re.Match[str], literals: Literals, tries: int) -> tuple[int, int]:
    """Where a block's text ends, and where its closing fence does: the first after which the text so far is a program."""
    closing = re.compile(rf"^[ \t]*{re.escape(opening.group(1))}[ \t]*$", re.MULTILINE)
    for end in islice(closing.finditer(text, opening.end()), tries):
        if _parsed(_bare(text[opening.end() : end.start()])) is not None:
            return end.start(), end.end()
    for end in closing.finditer(text, opening.end()):
        if not literals.hold(end.start(), closed=not tries):
            return end.start(), end.end()
    return len(text), len(text)


def _tags(text: str, opening: re.Pattern[str], end_of: Callable[[re.Match[str]], re.Pattern[str]]) -> list[_Block]:
    """What lies between tags, in order; a tag inside a string of a program opens and ends nothing."""
    literals, blocks, position = Literals(text), list[_Block](), 0
    while (tag := opening.search(text, position)) is not None:
        position = tag.end()
        if not literals.hold(tag.start()):
            ends = end_of(tag).finditer(text, tag.end())
            end = next((one for one in ends if not literals.hold(one.start())), None)
            inside, position = (end.start(), max(end.end(), position)) if end else (len(text), len(text))
            blocks.append(_Block(tag.start(), position, "", text[tag.end() : inside]))
    return blocks


def _code_tags(text: str) -> list[_Block]:
    return _tags(text, _CODE_TAG, lambda tag: re.compile(rf"</{tag.group(1)}>|\Z", re.IGNORECASE))


def _fenced(text: str) -> str | None:
    """Fenced blocks of program text, joined in order."""
    fences = _fences(text)
    programs = [one.text for one in fences if one.language in _PROGRAM_LANGUAGES and not _json_call(one.text)]
    if programs:
        return "\n".join(map(_unindented, programs))
    tagged = [tag.text for tag in _code_tags(text) if not any(one.start <= tag.start < one.end for one in fences)]
    if tagged and not any(_json_call(block) for block in tagged):
        return "\n".join(map(_unindented, tagged))
    inline = re.fullmatch(r"\s*`([^`\n]+)`\s*", text)
    return inline.group(1) if inline else None


def _json_call(block: str) -> bool:
    return bool(block.lstrip().startswith(("{", "[")) and list(_calls_in(block)))


def _actions(text: str) -> list[tuple[str, dict[str, object]]]:
    tagged = _tags(text, _CALL_TAG, lambda tag: _CALL_END)
    if tagged:
        return [action for block in tagged for action in _calls_in(block.text)]
    blocks = [block.text for block in _fences(text)] or [text]
    return [action for block in blocks if block.lstrip()[:1] in ("{", "[") for action in _calls_in(block)]


def _calls_in(block: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Calls in a run of JSON values: objects, or lists of them."""
    decoder, position = json.JSONDecoder(strict=False), 0
    while (start := _next_value(block, position)) >= 0:
        try:
            value, position = decoder.raw_decode(block, start)
        except ValueError:
            value, position = _repaired(block[start:]), len(block)
        except RecursionError:
            return
        for item in value if isinstance(value, list) else [value]:
            call = _as_call(item)
            if call is not None:
                yield call


def _next_value(block: str, position: int) -> int:
    found = [at for sign in "{[" if (at := block.find(sign, position)) >= 0]
    return min(found, default=-1)


def _repaired(text: str) -> object:
    """A value whose closing brackets were cut off by the stop of the generation."""
    for ending in ("}", "}}", "]", "}]", "}}]"):
        try:
            return json.loads(text.strip() + ending, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _as_call(item: object) -> tuple[str, dict[str, object]] | None:
    """`{"name", "arguments"}` in the spellings that models use."""
    if not isinstance(item, dict):
        return None
    item = item["function"] if isinstance(item.get("function"), dict) else item
    name = item.get("name", item.get("tool", item.get("tool_name")))
    arguments = item.get("arguments", item.get("parameters", item.get("args", {})))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments, strict=False)
        except ValueError:
            return None
    if not isinstance(name, str) or not _is_tool_name(name) or not isinstance(arguments, dict):
        return None
    return name, {str(key): value for key, value in arguments.items()}


def _is_tool_name(name: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))


def _as_program(tool: str, arguments: dict[str, object]) -> str:
    """A program that makes the call and shows its result; `answer` shows nothing."""
    if all(name.isidentifier() and not keyword.iskeyword(name) for name in arguments):
        inside = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    else:
        inside = f"**{arguments!r}"
    return f"{tool}({inside})" if tool == "answer" else f"print({tool}({inside}))"


def _unindented(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def _bare(text: str) -> str:
    return _unindented(text).rstrip()


def _whole_program(text: str) -> str | None:
    """`text` as a program, where all of it is one: it parses, and is no bare words, no JSON, no markup in brackets."""
    program = _bare(text)
    tree = _parsed(program)
    if tree is None or _only_words(tree) or _is_json(tree):
        return None
    return None if any(_is_bracketed(node) for node in ast.walk(tree)) else program


def _is_json(tree: ast.Module) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, (ast.Dict, ast.List)) for node in tree.body)


def _is_bracketed(node: ast.AST) -> bool:
    if not isinstance(node, ast.List) or len(node.elts) != 1:
        return False
    return isinstance(node.elts[0], ast.Name) and node.elts[0].id in _BRACKETED


def _is_prose(text: str) -> bool:
    """True where the text is no program: it does not parse, or it is bare words that happen to parse."""
    tree = _parsed(text)
    return not _looks_like_program(text) if tree is None else _only_words(tree)


def _only_words(tree: ast.Module) -> bool:
    return all(
        isinstance(node, ast.Expr) and isinstance(node.value, (ast.Name, ast.Tuple)) and _only_names(node.value)
        for node in tree.body
    )


def _only_names(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Tuple) and all(isinstance(part, ast.Name) for part in node.elts)
    )


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_PROGRAM_LINE = re.compile(
    r"^\s*(?:[A-Za-z_][\w.]*(?:\[[^\]\n]*\])?\s*[-+*/]?=(?!=)|[A-Za-z_][\w.]*\(|(?:for|while|if|elif|with|def|class|try|except|else|finally)\b.*:"
    r"\s*(?:#.*)?$|(?:import|from|return|raise|del|assert)\s+\w|def\s*\w*\s*\(|class\s+\w+\s*\(|#|@\w)",
)


def _looks_like_program(text: str) -> bool:
    """A program with a mistake in it: most of its lines look like one. It is run, so that the policy sees its error."""
    lines = [line for line in text.splitlines() if line.strip()]
    hits = sum(1 for line in lines if _PROGRAM_LINE.match(line))
    return hits * 2 >= len(lines)
