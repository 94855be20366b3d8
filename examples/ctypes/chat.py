"""Streams an answer through the C library, with ctypes: chat.py LIBZEROHOP.so MODEL.gguf

Python programs have the package zerohop; this shows what a language needs that calls C alone.
"""

import ctypes
import json
import sys
from ctypes import POINTER, byref, c_char_p, c_size_t, c_void_p


class Str(ctypes.Structure):
    """`zerohop_str`. It keeps the bytes that it points to."""

    _fields_ = [("data", c_char_p), ("length", c_size_t)]

    @classmethod
    def of(cls, text: str) -> "Str":
        """The text as UTF-8."""
        data = text.encode()
        return cls(data, len(data))


class Request(ctypes.Structure):
    """`zerohop_request`."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("method", Str),
        ("path", Str),
        ("content_type", Str),
        ("headers", c_void_p),
        ("header_count", c_size_t),
        ("body", Str),
        ("cancel", c_void_p),
    ]


class ModelOptions(ctypes.Structure):
    """The beginning of `zerohop_model_options`; the library fills and reads what is beyond."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", Str),
        ("path", Str),
        ("more", ctypes.c_char * 240),
    ]


class EngineOptions(ctypes.Structure):
    """The beginning of `zerohop_engine_options`."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("models", POINTER(ModelOptions)),
        ("model_count", c_size_t),
        ("more", ctypes.c_char * 64),
    ]


def main(library: str, path: str) -> None:
    """Asks the model a question."""
    lib = ctypes.CDLL(library)
    lib.zerohop_error_message.restype = c_char_p
    lib.zerohop_error_message.argtypes = [c_void_p]
    for name in ("engine_free", "response_free", "error_free"):
        getattr(lib, f"zerohop_{name}").argtypes = [c_void_p]
    lib.zerohop_response_text.restype = Str
    lib.zerohop_response_text.argtypes = [c_void_p]
    lib.zerohop_response_next.argtypes = [c_void_p, POINTER(Str), POINTER(c_void_p)]
    error = c_void_p()

    def check(status: int) -> bool:
        """Whether there is more; raises for a failure."""
        if status < 0:
            message = lib.zerohop_error_message(error).decode()
            lib.zerohop_error_free(error)
            raise RuntimeError(message)
        return status == 0

    model, options, request = ModelOptions(), EngineOptions(), Request()
    lib.zerohop_model_options_init(byref(model), c_size_t(ctypes.sizeof(model)))
    model.name, model.path = Str.of("chat"), Str.of(path)
    lib.zerohop_engine_options_init(byref(options), c_size_t(ctypes.sizeof(options)))
    options.models, options.model_count = ctypes.pointer(model), 1
    engine, response, event = c_void_p(), c_void_p(), Str()
    check(lib.zerohop_engine_new(byref(options), byref(engine), byref(error)))

    question = {"role": "user", "content": "What is the capital of France? Answer in one sentence."}
    body = {"model": "chat", "stream": True, "temperature": 0, "messages": [question]}
    lib.zerohop_request_init(byref(request), c_size_t(ctypes.sizeof(request)))
    request.path, request.body = Str.of("/v1/chat/completions"), Str.of(json.dumps(body))
    check(lib.zerohop_send(engine, byref(request), byref(response), byref(error)))
    while check(lib.zerohop_response_next(response, byref(event), byref(error))):
        text = lib.zerohop_response_text(response)
        print((text.data or b"").decode(), end="", flush=True)
    print()
    lib.zerohop_response_free(response)
    lib.zerohop_engine_free(engine)


if __name__ == "__main__":
    main(*sys.argv[1:])
