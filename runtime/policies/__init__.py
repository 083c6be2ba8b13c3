"""Policies: language models that propose replies. `load_policy` finds the one that a `--model` value names."""

from __future__ import annotations

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
from .name_state import Names
from .scripted import ScriptedPolicy
from .spec import load_policy, nano_path

if TYPE_CHECKING:
    from .http import HttpPolicy
    from .llama import LlamaPolicy

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
    """The two heavy policies are imported on first use."""
    if name == "LlamaPolicy":
        from .llama import LlamaPolicy

        return LlamaPolicy
    if name == "HttpPolicy":
        from .http import HttpPolicy

        return HttpPolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
