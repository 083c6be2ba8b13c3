"""A second look at compiled programs: whatever the policy has let through, no name of the interpreter's own is in them."""

from __future__ import annotations

import types
from collections.abc import Container

from .policy import SPECIAL_METHODS

_BY_THE_COMPILER = frozenset({
    "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__class__", "__classcell__",
    "__classdict__", "__classdictcell__", "__doc__", "__firstlineno__", "__module__", "__name__", "__qualname__",
    "__static_attributes__",
})


def may_change(code: types.CodeType, variables: Container[str], fixed: Container[str]) -> bool:
    """Whether a program that has run may have changed what earlier ones left: it names a variable, or makes one.

    What no name leads to cannot be reached: nothing of an earlier program is still running.
    """
    waiting = [code]
    for one in waiting:
        for name in one.co_names:
            if name in variables or name not in fixed:
                return True
        waiting += [constant for constant in one.co_consts if type(constant) is types.CodeType]
    return False


def stray_name(code: types.CodeType) -> str | None:
    """A name with two underscores that only the interpreter's own objects have; None where there is none."""
    waiting = [code]
    for one in waiting:  # which grows on the way
        for name in (*one.co_names, *one.co_varnames, *one.co_cellvars, *one.co_freevars):
            if name[:2] == "__" and name != "__" and name not in SPECIAL_METHODS and name not in _BY_THE_COMPILER:
                return name
        waiting += [constant for constant in one.co_consts if type(constant) is types.CodeType]
    return None
