"""Stubs: one line of valid Python for any listing."""

import ast
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.tools_registry import Tool, stub, summary_line
from atlas.tools_registry.stubs import STUB_CHARS, prompt_stub


def tool(schema: Any, description: str = "", output: Any = None) -> Tool:
    return Tool("s", "t", description, schema, output)


def check_prompt(text: str) -> None:
    comment, definition = text.split("\n")
    assert comment.startswith("# ") and comment.isprintable() and len(text) <= STUB_CHARS
    check(definition)


def check(text: str) -> None:
    assert "\n" not in text and text.isprintable()
    head, _, _ = text.partition("  # ")
    ast.parse(head.replace("def s.t(", "def t(", 1).replace(" = ...", " = None") + ": pass")


def test_a_simple_tool() -> None:
    schema = {
        "type": "object",
        "properties": {"limit": {"type": "integer", "default": 5}, "pattern": {"type": "string"}, "tag": {"type": "string"}},
        "required": ["pattern"],
    }
    output = {"type": "object", "properties": {"result": {"type": "array", "items": {"type": "string"}}}}
    assert stub(tool(schema, "Find files by pattern. Slowly.", output)) == (
        "def s.t(pattern: str, limit: int = 5, tag: str | None = None) -> list[str]  # Find files by pattern."
    )


def test_parameters_that_are_no_identifiers_are_renamed_and_mapped_back() -> None:
    found = tool(
        {
            "type": "object",
            "properties": {"auth-method": {"type": "string"}, "from": {}, "x": {"type": "integer"}},
            "required": ["from"],
        }
    )
    assert stub(found) == "def s.t(from_2: object, auth_method: str | None = None, x: int | None = None)"
    assert found.parameter_identifiers == {"from_2": "from", "auth_method": "auth-method", "x": "x"}
    assert found.parameters == ("from_2", "auth_method", "x")
    assert list(found.program_schema["properties"]) == ["from_2", "auth_method", "x"]
    assert found.program_schema["required"] == ["from_2"]


def test_a_required_parameter_that_is_not_declared_is_shown() -> None:
    assert stub(tool({"properties": {}, "required": ["q"]})) == "def s.t(q: object)"


SELF = {"anyOf": [{"$ref": "#"}] * 50, "properties": {"a": {"$ref": "#"}}}
DEEP: dict[str, Any] = {}
for _ in range(5_000):
    DEEP = {"anyOf": [DEEP]}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": 5, "required": 7},
        {"properties": None, "required": None},
        {"required": [{}, 1, None, "a"]},
        {"properties": {"a": 5, "b": None, "c": []}},
        {"properties": {"a": {"type": 5}, "b": {"type": []}, "c": {"type": [{}]}}},
        {"properties": {"a": {"enum": []}, "b": {"enum": [{"x": 1}, "y" * 500]}, "c": {"const": "\u202e\x1b"}}},
        {"properties": {"a": {"anyOf": []}, "b": {"allOf": []}, "c": {"anyOf": "x"}, "d": {"allOf": 3}}},
        {"properties": {"a": {"$ref": 5}, "b": {"$ref": "#/nowhere"}, "c": {"$ref": "http://x/y"}}},
        {"properties": {"a": SELF}, "$defs": {}},
        {"properties": {"a": DEEP}},
        SELF,
        {"properties": {"a": {"default": "x" * 1000}, "b": {"default": {"y": 1}}, "c": {"type": "array", "items": 5}}},
        {
            "properties": {
                "a": {"type": "object", "properties": {"x y": {}, "class": {}}},
                "b": {"type": "object", "properties": 5},
            }
        },
    ],
)
def test_hostile_schemas_give_a_line_of_python(schema: Any) -> None:
    check(stub(tool(schema, output=schema)))


def test_hostile_descriptions_stay_in_their_comment() -> None:
    for text in ("a\nimport os", "a\x0bb\x85c\u2028d\u2029e", "\x1b[2J", "\ud800", "\u202egnirts", "x" * 100_000, "\x00"):
        check(stub(tool({}, text)))
    assert summary_line("First. Second.") == "First."
    assert len(summary_line("x" * 1000)) == 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "anyOf", "items", "enum", "const", "$ref", "default", "allOf", "a-b"]
            ),
            part,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def named(name: str, description: str) -> Tool:
    return Tool("crm", name, description, {"type": "object", "properties": {"by": {"type": "string"}}, "required": ["by"]})


def test_a_prompt_says_what_a_tool_does_before_it_names_it() -> None:
    assert prompt_stub(named("find_client", "Find a client. Slowly.")) == "# Find a client.\ndef crm.find_client(by: str)"


def test_words_of_a_name_that_the_summary_lacks_are_said_in_a_prompt() -> None:
    assert prompt_stub(named("lookupClient", "Finds a client.")).startswith("# lookup client: Finds a client.\n")
    assert prompt_stub(named("lookup_client", "")) == "# lookup client\ndef crm.lookup_client(by: str)"


@pytest.mark.parametrize(
    ("name", "words"),
    [("find_client", "find client"), ("getUserById", "get user by id"), ("añadir_línea", "añadir línea"), ("_2", "2")],
)
def test_the_words_of_a_name_in_any_casing(name: str, words: str) -> None:
    assert prompt_stub(named(name, "")).startswith(f"# {words}\n")


def test_hostile_listings_stay_in_two_lines_of_a_prompt() -> None:
    for text in ("a\nimport os", "a\x0bb\x85c\u2028d", "\x1b[2J", "\ud800", "x" * 100_000, "\x00"):
        check_prompt(prompt_stub(tool({}, text)))
    assert len(prompt_stub(Tool("s", "very_long_" * 40, "Does it.", {}))) <= 2 * STUB_CHARS


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(["type", "properties", "required", "additionalProperties"]), json_values), json_values
)
def test_no_schema_crashes(schema: dict[str, Any], output: Any) -> None:
    check(stub(tool(schema, "", output)))
    check_prompt(prompt_stub(tool(schema, "Does it.", output)))


def widening(part: dict[str, Any]) -> dict[str, Any]:
    """A schema whose every part refers twelve times to the whole."""
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"anyOf": [part] * 12}}}
    return {**schema, "properties": {**schema["properties"], "b": {"type": "string"}}, "required": ["a"]}


WIDE = {f"p{n}": {} for n in range(20_000)}


@pytest.mark.parametrize(
    "schema",
    [
        widening({"allOf": [{"$ref": "#/$defs/A"}]}),
        widening({"allOf": [{"$ref": "#/$defs/A"}] * 12}),
        widening({"type": "array", "items": {"anyOf": [{"allOf": [{"$ref": "#/$defs/A"}]}] * 12}}),
        widening({"$ref": "#/" + "x/" * 200_000}),
        widening({"enum": [{"a": [["x" * 10_000]] * 20}], "allOf": [{"$ref": "#/$defs/A"}]}),
        {"properties": {"a": {"anyOf": [{"anyOf": [{"allOf": [{"$ref": "#/$defs/W"}] * 12}] * 12}] * 12}},
         "$defs": {"W": {"properties": WIDE}}},
    ],
)  # fmt: skip
def test_no_schema_takes_long_to_write_a_stub_for(schema: Any) -> None:
    started = time.process_time()
    check(stub(tool(schema, output=schema)))
    assert time.process_time() - started < 3


def test_a_default_of_many_small_parts_is_shown_and_a_large_one_is_not() -> None:
    schema = {"properties": {"a": {"default": {"b": [1, 2, {"c": "d"}]}}, "e": {"default": [["x" * 50]]}}}
    assert stub(tool(schema)) == "def s.t(a: object = {'b': [1, 2, {'c': 'd'}]}, e: object = ...)"
