"""Clients that are not heard of any more: their sessions end by the clock, and busy ones do not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcp.shared.exceptions import MCPError

from atlas.runtime.gateway.caller import Caller
from atlas.runtime.gateway.clients import Clients
from atlas.runtime.gateway.limits import GatewayLimits

IDLE = 1_800.0


class Bench:
    """Stands for a workbench."""

    def __init__(self) -> None:
        self.used_at, self.busy, self.closed = 0.0, False, False

    def close(self) -> None:
        self.closed = True


class Timer:
    """What the event loop would call after a while."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, callback: Callable[[], None]) -> Any:
        entry = (self.now + seconds, callback)
        self.due.append(entry)
        return SimpleNamespace(cancel=lambda: self.due.remove(entry) if entry in self.due else None)

    def go_on(self, seconds: float) -> None:
        """Let time pass, and call what becomes due on the way."""
        end = self.now + seconds
        while self.due and min(self.due, key=lambda entry: entry[0])[0] <= end:
            entry = min(self.due, key=lambda entry: entry[0])
            self.due.remove(entry)
            self.now = entry[0]
            entry[1]()
        self.now = end


class Gateway:
    """Clients over HTTP that stand each for itself, with a clock of the test."""

    def __init__(self, most: int = 16) -> None:
        self.timer, self.benches = Timer(), list[Bench]()
        limits = GatewayLimits(clients=most, idle_seconds=IDLE)
        self.clients = Clients(
            cast(Any, self.make), limits, many_clients=True, clock=lambda: self.timer.now, later=self.timer.later
        )

    def make(self) -> Bench:
        self.benches.append(Bench())
        return self.benches[-1]

    def ask(self, session: str | None = None) -> str:
        """A request; the session number that it gets."""
        _, number = self.clients.of(cast(Caller, SimpleNamespace(modern=True)), session)
        assert number is not None
        return number


def test_a_client_that_is_heard_of_keeps_its_session() -> None:
    gateway = Gateway()
    number = gateway.ask()
    for _ in range(5):
        gateway.timer.go_on(IDLE - 1)
        assert gateway.ask(number) == number
    assert len(gateway.benches) == 1 and not gateway.benches[0].closed


def test_a_client_that_is_not_heard_of_is_forgotten_with_its_worker() -> None:
    gateway = Gateway()
    number = gateway.ask()
    gateway.timer.go_on(IDLE)
    with pytest.raises(MCPError, match="ended session"):
        gateway.ask(number)
    assert gateway.benches[0].closed


def test_its_worker_ends_soon_also_where_nobody_asks_for_anything() -> None:
    gateway = Gateway()
    gateway.ask()
    gateway.timer.go_on(IDLE - 1)
    assert not gateway.benches[0].closed
    gateway.timer.go_on(IDLE / 4 + 1)
    assert gateway.benches[0].closed


def test_a_client_whose_program_runs_is_not_forgotten() -> None:
    gateway = Gateway()
    number = gateway.ask()
    gateway.benches[0].busy = True
    gateway.timer.go_on(3 * IDLE)
    assert gateway.ask(number) == number and not gateway.benches[0].closed


def test_only_those_that_are_idle_are_forgotten() -> None:
    gateway = Gateway()
    first = gateway.ask()
    gateway.timer.go_on(IDLE / 2)
    second = gateway.ask()
    gateway.timer.go_on(IDLE / 2)
    assert gateway.ask(second) == second
    with pytest.raises(MCPError):
        gateway.ask(first)
    assert [bench.closed for bench in gateway.benches] == [True, False]


def test_a_full_house_has_room_again_when_one_is_forgotten() -> None:
    gateway = Gateway(most=2)
    for _ in range(2):
        gateway.ask()
        gateway.benches[-1].busy = True
    with pytest.raises(MCPError, match="clients are served already"):
        gateway.ask()
    gateway.benches[0].busy = False
    gateway.timer.go_on(IDLE)
    gateway.ask()
    assert [bench.closed for bench in gateway.benches] == [True, False, False]


def test_a_gateway_that_ends_leaves_no_timer_and_no_worker() -> None:
    gateway = Gateway()
    gateway.ask()
    gateway.clients.close()
    assert gateway.benches[0].closed and not gateway.timer.due
