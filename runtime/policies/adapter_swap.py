"""Adapters of a live model: what is loaded, which one is applied, and policies that stay with the version they began with.

Two rules keep the log true. The KV cache never outlives the weights that computed it: applying another adapter drops it.
And an episode never changes weights half-way: it runs on a `PinnedPolicy`, whose conversations carry their version; a swap
only decides what the next episode begins with. A version is freed when no episode and no policy holds it any more.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .base import Counting, PolicyIdentity, Profile, Proposal, Sampling
from .errors import AdapterError
from .file_hash import FileHash
from .gguf_file import GGUFHeader, read_header

if TYPE_CHECKING:
    from .llama import LlamaPolicy
    from .name_table import Names
    from .token_conversation import TokenConversation

BASE_HASH = "atlas.base_hash"
"""Key of a GGUF adapter made here: SHA-256 of the model file that it was trained on."""
_MEND = "use the model that it was trained on, or --adapter none"


class LoadedAdapter:
    """An adapter in memory beside its model; dropping the last reference lets the model free it."""

    def __init__(self, path: Path, pointer: Any, retire: Callable[[Any], None]) -> None:
        self.path = path
        self.pointer = pointer
        weakref.finalize(self, retire, pointer).atexit = False


class Adapters:
    """The adapters of one llama.cpp model and context. Everything here is synchronous, and not for two threads at once."""

    def __init__(self, llama: Any, model: Any, context: Any, header: GGUFHeader) -> None:
        self._llama, self._model, self._context, self._header = llama, model, context, header
        self._retired: list[Any] = []
        self.applied: LoadedAdapter | None = None

    def load(self, path: Path, base_hash: Callable[[], str] | None = None) -> LoadedAdapter:
        """Read an adapter from its file without applying it. Raises `AdapterError` where it does not fit."""
        self._free_retired()
        check_adapter(path, self._header, base_hash)
        pointer = self._llama.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not pointer:
            from .llama_model import last_log

            name = self._header.path.name
            raise AdapterError(
                f"the adapter {path} does not fit {name}: {last_log()}", where=str(path), mend=_MEND
            )  # fmt: skip
        return LoadedAdapter(path, pointer, self._retired.append)

    def apply(self, adapter: LoadedAdapter | None) -> bool:
        """Compute with this adapter, or with none, from now on; True where that changed the weights."""
        if adapter is self.applied:
            return False
        count = 0 if adapter is None else 1
        handles = (self._llama.llama_adapter_lora_p_ctypes * 1)(adapter.pointer) if adapter else None
        scales = (ctypes.c_float * 1)(1.0) if adapter else None
        code = self._llama.llama_set_adapters_lora(self._context, handles, count, scales)
        if code:
            where = str(adapter.path) if adapter else "none"
            raise AdapterError(f"llama.cpp refused {where} (code {code})", where=where, mend="train it again")
        self.applied = adapter
        self._free_retired()
        return True

    def _free_retired(self) -> None:
        while self._retired:
            self._llama.llama_adapter_lora_free(self._retired.pop())


def check_adapter(path: Path, model: GGUFHeader, base_hash: Callable[[], str] | None = None) -> None:
    """Raise `AdapterError` for a file that is no adapter, or one for another model: by architecture, or by `base_hash`
    where the adapter says which weights it was trained on."""
    header, name = read_header(path), model.path.name
    if header.text("general.type") != "adapter":
        raise AdapterError(f"{path} is a model, not an adapter", where=str(path), mend="give it as --model")
    if header.architecture != model.architecture:
        raise AdapterError(
            f"the adapter {path} was made for {header.architecture}, {name} is {model.architecture}",
            where=str(path),
            mend=_MEND,
        )
    made_for = header.text(BASE_HASH)
    if made_for and base_hash is not None and (ours := base_hash()) and ours != made_for:
        raise AdapterError(
            f"the adapter {path} was trained on another base model than {name} (weights {made_for[:12]}, not {ours[:12]})",
            where=str(path),
            mend=_MEND,
        )


@dataclass(frozen=True, eq=False)
class AdapterVersion:
    """The weights that a policy computes with for a while: its base alone, or with one adapter."""

    name: str | None = None
    file: FileHash | None = None
    loaded: LoadedAdapter | None = None

    @property
    def hash(self) -> str | None:
        """SHA-256 of the adapter's file; None for the base alone."""
        return self.file.value if self.file else None


class PinnedPolicy:
    """A llama.cpp policy as it was at one moment: a later swap does not change what this one answers."""

    counting: Counting = "exact"

    def __init__(self, policy: LlamaPolicy, version: AdapterVersion) -> None:
        self._policy, self._version = policy, version
        self.context_length = policy.context_length
        self.profile: Profile = policy.profile

    @property
    def identity(self) -> PolicyIdentity:
        """The same for as long as this view lives."""
        return self._policy.identity_of(self._version)

    def pinned(self, *adapter: str | Path | None, name: str | None = None) -> PinnedPolicy:
        """Itself, or another version of the same policy."""
        return self._policy.pinned(*adapter, name=name) if adapter else self

    def conversation(self, system: str) -> TokenConversation:
        """A new, empty conversation that is answered by this version."""
        conversation = self._policy.conversation(system)
        conversation.version = self._version
        return conversation

    async def propose(
        self,
        conversation: object,
        sampling: Sampling,
        *,
        names: Names | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposal:
        """One reply by this version."""
        return await self._policy.propose(conversation, sampling, names=names, on_text=on_text)

    async def aclose(self) -> None:
        """Nothing: the model belongs to the policy that this is a view of."""
