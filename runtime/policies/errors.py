"""The errors of models and endpoints; each names the file or endpoint in `.where` and the next step in `.mend`.

ModelError                        (derives from runtime.errors.AtlasRuntimeError)
├── ModelNotFound                 no such file, package file, repository or model name
├── BadModelFile                  not a GGUF, truncated, of an unknown version, or one llama.cpp refuses
├── NoTemplate                    the model file carries no chat template
├── BadTemplate                   no append-only prompt can be derived from its chat template
├── AdapterError                  a LoRA adapter that does not fit the model
├── PromptTooLong                 the prompt leaves no room for a reply in the context
├── DownloadError                 a model repository could not be read
└── EndpointError                 an HTTP endpoint failed
    ├── EndpointDown              no connection
    ├── EndpointTimeout           it answered too slowly
    ├── EndpointBroken            it answered, but not in the protocol (HTML, broken stream)
    └── EndpointRefused           it answered with an error status (401, 404, 429, 5xx)
"""

from __future__ import annotations

from ..errors import AtlasRuntimeError


class ModelError(AtlasRuntimeError):
    """A model, its file or its endpoint failed."""


class ModelNotFound(ModelError):
    """There is no such model."""


class BadModelFile(ModelError):
    """The file is not a model that can be loaded."""


class NoTemplate(ModelError):
    """The model file carries no chat template."""


class BadTemplate(ModelError):
    """No append-only prompt can be derived from the chat template."""


class AdapterError(ModelError):
    """The adapter cannot be used with this model."""


class PromptTooLong(ModelError):
    """The prompt does not fit the context of the model."""


class DownloadError(ModelError):
    """A model repository could not be read."""


class EndpointError(ModelError):
    """An HTTP endpoint failed."""


class EndpointDown(EndpointError):
    """No connection to the endpoint."""


class EndpointTimeout(EndpointError):
    """The endpoint did not answer in time."""


class EndpointBroken(EndpointError):
    """The endpoint answered with something that is not its protocol."""


class EndpointRefused(EndpointError):
    """The endpoint answered with an error status."""

    def __init__(self, message: str, *, where: str = "", mend: str = "", status: int = 0) -> None:
        super().__init__(message, where=where, mend=mend)
        self.status = status
