"""A tool as one line of typed Python, a fifth of the tokens of its JSON Schema.

`def files.find(pattern: str) -> list[str]  # Find files by pattern.` (`stub`), or with the comment above it (`prompt_stub`).

Nested objects are written as `dict(name=str, size=int)`, so that every annotation is a Python expression.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .tool import Tool
from .words import plain

DESCRIPTION_CHARS = 100
STUB_CHARS = 480
"""About a sixth of what nano's first view may take, and ten times a usual stub."""
_READ_CHARS = 4000
_DEPTH = 3
_NESTING = 12
"""Longest chain of `anyOf`, `$ref`, ... that is followed: a hostile schema must end too."""
_CHOICES = 12
"""Most parts of a union that are read."""
_WORK = 2_000
"""Most parts of all schemas of a tool that are read for a stub: unions of unions multiply."""
_POINTER_CHARS = 1_000
_OTHERS = "**others"
_LITERAL_CHARS = 60
_NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a schema a stub shows."""

    depth: int
    choices: int


@dataclass(slots=True)
class _Work:
    """How much of a schema may still be read."""

    left: int = _WORK


_DETAILS = (Detail(3, 12), Detail(2, 8), Detail(1, 6), Detail(1, 3), Detail(0, 3))
"""From all to little: a stub over `STUB_CHARS` is written again with less."""


def stub(tool: Tool) -> str:
    """Return the one-line stub of `tool`, within `STUB_CHARS`."""
    summary = _summary(tool)
    comment = f"  # {summary}" if summary else ""
    return _signature(tool, STUB_CHARS - len(comment)) + comment


def prompt_stub(tool: Tool) -> str:
    """Return the stub of `tool` as a policy reads it, within `STUB_CHARS`: what it does, then how it is called.

    `# lookup client: Find a client by name.` stands above `def crm.lookup_client(name: str) -> dict(id=str, name=str)`. A
    model reads from left to right: where the words that a task may use come before the server and the name, a small one
    learns to point at them; where they come behind, it hardly does (docs/lab-log.md). So the words of the name come first
    where the summary lacks one.
    """
    summary, words = _summary(tool), plain(tool.name).lower()
    if not set(words.split()) <= set(re.findall(r"[^\W_]+", summary.lower())):
        summary = f"{words}: {summary}" if summary else words
    comment = f"# {summary}\n" if summary else ""
    return comment + _signature(tool, STUB_CHARS - len(comment))


def _summary(tool: Tool) -> str:
    summary = summary_line(tool.description)
    observed = tool.output_schema is None and tool.observed_schema
    return f"{summary} (result as observed)".strip() if observed else summary


def _signature(tool: Tool, room: int) -> str:
    """The definition with as much detail as fits into `room` characters."""
    for detail in _DETAILS:
        work = _Work()
        parameters = _parameters(tool, detail, work)
        result = _result(tool.output_schema or tool.observed_schema, detail, work)
        arrow = f" -> {result}" if result else ""
        text = _definition(tool, parameters, arrow)
        if len(text) <= room:
            return text
    return _shortened(tool, parameters, arrow, room)


def _definition(tool: Tool, parameters: list[str], arrow: str) -> str:
    return f"def {tool.full_name}({', '.join(parameters)}){arrow}"


def _shortened(tool: Tool, parameters: list[str], arrow: str, room: int) -> str:
    """Leave out optional parameters from the end, then the types, then what is left; `**others` says there is more."""
    required = [name for name, original in tool.parameter_identifiers.items() if original in tool.required]
    for shown, least, end in ((parameters, len(required), arrow), (required, 0, "")):
        for count in range(len(shown), least - 1, -1):
            more = [_OTHERS] * (count < len(parameters))
            text = _definition(tool, [*shown[:count], *more], end)
            if len(text) <= room:
                return text
    return _definition(tool, [_OTHERS], "")


def _parameters(tool: Tool, detail: Detail, work: _Work) -> list[str]:
    properties, required = tool.properties, tool.required
    return [
        _parameter(name, properties[original], original in required, tool.input_schema, detail, work)
        for name, original in tool.parameter_identifiers.items()
    ]


def summary_line(description: str) -> str:
    """First sentence of a description, on one line, at most `DESCRIPTION_CHARS` characters."""
    text = " ".join(description[:_READ_CHARS].split())
    if not text.isprintable():  # control characters could drive the terminal, lone surrogates break encoding
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return sentence if len(sentence) <= DESCRIPTION_CHARS else sentence[: DESCRIPTION_CHARS - 3].rstrip() + "..."


def _parameter(name: str, schema: Any, required: bool, root: dict[str, Any], detail: Detail, work: _Work) -> str:
    kind = type_text(schema, root, 0, 0, detail, work)
    if required:
        return f"{name}: {kind}"
    default = schema.get("default") if isinstance(schema, dict) else None
    if default is None and not kind.endswith("None") and kind != "object":
        kind = f"{kind} | None"
    return f"{name}: {kind} = {_literal(default)}"


def _literal(value: Any, limit: int = 40) -> str:
    if isinstance(value, str | list | dict) and _room_beside(value, limit) < 0:
        return "..."
    text = repr(value)
    return text if len(text) <= limit and text.isprintable() else "..."


def _room_beside(value: Any, room: int) -> int:
    """What is left of `room` characters beside a value, or less than nothing: it is not read to its end then."""
    if isinstance(value, str) or (isinstance(value, list | dict) and len(value) > room):
        return room - len(value)
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        if room < 0:
            break
        room = _room_beside(part, room)
    return room - 1


def _result(schema: dict[str, Any] | None, detail: Detail, work: _Work) -> str:
    if not isinstance(schema, dict) or not schema:
        return ""
    properties = schema.get("properties")
    if isinstance(properties, dict) and list(properties) == ["result"]:  # the SDK wraps results that are not objects
        return type_text(properties["result"], schema, 0, 0, detail, work)
    return type_text(schema, schema, 0, 0, detail, work)


def type_text(schema: Any, root: dict[str, Any], depth: int, nesting: int, detail: Detail, work: _Work) -> str:
    """Python annotation of a JSON Schema; `root` resolves local `$ref`s, deep or recursive parts become `object`."""
    if not isinstance(schema, dict) or depth > detail.depth or nesting > _NESTING or work.left <= 0:
        return "object"
    nesting += 1
    work.left -= 1 + len(schema) // 16
    if "$ref" in schema:
        return type_text(_resolve(schema["$ref"], root), root, depth + 1, nesting, detail, work)
    if "const" in schema:
        return _choice([schema["const"]], detail)
    if isinstance(schema.get("enum"), list):
        return _choice(schema["enum"], detail)
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            parts = schema[word]
            texts = [type_text(part, root, depth, nesting, detail, work) for part in parts[:_CHOICES]]
            return _union(texts + ["object"] * (len(parts) > _CHOICES))
    if isinstance(schema.get("allOf"), list) and schema["allOf"]:
        return type_text(_together(schema, root, work), root, depth, nesting, detail, work)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([type_text({**schema, "type": one}, root, depth, nesting, detail, work) for one in kind[:_CHOICES]])
    if kind == "array":
        item = type_text(schema.get("items"), root, depth + 1, nesting, detail, work)
        return "list" if item == "object" else f"list[{item}]"
    if kind == "object" or "properties" in schema:
        return _object(schema, root, depth, nesting, detail, work)
    return _NAMES.get(str(kind), "object")


def _together(schema: dict[str, Any], root: dict[str, Any], work: _Work) -> dict[str, Any]:
    """A schema and the parts of its `allOf` as one: properties of all of them, else the word of the first that has it."""
    whole = {word: value for word, value in schema.items() if word != "allOf"}
    for given in schema["allOf"][:_CHOICES]:
        part = _resolve(given["$ref"], root) if isinstance(given, dict) and "$ref" in given else given
        if not isinstance(part, dict):
            continue
        mine, others = whole.get("properties"), part.get("properties")
        work.left -= 1 + len(part) // 16 + (len(others) // 16 if isinstance(others, dict) else 0)
        whole = {**part, **whole}
        if isinstance(mine, dict) and isinstance(others, dict):
            whole["properties"] = {**others, **mine}
    return whole


def _choice(values: list[Any], detail: Detail) -> str:
    """A `Literal`; `...` stands for the values that are not shown."""
    texts = [_literal(value, _LITERAL_CHARS) for value in values[: detail.choices]]
    texts += ["..."] * (len(values) > detail.choices)
    return f"Literal[{', '.join(dict.fromkeys(texts))}]" if texts else "object"


def _union(parts: list[str]) -> str:
    unique = list(dict.fromkeys(parts))
    unique.sort(key=lambda part: part == "None")
    return " | ".join(unique) if unique else "object"


def _object(
    schema: dict[str, Any], root: dict[str, Any], depth: int, nesting: int, detail: Detail, work: _Work
) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    if not properties or depth >= detail.depth or len(properties) > 10 or not _writable(properties):
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and values and not properties:
            return f"dict[str, {type_text(values, root, depth + 1, nesting, detail, work)}]"
        return "dict"
    fields = ", ".join(
        f"{name}={type_text(part, root, depth + 1, nesting, detail, work)}" for name, part in properties.items()
    )
    return f"dict({fields})"


def _writable(names: Iterable[str]) -> bool:
    return all(name.isidentifier() and not keyword.iskeyword(name) for name in names)


def _resolve(reference: object, root: dict[str, Any]) -> Any:
    if not isinstance(reference, str) or len(reference) > _POINTER_CHARS:
        return None
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    return node
