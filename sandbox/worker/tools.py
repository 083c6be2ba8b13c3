"""Tools as programs see them: callables grouped by server, and the error that they raise."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from .channel import Channel
from .guards import FIELD_NAMES, Members
from .scheduler import Scheduler, Token
from .values import Plain, TooLarge


class ToolError(Exception):
    """A tool failed. `.tool`, `.kind`, `.message` and `.arguments` say what and why."""

    def __init__(
        self, message: str = "", kind: str = "failed", tool: str = "", arguments: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.kind, self.tool = message, kind, tool
        self.arguments = {} if arguments is None else arguments


FIELD_NAMES[ToolError] = frozenset({"args", "tool", "kind", "message", "arguments"})


_SENT_AS_THEY_ARE = frozenset({str, bool, type(None)})
_LARGE = 1 << 62


class Tool:
    """One tool; calling it blocks, `start` does not."""

    __slots__ = (
        "_channel", "_scheduler", "is_open", "name", "parameters", "read_only", "required", "server", "types", "variadic",
    )

    def __init__(self, channel: Channel, scheduler: Scheduler, name: str, spec: dict[str, Any]) -> None:
        self._channel, self._scheduler, self.name = channel, scheduler, name
        self.parameters: list[str] = spec["parameters"]
        self.required: int = spec["required"]
        self.variadic: str | None = spec.get("variadic")
        self.is_open: bool = spec.get("open", False)
        self.read_only: bool = spec.get("read_only", False)
        self.types: dict[str, dict[str, Any]] = spec.get("types", {})
        self.server = name.rpartition(".")[0]

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        arguments = self.bind(args, kwargs)
        return self.settle(self._channel.wait(self._send(arguments)), arguments)

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Token:
        """Send the call and return a token for its result."""
        arguments = self.bind(args, kwargs)
        return self._scheduler.call(self._send(arguments, hold=True), lambda message: self.settle(message, arguments))

    def _send(self, arguments: dict[str, Any], *, hold: bool = False) -> int:
        scheduler = self._scheduler
        scheduler.made += 1
        if not self.read_only:
            scheduler.changes += 1
            if scheduler.ahead:
                scheduler.settle_ahead()  # what may change something waits for every call that was sent ahead
        return self._channel.call(self.name, arguments, hold=hold)

    def settle(self, message: list[Any], arguments: dict[str, Any]) -> Any:
        """The value of a return, or the error that it holds."""
        if len(message) == 2:
            return message[1]
        raise ToolError(message[2], message[3], self.name, arguments)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name, in JSON. Raises `TypeError` where they do not fit the parameters."""
        parameters = self.parameters
        bound: dict[str, Any] = {}
        if self.variadic is not None:
            bound[self.variadic] = list(args)
        elif len(args) > len(parameters):
            raise TypeError(f"{self.name}() takes {self._signature()}, but {len(args)} positional arguments were given")
        elif args:
            bound.update(zip(parameters, args, strict=False))
        for name, value in kwargs.items():
            if name in bound and not (name == self.variadic and not args):
                raise TypeError(f"{self.name}() got multiple values for argument '{name}'")
            if name not in parameters and not self.is_open:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'{self._meant(name)}")
            bound[name] = value
        for name in parameters[: self.required]:
            if name not in bound:
                raise TypeError(f"{self.name}() is missing the required argument '{name}'; it takes {self._signature()}")
        for name, value in bound.items():
            kind = type(value)
            if kind not in _SENT_AS_THEY_ARE and not (kind is int and -_LARGE < value < _LARGE):
                bound[name] = self._plain(name, value)
        return bound

    def _plain(self, name: str, value: Any) -> Any:
        try:
            return Plain(strict=True).convert(value)
        except (TypeError, TooLarge) as error:
            raise TypeError(f"{self.name}(): argument '{name}': {error}") from None

    def _signature(self) -> str:
        names = [name if place < self.required else f"{name}=..." for place, name in enumerate(self.parameters)]
        return f"({', '.join(names)})"

    def _meant(self, name: str) -> str:
        near = get_close_matches(name, self.parameters, 1, 0.4)
        if near:
            return f"; did you mean '{near[0]}'?"
        return f"; it takes {self._signature()}"


def toolspace(channel: Channel, scheduler: Scheduler, specs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Top-level names: one object per server, and bare functions for names without a dot."""
    names: dict[str, Any] = {}
    for full_name, spec in specs.items():
        tool = Tool(channel, scheduler, full_name, spec)
        server, dot, short = full_name.rpartition(".")
        if not dot:
            names[full_name] = tool
        else:
            if type(names.get(server)) is not Members:
                names[server] = Members("server", server, {})
            names[server].members[short] = tool
    return names
