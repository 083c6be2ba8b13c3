"""TensorBoard event files, written here: the format is a few fields of protobuf in checked records.

The packages that write it start threads that lose errors (a full disk) and bring protobuf; the format is frozen since long.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Mapping
from pathlib import Path

_SESSION_START = 1


class EventFile:
    """One event file; nothing stays open between steps, and whole records are written."""

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        self._path = folder / f"events.out.tfevents.{int(time.time())}.{os.getpid()}.atlas"
        self._write(_text(3, "brain.Event:2"))
        self._write(_number(2, first_step) + _message(7, _number(1, _SESSION_START)))  # later steps of older files are void

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of one step."""
        summary = b"".join(_message(1, _text(1, tag) + _float(2, value)) for tag, value in values.items())
        self._write(_number(2, step) + _message(5, summary))

    def _write(self, fields: bytes) -> None:
        event = _double(1, time.time()) + fields
        length = struct.pack("<Q", len(event))
        with self._path.open("ab") as file:
            file.write(length + _masked(length) + event + _masked(event))


def _masked(data: bytes) -> bytes:
    crc = checksum(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _message(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _table()


def checksum(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
