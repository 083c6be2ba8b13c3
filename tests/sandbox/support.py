"""What the sandbox's tests share."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
from typing import Any

from atlas.sandbox import Outcome, Sandbox

ECHO = {"demo.echo": {"type": "object", "properties": {"text": {"type": "string"}, "n": {"type": "integer"}},
                      "required": ["text"]}}


def give_back(tool: str, arguments: dict[str, Any]) -> Any:
    """A `call` that returns the arguments."""
    return arguments


def cpython(source: str) -> dict[str, Any]:
    """What plain Python makes of a program: output, the trailing value as JSON, error type and line."""
    modules = {name: __import__(name) for name in (
        "asyncio", "json", "re", "math", "datetime", "statistics", "collections", "itertools")}
    space: dict[str, Any] = {"__name__": "__main__", **modules}
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value, error = io.StringIO(), None, None
    with contextlib.redirect_stdout(printed):
        try:
            _execute(compile(tree, "<plain>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), space)
            if last is not None:
                value = _execute(
                    compile(ast.Expression(last.value), "<plain>", "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), space
                )
                if value is not None:
                    print(repr(value))
        except Exception as raised:
            trace, line = raised.__traceback__, None
            while trace is not None:
                line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == "<plain>" else line
                trace = trace.tb_next
            error, value = (type(raised).__name__, line), None
    return {"output": printed.getvalue(), "value": _plain(value), "error": error}


def _execute(code: Any, space: dict[str, Any]) -> Any:
    result = eval(code, space)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return json.loads(json.dumps(value, default=repr))


def sandboxed(sandbox: Sandbox, source: str) -> dict[str, Any]:
    """What the sandbox makes of it, in the same form."""
    outcome = sandbox.run(source, ECHO, give_back)
    error = (outcome.error.type, outcome.error.line) if outcome.error is not None else None
    return {"output": outcome.output, "value": outcome.value, "error": error}


def works(sandbox: Sandbox) -> Outcome:
    """Assert that an ordinary program runs as ever."""
    outcome = sandbox.run("print('fine')\ndemo.echo(text='x')['text'] * 2", ECHO, give_back)
    assert (outcome.status, outcome.value, outcome.output) == ("ok", "xx", "fine\n'xx'\n"), outcome
    return outcome
