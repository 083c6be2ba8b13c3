"""What a client of the gateway may use up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Bounds that hold for every client, however it behaves."""

    clients: int = 16
    """Clients with state of their own at once; one more is refused."""
    idle_seconds: float = 1_800.0
    """A client that was not heard of for so long is forgotten, with its worker and its connections."""
    answer_seconds: float = 600.0
    """How long a call waits for the client's answer to a question before it is given up."""
    parked_calls: int = 64
    """Calls of all 2026-07-28 clients that wait for an answer at once."""
    program_bytes: int = 65_536
    result_bytes: int = 65_536
    """What one tool call of the four returns at most, as JSON; the rest stays in the program's variables."""
    request_bytes: int = 4_194_304
    """Body of one HTTP request."""
