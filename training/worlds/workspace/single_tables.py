"""Tasks of one call on tables: how many, sum, mean, extremes, filters, groups, the top few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .draft import Desk, Draft, Intent, Unsuitable, ask, q, sql_text
from .folder import Column, File, Table

COUNT_ROWS = (
    "how many {noun} are <there |>in {file}?",
    "how many rows does {file} have?",
    "count the <rows|{noun}|records|entries> in {file}",
    "number of <rows|records|{noun}|entries> in {file}",
    "{file}: how many <rows|{noun}|entries>?",
    "how many <records|entries|rows|data rows> <are|are there> in {file}?",
    "tell me how many {noun} {file} <lists|has|contains>",
    "row count of {file}",
    "how many {noun} does {file} <list|contain|have>?",
    "how large is the table {file}, in rows?",
    "get the number of <rows|{noun}> in {file}",
    "{noun} in {file}, how many?",
    "what is the number of {noun} in {file}?",
    "how many {noun} do I have in {file}?",
)
COLUMNS = (
    "<what|which> columns does {file} have?",
    "list the columns <of|in> {file}",
    "column names of {file}?",
    "what are the <columns|column names|fields> of {file}?",
    "which fields <are|are there> in {file}?",
    "show the <column names|header|columns> of {file}",
    "name the columns of {file}",
    "tell me which columns {file} has",
    "{file}: columns?",
    "give me the columns of the table {file}",
)
DESCRIBE = (
    "describe {file}",
    "what does the table {file} look like? <Columns, types and rows|Describe it>",
    "describe the table <in |>{file}",
    "what is the structure of {file}?",
    "give me an overview of the table {file}, <columns and number of rows|with types>",
    "summarise the structure of {file}",
    "what columns and types does {file} have, and how many rows?",
    "schema of {file}?",
    "show the schema of {file}",
    "what kind of data is in {file}? <Describe the table|Columns and types, please>",
)
TYPE = (
    "what type is the column {col} <in|of> {file}?",
    "what type does the column {col} of {file} have?",
    "type of <the column |>{col} in {file}?",
    "which data type does {col} have in {file}?",
    "tell me the type of {col} in {file}",
)
SUM = (
    "what is the <total|sum> of {col} in {file}{where}?",
    "<sum|add> up <the column |the |>{col} in {file}{where}",
    "total {col} in {file}{where}?",
    "sum of <the |>{col} <column |>in {file}{where}",
    "what's the total {col} in {file}{where}?",
    "how much is {col} in total in {file}{where}?",
    "calculate the <total|sum> of {col} in {file}{where}",
    "give me the <total|sum> of {col} from {file}{where}",
    "add all <values of |the |>{col} in {file}{where}",
    "in {file}, what is the sum of {col}{where}?",
    "<get|compute|find|determine> the total {col} in {file}{where}",
    "{file}: total of {col}{where}?",
    "total up {col} in {file}{where}",
    "what does {col} add up to in {file}{where}?",
    "what do the {col} values in {file} sum to{where}?",
    "tell me the sum of {col} in {file}{where}",
    "all the {col} in {file}{where}, added up?",
    "I need the overall {col} of {file}{where}",
    "how much {col} is there altogether in {file}{where}?",
    "{col} total for {file}{where}",
)
MEAN = (
    "what is the <average|mean> <of |>{col} in {file}{where}?",
    "average {col} in {file}{where}?",
    "calculate the <average|mean> of {col} in {file}{where}",
    "mean of <the column |>{col} in {file}{where}",
    "give me the average {col} from {file}{where}",
    "how high is {col} on average in {file}{where}?",
    "in {file}, what's the <mean|average> {col}{where}?",
    "<get|compute|find|determine> the average of {col} in {file}{where}",
    "{file}: average {col}{where}?",
    "what {col} do we have on average in {file}{where}?",
    "tell me the mean {col} in {file}{where}",
    "what's the typical {col} in {file}{where}, on average?",
)
MAX = (
    "what is the <highest|largest|maximum|biggest|greatest> {col} in {file}{where}?",
    "<highest|maximum|max|biggest|top> {col} in {file}{where}?",
    "find the <largest|highest|maximum> {col} in {file}{where}",
    "maximum of {col} in {file}{where}",
    "in {file}, what's the <biggest|highest|top> {col}{where}?",
    "how high does {col} go in {file}{where}?",
    "give me the <maximum|largest> {col} from {file}{where}",
    "{file}: max {col}{where}?",
    "tell me the <highest|greatest> value of {col} in {file}{where}",
    "what's the peak {col} in {file}{where}?",
)
MIN = (
    "what is the <lowest|smallest|minimum> {col} in {file}{where}?",
    "<lowest|minimum|min|smallest> {col} in {file}{where}?",
    "find the <smallest|lowest|minimum> {col} in {file}{where}",
    "minimum of {col} in {file}{where}",
    "in {file}, what's the <smallest|lowest> {col}{where}?",
    "how low does {col} go in {file}{where}?",
    "give me the <minimum|smallest> {col} from {file}{where}",
    "{file}: min {col}{where}?",
    "tell me the <lowest|least> value of {col} in {file}{where}",
)
COUNT_WHERE = (
    "how many {noun} in {file} {have}?",
    "how many {noun} {have} in {file}?",
    "count the {noun} in {file} {that}",
    "number of {noun} {that} in {file}",
    "how many of the {noun} in {file} {have}?",
    "in {file}, how many {noun} {have}?",
    "{file}: how many {noun} {that}?",
    "how many rows <of|in> {file} {have}?",
    "count the rows in {file} {that}",
    "tell me how many {noun} in {file} {have}",
    "how many <entries|records|rows> {that} are <there |>in {file}?",
    "count how many {noun} {have} in {file}",
    "get the number of {noun} in {file} {that}",
)
LIST_WHERE = (
    "which {names} in {file} {have}?",
    "list the {names} in {file} {that}",
    "show <me |>the {names} {that} in {file}",
    "give me the {col} of <all|the|every one of the> {noun} in {file} {that}",
    "find the {names} in {file} {that}",
    "what {names} in {file} {have}?",
    "{names} {that} in {file}?",
    "list the {col} of {noun} {that} in {file}",
    "in {file}, which {names} {have}?",
    "get the {col} column of {file} for rows {that}",
    "I need the {names} from {file} {that}",
    "{file}: {names} {that}",
    "which {col} values in {file} belong to rows {that}?",
)
ROWS_WHERE = (
    "show <me |>the {noun} in {file} {that}",
    "list <all|the> {noun} in {file} {that}",
    "<which|what> {noun} in {file} {have}?",
    "give me <all|the> rows of {file} {that}",
    "find all rows in {file} {that}",
    "filter {file}: <only |>{noun} {that}",
    "get the full rows of {file} {that}",
    "select the {noun} {that} from {file}",
    "rows {that} in {file}?",
    "in {file}, show <every row|the rows> {that}",
)
GROUP_SUM = (
    "what is the total {col} <per|by|for each> {cat} in {file}?",
    "sum of {col} <per|by|for each> {cat} in {file}",
    "total {col} <by|per> {cat} in {file}?",
    "sum up {col} <per|by|for every> {cat} in {file}",
    "for each {cat} in {file}, what is the total {col}?",
    "group {file} by {cat} and sum {col}",
    "how much {col} does each {cat} have in {file}?",
    "add up the {col} for each {cat} in {file}",
    "{file}: {col} per {cat}, summed",
    "give me the {col} totals by {cat} from {file}",
    "break the total {col} in {file} down by {cat}",
    "calculate the sum of {col} for every {cat} in {file}",
)
GROUP_MEAN = (
    "what is the average {col} <per|by|for each> {cat} in {file}?",
    "average {col} <by|per> {cat} in {file}?",
    "mean {col} <per|for each> {cat} in {file}",
    "for <each|every> {cat} in {file}, what is the <mean|average> {col}?",
    "group {file} by {cat} and give me the average {col}",
    "compute the average of {col} for each {cat} in {file}",
)
GROUP_COUNT = (
    "how many {noun} <are there |>per {cat} in {file}?",
    "count the {noun} <per|by|for each> {cat} in {file}",
    "number of {noun} <per|by|for each> {cat} in {file}",
    "for each {cat}, how many {noun} are in {file}?",
    "how many {noun} does each {cat} have in {file}?",
    "group {file} by {cat} and count the rows",
    "how are the {noun} in {file} distributed over {cat}? <Count them|How many each?>",
    "{noun} by {cat} in {file}, how many?",
    "rows per {cat} in {file}?",
    "how often does each {cat} occur in {file}?",
)
TOP = (
    "which {one} has the <highest|largest|biggest|greatest> {col} in {file}?",
    "who or what has the highest {col} in {file}? Give the {name}",
    "{name} with the <highest|largest|most> {col} in {file}?",
    "find the {name} with the <highest|biggest|maximum> {col} in {file}",
    "in {file}, which {one} has the <highest|largest> {col}?",
    "what is the {name} of the {one1} with the <highest|largest> {col} in {file}?",
    "tell me the {name} with the top {col} in {file}",
    "{file}: {name} with the maximum {col}",
    "which {name} leads in {col} in {file}?",
    "give me the {name} with the largest {col} from {file}",
)
BOTTOM = (
    "which {one} has the <lowest|smallest> {col} in {file}?",
    "{name} with the <lowest|smallest|least> {col} in {file}?",
    "find the {name} with the <lowest|smallest|minimum> {col} in {file}",
    "in {file}, which {one} has the <lowest|smallest> {col}?",
    "what is the {name} of the {one1} with the <lowest|smallest> {col} in {file}?",
    "tell me the {name} with the <least|lowest> {col} in {file}",
    "{file}: {name} with the minimum {col}",
    "give me the {name} with the smallest {col} from {file}",
)
TOP_N = (
    "what are the top {n} {names} by {col} in {file}?",
    "top {n} {names} by {col} in {file}",
    "list the {n} {names} with the <highest|largest|most> {col} in {file}",
    "give me the {n} {names} with the <largest|highest|biggest> {col} from {file}",
    "which {n} {names} have the <highest|biggest|largest> {col} in {file}?",
    "show the {n} <highest|best> {names} of {file} by {col}",
    "the {n} {names} with the most {col} in {file}?",
    "in {file}, which are the {n} {names} with the highest {col}?",
    "{file}: top {n} {names} by {col}",
)
BOTTOM_N = (
    "list the {n} {names} with the <lowest|smallest> {col} in {file}",
    "which {n} {names} have the <lowest|smallest> {col} in {file}?",
    "give me the {n} {names} with the <smallest|lowest> {col} from {file}",
    "bottom {n} {names} by {col} in {file}",
    "the {n} {names} with the least {col} in {file}?",
)
SORT_DOWN = (
    "list the {names} in {file} sorted by {col}, <highest|largest|biggest> first",
    "sort the {names} of {file} by {col}, descending",
    "{names} in {file} ordered by {col} from <high to low|largest to smallest>",
    "show <all |the |>{names} in {file} by descending {col}",
    "order the {names} of {file} by {col}, <largest|highest> first",
)
SORT_UP = (
    "list the {names} in {file} sorted by {col}, <lowest|smallest> first",
    "sort the {names} of {file} by {col}, ascending",
    "{names} in {file} ordered by {col} from <low to high|smallest to largest>",
    "show <all |the |>{names} in {file} by ascending {col}",
    "order the {names} of {file} by {col}, <smallest|lowest> first",
)
DISTINCT = (
    "which different {cats} <are|occur> in {file}?",
    "list the <distinct|unique|different> {cats} in {file}",
    "what {cats} <appear|occur|are> in {file}? <No duplicates|Each once>",
    "unique values of {cat} in {file}?",
    "which {cats} are there in {file}, <each once|without duplicates>?",
    "give me the <distinct|unique> values of {cat} from {file}",
    "show the different values of {cat} in {file}",
    "all {cats} in {file}, without repeats",
)
COUNT_DISTINCT = (
    "how many <different|distinct|unique> {cats} <are|are there> in {file}?",
    "count the <different|distinct|unique> {cats} in {file}",
    "number of <distinct|different|unique> {cats} in {file}",
    "how many different values does {cat} have in {file}?",
    "in {file}, how many unique {cats} <are there|do we have>?",
)
LOOKUP = (
    "what is the {col} of {name} {value} in {file}?",
    "what {col} does the {name} {value} have in {file}?",
    "{col} of the {name} {value} in {file}?",
    "look up the {name} {value} in {file}: what is the {col}?",
    "find the {col} of the {name} {value} in {file}",
    "in {file}, what's the {col} for {name} {value}?",
    "tell me the {col} of {name} {value} <from|according to> {file}",
    "which {col} is listed for the {name} {value} in {file}?",
    "get the {col} of the {name} {value} from {file}",
    "what does {file} give as {col} for {name} {value}?",
    "I need the {col} for {name} = {value} in {file}",
    "{file}: {col} where {name} is {value}",
    "what is the {col} in {file} where {name} is {value}?",
    "the {col} of {name} {value}, from {file}?",
)
COLUMN_VALUES = (
    "list <all |the |>{names} in {file}",
    "what {names} are in {file}?",
    "give me <all |the |>{names} from {file}",
    "show <me |>the {col} column of {file}",
    "all {names} of {file}",
    "which {names} does {file} list?",
    "get every {col} from {file}",
    "values of the column {col} in {file}?",
    "read the {col} column <of|from> {file}",
)
MORE = ("over", "more than", "above", "greater than", "larger than", "higher than", ">", "exceeding")
LESS = ("under", "less than", "below", "smaller than", "lower than", "<")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL and in words: `have` completes "how many orders ...", `that` "the orders ...", `where` a sum."""

    sql: str
    have: str
    that: str
    where: str
    test: Callable[[dict[str, Any]], bool]


def table_file(desk: Desk, *kinds: str, every: bool = True) -> tuple[File, Table]:
    """A table that has columns of all the kinds."""
    endings = ("csv",) if desk.draw.chance(0.75) else ()
    files = [
        file
        for file in desk.folder.tables(*endings)
        if file.table and all(file.table.of(*kind.split("|")) for kind in kinds)
    ]
    if not files:
        raise Unsuitable("no such table")
    file = desk.rng.choice(files)
    assert file.table is not None
    return file, file.table


def col(desk: Desk, column: Column) -> str:
    """A column as people name it."""
    name = column.name.replace("_", " ") if "_" in column.name and desk.draw.chance(0.6) else column.name
    return f'"{column.name}"' if desk.draw.chance(0.04) else f"`{column.name}`" if desk.draw.chance(0.04) else name


def plural(word: str) -> str:
    """The plural of a column's name."""
    word = word.replace("_", " ")
    if word.endswith(("s", "x", "ch")):
        return word if word in ("status", "hours", "points") else word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"


def pick_column(desk: Desk, table: Table, *kinds: str) -> Column:
    """A column of some kinds. Raises `Unsuitable`."""
    columns = table.of(*kinds)
    if not columns:
        raise Unsuitable("no such column")
    return desk.rng.choice(columns)


def condition(desk: Desk, table: Table, *, without: Column | None = None) -> Condition:
    """A condition on a category, a number or a date that some rows meet."""
    columns = [column for column in table.of("category", "money", "count", "date") if column is not without]
    if not columns:
        raise Unsuitable("no column for a condition")
    column = desk.rng.choice(columns)
    shown = column.name.replace("_", " ") if desk.draw.chance(0.7) else column.name
    if column.kind == "category":
        return _is(desk, column, shown, str(desk.rng.choice(table.values(column))))
    if column.kind == "date":
        return _dated(desk, column, shown, str(desk.rng.choice(table.values(column))))
    return _compared(desk, column, shown, table)


def _is(desk: Desk, column: Column, shown: str, value: str) -> Condition:
    text = value if desk.draw.chance(0.75) else desk.value(value)
    if desk.draw.chance(0.12):
        return Condition(
            f"{column.name} <> {sql_text(value)}",
            desk.rng.choice((f"have a {shown} other than {text}", f"do not have {shown} {text}")),
            desk.rng.choice((f"where {shown} is not {text}", f"whose {shown} is not {text}")),
            desk.rng.choice(
                (f" where {shown} is not {text}", f", leaving out {shown} {text}", f" for every {shown} but {text}")
            ),
            lambda row: row[column.name] != value,
        )
    have = desk.rng.choice((f"have {shown} {text}", f"have the {shown} {text}", f"have {text} as {shown}"))
    that = desk.rng.choice(
        (
            f"where {shown} is {text}",
            f"with {shown} {text}",
            f"whose {shown} is {text}",
            f"with the {shown} {text}",
            f"with {shown} = {text}",
            f"that have {shown} {text}",
        )
    )
    where = desk.rng.choice(
        (
            f" where {shown} is {text}",
            f" for {shown} {text}",
            f" with {shown} {text}",
            f" where the {shown} is {text}",
            f", only for {shown} {text}",
            f" for the {shown} {text}",
            f", counting only {shown} {text}",
            f" if {shown} is {text}",
        )
    )
    return Condition(f"{column.name} = {sql_text(value)}", have, that, where, lambda row: row[column.name] == value)


def _dated(desk: Desk, column: Column, shown: str, value: str) -> Condition:
    after = desk.draw.chance(0.5)
    word, sign = ("after", ">") if after else ("before", "<")
    holds: Callable[[dict[str, Any]], bool] = (
        (lambda row: row[column.name] > value) if after else (lambda row: row[column.name] < value)
    )
    return Condition(
        f"{column.name} {sign} {sql_text(value)}",
        f"have {'an' if shown[0] in 'aeiou' else 'a'} {shown} {word} {value}",
        desk.rng.choice((f"with {shown} {word} {value}", f"where {shown} is {word} {value}")),
        desk.rng.choice((f" where {shown} is {word} {value}", f" with {shown} {word} {value}")),
        holds,
    )


def _compared(desk: Desk, column: Column, shown: str, table: Table) -> Condition:
    values = sorted(table.values(column))
    limit = int(desk.rng.choice(values[: len(values) - 1] if len(values) > 1 else values))
    if desk.draw.chance(0.5):
        limit = limit // 10 * 10 or limit
    at = desk.rng.random()
    if at < 0.1:
        return Condition(
            f"{column.name} >= {limit}",
            f"have at least {limit} {shown}" if column.kind == "count" else f"have {shown} of at least {limit}",
            f"with {shown} of at least {limit}",
            f" where {shown} is at least {limit}",
            lambda row: row[column.name] >= limit,
        )
    if at < 0.18:
        return Condition(
            f"{column.name} <= {limit}",
            f"have at most {limit} {shown}" if column.kind == "count" else f"have {shown} of at most {limit}",
            f"with {shown} of at most {limit}",
            f" where {shown} is at most {limit}",
            lambda row: row[column.name] <= limit,
        )
    more = at < 0.65
    word = desk.draw.one(MORE if more else LESS)
    unit = (
        desk.rng.choice(("", "", " euros", " dollars")) if column.kind == "money" and not word.endswith((">", "<")) else ""
    )
    holds: Callable[[dict[str, Any]], bool] = (
        (lambda row: row[column.name] > limit) if more else (lambda row: row[column.name] < limit)
    )
    sign = ">" if more else "<"
    article = "an" if shown[0] in "aeiou" else "a"
    return Condition(
        f"{column.name} {sign} {limit}",
        desk.rng.choice((f"have {article} {shown} {word} {limit}{unit}", f"have {shown} {word} {limit}{unit}")),
        desk.rng.choice(
            (
                f"with {article} {shown} {word} {limit}{unit}",
                f"with {shown} {word} {limit}{unit}",
                f"where {shown} is {word} {limit}{unit}",
                f"whose {shown} is {word} {limit}{unit}",
            )
        ),
        desk.rng.choice(
            (
                f" where {shown} is {word} {limit}{unit}",
                f" for rows with {shown} {word} {limit}{unit}",
                f", only where {shown} is {word} {limit}{unit}",
            )
        ),
        holds,
    )


def value_of(expression: str, file: File, tail: str = "") -> str:
    """A query for a single value, and the value."""
    return f'tables.sql(query={q(f"SELECT {expression} AS value FROM {sql_text(file.path)}{tail}")})[0]["value"]'


def values_of(column: str, file: File, tail: str = "") -> str:
    """A query for one column, and its list."""
    return f"[row[{q(column)}] for row in tables.sql(query={q(f'SELECT {column} FROM {sql_text(file.path)}{tail}')})]"


def count_rows(desk: Desk) -> Draft:
    """How many rows."""
    file, table = table_file(desk)
    return ask(desk.say(COUNT_ROWS, file=desk.path(file.path), noun=table.noun), f"answer({value_of('count(*)', file)})")


def columns(desk: Desk) -> Draft:
    """Column names."""
    file, _ = table_file(desk)
    return ask(
        desk.say(COLUMNS, file=desk.path(file.path)), f'answer(list(tables.describe(path={q(file.path)})["columns"]))'
    )


def describe(desk: Desk) -> Draft:
    """The whole description."""
    file, _ = table_file(desk)
    return ask(desk.say(DESCRIBE, file=desk.path(file.path)), f"answer(tables.describe(path={q(file.path)}))")


def column_type(desk: Desk) -> Draft:
    """One column's type."""
    file, table = table_file(desk)
    column = desk.rng.choice(table.columns)
    return ask(
        desk.say(TYPE, file=desk.path(file.path), col=col(desk, column)),
        f'answer(tables.describe(path={q(file.path)})["columns"][{q(column.name)}])',
    )


def aggregate(function: str, templates: tuple[str, ...]) -> Callable[[Desk], Draft]:
    """One number over a column, sometimes of some rows only."""

    def make(desk: Desk) -> Draft:
        file, table = table_file(desk, "money|count")
        column = pick_column(desk, table, "money", "count")
        some = condition(desk, table, without=column) if desk.draw.chance(0.35) else None
        tail = f" WHERE {some.sql}" if some else ""
        if some and not any(some.test(row) for row in records(table)):
            raise Unsuitable("no row")
        if function == "avg" and desk.draw.chance(0.25):
            digits = desk.rng.choice((1, 2, 2))
            text = desk.say(
                templates, file=desk.path(file.path), col=col(desk, column), where=some.where if some else ""
            ).rstrip("?. ")
            text += desk.rng.choice(
                (
                    f", rounded to {digits} decimals",
                    f" (round to {digits} digits)",
                    f", rounded to {desk.count(digits)} decimal places",
                )
            )
            return ask(text, f"answer({value_of(f'round(avg({column.name}), {digits})', file, tail)})")
        return ask(
            desk.say(templates, file=desk.path(file.path), col=col(desk, column), where=some.where if some else ""),
            f"answer({value_of(f'{function}({column.name})', file, tail)})",
        )

    return make


def records(table: Table) -> list[dict[str, Any]]:
    """The rows as dictionaries."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]


def count_where(desk: Desk) -> Draft:
    """How many rows meet a condition."""
    file, table = table_file(desk)
    some = condition(desk, table)
    return ask(
        desk.say(COUNT_WHERE, file=desk.path(file.path), noun=table.noun, have=some.have, that=some.that),
        f"answer({value_of('count(*)', file, f' WHERE {some.sql}')})",
    )


def list_where(desk: Desk) -> Draft:
    """One column of the rows that meet a condition."""
    file, table = table_file(desk, "name")
    column = pick_column(desk, table, "name")
    some = condition(desk, table)
    return ask(
        desk.say(
            LIST_WHERE,
            file=desk.path(file.path),
            noun=table.noun,
            have=some.have,
            that=some.that,
            names=plural(column.name),
            col=column.name,
        ),
        f"answer({values_of(column.name, file, f' WHERE {some.sql}')})",
    )


def rows_where(desk: Desk) -> Draft:
    """The rows that meet a condition."""
    file, table = table_file(desk)
    some = condition(desk, table)
    query = f"SELECT * FROM {sql_text(file.path)} WHERE {some.sql}"
    return ask(
        desk.say(ROWS_WHERE, file=desk.path(file.path), noun=table.noun, have=some.have, that=some.that),
        f"answer(tables.sql(query={q(query)}))",
    )


def group(expression: str, templates: tuple[str, ...]) -> Callable[[Desk], Draft]:
    """A number for each value of a category."""

    def make(desk: Desk) -> Draft:
        file, table = table_file(desk, "category", "money|count")
        category = pick_column(desk, table, "category")
        column = pick_column(desk, table, "money", "count")
        name, value = category.name, expression.format(column.name)
        query = f"SELECT {name}, {value} AS value FROM {sql_text(file.path)} GROUP BY {name}"
        program = f'answer({{row[{q(category.name)}]: row["value"] for row in tables.sql(query={q(query)})}})'
        return ask(
            desk.say(templates, file=desk.path(file.path), col=col(desk, column), cat=col(desk, category), noun=table.noun),
            program,
        )

    return make


def extreme(desk: Desk) -> Draft:
    """The name with the highest or lowest value."""
    file, table = table_file(desk, "name", "money|count")
    name, column = pick_column(desk, table, "name"), pick_column(desk, table, "money", "count")
    down = desk.draw.chance(0.65)
    tail = f" ORDER BY {column.name}{' DESC' if down else ''} LIMIT 1"
    one = name.name if name.name not in ("name", "title") else desk.rng.choice(("row", "entry", name.name))
    text = desk.say(
        TOP if down else BOTTOM,
        file=desk.path(file.path),
        one=one,
        one1="row" if one == name.name else one,
        name=name.name,
        col=col(desk, column),
    )
    return ask(text, f"answer({value_of(name.name, file, tail)})")


def top(desk: Desk) -> Draft:
    """The names with the highest or lowest few values."""
    file, table = table_file(desk, "name", "money|count")
    name, column = pick_column(desk, table, "name"), pick_column(desk, table, "money", "count")
    down, number = desk.draw.chance(0.7), desk.rng.randint(2, 5)
    tail = f" ORDER BY {column.name}{' DESC' if down else ''} LIMIT {number}"
    text = desk.say(
        TOP_N if down else BOTTOM_N,
        file=desk.path(file.path),
        names=plural(name.name),
        col=col(desk, column),
        n=desk.count(number),
    )
    return ask(text, f"answer({values_of(name.name, file, tail)})", ordered=True)


def ordered(desk: Desk) -> Draft:
    """All names in the order of a column."""
    file, table = table_file(desk, "name", "money|count|date")
    name, column = pick_column(desk, table, "name"), pick_column(desk, table, "money", "count")
    down = desk.draw.chance(0.5)
    text = desk.say(
        SORT_DOWN if down else SORT_UP, file=desk.path(file.path), names=plural(name.name), col=col(desk, column)
    )
    return ask(
        text, f"answer({values_of(name.name, file, f' ORDER BY {column.name}' + (' DESC' if down else ''))})", ordered=True
    )


def distinct(desk: Desk) -> Draft:
    """The different values of a category, or how many."""
    file, table = table_file(desk, "category")
    category = pick_column(desk, table, "category")
    shown = {"file": desk.path(file.path), "cat": category.name, "cats": plural(category.name)}
    if desk.draw.chance(0.4):
        return ask(desk.say(COUNT_DISTINCT, **shown), f"answer({value_of(f'count(DISTINCT {category.name})', file)})")
    query = f"SELECT DISTINCT {category.name} FROM {sql_text(file.path)}"
    return ask(desk.say(DISTINCT, **shown), f"answer([row[{q(category.name)}] for row in tables.sql(query={q(query)})])")


def lookup(desk: Desk) -> Draft:
    """One cell of the row with a name."""
    file, table = table_file(desk, "name")
    name = pick_column(desk, table, "name")
    column = desk.rng.choice([column for column in table.columns if column is not name])
    value = str(desk.rng.choice(table.values(name)))
    if column.kind == "date":
        raise Unsuitable("dates come in several forms")
    return ask(
        desk.say(LOOKUP, file=desk.path(file.path), col=col(desk, column), name=name.name, value=value),
        f"answer({value_of(column.name, file, f' WHERE {name.name} = {sql_text(value)}')})",
    )


def column_values(desk: Desk) -> Draft:
    """All values of one column."""
    file, table = table_file(desk, "name")
    name = pick_column(desk, table, "name")
    return ask(
        desk.say(COLUMN_VALUES, file=desk.path(file.path), names=plural(name.name), col=name.name),
        f"answer({values_of(name.name, file)})",
    )


INTENTS: tuple[Intent, ...] = (
    (7, count_rows),
    (3, columns),
    (3, describe),
    (1, column_type),
    (9, aggregate("sum", SUM)),
    (6, aggregate("avg", MEAN)),
    (4, aggregate("max", MAX)),
    (3, aggregate("min", MIN)),
    (7, count_where),
    (5, list_where),
    (3, rows_where),
    (4, group("sum({})", GROUP_SUM)),
    (2, group("avg({})", GROUP_MEAN)),
    (3, group("count(*)", GROUP_COUNT)),
    (5, extreme),
    (4, top),
    (2, ordered),
    (3, distinct),
    (4, lookup),
    (2, column_values),
)
