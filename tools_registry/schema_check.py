"""JSON Schemas of untrusted listings, compiled so that no check of a value takes long.

A regular expression can hold the interpreter for minutes, so `pattern` and `patternProperties` are left to the server.
References, `allOf`, ... can ask for endless work: the steps of a check are counted, and past `MOST_STEPS` the server is the
judge, as with a schema that is none. Steps and not seconds, so that a resumed run judges as the first one did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

MOST_STEPS = 200_000
"""About a second of checking; ten thousand rows of a table take half of it."""
_MOST_STEPS_FOR_A_SCHEMA = 400_000
"""A schema is judged itself once; one of 1,500 parameters takes as many."""
_MOST_STEPS_FOR_A_PART = 2_000
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_REFERENCE_STEPS = 10
_CHARS_A_STEP = 64
_ERROR_CHARS_A_STEP = 1_000
"""Every error shows the value that it is about."""

_LEFT: ContextVar[list[int]] = ContextVar("steps left")


class _TooLong(Exception):
    """A check took more steps than any check should."""


class SchemaCheck:
    """A compiled schema."""

    def __init__(self, validator: Any) -> None:
        self._validator = validator

    def error(self, value: object) -> Any:
        """What is wrong with `value` (the library's error), or None where nothing is or it cannot be known."""
        try:
            return _first_error(self._validator, value)
        except Exception:  # an unresolvable or endless reference: the server is the judge then
            return None

    def refuses(self, part: object, value: object) -> bool | None:
        """Whether a `part` of the schema refuses `value`, with all that it refers to; None where that cannot be known."""
        _LEFT.set([_MOST_STEPS_FOR_A_PART])
        try:
            return next(self._validator.descend(value, part), None) is not None
        except Exception:
            return None


def compiled(schema: dict[str, Any]) -> SchemaCheck | None:
    """A check by `schema`, or None where it is no valid JSON Schema."""
    try:
        kind = _kind_for(schema)
        known = kind(kind.META_SCHEMA, _resolver=_resolver(kind, kind.META_SCHEMA))
        if _first_error(known, schema, _MOST_STEPS_FOR_A_SCHEMA) is not None:
            return None
        return SchemaCheck(kind(schema, _resolver=_resolver(kind, schema)))
    except Exception:  # whatever a listing holds, the server is the judge of it then
        return None


def _first_error(validator: Any, value: object, most_steps: int = MOST_STEPS) -> Any:
    from jsonschema.exceptions import best_match

    _LEFT.set([most_steps])
    return best_match(validator.iter_errors(value))


def _resolver(kind: Any, schema: Any) -> Any:
    """Finds what the schema refers to within itself, and fetches nothing.

    The library's own would go through the whole schema again for each anchor that it looks up.
    """
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    from referencing.jsonschema import specification_with

    resource = specification_with(kind.ID_OF(kind.META_SCHEMA)).create_resource(schema)
    place = resource.id() or ""
    return REGISTRY.with_resource(place, resource).crawl().resolver(base_uri=place)


def _kind_for(schema: dict[str, Any]) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for

    return _counting(validator_for(schema, default=Draft202012Validator), _has_patterns(schema))


def _has_patterns(schema: Any) -> bool:
    """Whether `patternProperties` occurs anywhere: a reference may lead to any part of a schema, even into an `enum`."""
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if "patternProperties" in part:
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return False


@lru_cache(maxsize=32)
def _counting(base: Any, has_patterns: bool) -> Any:
    """The library's validator class with the costly words replaced, and every step counted."""
    from jsonschema import validators

    replaced = {"pattern": _unjudged, "patternProperties": _unjudged, "uniqueItems": _unique_items}
    known = base.VALIDATORS
    if "additionalProperties" in known:
        replaced["additionalProperties"] = _unless_patterns(known["additionalProperties"])
    for word in {"unevaluatedProperties", "unevaluatedItems"} & known.keys():
        replaced[word] = _unjudged if has_patterns else _charged(known[word], _steps_to_find_unevaluated)
    for word in _REFERENCES & known.keys():
        replaced[word] = _charged(known[word], lambda value: _REFERENCE_STEPS)
    extend: Any = validators.extend
    kind = extend(base, {word: check for word, check in replaced.items() if word in known})
    kind.descend, kind.iter_errors = _counted(kind.descend), _counted(kind.iter_errors)
    kind.evolve = _evolved
    return kind


def _evolved(validator: Any, **changes: Any) -> Any:
    """The validator for a part of the schema: of the same class, where the library would obey a `$schema` of the part."""
    schema = changes.get("schema", validator.schema)
    if isinstance(schema, dict):
        _charge(sum(map(_size, schema.values())))
    return type(validator)(schema, _resolver=changes.get("_resolver", validator._resolver))


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value) // _CHARS_A_STEP
    return len(value) if isinstance(value, list | dict) else 0


def _counted(check: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def checked(validator: Any, instance: Any, *parts: Any, **options: Any) -> Iterator[Any]:
        _charge(1 + (len(instance) // 16 if isinstance(instance, dict) else 0))
        for error in check(validator, instance, *parts, **options):
            _charge(len(error.message) // _ERROR_CHARS_A_STEP)
            yield error

    return checked


def _charge(steps: int) -> None:
    left = _LEFT.get()
    left[0] -= steps
    if left[0] < 0:
        raise _TooLong


def _unjudged(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
    return ()


def _unless_patterns(check: Any) -> Any:
    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        return () if "patternProperties" in schema else check(validator, value, instance, schema)

    return checked


def _charged(check: Any, steps: Callable[[Any], int]) -> Any:
    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _charge(steps(instance))
        return check(validator, value, instance, schema)

    return checked


def _steps_to_find_unevaluated(instance: object) -> int:
    """The library looks for each item in a list of those that are judged already."""
    return _REFERENCE_STEPS + (len(instance) ** 2 // 100 if isinstance(instance, list | dict) else 0)


def _unique_items(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """The library compares each item with each other where they have no order, as objects."""
    from jsonschema.exceptions import ValidationError

    seen: set[str] = set()
    for item in instance if value and isinstance(instance, list) else ():
        text = json.dumps(item, sort_keys=True, default=str)
        _charge(1 + len(text) // _CHARS_A_STEP)
        if text in seen:
            yield ValidationError(f"{instance!r} has non-unique elements")
            return
        seen.add(text)
