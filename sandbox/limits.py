"""What one program may use up."""

from __future__ import annotations

from dataclasses import dataclass, fields

_MAY_BE_ZERO = frozenset({"max_calls", "max_output_bytes"})


@dataclass(frozen=True, slots=True)
class Limits:
    """Budgets of each program run in a sandbox; memory belongs to the worker, and so to all its programs together."""

    wall_seconds: float = 30.0
    """From start to end, tool calls included (`Sandbox.paused()` stops this clock)."""
    memory_mb: float = 128.0
    """What the worker may map beyond an empty interpreter."""
    max_calls: int = 1_000
    max_output_bytes: int = 65_536
    """UTF-8 bytes of printed text, with the value of a trailing expression."""
    max_in_flight: int = 100
    """Calls that are sent ahead of a program at most, all servers together; 1 runs it one by one."""
    max_in_flight_per_server: int = 50
    cpu_seconds: float = 10.0
    max_source_bytes: int = 65_536
    max_nodes: int = 20_000
    """Nodes of the program's syntax tree."""
    max_result_bytes: int = 1_048_576
    """JSON bytes of the answer, or of the value of a trailing expression."""
    max_sent_bytes: int = 33_554_432
    """Bytes of the arguments of all calls of a program together: the host keeps them for its record."""
    max_frame_bytes: int = 4_194_304
    """Bytes of one message between host and worker: a call's arguments, or a tool's result."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.name.startswith("max_")
            if type(value) is not int and (whole or type(value) is not float):
                raise ValueError(f"Limits.{field.name} must be a {'whole ' if whole else ''}number, not {value!r}")
            if not (0 < value < 2**40 or (value == 0 and field.name in _MAY_BE_ZERO)):
                raise ValueError(f"Limits.{field.name} must be a positive number, not {value!r}")
