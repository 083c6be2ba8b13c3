"""The builtins of programs, and the guards under names that no program can write."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable
from typing import Any

from .ahead import Ahead, item, method, plain, solid
from .channel import Channel
from .growth import guarded_pow, power, shift
from .guards import (
    EXCEPTION_BASES,
    METHODS,
    NAMED,
    Members,
    ProgramClass,
    augmented_attribute,
    guarded_delattr,
    guarded_getattr,
    guarded_setattr,
    guarded_super,
    guarded_write,
    make_class,
    name_of,
    type_name,
)
from .namespaces import BOUND
from .scheduler import WITHIN, Scheduler, Token
from .tools import Tool, ToolError
from .values import without_addresses

_PLAIN = (
    "abs all any ascii bin bool bytes callable chr classmethod complex dict divmod enumerate filter float format "
    "frozenset hash hex int isinstance issubclass iter len list map max min next object oct ord pow property range repr "
    "reversed round set slice sorted staticmethod str sum super tuple zip NotImplemented Ellipsis"
)
_EXCEPTIONS = (
    "ArithmeticError AssertionError AttributeError BufferError EOFError EnvironmentError Exception FileExistsError "
    "FileNotFoundError FloatingPointError IOError ImportError IndexError IsADirectoryError KeyError LookupError "
    "MemoryError ModuleNotFoundError NameError NotADirectoryError NotImplementedError OSError OverflowError "
    "PermissionError RecursionError ReferenceError RuntimeError StopIteration SyntaxError SystemError TimeoutError "
    "TypeError UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError Warning UserWarning "
    "BrokenPipeError ConnectionError ConnectionRefusedError ConnectionResetError FutureWarning IndentationError "
    "InterruptedError StopAsyncIteration DeprecationWarning RuntimeWarning ZeroDivisionError"
)
_SHOWN_CHARS = 20_000
MISSING = {
    "open": "files are read and written with tools such as files.read",
    "input": "nobody can answer; the task says all there is",
    "exec": "", "eval": "", "compile": "", "globals": "", "locals": "", "vars": "", "dir": "", "id": "",
    "exit": "a program ends by itself", "quit": "a program ends by itself",
}
_KNOWN_KINDS = frozenset(METHODS) | {type(None), object, Exception}


def _type(value: Any) -> Any:
    kind = type(value)
    if kind in _KNOWN_KINDS or type(kind) is ProgramClass or isinstance(value, Exception):
        return kind
    if kind is type or kind is ProgramClass:
        return _type  # never the real one, which makes classes of anything
    raise TypeError(f"type() of a {kind.__name__} is not available")


def _getattr(target: Any, name: str, *default: Any) -> Any:
    if len(default) > 1:
        raise TypeError("getattr expected at most 3 arguments")
    if type(name) is not str:  # a class of the program might lie about being equal to an allowed name
        raise TypeError("attribute name must be string")
    try:
        return guarded_getattr(target, name)
    except AttributeError:
        if default:
            return default[0]
        raise


def _hasattr(target: Any, name: str) -> bool:
    if type(name) is not str:
        raise TypeError("attribute name must be string")
    try:
        guarded_getattr(target, name)
    except AttributeError:
        return False
    return True


def _import_for_c(name: str, *_: Any) -> Any:
    """What C functions such as `strftime` call on behalf of the frame that called them; no program can name it."""
    if name in ("time", "_strptime"):
        return sys.modules[name]
    raise ImportError(f"the module {name!r} is not available")


def program_builtins() -> dict[str, Any]:
    """Names that never change."""
    names = {name: getattr(builtins, name) for name in _PLAIN.split()}
    errors = {name: getattr(builtins, name) for name in _EXCEPTIONS.split()}
    EXCEPTION_BASES.update(errors.values(), {ToolError})
    names.update(errors, BaseException=Exception, ToolError=ToolError)
    names.update({"True": True, "False": False, "None": None})
    names.update({"getattr": _getattr, "hasattr": _hasattr, "setattr": guarded_setattr, "delattr": guarded_delattr})
    names.update({"type": _type, "pow": guarded_pow, "aiter": aiter, "anext": anext})
    names["__build_class__"] = builtins.__build_class__
    names["__name__"] = "__main__"
    names["__import__"] = _import_for_c
    names.update({
        "@getattr": guarded_getattr, "@write": guarded_write, "@augattr": augmented_attribute, "@super": guarded_super,
        "@plain": plain, "@item": item, "@solid": solid, "@method": method,
        "@typename": type_name, "@nameof": name_of, "@power": power, "@shift": shift, "@metaclass": make_class,
        "@field": _note_field, "@Exception": Exception,
    })
    return names


NAMED[Tool] = lambda tool: str(tool.name).rpartition(".")[2]


def _exact_text(what: str, given: Any, default: str) -> str:
    """Text that has no methods of the program."""
    if given is None:
        return default
    if not isinstance(given, str):
        raise TypeError(f"{what} must be None or a string, not {type(given).__name__}")
    return str.__str__(given)


def _note_field(fields: list[str], name: str) -> None:
    fields.append(name)


class Names:
    """The builtins of one worker: fixed names, modules, and the tools of the present program."""

    def __init__(self, channel: Channel, scheduler: Scheduler, modules: dict[str, Members]) -> None:
        self._channel, self._scheduler, self._modules = channel, scheduler, modules
        self.ahead = Ahead(channel, scheduler)
        self.answered = False
        self.answer: Any = None
        self.shown: Any = None
        self.table = program_builtins()
        self.table.update({name: modules[name] for name in BOUND})
        self.table.update({
            "print": self._print, "answer": self._answer, "@import": self._import, "@show": self._show,
            "@start": self._start, "@awaitable": self._awaitable,
            "@loop": self.ahead.loop, "@group": self.ahead.group, "@take": self.ahead.take,
        })
        self._fixed = dict(self.table)
        self.tools: dict[str, Any] = {}

    def use_tools(self, tools: dict[str, Any]) -> None:
        """Replace the tools; a tool never hides a fixed name."""
        for name in self.tools:
            if name not in self._fixed:
                self.table.pop(name, None)
        self.tools = {name: tool for name, tool in tools.items() if name not in self._fixed}
        self.table.update(self.tools)

    def begin(self) -> None:
        """Forget the answer of the program before."""
        self.answered, self.answer, self.shown = False, None, None

    def _print(self, *values: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
        if type(sep) is not str or type(end) is not str:
            sep, end = _exact_text("sep", sep, " "), _exact_text("end", end, "\n")
        text: str = sep.join(map(str, values)) + end
        if file is None:
            self._channel.write(without_addresses(text))
        else:
            guarded_getattr(file, "write")(text)

    def _answer(self, value: Any = None) -> None:
        self.answered, self.answer = True, value

    def _show(self, value: Any) -> None:
        if type(value) is types.CoroutineType or type(value) is Token:
            value = self._scheduler.run(value)
        self.shown = value
        if value is not None:
            text = without_addresses(repr(value))
            if len(text) > _SHOWN_CHARS:  # nobody asked for all of it; what is printed is a different matter
                text = f"{text[:_SHOWN_CHARS]}... ({len(text)} characters)"
            self._channel.write(text + "\n", last=True)

    def _import(self, module: str, name: str | None = None) -> Any:
        found = self._modules.get(module)
        if found is None:
            raise ModuleNotFoundError(f"No module named '{module}'")
        if name is None:
            return found
        try:
            return guarded_getattr(found, name)
        except AttributeError as error:
            raise ImportError(f"cannot import name '{name}' from '{module}': {error}") from None

    def _start(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if type(function) is Tool:
            return function.start(args, kwargs)
        return function(*args, **kwargs)

    def _awaitable(self, value: Any) -> Any:
        return value if type(value) in WITHIN else self._scheduler.as_token(value)
