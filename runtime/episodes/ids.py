"""Identifiers of episodes: 26 characters that sort by time (the form known as ULID)."""

from __future__ import annotations

import secrets
import threading
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


_turn = threading.Lock()
_last = 0


def new_id() -> str:
    """48 bits of milliseconds since 1970, then 80 random bits; always larger than the one before in this process."""
    global _last
    with _turn:
        number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
        if number <= _last:  # in the same millisecond, or after the clock was set back
            number = _last + 1 + secrets.randbits(64)
        _last = number
    return "".join(_DIGITS[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
