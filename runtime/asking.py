"""Questions that servers ask the person at the terminal (elicitation).

The question names the server and is shown as untrusted text. Secrets are never asked for: a server that wants one is
declined, and so is every question where nobody sits at a terminal. A form is filled in field by field; an empty line leaves
an optional field out, and whoever gives no usable value three times declines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from .approval import has_terminal, read_line, show_text, visible

_SECRET = re.compile(
    r"pass(?:word|phrase|code)|secret|token|api[\s_-]*key|private[\s_-]*key|credential|\bpin\b|\bcvv?\b|\botp\b"
    r"|(?:card|account|social[\s_-]*security)[\s_-]*(?:number|no)|\bssn\b|one[\s_-]*time[\s_-]*code|2fa",
    re.IGNORECASE,
)
_TRIES = 3
_MESSAGE_CHARS = 2_000
_FIELDS = 20


class Asking:
    """Asks at the terminal, one question at a time; `paused` holds the clocks of running programs meanwhile."""

    def __init__(self, paused: Callable[[], AbstractContextManager[None]]) -> None:
        self._paused = paused
        self._one = asyncio.Lock()

    async def answer(self, server: str, params: Any) -> Any:
        """The SDK's `ElicitResult` for a question of `server`."""
        from mcp_types import ElicitResult

        if not has_terminal() or _wants_secret(params):
            if has_terminal():
                show_text(f"server {visible(server)!r} asked for something secret and was declined\n")
            return ElicitResult(action="decline")
        async with self._one:
            with self._paused():
                content = await _asked(server, params)
        return ElicitResult(action="decline") if content is None else ElicitResult(action="accept", content=content or None)


async def _asked(server: str, params: Any) -> dict[str, Any] | None:
    """What the person gave; None where they decline."""
    show_text(f"server {visible(server)!r} asks: {visible(params.message[:_MESSAGE_CHARS])}\n")
    if params.mode == "url":
        show_text(f"it wants you to open {visible(params.url)}\n")
        return {} if await _yes("have you opened it, and may it go on? [y]es, [n]o: ") else None
    properties, required = _form(params.requested_schema)
    if not properties:
        return {} if await _yes("[y]es, [n]o: ") else None
    if not await _yes("answer it? [y]es, [n]o: "):
        return None
    content: dict[str, Any] = {}
    for name, schema in properties.items():
        given = await _field(name, schema, name in required)
        if given is _DECLINED:
            return None
        if given is not _LEFT_OUT:
            content[name] = given
    return content


_DECLINED, _LEFT_OUT = object(), object()


def _form(schema: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    fields = {name: part for name, part in properties.items() if isinstance(part, dict)}
    required = schema.get("required")
    return dict(list(fields.items())[:_FIELDS]), required if isinstance(required, list) else []


async def _field(name: str, schema: dict[str, Any], required: bool) -> object:
    for _ in range(_TRIES):
        show_text(f"  {_label(name, schema, required)}: ")
        line = await read_line()
        if line is None:
            return _DECLINED
        text = line.strip()
        if not text:
            if "default" in schema:
                return schema["default"]
            if not required:
                return _LEFT_OUT
            continue
        try:
            return read_value(text, schema)
        except ValueError as problem:
            show_text(f"  {problem}\n")
    return _DECLINED


def _label(name: str, schema: dict[str, Any], required: bool) -> str:
    said = schema.get("title") or schema.get("description") or name
    options = _options(schema)
    kind = " | ".join(options) if options else str(schema.get("type", "text"))
    default = f", {schema['default']!r} if empty" if "default" in schema else "" if required else ", may be empty"
    return visible(f"{str(said)[:200]} ({kind[:300]}{default})")


def _options(schema: dict[str, Any]) -> list[str]:
    if isinstance(schema.get("enum"), list):
        return [str(one) for one in schema["enum"]]
    if isinstance(schema.get("oneOf"), list):
        return [str(one["const"]) for one in schema["oneOf"] if isinstance(one, dict) and "const" in one]
    items = schema.get("items")
    return _options(items) if isinstance(items, dict) else []


def read_value(text: str, schema: Mapping[str, Any]) -> Any:
    """A line of text as the value of a form's field. Raises `ValueError` that says what is wanted."""
    kind, options = schema.get("type"), _options(dict(schema))
    if kind == "array":
        values = [part.strip() for part in text.split(",") if part.strip()]
        if options and set(values) - set(options):
            raise ValueError(f"give some of {', '.join(options)}, with commas between them")
        return values
    if options and text not in options:
        raise ValueError(f"give one of {', '.join(options)}")
    if kind == "boolean":
        words = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}
        if text.lower() not in words:
            raise ValueError("give yes or no")
        return words[text.lower()]
    if kind in ("integer", "number"):
        return _number(text, kind, schema)
    for word, fits, what in (("minLength", int.__le__, "at least"), ("maxLength", int.__ge__, "at most")):
        if isinstance(schema.get(word), int) and not fits(schema[word], len(text)):
            raise ValueError(f"give {what} {schema[word]} characters")
    return text


def _number(text: str, kind: str, schema: Mapping[str, Any]) -> float:
    try:
        value = int(text) if kind == "integer" else float(text)
    except ValueError:
        raise ValueError("give a whole number" if kind == "integer" else "give a number") from None
    if value < schema.get("minimum", value) or value > schema.get("maximum", value):
        raise ValueError(f"give a number from {schema.get('minimum', '...')} to {schema.get('maximum', '...')}")
    return value


def _wants_secret(params: Any) -> bool:
    if params.mode == "url":
        return False  # secrets belong there: the person gives them to the page, not to us
    properties, _ = _form(params.requested_schema)
    texts = [params.message] + [
        f"{name} {part.get('title', '')} {part.get('description', '')} {part.get('format', '')}"
        for name, part in properties.items()
    ]
    return any(_SECRET.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(text))) for text in texts)


async def _yes(question: str) -> bool:
    show_text(question)
    return (await read_line() or "n").strip().lower() in ("y", "yes")
