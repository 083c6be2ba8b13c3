"""Arguments are checked against a tool's schema before anything is sent, and errors say how to repair the call."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import ArgumentError
from .schema_check import SchemaCheck, compiled
from .tool import Tool

_MESSAGE_CHARS = 300
_NAMES_SHOWN = 12


class ArgumentValidator:
    """Checks arguments; the compiled schema of each tool is kept."""

    def __init__(self) -> None:
        self._compiled: dict[str, tuple[dict[str, Any], SchemaCheck | None]] = {}
        self._compiled_results: dict[str, tuple[dict[str, Any], SchemaCheck | None]] = {}

    def validate(self, tool: Tool, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return the arguments under the tool's own parameter names, as they are to be sent.

        A `None` for an optional parameter that takes no null is left out: the stub shows such parameters as
        `= None`. Raises `ArgumentError`.
        """
        named = _original_names(tool, arguments)
        properties, required = tool.properties, tool.required
        sent = {name: value for name, value in named.items()
                if not (value is None and name not in required and self._refuses_null(tool, properties.get(name)))}
        _check_missing(tool, sent)
        self._check_schema(tool, sent)
        return sent

    def wrong_result(self, tool: Tool, value: object) -> str | None:
        """Why structured content does not fit the schema that the tool declares for it, or None where it does."""
        if tool.output_schema is None:
            return None
        known = self._compiled_results.get(tool.full_name)
        if known is None or known[0] is not tool.output_schema:
            known = (tool.output_schema, compiled(tool.output_schema))
            self._compiled_results[tool.full_name] = known
        error = known[1].error(value) if known[1] is not None else None
        if error is None:
            return None
        place = ".".join(map(str, error.absolute_path))
        message = str(error.message)[:_MESSAGE_CHARS]
        return f"{place}: {message}" if place else message

    def _check_schema(self, tool: Tool, sent: dict[str, object]) -> None:
        check = self._check(tool)
        error = check.error(sent) if check is not None else None
        if error is not None:
            raise _schema_error(tool, error)

    def _refuses_null(self, tool: Tool, part: Any) -> bool:
        check = self._check(tool)
        known = check.refuses(part, None) if check is not None else None
        return _seems_to_refuse_null(part) if known is None else known

    def _check(self, tool: Tool) -> SchemaCheck | None:
        known = self._compiled.get(tool.full_name)
        if known is None or known[0] is not tool.input_schema:
            known = (tool.input_schema, compiled(tool.input_schema))
            self._compiled[tool.full_name] = known
        return known[1]


def nearest(name: str, names: Iterable[str], count: int = 1) -> list[str]:
    """The names most like `name`, best first; also finds a name that differs in case, or that contains it."""
    pool = sorted(set(names))
    lowered: dict[str, str] = {}
    for candidate in pool:
        lowered.setdefault(candidate.lower(), candidate)
    close = [lowered[match] for match in difflib.get_close_matches(name.lower()[:200], lowered, n=count, cutoff=0.55)]
    if not close and len(name) >= 3:
        close = [candidate for candidate in pool if name.lower() in candidate.lower() or candidate.lower() in name.lower()]
    return close[:count]


def _original_names(tool: Tool, arguments: Mapping[str, object]) -> dict[str, object]:
    mapping = tool.parameter_identifiers
    named: dict[str, object] = {}
    for name, value in arguments.items():
        original = mapping.get(name, name)
        if original not in tool.properties and not _is_open(tool.input_schema):
            raise _unknown_parameter(tool, name)
        if original in named:
            raise _error(tool, f"parameter {name!r} is given twice", f"give {name!r} once")
        named[original] = value
    return named


def _is_open(schema: dict[str, Any]) -> bool:
    """Whether the schema asks for parameters that it does not name; silence alone means no."""
    more = schema.get("additionalProperties")
    return more is True or (isinstance(more, dict) and more != {"not": {}}) or "patternProperties" in schema or (
        more is None and "properties" not in schema
    )


def _unknown_parameter(tool: Tool, name: str) -> ArgumentError:
    names = tool.parameters
    close = nearest(name, names)
    meant = f", did you mean {close[0]!r}?" if close else ""
    return _error(tool, f"no parameter {name!r}{meant}", _takes(names))


def _takes(names: tuple[str, ...]) -> str:
    if not names:
        return "it takes no parameters"
    more = ", ..." if len(names) > _NAMES_SHOWN else ""
    return f"it takes {', '.join(names[:_NAMES_SHOWN])}{more}"


def _check_missing(tool: Tool, sent: dict[str, object]) -> None:
    missing = [name for name, original in tool.parameter_identifiers.items()
               if original in tool.required and original not in sent]
    if missing:
        word = "parameter" if len(missing) == 1 else "parameters"
        raise _error(tool, f"missing {word} {', '.join(map(repr, missing))}", _takes(tool.parameters))


def _schema_error(tool: Tool, error: Any) -> ArgumentError:
    path = [str(step) for step in error.absolute_path]
    shown = {original: name for name, original in tool.parameter_identifiers.items()}
    message = str(error.message)
    if len(message) > _MESSAGE_CHARS:
        message = f"{message[:_MESSAGE_CHARS]}..."
    if not path:
        return _error(tool, message, _takes(tool.parameters))
    place = shown.get(path[0], path[0]) + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path[1:])
    return _error(tool, f"parameter {place!r}: {message}", f"correct {place!r}")


def _error(tool: Tool, message: str, mend: str) -> ArgumentError:
    takes = f"; {mend}" if mend.startswith("it takes") else ""
    return ArgumentError(f"{tool.full_name}: {message}{takes}", where=tool.full_name, mend=mend)


def _seems_to_refuse_null(schema: Any) -> bool:
    """By its plainest words: for a schema that cannot be compiled."""
    if not isinstance(schema, dict):
        return False
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind != "null"
    if isinstance(kind, list):
        return "null" not in kind
    parts = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(parts, list):
        return all(_seems_to_refuse_null(part) for part in parts)
    return isinstance(schema.get("enum"), list) and None not in schema["enum"]
