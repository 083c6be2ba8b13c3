"""Arguments are checked before a call, and the error says how to repair it."""

import time
from typing import Any

import pytest

from atlas.tools_registry import ArgumentError, Tool
from atlas.tools_registry.arguments import ArgumentValidator, nearest

SCHEMA = {
    "type": "object",
    "properties": {
        "color": {"type": "string", "enum": ["red", "green"]},
        "auth-method": {"type": "string"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["color"],
}


def check(arguments: dict[str, Any], schema: Any = None) -> dict[str, object]:
    return ArgumentValidator().validate(Tool("shop", "paint", "", SCHEMA if schema is None else schema), arguments)


def message(arguments: dict[str, Any], schema: Any = None) -> str:
    with pytest.raises(ArgumentError) as caught:
        check(arguments, schema)
    assert caught.value.where == "shop.paint"
    assert caught.value.kind == "invalid"
    return caught.value.message


def test_valid_arguments_pass_under_the_original_names() -> None:
    assert check({"color": "red", "auth_method": "x"}) == {"color": "red", "auth-method": "x"}
    assert check({"color": "red", "auth-method": "x"}) == {"color": "red", "auth-method": "x"}


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert message({"colour": "red"}).startswith("shop.paint: no parameter 'colour', did you mean 'color'?")
    assert "it takes color, auth_method, sizes, note" in message({"zzz": 1, "color": "red"})


def test_missing_ones_are_listed() -> None:
    assert message({}).startswith("shop.paint: missing parameter 'color'")
    schema = {"properties": {"a-b": {}, "c": {}}, "required": ["a-b", "c"]}
    assert message({}, schema).startswith("shop.paint: missing parameters 'a_b', 'c'")


def test_a_wrong_value_names_its_place() -> None:
    assert message({"color": "blue"}) == "shop.paint: parameter 'color': 'blue' is not one of ['red', 'green']"
    assert message({"color": "red", "sizes": [1, "2"]}).startswith("shop.paint: parameter 'sizes[1]': '2' is not of type")
    assert "parameter 'auth_method'" in message({"color": "red", "auth_method": 5})
    assert len(message({"color": "x" * 10_000})) < 500


def test_the_same_parameter_under_both_names_is_refused() -> None:
    assert "given twice" in message({"color": "red", "auth_method": "x", "auth-method": "y"})


def test_none_for_an_optional_parameter_is_left_out_unless_null_is_allowed() -> None:
    assert check({"color": "red", "sizes": None, "note": None}) == {"color": "red", "note": None}
    assert "None is not" in message({"color": None})


def test_open_schemas_take_what_they_do_not_name() -> None:
    assert check({"x": 1}, {"type": "object"}) == {"x": 1}
    assert check({"x": 1}, {"properties": {}, "additionalProperties": True}) == {"x": 1}
    assert "it takes no parameters" in message({"x": 1}, {"properties": {}})


def test_references_within_the_schema_are_followed_and_others_never_fetched() -> None:
    inside = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}
    assert "is not of type 'integer'" in message({"a": "x"}, inside)
    assert check({"a": 1}, {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}) == {"a": 1}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "strnig"}}},
        {"properties": {"a": 5}},
        {"properties": {"a": {"minimum": "x"}}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$schema": "http://nowhere/", "properties": {"a": {}}},
    ],
)
def test_a_schema_that_is_none_leaves_the_judgement_to_the_server(schema: Any) -> None:
    assert check({"a": 1}, schema) == {"a": 1}


def test_a_pattern_of_a_hostile_listing_is_not_run() -> None:
    evil = "^(a|a)*$"
    schema = {
        "properties": {"a": {"type": "string", "pattern": evil}},
        "patternProperties": {evil: {}},
        "additionalProperties": False,
    }
    started = time.process_time()
    assert check({"a": "a" * 60 + "!"}, schema)
    assert time.process_time() - started < 5


def test_nearest_names() -> None:
    assert nearest("Colour", ["color", "size"]) == ["color"]
    assert nearest("path", ["file_path", "mode"]) == ["file_path"]
    assert nearest("xyz", ["color"]) == []


def nested(levels: int) -> dict[str, Any]:
    """Definitions of which each refers twice to the next."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{levels}": {}}}


def unevaluated(levels: int) -> dict[str, Any]:
    """Parts of which each asks what its own part has judged."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"allOf": [schema], "unevaluatedProperties": True}
    return schema


EVIL, LONG = "^(a|a)*$", "a" * 60 + "!"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
ROWS = [{"a": n} for n in range(5_000)]
HOSTILE: dict[str, tuple[Any, Any]] = {
    "a pattern in a part that names its own draft": (
        {"properties": {"x": {"$schema": DRAFT, "pattern": EVIL}}}, {"x": LONG},
    ),
    "a pattern behind a reference into an enum": (
        {"properties": {"x": {"$ref": "#/enum/0"}}, "enum": [{"$schema": DRAFT, "pattern": EVIL}, {"x": LONG}]}, {"x": LONG},
    ),
    "a pattern of names that unevaluatedProperties reads": (
        {"unevaluatedProperties": False, "allOf": [{"patternProperties": {EVIL: {}}}]}, {LONG: 1},
    ),
    "references that double": (nested(40), {"x": 1}),
    "questions for what is judged that double": (unevaluated(40), {"x": 1}),
    "long lists that must hold no item twice": ({"properties": {"x": {"uniqueItems": True}}}, {"x": ROWS}),
    "long lists of which each item is judged apart": (
        {"properties": {"x": {"prefixItems": [{}], "unevaluatedItems": True}}}, {"x": ROWS * 10},
    ),
    "an error with a large value for each of many parts": ({"anyOf": [{"type": "string"}] * 10_000}, {"x": "y" * 1_000_000}),
    "many choices for many items": (
        {"properties": {"x": {"items": {"enum": [*range(50_000)]}}}}, {"x": [-1] * 50_000},
    ),
    "a schema that takes long to judge": (
        {"properties": {"x": {}, **{f"p{n}": {"type": "string"} for n in range(20_000)}}}, {"x": 1},
    ),
    "anchors that are looked up again and again": (
        {"properties": {"x": {"items": {"$ref": "#a"}}, "a": {"$anchor": "a"}, **{f"p{n}": {} for n in range(1_000)}}},
        {"x": [1] * 5_000},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE)
def test_no_schema_holds_the_process_for_long(attack: str) -> None:
    schema, value = HOSTILE[attack]
    validator = ArgumentValidator()
    started = time.process_time()
    validator.validate(Tool("shop", "paint", "", {"additionalProperties": True, **schema}), value)
    validator.wrong_result(Tool("shop", "paint", "", {}, schema), value)
    assert time.process_time() - started < 10


def test_a_name_beside_patterns_is_left_to_the_server_and_the_rest_is_checked() -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "patternProperties": {"^x_": {}}, "additionalProperties": False}
    assert check({"a": 1, "x_b": 2}, schema) == {"a": 1, "x_b": 2}
    assert "is not of type 'integer'" in message({"a": "1"}, schema)


def test_a_list_that_holds_an_item_twice_is_refused() -> None:
    schema = {"properties": {"a": {"uniqueItems": True}}}
    assert "non-unique" in message({"a": [{"x": 1, "y": 2}, {"y": 2, "x": 1}]}, schema)
    assert check({"a": [1, True, "1", {"x": 1}]}, schema) == {"a": [1, True, "1", {"x": 1}]}


def test_properties_that_no_part_has_judged_are_refused() -> None:
    schema = {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}
    assert ArgumentValidator().wrong_result(Tool("s", "t", "", {}, schema), {"a": 1}) is None
    assert "'b' was unexpected" in str(ArgumentValidator().wrong_result(Tool("s", "t", "", {}, schema), {"b": 1}))


def test_a_large_result_is_checked_to_its_end() -> None:
    row = {"type": "object", "properties": {name: {"type": "string"} for name in "abc"}, "required": ["a"]}
    rows: list[dict[str, Any]] = [{"a": "x", "b": "y", "c": "z"} for _ in range(5_000)]
    tool = Tool("s", "t", "", {}, {"type": "array", "items": row})
    assert ArgumentValidator().wrong_result(tool, rows) is None
    rows[-1]["b"] = 1
    assert str(ArgumentValidator().wrong_result(tool, rows)).startswith("4999.b: 1 is not of type")


@pytest.mark.parametrize(
    "part",
    [
        {"$ref": "#/$defs/E"},
        {"$ref": "#/$defs/R"},
        {"allOf": [{"$ref": "#/$defs/E"}, {"description": "A colour."}]},
        {"const": "a"},
        {"anyOf": [{"const": "a"}, {"$ref": "#/$defs/E"}]},
        {"type": ["string", "null"], "enum": ["a", "b"]},
        {"not": {"type": "null"}},
    ],
)
def test_a_none_that_the_stub_offers_is_left_out_however_the_schema_refuses_it(part: Any) -> None:
    definitions = {"E": {"type": "string", "enum": ["a", "b"]}, "R": {"$ref": "#/$defs/E"}}
    assert check({"c": None}, {"properties": {"c": part}, "$defs": definitions}) == {}


def test_a_none_that_a_referred_schema_takes_is_sent() -> None:
    definitions = {"E": {"type": ["string", "null"]}}
    assert check({"c": None}, {"properties": {"c": {"$ref": "#/$defs/E"}}, "$defs": definitions}) == {"c": None}


def test_a_none_is_left_out_by_its_type_where_the_rest_of_the_schema_is_none() -> None:
    assert check({"c": None}, {"properties": {"c": {"type": "string"}, "d": {"type": "strnig"}}}) == {}
