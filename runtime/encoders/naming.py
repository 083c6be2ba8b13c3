"""What a setting that names an encoder means: `minilm`, a GGUF file, or the address of an endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..policies.errors import ModelNotFound

if TYPE_CHECKING:
    from ...tools_registry.encoding import Encoder

NONE = "none"
MINILM = "minilm"
KEY_VARIABLE = "ATLAS_ENCODER_KEY"
"""The key of an endpoint for embeddings; `ATLAS_API_KEY` belongs to the model's, which may be another one."""
_GGUF = "gguf:"


def load_encoder(spec: str) -> Encoder | None:
    """The encoder that `spec` names: `minilm`, `FILE.gguf` or `gguf:FILE`, `http://host:port/v1#model`; None for `none`.

    Nothing large is read before the first text is encoded. Raises `ModelNotFound` or `BadModelFile`.
    """
    if spec == NONE:
        return None
    if spec == MINILM:
        from .minilm import MiniLM

        return MiniLM()
    if spec.startswith(("http://", "https://")):
        from .endpoint import EndpointEncoder

        return EndpointEncoder(spec, api_key=os.environ.get(KEY_VARIABLE))
    if spec.startswith(_GGUF) or spec.endswith(".gguf"):
        from .gguf import GgufEncoder

        return GgufEncoder(spec.removeprefix(_GGUF))
    raise ModelNotFound(
        f"no encoder is called {spec!r}", where="encoder", mend="give minilm, a .gguf file, or http://host:port/v1#model"
    )
