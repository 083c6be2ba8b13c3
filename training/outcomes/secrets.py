"""Secrets in what a policy wrote: such replies are never learned, because a model can repeat what it was trained on."""

from __future__ import annotations

from ...runtime.episodes.redact import Redaction
from ...runtime.episodes.rows import Record


class SecretFinder:
    """Finds replies that hold something with the form of a secret, or the value of a secret environment variable."""

    def __init__(self, redaction: Redaction | None = None) -> None:
        self._redaction = redaction or Redaction()

    def turns(self, record: Record) -> list[int]:
        """Numbers of the turns whose reply (thinking included) holds a secret."""
        return [turn.turn for turn in record.turns if self._holds(turn.reply_text) or self._holds(turn.thinking or "")]

    def _holds(self, text: str) -> bool:
        return self._redaction.text(text) != text
