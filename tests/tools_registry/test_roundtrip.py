"""Every listing becomes stubs that compile and fit their budget; a call written from a stub is right for the schema.

Arguments are generated from the original schema, written as a call under the stub's names, bound to the stub as Python binds
them, taken back by the registry's validation, and checked against the original schema. Real listings are read where
`../shared/data/toolspaces` is there; small schemas of the same kinds are always tested.
"""

from __future__ import annotations

import ast
import inspect
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import atlas
from atlas.commands.toolspace import read_listings
from atlas.tools_registry import Tool, stub
from atlas.tools_registry.arguments import ArgumentValidator
from atlas.tools_registry.stubs import STUB_CHARS

LISTINGS = Path(os.environ.get("ATLAS_LISTINGS") or Path(atlas.__file__).resolve().parents[1] / "shared/data/toolspaces")
TEXTS = {
    "date": "2026-03-04", "date-time": "2026-03-04T05:06:07Z", "time": "05:06:07Z", "uri": "https://example.com/a",
    "email": "a@example.com", "uuid": "123e4567-e89b-12d3-a456-426614174000", "ipv4": "192.0.2.1",
}  # fmt: skip
PATTERNS = (
    "a", "abc", "A", "1", "12", "2026-03-04", "12:30", "2026-03-04T05:06:07Z", "0x" + "a" * 40,
    "0x" + "a" * 64, "a" * 32, "#aabbcc", "https://example.com/a", "a/b", "a@b.co", "AAAA", "NCT00000001",
    "rs123", "p.V600E", "1:2", "en", "en-US", "12345", "1.0.0", "2026-03", "2026", "a_b", "/a",
    "CVE-2026-0001", "1h", "1d", "ABC-1", "12345678", "12345-678", "2" * 14, "2d6+1",
    "192.0.2.1", "491701234567", "B" * 57, "a.png", "AS123",
)  # fmt: skip


class Maker:
    """Makes values that a schema accepts."""

    def __init__(self, root: dict[str, Any], rng: random.Random) -> None:
        self.root, self.rng = root, rng

    def value(self, schema: Any, depth: int = 0) -> Any:
        if not isinstance(schema, dict) or not schema or depth > 12:
            return "x"
        if "$ref" in schema:
            return self.value(self.resolved(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.rng.choice(schema["enum"])
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                rest = {key: part for key, part in schema.items() if key != word}
                chosen = self.rng.choice(schema[word])
                return self.value({**rest, **chosen} if isinstance(chosen, dict) else chosen, depth + 1)
        if schema.get("allOf"):
            whole = {key: part for key, part in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                part = self.resolved(part["$ref"]) if "$ref" in part else part
                whole = {**part, **whole, "properties": {**part.get("properties", {}), **whole.get("properties", {})}}
            return self.value({key: part for key, part in whole.items() if part != {}}, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = self.rng.choice(kind) if isinstance(kind, list) else kind
        made = getattr(self, f"_{kind}", None)
        return made(schema, depth) if made else "x"

    def arguments(self, tool: Tool) -> dict[str, Any]:
        optional = [name for name in tool.properties if name not in tool.required and self.rng.random() < 0.5]
        return {
            name: self.value(part) for name, part in tool.properties.items() if name in tool.required or name in optional
        }

    def resolved(self, reference: str) -> Any:
        node: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            node = node[int(key) if isinstance(node, list) else key] if step else node
        return node

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required") or []
        properties = schema.get("properties") or {}
        made = {name: self.value(properties.get(name, {}), depth + 1) for name in required}
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and not properties:
            names = schema.get("propertyNames", {"type": "string"})
            made[str(self.value(names, depth + 1))] = self.value(values, depth + 1)
        for name in properties:
            if name not in made and depth < 4 and self.rng.random() < 0.3:
                made[name] = self.value(properties[name], depth + 1)
        return made

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        made = [self.value(part, depth + 1) for part in first]
        count = max(schema.get("minItems", 0), min(1 if depth < 6 else 0, schema.get("maxItems", 1)))
        return made + [self.value(schema.get("items", {}), depth + 1) for _ in range(count - len(made))]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        if "pattern" in schema:
            import re

            sizes = range(schema.get("minLength", 0), schema.get("maxLength", 1_000) + 1)
            fits = [text for text in PATTERNS if len(text) in sizes and re.search(schema["pattern"], text)]
            return fits[0] if fits else "x"
        text = TEXTS.get(schema.get("format", ""), "some text")
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    def _integer(self, schema: dict[str, Any], depth: int) -> int:
        return int(self._number(schema, depth))

    def _number(self, schema: dict[str, Any], depth: int) -> float:
        low, high = schema.get("minimum"), schema.get("maximum")
        if isinstance(schema.get("exclusiveMinimum"), int | float) and not isinstance(schema["exclusiveMinimum"], bool):
            low = max(
                low if low is not None else schema["exclusiveMinimum"],
                schema["exclusiveMinimum"]
                + (1 if schema.get("type") == "integer" or high is None else (high - schema["exclusiveMinimum"]) / 2),
            )
        return low if low is not None else high if high is not None else 7

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return self.rng.random() < 0.5

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None


def signature(tool: Tool, text: str) -> inspect.Signature:
    """The stub as Python reads it: it must compile, annotations and all."""
    head = text.partition("  # ")[0]
    assert head.startswith(f"def {tool.full_name}(")
    code = head.replace(f"def {tool.full_name}", "def stub", 1) + ": pass"
    scope: dict[str, Any] = {}
    exec(compile("from __future__ import annotations\n" + code, "stub", "exec"), scope)
    for annotation in scope["stub"].__annotations__.values():
        ast.parse(annotation, mode="eval")
    return inspect.signature(scope["stub"])


def round_trip(tool: Tool, rng: random.Random) -> bool:
    """True when a call could be generated and came back as it was; False where the generator found none."""
    text = stub(tool)
    assert "\n" not in text and text.isprintable() and len(text) <= STUB_CHARS, text
    found = signature(tool, text)
    maker = Maker(tool.input_schema, rng)
    check = jsonschema.validators.validator_for(tool.input_schema)(tool.input_schema)
    for _ in range(6):
        given = maker.arguments(tool)
        try:
            right = check.is_valid(given)
        except Exception:  # a schema that no validator reads
            return False
        if right:
            break
    else:
        return False
    named = {name: given[original] for name, original in tool.parameter_identifiers.items() if original in given}
    found.bind(**named)
    sent = ArgumentValidator().validate(tool, named)
    dropped = {name for name, value in given.items() if value is None}
    assert sent.keys() | dropped == given.keys() and all(given[name] == value for name, value in sent.items())
    return check.is_valid(sent)


def tool(properties: dict[str, Any], *required: str, output: Any = None, **more: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required), **more}
    return Tool("some_server", "some_tool", "Does something useful.", schema, output, "some server", "some tool")


NODE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
    "required": ["name"],
}
KINDS = {
    "enums": tool(
        {"unit": {"enum": ["m", "km"]}, "n": {"enum": [1, 2, None]}, "many": {"enum": [f"v{n}" for n in range(60)]}}, "many"
    ),
    "unions": tool(
        {"at": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, "x": {"type": ["integer", "string"]}}
    ),
    "nested": tool(
        {
            "a": {
                "type": "object",
                "properties": {"b": {"type": "object", "properties": {"c": {"type": "integer"}}, "required": ["c"]}},
                "required": ["b"],
            }
        },
        "a",
    ),
    "references": tool({"tree": {"$ref": "#/$defs/N"}}, "tree", **{"$defs": {"N": NODE}}),
    "all of": tool(
        {
            "x": {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"properties": {"b": {"type": "integer"}}},
                ]
            }
        },
        "x",
    ),
    "defaults": tool(
        {"limit": {"type": "integer", "default": 5, "minimum": 1, "maximum": 9}, "tags": {"type": "array", "default": []}}
    ),
    "arrays of objects": tool(
        {
            "rows": {
                "type": "array",
                "minItems": 2,
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "integer", "exclusiveMinimum": 0}},
                    "required": ["id"],
                },
            }
        },
        "rows",
    ),
    "tuples": tool(
        {"pair": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "minItems": 2}}, "pair"
    ),
    "maps": tool(
        {"env": {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"pattern": "^[a-z]+$"}}},
        "env",
    ),
    "odd names": tool(
        {"from": {"type": "string"}, "x-y": {"type": "integer"}, "x_y": {"type": "integer"}, "1st": {}}, "from", "x-y"
    ),
    "many": tool({f"parameter_{n}": {"type": "string", "enum": ["one", "two"]} for n in range(60)}),
    "many required": tool({f"parameter_{n}": {"type": "string"} for n in range(60)}, *(f"parameter_{n}" for n in range(60))),
    "variants": tool(
        {
            "do": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": k}, "value": {"type": "number"}},
                        "required": ["kind"],
                    }
                    for k in ("move", "turn", "stop")
                ],
                "discriminator": {"propertyName": "kind"},
            }
        },
        "do",
    ),
    "formats": tool(
        {"day": {"type": "string", "format": "date"}, "who": {"type": "string", "format": "email"}}, "day", "who"
    ),
    "nothing": tool({}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_written_from_a_stub_is_right_for_its_schema(kind: str) -> None:
    for seed in range(20):
        assert round_trip(KINDS[kind], random.Random(seed))


def test_a_stub_shows_the_parts_of_all_of_and_says_where_it_leaves_something_out() -> None:
    assert "x: dict(a=str, b=int)" in stub(KINDS["all of"]).replace("dict(b=int, a=str)", "dict(a=str, b=int)")
    assert "..." in stub(KINDS["enums"]) and "**others" in stub(KINDS["many"])


def listings() -> Iterator[Path]:
    yield from sorted(LISTINGS.glob("*.jsonl.gz")) if LISTINGS.is_dir() else ()


@pytest.mark.slow
@pytest.mark.parametrize("path", list(listings()), ids=lambda path: path.name)
def test_every_real_listing_becomes_stubs_that_go_round(path: Path) -> None:
    tools = list(read_listings(path))
    rng = random.Random(0)
    done, gone = [], []
    for one in tools:
        (done if round_trip(one, rng) else gone).append(one.full_name)
    assert len(gone) <= 0.001 * len(tools), gone  # schemas that nothing meets


def test_every_stub_of_a_real_listing_compiles_and_fits() -> None:
    for path in listings():
        for one in read_listings(path):
            text = stub(one)
            assert len(text) <= STUB_CHARS and text.isprintable(), text
