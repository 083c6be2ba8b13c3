"""Identifiers of episodes: 26 characters that sort by time (the form known as ULID)."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


def new_id() -> str:
    """48 bits of milliseconds since 1970, then 80 random bits."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(_DIGITS[(number >> shift) & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
