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


class Tool:
    """One tool; calling it blocks, `start` does not."""

    __slots__ = ("_channel", "_scheduler", "is_open", "name", "parameters", "required", "variadic")

    def __init__(self, channel: Channel, scheduler: Scheduler, name: str, spec: dict[str, Any]) -> None:
        self._channel, self._scheduler, self.name = channel, scheduler, name
        self.parameters: list[str] = spec["parameters"]
        self.required: int = spec["required"]
        self.variadic: str | None = spec.get("variadic")
        self.is_open: bool = spec.get("open", False)

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        arguments = self._bind(args, kwargs)
        return self._settle(self._channel.wait(self._channel.call(self.name, arguments)), arguments)

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Token:
        """Send the call and return a token for its result."""
        arguments = self._bind(args, kwargs)
        number = self._channel.call(self.name, arguments)
        return self._scheduler.call(number, lambda message: self._settle(message, arguments))

    def _settle(self, message: dict[str, Any], arguments: dict[str, Any]) -> Any:
        if message["t"] == "ret":
            return message["value"]
        raise ToolError(message["message"], message["kind"], self.name, arguments)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound: dict[str, Any] = {}
        if self.variadic is not None:
            bound[self.variadic] = list(args)
        elif len(args) > len(self.parameters):
            raise TypeError(f"{self.name}() takes {self._signature()}, but {len(args)} positional arguments were given")
        else:
            bound.update(zip(self.parameters, args, strict=False))
        for name, value in kwargs.items():
            if name in bound and not (name == self.variadic and not args):
                raise TypeError(f"{self.name}() got multiple values for argument '{name}'")
            if name not in self.parameters and not self.is_open:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{name}'{self._meant(name)}")
            bound[name] = value
        missing = [name for name in self.parameters[: self.required] if name not in bound]
        if missing:
            raise TypeError(f"{self.name}() is missing the required argument '{missing[0]}'; it takes {self._signature()}")
        return self._plain(bound)

    def _plain(self, bound: dict[str, Any]) -> dict[str, Any]:
        for name, value in bound.items():
            if type(value) is not str:
                try:
                    bound[name] = Plain(strict=True).convert(value)
                except (TypeError, TooLarge) as error:
                    raise TypeError(f"{self.name}(): argument '{name}': {error}") from None
        return bound

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
