"""From the text of a program to code, or to the reason why not."""

from __future__ import annotations

import ast
import types
from collections.abc import Collection
from typing import NoReturn, cast

from .policy import MESSAGE_CHARS, Policy, Refusal


class Refused(Exception):
    """Carries a `Refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def compile_program(
    source: str, filename: str, *, max_nodes: int, modules: Collection[str], servers: Collection[str] = ()
) -> types.CodeType:
    """Code of `source`, possibly with top-level await; raises `Refused` with the first problem."""
    try:
        tree = ast.parse(source, filename)
        count = 0
        for count, _ in enumerate(ast.walk(tree), 1):
            if count > max_nodes:
                raise Refused(Refusal("ProgramTooLarge", f"the program has more than {max_nodes} parts; split it", None))
        policy = Policy(modules, servers)
        tree = policy.visit(tree)
        if policy.refusals:
            raise Refused(min(policy.refusals, key=lambda one: one.line or 0))
        ast.fix_missing_locations(tree)
        code = compile(tree, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        return cast(types.CodeType, code)
    except SyntaxError as error:
        _syntax_error(error, source)
    except UnicodeEncodeError:
        raise Refused(Refusal("SyntaxError", "the program holds text that is not valid Unicode", None)) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        text = "the program is nested too deeply" if isinstance(error, (RecursionError, MemoryError)) else str(error)
        raise Refused(Refusal("SyntaxError", text[:MESSAGE_CHARS], None)) from None


def _syntax_error(error: SyntaxError, source: str) -> NoReturn:
    line = error.lineno if type(error.lineno) is int else None
    text = str(error.msg)
    lines = source.splitlines()
    if line is not None and 0 < line <= len(lines):
        text = f"{text}: {lines[line - 1].strip()[:120]}"
    raise Refused(Refusal("SyntaxError", text[:MESSAGE_CHARS], line)) from None
