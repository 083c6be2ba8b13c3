"""What a `--model` value means: `nano`, a GGUF path, `hf:owner/name[:file]`, the address of an endpoint, or
`scripted:FILE`, a JSON list of replies for demonstrations and tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..home import atlas_home
from .errors import AdapterError, ModelNotFound
from .file_hash import FileHash

if TYPE_CHECKING:
    from .base import Policy
    from .http_wire import Patience

_NANO = "nano"
_SCRIPTED = "scripted:"


def load_policy(
    spec: str = _NANO,
    *,
    adapter: str | Path | None = None,
    home: Path | None = None,
    context_tokens: int | None = None,
    threads: int | None = None,
    thinking: bool = False,
    api_key: str | None = None,
    api_key_host: str | None = None,
    quiet: bool = False,
    patience: Patience | None = None,
) -> Policy:
    """The policy that `spec` names; a `ModelError` says what is wrong with it and what to do.

    `adapter` is a file, `latest`, `auto` (`latest` where there is one for these weights), `none`, or the name of an
    adapter in `home` (`ATLAS_HOME` unless given). `api_key` (else `ATLAS_API_KEY`) is sent only to `api_key_host`;
    without that, to the host in `spec`. `patience` is how long an endpoint is waited for and how often it is tried again.
    """
    from ..adapters import AUTO, NONE, chosen_adapter

    if spec.startswith(("http://", "https://")):
        if adapter not in (None, AUTO, NONE):
            raise AdapterError(
                f"an adapter cannot be loaded into the endpoint {spec}",
                where=str(adapter),
                mend="load it in the server, or use a GGUF",
            )
        from .http import HttpPolicy

        key = api_key if api_key is not None else os.environ.get("ATLAS_API_KEY")
        return HttpPolicy(spec, api_key=key, api_key_host=api_key_host, context_tokens=context_tokens, patience=patience)
    if spec.startswith(_SCRIPTED):
        from .scripted import ScriptedPolicy

        return ScriptedPolicy.from_file(spec.removeprefix(_SCRIPTED))
    from .llama import LlamaPolicy
    from .llama_model import check_model

    path, name = resolve(spec, quiet=quiet)
    check_model(path)
    chosen, called = chosen_adapter(adapter, lambda: home or atlas_home(), lambda: FileHash(path).value, name)
    return LlamaPolicy(
        path, adapter=chosen, adapter_name=called, context_tokens=context_tokens, threads=threads, thinking=thinking,
        name=name,
    )  # fmt: skip


def swap_adapter(policy: Policy, adapter: str | Path | None, home: Path | None = None) -> None:
    """Give a live policy another adapter (as `--adapter` names it), or none. Raises `AdapterError` where it takes none."""
    from ..adapters import chosen_adapter

    use = getattr(policy, "use_adapter", None)
    identity = policy.identity
    if use is None:
        raise AdapterError(
            f"{identity.model} takes no adapter here", where=str(adapter), mend="run a GGUF in this process instead"
        )
    path, name = chosen_adapter(adapter, lambda: home or atlas_home(), lambda: identity.base_hash, identity.model)
    use(path, name=name)


def resolve(spec: str, *, quiet: bool = False) -> tuple[Path, str]:
    """The GGUF file of a local or Hugging Face spec, and the name under which it is logged."""
    if spec == _NANO:
        return nano_path(), _NANO
    if spec.startswith("hf:"):
        from .hub import download

        return download(spec, quiet=quiet), spec
    path = Path(spec).expanduser()
    if not spec.endswith(".gguf") and not path.exists():
        raise ModelNotFound(
            f"no model is called {spec!r}",
            where=spec,
            mend="give nano, a .gguf file, hf:owner/name[:file], or http://host:port/v1#model-name",
        )
    return path, path.stem


def nano_path() -> Path:
    """The packaged GGUF of the nano policy."""
    path = Path(__file__).resolve().parents[2] / "models" / "nano.gguf"
    if not path.is_file():
        raise ModelNotFound(
            "the nano model is not in this installation",
            where=str(path),
            mend="build it with `make nano` and copy runs/nano/nano.gguf to models/, or give another --model",
        )
    return path
