"""Says records, sets of records, values and actions in the phrasings of one split."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .base import Split
from .composed_phrases import ASK, DIGITS, DO, ONE_ID, ONE_LABEL, POLITE, WHERE
from .composed_schema import Entity, Field
from .composed_words import cached_pool, plural
from .phrasebook import further
from .synonyms import vary


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one field: `sign` is ==, !=, >, <, >= or <=."""

    field: Field
    sign: str
    value: Any

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether a record passes."""
        have = row[self.field.name]
        return bool(
            {
                "==": have == self.value,
                "!=": have != self.value,
                ">": self.sign == ">" and have > self.value,
                "<": self.sign == "<" and have < self.value,
                ">=": self.sign == ">=" and have >= self.value,
                "<=": self.sign == "<=" and have <= self.value,
            }[self.sign]
        )

    def code(self, row: str = "row") -> str:
        """The test in Python."""
        item = f'{row}["{self.field.name}"]'
        if self.field.role == "flag":
            return item if self.value else f"not {item}"
        return f"{item} {self.sign} {literal(self.value)}"


def literal(value: Any) -> str:
    """A Python literal with double quotes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return repr(value)


@lru_cache(maxsize=1024)
def phrasings(options: tuple[str, ...], split: Split) -> tuple[str, ...]:
    """The phrasings of a split; those of practice with what the phrasebook adds."""
    listed: tuple[str, ...] = cached_pool(options, split)
    return listed if split == "heldout" else listed + further(options, phrasings(options, "heldout"))


class Speaker:
    """Says things in one split's phrasings."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng, self.split = rng, split

    def pick(self, options: tuple[str, ...]) -> str:
        """One phrasing of the split."""
        chosen = self.rng.choice(phrasings(options, self.split))
        return chosen if self.split == "heldout" else vary(chosen, phrasings(options, "heldout"), self.rng)

    def noun(self, entity: Entity) -> str:
        """The noun, or its synonym where the entity has one that its tools explain."""
        noun = entity.synonym if entity.synonym and self.rng.random() < 0.75 else entity.noun
        return noun.replace("_", " ")

    def nouns(self, entity: Entity) -> str:
        """The noun for several."""
        noun = entity.synonym if entity.synonym and self.rng.random() < 0.75 else entity.noun
        return plural(noun).replace("_", " ")

    def value(self, value: Any, quote: float = 0.25) -> str:
        """A value in a sentence: strings quoted now and then, small numbers in words now and then."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) and 0 <= value <= 20 and self.rng.random() < 0.25:
            return DIGITS[value]
        if isinstance(value, (int, float)):
            return literal(value)
        if self.rng.random() < quote:
            return self.rng.choice(('"{}"', "'{}'", '"{}"')).format(value)
        return str(value)

    def text(self, value: str) -> str:
        """A longer text, quoted so that its end is clear."""
        return self.rng.choice(('"{}"', "'{}'", '"{}"', '"{}"')).format(value)

    def by_id(self, entity: Entity, row: dict[str, Any]) -> str:
        """A record by its id."""
        identifier = row[entity.id.name]
        idname = entity.id.phrase.removeprefix(entity.noun.replace("_", " ") + " ")
        return self.pick(ONE_ID).format(noun=self.noun(entity), id=identifier, idname=idname)

    def by_label(self, entity: Entity, row: dict[str, Any], label: str | None = None) -> str:
        """A record by its name; people now and then without the noun."""
        name = row[entity.label.name] if label is None else label
        if entity.kind == "p" and self.rng.random() < 0.15:
            return str(name)
        text = self.pick(ONE_LABEL)
        if " " in name and '"' not in text and self.rng.random() < 0.2:
            name = f'"{name}"'
        noun = self.noun(entity)
        return text.format(noun=noun, a=a_noun(noun), label=name, labelname=entity.label.phrase)

    def set(self, entity: Entity, condition: Condition | None, all_word: bool = True) -> str:
        """Several records."""
        nouns = self.nouns(entity)
        if condition is None:
            options = ("all {}", "the {}", "our {}", "all the {}", "all of our {}") if all_word else ("{}",)
            return self.rng.choice(options).format(nouns)
        role, sign = condition.field.role, condition.sign
        key = role if sign == "==" else sign
        if role == "flag":
            key = "flag" if condition.value else "not flag"
        elif role == "date":
            key = {">": "after", "<": "before"}[sign]
        value = self.value(condition.value, 0.08)
        phrase = condition.field.phrase
        text = self.pick(WHERE[key]).format(nouns=nouns, v=phrase if role == "flag" else value, f=phrase)
        return self.rng.choice(("all {}", "the {}", "{}", "all the {}")).format(text) if all_word else text

    def ask(self, intent: str, **parts: str) -> str:
        """A question or command that gets something."""
        text = self.pick(ASK[intent]).format(**parts)
        return self.polite(text[1:]) if text.startswith("!") else text

    def do(self, intent: str, **parts: str) -> str:
        """An action as an imperative verb phrase, not yet polite."""
        return self.pick(DO[intent]).format(**parts)

    def polite(self, command: str, chance: float = 0.35) -> str:
        """A command, now and then wrapped in politeness."""
        if self.rng.random() >= chance:
            return command
        return self.pick(POLITE).format(x=command)

    def finish(self, text: str) -> str:
        """Casing and the last mark; rarely a slip of the finger in a long plain word."""
        text = re.sub(
            r"\b(each|every one|every|all) of (?:all )?(?:of )?(the |our )?(?!them|those|these)", _one_article, text
        )
        roll = self.rng.random()
        if roll < 0.7:
            text = text[0].upper() + text[1:]
            text = text.replace(" i ", " I ").replace("I'd", "I'd")
            if text.startswith(("I ", "I'")) is False and text.lower().startswith("i "):
                text = "I" + text[1:]
        if text[-1] not in ".?!\"'" and self.rng.random() < 0.4:
            text += "."
        elif text.endswith("?") and self.rng.random() < 0.15:
            text = text[:-1]
        return text


def _one_article(found: re.Match[str]) -> str:
    return f"{found[1]} of {found[2] or 'the '}"


def a_noun(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" and not noun.startswith(("uni", "use", "eu")) else f"a {noun}"
