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
