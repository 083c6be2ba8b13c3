"""`hf:owner/name[:file]`: a GGUF in a Hugging Face repository, downloaded once, with its progress on stderr."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import httpx

from .errors import DownloadError, ModelError, ModelNotFound

_SPEC = re.compile(r"hf:([\w.-]+/[\w.-]+)(?::(.+))?")
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_LISTED_FILES = 12


def download(spec: str, *, quiet: bool = False) -> Path:
    """The local path of the GGUF that `spec` names; fetched if it is not in the cache of huggingface_hub."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise ModelNotFound(
            f"{spec!r} is not of the form hf:owner/name[:file]",
            where=spec,
            mend="for example hf:owner/name:model-q4_k_m.gguf",
        )
    repository, wanted = match.groups()
    try:
        file = wanted or _only_file(repository, spec)
        return _fetch(repository, file, quiet=quiet)
    except ModelError:
        raise
    except Exception as error:  # huggingface_hub, its HTTP library and the file system each raise their own
        raise _explained(error, spec, repository, wanted) from None


def _only_file(repository: str, spec: str) -> str:
    """The one GGUF of the repository; several must be told apart by the user."""
    from huggingface_hub import HfApi

    try:
        files = HfApi(endpoint=_endpoint()).list_repo_files(repository)
    except (httpx.TransportError, OSError):
        files = _cached_files(repository)
        if not files:
            raise
    models = sorted(name for name in files if name.endswith(".gguf") and not _later_shard(name) and "mmproj" not in name)
    if not models:
        raise ModelNotFound(
            f"the repository {repository} holds no GGUF file",
            where=spec,
            mend="look for a repository of the same model with -GGUF in its name",
        )
    if len(models) > 1:
        shown = ", ".join(models[:_LISTED_FILES]) + (" ..." if len(models) > _LISTED_FILES else "")
        raise ModelNotFound(
            f"the repository {repository} holds {len(models)} GGUF files: {shown}",
            where=spec,
            mend=f"name one, for example {spec}:{models[0]}",
        )
    return models[0]


def _fetch(repository: str, file: str, *, quiet: bool) -> Path:
    """The file, and with the first part of a split model all its other parts; llama.cpp finds them beside it."""
    path = _fetch_one(repository, file, quiet=quiet)
    shard = _SHARD.search(file)
    for number in range(2, int(shard.group(2)) + 1 if shard else 0):
        assert shard is not None
        _fetch_one(repository, f"{file[: shard.start()]}-{number:05d}-of-{shard.group(2)}.gguf", quiet=quiet)
    return path


def _fetch_one(repository: str, file: str, *, quiet: bool) -> Path:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, file)
    if isinstance(cached, str):  # downloaded once; nothing is asked of the network again
        return Path(cached)
    return Path(hf_hub_download(repository, file, endpoint=_endpoint(), tqdm_class=_progress_bar(quiet)))


def _cached_files(repository: str) -> list[str]:
    """GGUF files of the repository that were downloaded before, for when its host cannot be reached."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
    return sorted({str(file.relative_to(folder).as_posix()).split("/", 1)[1] for file in folder.glob("*/**/*.gguf")})


def _endpoint() -> str | None:
    """`HF_ENDPOINT` as it is now; huggingface_hub itself reads it only once, when it is imported."""
    return os.environ.get("HF_ENDPOINT") or None


def _progress_bar(quiet: bool) -> Any:
    """A bar on stderr, silent where nobody looks."""
    from huggingface_hub import utils

    base: Any = utils.tqdm  # type: ignore[attr-defined]

    class Bar(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options["disable"] = quiet or not sys.stderr.isatty()
            options["file"] = sys.stderr
            super().__init__(*args, **options)

    return Bar


def _later_shard(name: str) -> bool:
    match = _SHARD.search(name)
    return match is not None and match.group(1) != "00001"


def _explained(error: Exception, spec: str, repository: str, wanted: str | None) -> ModelError:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError):
        return DownloadError(
            f"{spec} is not in the cache, and its host cannot be reached",
            where=spec,
            mend="check the connection, or give a .gguf file",
        )
    if isinstance(error, EntryNotFoundError):
        return ModelNotFound(
            f"the repository {repository} has no file {wanted!r}", where=spec, mend=f"give hf:{repository} to see its files"
        )
    if isinstance(error, GatedRepoError):
        return DownloadError(
            f"the repository {repository} is gated", where=spec, mend="accept its terms on its page, then set HF_TOKEN"
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelNotFound(
            f"there is no public repository {repository}",
            where=spec,
            mend="check owner and name; for a private one set HF_TOKEN",
        )
    if isinstance(error, OSError) and error.errno == 28:
        return DownloadError(
            f"the disk is full while fetching {spec}", where=spec, mend="free some space, or set HF_HOME to another disk"
        )
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DownloadError(
        f"{spec} could not be fetched: {reason}", where=spec, mend="try again, or fetch the file yourself and give its path"
    )
