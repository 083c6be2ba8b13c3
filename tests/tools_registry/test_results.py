"""Results of calls as plain values."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.types import CallToolResult

from atlas.sandbox import Limits
from atlas.tools_registry import ToolFailed
from atlas.tools_registry.results import RESULT_BYTES, from_text, native

WRAPPED = {"type": "object", "properties": {"result": {"type": "integer"}}}


def value(*texts: str, **fields: Any) -> object:
    blocks = [{"type": "text", "text": text} for text in texts]
    options = {key: fields.pop(key) for key in ("output_schema", "limit_bytes", "own", "keep") if key in fields}
    return native(CallToolResult.model_validate({"content": blocks, **fields}), tool="s.t", **options)


def failure(*texts: str, **fields: Any) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        value(*texts, **fields)
    return caught.value


def test_structured_content_comes_first() -> None:
    assert value("text", structuredContent={"a": 1}) == {"a": 1}


def test_the_wrapper_of_the_sdk_is_taken_off_only_where_the_schema_shows_it() -> None:
    assert value("5", structuredContent={"result": 5}, output_schema=WRAPPED) == 5
    assert value("5", structuredContent={"result": None}, output_schema=WRAPPED) is None
    assert value("5", structuredContent={"result": 5}) == {"result": 5}
    assert value("5", structuredContent={"result": 5}, output_schema={"properties": {"result": {}, "more": {}}}) == {
        "result": 5
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1]}', {"a": [1]}),
        (" [1, 2]\n", [1, 2]),
        ("42", 42),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ('"x"', "x"),
        ("007", "007"),
        ("1.50", "1.50"),
        ("1e5", "1e5"),
        ("NaN", "NaN"),
        ("[NaN]", "[NaN]"),
        ("{oops", "{oops"),
        ("", ""),
        ("hello", "hello"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
        ("12 apples", "12 apples"),
    ],
)
def test_text_that_is_json_is_read_and_other_text_stays(text: str, expected: object) -> None:
    assert from_text(text) == expected


def test_half_characters_are_replaced() -> None:
    json.dumps(from_text('["\\ud800", {"\\udfff": 1}]'), ensure_ascii=False).encode()
    assert from_text('"\\ud83d\\ude00"') == "\U0001f600"


def test_several_blocks_are_a_list_and_none_is_none() -> None:
    assert value("1", "two") == [1, "two"]
    assert value() is None


def test_pictures_sounds_and_resources_become_small_handles() -> None:
    blocks = [
        {"type": "image", "data": "AAAA", "mimeType": "image/png"},
        {"type": "audio", "data": "AAA=", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///a", "name": "a"},
        {"type": "resource", "resource": {"uri": "file:///b", "text": "hello"}},
        {"type": "resource", "resource": {"uri": "file:///c", "blob": "AAAA", "mimeType": "x/y"}},
    ]
    assert native(CallToolResult.model_validate({"content": blocks}), tool="s.t") == [
        {"kind": "image", "mime_type": "image/png", "bytes": 3},
        {"kind": "audio", "mime_type": "audio/wav", "bytes": 2},
        {"kind": "link", "uri": "file:///a", "name": "a", "mime_type": None},
        {"kind": "resource", "uri": "file:///b", "mime_type": None, "text": "hello"},
        {"kind": "resource", "uri": "file:///c", "mime_type": "x/y", "bytes": 3},
    ]


def test_the_prefix_of_the_sdk_is_stripped_from_errors() -> None:
    assert failure("Error executing tool read: no such file: a", isError=True).message == "no such file: a"
    assert failure("Error executing tool boom", isError=True).message == "Error executing tool boom"
    assert failure(isError=True).message
    assert failure(isError=True, structuredContent={"code": 5}).message == '{"code": 5}'
    assert len(failure("x" * 100_000, isError=True).message) < 2_100


def test_the_kind_is_read_from_own_servers_only() -> None:
    own = failure("outside the workspace: ../x [denied]", isError=True, own=True)
    assert (own.kind, own.message) == ("denied", "outside the workspace: ../x")
    foreign = failure("no [denied]", isError=True)
    assert (foreign.kind, foreign.message) == ("failed", "no [denied]")
    assert failure("index [3]", isError=True, own=True).kind == "failed"


def test_too_much_is_refused_whatever_its_form() -> None:
    for arguments in (
        {"texts": ["x" * 2000]},
        {"texts": [json.dumps(["x"] * 800)]},
        {"texts": [], "structuredContent": {"a": "x" * 2000}},
    ):
        error = failure(*arguments.pop("texts"), limit_bytes=1000, **arguments)
        assert error.kind == "too_large"
        assert "more than the limit of 1000 bytes" in error.message
        assert error.mend


@pytest.mark.parametrize("text", ["é" * 3_000_000, "\n" * 3_000_000, "\x01" * 1_000_000, f'["{"é" * 3_000_000}"]'])
def test_a_result_counts_as_the_bytes_that_a_program_is_sent(text: str, tmp_path: Path) -> None:
    def keep(data: bytes, ending: str) -> str:
        (tmp_path / "kept").write_bytes(data)
        return str(tmp_path / "kept")

    sent = json.dumps(from_text(text), ensure_ascii=False).encode()
    assert len(text) < RESULT_BYTES < Limits().max_frame_bytes < len(sent)
    handle = value(text, keep=keep)
    assert isinstance(handle, dict) and handle["kind"] == "file" and handle["bytes"] == (tmp_path / "kept").stat().st_size
    assert failure(text).kind == "too_large"


def test_a_result_as_large_as_the_limit_is_given() -> None:
    assert value("x" * 1000, limit_bytes=1000) == "x" * 1000
    assert value("é" * 500, limit_bytes=1000) == "é" * 500
