"""Tools whose natural first call fails, with a message that says how to mend it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from .base import Split, WorldToolError
from .composed_schema import Entity, Field, choose
from .composed_tools import Composer, Records, Spec, Style, parameter, tool_name, wrapped
from .composed_words import cached_pool

_SPELLINGS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("high", "HIGH"), ("low", "LOW"), ("medium", "MEDIUM")),
    (("in progress", "in_progress"), ("on hold", "on_hold"), ("ready to go", "ready_to_go")),
    (("urgent", "p1"), ("normal", "p2"), ("minor", "p3")),
    (("yes", "y"), ("no", "n")),
    (("finished", "done"), ("unfinished", "open")),
    (("express", "EXP"), ("standard", "STD")),
    (("first floor", "F1"), ("second floor", "F2"), ("third floor", "F3")),
    (("not started", "not_started"), ("half done", "half_done")),
    (("monday", "mon"), ("friday", "fri"), ("sunday", "sun")),
    (("dark red", "dark_red"), ("light blue", "light_blue")),
)
_UNITS = ("kg", "cm", "km", "litres", "hours", "watts", "mm", "tons")


def trouble_tools(
    rng: random.Random, split: Split, entity: Entity, style: Style, made: list[Spec], wide: Sequence[str] = ()
) -> list[Spec]:
    """One tool whose natural first call fails."""
    if made and rng.random() < 0.35:
        spec = rng.choice(made)
        if spec.op not in ("list", "search", "find"):
            spec.trouble = "busy"
        return []
    composer = Composer(rng, split, entity, style)
    composer.specs = list(made)
    part = composer.id_part()
    kind = rng.choice(("spelling", "spelling", "unit"))
    names = {
        "spelling": (("priority", "mode", "pace", "importance"), ("rank", "band")),
        "unit": (("load", "height", "dose", "span"), ("girth", "output")),
    }[kind]
    name = choose(rng, names, split, wide)
    if any(one.name == name for one in entity.fields) or part[0] == name:
        return []
    spellings = rng.choice(cached_pool(_SPELLINGS, split))
    unit = rng.choice(cached_pool(_UNITS, split))
    one = Field(name, kind, "string")

    def run(store: Records, args: dict[str, Any]) -> Any:
        value = str(args[name])
        allowed = [right for _, right in spellings]
        if kind == "spelling" and value not in allowed:
            hint = next((f" (for {said!r} use {right!r})" for said, right in spellings if said == value.lower()), "")
            raise WorldToolError(f"{name} must be one of: {', '.join(allowed)}{hint}")
        if kind == "unit" and not value.endswith(f" {unit}"):
            raise WorldToolError(f"{name} needs the unit {unit}, for example '12 {unit}'")
        store.log.append(["set", entity.key, store.one(entity, args[part[0]])[entity.id.name], name, value])
        return True

    made_spec = composer.add(
        "set",
        tool_name(style, "set", entity.noun, name),
        f"Set the {one.phrase} of a {composer.noun()}",
        run,
        {"id": part, "value": (name, parameter("string"))},
        output=wrapped({"type": "boolean"}),
        show=0.4,
        one=one,
        read_only=False,
    )
    if made_spec is None:
        return []
    made_spec.trouble = kind
    made_spec.extra = {"spellings": spellings, "unit": unit}
    return [made_spec]
