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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["bare", "fenced", "tool_call", "prose"]

_THINK = re.compile(r"<(think|thinking|thought|reasoning|seed:think)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THINK_END = re.compile(r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]", re.IGNORECASE)
_MISTRAL_THINK = re.compile(r"\[THINK\](.*?)(?:\[/THINK\]|\Z)", re.DOTALL)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>(.*?)(?=<\|end\|>|<\|return\|>|<\|call\|>|<\|start\|>|<\|channel\|>|\Z)",
    re.DOTALL,
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*([\w+.-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_CODE_TAG = re.compile(r"<(code|python|program|execute)>\s*\n?(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_CALL_TAG = re.compile(
    r"(?:<tool_calls?>|<\|tool_call\|>|<function_call>|\[TOOL_CALLS\])(.*?)"
    r"(?:</tool_calls?>|<\|/tool_call\|>|</function_call>|(?=<tool_call>)|\Z)",
    re.DOTALL,
)
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


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was found in one reply."""

    program: str | None
    kind: Kind
    thinking: str | None = None


def extract_program(reply: str) -> Extracted:
    """The program in `reply`, or None where it holds only prose."""
    text, thinking = split_thinking(reply)
    text = _without_stops(text)
    fenced = _fenced(text)
    if fenced is not None:
        return Extracted(fenced, "fenced", thinking)
    actions = _actions(text)
    if actions:
        return Extracted("\n".join(_as_program(tool, arguments) for tool, arguments in actions), "tool_call", thinking)
    program = textwrap.dedent(text).strip("\n").rstrip()
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

    def take(match: re.Match[str]) -> str:
        thoughts.append(match.group(match.lastindex or 0))
        return ""

    text = _channels(reply, thoughts)
    text = _MISTRAL_THINK.sub(take, _THINK.sub(take, text))
    end = _THINK_END.search(text)
    if end is not None:  # the prompt's own end opened the thought
        thoughts.append(text[: end.start()])
        text = text[end.end() :]
    thinking = "\n".join(thought.strip() for thought in thoughts if thought.strip())
    return text, thinking or None


def _channels(reply: str, thoughts: list[str]) -> str:
    """The final (or only) channel of a reply in OpenAI's harmony format; other replies as they are."""
    parts = [(match.group(1), match.group(2)) for match in _CHANNEL.finditer(reply)]
    if not parts:
        return reply
    thoughts += [text for name, text in parts if name == "analysis"]
    spoken = [text for name, text in parts if name != "analysis"]
    return "\n".join(spoken)


def _without_stops(text: str) -> str:
    """Cut a whole end-of-turn string and what follows it, or a partial one at the very end."""
    found = [at for stop in _STOPS if (at := _stop_at(text, stop)) >= 0]
    text = text[: min(found)] if found else text
    stripped = text.rstrip()
    for stop in _STOPS:
        for length in range(len(stop) - 1, _SHORTEST_STOP - 1, -1):
            if stripped.endswith(stop[:length]) and "|" in stop[:length]:
                return stripped[:-length]
    return text


def _stop_at(text: str, stop: str) -> int:
    """Where `stop` ends the reply: at the end of a line or of the text, not inside a string of the program."""
    match = re.search(re.escape(stop) + r"(?=\s|\Z)", text)
    return match.start() if match else -1


def _fenced(text: str) -> str | None:
    """Fenced blocks of program text, joined in order."""
    blocks = [(match.group(2).lower(), match.group(3)) for match in _FENCE.finditer(text)]
    programs = [block for language, block in blocks if language in _PROGRAM_LANGUAGES and not _json_call(block)]
    if programs:
        return "\n".join(textwrap.dedent(block).strip("\n") for block in programs)
    tagged = [match.group(2) for match in _CODE_TAG.finditer(text)]
    if tagged and not any(_json_call(block) for block in tagged):
        return "\n".join(textwrap.dedent(block).strip("\n") for block in tagged)
    inline = re.fullmatch(r"\s*`([^`\n]+)`\s*", text)
    return inline.group(1) if inline else None


def _json_call(block: str) -> bool:
    return bool(block.lstrip().startswith(("{", "[")) and list(_calls_in(block)))


def _actions(text: str) -> list[tuple[str, dict[str, object]]]:
    tagged = [match.group(1) for match in _CALL_TAG.finditer(text)]
    if tagged:
        return [action for block in tagged for action in _calls_in(block)]
    fences = [match.group(3) for match in _FENCE.finditer(text)]
    blocks = fences or [text]
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


def _is_prose(text: str) -> bool:
    """True where the text is no program: it does not parse, or it is bare words that happen to parse."""
    tree = _parsed(text)
    if tree is None:
        return not _looks_like_program(text)
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
