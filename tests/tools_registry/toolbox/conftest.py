"""A small workspace, and the toolbox on it as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atlas.tools_registry.toolbox import ToolboxError, toolbox_functions
from atlas.tools_registry.toolbox.child import close_children

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder of files, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("the secret\n")
    root = tmp_path / "work"
    (root / "docs" / "old").mkdir(parents=True)
    (root / "notes.md").write_text("# Notes\nbuy milk\ncall Ada\n")
    (root / "docs" / "plan.md").write_text("# Plan\n- write to ada@example.com\n- and bob@example.org\n")
    (root / "docs" / "old" / "draft.txt").write_text("first draft")
    (root / "sales.csv").write_text("id,name,amount,day\n1,Ada,2.5,2026-01-02\n2,Bob,4,2026-01-03\n3,Ada,1,2026-02-01\n")
    return root


@pytest.fixture
def tools(workspace: Path) -> dict[str, Callable[..., object]]:
    """The toolbox on the workspace; the clock stands at 2026-05-04 09:30 UTC."""
    return toolbox_functions(workspace, now=lambda: NOW)


@pytest.fixture
def fails(tools: dict[str, Callable[..., object]]) -> Callable[..., ToolboxError]:
    """Call a tool that must fail; returns the error."""

    def call(name: str, *args: object, **named: object) -> ToolboxError:
        with pytest.raises(ToolboxError) as caught:
            tools[name](*args, **named)
        return caught.value

    return call


@pytest.fixture(autouse=True, scope="module")
def no_child_remains() -> Iterator[None]:
    """The children stay warm during a file of tests and end with it."""
    yield
    close_children()
