"""Batches of fixed rows as a pure function of how many were taken before, so that a number is the whole data cursor."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

from ..rows import Row


def batch(rows: Sequence[Row], number: int, size: int, seed: int) -> list[Row]:
    """Batch `number`, counted from 0 over all epochs: tasks in a new order each epoch, rows of a task side by side.

    The batches of an epoch differ by one row at most, and rollouts of one task mostly share a batch, and so their prefix.
    """
    count = max(1, -(-len(rows) // size))
    epoch, place = divmod(number, count)
    tasks: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        tasks.setdefault(row.task, []).append(index)
    names = list(tasks)
    random.Random(f"{seed}-{epoch}").shuffle(names)
    order = [index for name in names for index in tasks[name]]
    return [rows[index] for index in order[place * len(order) // count : (place + 1) * len(order) // count]]


def fingerprint(rows: Sequence[Row]) -> str:
    """A short hash of which rows these are and how they are weighed."""
    digest = hashlib.sha256()
    for row in rows:
        weights = [sum(row.ce_weight), sum(row.rl_weight), sum(row.advantage), sum(map(float, row.ids)), len(row.ids)]
        digest.update(json.dumps([row.name, row.task, *weights]).encode())
    return digest.hexdigest()[:16]
