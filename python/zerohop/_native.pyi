"""The native part of zerohop; import `zerohop` instead."""

import os
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from types import GenericAlias, TracebackType
from typing import (
    Any,
    Generic,
    Literal,
    Protocol,
    Required,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    final,
    overload,
)

from typing_extensions import disjoint_base

from ._files import BinaryResponseContent, FileTypes
from ._pages import PageInfo
from ._response import Response

__all__ = [
    "Adapter",
    "Annotation",
    "AnnotationURLCitation",
    "AsyncCursorPage",
    "AsyncPage",
    "Audio",
    "BaseAsyncPage",
    "BaseModel",
    "BasePage",
    "BaseSyncPage",
    "Batch",
    "BatchCounts",
    "BatchError",
    "BatchErrors",
    "BatchInputTokensDetails",
    "BatchOutputTokensDetails",
    "BatchRequestCounts",
    "BatchUsage",
    "Batches",
    "Chat",
    "ChatCompletion",
    "ChatCompletionAudio",
    "ChatCompletionChunk",
    "ChatCompletionContentPartText",
    "ChatCompletionDeleted",
    "ChatCompletionMessage",
    "ChatCompletionMessageCustomToolCall",
    "ChatCompletionMessageFunctionToolCall",
    "ChatCompletionStoreMessage",
    "ChatCompletionTokenLogprob",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaAudio",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
    "ChunkChoice",
    "ChunkChoiceLogprobs",
    "Completion",
    "CompletionChoice",
    "CompletionTokensDetails",
    "CompletionUsage",
    "Completions",
    "CreateEmbeddingResponse",
    "CustomTool",
    "DetokenizeResponse",
    "Device",
    "Embedding",
    "EmbeddingUsage",
    "Embeddings",
    "Engine",
    "FileDeleted",
    "FileObject",
    "Files",
    "FunctionCall",
    "FunctionTool",
    "Image",
    "ImageEditCompletedEvent",
    "ImageEditCompletedEventUsage",
    "ImageEditCompletedEventUsageDetails",
    "ImageEditPartialImageEvent",
    "ImageGenCompletedEvent",
    "ImageGenCompletedEventUsage",
    "ImageGenCompletedEventUsageDetails",
    "ImageGenPartialImageEvent",
    "Images",
    "ImagesResponse",
    "ImagesUsage",
    "ImagesUsageDetails",
    "ImagesUsageOutputDetails",
    "InputItems",
    "InputTokenCountResponse",
    "InputTokens",
    "LegacyCompletions",
    "Logprobs",
    "Messages",
    "Model",
    "ModelDeleted",
    "ModelInfo",
    "ModelOptions",
    "Models",
    "Placement",
    "PromptTokensDetails",
    "Reasoning",
    "RerankDocument",
    "RerankResponse",
    "RerankResult",
    "RerankUsage",
    "ResponseCompletedEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartAddedReasoning",
    "ResponseContentPartDoneEvent",
    "ResponseContentPartDoneReasoning",
    "ResponseCreatedEvent",
    "ResponseCustomToolCall",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseCustomToolCallItem",
    "ResponseCustomToolCallOutput",
    "ResponseCustomToolCallOutputItem",
    "ResponseError",
    "ResponseFailedEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseFunctionToolCall",
    "ResponseFunctionToolCallItem",
    "ResponseFunctionToolCallOutputItem",
    "ResponseInProgressEvent",
    "ResponseIncompleteDetails",
    "ResponseIncompleteEvent",
    "ResponseInputMessageItem",
    "ResponseInputText",
    "ResponseInputTokensDetails",
    "ResponseObject",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputMessage",
    "ResponseOutputRefusal",
    "ResponseOutputText",
    "ResponseOutputTextLogprob",
    "ResponseOutputTextTopLogprob",
    "ResponseOutputTokensDetails",
    "ResponseReasoningContent",
    "ResponseReasoningItem",
    "ResponseReasoningSummary",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseTextConfig",
    "ResponseTextDeltaEvent",
    "ResponseTextDeltaLogprob",
    "ResponseTextDeltaTopLogprob",
    "ResponseTextDoneEvent",
    "ResponseTextDoneLogprob",
    "ResponseTextDoneTopLogprob",
    "ResponseUsage",
    "Responses",
    "Stream",
    "SyncCursorPage",
    "SyncPage",
    "SystemInfo",
    "TokenizeResponse",
    "ToolCallCustom",
    "ToolCallFunction",
    "TopLogprob",
    "Transcription",
    "TranscriptionLogprob",
    "TranscriptionSegment",
    "TranscriptionTextDeltaEvent",
    "TranscriptionTextDeltaLogprob",
    "TranscriptionTextDoneEvent",
    "TranscriptionTextDoneLogprob",
    "TranscriptionTextDoneUsage",
    "TranscriptionTextDoneUsageDetails",
    "TranscriptionVerbose",
    "TranscriptionVerboseUsage",
    "TranscriptionWord",
    "Transcriptions",
    "Translation",
    "TranslationVerbose",
    "Translations",
    "UsageDuration",
    "UsageTokens",
    "UsageTokensInputTokenDetails",
    "Vectors",
    "_Events",
    "_Job",
    "_Loader",
    "_Pending",
    "__version__",
    "_error_kinds",
    "_restore",
    "devices",
    "system_info",
]

__version__: str

_T_co = TypeVar("_T_co", covariant=True)

_FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
_ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast"]
_KvType = Literal["f32", "f16", "q8_0", "q4_0"]
_Choice = Literal["auto", "on", "off"]
_Progress = Callable[[float], object] | bool
_Path = str | os.PathLike[str]
_Adapters = _Path | Iterable[_Path | tuple[_Path, float]]
_Soon = Callable[[Callable[[], object]], object]

class _Dumpable(Protocol):
    def model_dump(self, *, mode: str, exclude_unset: bool) -> Any: ...

_Object = Mapping[str, object] | _Dumpable
_Selection = Set[str] | Set[int] | Mapping[str, Any] | Mapping[int, Any]

class _ModelOptions(TypedDict, total=False):
    context_length: int | None
    threads: int | None
    gpu_layers: int | Literal["auto", "all"] | None
    devices: str | Iterable[str] | None
    tensor_split: Iterable[float] | None
    gpu_margin: int | None
    cpu_moe_layers: int | Literal["all"] | None
    flash_attention: _Choice
    parallel: int | None
    queue: int | None
    kv_type: _KvType
    prefix_cache: bool
    speculation: bool
    draft_model: _Path | None
    prefix_cache_folder: _Path | None
    mmap: bool
    repack: _Choice
    chat_template: str | None
    adapters: _Adapters | None
    projector: _Path | None
    image_max_tokens: int | None
    media_folder: _Path | None
    media_fetcher: Callable[[str], bytes] | None
    alias: str | Iterable[str] | None
    lazy: bool
    progress: _Progress | None

class _Options(_ModelOptions, total=False):
    api_keys: str | Iterable[str] | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    timeout: float | None
    memory_budget: int | None
    isolation: Literal["process"] | None
    worker: _Path | None

@final
class ModelOptions:
    """A model file and how to load it.

    `path` is the GGUF file. Options:

    - `context_length`: tokens that all running requests share, and at most one request's prompt
      and answer together. By default the model's own context, at most 8192.
    - `threads`: threads to compute with; by default the processors available to this process.
    - `gpu_layers`: layers to put on GPUs, `"all"`, or `"auto"` for as many as fit into their free
      memory.
    - `devices`: the GPUs to use, by the names of `zerohop.devices()`; by default all.
    - `tensor_split`: how much each of them gets, in any unit; by default by free memory.
    - `gpu_margin`: bytes that `"auto"` leaves free on each device, by default 1 GiB.
    - `cpu_moe_layers`: layers, counted from the first, or `"all"`, whose experts stay on the CPU
      though the layers go to a GPU. This and `tensor_split` go with explicit `gpu_layers`.
    - `flash_attention`: whether attention is computed in one operation: `"on"`, `"off"`, or
      `"auto"`, where it is good.
    - `parallel`: requests computed together, 1 to 256; by default 16. Others wait in the queue.
    - `queue`: requests that may wait, by default 512; one more raises `RateLimitError`.
    - `kv_type`: the numeric type of the KV cache: `"f32"`, `"f16"`, `"q8_0"` or `"q4_0"`.
    - `prefix_cache`: whether what was computed stays in the KV cache for requests that begin alike:
      the next turn of a conversation, the same instructions before another question. Kept cells
      are given up when running requests need them; `cached_tokens` in usage says how much was not
      computed again.
    - `speculation`: whether tokens that came before, in the prompt or the answer, are drafted where
      the newest ones come again, and checked together. No answer changes; it is left alone where it
      does not pay.
    - `draft_model`: a smaller model with the same vocabulary that drafts what this one will say:
      its drafts are checked together with the next token, and no answer changes. It pays where it
      is many times faster and often right, and is asked only while it does.
    - `prefix_cache_folder`: a folder in which what the prefix cache keeps is saved when the model
      is unloaded or the engine closed, and from which it is read when the model is loaded the next
      time.
    - `mmap`: whether to map the file into memory instead of reading it.
    - `repack`: whether to copy the weights into the layout that the CPU kernels work best with:
      `"on"`, `"off"`, or `"auto"`, where half as much memory again as the file is large is free or
      the file is not mapped. Faster, but the weights of a mapped file are else shared by processes.
    - `chat_template`: a Jinja chat template in place of the file's own.
    - `adapters`: a LoRA adapter to apply, or several: GGUF files, or pairs of a file and how
      strongly it is applied, 1 as it was trained, 0 not at all. Models that are loaded from the
      same file with the same `mmap`, `repack` and options about GPUs share its weights, so that
      adapted variants of a model, each under a name of its own, together take little more memory
      than one.
    - `projector`: the file with which the model sees or hears; by default the only `mmproj*.gguf`
      in the model's folder, if the model is the only one there too. Without one, images and audio
      in messages are refused.
    - `image_max_tokens`: the most tokens that an image has, up to 8192, for projectors whose images
      have as many as their size says: larger ones are scaled down. By default the projector's own.
    - `media_folder`: a folder whose images requests may name with `file:` URLs; by default none.
    - `media_fetcher`: called with the http(s) URL of an image in a request; gives the file's bytes,
      or raises, and the request is refused. Without one, such URLs are refused: the engine opens no
      connections itself. It is called on several threads, and decides which addresses may be
      reached. The engine has it until it is closed: one that has the engine in it keeps both alive
      until then.
    - `alias`: a name, or several, that requests may use in `model`.
    - `lazy`: whether the model is loaded when the first request for it comes, which waits, as do
      others for the same model. Its file is found and checked at once. When memory is needed for
      another model, it is unloaded while it has no requests, the model that was not used for
      longest first, and loaded again when it is asked for.
    - `progress`: called with the loaded fraction, 0 to 1, while loading; what it returns is
      ignored, except that `False` stops the loading. Or `True`, for a bar; that needs tqdm. A lazy
      model reports its download only.
    """

    def __new__(
        cls,
        path: _Path,
        *,
        context_length: int | None = None,
        threads: int | None = None,
        gpu_layers: int | Literal["auto", "all"] | None = "auto",
        devices: str | Iterable[str] | None = (),
        tensor_split: Iterable[float] | None = (),
        gpu_margin: int | None = None,
        cpu_moe_layers: int | Literal["all"] | None = 0,
        flash_attention: _Choice = "auto",
        parallel: int | None = None,
        queue: int | None = None,
        kv_type: _KvType = "f16",
        prefix_cache: bool = True,
        speculation: bool = True,
        draft_model: _Path | None = None,
        prefix_cache_folder: _Path | None = None,
        mmap: bool = True,
        repack: _Choice = "auto",
        chat_template: str | None = None,
        adapters: _Adapters | None = (),
        projector: _Path | None = None,
        image_max_tokens: int | None = None,
        media_folder: _Path | None = None,
        media_fetcher: Callable[[str], bytes] | None = None,
        alias: str | Iterable[str] | None = (),
        lazy: bool = False,
        progress: _Progress | None = None,
    ) -> Self: ...
    @property
    def path(self) -> os.PathLike[str]: ...
    @property
    def context_length(self) -> int | None: ...
    @property
    def threads(self) -> int | None: ...
    @property
    def gpu_layers(self) -> int | Literal["auto", "all"]: ...
    @property
    def devices(self) -> tuple[str, ...]: ...
    @property
    def tensor_split(self) -> tuple[float, ...]: ...
    @property
    def gpu_margin(self) -> int | None: ...
    @property
    def cpu_moe_layers(self) -> int | Literal["all"]: ...
    @property
    def flash_attention(self) -> _Choice: ...
    @property
    def parallel(self) -> int | None: ...
    @property
    def queue(self) -> int | None: ...
    @property
    def kv_type(self) -> _KvType: ...
    @property
    def prefix_cache(self) -> bool: ...
    @property
    def speculation(self) -> bool: ...
    @property
    def draft_model(self) -> os.PathLike[str] | None: ...
    @property
    def prefix_cache_folder(self) -> os.PathLike[str] | None: ...
    @property
    def mmap(self) -> bool: ...
    @property
    def repack(self) -> _Choice: ...
    @property
    def chat_template(self) -> str | None: ...
    @property
    def adapters(self) -> tuple[tuple[os.PathLike[str], float], ...]: ...
    @property
    def projector(self) -> os.PathLike[str] | None: ...
    @property
    def image_max_tokens(self) -> int | None: ...
    @property
    def media_folder(self) -> os.PathLike[str] | None: ...
    @property
    def media_fetcher(self) -> Callable[[str], bytes] | None: ...
    @property
    def alias(self) -> tuple[str, ...]: ...
    @property
    def lazy(self) -> bool: ...
    @property
    def progress(self) -> _Progress | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Engine:
    """Runs models in this process and answers in the OpenAI API's shapes.

    `model` is the path of a GGUF file, `ModelOptions`, or a mapping of names to these. The options
    are those of `ModelOptions`; given here, they apply to every model that is given as a path.

    Options of the engine itself:

    - `api_keys`: a key, or several. With any, every request has to show one, as openai's SDK does
      with its `api_key`, or raises `AuthenticationError`. Calls of this class show one with
      `extra_headers={"Authorization": "Bearer ..."}`. By default whatever key is shown is accepted.
    - `requests_per_minute`, `tokens_per_minute`: how much may be asked for with each key, or in all
      if there are no keys; more raises `RateLimitError`, whose headers say when to come again. By
      default there is no limit.
    - `timeout`: the seconds that a request may take; then it ends with status 408. By default there
      is no limit. (`timeout` of a call is the caller's own patience.)
    - `memory_budget`: the bytes that all models together may take, by estimate. Where the next
      model would go beyond, `lazy` models without requests are unloaded, the one that was not used
      for longest first; if that is not enough, it is refused with status 503. By default there is
      no limit but the system's.
    - `isolation`: `"process"` has the models computed with in a worker process. What native code
      does there to itself ends the worker alone: its requests fail with status 503, and the next
      one starts another, which loads the models again. `worker` is the program, by default the
      wheel's own.

    Beside the API's parameters every call takes `extra_headers`, `extra_query` and `timeout`, in
    seconds.

    The only model's name is its first alias, or else its file's name without the suffix. Any
    number of threads may use one engine at once: their requests are computed together.
    """

    def __new__(
        cls,
        model: _Path | ModelOptions | Mapping[str, _Path | ModelOptions],
        *,
        context_length: int | None = None,
        threads: int | None = None,
        gpu_layers: int | Literal["auto", "all"] | None = "auto",
        devices: str | Iterable[str] | None = (),
        tensor_split: Iterable[float] | None = (),
        gpu_margin: int | None = None,
        cpu_moe_layers: int | Literal["all"] | None = 0,
        flash_attention: _Choice = "auto",
        parallel: int | None = None,
        queue: int | None = None,
        kv_type: _KvType = "f16",
        prefix_cache: bool = True,
        speculation: bool = True,
        draft_model: _Path | None = None,
        prefix_cache_folder: _Path | None = None,
        mmap: bool = True,
        repack: _Choice = "auto",
        chat_template: str | None = None,
        adapters: _Adapters | None = (),
        projector: _Path | None = None,
        image_max_tokens: int | None = None,
        media_folder: _Path | None = None,
        media_fetcher: Callable[[str], bytes] | None = None,
        alias: str | Iterable[str] | None = (),
        lazy: bool = False,
        progress: _Progress | None = None,
        api_keys: str | Iterable[str] | None = (),
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        timeout: float | None = None,
        memory_budget: int | None = None,
        isolation: Literal["process"] | None = None,
        worker: _Path | None = None,
    ) -> Self: ...
    @property
    def _pending(self) -> Any:
        """The engine as event loops use it: what sends requests gives `_Pending` replies."""
    @property
    def chat(self) -> Chat:
        """Chat completions: `engine.chat.completions.create(...)`."""
    @property
    def completions(self) -> LegacyCompletions:
        """Legacy completions: `engine.completions.create(...)`."""
    def rerank(self, **params: Unpack[_RerankParams]) -> RerankResponse:
        """Orders documents by how well they answer a query, with a model that ranks texts.

        `documents` are strings, or mappings with a `text`. The best come first, `top_n` of them, or
        all.
        """
    def tokenize(self, **params: Unpack[_TokenizeParams]) -> TokenizeResponse:
        """The tokens of a text (`prompt`) or of a conversation (`messages`), as requests use
        them."""
    def detokenize(self, **params: Unpack[_DetokenizeParams]) -> DetokenizeResponse:
        """The text of tokens, the spellings of control tokens included."""
    @property
    def responses(self) -> Responses:
        """The Responses API: `engine.responses.create(...)`."""
    @property
    def embeddings(self) -> Embeddings:
        """Vectors of texts: `engine.embeddings.create(...)`."""
    @property
    def batches(self) -> Batches:
        """Files of requests, answered in the background: `engine.batches.create(...)`."""
    @property
    def audio(self) -> Audio:
        """Speech to text: `engine.audio.transcriptions.create(...)`."""
    @property
    def images(self) -> Images:
        """Images of texts and of images: `engine.images.generate(...)`."""
    @property
    def files(self) -> Files:
        """Files, kept in memory: `engine.files.create(...)`."""
    @property
    def models(self) -> Models:
        """The models as the API lists them: `engine.models.list()`."""
    def load(
        self,
        name: str,
        model: _Path | ModelOptions,
        **options: Unpack[_ModelOptions],
    ) -> ModelInfo:
        """Adds a model while the engine runs, and loads it unless it is `lazy`.

        Returns when that is done; the other models and their requests go on meanwhile, and requests
        for the new name wait. `model` is a path, with the options of `ModelOptions`, or
        `ModelOptions`.
        """
    def _load(self, name: str, model: _Path | ModelOptions, **options: Any) -> _Job:
        """`load` for event loops."""
    def unload(self, name: str) -> None:
        """Unloads the model of this name or alias and forgets it.

        Its requests end at once with status 503, later ones raise `NotFoundError`; other models and
        their requests are not disturbed. The name may then be loaded again.
        """
    def _unload(self, name: str) -> _Job:
        """`unload` for event loops."""
    @property
    def model_info(self) -> list[ModelInfo]:
        """What the models are, in the order they were given."""
    @property
    def closed(self) -> bool:
        """Whether the engine has been closed."""
    def batch(
        self,
        input: _Path,
        output: _Path,
        *,
        errors: _Path | None = None,
        endpoint: str | None = None,
        concurrency: int | None = None,
        progress: Callable[[BatchCounts], object] | bool | None = None,
    ) -> BatchCounts:
        """Answers a file of requests, in the format of OpenAI's Batch API.

        One JSON object a line, with `custom_id`, `method`, `url` and `body`. Returns when all are
        answered. Answers go to the output file as they come, in no particular order; requests that
        fail go to the error file, by default the output's name with `.errors` before its suffix.
        Called again with the same files, a batch that was stopped or killed goes on where it was.

        - `endpoint`: the url that all requests must have.
        - `concurrency`: how many requests are in flight; by default as many as the models need.
        - `progress`: called several times a second with `BatchCounts`; what it returns is ignored,
          except that `False` stops the batch. Or `True`, for a bar; that needs tqdm.
        """
    def _batch(
        self,
        input: _Path,
        output: _Path,
        *,
        errors: _Path | None = None,
        endpoint: str | None = None,
        concurrency: int | None = None,
        progress: Callable[[BatchCounts], object] | bool | None = None,
    ) -> _Job:
        """`batch` for event loops."""
    def metrics(self) -> dict[str, Any]:
        """What the engine has done and is doing: `requests` that have ended, by status, those
        `requests_in_flight`, the `request_duration`, and for each of the `models` its queue, slots,
        cache, tokens and times. `GET /metrics` gives the same as Prometheus' text."""
    def close(self, *, drain: float | None = None) -> None:
        """Ends all requests, stops computing and unloads the models. Closing twice is fine.

        With `drain`, a number of seconds, new requests are refused first (status 503), and those
        that have begun may end within this time. A request has ended when its answer has been
        fetched.
        """
    def _close(self, drain: float | None = None) -> _Job:
        """`close` for event loops."""
    def _request(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        timeout: float | None,
    ) -> tuple[int, list[tuple[str, str]], bytes | _Events]:
        """Answers an HTTP request: with status, headers, and a body or its events."""
    def _submit(
        self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> _Pending[tuple[int, list[tuple[str, str]], bytes | _Events]]:
        """Takes on an HTTP request, to be answered in an event loop."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = ...,
        exc: BaseException | None = ...,
        traceback: TracebackType | None = ...,
        /,
    ) -> None: ...

@final
class _Pending(Generic[_T_co]):
    """A reply on its way to an event loop. Dropping it cancels the request."""

    def poll(self, soon: _Soon, wake: Callable[[], object]) -> tuple[_T_co] | None:
        """The reply in a tuple, or None: then `soon(wake)` is called from another thread when it is
        time to ask again."""
    @property
    def timeout(self) -> float | None:
        """The seconds that the reply may take, as the call said."""
    def close(self) -> None:
        """Cancels the request if it still runs."""
    def __class_getitem__(cls, key: object) -> GenericAlias: ...

@final
class _Job:
    """Work on a thread of its own."""

    def poll(self, soon: _Soon, wake: Callable[[], object]) -> Any:
        """The result, or None: then `soon(wake)` is called from another thread when it is time to
        ask again."""
    def leave(self) -> None:
        """Says that one of those who asked for the result does so no longer. Without any, the work
        ends."""

@final
class _Loader:
    """Loads models for event loops: on a thread of its own, once for all who wait."""

    def __new__(
        cls,
        model: _Path | ModelOptions | Mapping[str, _Path | ModelOptions],
        **options: Unpack[_Options],
    ) -> Self: ...
    def start(self) -> _Job:
        """The loading, whose result is the engine. Starts it if nobody has, or if it was
        stopped."""
    def stop(self) -> None:
        """Ends the loading, and forgets what was loaded."""

@final
class _Events:
    """The events of a reply, each as the bytes that would come over a wire."""

    def next(self, timeout: float | None) -> bytes | None:
        """The next event, waiting for it; None after the last."""
    def poll(self, soon: _Soon, wake: Callable[[], object]) -> tuple[bytes | None] | None:
        """The next event in a tuple, `(None,)` after the last, or None: then `soon(wake)` is called
        from another thread when it is time to ask again."""
    def close(self) -> None:
        """Stops the generation if it still runs."""

class _CallOptions(TypedDict, total=False):
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    timeout: float | None

class _CreateParams(TypedDict, total=False):
    messages: Required[Iterable[_Object]]
    model: str
    audio: _Object | None
    frequency_penalty: float | None
    function_call: Literal["none", "auto"] | _Object
    functions: Iterable[_Object]
    logit_bias: Mapping[str, float] | Mapping[int, float] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: Mapping[str, str] | None
    modalities: list[Literal["text", "audio"]] | None
    moderation: _Object | None
    n: int | None
    parallel_tool_calls: bool
    prediction: _Object | None
    presence_penalty: float | None
    prompt_cache_key: str
    prompt_cache_options: _Object
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None
    response_format: _Object
    safety_identifier: str
    seed: int | None
    service_tier: _ServiceTier | None
    stop: str | list[str] | tuple[str, ...] | None
    store: bool | None
    stream_options: _Object | None
    temperature: float | None
    tool_choice: Literal["none", "auto", "required"] | _Object
    tools: Iterable[_Object]
    top_logprobs: int | None
    top_p: float | None
    user: str
    verbosity: Literal["low", "medium", "high"] | None
    web_search_options: _Object
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

@final
class Chat:
    """The chat endpoints of an engine."""

    @property
    def completions(self) -> Completions:
        """Chat completions: `create(...)`."""

@final
class Completions:
    """The chat completions of an engine.

    Those that were asked for with `store` are kept in memory, beside the responses, whose bounds
    they share.
    """

    @overload
    def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_CreateParams]
    ) -> ChatCompletion: ...
    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[_CreateParams]
    ) -> Stream[ChatCompletionChunk]: ...
    @overload
    def create(
        self, *, stream: bool, **params: Unpack[_CreateParams]
    ) -> ChatCompletion | Stream[ChatCompletionChunk]:
        """Answers a conversation.

        The answer is a `ChatCompletion`, or a `Stream` of `ChatCompletionChunk`s if `stream` is
        true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each chunk of a stream, may take; none by default.
        """
    def retrieve(self, completion_id: str, **options: Unpack[_CallOptions]) -> ChatCompletion:
        """The chat completion of this id, if it was kept. Raises `NotFoundError` if there is
        none."""
    def update(
        self,
        completion_id: str,
        *,
        metadata: Mapping[str, str] | None,
        **options: Unpack[_CallOptions],
    ) -> ChatCompletion:
        """Gives a kept chat completion other labels: `metadata` in place of those it has.

        Raises `NotFoundError` if there is none of this id.
        """
    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        metadata: Mapping[str, str] | None = None,
        model: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> SyncCursorPage[ChatCompletion]:
        """The chat completions that are kept, in pages.

        Those behind the one of the id `after`, `limit` a page (by default 20), of this `model` and
        with all these labels (`metadata`); the oldest first unless `order` is `"desc"`.
        """
    def delete(self, completion_id: str, **options: Unpack[_CallOptions]) -> ChatCompletionDeleted:
        """Forgets a kept chat completion. Raises `NotFoundError` if there is none of this id."""
    @property
    def messages(self) -> Messages:
        """The messages of kept chat completions: `list(completion_id)`."""

@final
class Messages:
    """The messages that kept chat completions answer."""

    def list(
        self,
        completion_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> SyncCursorPage[ChatCompletionStoreMessage]:
        """The messages that a kept chat completion answers, in pages.

        Those behind the one of the id `after`, `limit` a page (by default 20), in their order
        unless `order` is `"desc"`. Raises `NotFoundError` if there is no chat completion of this
        id.
        """

class _LegacyParams(TypedDict, total=False):
    prompt: Required[str | Iterable[str] | Iterable[int] | Iterable[Iterable[int]] | None]
    model: str
    best_of: int | None
    echo: bool | None
    frequency_penalty: float | None
    logit_bias: Mapping[str, float] | Mapping[int, float] | None
    logprobs: int | None
    max_tokens: int | None
    n: int | None
    presence_penalty: float | None
    seed: int | None
    stop: str | list[str] | tuple[str, ...] | None
    stream_options: _Object | None
    suffix: str | None
    temperature: float | None
    top_p: float | None
    user: str
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

class _RerankParams(TypedDict, total=False):
    query: Required[str]
    documents: Required[Iterable[str | _Object]]
    model: str
    top_n: int | None
    return_documents: bool | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

class _TokenizeParams(TypedDict, total=False):
    prompt: str | None
    messages: Iterable[_Object] | None
    model: str
    tools: Iterable[_Object] | None
    chat_template_kwargs: Mapping[str, object] | None
    add_special_tokens: bool | None
    return_token_strs: bool | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

class _DetokenizeParams(TypedDict, total=False):
    tokens: Required[Iterable[int]]
    model: str
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

class _EmbeddingParams(TypedDict, total=False):
    input: Required[str | Iterable[str] | Iterable[int] | Iterable[Sequence[int]]]
    model: str
    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None
    user: str | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

@final
class LegacyCompletions:
    """The legacy completions of an engine."""

    @overload
    def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_LegacyParams]
    ) -> Completion: ...
    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[_LegacyParams]
    ) -> Stream[Completion]: ...
    @overload
    def create(
        self, *, stream: bool, **params: Unpack[_LegacyParams]
    ) -> Completion | Stream[Completion]:
        """Goes on from a text, without a chat template.

        The answer is a `Completion`, or a `Stream` of `Completion`s if `stream` is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each chunk of a stream, may take; none by default.
        """

class _ResponseParams(TypedDict, total=False):
    access_programs: _Object
    background: bool | None
    background_options: _Object
    context_management: Iterable[_Object] | None
    conversation: str | _Object | None
    image: _Object
    include: list[str] | None
    input: str | Iterable[_Object]
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    model: str
    moderation: _Object | None
    parallel_tool_calls: bool | None
    previous_response_id: str | None
    prompt: _Object | None
    prompt_cache_key: str
    prompt_cache_options: _Object
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: _Object | None
    safety_identifier: str
    service_tier: _ServiceTier | None
    store: bool | None
    stream_options: _Object | None
    temperature: float | None
    text: _Object
    tool_choice: Literal["none", "auto", "required"] | _Object
    tools: Iterable[_Object]
    top_logprobs: int | None
    top_p: float | None
    truncation: Literal["auto", "disabled"] | None
    user: str
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

@final
class Responses:
    """The responses of an engine.

    They are kept in memory unless `store` is false: at most 4096 objects (chat completions with
    `store` among them) of 64 MiB together. What was not used for longest goes first.
    """

    @overload
    def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_ResponseParams]
    ) -> ResponseObject: ...
    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[_ResponseParams]
    ) -> Stream[_ResponseStreamEvent]: ...
    @overload
    def create(
        self, *, stream: bool, **params: Unpack[_ResponseParams]
    ) -> ResponseObject | Stream[_ResponseStreamEvent]:
        """Answers a conversation.

        The answer is a `Response`, or a `Stream` of events if `stream` is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each event of a stream, may take; none by default.
        """
    def retrieve(self, response_id: str, **options: Unpack[_CallOptions]) -> ResponseObject:
        """The response of this id, if it was kept. Raises `NotFoundError` if there is none."""
    def delete(self, response_id: str, **options: Unpack[_CallOptions]) -> None:
        """Forgets a response. Raises `NotFoundError` if there is none of this id."""
    def cancel(self, response_id: str, **options: Unpack[_CallOptions]) -> ResponseObject:
        """Raises `BadRequestError`: only responses made in the background could be cancelled so.
        Close a stream, or cancel the task that waits."""
    @property
    def input_items(self) -> InputItems:
        """What kept responses answer: `list(response_id)`."""
    @property
    def input_tokens(self) -> InputTokens:
        """How many tokens an input is: `count(...)`."""

@final
class InputItems:
    """The items that kept responses answer."""

    def list(
        self,
        response_id: str,
        *,
        after: str | None = None,
        include: Sequence[str] | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> SyncCursorPage[_ResponseItem]:
        """The items that a kept response answers, in pages.

        Those of the responses before it are among them. Those behind the one of the id `after`,
        `limit` a page (by default 20), the newest first unless `order` is `"asc"`. `include` adds
        nothing: what it names was added when the response was made. Raises `NotFoundError` if there
        is no response of this id.
        """

class _CountParams(TypedDict, total=False):
    conversation: str | _Object | None
    input: str | Iterable[_Object] | None
    instructions: str | None
    model: str | None
    parallel_tool_calls: bool | None
    personality: str
    previous_response_id: str | None
    reasoning: _Object | None
    text: _Object | None
    tool_choice: Literal["none", "auto", "required"] | _Object | None
    tools: Iterable[_Object] | None
    truncation: Literal["auto", "disabled"]
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

@final
class InputTokens:
    """The number of tokens of an input."""

    def count(self, **params: Unpack[_CountParams]) -> InputTokenCountResponse:
        """How many tokens a response would answer.

        The parameters are those of `responses.create`, as far as they make a difference. `model`
        may be left out if the engine has one model.
        """

@final
class Embeddings:
    """The embeddings of an engine."""

    def create(self, **params: Unpack[_EmbeddingParams]) -> CreateEmbeddingResponse:
        """Turns texts into vectors of length 1.

        `input` is a text, texts, a text's tokens, or several texts' tokens. The other parameters
        are the API's. `model` may be left out if the engine has one model. Each `embedding` is a
        list of floats, or text if `encoding_format` is `"base64"`; `vectors` of the reply has all
        of them for numpy, without copying. `timeout` is the number of seconds that the answer may
        take; none by default.
        """

@final
class Audio:
    """The audio endpoints of an engine."""

    @property
    def transcriptions(self) -> Transcriptions:
        """Speech to text in its own language: `create(...)`."""
    @property
    def translations(self) -> Translations:
        """Speech to English text: `create(...)`."""

_AudioText = Literal["text", "srt", "vtt"]
_AudioFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]

class _VadConfig(TypedDict, total=False):
    type: Required[Literal["server_vad"]]
    prefix_padding_ms: int
    silence_duration_ms: int
    threshold: float

class _SpeechParams(_Options, total=False):
    file: Required[FileTypes]
    model: str
    prompt: str
    temperature: float

class _TranscriptionParams(_SpeechParams, total=False):
    chunking_strategy: Literal["auto"] | _VadConfig | None
    include: Sequence[Literal["logprobs"]]
    keywords: Sequence[str]
    known_speaker_names: Sequence[str]
    known_speaker_references: Sequence[str]
    language: str
    languages: Sequence[str]
    timestamp_granularities: Sequence[Literal["word", "segment"]]

@final
class Transcriptions:
    """The transcriptions of an engine."""

    @overload
    def create(
        self,
        *,
        stream: Literal[True],
        response_format: Literal["json", "text"] = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> Stream[TranscriptionTextDeltaEvent | TranscriptionTextDoneEvent]: ...
    @overload
    def create(
        self,
        *,
        response_format: Literal["verbose_json"],
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> TranscriptionVerbose: ...
    @overload
    def create(
        self,
        *,
        response_format: _AudioText,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> str: ...
    @overload
    def create(
        self,
        *,
        response_format: Literal["json"] = ...,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> Transcription:
        """Writes down what is said in a file.

        `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one
        of these. It is WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF or CAF. The other parameters are
        the API's. `model` may be left out if the engine has one model. Gives a `Transcription`; a
        `TranscriptionVerbose` for `response_format="verbose_json"`; the text for `"text"`, `"srt"`
        and `"vtt"`; or a `Stream` of events if `stream` is true. `timeout` is the number of seconds
        that the answer, or each event, may take; none by default.
        """

@final
class Translations:
    """The translations of an engine."""

    @overload
    def create(
        self,
        *,
        response_format: Literal["verbose_json"],
        **params: Unpack[_SpeechParams],
    ) -> TranslationVerbose: ...
    @overload
    def create(self, *, response_format: _AudioText, **params: Unpack[_SpeechParams]) -> str: ...
    @overload
    def create(
        self, *, response_format: Literal["json"] = ..., **params: Unpack[_SpeechParams]
    ) -> Translation:
        """Writes down in English what is said in a file, whatever its language.

        The model has to know several. As `transcriptions.create`, with fewer parameters: gives a
        `Translation`, a `TranslationVerbose` or the text.
        """

class _ImageParams(_Options, total=False):
    model: str
    n: int | None
    response_format: Literal["b64_json"] | None
    size: str | None
    user: str

class _PaintParams(_ImageParams, total=False):
    background: Literal["auto", "opaque"] | None
    output_compression: int | None
    output_format: Literal["png", "jpeg", "webp"] | None
    partial_images: int | None
    quality: Literal["auto", "low", "medium", "high", "standard", "hd"] | None

class _GenerateParams(_PaintParams, total=False):
    prompt: Required[str]

class _EditParams(_PaintParams, total=False):
    image: Required[FileTypes | Sequence[FileTypes]]
    mask: FileTypes
    prompt: Required[str]

class _VariationParams(_ImageParams, total=False):
    image: Required[FileTypes]

@final
class Images:
    """The images of an engine.

    Parameters that the engine does not serve are its own to refuse.
    """

    @overload
    def generate(
        self, *, stream: Literal[True], **params: Unpack[_GenerateParams]
    ) -> Stream[ImageGenPartialImageEvent | ImageGenCompletedEvent]: ...
    @overload
    def generate(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_GenerateParams]
    ) -> ImagesResponse:
        """Makes images of a text.

        The parameters are the API's; `model` may be left out if the engine has one model. What the
        API does not have goes into `extra_body`: `seed`, `steps`, `cfg_scale`, `sampler`,
        `scheduler` and `negative_prompt`. Gives an `ImagesResponse`, whose `data` have the files in
        `b64_json`, or a `Stream` of events if `stream` is true. `timeout` is the number of seconds
        that the answer, or each event, may take; none by default.
        """
    @overload
    def edit(
        self, *, stream: Literal[True], **params: Unpack[_EditParams]
    ) -> Stream[ImageEditPartialImageEvent | ImageEditCompletedEvent]: ...
    @overload
    def edit(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_EditParams]
    ) -> ImagesResponse:
        """Paints an image anew, in parts or as a whole.

        `image` and `mask` are what openai's SDK takes: bytes, an open file, a path, or a tuple of a
        name and one of these; `image` may be a list of them for models that take several. Only what
        is transparent in `mask` changes. `extra_body` may have `strength` too, from 0 to 1. The
        rest is as in `generate`.
        """
    def create_variation(self, **params: Unpack[_VariationParams]) -> ImagesResponse:
        """Makes images that are like another.

        The parameters are those of `edit`, as far as there are any.
        """

@final
class Vectors:
    """The vectors of a reply, 32-bit floats in one piece of memory.

    `numpy.asarray(vectors)`, `memoryview(vectors)` and everything else that reads Python's buffers
    sees them in place, as an array of `shape`: nothing is copied, and the memory stays as long as
    any of them does. It cannot be written to.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """The number of vectors, and how many numbers each has."""
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

_ListedPurpose = Literal[
    "assistants", "batch", "batch_output", "fine-tune", "vision", "user_data", "evals"
]
_FilePurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]

class _ExpiresAfter(TypedDict):
    anchor: Literal["created_at"]
    seconds: int

@final
class Files:
    """The files of an engine."""

    def create(
        self,
        *,
        file: FileTypes,
        purpose: _FilePurpose,
        expires_after: _ExpiresAfter | None = None,
        **options: Unpack[_CallOptions],
    ) -> FileObject:
        """Keeps a file, in memory, as long as the engine.

        `file` is what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and
        one of these.
        """
    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        purpose: _ListedPurpose | None = None,
        **options: Unpack[_CallOptions],
    ) -> SyncCursorPage[FileObject]:
        """The files, in pages.

        Those behind the one of the id `after`, `limit` a page, the newest first unless `order` is
        `"asc"`.
        """
    def retrieve(self, file_id: str, **options: Unpack[_CallOptions]) -> FileObject:
        """The file of this id. Raises `NotFoundError` if there is none."""
    def content(self, file_id: str, **options: Unpack[_CallOptions]) -> BinaryResponseContent:
        """What is in the file of this id."""
    def delete(self, file_id: str, **options: Unpack[_CallOptions]) -> FileDeleted:
        """Deletes the file of this id."""

_BatchEndpoint = Literal[
    "/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/rerank"
]

class _BatchParams(TypedDict, total=False):
    endpoint: Required[_BatchEndpoint]
    input_file_id: Required[str]
    completion_window: Literal["24h"]
    metadata: Mapping[str, str] | None
    output_expires_after: _ExpiresAfter | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, str] | None
    extra_body: Mapping[str, object] | None
    timeout: float | None

@final
class Batches:
    """The batches of an engine: files of requests, answered in the background, one after another.

    They and their files are in memory and go with the engine; `Engine.batch` is for what must
    outlive the process.
    """

    def create(self, **params: Unpack[_BatchParams]) -> Batch:
        """Begins to answer a file of requests, which was kept for the purpose `"batch"`.

        It returns at once; ask `retrieve` how far it is. `endpoint` is the path of all its
        requests, such as `"/v1/chat/completions"`. `completion_window` is always `"24h"`, also if
        it is left out.
        """
    def retrieve(self, batch_id: str, **options: Unpack[_CallOptions]) -> Batch:
        """The batch of this id. Raises `NotFoundError` if there is none."""
    def list(
        self, *, after: str | None = None, limit: int | None = None, **options: Unpack[_CallOptions]
    ) -> SyncCursorPage[Batch]:
        """The batches, in pages.

        Those behind the one of the id `after`, `limit` a page (by default 20), the newest first.
        """
    def cancel(self, batch_id: str, **options: Unpack[_CallOptions]) -> Batch:
        """Ends the batch of this id. What it has finished stays, in its files."""

@final
class Models:
    """The models as the API lists them."""

    def list(self, **options: Unpack[_CallOptions]) -> SyncPage[Model]:
        """Every name that requests may use in `model`."""
    def retrieve(self, model: str, **options: Unpack[_CallOptions]) -> Model:
        """The model of this name. Raises `NotFoundError` if there is none."""
    def delete(self, model: str, **options: Unpack[_CallOptions]) -> ModelDeleted:
        """Unloads a model that `engine.load` has loaded.

        Raises `NotFoundError` if there is none of this name, `PermissionDeniedError` if the engine
        was made with it.
        """

@final
class Stream(Generic[_T_co]):
    """The pieces of an answer, as they are generated.

    Iterate over it. Closing it, leaving its `with` block or dropping it before its end stops the
    generation.
    """

    @property
    def response(self) -> Response:
        """The status and headers of the reply."""
    def _poll(self, soon: _Soon, wake: Callable[[], object]) -> tuple[_T_co | None] | None:
        """The next object in a tuple, `(None,)` after the last, or None: then `soon(wake)` is
        called from another thread when it is time to ask again."""
    @property
    def _timeout(self) -> float | None:
        """The seconds that each object may take."""
    def close(self) -> None:
        """Stops the generation if it still runs. Closing twice is fine."""
    def __iter__(self) -> Self: ...
    def __next__(self) -> _T_co: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None = ...,
        exc: BaseException | None = ...,
        traceback: TracebackType | None = ...,
        /,
    ) -> None: ...
    def __class_getitem__(cls, key: object) -> GenericAlias: ...

@disjoint_base
class BaseModel:
    """The base of the API's objects, with the methods that openai's objects have.

    Objects cannot be changed: `model_dump()` gives a dict that can. Two are equal if they are of
    the same class and say the same. Fields that a class does not name are attributes all the same.
    """

    @classmethod
    def model_validate(cls, obj: _Object) -> Self:
        """An object of this class from a dict, or from an object that can be dumped to one.

        Raises `InvalidArgumentError`, a `ValueError`, if a required field is missing or an object
        or list is something else.
        """
    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """An object of this class from JSON text.

        Raises `InvalidArgumentError`, a `ValueError`, as `model_validate` does, and for what is no
        JSON.
        """
    @classmethod
    def model_construct(cls, **values: Any) -> Self:
        """An object of this class from keywords, unchecked.

        A field that it needs and lacks is an `AttributeError` when it is asked for.
        """
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The object with some fields changed.

        Nothing that it holds can be changed, so that `deep` makes no difference.
        """
    def __replace__(self, **changes: Any) -> Self:
        """For `copy.replace`."""
    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that the reply had."""
    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that the class does not name."""
    def model_dump(
        self,
        *,
        mode: str = "python",
        include: _Selection | None = None,
        exclude: _Selection | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: object = None,
    ) -> dict[str, Any]:
        """The object as a dict, with the fields that the reply left out as `None`.

        `include` and `exclude` name fields, in a set, or in a dict that says what of each is meant;
        list entries go by index, or `"__all__"`. `mode`, `by_alias`, `round_trip` and `warnings`
        are pydantic's and make no difference: every value is one of JSON, under its own name.
        """
    def model_dump_json(
        self,
        *,
        indent: int | None = None,
        include: _Selection | None = None,
        exclude: _Selection | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: object = None,
    ) -> str:
        """The object as JSON text, with the fields that the reply left out as null.

        The other keywords are those of `model_dump`.
        """
    def to_dict(
        self,
        *,
        mode: str = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> dict[str, Any]:
        """The object as a dict, without the fields that the reply left out.

        `mode`, `use_api_names` and `warnings` are openai's and make no difference.
        """
    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> str:
        """The object as indented JSON text, without the fields that the reply left out.

        `use_api_names` and `warnings` are openai's and make no difference.
        """
    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """The names and values of the fields, in pairs, as in pydantic: `dict(reply)`."""
    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """For rich's `print`."""
    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """For notebooks and the IPython shell: one line if it fits, or else a line for each
        field."""
    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> Any:
        """For pydantic: a field of a model may be of one of these classes."""
    @property
    def _request_id(self) -> str | None:
        """The id of the request that this is the reply to; None for parts of replies."""
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: object) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class ChatCompletion(BaseModel):
    """A whole answer."""

    __match_args__ = (
        "id",
        "choices",
        "created",
        "model",
        "object",
        "metadata",
        "moderation",
        "service_tier",
        "system_fingerprint",
        "usage",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def choices(self) -> list[Choice]: ...
    @property
    def created(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["chat.completion"]: ...
    @property
    def metadata(self) -> dict[str, str] | None: ...
    @property
    def moderation(self) -> Any: ...
    @property
    def service_tier(self) -> _ServiceTier | None: ...
    @property
    def system_fingerprint(self) -> str | None: ...
    @property
    def usage(self) -> CompletionUsage | None: ...

@final
class Choice(BaseModel):
    """One of the answers to a request."""

    __match_args__ = ("finish_reason", "index", "logprobs", "message")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def finish_reason(self) -> _FinishReason: ...
    @property
    def index(self) -> int: ...
    @property
    def logprobs(self) -> ChoiceLogprobs | None: ...
    @property
    def message(self) -> ChatCompletionMessage: ...

@final
class ChoiceLogprobs(BaseModel):
    """How likely an answer's tokens were."""

    __match_args__ = ("content", "refusal")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content(self) -> list[ChatCompletionTokenLogprob] | None: ...
    @property
    def refusal(self) -> list[ChatCompletionTokenLogprob] | None: ...

@final
class ChatCompletionTokenLogprob(BaseModel):
    """How likely a token was."""

    __match_args__ = ("token", "bytes", "logprob", "top_logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def bytes(self) -> list[int] | None: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top_logprobs(self) -> list[TopLogprob]: ...

@final
class TopLogprob(BaseModel):
    """One of the likeliest tokens in a place."""

    __match_args__ = ("token", "bytes", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def bytes(self) -> list[int] | None: ...
    @property
    def logprob(self) -> float: ...

class ChatCompletionMessage(BaseModel):
    """What the model says. It can be sent back as history."""

    __match_args__ = (
        "content",
        "refusal",
        "role",
        "annotations",
        "audio",
        "function_call",
        "tool_calls",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content(self) -> str | None: ...
    @property
    def refusal(self) -> str | None: ...
    @property
    def role(self) -> Literal["assistant"]: ...
    @property
    def annotations(self) -> list[Annotation] | None: ...
    @property
    def audio(self) -> ChatCompletionAudio | None: ...
    @property
    def function_call(self) -> FunctionCall | None: ...
    @property
    def tool_calls(
        self,
    ) -> (
        list[ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall] | None
    ): ...

@final
class Annotation(BaseModel):
    """Where a statement of the model's comes from."""

    __match_args__ = ("type", "url_citation")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def type(self) -> Literal["url_citation"]: ...
    @property
    def url_citation(self) -> AnnotationURLCitation: ...

@final
class AnnotationURLCitation(BaseModel):
    """The web page that a statement comes from."""

    __match_args__ = ("end_index", "start_index", "title", "url")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def end_index(self) -> int: ...
    @property
    def start_index(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...

@final
class ChatCompletionAudio(BaseModel):
    """A spoken answer."""

    __match_args__ = ("id", "data", "expires_at", "transcript")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def data(self) -> str: ...
    @property
    def expires_at(self) -> int: ...
    @property
    def transcript(self) -> str: ...

@final
class FunctionCall(BaseModel):
    """What function the model calls, and how; the deprecated form of tool calls."""

    __match_args__ = ("arguments", "name")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str: ...
    @property
    def name(self) -> str: ...

@final
class ChatCompletionMessageFunctionToolCall(BaseModel):
    """A call of a function."""

    __match_args__ = ("id", "function", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def function(self) -> ToolCallFunction: ...
    @property
    def type(self) -> Literal["function"]: ...

@final
class ToolCallFunction(BaseModel):
    """What function is called, and how. `arguments` is JSON text."""

    __match_args__ = ("arguments", "name")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str: ...
    @property
    def name(self) -> str: ...

@final
class ChatCompletionMessageCustomToolCall(BaseModel):
    """A call of a custom tool."""

    __match_args__ = ("id", "custom", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def custom(self) -> ToolCallCustom: ...
    @property
    def type(self) -> Literal["custom"]: ...

@final
class ToolCallCustom(BaseModel):
    """What custom tool is called, and with what text."""

    __match_args__ = ("input", "name")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input(self) -> str: ...
    @property
    def name(self) -> str: ...

@final
class ChatCompletionChunk(BaseModel):
    """A piece of a streamed answer."""

    __match_args__ = (
        "id",
        "choices",
        "created",
        "model",
        "object",
        "moderation",
        "obfuscation",
        "service_tier",
        "system_fingerprint",
        "usage",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def choices(self) -> list[ChunkChoice]: ...
    @property
    def created(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["chat.completion.chunk"]: ...
    @property
    def moderation(self) -> Any: ...
    @property
    def obfuscation(self) -> str | None: ...
    @property
    def service_tier(self) -> _ServiceTier | None: ...
    @property
    def system_fingerprint(self) -> str | None: ...
    @property
    def usage(self) -> CompletionUsage | None: ...

@final
class ChunkChoice(BaseModel):
    """What has come to one of the answers."""

    __match_args__ = ("delta", "index", "finish_reason", "logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def delta(self) -> ChoiceDelta: ...
    @property
    def index(self) -> int: ...
    @property
    def finish_reason(self) -> _FinishReason | None: ...
    @property
    def logprobs(self) -> ChunkChoiceLogprobs | None: ...

@final
class ChunkChoiceLogprobs(BaseModel):
    """How likely a piece's tokens were."""

    __match_args__ = ("content", "refusal")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content(self) -> list[ChatCompletionTokenLogprob] | None: ...
    @property
    def refusal(self) -> list[ChatCompletionTokenLogprob] | None: ...

@final
class ChoiceDelta(BaseModel):
    """What has come to a message; what has no news is None."""

    __match_args__ = ("audio", "content", "function_call", "refusal", "role", "tool_calls")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def audio(self) -> ChoiceDeltaAudio | None: ...
    @property
    def content(self) -> str | None: ...
    @property
    def function_call(self) -> ChoiceDeltaFunctionCall | None: ...
    @property
    def refusal(self) -> str | None: ...
    @property
    def role(self) -> Literal["developer", "system", "user", "assistant", "tool"] | None: ...
    @property
    def tool_calls(self) -> list[ChoiceDeltaToolCall] | None: ...

@final
class ChoiceDeltaAudio(BaseModel):
    """What has come to a spoken answer."""

    __match_args__ = ("id", "data", "expires_at", "transcript")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str | None: ...
    @property
    def data(self) -> str | None: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def transcript(self) -> str | None: ...

@final
class ChoiceDeltaFunctionCall(BaseModel):
    """What has come to the call of a function; the deprecated form of tool calls."""

    __match_args__ = ("arguments", "name")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...

@final
class ChoiceDeltaToolCall(BaseModel):
    """What has come to the call of a tool; its first piece alone has `id`, `type` and a name."""

    __match_args__ = ("index", "id", "function", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def index(self) -> int: ...
    @property
    def id(self) -> str | None: ...
    @property
    def function(self) -> ChoiceDeltaToolCallFunction | None: ...
    @property
    def type(self) -> Literal["function"] | None: ...

@final
class ChoiceDeltaToolCallFunction(BaseModel):
    """What has come to the call of a function."""

    __match_args__ = ("arguments", "name")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...

@final
class ChatCompletionDeleted(BaseModel):
    """What is left of a kept chat completion that was deleted."""

    __match_args__ = ("id", "deleted", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def object(self) -> Literal["chat.completion.deleted"]: ...

@final
class ChatCompletionStoreMessage(ChatCompletionMessage):
    """A message that a kept chat completion answers."""

    __match_args__ = (
        "content",
        "refusal",
        "role",
        "annotations",
        "audio",
        "function_call",
        "tool_calls",
        "id",
        "content_parts",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def content_parts(self) -> list[ChatCompletionContentPartText] | None: ...

@final
class ChatCompletionContentPartText(BaseModel):
    """A text among the parts of a message."""

    __match_args__ = ("text", "type", "prompt_cache_breakpoint")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["text"]: ...
    @property
    def prompt_cache_breakpoint(self) -> Any: ...

@final
class Completion(BaseModel):
    """A text gone on from, or a piece of one that is streamed."""

    __match_args__ = ("id", "choices", "created", "model", "object", "system_fingerprint", "usage")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def choices(self) -> list[CompletionChoice]: ...
    @property
    def created(self) -> int: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["text_completion"]: ...
    @property
    def system_fingerprint(self) -> str | None: ...
    @property
    def usage(self) -> CompletionUsage | None: ...

@final
class CompletionChoice(BaseModel):
    """One of the answers, or a piece of one; a piece before the last has no `finish_reason`."""

    __match_args__ = ("finish_reason", "index", "logprobs", "text")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def finish_reason(self) -> Literal["stop", "length", "content_filter"] | None: ...
    @property
    def index(self) -> int: ...
    @property
    def logprobs(self) -> Logprobs | None: ...
    @property
    def text(self) -> str: ...

@final
class Logprobs(BaseModel):
    """How likely a text's tokens were: lists of one length."""

    __match_args__ = ("text_offset", "token_logprobs", "tokens", "top_logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text_offset(self) -> list[int] | None: ...
    @property
    def token_logprobs(self) -> list[float | None] | None: ...
    @property
    def tokens(self) -> list[str] | None: ...
    @property
    def top_logprobs(self) -> list[dict[str, float] | None] | None: ...

@final
class RerankResponse(BaseModel):
    """Documents in the order of how well they answer a query."""

    __match_args__ = ("id", "model", "object", "results", "usage")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["list"]: ...
    @property
    def results(self) -> list[RerankResult]: ...
    @property
    def usage(self) -> RerankUsage: ...

@final
class RerankResult(BaseModel):
    """How well a document answers: `index` is its place in the request, the score from 0 to 1."""

    __match_args__ = ("index", "relevance_score", "document")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def index(self) -> int: ...
    @property
    def relevance_score(self) -> float: ...
    @property
    def document(self) -> RerankDocument | None: ...

@final
class RerankDocument(BaseModel):
    """A document, if it is asked for."""

    __match_args__ = ("text",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...

@final
class RerankUsage(BaseModel):
    """The tokens that a ranking used."""

    __match_args__ = ("prompt_tokens", "total_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...

@final
class TokenizeResponse(BaseModel):
    """The tokens of a text."""

    __match_args__ = ("count", "max_model_len", "tokens", "token_strs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def count(self) -> int: ...
    @property
    def max_model_len(self) -> int: ...
    @property
    def tokens(self) -> list[int]: ...
    @property
    def token_strs(self) -> list[str] | None: ...

@final
class DetokenizeResponse(BaseModel):
    """The text of tokens."""

    __match_args__ = ("prompt",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def prompt(self) -> str: ...

@final
class CompletionUsage(BaseModel):
    """The tokens that a request used."""

    __match_args__ = (
        "completion_tokens",
        "prompt_tokens",
        "total_tokens",
        "completion_tokens_details",
        "prompt_tokens_details",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def completion_tokens_details(self) -> CompletionTokensDetails | None: ...
    @property
    def prompt_tokens_details(self) -> PromptTokensDetails | None: ...

@final
class CompletionTokensDetails(BaseModel):
    """Of the answers' tokens, how many were which."""

    __match_args__ = (
        "accepted_prediction_tokens",
        "audio_tokens",
        "reasoning_tokens",
        "rejected_prediction_tokens",
        "text_tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def accepted_prediction_tokens(self) -> int | None: ...
    @property
    def audio_tokens(self) -> int | None: ...
    @property
    def reasoning_tokens(self) -> int | None: ...
    @property
    def rejected_prediction_tokens(self) -> int | None: ...
    @property
    def text_tokens(self) -> int | None: ...

@final
class PromptTokensDetails(BaseModel):
    """Of the prompt's tokens, how many were which."""

    __match_args__ = (
        "audio_tokens",
        "cache_write_tokens",
        "cached_tokens",
        "image_tokens",
        "text_tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def audio_tokens(self) -> int | None: ...
    @property
    def cache_write_tokens(self) -> int | None: ...
    @property
    def cached_tokens(self) -> int | None: ...
    @property
    def image_tokens(self) -> int | None: ...
    @property
    def text_tokens(self) -> int | None: ...

@final
class Model(BaseModel):
    """A model that requests may name."""

    __match_args__ = ("id", "created", "object", "owned_by", "shutdown_date")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def object(self) -> Literal["model"]: ...
    @property
    def owned_by(self) -> str: ...
    @property
    def shutdown_date(self) -> str | None: ...

@final
class ModelDeleted(BaseModel):
    """What is left of a model that was deleted."""

    __match_args__ = ("id", "deleted", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def object(self) -> str: ...

@final
class Image(BaseModel):
    """An image, in base64."""

    __match_args__ = ("b64_json", "revised_prompt", "url")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def b64_json(self) -> str | None: ...
    @property
    def revised_prompt(self) -> str | None: ...
    @property
    def url(self) -> str | None: ...

@final
class ImagesResponse(BaseModel):
    """The images that were made."""

    __match_args__ = (
        "created",
        "background",
        "data",
        "output_format",
        "quality",
        "safety_identifier",
        "size",
        "svg_usage",
        "usage",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def created(self) -> int: ...
    @property
    def background(self) -> Literal["opaque"] | None: ...
    @property
    def data(self) -> list[Image] | None: ...
    @property
    def output_format(self) -> Literal["png", "jpeg", "webp"] | None: ...
    @property
    def quality(self) -> Literal["low", "medium", "high"] | None: ...
    @property
    def safety_identifier(self) -> str | None: ...
    @property
    def size(self) -> str | None: ...
    @property
    def svg_usage(self) -> _Object | None: ...
    @property
    def usage(self) -> ImagesUsage | None: ...

@final
class ImagesUsage(BaseModel):
    """What images count as."""

    __match_args__ = (
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "total_tokens",
        "output_tokens_details",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def input_tokens_details(self) -> ImagesUsageDetails: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def output_tokens_details(self) -> ImagesUsageOutputDetails | None: ...

@final
class ImagesUsageOutputDetails(BaseModel):
    """What the tokens of a reply are of."""

    __match_args__ = ("image_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def image_tokens(self) -> int: ...
    @property
    def text_tokens(self) -> int: ...

@final
class ImagesUsageDetails(BaseModel):
    """What the tokens of a request are of."""

    __match_args__ = ("image_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def image_tokens(self) -> int: ...
    @property
    def text_tokens(self) -> int: ...

@final
class ImageGenPartialImageEvent(BaseModel):
    """What a step has come to."""

    __match_args__ = (
        "b64_json",
        "background",
        "created_at",
        "output_format",
        "partial_image_index",
        "quality",
        "size",
        "type",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def b64_json(self) -> str: ...
    @property
    def background(self) -> Literal["opaque"]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def output_format(self) -> Literal["png", "jpeg", "webp"]: ...
    @property
    def partial_image_index(self) -> int: ...
    @property
    def quality(self) -> Literal["low", "medium", "high"]: ...
    @property
    def size(self) -> str: ...
    @property
    def type(self) -> Literal["image_generation.partial_image"]: ...

@final
class ImageGenCompletedEvent(BaseModel):
    """The image."""

    __match_args__ = (
        "b64_json",
        "background",
        "created_at",
        "output_format",
        "quality",
        "size",
        "type",
        "usage",
        "safety_identifier",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def b64_json(self) -> str: ...
    @property
    def background(self) -> Literal["opaque"]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def output_format(self) -> Literal["png", "jpeg", "webp"]: ...
    @property
    def quality(self) -> Literal["low", "medium", "high"]: ...
    @property
    def size(self) -> str: ...
    @property
    def type(self) -> Literal["image_generation.completed"]: ...
    @property
    def usage(self) -> ImageGenCompletedEventUsage: ...
    @property
    def safety_identifier(self) -> str | None: ...

@final
class ImageGenCompletedEventUsage(BaseModel):
    """What the image counts as."""

    __match_args__ = ("input_tokens", "input_tokens_details", "output_tokens", "total_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def input_tokens_details(self) -> ImageGenCompletedEventUsageDetails: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...

@final
class ImageGenCompletedEventUsageDetails(BaseModel):
    """What the tokens of a request are of."""

    __match_args__ = ("image_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def image_tokens(self) -> int: ...
    @property
    def text_tokens(self) -> int: ...

@final
class ImageEditPartialImageEvent(BaseModel):
    """What a step of an edit has come to."""

    __match_args__ = (
        "b64_json",
        "background",
        "created_at",
        "output_format",
        "partial_image_index",
        "quality",
        "size",
        "type",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def b64_json(self) -> str: ...
    @property
    def background(self) -> Literal["opaque"]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def output_format(self) -> Literal["png", "jpeg", "webp"]: ...
    @property
    def partial_image_index(self) -> int: ...
    @property
    def quality(self) -> Literal["low", "medium", "high"]: ...
    @property
    def size(self) -> str: ...
    @property
    def type(self) -> Literal["image_edit.partial_image"]: ...

@final
class ImageEditCompletedEvent(BaseModel):
    """The edited image."""

    __match_args__ = (
        "b64_json",
        "background",
        "created_at",
        "output_format",
        "quality",
        "size",
        "type",
        "usage",
        "safety_identifier",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def b64_json(self) -> str: ...
    @property
    def background(self) -> Literal["opaque"]: ...
    @property
    def created_at(self) -> int: ...
    @property
    def output_format(self) -> Literal["png", "jpeg", "webp"]: ...
    @property
    def quality(self) -> Literal["low", "medium", "high"]: ...
    @property
    def size(self) -> str: ...
    @property
    def type(self) -> Literal["image_edit.completed"]: ...
    @property
    def usage(self) -> ImageEditCompletedEventUsage: ...
    @property
    def safety_identifier(self) -> str | None: ...

@final
class ImageEditCompletedEventUsage(BaseModel):
    """What the image counts as."""

    __match_args__ = ("input_tokens", "input_tokens_details", "output_tokens", "total_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def input_tokens_details(self) -> ImageEditCompletedEventUsageDetails: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...

@final
class ImageEditCompletedEventUsageDetails(BaseModel):
    """What the tokens of a request are of."""

    __match_args__ = ("image_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def image_tokens(self) -> int: ...
    @property
    def text_tokens(self) -> int: ...

@final
class Transcription(BaseModel):
    """What was said."""

    __match_args__ = ("text", "languages", "logprobs", "usage")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def languages(self) -> list[str] | None: ...
    @property
    def logprobs(self) -> list[TranscriptionLogprob] | None: ...
    @property
    def usage(self) -> UsageDuration | UsageTokens | None: ...

@final
class TranscriptionLogprob(BaseModel):
    """A token and how likely it is."""

    __match_args__ = ("token", "bytes", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str | None: ...
    @property
    def bytes(self) -> list[int] | None: ...
    @property
    def logprob(self) -> float | None: ...

@final
class UsageTokens(BaseModel):
    """How many tokens were heard and written."""

    __match_args__ = (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "type",
        "input_token_details",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def type(self) -> Literal["tokens"]: ...
    @property
    def input_token_details(self) -> UsageTokensInputTokenDetails | None: ...

@final
class UsageTokensInputTokenDetails(BaseModel):
    """Which tokens were heard."""

    __match_args__ = ("audio_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def audio_tokens(self) -> int | None: ...
    @property
    def text_tokens(self) -> int | None: ...

@final
class UsageDuration(BaseModel):
    """How long the audio is."""

    __match_args__ = ("seconds", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def seconds(self) -> float: ...
    @property
    def type(self) -> Literal["duration"]: ...

@final
class TranscriptionVerbose(BaseModel):
    """What was said, with times."""

    __match_args__ = ("duration", "language", "text", "segments", "usage", "words")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def duration(self) -> float: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def segments(self) -> list[TranscriptionSegment] | None: ...
    @property
    def usage(self) -> TranscriptionVerboseUsage | None: ...
    @property
    def words(self) -> list[TranscriptionWord] | None: ...

@final
class TranscriptionVerboseUsage(BaseModel):
    """How long the audio is."""

    __match_args__ = ("seconds", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def seconds(self) -> float: ...
    @property
    def type(self) -> Literal["duration"]: ...

@final
class TranscriptionSegment(BaseModel):
    """A sentence, or a part of one."""

    __match_args__ = (
        "id",
        "avg_logprob",
        "compression_ratio",
        "end",
        "no_speech_prob",
        "seek",
        "start",
        "temperature",
        "text",
        "tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> int: ...
    @property
    def avg_logprob(self) -> float: ...
    @property
    def compression_ratio(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def no_speech_prob(self) -> float: ...
    @property
    def seek(self) -> int: ...
    @property
    def start(self) -> float: ...
    @property
    def temperature(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def tokens(self) -> list[int]: ...

@final
class TranscriptionWord(BaseModel):
    """A word and when it was said, in seconds."""

    __match_args__ = ("end", "start", "word")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def end(self) -> float: ...
    @property
    def start(self) -> float: ...
    @property
    def word(self) -> str: ...

@final
class Translation(BaseModel):
    """What was said, in English."""

    __match_args__ = ("text",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...

@final
class TranslationVerbose(BaseModel):
    """What was said, in English and with times."""

    __match_args__ = ("duration", "language", "text", "segments")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def duration(self) -> float: ...
    @property
    def language(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def segments(self) -> list[TranscriptionSegment] | None: ...

@final
class TranscriptionTextDeltaEvent(BaseModel):
    """More text."""

    __match_args__ = ("delta", "type", "logprobs", "segment_id")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def delta(self) -> str: ...
    @property
    def type(self) -> Literal["transcript.text.delta"]: ...
    @property
    def logprobs(self) -> list[TranscriptionTextDeltaLogprob] | None: ...
    @property
    def segment_id(self) -> str | None: ...

@final
class TranscriptionTextDeltaLogprob(BaseModel):
    """A token of an event and how likely it is."""

    __match_args__ = ("token", "bytes", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str | None: ...
    @property
    def bytes(self) -> list[int] | None: ...
    @property
    def logprob(self) -> float | None: ...

@final
class TranscriptionTextDoneEvent(BaseModel):
    """The end, with all the text."""

    __match_args__ = ("text", "type", "languages", "logprobs", "usage")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["transcript.text.done"]: ...
    @property
    def languages(self) -> list[str] | None: ...
    @property
    def logprobs(self) -> list[TranscriptionTextDoneLogprob] | None: ...
    @property
    def usage(self) -> TranscriptionTextDoneUsage | None: ...

@final
class TranscriptionTextDoneLogprob(BaseModel):
    """A token and how likely it is."""

    __match_args__ = ("token", "bytes", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str | None: ...
    @property
    def bytes(self) -> list[int] | None: ...
    @property
    def logprob(self) -> float | None: ...

@final
class TranscriptionTextDoneUsage(BaseModel):
    """How many tokens were heard and written."""

    __match_args__ = (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "type",
        "input_token_details",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...
    @property
    def type(self) -> Literal["tokens"]: ...
    @property
    def input_token_details(self) -> TranscriptionTextDoneUsageDetails | None: ...

@final
class TranscriptionTextDoneUsageDetails(BaseModel):
    """Which tokens were heard."""

    __match_args__ = ("audio_tokens", "text_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def audio_tokens(self) -> int | None: ...
    @property
    def text_tokens(self) -> int | None: ...

@final
class CreateEmbeddingResponse(BaseModel):
    """The vectors of a request's texts."""

    __match_args__ = ("data", "model", "object", "usage")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[Embedding]: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["list"]: ...
    @property
    def usage(self) -> EmbeddingUsage: ...
    @property
    def vectors(self) -> Vectors:
        """All vectors in one piece of memory: `numpy.asarray(reply.vectors)` copies nothing.

        Raises `InvalidArgumentError` if the reply has base64 text.
        """

@final
class Embedding(BaseModel):
    """The vector of a text. `embedding` is a list of floats."""

    __match_args__ = ("embedding", "index", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def embedding(self) -> list[float]: ...
    @property
    def index(self) -> int: ...
    @property
    def object(self) -> Literal["embedding"]: ...

@final
class EmbeddingUsage(BaseModel):
    """The tokens that a request for embeddings used."""

    __match_args__ = ("prompt_tokens", "total_tokens")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def total_tokens(self) -> int: ...

@final
class FileObject(BaseModel):
    """A file that the engine keeps."""

    __match_args__ = (
        "id",
        "bytes",
        "created_at",
        "filename",
        "object",
        "purpose",
        "status",
        "expires_at",
        "status_details",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def bytes(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def filename(self) -> str: ...
    @property
    def object(self) -> Literal["file"]: ...
    @property
    def purpose(self) -> _ListedPurpose: ...
    @property
    def status(self) -> Literal["processed"]: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def status_details(self) -> str | None: ...

@final
class FileDeleted(BaseModel):
    """That a file has been deleted."""

    __match_args__ = ("id", "deleted", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def object(self) -> Literal["file"]: ...

@final
class Batch(BaseModel):
    """A file of requests and what has become of them."""

    __match_args__ = (
        "id",
        "completion_window",
        "created_at",
        "endpoint",
        "input_file_id",
        "object",
        "status",
        "cancelled_at",
        "cancelling_at",
        "completed_at",
        "error_file_id",
        "errors",
        "expired_at",
        "expires_at",
        "failed_at",
        "finalizing_at",
        "in_progress_at",
        "metadata",
        "model",
        "output_file_id",
        "request_counts",
        "usage",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def completion_window(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def input_file_id(self) -> str: ...
    @property
    def object(self) -> Literal["batch"]: ...
    @property
    def status(
        self,
    ) -> Literal[
        "validating",
        "failed",
        "in_progress",
        "finalizing",
        "completed",
        "expired",
        "cancelling",
        "cancelled",
    ]: ...
    @property
    def cancelled_at(self) -> int | None: ...
    @property
    def cancelling_at(self) -> int | None: ...
    @property
    def completed_at(self) -> int | None: ...
    @property
    def error_file_id(self) -> str | None: ...
    @property
    def errors(self) -> BatchErrors | None: ...
    @property
    def expired_at(self) -> int | None: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def failed_at(self) -> int | None: ...
    @property
    def finalizing_at(self) -> int | None: ...
    @property
    def in_progress_at(self) -> int | None: ...
    @property
    def metadata(self) -> dict[str, str] | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def output_file_id(self) -> str | None: ...
    @property
    def request_counts(self) -> BatchRequestCounts | None: ...
    @property
    def usage(self) -> BatchUsage | None: ...

@final
class BatchErrors(BaseModel):
    """What is wrong with a batch."""

    __match_args__ = ("data", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[BatchError] | None: ...
    @property
    def object(self) -> str | None: ...

@final
class BatchError(BaseModel):
    """What is wrong with a line of a batch, or with the batch as a whole."""

    __match_args__ = ("code", "line", "message", "param")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def code(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...
    @property
    def message(self) -> str | None: ...
    @property
    def param(self) -> str | None: ...

@final
class BatchRequestCounts(BaseModel):
    """How many of a batch's requests have been answered."""

    __match_args__ = ("completed", "failed", "total")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def completed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def total(self) -> int: ...

@final
class BatchUsage(BaseModel):
    """The tokens of a batch's answers."""

    __match_args__ = (
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "total_tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def input_tokens_details(self) -> BatchInputTokensDetails: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def output_tokens_details(self) -> BatchOutputTokensDetails: ...
    @property
    def total_tokens(self) -> int: ...

@final
class BatchInputTokensDetails(BaseModel):
    """A part of a batch's input tokens."""

    __match_args__ = ("cached_tokens",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def cached_tokens(self) -> int: ...

@final
class BatchOutputTokensDetails(BaseModel):
    """A part of a batch's output tokens."""

    __match_args__ = ("reasoning_tokens",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def reasoning_tokens(self) -> int: ...

@final
class Adapter(BaseModel):
    """A LoRA adapter of a model. `scale` is how strongly it is applied: 1 as it was trained."""

    __match_args__ = ("path", "scale")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def path(self) -> str: ...
    @property
    def scale(self) -> float: ...

@final
class Placement(BaseModel):
    """What a device has of a model in memory. What is behind the last layer counts as one."""

    __match_args__ = ("device", "layers", "weights", "kv_cache", "compute")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def device(self) -> str: ...
    @property
    def layers(self) -> int: ...
    @property
    def weights(self) -> int: ...
    @property
    def kv_cache(self) -> int: ...
    @property
    def compute(self) -> int: ...

@final
class ModelInfo(BaseModel):
    """What a model is."""

    __match_args__ = (
        "id",
        "aliases",
        "path",
        "file_size",
        "architecture",
        "name",
        "parameters",
        "quantization",
        "trained_context_length",
        "context_length",
        "vocabulary_size",
        "has_chat_template",
        "embedding_dimensions",
        "draft_model",
        "adapters",
        "placement",
        "batch_variance",
        "created",
        "loaded",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def aliases(self) -> list[str]: ...
    @property
    def path(self) -> str: ...
    @property
    def file_size(self) -> int: ...
    @property
    def architecture(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def parameters(self) -> int: ...
    @property
    def quantization(self) -> str | None: ...
    @property
    def trained_context_length(self) -> int: ...
    @property
    def context_length(self) -> int: ...
    @property
    def vocabulary_size(self) -> int: ...
    @property
    def has_chat_template(self) -> bool: ...
    @property
    def embedding_dimensions(self) -> int | None: ...
    @property
    def draft_model(self) -> str | None: ...
    @property
    def adapters(self) -> list[Adapter]: ...
    @property
    def placement(self) -> list[Placement]: ...
    @property
    def batch_variance(self) -> str | None: ...
    @property
    def created(self) -> int: ...
    @property
    def loaded(self) -> bool: ...

@final
class BatchCounts(BaseModel):
    """What has become of a batch's requests."""

    __match_args__ = (
        "total",
        "completed",
        "failed",
        "resumed",
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "reasoning_tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def total(self) -> int: ...
    @property
    def completed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def resumed(self) -> int: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def reasoning_tokens(self) -> int: ...

@final
class Device(BaseModel):
    """A device that this build can compute on."""

    __match_args__ = ("name", "description", "kind", "memory_total", "memory_free")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def kind(self) -> Literal["cpu", "gpu", "integrated_gpu", "accelerator"]: ...
    @property
    def memory_total(self) -> int: ...
    @property
    def memory_free(self) -> int: ...

@final
class SystemInfo(BaseModel):
    """This build and the machine that it runs on."""

    __match_args__ = (
        "version",
        "llama_cpp",
        "processors",
        "cpu_features",
        "missing_cpu_features",
        "kernels",
        "backends",
        "devices",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def version(self) -> str: ...
    @property
    def llama_cpp(self) -> str: ...
    @property
    def processors(self) -> int: ...
    @property
    def cpu_features(self) -> list[str]: ...
    @property
    def missing_cpu_features(self) -> list[str]: ...
    @property
    def kernels(self) -> Literal["avx512", "avx2"] | None: ...
    @property
    def backends(self) -> list[str]: ...
    @property
    def devices(self) -> list[Device]: ...

@final
class ResponseObject(BaseModel):
    """An answer of the Responses API, and what it was asked with."""

    __match_args__ = (
        "id",
        "access_programs",
        "created_at",
        "error",
        "incomplete_details",
        "instructions",
        "metadata",
        "model",
        "object",
        "output",
        "parallel_tool_calls",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "background",
        "completed_at",
        "conversation",
        "image",
        "input_transformations",
        "max_output_tokens",
        "max_tool_calls",
        "moderation",
        "previous_response_id",
        "prompt",
        "prompt_cache_diagnostics",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "status",
        "text",
        "tool_usage",
        "top_logprobs",
        "truncation",
        "usage",
        "user",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def access_programs(self) -> Any: ...
    @property
    def created_at(self) -> float: ...
    @property
    def error(self) -> ResponseError | None: ...
    @property
    def incomplete_details(self) -> ResponseIncompleteDetails | None: ...
    @property
    def instructions(self) -> str | list[Any] | None: ...
    @property
    def metadata(self) -> dict[str, str] | None: ...
    @property
    def model(self) -> str: ...
    @property
    def object(self) -> Literal["response"]: ...
    @property
    def output(self) -> list[_OutputItem]: ...
    @property
    def parallel_tool_calls(self) -> bool: ...
    @property
    def temperature(self) -> float | None: ...
    @property
    def tool_choice(self) -> Any: ...
    @property
    def tools(self) -> list[FunctionTool | CustomTool]: ...
    @property
    def top_p(self) -> float | None: ...
    @property
    def background(self) -> bool | None: ...
    @property
    def completed_at(self) -> float | None: ...
    @property
    def conversation(self) -> Any: ...
    @property
    def image(self) -> Any: ...
    @property
    def input_transformations(self) -> list[Any] | None: ...
    @property
    def max_output_tokens(self) -> int | None: ...
    @property
    def max_tool_calls(self) -> int | None: ...
    @property
    def moderation(self) -> Any: ...
    @property
    def previous_response_id(self) -> str | None: ...
    @property
    def prompt(self) -> Any: ...
    @property
    def prompt_cache_diagnostics(self) -> Any: ...
    @property
    def prompt_cache_key(self) -> str | None: ...
    @property
    def prompt_cache_options(self) -> Any: ...
    @property
    def prompt_cache_retention(self) -> Literal["in_memory", "24h"] | None: ...
    @property
    def reasoning(self) -> Reasoning | None: ...
    @property
    def safety_identifier(self) -> str | None: ...
    @property
    def service_tier(self) -> _ServiceTier | None: ...
    @property
    def status(
        self,
    ) -> (
        Literal["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"] | None
    ): ...
    @property
    def text(self) -> ResponseTextConfig | None: ...
    @property
    def tool_usage(self) -> Any: ...
    @property
    def top_logprobs(self) -> int | None: ...
    @property
    def truncation(self) -> Literal["auto", "disabled"] | None: ...
    @property
    def usage(self) -> ResponseUsage | None: ...
    @property
    def user(self) -> str | None: ...
    @property
    def output_text(self) -> str:
        """The texts of all messages, joined."""

@final
class ResponseIncompleteDetails(BaseModel):
    """Why a response is not whole."""

    __match_args__ = ("reason",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def reason(
        self,
    ) -> Literal["max_output_tokens", "max_messages", "content_filter", "steered"] | None: ...

@final
class ResponseError(BaseModel):
    """What went wrong with a response."""

    __match_args__ = ("code", "message", "misalignment", "param", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def code(
        self,
    ) -> Literal[
        "server_error",
        "rate_limit_exceeded",
        "invalid_prompt",
        "data_residency_mismatch",
        "bio_policy",
        "misalignment_policy_violation",
        "vector_store_timeout",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "invalid_image_mode",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    ]: ...
    @property
    def message(self) -> str: ...
    @property
    def misalignment(self) -> Any: ...
    @property
    def param(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...

@final
class ResponseUsage(BaseModel):
    """The tokens that a response used."""

    __match_args__ = (
        "input_tokens",
        "input_tokens_details",
        "output_tokens",
        "output_tokens_details",
        "total_tokens",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def input_tokens_details(self) -> ResponseInputTokensDetails: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def output_tokens_details(self) -> ResponseOutputTokensDetails: ...
    @property
    def total_tokens(self) -> int: ...

@final
class ResponseInputTokensDetails(BaseModel):
    """Of the input's tokens, how many were which."""

    __match_args__ = ("cache_write_tokens", "cached_tokens", "cache_write_tokens_details")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def cache_write_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def cache_write_tokens_details(self) -> Any: ...

@final
class ResponseOutputTokensDetails(BaseModel):
    """Of the answer's tokens, how many were which."""

    __match_args__ = ("reasoning_tokens",)

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def reasoning_tokens(self) -> int: ...

@final
class ResponseTextConfig(BaseModel):
    """The form of a response's text."""

    __match_args__ = ("format", "verbosity")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def format(self) -> Any: ...
    @property
    def verbosity(self) -> Literal["low", "medium", "high"] | None: ...

@final
class Reasoning(BaseModel):
    """How the model was to think."""

    __match_args__ = ("context", "effort", "generate_summary", "mode", "summary")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def context(self) -> Literal["auto", "current_turn", "all_turns"] | None: ...
    @property
    def effort(
        self,
    ) -> Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None: ...
    @property
    def generate_summary(self) -> Literal["auto", "concise", "detailed"] | None: ...
    @property
    def mode(self) -> str | Literal["standard", "pro"] | None: ...
    @property
    def summary(self) -> Literal["auto", "concise", "detailed"] | None: ...

@final
class FunctionTool(BaseModel):
    """A function that the model might call."""

    __match_args__ = (
        "name",
        "parameters",
        "strict",
        "type",
        "allowed_callers",
        "async_",
        "defer_loading",
        "description",
        "output_schema",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def strict(self) -> bool | None: ...
    @property
    def type(self) -> Literal["function"]: ...
    @property
    def allowed_callers(self) -> list[Any] | None: ...
    @property
    def async_(self) -> bool | None: ...
    @property
    def defer_loading(self) -> bool | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def output_schema(self) -> Any: ...

@final
class CustomTool(BaseModel):
    """A tool that the model might call with a text."""

    __match_args__ = (
        "name",
        "type",
        "allowed_callers",
        "async_",
        "defer_loading",
        "description",
        "format",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> Literal["custom"]: ...
    @property
    def allowed_callers(self) -> list[Any] | None: ...
    @property
    def async_(self) -> bool | None: ...
    @property
    def defer_loading(self) -> bool | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def format(self) -> Any: ...

@final
class ResponseOutputMessage(BaseModel):
    """What the model says. It can be sent back as input, as all items can."""

    __match_args__ = ("id", "content", "role", "status", "type", "phase")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def content(self) -> list[ResponseOutputText | ResponseOutputRefusal]: ...
    @property
    def role(self) -> Literal["assistant"]: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"]: ...
    @property
    def type(self) -> Literal["message"]: ...
    @property
    def phase(self) -> Literal["commentary", "final_answer"] | None: ...

@final
class ResponseOutputText(BaseModel):
    """Text of a message."""

    __match_args__ = ("annotations", "text", "type", "logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def annotations(self) -> list[Any]: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["output_text"]: ...
    @property
    def logprobs(self) -> list[ResponseOutputTextLogprob] | None: ...

@final
class ResponseOutputTextLogprob(BaseModel):
    """How likely a token of a text was."""

    __match_args__ = ("token", "bytes", "logprob", "top_logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def bytes(self) -> list[int]: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top_logprobs(self) -> list[ResponseOutputTextTopLogprob]: ...

@final
class ResponseOutputTextTopLogprob(BaseModel):
    """One of the likeliest tokens in a place."""

    __match_args__ = ("token", "bytes", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def bytes(self) -> list[int]: ...
    @property
    def logprob(self) -> float: ...

@final
class ResponseOutputRefusal(BaseModel):
    """Words of refusal of a message."""

    __match_args__ = ("refusal", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def refusal(self) -> str: ...
    @property
    def type(self) -> Literal["refusal"]: ...

@final
class ResponseReasoningItem(BaseModel):
    """What the model thought."""

    __match_args__ = ("id", "summary", "type", "content", "encrypted_content", "status")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def summary(self) -> list[ResponseReasoningSummary]: ...
    @property
    def type(self) -> Literal["reasoning"]: ...
    @property
    def content(self) -> list[ResponseReasoningContent] | None: ...
    @property
    def encrypted_content(self) -> str | None: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"] | None: ...

@final
class ResponseReasoningSummary(BaseModel):
    """A summary of thoughts."""

    __match_args__ = ("text", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["summary_text"]: ...

@final
class ResponseReasoningContent(BaseModel):
    """A part of the model's thoughts."""

    __match_args__ = ("text", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["reasoning_text"]: ...

class ResponseFunctionToolCall(BaseModel):
    """A call of a function. `arguments` is JSON text."""

    __match_args__ = (
        "arguments",
        "call_id",
        "name",
        "type",
        "id",
        "async_",
        "caller",
        "namespace",
        "status",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str: ...
    @property
    def call_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> Literal["function_call"]: ...
    @property
    def id(self) -> str | None: ...
    @property
    def async_(self) -> bool | None: ...
    @property
    def caller(self) -> Any: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"] | None: ...

class ResponseCustomToolCall(BaseModel):
    """A call of a custom tool."""

    __match_args__ = ("call_id", "input", "name", "type", "id", "async_", "caller", "namespace")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def call_id(self) -> str: ...
    @property
    def input(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> Literal["custom_tool_call"]: ...
    @property
    def id(self) -> str | None: ...
    @property
    def async_(self) -> bool | None: ...
    @property
    def caller(self) -> Any: ...
    @property
    def namespace(self) -> str | None: ...

@final
class ResponseCreatedEvent(BaseModel):
    """A response has been taken on."""

    __match_args__ = ("response", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def response(self) -> ResponseObject: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.created"]: ...

@final
class ResponseInProgressEvent(BaseModel):
    """A response is being computed."""

    __match_args__ = ("response", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def response(self) -> ResponseObject: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.in_progress"]: ...

@final
class ResponseCompletedEvent(BaseModel):
    """A response is whole."""

    __match_args__ = ("response", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def response(self) -> ResponseObject: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.completed"]: ...

@final
class ResponseIncompleteEvent(BaseModel):
    """A limit has cut a response."""

    __match_args__ = ("response", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def response(self) -> ResponseObject: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.incomplete"]: ...

@final
class ResponseFailedEvent(BaseModel):
    """A response went wrong."""

    __match_args__ = ("response", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def response(self) -> ResponseObject: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.failed"]: ...

@final
class ResponseOutputItemAddedEvent(BaseModel):
    """An item begins."""

    __match_args__ = ("item", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def item(self) -> _OutputItem: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.output_item.added"]: ...

@final
class ResponseOutputItemDoneEvent(BaseModel):
    """An item is finished."""

    __match_args__ = ("item", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def item(self) -> _OutputItem: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.output_item.done"]: ...

@final
class ResponseContentPartAddedEvent(BaseModel):
    """A part of an item begins."""

    __match_args__ = ("content_index", "item_id", "output_index", "part", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def part(
        self,
    ) -> ResponseOutputText | ResponseOutputRefusal | ResponseContentPartAddedReasoning: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.content_part.added"]: ...

@final
class ResponseContentPartAddedReasoning(BaseModel):
    """Thoughts that begin."""

    __match_args__ = ("text", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["reasoning_text"]: ...

@final
class ResponseContentPartDoneEvent(BaseModel):
    """A part of an item is finished."""

    __match_args__ = ("content_index", "item_id", "output_index", "part", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def part(
        self,
    ) -> ResponseOutputText | ResponseOutputRefusal | ResponseContentPartDoneReasoning: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.content_part.done"]: ...

@final
class ResponseContentPartDoneReasoning(BaseModel):
    """Thoughts that are finished."""

    __match_args__ = ("text", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["reasoning_text"]: ...

@final
class ResponseTextDeltaEvent(BaseModel):
    """More text."""

    __match_args__ = (
        "content_index",
        "delta",
        "item_id",
        "logprobs",
        "output_index",
        "sequence_number",
        "type",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def delta(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def logprobs(self) -> list[ResponseTextDeltaLogprob]: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.output_text.delta"]: ...

@final
class ResponseTextDeltaLogprob(BaseModel):
    """How likely a token was."""

    __match_args__ = ("token", "logprob", "top_logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top_logprobs(self) -> list[ResponseTextDeltaTopLogprob] | None: ...

@final
class ResponseTextDeltaTopLogprob(BaseModel):
    """One of the likeliest tokens in a place."""

    __match_args__ = ("token", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str | None: ...
    @property
    def logprob(self) -> float | None: ...

@final
class ResponseTextDoneEvent(BaseModel):
    """A text is finished."""

    __match_args__ = (
        "content_index",
        "item_id",
        "logprobs",
        "output_index",
        "sequence_number",
        "text",
        "type",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def item_id(self) -> str: ...
    @property
    def logprobs(self) -> list[ResponseTextDoneLogprob]: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["response.output_text.done"]: ...

@final
class ResponseTextDoneLogprob(BaseModel):
    """How likely a token was."""

    __match_args__ = ("token", "logprob", "top_logprobs")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top_logprobs(self) -> list[ResponseTextDoneTopLogprob] | None: ...

@final
class ResponseTextDoneTopLogprob(BaseModel):
    """One of the likeliest tokens in a place."""

    __match_args__ = ("token", "logprob")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def token(self) -> str | None: ...
    @property
    def logprob(self) -> float | None: ...

@final
class ResponseReasoningTextDeltaEvent(BaseModel):
    """More thoughts."""

    __match_args__ = (
        "content_index",
        "delta",
        "item_id",
        "output_index",
        "sequence_number",
        "type",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def delta(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.reasoning_text.delta"]: ...

@final
class ResponseReasoningTextDoneEvent(BaseModel):
    """The thoughts are finished."""

    __match_args__ = ("content_index", "item_id", "output_index", "sequence_number", "text", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def content_index(self) -> int: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["response.reasoning_text.done"]: ...

@final
class ResponseFunctionCallArgumentsDeltaEvent(BaseModel):
    """More of a call's arguments."""

    __match_args__ = ("delta", "item_id", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def delta(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.function_call_arguments.delta"]: ...

@final
class ResponseFunctionCallArgumentsDoneEvent(BaseModel):
    """A call's arguments are finished."""

    __match_args__ = ("arguments", "item_id", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def arguments(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.function_call_arguments.done"]: ...

@final
class ResponseCustomToolCallInputDeltaEvent(BaseModel):
    """More of a custom tool's input."""

    __match_args__ = ("delta", "item_id", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def delta(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.custom_tool_call_input.delta"]: ...

@final
class ResponseCustomToolCallInputDoneEvent(BaseModel):
    """A custom tool's input is finished."""

    __match_args__ = ("input", "item_id", "output_index", "sequence_number", "type")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def output_index(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def type(self) -> Literal["response.custom_tool_call_input.done"]: ...

@final
class ResponseInputMessageItem(BaseModel):
    """A message to the model."""

    __match_args__ = ("id", "content", "role", "type", "status")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def content(self) -> list[ResponseInputText]: ...
    @property
    def role(self) -> Literal["user", "system", "developer"]: ...
    @property
    def type(self) -> Literal["message"]: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"] | None: ...

@final
class ResponseInputText(BaseModel):
    """A text for the model."""

    __match_args__ = ("text", "type", "prompt_cache_breakpoint")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def text(self) -> str: ...
    @property
    def type(self) -> Literal["input_text"]: ...
    @property
    def prompt_cache_breakpoint(self) -> Any: ...

@final
class ResponseFunctionToolCallItem(ResponseFunctionToolCall):
    """A call of a function, in a list of items. `arguments` is JSON text."""

    __match_args__ = (
        "arguments",
        "call_id",
        "name",
        "type",
        "id",
        "async_",
        "caller",
        "namespace",
        "status",
        "created_by",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"]: ...
    @property
    def created_by(self) -> str | None: ...

@final
class ResponseFunctionToolCallOutputItem(BaseModel):
    """What a function gave: a text, or a list of parts."""

    __match_args__ = (
        "id",
        "output",
        "status",
        "type",
        "call_id",
        "caller",
        "created_by",
        "name",
        "namespace",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def output(self) -> str | list[ResponseInputText]: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"]: ...
    @property
    def type(self) -> Literal["function_call_output"]: ...
    @property
    def call_id(self) -> str | None: ...
    @property
    def caller(self) -> Any: ...
    @property
    def created_by(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...

@final
class ResponseCustomToolCallItem(ResponseCustomToolCall):
    """A call of a custom tool, in a list of items."""

    __match_args__ = (
        "call_id",
        "input",
        "name",
        "type",
        "id",
        "async_",
        "caller",
        "namespace",
        "status",
        "created_by",
    )

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"]: ...
    @property
    def created_by(self) -> str | None: ...

class ResponseCustomToolCallOutput(BaseModel):
    """What a custom tool gave: a text, or a list of parts."""

    __match_args__ = ("call_id", "output", "type", "id", "caller")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def call_id(self) -> str: ...
    @property
    def output(self) -> str | list[ResponseInputText]: ...
    @property
    def type(self) -> Literal["custom_tool_call_output"]: ...
    @property
    def id(self) -> str | None: ...
    @property
    def caller(self) -> Any: ...

@final
class ResponseCustomToolCallOutputItem(ResponseCustomToolCallOutput):
    """What a custom tool gave, in a list of items."""

    __match_args__ = ("call_id", "output", "type", "id", "caller", "status", "created_by")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def id(self) -> str: ...
    @property
    def status(self) -> Literal["in_progress", "completed", "incomplete"]: ...
    @property
    def created_by(self) -> str | None: ...

@final
class InputTokenCountResponse(BaseModel):
    """How many tokens a request's input is."""

    __match_args__ = ("input_tokens", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def object(self) -> Literal["response.input_tokens"]: ...

class BasePage(BaseModel, Generic[_T_co]):
    """A page of a list, of whatever kind."""

    def has_next_page(self) -> bool:
        """Whether there is a page behind this one."""
    def next_page_info(self) -> PageInfo | None:
        """What asks for the entries behind the last of this page.

        None if it has none, or if the list comes as a whole.
        """
    def _next_page(self) -> Any:
        """The page behind this one; for event loops, on its way."""
    def __class_getitem__(cls, key: object) -> GenericAlias: ...

class BaseSyncPage(BasePage[_T_co]):
    """A page of a list.

    Iterating over it gives its entries, and those of all pages behind it, which are fetched
    meanwhile.
    """

    def __iter__(self) -> Iterator[_T_co]: ...  # type: ignore[override]
    def iter_pages(self) -> Iterator[Self]:
        """This page and all behind it, which are fetched meanwhile."""
    def get_next_page(self) -> Self:
        """The page behind this one; behind the last it is empty.

        Raises `RuntimeError` where `next_page_info()` is None.
        """

class BaseAsyncPage(BasePage[_T_co]):
    """A page of a list, for event loops.

    Iterating over it with `async for` gives its entries, and those of all pages behind it, which
    are fetched meanwhile.
    """

    def __aiter__(self) -> AsyncIterator[_T_co]: ...
    def iter_pages(self) -> AsyncIterator[Self]:
        """This page and all behind it, which are fetched meanwhile: for `async for`."""
    def get_next_page(self) -> Coroutine[Any, Any, Self]:
        """The page behind this one: await it. Behind the last it is empty.

        Raises `RuntimeError` where `next_page_info()` is None.
        """

@final
class SyncPage(BaseSyncPage[_T_co]):
    """A list that comes as a whole: the only page."""

    __match_args__ = ("data", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[_T_co]: ...
    @property
    def object(self) -> Literal["list"]: ...

@final
class AsyncPage(BaseAsyncPage[_T_co]):
    """A list that comes as a whole, for event loops."""

    __match_args__ = ("data", "object")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[_T_co]: ...
    @property
    def object(self) -> Literal["list"]: ...

@final
class SyncCursorPage(BaseSyncPage[_T_co]):
    """A page of a list that goes on behind its last entry."""

    __match_args__ = ("data", "has_more")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[_T_co]: ...
    @property
    def has_more(self) -> bool | None: ...

@final
class AsyncCursorPage(BaseAsyncPage[_T_co]):
    """A page of a list that goes on behind its last entry, for event loops."""

    __match_args__ = ("data", "has_more")

    def __new__(cls, **fields: object) -> Self: ...
    @property
    def data(self) -> list[_T_co]: ...
    @property
    def has_more(self) -> bool | None: ...

_OutputItem: TypeAlias = (
    ResponseOutputMessage
    | ResponseReasoningItem
    | ResponseFunctionToolCall
    | ResponseCustomToolCall
)
_ResponseItem: TypeAlias = (
    ResponseInputMessageItem
    | ResponseOutputMessage
    | ResponseReasoningItem
    | ResponseFunctionToolCallItem
    | ResponseFunctionToolCallOutputItem
    | ResponseCustomToolCallItem
    | ResponseCustomToolCallOutputItem
)
_ResponseStreamEvent: TypeAlias = (
    ResponseCreatedEvent
    | ResponseInProgressEvent
    | ResponseCompletedEvent
    | ResponseIncompleteEvent
    | ResponseFailedEvent
    | ResponseOutputItemAddedEvent
    | ResponseOutputItemDoneEvent
    | ResponseContentPartAddedEvent
    | ResponseContentPartDoneEvent
    | ResponseTextDeltaEvent
    | ResponseTextDoneEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningTextDoneEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseFunctionCallArgumentsDoneEvent
    | ResponseCustomToolCallInputDeltaEvent
    | ResponseCustomToolCallInputDoneEvent
)

def devices() -> list[Device]:
    """The devices that this build can compute on, the processor among them."""

def system_info() -> SystemInfo:
    """This build and the machine that it runs on: processors, what they can do, devices.

    What to add to a report about speed, and to look at when a model does not load.
    """

def _restore(class_: type[BaseModel], name: str, fields: dict[str, Any]) -> BaseModel:
    """An object that was pickled: of this class, with the schema of this name."""

def _error_kinds() -> list[tuple[str, int | None]]:
    """Every kind of the engine's errors with its HTTP status, for tests."""
