"""Results of MCP calls as native Python values.

Structured content where the server gives it (without the `{"result": ...}` that the SDK puts around values that are no
objects), else text that is JSON as the value it says, else the text. Several blocks make a list. An image, a sound or a
binary resource becomes a handle, and so does what is too large (see `keeping`). Structured content that does not fit the
schema which its tool declares is not used: the text beside it is, where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .errors import ToolFailed
from .keeping import KEPT_BYTES, Keep, blob_handle, file_handle

RESULT_BYTES = 4_000_000
_PREFIX = re.compile(r"^Error executing tool [^\n:]{1,200}: ")
_KIND = re.compile(r"\s*\[([a-z_]{2,24})\]\s*$")
_ERROR_CHARS = 2_000


def native(
    result: Any,
    *,
    tool: str,
    output_schema: dict[str, Any] | None = None,
    limit_bytes: int = RESULT_BYTES,
    own: bool = False,
    keep: Keep | None = None,
    wrong: Callable[[object], str | None] = lambda value: None,
    on_warning: Callable[[str], None] = lambda line: None,
) -> object:
    """The value of a `CallToolResult`. Raises `ToolFailed` where the tool reported an error or said too much.

    `own` marks a server of this process, whose error texts end with their kind in brackets. `keep` writes what is too large
    for a program to a file; without it, that is an error. `wrong` judges structured content.
    """
    if result.is_error:
        raise _failure(result, tool, own)
    value = _structured(result, tool, output_schema, wrong, on_warning) if _is_structured(result) else _NOTHING
    if value is _NOTHING:
        value = _from_blocks(result.content, keep)
    return sized(value, tool, limit_bytes, keep)


_NOTHING = object()


def _structured(
    result: Any, tool: str, output_schema: dict[str, Any] | None, wrong: Callable[[object], str | None],
    on_warning: Callable[[str], None],
) -> Any:  # fmt: skip
    problem = wrong(result.structured_content)
    if problem is None:
        return _unwrapped(result, output_schema)
    said = f"the result of {tool} does not fit its outputSchema: {problem}"
    if not result.content:
        raise ToolFailed(f"{said}; the call was made", kind="invalid_result", where=tool, mend="tell the server's makers")
    on_warning(f"{said}; its text is used instead")
    return _NOTHING


def _is_structured(result: Any) -> bool:
    return result.structured_content is not None or (
        "structured_content" in result.model_fields_set and not result.content
    )


def _unwrapped(result: Any, output_schema: dict[str, Any] | None) -> Any:
    value = result.structured_content
    properties = (output_schema or {}).get("properties")
    wrapped = isinstance(properties, dict) and list(properties) == ["result"]
    return value["result"] if wrapped and isinstance(value, dict) and list(value) == ["result"] else value


def _from_blocks(blocks: list[Any], keep: Keep | None) -> Any:
    values = [native_block(block, keep) for block in blocks]
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def native_block(block: Any, keep: Keep | None) -> Any:
    """One content block as a native value."""
    if block.type == "text":
        return from_text(block.text)
    if block.type in ("image", "audio"):
        return blob_handle(block.type, block.data, block.mime_type, keep)
    if block.type == "resource_link":
        return {"kind": "link", "uri": str(block.uri), "name": block.name, "mime_type": block.mime_type}
    if block.type == "resource":
        return from_resource(block.resource, keep)
    return {"kind": str(block.type)}


def from_resource(resource: Any, keep: Keep | None = None) -> dict[str, Any]:
    """A resource as a dict with its text, or with the handle of its bytes."""
    said = {"kind": "resource", "uri": str(resource.uri), "mime_type": resource.mime_type}
    text = getattr(resource, "text", None)
    if text is not None:
        return {**said, "text": text}
    return {**said, **blob_handle("resource", resource.blob, resource.mime_type, keep)}


def from_text(text: str) -> Any:
    """The JSON value that a text is, else the text; a number counts only in its usual spelling (`007` stays text)."""
    stripped = text.strip()
    if not stripped or stripped[0] not in '{["-0123456789tfn':
        return text
    try:
        value = json.loads(stripped, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, int | float) and not isinstance(value, bool) and json.dumps(value) != stripped:
        return text
    return without_surrogates(value) if "\\u" in stripped else value


def _refuse(word: str) -> Any:
    raise ValueError(word)


def without_surrogates(value: Any) -> Any:
    """JSON without half characters, which no file, terminal or tokenizer takes; escapes can make them.

    By way of its text, which may be nested as deeply as `json` reads it.
    """
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def check_size(value: Any, tool: str, limit_bytes: int) -> None:
    """Raise `ToolFailed` where a result is larger than `limit_bytes`, or no plain value."""
    sized(value, tool, limit_bytes, None)


def sized(value: Any, tool: str, limit_bytes: int, keep: Keep | None) -> Any:
    """A value within `limit_bytes` as it is, a larger one as a handle. Raises `ToolFailed` where it cannot be kept.

    What counts are the bytes in which a program is sent it: JSON, where an accent takes two and a line's end, too.
    """
    try:
        sent = json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError, TypeError) as error:
        raise ToolFailed(f"the result is no plain value: {error}", kind="failed", where=tool) from None
    text, size = (value, _utf8_bytes(sent) - 2) if isinstance(value, str) else (sent, _utf8_bytes(sent))
    if size <= limit_bytes:
        return value
    if keep is None:
        raise _too_large(size, limit_bytes, tool)
    kept = _utf8_bytes(text)
    if kept > max(limit_bytes, KEPT_BYTES):
        raise _too_large(kept, max(limit_bytes, KEPT_BYTES), tool)
    try:
        return file_handle(value, text, keep)
    except OSError as error:
        raise ToolFailed(f"the result of {_megabytes(kept)} cannot be kept: {error}", kind="too_large", where=tool,
                         mend="ask for less, or make room on the disk") from None


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _too_large(size: int, most: int, tool: str) -> ToolFailed:
    return ToolFailed(
        f"the result is {_megabytes(size)}, more than the limit of {_megabytes(most)}",
        kind="too_large", where=tool, mend="ask for less: a filter, a page or a range",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"


def _failure(result: Any, tool: str, own: bool) -> ToolFailed:
    texts = [block.text for block in result.content if block.type == "text"]
    if not texts and result.structured_content is not None:
        texts = [json.dumps(result.structured_content, ensure_ascii=False)]
    message = _PREFIX.sub("", "\n".join(texts).strip()) or "the tool reported an error without a text"
    kind = "failed"
    if own and (match := _KIND.search(message)):
        kind, message = match.group(1), message[: match.start()]
    if len(message) > _ERROR_CHARS:
        message = f"{message[:_ERROR_CHARS]}..."
    return ToolFailed(message, kind=kind, where=tool)
