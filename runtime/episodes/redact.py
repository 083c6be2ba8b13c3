"""Blots out what looks like a secret; a turn whose text changed loses its token ids, because they would still hold it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

MARK = "[redacted]"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"\bsk-[A-Za-z0-9_-]{16,}",
        r"\b(?:gh[opsur]_|github_pat_|glpat-|hf_|npm_|pypi-|dop_v1_)[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\bey[A-Za-z0-9_-]{10,}\.ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
    )
)
_AFTER = (
    # what stays in front, and the secret behind it
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)([A-Za-z0-9._~+/-]{12,}=*)"),
    re.compile(r"(://[^/\s:@'\"]+:)([^/\s@'\"]+)(?=@)"),
    re.compile(
        r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|auth|credential)s?['\"]?\s*[:=]\s*\\?['\"]?)"
        r"([^\s'\"\\,;}{)(\[\]]{6,})"
    ),
)
_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|credential")
_SHORTEST_VALUE = 8
_IDS = ("prompt_ids", "reply_ids", "logprobs", "logprobs_at_temperature")


class Redaction:
    """Finds secrets by their form, and by being the value of an environment variable that is named like one."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        values = (os.environ if environment is None else environment).items()
        known = {value for name, value in values if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_VALUE}
        self._known = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` without its secrets."""
        for value in self._known:
            text = text.replace(value, MARK)
        for pattern in _PATTERNS:
            text = pattern.sub(MARK, text)
        for pattern in _AFTER:
            text = pattern.sub(lambda found: found.group(1) + MARK, text)
        return text

    def value(self, value: Any) -> Any:
        """The same for every text inside a JSON value; a text behind a name such as `password` goes altogether."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self._named(str(key), item) for key, item in value.items()}
        return value

    def _named(self, name: str, value: Any) -> Any:
        secret = _SECRET_NAME.search(name) and isinstance(value, str) and name not in _OWN_NAMES
        return MARK if secret and len(str(value)) >= 4 else self.value(value)

    def document(self, document: dict[str, Any]) -> dict[str, Any]:
        """An exported episode without its secrets."""
        turns = [self._row(turn) for turn in document["turns"]]
        broken = False
        for before, turn in zip(document["turns"], turns, strict=True):
            changed = any(turn[name] != before[name] for name in ("prompt_text", "reply_text", "thinking"))
            broken = changed or (broken and not turn["row_start"])  # later prompts of the row begin with this text
            if broken:
                _drop_ids(turn)
        episode = self._row(document["episode"])
        calls = [self._row(call) for call in document["calls"]]
        if episode["settings"].get("system") != document["episode"]["settings"].get("system"):
            for turn in turns:
                _drop_ids(turn)
        return document | {"episode": episode, "turns": turns, "calls": calls, "redacted": True}

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        """Columns keep their names; only what they hold is searched."""
        return {name: self.value(value) if name not in _IDS else value for name, value in row.items()}


def _drop_ids(turn: dict[str, Any]) -> None:
    """Take the ids out of a turn, also those of the whole prompt that some endpoints return."""
    turn.update(dict.fromkeys(_IDS))
    turn["sampler"] = {name: value for name, value in turn["sampler"].items() if name not in _IDS}


_OWN_NAMES = frozenset(("prompt_tokens", "generated_tokens", "output_tokens", "total_prompt"))
"""Names of Atlas's own that sound like secrets."""
