"""Any name becomes an identifier that a program may write."""

import builtins
import keyword
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.tools_registry.identifiers import (
    BOUND_NAMES,
    MAX_CHARS,
    parameter_identifiers,
    server_identifiers,
    tool_identifiers,
)


def test_what_is_an_identifier_stays() -> None:
    assert server_identifiers(["files", "größe", "match"]) == ["files", "größe", "match"]
    assert tool_identifiers(["list", "print", "resolveLibrary"]) == ["list", "print", "resolveLibrary"]


def test_other_characters_become_underscores() -> None:
    assert server_identifiers(["my-server", "a.b/c", "2fa", "_x", "日本 語", "!!"]) == [
        "my_server",
        "a_b_c",
        "server_2fa",
        "x",
        "日本_語",
        "server",
    ]
    assert tool_identifiers(["resolve-library-id", "", "class"]) == ["resolve_library_id", "tool", "class_2"]


def test_clashes_get_suffixes() -> None:
    assert server_identifiers(["json", "print", "class", "None", "list", "search_tools"]) == [
        "json_2",
        "print_2",
        "class_2",
        "None_2",
        "list_2",
        "search_tools_2",
    ]
    assert server_identifiers(["a-b", "a_b", "a.b", "a_b"]) == ["a_b_2", "a_b", "a_b_3", "a_b_4"]
    assert parameter_identifiers(["auth-method", "from", "auth_method"]) == {
        "auth-method": "auth_method_2",
        "from": "from_2",
        "auth_method": "auth_method",
    }


def test_names_that_python_reads_as_the_same_are_told_apart() -> None:
    first, second = server_identifiers(["ﬁles", "files"])  # the first begins with a ligature
    assert (first, second) == ("files_2", "files")


@settings(max_examples=200)
@given(st.lists(st.one_of(st.text(max_size=200), st.sampled_from(["json", "a b", "a_b", "class", "_", "__x"])), max_size=8))
def test_the_result_can_always_be_written_and_is_unique(names: list[str]) -> None:
    found = server_identifiers(names)
    assert len(found) == len(names) == len(set(found))
    for name in found:
        assert name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
        assert name not in BOUND_NAMES and not hasattr(builtins, name)
        assert len(name) <= MAX_CHARS + 12
        assert eval(f"dict({name}=1)") == {name: 1}


def test_ten_thousand_names_that_want_the_same_identifier_get_one_each_at_once() -> None:
    names = ["!" * count for count in range(1, 10_001)]
    started = time.process_time()
    found = tool_identifiers(names)
    assert time.process_time() - started < 3
    assert len(set(found)) == 10_000 and found[:3] == ["tool", "tool_2", "tool_3"]


def test_a_name_that_is_taken_already_is_no_candidate() -> None:
    assert tool_identifiers(["a-b", "a_b_2", "a b", "a_b", "a.b"]) == ["a_b_3", "a_b_2", "a_b_4", "a_b", "a_b_5"]
