"""Nothing outside the workspace can be read, listed, made, changed or deleted, with and without `openat2`."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress

import pytest

from atlas.tools_registry.toolbox import ToolboxError, beneath

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@pytest.fixture(params=["openat2", "walk"])
def way(request, monkeypatch):
    """Both ways of opening a path beneath the workspace."""
    if request.param == "openat2" and not beneath.has_openat2():
        pytest.skip("this kernel has no openat2")
    monkeypatch.setattr(beneath, "_available", request.param == "openat2")
    return request.param


def calls(path: str) -> list[tuple[str, tuple[object, ...]]]:
    """Every tool that takes a path, with this one."""
    return [
        ("files.list", (path,)),
        ("files.find", (f"{path}/*",)),
        ("files.read", (path,)),
        ("files.write", (path, "x")),
        ("files.append", (path, "x")),
        ("files.move", (path, "stolen.txt")),
        ("files.move", ("notes.md", path)),
        ("files.copy", (path, "stolen.txt")),
        ("files.copy", ("notes.md", path)),
        ("files.delete", (path,)),
        ("files.make_folder", (path,)),
        ("files.info", (path,)),
        ("text.count", (path,)),
        ("text.search", (path, "x")),
        ("text.replace", (path, "secret", "x")),
        ("text.extract", (path, "x")),
        ("tables.describe", (path,)),
        ("tables.sql", (f"SELECT * FROM '{path}/x.csv'",)),
        ("tables.write", (f"{path}/x.csv", [{"a": 1}])),
    ]


@pytest.mark.parametrize("path", ["../secret.txt", "docs/../../secret.txt", "/etc/passwd", "..", "//etc", "/", "/../x"])
def test_paths_that_lead_outside_are_denied_by_every_tool(way, fails, workspace, path):
    for name, arguments in calls(path):
        error = fails(name, *arguments)
        assert error.kind == "denied" and error.message.startswith("outside the workspace: "), (name, error)
    assert (workspace.parent / "secret.txt").read_text() == "the secret\n"


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret.txt", "..", "/"])
def test_links_that_lead_outside_are_never_followed(way, tools, workspace, target):
    (workspace / "link").symlink_to(target)
    before = sorted(os.listdir(workspace.parent))
    for name, arguments in calls("link") + calls("link/secret.txt") + calls("link/etc/passwd"):
        try:
            result = tools[name](*arguments)
        except ToolboxError as error:
            assert error.kind in ("denied", "not_found", "exists", "invalid"), (name, error)
        else:  # the link itself may be moved or deleted, and a pattern finds nothing behind it
            assert name in ("files.find", "files.move", "files.delete"), (name, arguments, result)
            assert name != "files.find" or result == []
            (workspace / "stolen.txt").unlink(missing_ok=True)
            (workspace / "link").unlink(missing_ok=True)
            (workspace / "link").symlink_to(target)
    assert (workspace.parent / "secret.txt").read_text() == "the secret\n"
    assert sorted(os.listdir(workspace.parent)) == before
    assert (workspace / "notes.md").exists()


def test_find_and_list_show_nothing_of_what_is_behind_a_link(way, tools, workspace):
    (workspace / "out").symlink_to("..")
    (workspace / "leak.md").symlink_to("../secret.txt")
    assert tools["files.find"]("**/*") == ["docs/old/draft.txt", "docs/plan.md", "notes.md", "sales.csv"]
    assert "out" in tools["files.list"]() and "leak.md" in tools["files.list"]()


def test_links_inside_are_followed_where_the_kernel_confines_them(way, tools, fails, workspace):
    (workspace / "shortcut.md").symlink_to("docs/plan.md")
    if way == "openat2":
        assert tools["files.read"]("shortcut.md").startswith("# Plan")
        assert "shortcut.md" in tools["files.find"]("*.md")
    else:
        assert str(fails("files.read", "shortcut.md")) == "a link that is not followed: shortcut.md [denied]"
    assert fails("files.write", "shortcut.md", "x").kind == "denied"
    assert (workspace / "docs/plan.md").read_text().startswith("# Plan")


@pytest.mark.parametrize("way_name", ["openat2", "walk"])
def test_a_folder_that_is_swapped_for_a_link_never_leaks(way_name, tools, workspace, monkeypatch):
    if way_name == "openat2" and not beneath.has_openat2():
        pytest.skip("this kernel has no openat2")
    monkeypatch.setattr(beneath, "_available", way_name == "openat2")
    outside = workspace.parent / "outside"
    outside.mkdir()
    (outside / "plan.md").write_text("SECRET")
    stop = threading.Event()

    (workspace / "aside").symlink_to(outside)
    libc = ctypes.CDLL(None)
    names = [os.fsencode(workspace / name) for name in ("docs", "aside")]

    def swap() -> None:
        while not stop.is_set():
            libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            for name, arguments in (
                ("files.read", ("docs/plan.md",)),
                ("files.write", ("docs/plan.md", "x")),
                ("files.append", ("docs/new.md", "x")),
                ("files.make_folder", ("docs/new/er",)),
            ):
                with suppress(ToolboxError):
                    assert "SECRET" not in str(tools[name](*arguments))
    finally:
        stop.set()
        swapper.join()
    assert os.listdir(outside) == ["plan.md"] and (outside / "plan.md").read_text() == "SECRET"


def test_pipes_and_devices_are_refused_at_once(way, fails, workspace):
    os.mkfifo(workspace / "pipe")
    for name in ("files.read", "text.count"):
        assert fails(name, "pipe").message == "not a regular file: pipe (a pipe, socket or device)"
    for name in ("files.write", "files.append"):
        assert fails(name, "pipe", "x").message == "not a regular file: pipe (a pipe, socket or device)"
    assert fails("files.copy", "pipe", "x").kind == "denied"
    assert fails("tables.describe", "pipe").kind == "denied"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a" * 300, "the name is too long"),
        ("a/" * 3000, "not a usable path"),
        ("a\0b", "not a usable path: a?b"),
        ("\ud800", "not a usable path"),
        ("  ", "the path is empty"),
    ],
)
def test_impossible_names_are_refused_by_every_tool(way, fails, path, said):
    for name, arguments in (("files.read", (path,)), ("files.write", (path, "x")), ("files.make_folder", (path,))):
        assert fails(name, *arguments).message.startswith(said)


@pytest.mark.parametrize(
    "name", ["né\u0301.txt", "日本語.txt", "a b;c'd\"e.txt", "-rf", "~", "$HOME", "..a", "a..", "🦆", "a\nb"]
)
def test_odd_names_are_only_names(way, tools, workspace, name):
    assert tools["files.write"](name, "x") == name
    assert (workspace / name).read_text() == "x"
    assert name in tools["files.list"]()
    assert tools["files.delete"](name) == name


def run_apart(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *arguments],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip


def test_a_write_that_the_system_cuts_off_leaves_the_old_content(workspace):
    source = """
        import resource, sys
        from atlas.tools_registry.toolbox import ToolboxError, toolbox_functions
        tools = toolbox_functions(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for name in ("files.write", "files.append"):
            try:
                tools[name]("notes.md", "x" * 5000)
            except ToolboxError as error:
                print(error)
    """
    done = run_apart(source, str(workspace))
    assert done.stdout == 2 * "no space left for notes.md; it was not changed (File too large) [failed]\n", done.stderr
    assert (workspace / "notes.md").read_text() == "# Notes\nbuy milk\ncall Ada\n"
    assert sorted(os.listdir(workspace)) == ["docs", "notes.md", "sales.csv"]


def test_a_full_disk_leaves_the_old_content(tmp_path):
    source = """
        import os, subprocess, sys
        from atlas.tools_registry.toolbox import ToolboxError, toolbox_functions
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", sys.argv[1]], capture_output=True).returncode:
            sys.exit("no mount")
        tools = toolbox_functions(sys.argv[1])
        tools["files.write"]("a.txt", "old")
        for name, more in (("files.write", ()), ("files.append", ())):
            try:
                tools[name]("a.txt", "x" * 200_000)
            except ToolboxError as error:
                print(error)
        print(tools["files.read"]("a.txt"), os.listdir(sys.argv[1]))
    """
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        possible = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("no private mounts here")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", textwrap.dedent(source), str(tmp_path)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip
    if "no mount" in done.stderr:
        pytest.skip("no tmpfs here")
    line = "no space left for a.txt; it was not changed (No space left on device) [failed]\n"
    assert done.stdout == 2 * line + "old ['a.txt']\n", done.stderr
