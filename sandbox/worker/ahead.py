"""Calls of read-only tools that are sent before the program asks for their results.

The compiler (`overlap.py`) gives a loop, a comprehension or a row of statements a second, side-effect-free reading that
names the calls it is going to make, in order. A `Plan` follows that reading ahead of the program and sends the calls; where
the program then makes a call, it gets the result of the one that was sent for it, with equal tool and arguments, or makes
the call itself. So values, errors and the order of calls are those of the program run one by one.
"""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from .channel import Channel
from .scheduler import Scheduler
from .tools import Tool

WantedCall = tuple[Any, tuple[Any, ...], dict[str, Any]]
Look = Callable[[Any], Iterator[Sequence[WantedCall]]]
_HELD_BYTES = 1 << 25
"""What results that the program has not asked for yet may take, as far as their sizes can be foreseen."""
_MOST_UNJUDGED = 50
_SOLID = frozenset({
    list, tuple, range, str, dict, set, frozenset, type({}.keys()), type({}.values()), type({}.items()),
})
"""Iterating over these twice has no effect and gives the same."""
_PLAIN = _SOLID | {
    int, float, bool, type(None), bytes, datetime.date, datetime.datetime, datetime.time, datetime.timedelta,
}
_INDEXED = frozenset({list, tuple, dict, str, range})
PURE_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        "capitalize casefold center count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace "
        "istitle isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition "
        "rsplit rstrip split splitlines startswith strip swapcase title upper zfill".split()
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}), tuple: frozenset({"count", "index"}), float: frozenset({"is_integer"}),
    datetime.date: frozenset({"isoformat", "weekday", "isoweekday"}),
    datetime.datetime: frozenset({"isoformat", "weekday", "isoweekday", "date"}),
}  # fmt: skip


class Unsure(Exception):
    """What comes next cannot be told without running the program."""


class _Entry:
    """One call that was sent ahead."""

    __slots__ = ("_plan", "arguments", "message", "tool")

    def __init__(self, plan: Plan, tool: Tool, arguments: dict[str, Any]) -> None:
        self._plan, self.tool, self.arguments = plan, tool, arguments
        self.message: list[Any] | None = None

    def arrive(self, message: list[Any]) -> None:
        """Its return has come; after an error nothing more is sent."""
        self.message = message
        self._plan.arrived(self.tool, message)


class Plan:
    """The calls of one loop, comprehension or row of statements, ahead of it."""

    __slots__ = ("_ahead", "_alone", "_batch", "_changes", "_left", "_made", "_next", "_sent", "_source")

    def __init__(self, ahead: Ahead, source: Iterator[Sequence[WantedCall]], calls_at_first: int) -> None:
        """With `calls_at_first` that many calls are left to the program before anything is sent ahead of it: what it
        does with the results of its first iteration may fail, and then mostly fails at once."""
        self._ahead = ahead
        self._changes, self._made, self._alone = ahead.scheduler.changes, ahead.scheduler.made, calls_at_first
        self._source: Iterator[Sequence[WantedCall]] | None = source
        self._batch: deque[WantedCall] = deque()
        self._next: tuple[Tool, dict[str, Any]] | None = None
        self._sent: deque[_Entry] = deque()
        self._left = calls_at_first or -1
        if not calls_at_first:
            self._pump()

    def take(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make the program's next call."""
        if self._left > 0:
            self._left -= 1
            return function(*args, **kwargs)
        if self._ahead.scheduler.changes != self._changes:
            self._drop()  # a call that the compiler did not see may have changed what was read ahead of it
            return function(*args, **kwargs)
        if self._left == 0:
            self._left = -1
            if self._ahead.scheduler.made != self._made + self._alone:
                self.stop()  # the first iteration made a call that the compiler did not see
            self._batch_of_next_iteration()  # the first, whose calls the program has made itself
            self._batch.clear()
            self._pump()
        if not self._sent or type(function) is not Tool:
            self.stop()
            return function(*args, **kwargs)
        entry, arguments = self._sent[0], function.bind(args, kwargs)
        if function is not entry.tool or not _same(arguments, entry.arguments):
            self._drop()
            return function(*args, **kwargs)
        self._sent.popleft()
        while entry.message is None:
            self._ahead.scheduler.await_return()
            self._pump()
        self._pump()
        return function.settle(entry.message, arguments)

    def arrived(self, tool: Tool, message: list[Any]) -> None:
        """A call of this plan has returned."""
        self._ahead.arrived(tool.server, message)
        if len(message) != 2:
            self.stop()

    def stop(self) -> None:
        """Send nothing more."""
        self._source, self._next = None, None
        self._batch.clear()

    def _drop(self) -> None:
        """Forget what was sent, too."""
        self.stop()
        self._sent.clear()

    def _pump(self) -> None:
        """Send what there is room for."""
        while self._source is not None:
            if self._next is None:
                self._next = self._prepare()
            if self._next is None or not self._ahead.has_room(self._next[0].server, len(self._sent)):
                return
            (tool, arguments), self._next = self._next, None
            entry = _Entry(self, tool, arguments)
            if not self._ahead.send(tool, arguments, entry.arrive):
                self.stop()
                return
            self._sent.append(entry)

    def _prepare(self) -> tuple[Tool, dict[str, Any]] | None:
        if not self._batch:
            self._batch_of_next_iteration()
        if not self._batch:
            return None
        function, args, kwargs = self._batch.popleft()
        try:
            if type(function) is Tool and function.read_only:
                return function, function.bind(args, kwargs)
        except Exception:
            pass  # the program will meet it when it comes there
        self.stop()
        return None

    def _batch_of_next_iteration(self) -> None:
        source, channel = self._source, self._ahead.channel
        if source is None:
            return
        channel.running = False  # reading ahead makes no call, prints nothing and asks for no time
        try:
            self._batch.extend(next(source))
        except Exception:
            self.stop()
        finally:
            channel.running = True


class Ahead:
    """All that is sent ahead in one worker."""

    def __init__(self, channel: Channel, scheduler: Scheduler) -> None:
        self.channel, self.scheduler = channel, scheduler
        self.off = False
        """Set for good when a program makes something that could hide a call (a tool as a value, say)."""
        self.functions_off = False
        """Functions may be called inside a `try`, or mean something else than when they were written."""
        self.hidden: set[str] = set()
        """Builtins that programs have given another meaning."""
        self.noisy: set[str] = set()
        """Functions and methods of programs that may call a tool."""
        self.unjudged: list[str] = []
        """Programs that were run one by one, which nobody has looked at."""
        self._most = self._most_per_server = 0
        self._by_server: dict[str, int] = {}
        self._largest = 0

    def begin(self, most: int, most_per_server: int) -> None:
        """A new program; with `most` 0 or 1 it runs one by one."""
        self._most, self._most_per_server = most, most_per_server
        self._by_server.clear()
        self._largest = 0

    def keep_unjudged(self, source: str) -> None:
        """Note a program that is run one by one; after too many of them nothing is sent ahead any more."""
        self.unjudged.append(source)
        if len(self.unjudged) > _MOST_UNJUDGED:
            self.off, self.unjudged = True, []

    @property
    def on(self) -> bool:
        """Whether calls are sent ahead at all."""
        return self._most > 1 and not self.off

    # -- what compiled programs call

    def loop(
        self, sources: tuple[Any, ...], view: Callable[..., Any], look: Look, calls_at_first: int, inside: bool
    ) -> Iterator[tuple[Plan | None, Any]]:
        """The items of a loop, each with its plan."""
        items = iter(view(*sources))
        if not self._may(inside) or not all(type(source) in _SOLID for source in sources):
            return zip(repeat(None), items)
        return zip(repeat(Plan(self, look(view(*sources)), calls_at_first)), items)

    def group(self, inside: bool, *wanted: Callable[[], WantedCall]) -> Plan | None:
        """The plan for a row of statements."""
        return Plan(self, ((one(),) for one in wanted), 0) if self._may(inside) else None

    def take(self, plan: Plan | None, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call of the program."""
        return function(*args, **kwargs) if plan is None else plan.take(function, args, kwargs)

    def _may(self, inside: bool) -> bool:
        return self.on and not (inside and self.functions_off)

    # -- what plans call

    def has_room(self, server: str, held: int) -> bool:
        """Whether one more call may be sent; `held` calls wait for the program."""
        return (
            self.scheduler.ahead < self._most
            and self._by_server.get(server, 0) < self._most_per_server
            and held < 2 * self._most
            and (held + 1) * self._largest < _HELD_BYTES
            and self.channel.calls_left > 0
        )

    def send(self, tool: Tool, arguments: dict[str, Any], arrive: Callable[[list[Any]], None]) -> bool:
        """Send a call; False where it cannot be sent."""
        try:
            number = self.channel.call(tool.name, arguments, hold=True)
        except ValueError:
            return False
        self.scheduler.call_ahead(number, arrive)
        self._by_server[tool.server] = self._by_server.get(tool.server, 0) + 1
        return True

    def arrived(self, server: str, message: list[Any]) -> None:
        """A call has returned."""
        self._by_server[server] = self._by_server.get(server, 1) - 1
        value = message[1]
        self._largest = max(self._largest, len(value) if isinstance(value, (str, list, dict)) else 0)


def _same(left: Any, right: Any) -> bool:
    """Whether two JSON values are written alike: `1 == True == 1.0`, but no tool takes them for the same."""
    kind = type(left)
    if kind is not type(right):
        return False
    if kind is dict:
        return list(left) == list(right) and all(map(_same, left.values(), right.values()))
    if kind is list:
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right) and (kind is not float or str(left) == str(right))


# -- what the reading ahead is made of


def plain(value: Any) -> Any:
    """`value`, where looking at it can have no effect."""
    if type(value) in _PLAIN:
        return value
    raise Unsure


def item(target: Any, key: Any) -> Any:
    """`target[key]`, likewise."""
    if type(target) in _INDEXED:
        return plain(target[key])
    raise Unsure


def solid(value: Iterable[Any]) -> Iterable[Any]:
    """`value`, where it can be iterated over twice."""
    if type(value) in _SOLID:
        return value
    raise Unsure


def method(target: Any, name: str, /, *args: Any) -> Any:
    """`target.name(...)` for methods that change nothing."""
    if name in PURE_METHODS.get(type(target), ()):
        return plain(getattr(target, name)(*args))
    raise Unsure
