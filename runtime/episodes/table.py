"""The log as a Parquet table, a row for each turn: for data frames, SQL, and `datasets`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .parquet import write_parquet

_EPISODE = {
    "task": "VARCHAR", "status": "VARCHAR", "answer": "JSON", "outcome": "VARCHAR", "reward": "DOUBLE", "split": "VARCHAR",
    "created_at": "DOUBLE", "atlas": "VARCHAR", "model": "VARCHAR", "base_hash": "VARCHAR", "adapter_hash": "VARCHAR",
    "policy_version": "VARCHAR", "parent": "VARCHAR", "forked_at": "INTEGER",
}  # fmt: skip
_TURN = {
    "role": "VARCHAR", "prompt_text": "VARCHAR", "row_start": "BOOLEAN", "prompt_ids": "INTEGER[]",
    "prompt_tokens": "INTEGER", "in_view": "VARCHAR[]", "reply_text": "VARCHAR", "reply_ids": "INTEGER[]",
    "logprobs": "FLOAT[]",
    "logprobs_at_temperature": "FLOAT[]", "sampler": "JSON", "constrained": "INTEGER[]", "finish": "VARCHAR",
    "generated_tokens": "INTEGER", "propose_seconds": "DOUBLE", "program": "VARCHAR", "reply_kind": "VARCHAR",
    "thinking": "VARCHAR", "program_status": "VARCHAR", "error": "JSON", "output": "VARCHAR", "value": "JSON",
    "answered": "BOOLEAN", "result_text": "VARCHAR", "calls": "JSON",
}  # fmt: skip
COLUMNS = {"episode": "VARCHAR", "turn": "INTEGER"} | _EPISODE | _TURN


def write_table(documents: Iterable[dict[str, Any]], target: Path) -> int:
    """Write exported episodes (see `export.document_of`) as one Parquet file; returns how many episodes."""
    import duckdb

    count = 0
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.absolute().parent) as folder:
            lines, new = Path(folder) / "turns.jsonl", Path(folder) / "new.parquet"
            with lines.open("w", encoding="utf-8") as file:
                for document in documents:
                    file.writelines(json.dumps(row) + "\n" for row in _rows(document))
                    count += 1
            write_parquet(lines, {name: "VARCHAR" if kind == "JSON" else kind for name, kind in COLUMNS.items()}, new)
            os.chmod(new, 0o600)
            os.replace(new, target)
    except (OSError, duckdb.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise StoreError(f"the table cannot be written: {reason}", where=str(target), mend="check the disk") from error
    return count


def _rows(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    episode = document["episode"]
    for turn in document["turns"]:
        calls = [call for call in document["calls"] if call["turn"] == turn["turn"]]
        known = {name: episode[name] for name in _EPISODE} | {"episode": episode["id"], "turn": turn["turn"]}
        known |= {name: turn[name] for name in _TURN if name not in ("calls", "program_status")}
        row = known | {"calls": calls, "program_status": turn["status"]}
        yield {
            name: json.dumps(row[name]) if COLUMNS[name] == "JSON" and row[name] is not None else row[name]
            for name in COLUMNS
        }
