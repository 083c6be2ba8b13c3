"""From the text of a program to code, or to the reason why not."""

from __future__ import annotations

import ast
import types
from collections.abc import Collection
from typing import Any, NoReturn

from .ahead import Ahead
from .checking import Known, check
from .facts import Facts
from .hazards import calls_in_try, hides_calls
from .names_in_code import stray_name
from .overlap import has_read_only_calls, overlap
from .placing import place
from .policy import MESSAGE_CHARS, Policy, Refusal
from .quiet import QUIET_BUILTINS, QUIET_MODULES, Context

_ALL = 1 << 30


class Refused(Exception):
    """Carries a `Refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def compile_program(
    source: str, filename: str, *, max_nodes: int, modules: Collection[str], servers: Collection[str] = (),
    known: Known | None = None, strict: bool = False, ahead: Ahead | None = None,
) -> types.CodeType:  # fmt: skip
    """Code of `source`, possibly with top-level await; raises `Refused` with the first problem.

    With `strict`, what is certain to fail with what is `known` is a problem, too; with `ahead`, calls that do not depend
    on each other are sent ahead.
    """
    try:
        tree: Any = compile(source, filename, "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
        facts = Facts(tree, max_nodes)
        if facts.size > max_nodes:
            raise Refused(Refusal("ProgramTooLarge", f"the program has more than {max_nodes} parts; split it", None))
        mistake = check(facts, known) if known is not None and strict else None
        if known is not None and ahead is not None and not ahead.off:
            if ahead.on:
                _send_ahead(facts, known, ahead)
            elif facts.uses or facts.bound:
                ahead.keep_unjudged(source)
        policy = Policy(modules, servers)
        tree = policy.visit(tree)
        if policy.refusals:
            raise Refused(min(policy.refusals, key=lambda one: one.line or 0))
        if mistake is not None:
            raise Refused(mistake)
        code: types.CodeType = compile(
            tree, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
        )
        stray = stray_name(code)
        if stray is not None:  # the policy has a hole: a new kind of syntax, say
            raise Refused(Refusal("NotAllowed", f"the name {stray!r} is reserved", None))
        return code
    except SyntaxError as error:
        _syntax_error(error, source)
    except UnicodeEncodeError:
        raise Refused(Refusal("SyntaxError", "the program holds text that is not valid Unicode", None)) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        text = "the program is nested too deeply" if isinstance(error, (RecursionError, MemoryError)) else str(error)
        raise Refused(Refusal("SyntaxError", text[:MESSAGE_CHARS], None)) from None


def _send_ahead(facts: Facts, known: Known, ahead: Ahead) -> None:
    """Rewrite the program so that independent calls overlap, unless something in it speaks against that."""
    earlier, ahead.unjudged = ahead.unjudged, []
    for source in earlier:  # what they left may make calls, too
        _judge(Facts(ast.parse(source), _ALL), known, ahead)
    context = _judge(facts, known, ahead)
    if ahead.off or "asyncio" in facts.uses or "asyncio" in facts.bound:
        return  # the program says itself what overlaps
    if has_read_only_calls(facts.tree, context) and overlap(facts.tree, context):
        place(facts.tree)


def _judge(facts: Facts, known: Known, ahead: Ahead) -> Context:
    """Note in `ahead` what speaks against sending calls ahead in this program or later ones."""
    tree = facts.tree
    context = Context(facts, known.table, {*known.variables, *ahead.hidden})
    if hides_calls(tree, context, ahead.noisy):
        ahead.off = True
    taken = {name for name in facts.bound if name in QUIET_BUILTINS | QUIET_MODULES and not facts.keeps(name)}
    ahead.hidden |= taken
    if taken or calls_in_try(tree, context):
        ahead.functions_off = True
    return context


def _syntax_error(error: SyntaxError, source: str) -> NoReturn:
    line = error.lineno if type(error.lineno) is int else None
    text = str(error.msg)
    lines = source.splitlines()
    if line is not None and 0 < line <= len(lines):
        text = f"{text}: {lines[line - 1].strip()[:120]}"
    raise Refused(Refusal("SyntaxError", text[:MESSAGE_CHARS], line)) from None
