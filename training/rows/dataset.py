"""Rows as a dataset folder: one Parquet file that `datasets.load_dataset(folder)` reads, and a card that explains it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...runtime.episodes.parquet import write_parquet
from ..errors import CorruptRow, RowError
from .row import FIELDS, Row, check

_COLUMNS = {
    "rollout": "VARCHAR", "index": "INTEGER", "task": "VARCHAR", "policy_version": "VARCHAR", "base_hash": "VARCHAR",
    "adapter_hash": "VARCHAR", "exact_sampling": "BOOLEAN", "sampler": "VARCHAR", "ids": "INTEGER[]",
    "loss_mask": "BOOLEAN[]", "turn": "INTEGER[]", "ce_weight": "DOUBLE[]", "rl_weight": "DOUBLE[]",
    "advantage": "DOUBLE[]", "value": "DOUBLE[]", "behaviour_logprob": "DOUBLE[]", "raw_logprob": "DOUBLE[]",
    "constrained": "DOUBLE[]", "digest": "VARCHAR",
}  # fmt: skip
_FLOATS = ("ce_weight", "rl_weight", "advantage", "value", "behaviour_logprob", "raw_logprob", "constrained")
_FILE = "train-00000-of-00001.parquet"
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---
# Token rows of Atlas episodes

One row is one token sequence as a policy read and wrote it. `ids` are the policy's own token ids; `loss_mask` is true on
sampled tokens; `turn` is the turn that sampled a token, -1 elsewhere; `ce_weight`, `rl_weight` and `advantage` say how a
token is learnt from; `behaviour_logprob` is its log-probability under the distribution it was sampled from, `raw_logprob`
under the raw model (null: unknown); `constrained` is the share of probability a name constraint left; `sampler` is JSON.
Rows with `exact_sampling` false are for supervised learning only. `digest` guards the row: drop that column after changing
rows on purpose.
"""


def write_dataset(rows: Iterable[Row], folder: str | Path) -> Path:
    """Write rows as a new dataset folder; an old one of the same name is replaced only when all is written."""
    import duckdb

    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            new = Path(name) / "new"
            (new / "data").mkdir(parents=True)
            lines = Path(name) / "rows.jsonl"
            if not _write_lines(rows, lines):
                raise RowError(
                    "there are no rows to write", where=str(folder), mend="choose episodes that can be trained on"
                )
            write_parquet(lines, _COLUMNS, new / "data" / _FILE)
            (new / "README.md").write_text(_CARD, encoding="utf-8")
            _replace(new, folder, Path(name) / "old")
    except (OSError, duckdb.Error) as error:
        raise RowError(
            f"the dataset cannot be written: {_first_line(error)}", where=str(folder), mend="check the disk and permissions"
        ) from error
    return folder


def read_dataset(folder: str | Path, vocabulary: int | None = None) -> list[Row]:
    """The rows of a dataset folder (or of one Parquet or JSONL file), each checked; a damaged one is refused by name."""
    path = Path(folder)
    files = [path] if path.is_file() else sorted(file for kind in ("parquet", "jsonl") for file in path.rglob(f"*.{kind}"))
    if not files:
        raise RowError("there is no dataset here", where=str(path), mend="name a folder that holds Parquet or JSON lines")
    rows = [row for file in files for row in _read_file(file)]
    for row in rows:
        check(row, vocabulary)
    return rows


def digest_of(document: dict[str, Any]) -> str:
    """A fingerprint of everything a row holds."""
    plain = {name: document[name] for name in FIELDS}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:32]


def _write_lines(rows: Iterable[Row], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            check(row)
            document = _document(row)
            file.write(json.dumps(document | {"digest": digest_of(document)}) + "\n")
            count += 1
    return count


def _document(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = {name: getattr(row, name) for name in FIELDS}
    for name in _FLOATS:
        document[name] = [None if math.isnan(value) else float(value) for value in document[name]]
    return document | {"sampler": json.dumps(row.sampler)}


def _replace(new: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_file(path: Path) -> Iterator[Row]:
    import duckdb

    reader = "read_parquet(?)" if path.suffix == ".parquet" else "read_json(?, format='newline_delimited')"
    try:
        with duckdb.connect() as connection:
            cursor = connection.execute(f"SELECT * FROM {reader}", [str(path)])
            names = [str(column[0]) for column in cursor.description or []]
            records = cursor.fetchall()
    except duckdb.Error as error:
        raise RowError(
            f"the file is not readable: {_first_line(error)}",
            where=str(path),
            mend="write the dataset again from the episodes",
        ) from error
    for number, values in enumerate(records):
        yield _row(dict(zip(names, values, strict=True)), f"{path}, row {number}")


def _row(document: dict[str, Any], where: str) -> Row:
    name = f"{document.get('rollout', '?')}#{document.get('index', '?')}"
    mend = "write the dataset again from the episodes"
    missing = [field for field in FIELDS if field not in document]
    if missing:
        raise CorruptRow(f"row {name} is damaged: it has no {', '.join(missing)}", where=where, mend=mend)
    kept = document.get("digest")
    try:
        if kept is not None and kept != digest_of(document):
            raise CorruptRow(
                f"row {name} is damaged: it is not what was written", where=where,
                mend=f"{mend}; drop the column `digest` if the rows were changed on purpose",
            )  # fmt: skip
        values = {field: document[field] for field in FIELDS}
        for field in _FLOATS:
            values[field] = [math.nan if value is None else float(value) for value in values[field]]
        return Row(**values | {"sampler": json.loads(values["sampler"])})
    except (TypeError, ValueError) as error:
        raise CorruptRow(f"row {name} is damaged: {error}", where=where, mend=mend) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
