"""What one client of the gateway has of its own: tools it loaded, a worker with its variables, its approvals."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from ...sandbox import Limits, Outcome, Sandbox
from ..approval import Approval, Approve
from ..episodes.episode import Episode
from ..episodes.journal import Journal
from ..episodes.store import EpisodeStore
from ..gate import Gate
from ..lanes import Lanes
from ..policies.base import PolicyIdentity
from ..runtime import Runtime
from ..view import MetaToolError, View
from .caller import Json
from .limits import GatewayLimits

_SHOWN_VARIABLES = 32
_SHAPE_CHARS = 200
_CALLS_SHOWN = 100


class Workbench:
    """State of one client over a runtime that all clients share. One program runs at a time; the next one waits."""

    def __init__(self, runtime: Runtime, approve: Approve, limits: GatewayLimits, *, unsafe: bool = False) -> None:
        self.used_at = time.monotonic()
        self.episode: Episode | None = None
        """The last task that was done for this client."""
        self._runtime, self._limits = runtime, limits
        self._view = View(runtime.registry, "search")
        self._approval = Approval(approve)
        self._budgets = Limits(max_source_bytes=limits.program_bytes, max_output_bytes=limits.result_bytes)
        self._sandbox: Sandbox | None = None
        self._unsafe = unsafe
        self._one_at_a_time = asyncio.Lock()
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a program is running."""
        return self._one_at_a_time.locked()

    @property
    def loaded(self) -> tuple[str, ...]:
        """Full names of the tools that this client loaded."""
        return tuple(self._view.shown)

    def search(self, query: str, k: int) -> list[str]:
        """A line for each tool found."""
        return self._view.search({"query": query, "k": k})

    def load(self, names: list[str]) -> list[str]:
        """The stubs of tools, or of all tools of a server. Raises `MetaToolError` for a name that nobody has."""
        try:
            self._view.load({"names": names})
        except MetaToolError:
            self._view.take_pending()
            raise
        return self._view.take_pending()

    async def run(self, program: str) -> Json:
        """Run a program; its variables are there for the next one."""
        async with self._one_at_a_time:
            with EpisodeStore(None) as store:
                journal = Journal.begin(store, "", PolicyIdentity("none"), {}, counting="exact", atlas="")
                lanes = Lanes(self._budgets.max_in_flight, self._budgets.max_in_flight_per_server)
                gate = Gate(self._view, self._approval, journal, lambda event: None, lanes=lanes)
                sandbox = self._open()
                gate.paused = sandbox.paused
                outcome = await sandbox.arun(
                    program, tools=self._view.schemas(), call=gate, now=lambda: gate.clock(time.time),
                    read_only=self._view.read_only(),
                )  # fmt: skip
        result = self._shown(outcome)
        if stubs := self._view.take_pending():
            result["loaded"] = stubs
        return result

    def close(self) -> None:
        """End the worker."""
        self._closed = True
        if self._sandbox is not None:
            self._sandbox.close()

    def _open(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(self._budgets, unsafe=self._unsafe)
            self._sandbox.__enter__()
        return self._sandbox

    def _shown(self, outcome: Outcome) -> Json:
        """What came of a program, within the size that a result may have."""
        error = outcome.error
        calls = [{"tool": call.tool, "ok": call.ok} for call in outcome.calls[:_CALLS_SHOWN]]
        shown: Json = {
            "status": outcome.status, "value": outcome.value, "output": outcome.output,
            "error": {"type": error.type, "message": error.message, "line": error.line} if error else None,
            "calls": calls,
            "variables": {
                name: shape[:_SHAPE_CHARS] for name, shape in list(outcome.variables.items())[:_SHOWN_VARIABLES]
            },
        }  # fmt: skip
        if outcome.lost:
            shown["lost_variables"] = list(outcome.lost)[:_SHOWN_VARIABLES]
        return bounded(shown, self._limits.result_bytes)


def bounded(result: Json, limit: int) -> Json:
    """`result` with its longest texts cut until it fits; what was cut says so."""
    cut = dict(result)
    for name in ("output", "value", "answer"):
        size = _size(cut)
        if size <= limit:
            return cut
        text = cut.get(name) if isinstance(cut.get(name), str) else json.dumps(cut.get(name), ensure_ascii=False)
        room = max(200, len(text or "") - (size - limit) - 200)
        if text and len(text) > room:
            cut[name] = _head(text, room)
            cut["cut"] = f"results are cut at {limit} bytes: keep values in variables, and print less"
    return cut


def _head(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))
