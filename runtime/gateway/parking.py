"""Calls of 2026-07-28 clients that wait for an answer: kept alive between two requests, and found again by a token."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from .caller import Caller, Json
from .limits import GatewayLimits

Work = Callable[[Caller], Awaitable[Json]]


class _Call:
    """One call: a task that may ask, and the questions that are open."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.open: dict[str, tuple[Json, asyncio.Future[Json]]] = {}
        self.asked = asyncio.Event()
        self.task: asyncio.Task[Json]
        self.expiry: asyncio.TimerHandle | None = None
        self._count = 0

    async def question(self, method: str, params: Mapping[str, Any]) -> Json:
        self._count += 1
        key = f"question-{self._count}"
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.open[key] = {"method": method, "params": dict(params)}, answer
        self.asked.set()
        try:
            return await answer
        finally:
            self.open.pop(key, None)

    def answer(self, answers: object) -> None:
        """Hand in what the client answered; questions that it left out stay open."""
        given = answers if isinstance(answers, Mapping) else {}
        for key, (_, future) in list(self.open.items()):
            if isinstance(given.get(key), Mapping) and not future.done():
                future.set_result(dict(given[key]))

    def unanswered(self) -> dict[str, Json]:
        """The open questions."""
        return {key: question for key, (question, future) in self.open.items() if not future.done()}


class Parking:
    """Serves calls that may ask; close it at the end, when what still waits is given up."""

    def __init__(self, limits: GatewayLimits) -> None:
        self._limits = limits
        self._parked: dict[str, _Call] = {}
        self._tasks: set[asyncio.Task[Json]] = set()

    async def serve(self, caller: Caller, params: Mapping[str, Any], work: Work) -> Json:
        """The result of `work`, or its questions as an `input_required` result; the next request brings the answers."""
        if not caller.modern:
            return await work(caller)
        state = params.get("requestState")
        call = self._begin(caller, work) if state is None else self._go_on(caller, state, params.get("inputResponses"))
        try:
            return await self._result(call)
        except asyncio.CancelledError:  # the client went away
            call.task.cancel()
            raise

    async def close(self) -> None:
        """Give up every call that still waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, caller: Caller, work: Work) -> _Call:
        call = _Call(caller)
        caller.question = call.question
        call.task = asyncio.ensure_future(work(caller))
        self._tasks.add(call.task)
        call.task.add_done_callback(self._ended)
        return call

    def _go_on(self, caller: Caller, state: object, answers: object) -> _Call:
        call = self._parked.pop(state, None) if isinstance(state, str) else None
        if call is None:
            raise MCPError(code=INVALID_PARAMS, message="unknown or expired requestState: make the call anew")
        if call.expiry is not None:
            call.expiry.cancel()
        call.caller.context = caller.context
        call.asked.clear()
        call.answer(answers)
        return call

    async def _result(self, call: _Call) -> Json:
        if not call.unanswered():
            asked = asyncio.ensure_future(call.asked.wait())
            try:
                await asyncio.wait({call.task, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
        if call.task.done():
            return call.task.result()
        return self._park(call)

    def _park(self, call: _Call) -> Json:
        if len(self._parked) >= self._limits.parked_calls:
            call.task.cancel()
            raise MCPError(code=INTERNAL_ERROR, message="too many calls wait for an answer: answer some, or try later")
        token = secrets.token_urlsafe(24)
        self._parked[token] = call
        call.expiry = asyncio.get_running_loop().call_later(self._limits.answer_seconds, self._expire, token)
        return {"resultType": "input_required", "inputRequests": call.unanswered(), "requestState": token}

    def _expire(self, token: str) -> None:
        call = self._parked.pop(token, None)
        if call is not None:
            call.task.cancel()

    def _ended(self, task: asyncio.Task[Json]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved: nobody may be waiting any more
