"""From text to the words that searching compares: stems, words for the same act, and what a value says about its kind."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

TEXT_CHARS = 8_000
"""What is read of one text; a longer description or query says nothing more about what a tool is for."""
SYNONYM_WEIGHT = 0.35
HINT_WEIGHT = 0.6
VALUE_WEIGHT = 0.3
"""Words inside a file name or quotes are a value to be handed over, seldom what a tool is called."""

_STOP = frozenset(
    "a an and are as at be by can do does every for from give has have how i in into is it its me my of on or our please "
    "so tell that the their them then there these this to want was we what when where which who will with you your".split()
)
_FILLERS = frozenset(
    "about above actually after again ago ahead all almost along already also although always am among another any "
    "anyone anything anyway around ask away back because been before being below besides better between both but "
    "came cannot come could did doing done each either else enough especially etc even ever everyone everything far "
    "few first further get gets getting given gives go goes going gone good got great had he hello help helps her "
    "here hers hey hi him himself his however if indeed instead just keep kind know known last later least less let "
    "like likely little long look looking lot lots made mainly make makes making many maybe mean might mine more "
    "most mostly much must near need needs never next no none nor not nothing now off often ok okay once one ones "
    "only onto other others otherwise ought out over own particular per perhaps plus possible possibly pretty "
    "probably put quick quickly quite rather real really right roughly same say see seem seems several she should "
    "since some somebody someone something sometimes soon sorry still stuff such sure take taken than thank thanks "
    "they thing things think those though through thus together too toward tried try trying under unless until up "
    "upon us use used using usually various very via wanted wants way ways well went were whatever whether while "
    "whole whom whose why within without wonder wondering would yes yet yours yourself ll ve re don doesn didn isn "
    "aren wasn weren won wouldn couldn shouldn hasn haven".split()
)
"""Words of politeness and grammar that a whole task is full of; in a short query each word was chosen."""
_SAME_ACT = (
    "delete remove erase drop discard",
    "create add new make insert register",
    "update change edit modify set adjust",
    "get read show fetch view open load retrieve look",
    "find search locate lookup query",
    "list enumerate",
    "count many number total",
    "send email mail message notify",
    "buy purchase order",
    "copy duplicate clone",
    "move rename relocate",
    "cancel abort stop",
    "convert translate transform exchange",
    "folder directory",
    "file document",
    "client customer",
    "schedule book reserve",
    "write save store",
    "join combine merge",
    "picture image photo",
)
_TABLES = "csv|tsv|jsonl|parquet|xlsx?|ods"
_PICTURES = "png|jpe?g|gif|svg|webp|bmp|tiff?"
_TEXTS = (
    "txt|md|rst|log|json|ya?ml|toml|ini|cfg|xml|html?|tex|pdf|docx?|odt|pptx?|py|js|ts|java|c|cpp|go|rs|sh|sql|zip|tar|gz"
)
_FILE = rf"(?<![\w./~*$-])[\w./~*$-]*[\w*]\.(?:{_TABLES}|{_PICTURES}|{_TEXTS})\b"
_HINTS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"https?://\S+|\bwww\.\S+", "url web page"),
        (_FILE, "file path"),
        (rf"\*\.(?:{_TABLES}|{_PICTURES}|{_TEXTS})\b|\b(?:{_TABLES}|{_TEXTS}) files\b", "file pattern"),
        (rf"\.(?:{_TABLES})\b|\b(?:{_TABLES})\b", "table row"),
        (rf"\.(?:{_PICTURES})\b", "image"),
        (r"\b[\w.+-]+@[\w-]+\.\w+", "email"),
        (r"\b\d{4}-\d\d(?:-\d\d)?\b|\b(?:today|tomorrow|yesterday|tonight)\b|\bdays? (?:ago|until|from now)\b", "date time"),
        (r"\b\d{1,2}:\d\d\b|\b\d{1,2} ?[ap]\.?m\b", "time"),
        (r"[$€£¥]\s?\d|\b(?:USD|EUR|GBP|JPY)\b", "price currency"),
        (r"-?\d+\.\d+\s?°|°\s?[NSEW]\b|\blat(?:itude)?\b", "location coordinate"),
    )
)
_VALUE = re.compile(rf"https?://\S+|{_FILE}|\"[^\"\n]{{1,300}}\"|“[^”\n]{{1,300}}”|`[^`\n]{{1,300}}`", re.IGNORECASE)


_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Lower-case word stems of a text; identifiers are split at underscores and capitals."""
    text = text[:TEXT_CHARS]
    split = text if text.islower() else _HUMP.sub(r"\1 \2", text).lower()
    return [_stem(word) for word in _WORD.findall(split) if word not in _STOP]


def plain(name: str) -> str:
    """A name as words: split at capitals, underscores and hyphens."""
    return " ".join(_HUMP.sub(r"\1 \2", name[:TEXT_CHARS]).replace("_", " ").replace("-", " ").split())


@lru_cache(maxsize=20_000)
def _stem(word: str) -> str:
    """Cut the plural first, then the verb's ending, so that `meetings`, `meeting` and `meet` are one word."""
    stem = _without(word, (("ies", "y"), ("sses", "ss"), ("es", ""), ("s", "")))
    stem = _without(stem, (("ied", "y"), ("ing", ""), ("ed", "")))
    stem = stem.rstrip("e") if len(stem) > 3 else stem
    doubled = len(stem) > 2 and stem[-1] == stem[-2]  # `planned` becomes `plann`
    return stem[:-1] if doubled else stem


def _without(word: str, endings: tuple[tuple[str, str], ...]) -> str:
    if word.endswith("ss"):
        return word
    for ending, put in endings:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + put
    return word


def _synonyms() -> dict[str, frozenset[str]]:
    groups = [frozenset(_stem(word) for word in line.split()) for line in _SAME_ACT]
    found: dict[str, frozenset[str]] = {}
    for group in groups:
        for word in group:
            found[word] = (found.get(word, frozenset()) | group) - {word}
    return found


_SYNONYMS = _synonyms()
_FILLER_STEMS = frozenset(_stem(word) for word in _FILLERS)


def query_words(text: str) -> dict[str, float]:
    """Weight of each word to look for: those of the query, and what else they are called."""
    weights: dict[str, float] = defaultdict(float)
    for word in words(text):
        weights[word] += 1.0
    return _with_synonyms(weights)


def task_words(text: str) -> dict[str, float]:
    """Weight of each word of a task or one of its steps: without fillers, values lighter, with what values hint at."""
    text = text[:TEXT_CHARS]
    weights: dict[str, float] = defaultdict(float)
    for word in words(_VALUE.sub(" ", text)):
        if word not in _FILLER_STEMS:
            weights[word] = 1.0 + 0.5 * (weights[word] > 0)
    for value in _VALUE.findall(text):
        for word in words(value):
            weights[word] = max(weights[word], VALUE_WEIGHT)
    for pattern, hints in _HINTS:
        if pattern.search(text):
            for word in words(hints):
                weights[word] = max(weights[word], HINT_WEIGHT)
    return _with_synonyms(weights)


def _with_synonyms(weights: dict[str, float]) -> dict[str, float]:
    expanded = dict(weights)
    for word, weight in weights.items():
        for other in sorted(_SYNONYMS.get(word, ())):
            expanded[other] = max(expanded.get(other, 0.0), SYNONYM_WEIGHT * min(1.0, weight))
    return expanded


def grams(text: str) -> set[str]:
    """The runs of three letters of a name without its gaps, so that `exchangerate` is near `exchange_rate`."""
    letters = re.sub(r"[\W_]+", "", text[:200].lower())
    return {letters[place : place + 3] for place in range(len(letters) - 2)}
