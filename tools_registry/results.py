"""Results of MCP calls as native Python values.

Structured content where the server gives it (without the `{"result": ...}` that the SDK puts around values that are no
objects), else text that is JSON as the value it says, else the text. Several blocks make a list. An image, a sound or a
binary resource becomes a small dict that says what it is and how large: a program has no use for its bytes.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import ToolFailed

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
) -> object:
    """The value of a `CallToolResult`. Raises `ToolFailed` where the tool reported an error or said too much.

    `own` marks a server of this process, whose error texts end with their kind in brackets.
    """
    if result.is_error:
        raise _failure(result, tool, own)
    value = _unwrapped(result, output_schema) if _is_structured(result) else _from_blocks(result.content)
    _check_size(value, tool, limit_bytes)
    return value


def _is_structured(result: Any) -> bool:
    return result.structured_content is not None or (
        "structured_content" in result.model_fields_set and not result.content
    )


def _unwrapped(result: Any, output_schema: dict[str, Any] | None) -> Any:
    value = result.structured_content
    properties = (output_schema or {}).get("properties")
    wrapped = isinstance(properties, dict) and list(properties) == ["result"]
    return value["result"] if wrapped and isinstance(value, dict) and list(value) == ["result"] else value


def _from_blocks(blocks: list[Any]) -> Any:
    values = [_from_block(block) for block in blocks]
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _from_block(block: Any) -> Any:
    if block.type == "text":
        return from_text(block.text)
    if block.type in ("image", "audio"):
        return {"kind": block.type, "mime_type": block.mime_type, "bytes": _decoded_size(block.data)}
    if block.type == "resource_link":
        return {"kind": "link", "uri": str(block.uri), "name": block.name, "mime_type": block.mime_type}
    if block.type == "resource":
        resource = block.resource
        handle = {"kind": "resource", "uri": str(resource.uri), "mime_type": resource.mime_type}
        text = getattr(resource, "text", None)
        return {**handle, "text": text} if text is not None else {**handle, "bytes": _decoded_size(resource.blob)}
    return {"kind": str(block.type)}


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
    return _without_surrogates(value) if "\\u" in stripped else value


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _without_surrogates(value: Any) -> Any:
    """Escapes in JSON can make half characters, which no file, terminal or tokenizer takes."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _decoded_size(data: str) -> int:
    return len(data) * 3 // 4 - data[-2:].count("=")


def _check_size(value: Any, tool: str, limit_bytes: int) -> None:
    try:
        size = len(value) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False))
    except (RecursionError, ValueError, TypeError) as error:
        raise ToolFailed(f"the result is no plain value: {error}", kind="failed", where=tool) from None
    if size > limit_bytes:
        raise ToolFailed(
            f"the result is {_megabytes(size)}, more than the limit of {_megabytes(limit_bytes)}",
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
