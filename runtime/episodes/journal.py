"""Writes one episode as it happens. A call is on disk before it is sent, and its return before the program sees it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import EpisodeError
from .codec import clean, pack_floats, pack_ids, to_text
from .episode import ContextUse
from .ids import new_id
from .owner import this_process
from .store import EpisodeStore

if TYPE_CHECKING:
    from ...sandbox import Outcome
    from ...tools_registry.tool import Tool
    from ..policies.base import PolicyIdentity, Proposal
    from .rows import EpisodeRow


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one turn added to the conversation."""

    role: str
    text: str
    ids: list[int] | None
    row_start: bool
    tokens: int
    in_view: tuple[str, ...]


class Place(NamedTuple):
    """Where a call stands: its number in the episode, its turn, and its position among the calls of the turn."""

    number: int
    turn: int
    position: int


@lru_cache(maxsize=1_000)
def offer_hash(tool: Tool) -> str:
    """Short hash of a tool's description and input schema: decisions are bound to them."""
    return hashlib.sha256(to_text([tool.description, tool.input_schema]).encode("utf-8", "replace")).hexdigest()[:16]


class Journal:
    """The writing end of one episode."""

    def __init__(self, store: EpisodeStore, episode: str, *, calls: int = 0, completed: int = 0) -> None:
        self.store = store
        self.episode = episode
        self.calls = calls
        """Number of the last call."""
        self.completed = completed
        self._times: list[tuple[int, int, float]] = []

    @classmethod
    def begin(
        cls, store: EpisodeStore, task: str, identity: PolicyIdentity, settings: Mapping[str, Any], *,
        counting: str, atlas: str, parent: str | None = None, forked_at: int | None = None, split: str | None = None,
    ) -> Journal:  # fmt: skip
        """A new episode."""
        identifier = new_id()
        with store.guarded():
            store.connection.execute(
                "INSERT INTO episodes (id, parent, forked_at, atlas, created_at, owner, task, model, base_hash, adapter,"
                " adapter_hash, policy_version, counting, settings, split) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (identifier, parent, forked_at, atlas, time.time(), this_process(), task, identity.model,
                 identity.base_hash, identity.adapter, identity.adapter_hash, identity.version, counting,
                 to_text(settings), split),
            )  # fmt: skip
        return cls(store, identifier)

    @classmethod
    def go_on(cls, store: EpisodeStore, seen: EpisodeRow) -> Journal:
        """The journal of an interrupted episode, owned by this process from now on.

        Raises `EpisodeError` where another has taken it since it was `seen`; what was read of it before may be old.
        """
        with store.transaction() as connection:
            taken = connection.execute(
                "UPDATE episodes SET status = NULL, error = NULL, finished_at = NULL, owner = ?"
                " WHERE id = ? AND status IS ? AND owner IS ?",
                (this_process(), seen.id, seen.status, seen.owner),
            )
            if not taken.rowcount:
                raise EpisodeError(
                    f"episode {seen.id} has been taken up by another resume", where=seen.id,
                    mend="`atlas episodes show` says how it goes on",
                )  # fmt: skip
            row = connection.execute(
                "SELECT coalesce(max(number), 0), coalesce(max(completed), 0) FROM calls WHERE episode = ?", (seen.id,)
            ).fetchone()
        return cls(store, seen.id, calls=row[0], completed=row[1])

    def turn(
        self, number: int, prompt: Prompt, proposal: Proposal, program: str | None, kind: str, thinking: str | None
    ) -> None:
        """The policy has replied."""
        self._write(
            "INSERT INTO turns (episode, turn, created_at, role, prompt_text, row_start, prompt_ids, prompt_tokens, in_view,"
            " reply_text, reply_ids, logprobs, logprobs_at_temperature, sampler, constrained, finish, generated_tokens,"
            " propose_seconds, program, reply_kind, thinking) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (self.episode, number, time.time(), prompt.role, clean(prompt.text), prompt.row_start, pack_ids(prompt.ids),
             prompt.tokens, to_text(prompt.in_view), clean(proposal.text), pack_ids(proposal.token_ids),
             pack_floats(proposal.logprobs), pack_floats(proposal.logprobs_at_temperature), to_text(proposal.sampler),
             to_text(proposal.constrained), proposal.finish, proposal.generated_tokens, proposal.seconds,
             clean(program), kind, clean(thinking)),
        )  # fmt: skip

    def program_ended(self, number: int, outcome: Outcome | None, result: str, loaded: Sequence[str]) -> None:
        """The program of a turn has ended; `outcome` is None where the reply held none."""
        error = outcome.error if outcome else None
        self._write(
            "UPDATE turns SET status = ?, error = ?, output = ?, value = ?, answered = ?, program_seconds = ?,"
            " peak_rss_mb = ?, variables = ?, result_text = ?, loaded = ?, finished_at = ? WHERE episode = ? AND turn = ?",
            (outcome.status if outcome else "no_program",
             to_text({"type": error.type, "message": error.message, "line": error.line}) if error else None,
             clean(outcome.output) if outcome else None, to_text(outcome.value) if outcome else None,
             bool(outcome and outcome.answered), outcome.seconds if outcome else None,
             outcome.peak_rss_mb if outcome else None, to_text(outcome.variables) if outcome else None,
             clean(result), to_text(list(loaded)), time.time(), self.episode, number),
        )  # fmt: skip

    def next_call(self) -> int:
        """The number of a new call, in the order in which the program made them."""
        self.calls += 1
        return self.calls

    def call_sent(
        self, place: Place, tool: str, arguments: Mapping[str, Any], *,
        schema: str, repeatable: bool, decision: str | None, decided_by: str | None,
    ) -> None:  # fmt: skip
        """Committed before the call leaves this process; a call that is repeated counts one more attempt."""
        self._write(
            "INSERT INTO calls (episode, number, turn, position, tool, arguments, schema_hash, repeatable, decision,"
            " decided_by, sent_at, attempts) VALUES (?,?,?,?,?,?,?,?,?,?,?,1) ON CONFLICT (episode, number) DO UPDATE SET"
            " sent_at = excluded.sent_at, attempts = attempts + 1",
            (self.episode, *place, tool, to_text(arguments), schema, repeatable, decision, decided_by, time.time()),
        )

    def call_returned(self, number: int, value: Any) -> None:
        """Committed before the program sees the value."""
        self.completed += 1
        self._write(
            "UPDATE calls SET returned_at = ?, completed = ?, ok = 1, value = ? WHERE episode = ? AND number = ?",
            (time.time(), self.completed, to_text(value), self.episode, number),
        )

    def call_failed(self, number: int, kind: str, message: str) -> None:
        """The tool failed; committed before the program sees the error."""
        self.completed += 1
        self._write(
            "UPDATE calls SET returned_at = ?, completed = ?, ok = 0, error_kind = ?, error_message = ?"
            " WHERE episode = ? AND number = ?",
            (time.time(), self.completed, kind, clean(message), self.episode, number),
        )

    def call_settled(
        self, place: Place, tool: str, arguments: Mapping[str, Any], *, ok: bool, value: Any = None,
        kind: str | None = None, message: str | None = None, schema: str = "",
        decision: str | None = None, decided_by: str | None = None,
    ) -> None:  # fmt: skip
        """A call that never left this process: refused before it was sent, or answered by the runtime itself."""
        self.completed += 1
        self._write(
            "INSERT OR REPLACE INTO calls (episode, number, turn, position, tool, arguments, schema_hash, repeatable,"
            " decision, decided_by, returned_at, completed, ok, value, error_kind, error_message)"
            " VALUES (?,?,?,?,?,?,?,1,?,?,?,?,?,?,?,?)",
            (self.episode, *place, tool, to_text(arguments), schema, decision, decided_by, time.time(),
             self.completed, ok, to_text(value) if ok else None, kind, clean(message)),
        )  # fmt: skip

    def time_read(self, turn: int, position: int, value: float) -> None:
        """What the clock said to a program; on disk with the next row, before anything that follows from it leaves."""
        self._times.append((turn, position, value))

    def progress(self, context: ContextUse, seconds: float, servers_started: Sequence[str]) -> None:
        """Running totals, so that an episode whose process dies has them too."""
        self._write(
            "UPDATE episodes SET peak = ?, total_prompt = ?, generated = ?, seconds = ?, servers_started = ? WHERE id = ?",
            (context.peak, context.total_prompt, context.generated, seconds, to_text(list(servers_started)), self.episode),
        )

    def finish(self, status: str, answer: Any, *, seconds: float, error: str | None, notes: Sequence[str]) -> None:
        """The run is over."""
        self._write(
            "UPDATE episodes SET status = ?, answer = ?, error = ?, seconds = ?, finished_at = ?, notes = ? WHERE id = ?",
            (status, to_text(answer), clean(error), seconds, time.time(), to_text(list(notes)), self.episode),
        )

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        if not self._times:
            with self.store.guarded():
                self.store.connection.execute(statement, values)
            return
        with self.store.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO times VALUES (?,?,?,?)", [(self.episode, *one) for one in self._times]
            )
            connection.execute(statement, values)
        self._times.clear()
