"""One GGUF loaded by llama.cpp: context, KV cache kept as a prefix, adapter. Everything here is synchronous."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..templates import CHATML, ChatShape, ChatTemplate, template_source
from ..tokens import LlamaTokenizer
from .adapter_swap import Adapters, LoadedAdapter
from .errors import BadModelFile, ModelError, NoTemplate
from .gguf_file import GGUFHeader, read_header
from .pieces import PieceIndex

DEFAULT_CONTEXT_TOKENS = 8192
_BATCH_TOKENS = 512
_BRANCHES = 16
_SMALL_MODEL_BYTES = 200_000_000
_EMBEDDING_MODELS = ("bert", "t5encoder", "gte")
_F32 = 0


class LlamaModel:
    """Weights, vocabulary and one sequence of KV cache."""

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int | None = None,
        threads: int | None = None,
        kv_type: Literal["f32", "f16"] | None = None,
    ) -> None:
        """`kv_type` is the precision of the KV cache; `f32` is for comparing log-probabilities, and eight times slower."""
        self.path = path
        self.header = check_model(path)
        self._llama = quiet_llama()
        self._model = load_model(path)
        self._vocab = self._llama.llama_model_get_vocab(self._model)
        self.tokenizer = LlamaTokenizer(self._vocab, owner=self)
        trained = int(self._llama.llama_model_n_ctx_train(self._model))
        self.context_length = min(context_tokens or DEFAULT_CONTEXT_TOKENS, trained or DEFAULT_CONTEXT_TOKENS)
        small = path.stat().st_size < _SMALL_MODEL_BYTES
        self.kv_type = kv_type or "f16"
        # Two threads spin while they wait for each other: a small model gets slower as soon as anything else runs.
        threads = threads or (1 if small else usable_cpus())
        self._context = self._new_context(threads, plain_attention=small or self.kv_type == "f32")
        self._memory = self._llama.llama_get_memory(self._context)
        self.adapters = Adapters(self._llama, self._model, self._context, self.header)
        self._cached: list[int] = []
        self._poisoned = False

    @property
    def version(self) -> str:
        """The library that computed the reply."""
        import llama_cpp

        return f"llama-cpp-python {llama_cpp.__version__}"

    @property
    def profile(self) -> str:
        """`compact` for models trained on this repository's worlds."""
        return self.header.text("atlas.profile") or "full"

    @cached_property
    def piece_index(self) -> PieceIndex:
        """What every token writes, arranged for the name constraint; built at its first use."""
        pieces = [self.tokenizer.piece(token) for token in range(self.tokenizer.size)]
        ends = [token for token in range(self.tokenizer.size) if self.tokenizer.is_control(token)]
        return PieceIndex(pieces, ends)

    def chat_shape(self, *, thinking: bool) -> ChatShape:
        """The delimiters of the model's own template."""
        return shape_of(self.header, self.tokenizer, thinking=thinking)

    def read(self, prompt: list[int], stop: threading.Event | None = None) -> int:
        """Bring the KV cache to exactly `prompt`; returns how many tokens of it were there already.

        Between its batches a long prompt is left as it is where `stop` is set; the next read goes on from there.
        """
        self.check_open()
        keep = self._keep(prompt)
        fresh = prompt[keep:]
        for start in range(0, len(fresh), _BATCH_TOKENS):
            if start and stop is not None and stop.is_set():
                break
            self._decode(fresh[start : start + _BATCH_TOKENS])
        return keep

    def has_read(self, prompt: list[int]) -> bool:
        """True where all of the prompt was read."""
        return len(self._cached) == len(prompt)

    def read_one(self, token: int) -> None:
        """Append one sampled token."""
        self._decode([token])

    def logits(self) -> npt.NDArray[np.float32]:
        """A copy of the logits after the last token that was read."""
        pointer = self._llama.llama_get_logits_ith(self._context, -1)
        values = np.ctypeslib.as_array(pointer, shape=(self.tokenizer.size,)).copy()
        self._poisoned |= not np.isfinite(values[0])
        return values

    def all_logits(self, ids: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """Read more ids and yield the logits after each of them, a batch at a time, with the place of its first."""
        for start in range(0, len(ids), _BATCH_TOKENS):
            tokens = list(ids[start : start + _BATCH_TOKENS])
            batch = self._llama.llama_batch_init(len(tokens), 0, 1)
            try:
                for place, token in enumerate(tokens):
                    batch.token[place], batch.pos[place] = token, len(self._cached) + place
                    batch.n_seq_id[place], batch.seq_id[place][0], batch.logits[place] = 1, 0, 1
                batch.n_tokens = len(tokens)
                self._compute(batch, tokens)
            finally:
                self._llama.llama_batch_free(batch)
            pointer = self._llama.llama_get_logits(self._context)
            yield start, np.ctypeslib.as_array(pointer, shape=(len(tokens), self.tokenizer.size)).copy()

    def use_adapter(self, path: Path | None) -> None:
        """Apply one LoRA adapter or none, and forget the KV cache that the old weights computed."""
        self.apply(None if path is None else self.load_adapter(path))

    def load_adapter(self, path: Path, base_hash: Callable[[], str] | None = None) -> LoadedAdapter:
        """Read an adapter from its file without applying it; `base_hash` is compared with what the adapter says."""
        self.check_open()
        return self.adapters.load(path, base_hash)

    def apply(self, adapter: LoadedAdapter | None) -> None:
        """Apply an adapter that is loaded, or none; another one than before drops the KV cache."""
        if self._context is not None and self.adapters.apply(adapter):
            self.forget()

    def forget(self) -> None:
        """Drop the KV cache. What lies in its memory is wiped only where it may hold what is no number: an empty cell
        counts zero times, and wiping takes longer than all else in a swap."""
        self._llama.llama_memory_clear(self._memory, self._poisoned)
        self._poisoned = False
        self._cached = []

    def close(self) -> None:
        """Free context and weights; closing twice does nothing."""
        self.tokenizer.close()
        if self._context is not None:
            self._llama.llama_free(self._context)
            self._context = None
        if self._model is not None:
            self._llama.llama_model_free(self._model)
            self._model = None

    def check_open(self) -> None:
        """Raise `ModelError` once the model was freed."""
        if self._context is None:
            raise ModelError(f"{self.path.name} was closed", where=str(self.path), mend="load the policy again")

    def _keep(self, prompt: list[int]) -> int:
        """Shorten the cache to the longest common prefix; at least the last token is read again, for its logits."""
        common = 0
        for ours, theirs in zip(self._cached, prompt[:-1], strict=False):
            if ours != theirs:
                break
            common += 1
        if common < len(self._cached) and not (common and self._llama.llama_memory_seq_rm(self._memory, 0, common, -1)):
            self.forget()  # recurrent models cannot be rolled back
            return 0
        del self._cached[common:]
        return common

    def _decode(self, tokens: list[int]) -> None:
        buffer = (self._llama.llama_token * len(tokens))(*tokens)
        self._compute(self._llama.llama_batch_get_one(buffer, len(tokens)), tokens)

    def _compute(self, batch: Any, tokens: list[int]) -> None:
        code = self._llama.llama_decode(self._context, batch)
        if code:
            self.forget()
            raise ModelError(
                f"llama.cpp could not compute {len(tokens)} tokens of {self.path.name} (code {code}): {last_log()}",
                where=str(self.path),
                mend="use a smaller context, or a smaller model",
            )
        self._cached += tokens

    def _new_context(self, threads: int, *, plain_attention: bool) -> Any:
        parameters = self._llama.llama_context_default_params()
        parameters.n_ctx = self.context_length
        parameters.n_batch = parameters.n_ubatch = min(_BATCH_TOKENS, self.context_length)
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.no_perf = True
        if not (self._llama.llama_model_is_recurrent(self._model) or self._llama.llama_model_is_hybrid(self._model)):
            # several continuations of one prompt share its cells
            parameters.n_seq_max, parameters.kv_unified = _BRANCHES, True
        if self.kv_type == "f32":
            parameters.type_k = parameters.type_v = _F32
        if plain_attention:  # flash attention rounds to F16 whatever the cache holds, and small models are slower with it
            parameters.flash_attn_type = self._llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context = self._llama.llama_init_from_model(self._model, parameters)
        if not context:
            self._llama.llama_model_free(self._model)
            raise ModelError(
                f"no room for a context of {self.context_length} tokens: {last_log()}",
                where=str(self.path),
                mend="ask for a smaller context",
            )
        return context


def shape_of(header: GGUFHeader, tokenizer: LlamaTokenizer, *, thinking: bool = False) -> ChatShape:
    """The delimiters of the template in a GGUF; ChatML where there is none but its tokens are in the vocabulary."""
    source = template_source(header.metadata)
    if source is None:
        if "<|im_start|>" not in tokenizer.special_texts:
            raise NoTemplate(
                f"{header.path} carries no chat template, and its vocabulary is not ChatML's",
                where=str(header.path),
                mend="take an instruction-tuned model, or add tokenizer.chat_template with gguf-new-metadata",
            )
        source = CHATML
    bos, eos = tokenizer.token_text(tokenizer.bos), tokenizer.token_text(tokenizer.eos)
    return ChatTemplate(source, bos=bos, eos=eos, where=str(header.path), thinking=thinking).shape()


def check_model(path: Path) -> GGUFHeader:
    """The header of a file that can be a policy; says what else it is otherwise."""
    header = read_header(path)
    if header.text("general.type") == "adapter":
        raise BadModelFile(
            f"{path} is a LoRA adapter, not a model", where=str(path), mend="give it as --adapter, with its base as --model"
        )
    if any(name in header.architecture for name in _EMBEDDING_MODELS):
        raise BadModelFile(
            f"{path} is an embedding model ({header.architecture}): it cannot write",
            where=str(path),
            mend="choose an instruction-tuned language model",
        )
    if not header.architecture:
        raise BadModelFile(f"{path} does not name its architecture", where=str(path), mend="convert the model again")
    return header


def load_model(path: Path, *, vocabulary_only: bool = False) -> Any:
    """The llama.cpp handle of a GGUF; a refusal becomes a `BadModelFile` with llama.cpp's own last words."""
    llama = quiet_llama()
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = vocabulary_only
    _log.lines.clear()
    model = llama.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        raise BadModelFile(
            f"llama.cpp cannot load {path}: {last_log()}",
            where=str(path),
            mend="fetch the file again; a newer llama-cpp-python may know a newer architecture",
        )
    return model


def load_tokenizer(path: str | Path) -> LlamaTokenizer:
    """The tokenizer of a GGUF without its weights."""
    file = Path(path).expanduser()
    read_header(file)
    model = load_model(file, vocabulary_only=True)
    return LlamaTokenizer(quiet_llama().llama_model_get_vocab(model), owner=_Vocabulary(model))


class _Vocabulary:
    """Frees a model that was loaded for its vocabulary when the last tokenizer goes."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._free = quiet_llama().llama_model_free

    def __del__(self) -> None:
        self._free(self._model)


class _Log:
    """Keeps llama.cpp's warnings instead of printing them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.callback: Any = None
        self.lock = threading.Lock()

    def write(self, level: int, text: bytes, _: object) -> None:
        if level in (2, 3):
            self.lines.append(text.decode("utf-8", "replace").strip())
            del self.lines[:-20]


_log = _Log()


def quiet_llama() -> Any:
    """The llama_cpp module, with its log kept and not printed."""
    import llama_cpp

    with _log.lock:
        if _log.callback is None:
            _log.callback = llama_cpp.llama_log_callback(_log.write)
            llama_cpp.llama_log_set(_log.callback, ctypes.c_void_p(0))
            llama_cpp.llama_backend_init()
            _leave_out_amx(llama_cpp)
    return llama_cpp


def _leave_out_amx(llama: Any) -> None:
    """Load models without llama.cpp's AMX buffers: on processors with AMX, quantised weights in them end the process.

    Seen with 0.3.36: segmentation fault at the first token (Q8_0, Q4_0). `Llama` has no such parameter; the default is set.
    """
    if b"AMX_INT8 = 1" not in llama.llama_print_system_info():
        return
    own = llama.llama_model_default_params

    def without_extra_buffers() -> Any:
        parameters = own()
        parameters.use_extra_bufts = False
        return parameters

    llama.llama_model_default_params = llama.llama_cpp.llama_model_default_params = without_extra_buffers


def last_log() -> str:
    """The last complaints of llama.cpp in one line."""
    lines = [line for line in _log.lines if line]
    return "; ".join(lines[-2:]) or "no reason given"


def usable_cpus() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
