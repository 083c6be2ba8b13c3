"""Counting prompt tokens of an endpoint: by its own tokenizer where it has one, else by an upper bound.

The bound is the number of UTF-8 bytes (no tokenizer makes more tokens than bytes) plus an allowance for the template. Each
reply reports the exact size of its prompt, after which only the messages added since are estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from .http_wire import transport

OPENING_TOKENS = 24
MESSAGE_TOKENS = 12
_SECONDS = 5.0
_REMEMBERED_TEXTS = 512


class EndpointCounter:
    """Counts texts with the first tokenising route that answers; None once it is known that there is none."""

    def __init__(self, base: str, model: Callable[[], str], headers: dict[str, str]) -> None:
        self._root = _root(base)
        self._base = base.rstrip("/")
        self._model = model
        verify, trust_env = transport(base)
        self._client = httpx.Client(
            headers=headers, timeout=_SECONDS, follow_redirects=False, verify=verify, trust_env=trust_env
        )
        self._route: str | None = None
        self._missing = False
        self._count = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._ask)

    @property
    def available(self) -> bool:
        """True once the endpoint has counted, until it fails to."""
        return self._route is not None and not self._missing

    @property
    def tried(self) -> bool:
        """True once it is known whether the endpoint counts."""
        return self._route is not None or self._missing

    def count(self, text: str) -> int | None:
        """Tokens of `text` without template, or None where the endpoint cannot tell."""
        if self._missing or not text:
            return None if self._missing else 0
        try:
            return self._count(text)
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            self._missing = True
            return None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, text: str) -> int:
        routes = (
            [self._route]
            if self._route
            else [f"{self._root}/tokenize", f"{self._root}/extras/tokenize/count", f"{self._base}/tokenize"]
        )
        for route in routes:
            answer = self._client.post(route, json=self._body(text))
            count = _counted(answer)
            if count is not None:
                self._route = route
                return count
        raise ValueError("no tokenising route")

    def _body(self, text: str) -> dict[str, Any]:
        """One body that llama-server, vLLM and llama-cpp-python all understand."""
        return {
            "content": text,
            "prompt": text,
            "input": text,
            "model": self._model(),
            "add_special": False,
            "add_special_tokens": False,
            "parse_special": False,
        }


def _counted(answer: httpx.Response) -> int | None:
    if answer.status_code != 200:
        return None
    try:
        body = answer.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    count, tokens = body.get("count"), body.get("tokens")
    if isinstance(count, int):
        return count
    return len(tokens) if isinstance(tokens, list) else None


def _root(base: str) -> str:
    """The server's address without the `/v1` of its OpenAI part."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path.removesuffix("/v1"), "", ""))


def bound(texts: Sequence[str], count: Callable[[str], int | None]) -> int:
    """Tokens of these messages: counted, or at most their bytes, plus the template's allowance."""
    return sum(MESSAGE_TOKENS + _tokens(text, count) for text in texts)


def _tokens(text: str, count: Callable[[str], int | None]) -> int:
    counted = count(text)
    return len(text.encode("utf-8", "replace")) if counted is None else counted
