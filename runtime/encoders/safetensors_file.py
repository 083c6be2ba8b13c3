"""Reads the 32-bit tensors of a safetensors file in place: pages that are not used are never loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..policies.errors import BadModelFile

Tensors = dict[str, NDArray[np.float32]]
_MOST_HEADER_BYTES = 10_000_000


def read_tensors(path: Path) -> Tensors:
    """All 32-bit float tensors by name. Raises `BadModelFile` for a file that is none, or is cut off."""
    try:
        raw = np.memmap(path, np.uint8, "r")
        length = int.from_bytes(bytes(raw[:8]), "little")
        if not 0 < length <= _MOST_HEADER_BYTES:
            raise ValueError("its header has no sensible length")
        header: dict[str, Any] = json.loads(bytes(raw[8 : 8 + length]))
        places = {name: said for name, said in header.items() if name != "__metadata__" and said["dtype"] == "F32"}
        return {name: _tensor(raw, 8 + length, **said) for name, said in places.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BadModelFile(
            f"is no safetensors file: {problem}", where=str(path), mend="install the package again"
        ) from None


def _tensor(raw: Any, start: int, *, shape: list[int], data_offsets: list[int], **_: object) -> NDArray[np.float32]:
    first, end = data_offsets
    if not 0 <= first <= end <= len(raw) - start:
        raise ValueError("it is cut off")
    found: NDArray[np.float32] = np.frombuffer(raw, "<f4", (end - first) // 4, start + first).reshape(shape)
    return found
