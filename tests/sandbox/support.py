"""What the sandbox's tests share."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atlas.sandbox import Limits, Outcome, Sandbox, driver, host, link, program

ECHO = {"demo.echo": {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
                      "required": ["text"]}}


def give_back(tool: str, arguments: dict[str, Any]) -> Any:
    """A `call` that returns the arguments."""
    return arguments


def cpython(source: str, table: dict[str, Any] | None = None) -> dict[str, Any]:
    """What plain Python makes of a program: output, the trailing value as JSON, error type and line.

    `table` takes the place of the builtins; without one, annotations are not evaluated (as by the `__future__` import
    above, which what is compiled here inherits).
    """
    modules = {name: __import__(name) for name in (
        "asyncio", "json", "re", "math", "datetime", "statistics", "collections", "itertools")}
    space: dict[str, Any] = {"__name__": "__main__", **modules, **({"__builtins__": table} if table else {})}
    flags = {"flags": ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, "dont_inherit": table is not None}
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value, error = io.StringIO(), None, None
    with contextlib.redirect_stdout(printed):
        try:
            _execute(compile(tree, "<plain>", "exec", **flags), space)
            if last is not None:
                value = _execute(compile(ast.Expression(last.value), "<plain>", "eval", **flags), space)
                if value is not None:
                    print(repr(value))
        except Exception as raised:
            trace, line = raised.__traceback__, None
            while trace is not None:
                line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == "<plain>" else line
                trace = trace.tb_next
            error, value = (type(raised).__name__, line), None
    return {"output": printed.getvalue(), "value": plain(value), "error": error}


def _execute(code: Any, space: dict[str, Any]) -> Any:
    result = eval(code, space)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def plain(value: Any) -> Any:
    """A value as the host of the sandbox sees it."""
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return json.loads(json.dumps(value, default=str))


def difference(outcome: Outcome, expected: dict[str, Any]) -> str | None:
    """What differs from `cpython`'s report. A program that is certain to fail may be refused before it prints."""
    error = (outcome.error.type, outcome.error.line) if outcome.error is not None else None
    if error != expected["error"]:
        return f"error {outcome.error}, not {expected['error']}"
    if outcome.status == "refused":
        return None
    if outcome.output != expected["output"] or outcome.value != expected["value"]:
        return f"{outcome.output!r} and {outcome.value!r}, not {expected['output']!r} and {expected['value']!r}"
    return None


def agrees(sandbox: Sandbox, source: str, expected: dict[str, Any]) -> None:
    """Assert that the sandbox makes of a program what plain Python makes of it."""
    found = difference(sandbox.run(source, ECHO, give_back), expected)
    assert found is None, f"{found}\n{source}"


class Clock:
    """Stands in for the module `time` in the host's half of the sandbox; a test moves it ahead instead of sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        for module in (driver, host, link, program):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


_FORGET = (
    "import sys\nframe = sys._getframe()\n"
    "while type(frame.f_locals.get('self')).__name__ != 'Worker':\n    frame = frame.f_back\n"
    "worker = frame.f_locals['self']\n"
    "worker.variables.clear()\nworker.variables['__builtins__'] = worker.names.table"
)


@contextlib.contextmanager
def forgetful(limits: Limits) -> Iterator[tuple[Sandbox, Callable[[], None]]]:
    """A sandbox, and a function that makes its worker forget all variables: quicker than a new worker each time."""
    sandbox = Sandbox(limits)
    sandbox._raw = True

    def forget() -> None:
        report = sandbox._run_raw(_FORGET)
        assert report is not None and "error" not in report, report

    with sandbox:
        yield sandbox, forget


def descendants(pid: int) -> set[int]:
    """Processes that descend from `pid`, those that have ended and wait to be collected among them."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
                parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def works(sandbox: Sandbox) -> Outcome:
    """Assert that an ordinary program runs as ever."""
    outcome = sandbox.run("print('fine')\ndemo.echo(text='x')['text'] * 2", ECHO, give_back)
    assert (outcome.status, outcome.value, outcome.output) == ("ok", "xx", "fine\n'xx'\n"), outcome
    return outcome
