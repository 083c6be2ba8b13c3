"""Operations of a composed server that change something."""

from __future__ import annotations

from typing import Any

from .composed_readers import Build
from .composed_schema import Field
from .composed_tools import Composer, Records, parameter, record_schema, tool_name, wrapped


def _create(c: Composer) -> None:
    e = c.entity
    parameters = {"label": c.label_part()}
    optional: list[str] = []
    for one in e.fields[2:]:
        if one.role in ("flag", "ref", "text") or len(parameters) > 3 or c.rng.random() < 0.25:
            continue
        may = c.rng.random() < 0.4
        parameters[f"field:{one.name}"] = c.field_part(one, optional=may)
        if may:
            optional.append(f"field:{one.name}")
    gives_id = c.rng.random() < 0.7

    def run(store: Records, args: dict[str, Any]) -> Any:
        store.counter += 1
        number = 1000 + store.counter
        identifier: Any = number if e.id.kind == "integer" else f"{e.prefix}-{number}"
        row = {one.name: args.get(one.name) for one in e.fields}
        row[e.id.name] = identifier
        store.rows[e.key].append(row)
        return identifier if gives_id else dict(row)

    output = wrapped({"type": e.id.kind}) if gives_id else record_schema(e)
    c.add(
        "create",
        tool_name(c.style, "create", e.noun),
        f"Create a {c.noun()}",
        run,
        parameters,
        returns="the new id" if gives_id else "the new record",
        output=output,
        show=0.9,
        optional=tuple(optional),
        read_only=False,
        idempotent=False,
        gives_id=gives_id,
    )


def _setter(c: Composer, one: Field) -> None:
    e = c.entity
    part = c.id_part()
    name = one.name if c.rng.random() < 0.7 else c.named("value")

    def run(store: Records, args: dict[str, Any]) -> Any:
        store.one(e, args[part[0]])[one.name] = args[name]
        return True

    tail = one.name
    c.add(
        "set",
        tool_name(c.style, "set", e.noun, tail),
        f"Set the {one.phrase} of a {c.noun()}",
        run,
        {"id": part, "value": (name, parameter(one.kind, one.options))},
        output=wrapped({"type": "boolean"}),
        show=0.4,
        one=one,
        read_only=False,
    )


def _set(c: Composer) -> None:
    for one in c.rng.sample(c.entity.fields[2:], min(len(c.entity.fields) - 2, c.rng.choice((1, 1, 2)))):
        if one.role not in ("ref", "text"):
            _setter(c, one)


def _update(c: Composer) -> None:
    e = c.entity
    part = c.id_part()
    fields = [one for one in e.fields[2:] if one.role not in ("ref", "text")][:3]
    if len(fields) < 2:
        return

    def run(store: Records, args: dict[str, Any]) -> Any:
        row = store.one(e, args[part[0]])
        row.update({one.name: args[one.name] for one in fields if args.get(one.name) is not None})
        return dict(row)

    parameters = {"id": part} | {f"field:{one.name}": c.field_part(one, optional=True) for one in fields}
    c.add(
        "update",
        tool_name(c.style, "update", e.noun),
        f"Change fields of a {c.noun()}",
        run,
        parameters,
        returns="the record",
        output=record_schema(e),
        show=0.3,
        optional=tuple(list(parameters)[1:]),
        read_only=False,
    )


def _delete(c: Composer) -> None:
    e = c.entity
    part = c.id_part()

    def run(store: Records, args: dict[str, Any]) -> Any:
        store.rows[e.key].remove(store.one(e, args[part[0]]))
        return True

    c.add(
        "delete",
        tool_name(c.style, "delete", e.noun),
        f"Delete a {c.noun()}",
        run,
        {"id": part},
        output=wrapped({"type": "boolean"}),
        show=0.4,
        read_only=False,
        idempotent=False,
    )


def _logged(
    c: Composer,
    op: str,
    name: str,
    imperative: str,
    parameters: dict[str, tuple[str, dict[str, Any]]],
    optional: tuple[str, ...] = (),
) -> None:
    e = c.entity
    part = parameters["id"]

    def run(store: Records, args: dict[str, Any]) -> Any:
        store.one(e, args[part[0]])
        store.log.append([op, e.key, args[part[0]], *(args[other[0]] for role, other in parameters.items() if role != "id")])
        return True

    c.add(
        op,
        name,
        imperative,
        run,
        parameters,
        output=wrapped({"type": "boolean"}),
        show=0.4,
        optional=optional,
        read_only=False,
        idempotent=False,
    )


def send(c: Composer) -> None:
    e, s = c.entity, c.style
    parameters = {"id": c.id_part(), "text": (c.named("text"), {"type": "string"})}
    if c.rng.random() < 0.3:
        parameters["urgent"] = (c.named("urgent"), parameter("boolean", (), False, True))
    name = tool_name(s, "send", e.noun, "message" if s.verbs["send"] in ("send",) else "")
    _logged(c, "send", name, f"Send a message to a {c.noun()}", parameters, ("urgent",) if "urgent" in parameters else ())


def _note(c: Composer) -> None:
    _logged(
        c,
        "note",
        tool_name(c.style, "note", c.entity.noun),
        f"Add a note to a {c.noun()}",
        {"id": c.id_part(), "text": (c.named("note"), {"type": "string"})},
    )


def _tag(c: Composer) -> None:
    _logged(
        c,
        "tag",
        tool_name(c.style, "tag", c.entity.noun),
        f"Put tags on a {c.noun()}",
        {"id": c.id_part(), "tags": (c.named("tags"), {"type": "array", "items": {"type": "string"}})},
    )


def _schedule(c: Composer) -> None:
    _logged(
        c,
        "schedule",
        tool_name(c.style, "schedule", c.entity.noun),
        f"Schedule a reminder about a {c.noun()}",
        {"id": c.id_part(), "date": (c.named("when"), {"type": "string"})},
    )


def _address(c: Composer) -> None:
    part = {
        "type": "object",
        "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        "required": ["street", "city"],
    }
    _logged(
        c,
        "address",
        tool_name(c.style, "set", c.entity.noun, "address"),
        f"Set the address of a {c.noun()}",
        {"id": c.id_part(), "address": (c.named("address"), part)},
    )


def _increment(c: Composer) -> None:
    e = c.entity
    options = e.with_role("count", "money")
    if not options:
        return
    one = c.rng.choice(options)
    part = c.id_part()
    amount = c.named("amount")

    def run(store: Records, args: dict[str, Any]) -> Any:
        row = store.one(e, args[part[0]])
        row[one.name] = round(row[one.name] + args[amount], 2)
        return row[one.name]

    c.add(
        "increment",
        tool_name(c.style, "increment", e.noun, one.name),
        f"Increase the {one.phrase} of a {c.noun()}",
        run,
        {"id": part, "amount": (amount, {"type": one.kind})},
        returns=f"the new {one.phrase}",
        output=wrapped({"type": one.kind}),
        one=one,
        read_only=False,
        idempotent=False,
    )


def _export(c: Composer) -> None:
    e = c.entity
    name = c.named("format")
    options = ("csv", "json", "pdf") if c.split == "practice" else ("xml", "yaml", "ods")

    def run(store: Records, args: dict[str, Any]) -> Any:
        store.log.append(["export", e.key, args[name]])
        return f"{e.plural}.{args[name]}"

    c.add(
        "export",
        tool_name(c.style, "export", e.plural),
        f"Export all {c.noun(True)} to a file",
        run,
        {"format": (name, parameter("string", options))},
        returns="the file name",
        output=wrapped({"type": "string"}),
        read_only=False,
        options=options,
    )


WRITERS: tuple[tuple[float, Build], ...] = (
    (0.5, _create),
    (0.55, _set),
    (0.25, _update),
    (0.45, _delete),
    (0.4, send),
    (0.3, _note),
    (0.15, _tag),
    (0.12, _schedule),
    (0.12, _address),
    (0.3, _increment),
    (0.12, _export),
)
