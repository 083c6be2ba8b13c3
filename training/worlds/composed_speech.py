"""How a person speaks of records, sets of records, values and actions; every phrasing was written by hand.

A leading `!` marks a command that may be made polite. `{one}` is a record, `{set}` several, `{t}` the target of an action.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from .base import Split
from .composed_schema import Entity, Field
from .composed_words import cached_pool, plural

ASK: dict[str, tuple[str, ...]] = {
    "list": (
        "!list {set}", "!show me {set}", "!show {set}", "!give me {set}", "what {nouns} do we have?", "which {nouns} are there?",
        "!get me a list of {set}", "{set}, please", "i want to see {set}", "i need {set}", "!pull up {set}", "!display {set}",
        "!fetch {set}", "can i see {set}?", "what are {set}?", "!print {set}", "let me see {set}", "!return {set}",
        "i'd like a list of {set}", "!bring up {set}", "a list of {set}",
    ),
    "list_where": (
        "!list {set}", "!show me {set}", "!find {set}", "!give me {set}", "!get {set}", "!look up {set}", "which are {set}?",
        "{set}?", "i need {set}", "i'm looking for {set}", "!fetch {set}", "!search for {set}", "!return {set}", "show {set}",
        "do a search for {set}", "i want to see {set}", "!bring me {set}", "!pull {set}", "let me have {set}",
    ),
    "names": (
        "!list the {field}s of {set}", "what are the {field}s of {set}?", "!give me the {field}s of {set}", "{field}s of {set}",
        "!show the {field} of each {noun}", "just the {field}s of {set}", "i need every {noun}'s {field}", "!get the {field}s of {set}",
        "!list {set} by {field} only", "for {set} i only want the {field}s", "!collect the {field}s of {set}", "which {field}s do {set} have?",
        "!return the {field} of every {noun}", "!put together the {field}s of {set}", "only {field}s: {set}",
    ),
    "values": (
        "!list the {field} of {set}", "what is the {field} of each of {set}?", "!give me the {field} for {set}", "{field} of {set}",
        "!collect the {field} of {set}", "!get the {field} for each of {set}", "for {set}, i need the {field}", "just the {field} of {set}",
        "!make a list of the {field} of {set}", "!show the {field} of {set}", "!gather the {field} values of {set}",
        "i only want the {field} of {set}", "which {field} do {set} have?", "!pull the {field} from {set}",
    ),
    "get": (
        "!show {one}", "!show me {one}", "!get {one}", "!pull up {one}", "!give me the details of {one}", "details of {one}?",
        "what do we know about {one}?", "!open the record of {one}", "i need the full record of {one}", "!look up {one}",
        "!fetch {one}", "tell me about {one}", "!display {one}", "everything on {one}", "!read {one}", "record of {one}, please",
        "what is stored for {one}?", "info on {one}", "!find {one}", "let me see {one}",
    ),
    "value": (
        "what is the {field} of {one}?", "what's the {field} of {one}?", "{field} of {one}?", "!tell me the {field} of {one}",
        "!get the {field} of {one}", "!give me the {field} of {one}", "i need the {field} of {one}", "!look up the {field} of {one}",
        "which {field} does {one} have?", "what {field} does {one} have?", "do you know the {field} of {one}?", "{one}: {field}?",
        "!show me the {field} of {one}", "!check the {field} of {one}", "can you tell me the {field} for {one}?",
        "{field} for {one}", "!find out the {field} of {one}", "for {one}, what is the {field}?", "!read out the {field} of {one}",
        "i'd like to know the {field} of {one}", "!report the {field} of {one}", "what does {one} have as {field}?",
    ),
    "flag": (
        "is {one} {field}?", "!check whether {one} is {field}", "!tell me if {one} is {field}", "is it true that {one} is {field}?",
        "!see if {one} is {field}", "{one}: {field} or not?", "i need to know if {one} is {field}", "!find out whether {one} is {field}",
        "do you know if {one} is {field}?", "{field}: is {one}?", "would you say {one} is {field}?",
    ),
    "stated": (
        "new {noun}: {label}{with}", "we have a new {noun}, {label}{with}; add it", "there is a new {noun} called {label}{with}, please add it",
        "a new {noun} named {label}{with} has to go in", "{label} is a new {noun}{with}; save it", "one more {noun}: {label}{with}",
        "we need a {noun} called {label}{with} in the system",
    ),
    "id": (
        "what is the {field} of {one}?", "which {field} does {one} have?", "!find the {field} of {one}", "{field} of {one}?",
        "!look up the {field} of {one}", "i need the {field} of {one}", "!get me the {field} for {one}", "!give me the {field} of {one}",
        "under which {field} is {one} stored?", "!tell me the {field} of {one}",
    ),
    "count": (
        "how many {set} are there?", "how many {set} do we have?", "!count {set}", "number of {set}?", "!tell me how many {set} there are",
        "what is the number of {set}?", "!give me the number of {set}", "how many {set}?", "!count the {set}", "i need the count of {set}",
        "total number of {set}", "how many {set} exist?", "!find out how many {set} we have", "what's the count of {set}?",
        "{set}: how many?", "can you count {set} for me?", "!say how many {set} there are", "do you know how many {set} we have?",
        "!work out how many {set} there are", "!report the number of {set}", "how many {set} are in the system?",
    ),
    "sum": (
        "what is the total {field} of {set}?", "!add up the {field} of {set}", "!sum the {field} of {set}", "total {field} of {set}?",
        "how much {field} do {set} have in total?", "!give me the total {field} of {set}", "what do {set} add up to in {field}?",
        "!calculate the total {field} for {set}", "sum of {field} over {set}", "i need the combined {field} of {set}",
        "what's the sum of the {field} of {set}?", "!work out the total {field} of {set}", "{field} of {set} taken together?",
        "!total the {field} of {set}", "!compute the sum of {field} for {set}", "what is the overall {field} of {set}?",
    ),
    "average": (
        "what is the average {field} of {set}?", "average {field} of {set}?", "!compute the average {field} of {set}",
        "!give me the mean {field} of {set}", "what's the mean {field} of {set}?", "!work out the average {field} of {set}",
        "on average, what {field} do {set} have?", "i need the average {field} of {set}", "!calculate the mean {field} for {set}",
    ),
    "top": (
        "which {noun} has the highest {field}?", "!find the {noun} with the highest {field}", "{noun} with the most {field}?",
        "!show me the {noun} with the largest {field}", "what is the {noun} with the highest {field}?", "!get the {noun} with the top {field}",
        "which of the {nouns} leads in {field}?", "highest {field} among {nouns}: which {noun}?", "!give me the {noun} whose {field} is highest",
        "which of the {nouns} has the biggest {field}?", "!look up the {noun} with the maximum {field}",
    ),
    "low": (
        "which {noun} has the lowest {field}?", "!find the {noun} with the lowest {field}", "{noun} with the least {field}?",
        "!show me the {noun} with the smallest {field}", "what is the {noun} with the lowest {field}?", "!get the {noun} with the minimum {field}",
        "lowest {field} among {nouns}: which {noun}?", "!give me the {noun} whose {field} is lowest", "which of the {nouns} has the smallest {field}?",
    ),
    "group": (
        "how many {nouns} are there per {field}?", "!count the {nouns} per {field}", "{nouns} per {field}?", "!break the {nouns} down by {field}",
        "number of {nouns} for each {field}", "how are the {nouns} spread over {field}?", "!give me the {noun} counts by {field}",
        "!group the {nouns} by {field} and count them", "for each {field}, how many {nouns}?", "!show how many {nouns} each {field} has",
    ),
    "exists": (
        "do we have {a} called {label}?", "is there {a} named {label}?", "!check whether {a} called {label} exists", "is {label} among our {nouns}?",
        "does {a} with the name {label} exist?", "{label}: do we have that {noun}?", "!tell me if there is {a} called {label}",
        "is {label} known as {a}?", "!see if we have {a} named {label}", "is there already {a} {label}?",
    ),
    "export": (
        "!export {set} as {value}", "!export the {nouns} to {value}", "!save all {nouns} as a {value} file", "i need the {nouns} as {value}",
        "!write the {nouns} out in {value} format", "{value} export of the {nouns}", "!dump the {nouns} to {value}",
        "!make a {value} file of the {nouns}", "all {nouns} in a {value} file, please", "!give me a {value} export of {set}",
    ),
}
"""Questions and commands that get something, by intent."""

DO: dict[str, tuple[str, ...]] = {
    "delete": (
        "delete {t}", "remove {t}", "get rid of {t}", "erase {t}", "delete {t} from {server}", "drop {t}", "take {t} out of {server}",
        "throw out {t}", "remove {t} from {server}", "wipe {t}", "delete the record of {t}", "discard {t}",
    ),
    "set": (
        "set the {field} of {t} to {value}", "change the {field} of {t} to {value}", "update the {field} of {t} to {value}",
        "make {value} the {field} of {t}", "give {t} the {field} {value}", "set {field} to {value} for {t}", "put the {field} of {t} at {value}",
        "change {field} to {value} for {t}", "switch the {field} of {t} to {value}", "have {field} set to {value} for {t}",
        "set {field} = {value} on {t}", "record {value} as the {field} of {t}", "update {t}: {field} {value}", "enter {value} as {field} for {t}",
        "let the {field} of {t} be {value}", "have the {field} of {t} read {value}",
    ),
    "set_status": (
        "mark {t} as {value}", "set {t} to {value}", "set the {field} of {t} to {value}", "change {t} to {value}", "flag {t} as {value}",
        "change the {field} of {t} to {value}", "update the {field} of {t} to {value}", "put {t} on {value}", "move {t} to {value}",
        "switch {t} to {value}", "make {t} {value}", "set the {field} to {value} for {t}",
    ),
    "flag_on": (
        "mark {t} as {field}", "set {field} to true for {t}", "flag {t} as {field}", "set {t} to {field}", "record that {t} is {field}",
        "turn {field} on for {t}", "make {t} {field}", "list {t} as {field}",
    ),
    "flag_off": (
        "mark {t} as not {field}", "set {field} to false for {t}", "flag {t} as not {field}", "record that {t} is not {field}",
        "turn {field} off for {t}", "list {t} as not {field}", "remove the mark {field} from {t}",
    ),
    "set_person": (
        "set the {field} of {t} to {value}", "make {value} the {field} of {t}", "change the {field} of {t} to {value}",
        "enter {value} as the new {field} of {t}", "put {value} down as {field} of {t}", "name {value} as the {field} of {t}",
        "replace the {field} of {t} with {value}", "give {t} {value} as {field}",
    ),
    "send": (
        "send {t} the message {text}", "send the message {text} to {t}", "tell {t} {text}", "message {t}: {text}", "let {t} know: {text}",
        "write {t} {text}", "send {text} to {t}", "notify {t}: {text}", "drop {t} a line saying {text}", "text {t} {text}",
        "inform {t}: {text}", "send {t} a message saying {text}", "pass {text} on to {t}", "send a message to {t}: {text}",
    ),
    "note": (
        "add the note {text} to {t}", "note {text} on {t}", "put a note on {t}: {text}", "add a note to {t} saying {text}",
        "leave the note {text} on {t}", "write down {text} for {t}", "attach the note {text} to {t}", "comment on {t}: {text}",
        "make a note on {t}: {text}", "jot down {text} on {t}", "annotate {t} with {text}", "add {text} to the notes of {t}",
    ),
    "tag": (
        "tag {t} with {tags}", "put the tags {tags} on {t}", "add the tags {tags} to {t}", "label {t} with {tags}", "tag {t}: {tags}",
        "attach the labels {tags} to {t}", "give {t} the tags {tags}", "mark {t} with the tags {tags}",
    ),
    "schedule": (
        "schedule a reminder about {t} for {date}", "remind me about {t} on {date}", "set a reminder for {t} on {date}",
        "plan a reminder about {t} on {date}", "put a reminder for {t} on {date}", "note down a reminder of {t} on {date}",
        "remind me of {t} on {date}", "create a reminder on {date} for {t}",
    ),
    "address": (
        "set the address of {t} to {street}, {city}", "change the address of {t} to {street} in {city}",
        "save {street}, {city} as the new address of {t}", "move the address of {t} to {street}, {city}",
        "update the address of {t}: {street}, {city}", "enter the address {street}, {city} for {t}",
        "put {street}, {city} as the address of {t}",
    ),
    "increment": (
        "increase the {field} of {t} by {value}", "raise the {field} of {t} by {value}", "add {value} to the {field} of {t}",
        "bump the {field} of {t} by {value}", "put {value} more on the {field} of {t}", "give {t} {value} more {field}",
        "raise {field} by {value} for {t}", "lift the {field} of {t} by {value}", "push the {field} of {t} up by {value}",
    ),
    "update": (
        "update {t}: {changes}", "change {t}: {changes}", "set {changes} on {t}", "set {changes} for {t}", "edit {t}, {changes}",
        "update {t} with {changes}", "change {changes} on {t}", "modify {t}: {changes}", "save {changes} for {t}",
    ),
    "create": (
        "create {a} called {label}{with}", "add {a} named {label}{with}", "create the {noun} {label}{with}", "add a new {noun} {label}{with}",
        "register {a} called {label}{with}", 
        "set up {a} named {label}{with}", "enter a new {noun} called {label}{with}", "make {a} {label}{with}", "add {label} as {a}{with}",
        "open {a} called {label}{with}", "put {label} in as a new {noun}{with}", "create {a}: {label}{with}", "save a new {noun} named {label}{with}",
    ),
}
"""Actions on a target, as imperative verb phrases."""

WHERE: dict[str, tuple[str, ...]] = {
    "city": (
        "{nouns} in {v}", "{nouns} from {v}", "{nouns} with {f} {v}", "{nouns} whose {f} is {v}", "{nouns} located in {v}", "{nouns} based in {v}",
        "{nouns} that have {v} as {f}", "{v} {nouns}", "{nouns} where the {f} is {v}", "{nouns} we have in {v}",
    ),
    "status": (
        "{v} {nouns}", "{v} {nouns}", "{nouns} that are {v}", "{nouns} with {f} {v}", "{nouns} whose {f} is {v}", "{nouns} marked {v}", "{nouns} marked as {v}",
        "{nouns} in {f} {v}", "{nouns} which are {v}", "{nouns} where {f} is {v}", "{nouns} set to {v}",
    ),
    "category": (
        "{nouns} with {f} {v}", "{nouns} of {f} {v}", "{nouns} whose {f} is {v}", "{v} {nouns}", "{nouns} where the {f} is {v}",
        "{nouns} that have {f} {v}", "{nouns} with the {f} {v}", "{nouns} having {f} {v}", "{nouns} with {v} as {f}",
    ),
    "person": (
        "{nouns} whose {f} is {v}", "{nouns} with {v} as {f}", "{nouns} where {v} is the {f}", "{nouns} that have {v} as {f}",
        "{nouns} with {f} {v}", "{nouns} where the {f} is {v}",
    ),
    ">": (
        "{nouns} with {f} over {v}", "{nouns} with {f} above {v}", "{nouns} whose {f} is greater than {v}", "{nouns} with more than {v} {f}",
        "{nouns} with {f} higher than {v}", "{nouns} whose {f} is over {v}", "{nouns} where {f} exceeds {v}", "{nouns} that have {f} above {v}",
        "{nouns} with {f} > {v}",
    ),
    "<": (
        "{nouns} with {f} under {v}", "{nouns} with {f} below {v}", "{nouns} whose {f} is less than {v}", "{nouns} with less than {v} {f}",
        "{nouns} with {f} lower than {v}", "{nouns} whose {f} is under {v}", "{nouns} where {f} is below {v}", "{nouns} with {f} < {v}",
    ),
    ">=": ("{nouns} with {f} of at least {v}", "{nouns} with {f} {v} or more", "{nouns} whose {f} is at least {v}", "{nouns} with at least {v} {f}",
           "{nouns} where {f} is {v} or higher", "{nouns} having at least {v} {f}"),
    "<=": ("{nouns} with {f} of at most {v}", "{nouns} with {f} {v} or less", "{nouns} whose {f} is at most {v}", "{nouns} with no more than {v} {f}",
           "{nouns} where {f} is {v} or lower", "{nouns} having at most {v} {f}"),
    "before": ("{nouns} with {f} before {v}", "{nouns} whose {f} is before {v}", "{nouns} with a {f} earlier than {v}", "{nouns} where the {f} is before {v}",
               "{nouns} having a {f} before {v}"),
    "after": ("{nouns} with {f} after {v}", "{nouns} whose {f} is after {v}", "{nouns} with a {f} later than {v}", "{nouns} where the {f} is after {v}",
              "{nouns} having a {f} after {v}"),
    "flag": ("{v} {nouns}", "{nouns} that are {v}", "{nouns} which are {v}", "{nouns} marked {v}", "{nouns} where {v} is true", "{nouns} with {v} set"),
    "not flag": ("{nouns} that are not {v}", "{nouns} which aren't {v}", "{nouns} not marked {v}", "{nouns} that aren't {v}", "{nouns} where {v} is false"),
}
"""Sets of records by a condition."""

ONE_ID = (
    "{noun} {id}", "{noun} {id}", "the {noun} {id}", "the {noun} with {idname} {id}", "{noun} number {id}", "{noun} no. {id}", "{noun} #{id}",
    "the {noun} with the {idname} {id}", "{noun} {idname} {id}", "the {noun} whose {idname} is {id}", "{noun} ({id})",
)
ONE_LABEL = (
    "{noun} {label}", "{noun} {label}", "the {noun} {label}", "the {noun} named {label}", "the {noun} called {label}", "{label} ({a})",
    "our {noun} {label}", "the {noun} with the {labelname} {label}", "the {noun} that is called {label}", "{noun} \"{label}\"",
)
POLITE = (
    "please {x}", "could you {x}?", "can you {x}?", "{x} please", "{x}, thanks", "i need you to {x}", "would you {x}?", "pls {x}", "hey, {x}",
    "go ahead and {x}", "i'd like you to {x}", "next, {x}", "kindly {x}", "hi, can you {x}?", "now {x}", "quickly {x}", "just {x}",
    "be so kind and {x}", "ok, {x}", "we need to {x}", "time to {x}", "you should {x}", "{x} for me", "{x} asap", "go on and {x}", "i want you to {x}",
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
          "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one field: `sign` is ==, !=, >, <, >= or <=."""

    field: Field
    sign: str
    value: Any

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether a record passes."""
        have = row[self.field.name]
        return bool({
            "==": have == self.value, "!=": have != self.value,
            ">": self.sign == ">" and have > self.value, "<": self.sign == "<" and have < self.value,
            ">=": self.sign == ">=" and have >= self.value, "<=": self.sign == "<=" and have <= self.value,
        }[self.sign])

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


class Speaker:
    """Says things in one split's phrasings."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng, self.split = rng, split

    def pick(self, options: tuple[str, ...]) -> str:
        """One phrasing of the split."""
        chosen: str = self.rng.choice(cached_pool(options, self.split))
        return chosen

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
        text = re.sub(r"\b(each|every one|every|all) of (?:all )?(?:of )?(the |our )?(?!them|those|these)", _one_article, text)
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
