"""Policies: language models that propose replies. `load_policy` finds the one that a `--model` value names."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .base import Policy, PolicyIdentity, Proposal, Sampling
from .errors import (
    AdapterError,
    BadModelFile,
    BadTemplate,
    DownloadError,
    EndpointBroken,
    EndpointDown,
    EndpointError,
    EndpointRefused,
    EndpointTimeout,
    ModelError,
    ModelNotFound,
    NoTemplate,
    PromptTooLong,
)
from .name_table import Names
from .spec import load_policy, nano_path

if TYPE_CHECKING:
    from .http import HttpPolicy
    from .llama import LlamaPolicy
    from .scripted import ScriptedPolicy

_HEAVY = {"HttpPolicy": "http", "LlamaPolicy": "llama", "ScriptedPolicy": "scripted"}
"""What these bring along (httpx, llama.cpp, numpy) is imported at their first use, and not for `atlas --help`."""

__all__ = [
    "AdapterError",
    "BadModelFile",
    "BadTemplate",
    "DownloadError",
    "EndpointBroken",
    "EndpointDown",
    "EndpointError",
    "EndpointRefused",
    "EndpointTimeout",
    "HttpPolicy",
    "LlamaPolicy",
    "ModelError",
    "ModelNotFound",
    "Names",
    "NoTemplate",
    "Policy",
    "PolicyIdentity",
    "PromptTooLong",
    "Proposal",
    "Sampling",
    "ScriptedPolicy",
    "load_policy",
    "nano_path",
]


def __getattr__(name: str) -> object:
    if name in _HEAVY:
        return getattr(import_module(f".{_HEAVY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
