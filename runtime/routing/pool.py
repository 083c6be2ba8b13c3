"""The pool: the models that a task may be given to, one `[models.<name>]` table of `atlas.toml` each.

[models.laptop]
model = "nano"                                # as --model
watts = 35                                    # a local model costs what it draws
strengths = "counts, converts and loops over files"

[models.cloud]
model = "https://example.com/v1#large"
input_price = 0.9                             # USD per million tokens
output_price = 2.7
api_key_variable = "CLOUD_KEY"
timeout_seconds = 120
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import PoolError

PER_TOKENS = 1_000_000
"""Prices are given for this many tokens."""
_JOULES_PER_KWH = 3_600_000.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1, max_length=2_000)]
_ENDPOINT = ("http://", "https://")


class PoolModel(BaseModel):
    """One model of the pool, with what it costs and how far it may go."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: _Text
    """The policy, as `--model` names it."""
    adapter: _Text = "auto"
    input_price: _Amount = 0.0
    """USD for a million prompt tokens."""
    output_price: _Amount = 0.0
    """USD for a million generated tokens."""
    watts: _Amount = 0.0
    """What a local model draws while it answers; its seconds then cost electricity."""
    usd_per_kwh: _Amount = 0.3
    context_tokens: Annotated[int, Field(ge=128)] | None = None
    strengths: Annotated[str, Field(max_length=2_000)] = ""
    """In words; shown to people, and to a router that reads."""
    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """One reply may take this long; after it the task goes to another model."""
    spend_limit: _Amount | None = None
    """USD that this model may cost in one command."""
    scores: bool = False
    """It says how good the work of others is, for `best_of`, and does no task itself."""
    vision: bool = False
    """It is an endpoint that takes pictures."""
    api_key_variable: Annotated[str, Field(max_length=2_000)] | None = None
    """The environment variable that holds the key of the endpoint; the key is sent to this endpoint only. Empty: no key."""

    @property
    def is_endpoint(self) -> bool:
        """True for a model that is reached over HTTP."""
        return self.model.startswith(_ENDPOINT)

    def cost_usd(self, prompt_tokens: float, generated_tokens: float, seconds: float) -> float:
        """What so many tokens and seconds cost, in USD."""
        for_prompt, for_generated, for_second = self.rates
        return prompt_tokens * for_prompt + generated_tokens * for_generated + seconds * for_second

    @property
    def rates(self) -> tuple[float, float, float]:
        """USD for one prompt token, one generated token and one second."""
        power = self.watts / _JOULES_PER_KWH * self.usd_per_kwh
        return self.input_price / PER_TOKENS, self.output_price / PER_TOKENS, power

    def api_key(self, where: str) -> str | None:
        """The key in the named variable; None: `ATLAS_API_KEY` will do; empty: no key.

        Raises `PoolError` where a variable is named and not set.
        """
        if not self.api_key_variable:
            return self.api_key_variable
        key = os.environ.get(self.api_key_variable)
        if not key:
            raise PoolError(
                f"the environment variable {self.api_key_variable} is not set", where=where,
                mend=f"export {self.api_key_variable}=..., or remove api_key_variable",
            )  # fmt: skip
        return key


class Pool(Mapping[str, PoolModel]):
    """Models by name, in the order of the file."""

    def __init__(self, models: Mapping[str, PoolModel] | None = None) -> None:
        self._models = _one_owner(dict(models or {}))

    def __getitem__(self, name: str) -> PoolModel:
        return self._models[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def workers(self) -> Pool:
        """Those that do tasks."""
        return Pool({name: one for name, one in self.items() if not one.scores})

    @property
    def scorer(self) -> str | None:
        """The first one that scores, if any."""
        return next((name for name, one in self.items() if one.scores), None)

    def named(self, names: list[str]) -> Pool:
        """The models of these names. Raises `PoolError` for one that is not here."""
        for name in names:
            if name not in self:
                near = difflib.get_close_matches(name, self, 1)
                raise PoolError(
                    f"no model of the pool is called {name!r}", where="atlas.toml",
                    mend=f"did you mean {near[0]}?" if near else f"the pool has: {', '.join(self) or 'no model'}",
                )  # fmt: skip
        return Pool({name: self[name] for name in names})


def _one_owner(models: dict[str, PoolModel]) -> dict[str, PoolModel]:
    """The models; where endpoints of several hosts name no key of their own, none of them gets `ATLAS_API_KEY`."""
    keyless = {name: one for name, one in models.items() if one.is_endpoint and one.api_key_variable is None}
    if len({urlsplit(one.model).netloc for one in keyless.values()}) < 2:
        return models
    return models | {name: one.model_copy(update={"api_key_variable": ""}) for name, one in keyless.items()}


def read_pool(path: Path, tables: object) -> Pool:
    """The pool in the `models` tables of a settings file. Raises `PoolError` naming file, table and key."""
    if not isinstance(tables, dict):
        raise PoolError(
            f"models holds tables, not {tables!r}", where=f"{path}: models", mend='write [models.name] and model = "..."'
        )
    return Pool({name: _read_one(path, name, table) for name, table in tables.items()})


def _read_one(path: Path, name: str, table: object) -> PoolModel:
    where = f"{path}: [models.{name}]"
    if not _NAME.fullmatch(name):
        raise PoolError(
            f"{name!r} cannot name a model", where=where, mend="take letters, digits, dots, dashes and underscores"
        )
    if not isinstance(table, dict):
        raise PoolError(f"a model is a table, not {table!r}", where=where, mend=f'write [models.{name}] and model = "..."')
    values: dict[str, Any] = {key.replace("-", "_"): value for key, value in table.items()}
    try:
        found = PoolModel(**values)
    except ValidationError as problem:
        raise _explained(where, problem) from None
    if found.api_key_variable is not None and not found.is_endpoint:
        raise PoolError(
            f"{found.model} takes no key", where=f"{where} api_key_variable", mend="remove the key, or name an endpoint"
        )
    if found.vision and not found.is_endpoint:
        raise PoolError(
            f"{found.model} takes no pictures", where=f"{where} vision", mend="remove the key, or name an endpoint that does"
        )
    return found if found.is_endpoint else _beside(path, found)


def _beside(path: Path, found: PoolModel) -> PoolModel:
    """A model file counts from the folder of the file that names it."""
    file = Path(found.model).expanduser()
    if not found.model.endswith(".gguf") or found.model.startswith("hf:") or file.is_absolute():
        return found
    return found.model_copy(update={"model": str(path.parent / file)})


def _explained(where: str, problem: ValidationError) -> PoolError:
    first = problem.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    place = f"{where} {key}".rstrip()
    if first["type"] == "missing":
        return PoolError(f"{key} is missing", where=where, mend=f"add {key} = ..., as --{key} takes it")
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, PoolModel.model_fields, 1)
        mend = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(PoolModel.model_fields)}"
        return PoolError(f"unknown key {key}", where=place, mend=mend)
    said = first["msg"].removeprefix("Input should be ")
    return PoolError(f"{key} is {first['input']!r}", where=place, mend=f"it should be {said}")
