"""The files server."""

from __future__ import annotations

import os
import shutil

import pytest

from atlas.tools_registry.toolbox import ToolboxError, toolbox_functions
from atlas.tools_registry.toolbox.folders import walk_files
from atlas.tools_registry.toolbox.workspace import Workspace


def test_list_names_folders_with_a_slash_in_order(tools):
    assert tools["files.list"]() == ["docs/", "notes.md", "sales.csv"]
    assert tools["files.list"]("docs") == ["old/", "plan.md"]
    assert tools["files.list"]("./docs/../docs/old/") == ["draft.txt"]


def test_list_of_a_file_or_of_nothing_says_so(fails):
    assert str(fails("files.list", "notes.md")) == "not a folder: notes.md [invalid]"
    assert str(fails("files.list", "doc")) == "no such folder: doc (did you mean docs?) [not_found]"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.md", ["notes.md"]),
        ("**/*.md", ["docs/plan.md", "notes.md"]),
        ("docs/*.md", ["docs/plan.md"]),
        ("docs/**", ["docs/old/draft.txt", "docs/plan.md"]),
        ("**", ["docs/old/draft.txt", "docs/plan.md", "notes.md", "sales.csv"]),
        ("*", ["notes.md", "sales.csv"]),
        ("notes.md", ["notes.md"]),
        ("plan.md", []),
        ("**/plan.md", ["docs/plan.md"]),
        ("**/old/*", ["docs/old/draft.txt"]),
        ("./d?cs/[op]*", ["docs/plan.md"]),
        ("*.xyz", []),
        ("docs", []),
        ("nowhere/*", []),
        ("notes.md/*", []),
    ],
)
def test_find_matches_files_by_glob(tools, pattern, found):
    assert tools["files.find"](pattern) == found


def test_find_leaves_hidden_names_out_unless_asked(tools, workspace):
    (workspace / ".git").mkdir()
    (workspace / ".git" / "config.md").write_text("x")
    (workspace / ".env").write_text("x")
    assert tools["files.find"]("**/*.md") == ["docs/plan.md", "notes.md"]
    assert tools["files.find"](".*") == [".env"]
    assert tools["files.find"](".git/*") == [".git/config.md"]
    assert tools["files.list"]()[:2] == [".env", ".git/"]


def test_a_pattern_with_many_stars_does_not_take_long(tools, workspace):
    deep = workspace / "/".join(["aaaa"] * 30)
    deep.mkdir(parents=True)
    (deep / ("a" * 200)).write_text("")
    assert tools["files.find"]("**/a*/" * 12 + "**/*a*a*a*a*a*a*a*b") == []


def test_read_suggests_the_nearest_path(fails):
    assert str(fails("files.read", "Notes.md")) == "no such file: Notes.md (did you mean notes.md?) [not_found]"
    assert str(fails("files.read", "plan.md")) == "no such file: plan.md (did you mean docs/plan.md?) [not_found]"
    assert str(fails("files.read", "zzzzzz")) == "no such file: zzzzzz [not_found]"
    assert str(fails("files.read", "docs")) == "not a file: docs (it is a folder) [invalid]"


def test_read_takes_an_absolute_path_inside_the_workspace(tools, workspace):
    assert tools["files.read"](str(workspace / "notes.md")).startswith("# Notes")


def test_read_refuses_binary_and_large_files_with_what_to_do(fails, workspace):
    (workspace / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    (workspace / "zeros").write_bytes(bytes(10))
    (workspace / "big.txt").write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    assert str(fails("files.read", "picture.png")) == "not a text file: picture.png (it is not UTF-8) [invalid]"
    assert "binary" in str(fails("files.read", "zeros"))
    assert "use text.count, text.search or tables.sql" in str(fails("files.read", "big.txt"))


def test_write_makes_folders_and_returns_the_path(tools, workspace):
    assert tools["files.write"]("./new/deep/a.txt", "héllo\r\n") == "new/deep/a.txt"
    assert (workspace / "new/deep/a.txt").read_bytes() == "héllo\r\n".encode()
    assert tools["files.read"]("new/deep/a.txt") == "héllo\r\n"


def test_write_replaces_the_content_and_keeps_the_mode(tools, workspace):
    os.chmod(workspace / "notes.md", 0o640)
    tools["files.write"]("notes.md", "new")
    assert (workspace / "notes.md").read_text() == "new"
    assert (workspace / "notes.md").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(workspace)) == ["docs", "notes.md", "sales.csv"]


def test_write_refuses_what_cannot_be_a_file(fails):
    assert "it is a folder" in str(fails("files.write", "docs", "x"))
    assert "names a folder" in str(fails("files.write", "other/", "x"))
    assert "names a folder" in str(fails("files.write", ".", "x"))
    assert str(fails("files.write", "notes.md/x.txt", "x")).startswith("not a folder: notes.md")
    assert "surrogate" in str(fails("files.write", "x.txt", "\ud800"))
    assert "can be written at once" in str(fails("files.write", "x.txt", "x" * (4 * 1024 * 1024 + 1)))


def test_append_adds_to_a_file_or_makes_it(tools):
    assert tools["files.append"]("log/day.txt", "one\n") == "log/day.txt"
    tools["files.append"]("log/day.txt", "two\n")
    assert tools["files.read"]("log/day.txt") == "one\ntwo\n"


def test_move_renames_or_moves_into_a_folder(tools, workspace):
    assert tools["files.move"]("notes.md", "todo.md") == "todo.md"
    assert tools["files.move"]("todo.md", "docs") == "docs/todo.md"
    assert tools["files.move"]("docs/todo.md", "archive/2026/") == "archive/2026/todo.md"
    assert tools["files.move"]("docs", "archive") == "archive/docs"
    assert tools["files.move"]("sales.csv", "deep/er/s.csv") == "deep/er/s.csv"
    assert (workspace / "archive/docs/plan.md").exists()


def test_move_never_overwrites_and_never_moves_a_folder_into_itself(tools, fails, workspace):
    assert fails("files.move", "notes.md", "sales.csv").kind == "exists"
    (workspace / "docs" / "notes.md").write_text("other")
    assert fails("files.move", "notes.md", "docs/").kind == "exists"
    assert "into itself" in str(fails("files.move", "docs", "docs/old"))
    assert fails("files.move", "gone.md", "x.md").kind == "not_found"
    assert "name something in it" in str(fails("files.move", ".", "x"))
    assert tools["files.move"]("notes.md", "notes.md") == "notes.md"
    assert (workspace / "notes.md").read_text().startswith("# Notes")


def test_copy_keeps_the_source_and_may_be_repeated(tools, fails, workspace):
    assert tools["files.copy"]("notes.md", "docs") == "docs/notes.md"
    assert tools["files.copy"]("notes.md", "docs") == "docs/notes.md"
    assert tools["files.copy"]("notes.md", "backup/") == "backup/notes.md"
    assert (workspace / "docs/notes.md").read_bytes() == (workspace / "notes.md").read_bytes()
    assert fails("files.copy", "notes.md", "sales.csv").kind == "exists"
    assert str(fails("files.copy", "docs", "other")) == "not a file: docs (it is a folder) [invalid]"


def test_delete_removes_a_file_or_an_empty_folder(tools, fails):
    assert tools["files.delete"]("docs/old/draft.txt") == "docs/old/draft.txt"
    assert str(fails("files.delete", "docs")) == ("the folder is not empty: docs; delete what is in it first [invalid]")
    assert tools["files.delete"]("docs/old") == "docs/old"
    assert fails("files.delete", "docs/old").kind == "not_found"
    assert fails("files.delete", ".").kind == "invalid"


def test_make_folder_may_be_repeated(tools, fails, workspace):
    assert tools["files.make_folder"]("a/b") == "a/b"
    assert tools["files.make_folder"]("a/b/") == "a/b"
    assert (workspace / "a/b").is_dir()
    assert str(fails("files.make_folder", "notes.md")) == "not a folder: notes.md (it is a file) [exists]"


def test_info_tells_kind_size_and_time(tools, fails, workspace):
    os.utime(workspace / "notes.md", (1_700_000_000, 1_700_000_000))
    assert tools["files.info"]("notes.md") == {
        "path": "notes.md",
        "kind": "file",
        "size": 26,
        "modified": "2023-11-14T22:13:20+00:00",
    }
    assert tools["files.info"]("docs")["kind"] == "folder"
    assert fails("files.info", "nope").kind == "not_found"


def test_arguments_that_do_not_fit_are_named(fails):
    assert str(fails("files.read", 3)) == "path must be str, not int 3 [invalid]"
    assert "the parameters are path, content" in str(fails("files.write", "x.txt"))
    assert "the parameters are path" in str(fails("files.read", file="x"))
    assert str(fails("files.read", "")).startswith("the path is empty")


def test_a_workspace_that_is_not_there_is_named(tmp_path):
    tools = toolbox_functions(tmp_path / "gone")
    for name, arguments in (("files.list", ()), ("files.read", ("a",)), ("files.write", ("a", "b"))):
        with pytest.raises(ToolboxError, match=r"the workspace cannot be opened: .*gone"):
            tools[name](*arguments)


def test_names_that_are_not_utf8_are_listed_readably(tools, workspace):
    (workspace / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    assert "caf\ufffd.txt" in tools["files.list"]()
    assert tools["files.find"]("caf*") == ["caf\ufffd.txt"]


def test_a_folder_that_vanishes_during_a_search_is_left_out(workspace):
    (workspace / "kept").mkdir()
    (workspace / "kept" / "one.txt").touch()
    walk = walk_files(Workspace(workspace))
    found = [next(walk)]
    shutil.rmtree(workspace / "docs")
    assert "kept/one.txt" in [*found, *walk]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_left_out_unless_it_is_the_one_asked_for(tools, fails, workspace):
    (workspace / "docs" / "old").chmod(0)
    try:
        assert tools["files.find"]("**/*.md") == ["docs/plan.md", "notes.md"]
        assert fails("files.find", "docs/old/*").kind == "denied"
    finally:
        (workspace / "docs" / "old").chmod(0o700)
