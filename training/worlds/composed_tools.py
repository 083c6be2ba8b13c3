"""Composes tools from verbs, nouns and parameters, each with the function that runs it over the records."""

from __future__ import annotations

import difflib
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

from ...tools_registry.tool import Tool
from .base import Split, WorldToolError
from .composed_names import PARAMETERS, VERBS
from .composed_schema import Entity, Field, choose
from .composed_words import plural

Rows = list[dict[str, Any]]
Runner = Callable[["Records", dict[str, Any]], Any]


@dataclass(slots=True)
class Style:
    """How one server names and describes its tools."""

    verbs: dict[str, str]
    order: str
    camel: bool
    description: str
    parameters: dict[str, str]
    wide: bool = False
    """True where verbs may say nothing, so that every tool is described."""


@dataclass(slots=True)
class Spec:
    """A tool with its meaning."""

    tool: Tool
    op: str
    entity: Entity | None
    run: Runner
    field: Field | None = None
    args: dict[str, str] = made(default_factory=dict)
    """Role of an argument -> its name in this tool."""
    optional: tuple[str, ...] = ()
    """Roles that may be left out."""
    returns: str = ""
    shows: bool = False
    """True when the stub shows the fields of the result."""
    trouble: str = ""
    """Why the natural first call of this tool fails, if it does."""
    extra: dict[str, Any] = made(default_factory=dict)

    @property
    def name(self) -> str:
        """Full name, as programs write it."""
        return self.tool.full_name


class Records:
    """The record store of one run of a world."""

    def __init__(self, specs: dict[str, Spec], entities: list[Entity]) -> None:
        self.specs = specs
        self.rows: dict[str, Rows] = {entity.key: [dict(row) for row in entity.rows] for entity in entities}
        self.log: list[list[Any]] = []
        self.counter = 0
        self.busy: Counter[str] = Counter()

    def call(self, full_name: str, arguments: dict[str, Any]) -> Any:
        """Run a tool. Raises `WorldToolError`."""
        spec = self.specs.get(full_name)
        if spec is None:
            raise WorldToolError(f"unknown tool: {full_name}", "not_found")
        checked = check_arguments(spec.tool, arguments)
        if spec.trouble == "busy":
            self.busy[full_name] += 1
            if self.busy[full_name] == 1:
                raise WorldToolError("server is busy, try again", "failed")
        return spec.run(self, checked)

    def snapshot(self) -> dict[str, Any]:
        """Everything that a tool can change."""
        state: dict[str, Any] = {key: [dict(row) for row in rows] for key, rows in self.rows.items()}
        state["log"] = sorted((list(entry) for entry in self.log), key=repr)
        return state

    def close(self) -> None:
        """Nothing is on disk."""

    def one(self, entity: Entity, identifier: Any) -> dict[str, Any]:
        """The record with this id."""
        for row in self.rows[entity.key]:
            if row[entity.id.name] == identifier:
                return row
        raise WorldToolError(f"no {words_of(entity.noun)} with {entity.id.name} {identifier}", "not_found")

    def named(self, entity: Entity, label: Any) -> dict[str, Any]:
        """The record with this name."""
        rows = self.rows[entity.key]
        for row in rows:
            if row[entity.label.name] == label:
                return row
        names = [str(row[entity.label.name]) for row in rows]
        lower = {name.lower(): name for name in names}
        near = difflib.get_close_matches(str(label).lower(), list(lower), 1, 0.7)
        hint = f" (did you mean {lower[near[0]]!r}?)" if near else ""
        raise WorldToolError(f"no such {words_of(entity.noun)}: {label}{hint}", "not_found")


_JSON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def check_arguments(tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with defaults filled in. Raises `WorldToolError` for a missing, unknown or ill-typed one."""
    schema = tool.input_schema
    properties = schema["properties"]
    for name in arguments:
        if name not in properties:
            raise WorldToolError(f"{tool.name} has no parameter {name}")
    filled = {}
    for name, part in properties.items():
        if name not in arguments:
            if name in schema.get("required", ()):
                raise WorldToolError(f"{tool.name} needs {name}")
            filled[name] = part.get("default")
            continue
        value = arguments[name]
        filled[name] = value
        if value is None and name not in schema.get("required", ()):
            continue
        allowed = _JSON.get(part.get("type", ""), (object,))
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed and object not in allowed):
            raise WorldToolError(f"{name} must be of type {part.get('type')}")
        if "enum" in part and value not in part["enum"]:
            raise WorldToolError(f"{name} must be one of: {', '.join(part['enum'])}")
    return filled


def words_of(noun: str) -> str:
    """A noun as a person writes it."""
    return noun.replace("_", " ")


def make_style(rng: random.Random, split: Split, wide: Sequence[str] = ()) -> Style:
    """A random naming style; with a lexicon `wide`, many verbs and parameters are made of its words."""
    return Style(
        verbs={verb: choose(rng, options, split, wide) for verb, options in VERBS.items()},
        order="noun" if rng.random() < 0.12 else "verb",
        camel=rng.random() < 0.15,
        description=rng.choice(("plain", "plain", "third", "terse", "returns", "wordy")),
        parameters={name: choose(rng, options, split, wide) for name, options in PARAMETERS.items()},
        wide=bool(wide),
    )


def camel(name: str) -> str:
    """snake_case to camelCase."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def tool_name(style: Style, verb: str, noun: str, tail: str = "") -> str:
    """A name such as `find_clients_by_city`, `clients_find_by_city` or `findClientsByCity`."""
    written = style.verbs.get(verb, verb)
    parts = (noun, written) if style.order == "noun" else (written, noun)
    name = "_".join(part for part in (*parts, tail) if part)
    return camel(name) if style.camel else name


_DESCRIBE: dict[str, tuple[str, ...]] = {
    "plain": ("{imperative}.",),
    "third": ("{third}.",),
    "terse": ("{imperative}",),
    "returns": ("{imperative}; returns {returns}.",),
    "wordy": ("Use this to {lower}.", "{imperative} in {server}.", "Lets you {lower}."),
}


def describe(rng: random.Random, style: Style, server: str, imperative: str, returns: str, keep: bool) -> str:
    """A description in the server's style, absent now and then unless it must be kept."""
    if not keep and rng.random() < 0.1:
        return ""
    verb, _, rest = imperative.partition(" ")
    third = f"{verb}s {rest}" if not verb.endswith(("s", "h")) else f"{verb}es {rest}"
    text = rng.choice(_DESCRIBE[style.description if returns or style.description != "returns" else "plain"])
    filled = text.format(
        imperative=imperative, third=third, returns=returns, server=server, lower=imperative[0].lower() + imperative[1:]
    )
    return re.sub(r"\ba (?=[aeio])", "an ", filled)


def record_schema(entity: Entity) -> dict[str, Any]:
    """JSON Schema of one record."""
    return {"type": "object", "properties": {one.name: one.schema() for one in entity.fields}}


def wrapped(part: dict[str, Any]) -> dict[str, Any]:
    """Schema of a result that is not an object, as servers of the SDK wrap it."""
    return {"type": "object", "properties": {"result": part}, "required": ["result"]}


def parameter(kind: str, options: tuple[str, ...] = (), default: Any = None, optional: bool = False) -> dict[str, Any]:
    """Schema of one parameter."""
    part: dict[str, Any] = {"type": kind}
    if options:
        part["enum"] = list(options)
    if optional:
        part["default"] = default
    return part


class Composer:
    """Makes the tools of one entity."""

    def __init__(self, rng: random.Random, split: Split, entity: Entity, style: Style) -> None:
        self.rng, self.split, self.entity, self.style = rng, split, entity, style
        self.specs: list[Spec] = []

    def noun(self, many: bool = False) -> str:
        """The noun for descriptions: the synonym, where tasks use it."""
        entity = self.entity
        if entity.synonym:
            return words_of(plural(entity.synonym) if many else entity.synonym)
        return words_of(entity.plural if many else entity.noun)

    def add(
        self,
        op: str,
        name: str,
        imperative: str,
        run: Runner,
        parameters: dict[str, tuple[str, dict[str, Any]]],
        *,
        returns: str = "",
        output: dict[str, Any] | None = None,
        show: float = 0.7,
        one: Field | None = None,
        optional: tuple[str, ...] = (),
        read_only: bool = True,
        idempotent: bool = True,
        **extra: Any,
    ) -> Spec | None:
        """Compose one tool; `parameters` maps a role to name and schema. None when the name is taken."""
        entity = self.entity
        if any(spec.tool.name == name for spec in self.specs):
            return None
        names = [part[0] for part in parameters.values()]
        if len(set(names)) != len(names):
            return None
        shows = output is not None and self.rng.random() < show
        schema = {
            "type": "object",
            "properties": {part[0]: part[1] for part in parameters.values()},
            "required": [part[0] for role, part in parameters.items() if role not in optional],
        }
        keep = entity.synonym is not None or self.style.wide
        described = describe(self.rng, self.style, entity.server, imperative, returns, keep)
        tool = Tool(
            server=entity.server,
            name=name,
            description=described,
            input_schema=schema,
            output_schema=output if shows else None,
            server_name=entity.server,
            tool_name=name,
            read_only=read_only,
            idempotent=idempotent,
        )
        spec = Spec(
            tool=tool,
            op=op,
            entity=entity,
            run=run,
            field=one,
            args={role: part[0] for role, part in parameters.items()},
            optional=optional,
            returns=returns,
            shows=shows,
            extra=extra,
        )
        self.specs.append(spec)
        return spec

    def id_part(self) -> tuple[str, dict[str, Any]]:
        """The parameter for a record's id."""
        entity = self.entity
        name = entity.id.name
        if name in ("id", "key", "ref", "uid", "code", "serial") and len(entity.noun) % 3 == 0:
            name = f"{entity.noun}_{name}"
        return (camel(name) if self.style.camel else name), {"type": entity.id.kind}

    def label_part(self) -> tuple[str, dict[str, Any]]:
        """The parameter for a record's name."""
        return self.entity.label.name, {"type": "string"}

    def field_part(self, one: Field, optional: bool = False) -> tuple[str, dict[str, Any]]:
        """The parameter for a field; enumerations are shown."""
        return one.name, parameter(one.kind, one.options, None, optional)

    def named(self, role: str, one: Field | None = None) -> str:
        """Name of a general parameter in the server's style."""
        return self.style.parameters[role].format(f=one.name if one else "")


def make_entity_tools(rng: random.Random, split: Split, entity: Entity, style: Style) -> list[Spec]:
    """A random selection of the tools that fit `entity`."""
    from .composed_readers import READERS
    from .composed_writers import WRITERS, send

    composer = Composer(rng, split, entity, style)
    for chance, build in READERS:
        if rng.random() < chance:
            build(composer)
    for chance, build in WRITERS:
        if build is send and entity.kind != "p":
            chance /= 3
        if rng.random() < chance:
            build(composer)
    return composer.specs
