"""A text as counts of hashed features: the word stems that tool search compares, their pairs, and runs of three letters."""

from __future__ import annotations

import itertools
import math
import re
import zlib

from ...tools_registry.words import words

BUCKETS = 4096
GRAM_CHARS = 2_000
"""Runs of letters are read of the beginning only; they say what kind of text it is."""
IDENTITY = "words-pairs-trigrams/1"
_SPACE = re.compile(r"\s+")


def features(text: str) -> dict[int, float]:
    """Bucket -> 1 + log(count), the same on every machine."""
    stems = words(text)
    counts: dict[int, int] = {}
    for one in stems:
        _count(counts, one)
    for first, second in itertools.pairwise(stems):
        _count(counts, f"{first} {second}")
    letters = _SPACE.sub(" ", text[:GRAM_CHARS].lower())
    for place in range(len(letters) - 2):
        _count(counts, f"#{letters[place : place + 3]}")
    return {bucket: 1.0 + math.log(count) for bucket, count in counts.items()}


def _count(counts: dict[int, int], feature: str) -> None:
    bucket = zlib.crc32(feature.encode("utf-8", "replace")) % BUCKETS
    counts[bucket] = counts.get(bucket, 0) + 1
