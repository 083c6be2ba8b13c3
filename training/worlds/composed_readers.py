"""Operations of a composed server that only read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .composed_schema import Entity, Field
from .composed_tools import Composer, Records, parameter, record_schema, tool_name, words_of, wrapped

Build = Callable[[Composer], None]


def _rows_schema(entity: Entity) -> dict[str, Any]:
    return wrapped({"type": "array", "items": record_schema(entity)})


def _filter_field(c: Composer) -> Field | None:
    options = c.entity.with_role("status", "category", "city")
    return c.rng.choice(options) if options else None


def _rows(store: Records, entity: Entity, one: Field | None, value: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in store.rows[entity.key] if one is None or value is None or row[one.name] == value]


def _list(c: Composer) -> None:
    e, s = c.entity, c.style
    one = _filter_field(c) if c.rng.random() < 0.4 else None
    parameters = {}
    if one is not None:
        parameters["filter"] = c.field_part(one, optional=True)
    elif c.rng.random() < 0.25:
        parameters["limit"] = (c.named("limit"), parameter("integer", (), 50, True))

    def run(store: Records, args: dict[str, Any]) -> Any:
        found = _rows(store, e, one, args.get(one.name) if one else None)
        return found[: args[parameters["limit"][0]]] if "limit" in parameters else found

    noun = e.plural
    c.add(
        "list",
        tool_name(s, "list", noun),
        f"List {c.noun(True)}",
        run,
        parameters,
        returns="all records",
        output=_rows_schema(e),
        show=0.9,
        one=one,
        optional=tuple(parameters),
    )


def _names(c: Composer) -> None:
    e = c.entity
    label = e.label.name
    c.add(
        "names",
        tool_name(c.style, "list", e.noun, f"{label}s"),
        f"List the {label}s of all {c.noun(True)}",
        lambda store, args: [row[label] for row in store.rows[e.key]],
        {},
        returns=f"a list of {label}s",
        output=wrapped({"type": "array", "items": {"type": "string"}}),
        show=0.9,
    )


def _get(c: Composer) -> None:
    e = c.entity
    part = c.id_part()
    c.add(
        "get",
        tool_name(c.style, "get", e.noun),
        f"Get one {c.noun()} by {words_of(e.id.name)}",
        lambda store, args: dict(store.one(e, args[part[0]])),
        {"id": part},
        returns="the record",
        output=record_schema(e),
        show=0.9,
    )


def _find(c: Composer) -> None:
    e = c.entity
    part = c.label_part()
    if c.rng.random() < 0.3:
        c.add(
            "lookup_id",
            tool_name(c.style, "find", e.noun, e.id.name if e.noun not in e.id.name else "key"),
            f"Find the {words_of(e.id.name)} of a {c.noun()} by {part[0]}",
            lambda store, args: store.named(e, args[part[0]])[e.id.name],
            {"label": part},
            returns="the id",
            output=wrapped({"type": e.id.kind}),
            show=0.9,
        )
        return
    tail = f"by_{part[0]}" if c.rng.random() < 0.5 else ""
    c.add(
        "find",
        tool_name(c.style, "find", e.noun, tail),
        f"Find a {c.noun()} by {words_of(part[0])}",
        lambda store, args: dict(store.named(e, args[part[0]])),
        {"label": part},
        returns="the record",
        output=record_schema(e),
        show=0.95,
    )


def _search(c: Composer) -> None:
    e = c.entity
    one = _filter_field(c)
    if one is None:
        return
    c.add(
        "search",
        tool_name(c.style, "find", e.plural, f"by_{one.name}"),
        f"Find {c.noun(True)} by {one.phrase}",
        lambda store, args: _rows(store, e, one, args[one.name]),
        {"value": c.field_part(one)},
        returns="matching records",
        output=_rows_schema(e),
        show=0.95,
        one=one,
    )


def _above(c: Composer) -> None:
    e = c.entity
    options = e.with_role("count", "money")
    if not options:
        return
    one = c.rng.choice(options)
    name = c.named("min", one)
    c.add(
        "above",
        tool_name(c.style, "list", e.plural, f"over_{one.name}"),
        f"List {c.noun(True)} with {one.phrase} above a value",
        lambda store, args: [dict(row) for row in store.rows[e.key] if row[one.name] > args[name]],
        {"min": (name, {"type": one.kind})},
        returns="matching records",
        output=_rows_schema(e),
        show=0.95,
        one=one,
    )


def _count(c: Composer) -> None:
    e = c.entity
    one = _filter_field(c) if c.rng.random() < 0.7 else None
    parameters = {"filter": c.field_part(one, optional=True)} if one else {}
    tail = f"by_{one.name}" if one and c.rng.random() < 0.2 else ""
    if tail:
        parameters = {"value": c.field_part(one)} if one else {}
    c.add(
        "count",
        tool_name(c.style, "count", e.plural, tail),
        f"Count {c.noun(True)}" + (f" by {one.phrase}" if one else ""),
        lambda store, args: len(_rows(store, e, one, args.get(one.name) if one else None)),
        parameters,
        returns="a number",
        output=wrapped({"type": "integer"}),
        one=one,
        optional=("filter",) if "filter" in parameters else (),
    )


def _sum(c: Composer) -> None:
    e = c.entity
    options = e.with_role("money", "count")
    if not options:
        return
    one = c.rng.choice(options)
    extra = _filter_field(c) if c.rng.random() < 0.4 else None
    parameters = {"filter": c.field_part(extra, optional=True)} if extra else {}
    c.add(
        "sum",
        tool_name(c.style, "sum", e.noun, one.name),
        f"Total {one.phrase} of {c.noun(True)}",
        lambda store, args: round(
            sum(row[one.name] for row in _rows(store, e, extra, args.get(extra.name) if extra else None)), 2
        ),
        parameters,
        returns="a number",
        output=wrapped({"type": one.kind}),
        one=one,
        optional=tuple(parameters),
        filter=extra,
    )


def _value_of(c: Composer) -> None:
    e = c.entity
    one = c.rng.choice(e.fields[2:])
    by_label = c.rng.random() < 0.3
    part = c.label_part() if by_label else c.id_part()

    def run(store: Records, args: dict[str, Any]) -> Any:
        row = store.named(e, args[part[0]]) if by_label else store.one(e, args[part[0]])
        return row[one.name]

    if one.role == "ref":
        return
    c.add(
        "value_of",
        tool_name(c.style, "get", e.noun, one.name),
        f"Get the {one.phrase} of a {c.noun()}",
        run,
        {"label" if by_label else "id": part},
        returns=f"the {one.phrase}",
        output=wrapped({"type": one.kind}),
        one=one,
    )


def _top(c: Composer) -> None:
    e = c.entity
    options = e.with_role("money", "count")
    if not options:
        return
    one = c.rng.choice(options)
    low = c.rng.random() < 0.4
    word = "lowest" if low else "highest"
    c.add(
        "low" if low else "top",
        tool_name(c.style, "low" if low else "top", e.noun, f"by_{one.name}"),
        f"Get the {c.noun()} with the {word} {one.phrase}",
        lambda store, args: dict((min if low else max)(store.rows[e.key], key=lambda row: row[one.name])),
        {},
        returns="the record",
        output=record_schema(e),
        show=0.95,
        one=one,
    )


def _group(c: Composer) -> None:
    e = c.entity
    one = _filter_field(c)
    if one is None:
        return

    def run(store: Records, args: dict[str, Any]) -> Any:
        counts: dict[str, int] = {}
        for row in store.rows[e.key]:
            counts[row[one.name]] = counts.get(row[one.name], 0) + 1
        return counts

    c.add(
        "group",
        tool_name(c.style, "count", e.plural, f"per_{one.name}"),
        f"Count {c.noun(True)} per {one.phrase}",
        run,
        {},
        returns="a dict",
        output={"type": "object", "additionalProperties": {"type": "integer"}},
        one=one,
    )


def _exists(c: Composer) -> None:
    e = c.entity
    part = c.label_part()
    c.add(
        "exists",
        tool_name(c.style, "exists", e.noun),
        f"Check whether a {c.noun()} of this {part[0]} exists",
        lambda store, args: any(row[e.label.name] == args[part[0]] for row in store.rows[e.key]),
        {"label": part},
        returns="true or false",
        output=wrapped({"type": "boolean"}),
    )


def _of_parent(c: Composer, count: bool) -> None:
    e = c.entity
    ref = e.first("ref")
    if ref is None or e.parent is None:
        return
    run_rows: Callable[[Records, dict[str, Any]], Any] = lambda store, args: _rows(store, e, ref, args[ref.name])  # noqa: E731
    parent = words_of(e.parent.noun)
    if count:
        c.add(
            "ref_count",
            tool_name(c.style, "count", e.plural, f"of_{e.parent.noun}"),
            f"Count {c.noun(True)} of a {parent}",
            lambda store, args: len(run_rows(store, args)),
            {"ref": (ref.name, {"type": ref.kind})},
            returns="a number",
            output=wrapped({"type": "integer"}),
            one=ref,
        )
    else:
        c.add(
            "ref_rows",
            tool_name(c.style, "list", e.plural, f"of_{e.parent.noun}"),
            f"List {c.noun(True)} of a {parent}",
            run_rows,
            {"ref": (ref.name, {"type": ref.kind})},
            returns="a list",
            output=_rows_schema(e),
            show=0.95,
            one=ref,
        )


READERS: tuple[tuple[float, Build], ...] = (
    (0.75, _list),
    (0.75, _find),
    (0.6, _get),
    (0.45, _search),
    (0.4, _count),
    (0.12, _names),
    (0.3, _value_of),
    (0.22, _sum),
    (0.25, _top),
    (0.12, _group),
    (0.12, _above),
    (0.12, _exists),
    (0.7, lambda c: _of_parent(c, False)),
    (0.4, lambda c: _of_parent(c, True)),
)
