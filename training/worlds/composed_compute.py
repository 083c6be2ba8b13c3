"""Tools that only calculate: fees, conversions, estimates."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ...tools_registry.tool import Tool
from .base import Split
from .composed_tools import Records, Spec, wrapped
from .composed_words import pseudo_word

_Kind = tuple[str, str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]

_OPTION: tuple[tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "shipping_cost",
        "weight",
        "express",
        "Shipping cost for a weight in kg",
        (
            "what does shipping {value} kg cost?",
            "shipping cost for {value} kg?",
            "!calculate the shipping cost for a weight of {value} kg",
            "how much is shipping for {value} kg?",
            "!tell me what it costs to ship {value} kg",
        ),
        (
            "what does express shipping of {value} kg cost?",
            "express shipping cost for {value} kg?",
            "!calculate the shipping cost for {value} kg, express",
            "how much is shipping for {value} kg by express?",
            "!tell me what it costs to ship {value} kg express",
        ),
    ),
    (
        "late_fee",
        "days",
        "waived_once",
        "Late fee for a number of days",
        (
            "what is the late fee for {value} days?",
            "late fee after {value} days?",
            "!work out the late fee for {value} days",
            "how high is the late fee for {value} days?",
            "!compute the fee for being {value} days late",
        ),
        (
            "what is the late fee for {value} days, waived once?",
            "late fee after {value} days with waived once set?",
            "!work out the late fee for {value} days, waived once",
            "how high is the late fee for {value} days when waived once?",
            "!compute the late fee for {value} days, waived once",
        ),
    ),
    (
        "delivery_time",
        "distance",
        "rush",
        "Hours of delivery for a distance in km",
        (
            "how long does delivery over {value} km take?",
            "delivery time for {value} km?",
            "!estimate the delivery time for a distance of {value} km",
            "what is the delivery time over {value} km?",
            "!tell me the delivery time for {value} km",
        ),
        (
            "how long does rush delivery over {value} km take?",
            "rush delivery time for {value} km?",
            "!estimate the delivery time for {value} km, rush",
            "what is the delivery time over {value} km in a rush?",
            "!tell me the rush delivery time for {value} km",
        ),
    ),
    (
        "loan_interest",
        "principal",
        "yearly",
        "Interest on a loan",
        (
            "what is the interest on a loan of {value}?",
            "interest on a {value} loan?",
            "!calculate the loan interest for {value}",
            "how much interest does a loan of {value} cost?",
            "!compute the interest for a loan of {value}",
        ),
        (
            "what is the yearly interest on a loan of {value}?",
            "yearly interest on a {value} loan?",
            "!calculate the yearly loan interest for {value}",
            "how much yearly interest does a loan of {value} cost?",
            "!compute the yearly interest for a loan of {value}",
        ),
    ),
    (
        "paint_needed",
        "area",
        "two_coats",
        "Litres of paint for an area",
        (
            "how much paint do we need for {value} square metres?",
            "paint needed for an area of {value}?",
            "!work out the paint needed for {value} square metres",
            "litres of paint for an area of {value}?",
            "!calculate the paint needed for an area of {value}",
        ),
        (
            "how much paint do we need for {value} square metres in two coats?",
            "paint needed for an area of {value} with two coats?",
            "!work out the paint needed for {value} square metres, two coats",
            "litres of paint for an area of {value}, two coats?",
            "!calculate the paint needed for an area of {value} in two coats",
        ),
    ),
)
_UNIT: tuple[tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "convert_points",
        "points",
        "to",
        "Convert bonus points into something",
        ("euros", "miles", "vouchers"),
        (
            "!convert {value} points to {unit}",
            "how many {unit} are {value} points?",
            "{value} points in {unit}?",
            "what are {value} points worth in {unit}?",
            "!turn {value} points into {unit}",
        ),
    ),
    (
        "exchange_money",
        "amount",
        "currency",
        "Exchange an amount of money into a currency",
        ("USD", "CHF", "GBP", "JPY"),
        (
            "!exchange an amount of {value} into {unit}",
            "how much {unit} do i get for {value}?",
            "what is the amount of {value} in the currency {unit}?",
            "!exchange {value} to {unit}",
            "money exchange: {value} to {unit}?",
        ),
    ),
    (
        "ticket_fare",
        "zones",
        "class_name",
        "Fare for a number of zones in a class",
        ("first", "second"),
        (
            "what is the fare for {value} zones in {unit} class?",
            "fare for {value} zones, {unit} class?",
            "!calculate the {unit} class fare for {value} zones",
            "how much is the fare over {value} zones in {unit} class?",
            "!tell me the fare for {value} zones, class {unit}",
        ),
    ),
    (
        "insurance_quote",
        "insured_value",
        "cover",
        "Insurance quote for a value",
        ("basic", "full"),
        (
            "what is the insurance quote for a value of {value} with {unit} cover?",
            "insurance quote: value {value}, {unit} cover?",
            "!quote the insurance for {value} with {unit} cover",
            "how much is insurance for {value}, {unit} cover?",
            "!get an insurance quote for {value}, cover {unit}",
        ),
    ),
)
_PLAIN: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "sales_tax",
        "amount",
        "Sales tax on an amount",
        (
            "what is the sales tax on {value}?",
            "sales tax for {value}?",
            "!calculate the sales tax on an amount of {value}",
            "how much sales tax is due on {value}?",
            "!tell me the sales tax for {value}",
        ),
    ),
    (
        "carbon_footprint",
        "km",
        "Carbon footprint of a trip in km",
        (
            "what is the carbon footprint of {value} km?",
            "carbon footprint for a trip of {value} km?",
            "!estimate the carbon footprint of {value} km",
            "how big is the carbon footprint of {value} km?",
            "!compute the carbon footprint for {value} km",
        ),
    ),
    (
        "member_discount",
        "years",
        "Discount in percent for years of membership",
        (
            "what discount do members get after {value} years?",
            "member discount for {value} years?",
            "!look up the member discount for {value} years",
            "how high is the member discount after {value} years?",
            "!tell me the discount for {value} years of membership",
        ),
    ),
    (
        "boxes_needed",
        "pieces",
        "Boxes needed for a number of pieces",
        (
            "how many boxes are needed for {value} pieces?",
            "boxes needed for {value} pieces?",
            "!calculate the boxes needed for {value} pieces",
            "{value} pieces: how many boxes do we need?",
            "!work out how many boxes {value} pieces need",
        ),
    ),
    (
        "calories_burned",
        "minutes",
        "Calories burned in minutes of exercise",
        (
            "how many calories are burned in {value} minutes?",
            "calories burned in {value} minutes?",
            "!calculate the calories burned in {value} minutes",
            "what calories does one burn in {value} minutes?",
            "!tell me the calories burned over {value} minutes",
        ),
    ),
)


def compute_tools(rng: random.Random, split: Split, server: str, pseudo: bool) -> list[Spec]:
    """One or two calculating tools for a server."""
    from .composed_words import cached_pool

    factor = rng.randint(2, 9)
    made: list[Spec] = []
    parts: dict[str, dict[str, Any]]
    for kind in rng.sample(("option", "unit", "plain"), rng.choice((1, 2))):
        if kind == "option":
            name, value, option, description, asks, with_option = rng.choice(cached_pool(_OPTION, split))
            parts = {value: {"type": "number"}, option: {"type": "boolean", "default": False}}
            args = {"value": value, "option": option}
            extra: dict[str, Any] = {"asks": asks, "with_option": with_option}
        elif kind == "unit":
            name, value, unit, description, units, asks = rng.choice(cached_pool(_UNIT, split))
            if pseudo and rng.random() < 0.7:
                units = tuple(pseudo_word(rng, split) for _ in range(3))
            parts = {value: {"type": "number"}, unit: {"type": "string", "enum": list(units)}}
            args, extra = {"value": value, "unit": unit}, {"asks": asks, "units": units}
        else:
            name, value, description, asks = rng.choice(cached_pool(_PLAIN, split))
            parts, args, extra = {value: {"type": "number"}}, {"value": value}, {"asks": asks}
        tool = Tool(
            server=server,
            name=name,
            description=f"{description}.",
            server_name=server,
            tool_name=name,
            read_only=True,
            idempotent=True,
            input_schema={
                "type": "object",
                "properties": parts,
                "required": [one for one in parts if "default" not in parts[one]],
            },
            output_schema=wrapped({"type": "number"}) if rng.random() < 0.6 else None,
        )
        made.append(
            Spec(
                tool=tool,
                op="compute",
                entity=None,
                run=_runner(args, factor, extra.get("units", ())),
                args=args,
                extra=extra | {"query": name.replace("_", " ")},
            )
        )
    return made


def _runner(args: dict[str, str], factor: int, units: tuple[str, ...]) -> Callable[[Records, dict[str, Any]], Any]:
    def run(store: Records, given: dict[str, Any]) -> Any:
        result = given[args["value"]] * factor / 4
        if "option" in args and given[args["option"]]:
            result += 7.5
        if "unit" in args:
            result *= 1 + units.index(given[args["unit"]])
        return round(result, 2)

    return run
