"""One request to an OpenAI-compatible endpoint: streaming, retries with backoff, and errors that name the endpoint."""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from .errors import EndpointBroken, EndpointDown, EndpointError, EndpointRefused, EndpointTimeout

_RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504, 529))
_SHOWN_CHARACTERS = 300
_LARGEST_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait and how often to try again."""

    connect_seconds: float = 10.0
    silence_seconds: float = 300.0
    """Longest wait for the next part of an answer."""
    attempts: int = 5
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0


class Wire:
    """The connection to one endpoint."""

    def __init__(self, base: str, headers: dict[str, str], patience: Patience) -> None:
        self.base = base.rstrip("/")
        self._patience = patience
        timeout = httpx.Timeout(patience.silence_seconds, connect=patience.connect_seconds)
        # A redirect is never followed: it could carry the key to another host.
        verify, trust_env = transport(base)
        self._client = httpx.AsyncClient(
            headers=headers, timeout=timeout, follow_redirects=False, verify=verify, trust_env=trust_env
        )
        self._random = random.Random()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """The JSON at `path`, or None where the endpoint does not have it; a connection error raises."""
        try:
            answer = await self._client.get(self.base + path)
        except httpx.HTTPError as error:
            raise self._transport_error(error) from None
        if answer.status_code != 200:
            return None
        try:
            return answer.json()
        except ValueError:
            return None

    async def chunks(self, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The JSON parts of a streamed answer; tried again while nothing of it has come."""
        for attempt in range(self._patience.attempts):
            begun = False
            try:
                async for chunk in self._once(path, body):
                    begun = True
                    yield chunk
                return
            except _Again as again:
                if begun or attempt + 1 >= self._patience.attempts:
                    raise again.error from None
                await asyncio.sleep(self._pause(attempt, again.after_seconds))

    async def _once(self, path: str, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        try:
            async with self._client.stream("POST", self.base + path, json=body) as answer:
                if answer.status_code != 200:
                    raise await self._status_error(answer)
                kind = answer.headers.get("content-type", "")
                if "event-stream" in kind:
                    async for chunk in self._events(answer):
                        yield chunk
                else:
                    yield await self._whole(answer, kind)
        except httpx.TimeoutException as error:
            raise self._transport_error(error) from None
        except httpx.HTTPError as error:
            raise _Again(self._transport_error(error)) from None

    async def _events(self, answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
        """Server-sent events up to `[DONE]`; a stream that just stops is an error."""
        finished = False
        async for line in answer.aiter_lines():
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                return
            chunk = self._parsed(data)
            finished = finished or _finishes(chunk)
            yield chunk
        if not finished:
            raise _Again(self._broken("its stream ended in the middle of the answer", "look into the server's log"))

    async def _whole(self, answer: httpx.Response, kind: str) -> dict[str, Any]:
        data = bytearray()
        async for part in answer.aiter_bytes():
            data += part
            if len(data) > _LARGEST_BODY_BYTES:
                raise self._broken("it sends without end", "check the address")
        text = data.decode("utf-8", "replace")
        if "html" in kind or text.lstrip()[:1] == "<":
            raise self._broken(
                "it answered with a web page instead of JSON",
                "check the address: most servers want http://host:port/v1#model",
            )
        return self._parsed(text)

    def _parsed(self, data: str) -> dict[str, Any]:
        try:
            chunk = json.loads(data)
        except ValueError:
            raise self._broken(f"it sent {shorten(data)!r} where JSON was expected", "check the address") from None
        if not isinstance(chunk, dict):
            raise self._broken(f"it sent {shorten(data)!r}", "check the address")
        if chunk.get("error"):
            raise EndpointRefused(
                f"{self.base} reported an error: {shorten(_error_text(chunk))}",
                where=self.base,
                mend="look into the server's log",
            )
        return chunk

    async def _status_error(self, answer: httpx.Response) -> Exception:
        await answer.aread()
        status = answer.status_code
        detail = "" if "html" in answer.headers.get("content-type", "") else shorten(_body_text(answer))
        error = EndpointRefused(
            f"{self.base} answered {status}{f': {detail}' if detail else ''}",
            where=self.base,
            mend=_mend(status),
            status=status,
        )
        return _Again(error, _retry_after(answer)) if status in _RETRIED else error

    def _transport_error(self, error: httpx.HTTPError) -> EndpointError:
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            return EndpointDown(
                f"no connection to {self.base}: {error or type(error).__name__}",
                where=self.base,
                mend="start the server, or check host and port",
            )
        if isinstance(error, httpx.TimeoutException):
            return EndpointTimeout(
                f"{self.base} sent nothing for {self._patience.silence_seconds:g} seconds",
                where=self.base,
                mend="wait until the server is free, or choose a smaller model",
            )
        return self._broken(f"the connection broke ({error or type(error).__name__})", "look into the server's log")

    def _broken(self, what: str, mend: str) -> EndpointBroken:
        return EndpointBroken(f"{self.base}: {what}", where=self.base, mend=mend)

    def _pause(self, attempt: int, after_seconds: float | None) -> float:
        """Exponential backoff with jitter; what the server asks for counts, up to the longest pause."""
        pause = self._patience.first_pause_seconds * 2.0**attempt * self._random.uniform(0.5, 1.0)
        return min(max(pause, after_seconds or 0.0), self._patience.longest_pause_seconds)


def transport(base: str) -> tuple[bool, bool]:
    """`verify` and `trust_env`: no certificates for plain HTTP, no proxy between us and this machine."""
    parts = urlsplit(base)
    return parts.scheme == "https", parts.hostname not in ("127.0.0.1", "localhost", "::1")


class _Again(Exception):
    """An error after which the request may be tried again."""

    def __init__(self, error: EndpointError, after_seconds: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


def shorten(text: str) -> str:
    """Text of a server for an error message: one line, printable, bounded."""
    clean = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    return clean if len(clean) <= _SHOWN_CHARACTERS else clean[:_SHOWN_CHARACTERS] + "..."


def _finishes(chunk: dict[str, Any]) -> bool:
    choices = chunk.get("choices")
    return (
        bool(choices)
        and isinstance(choices, list)
        and bool(isinstance(choices[0], dict) and choices[0].get("finish_reason"))
    )


def _error_text(body: dict[str, Any]) -> str:
    error = body.get("error", body.get("detail", body.get("message", "")))
    if isinstance(error, dict):
        error = error.get("message", error)
    return error if isinstance(error, str) else json.dumps(error)


def _body_text(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.text
    return _error_text(body) if isinstance(body, dict) else answer.text


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the server asks to wait, from a number or a date."""
    value = answer.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _mend(status: int) -> str:
    if status in (401, 403):
        return "set ATLAS_API_KEY to a key of this server"
    if status == 404:
        return "check the address and the model's name after #"
    if status == 429:
        return "wait, or ask for a higher rate limit"
    if 300 <= status < 400:
        return "give the address that it redirects to"
    return "look into the server's log" if status >= 500 else "check the model's name and the server's options"
