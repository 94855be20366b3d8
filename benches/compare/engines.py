"""What users would pick for chats in process or beside it, behind one interface.

Each takes requests of OpenAI's API as dicts. All compute with the same model file, the same number
of threads, and a KV cache of the same size for the same number of requests at once.
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Request = dict[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """How an engine is made."""

    model: str
    parallel: int
    context_length: int
    threads: int = len(os.sched_getaffinity(0))


class Engine(Protocol):
    """Answers chats from any number of threads."""

    def complete(self, request: Request) -> Reply:
        """The whole answer."""

    def stream(self, request: Request, chunk: Callable[[Reply], object]) -> None:
        """Calls `chunk` with each chunk as it comes."""

    def close(self) -> None:
        """Ends it."""


class Zerohop:
    """This project, through its Python module."""

    def __init__(self, setup: Setup) -> None:
        import zerohop

        self.engine = zerohop.Engine(
            setup.model,
            parallel=setup.parallel,
            context_length=setup.context_length,
            threads=setup.threads,
        )

    def complete(self, request: Request) -> Reply:
        reply: Reply = self.engine.chat.completions.create(**request).model_dump()
        return reply

    def stream(self, request: Request, chunk: Callable[[Reply], object]) -> None:
        for piece in self.engine.chat.completions.create(**request, stream=True):
            chunk(piece.model_dump())

    def close(self) -> None:
        self.engine.close()


class Xllamacpp:
    """llama-server's core in process, through xllamacpp."""

    def __init__(self, setup: Setup) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = setup.model
        params.n_parallel = setup.parallel
        params.n_ctx = setup.context_length
        params.kv_unified = True
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = setup.threads
        params.verbosity = 0
        self.server = xllamacpp.Server(params)

    def complete(self, request: Request) -> Reply:
        reply = self.server.handle_chat_completions(request)
        return _checked(json.loads(reply) if isinstance(reply, str | bytes) else reply)

    def stream(self, request: Request, chunk: Callable[[Reply], object]) -> None:
        def each(piece: Any) -> None:
            for part in piece if isinstance(piece, list) else [piece]:
                chunk(_checked(part))

        self.server.handle_chat_completions({**request, "stream": True}, each)

    def close(self) -> None:
        del self.server


class LlamaServer:
    """llama-server, if it is on PATH, over HTTP."""

    def __init__(self, setup: Setup) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["llama-server", "--model", setup.model, "--port", str(self.port), "--kv-unified"]
        command += ["--parallel", str(setup.parallel), "--ctx-size", str(setup.context_length)]
        command += ["--threads", str(setup.threads)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 300
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("llama-server does not start")
            time.sleep(0.01)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        return False

    @contextlib.contextmanager
    def _post(self, request: Request) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        with contextlib.closing(connection):
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(request), headers)
            yield connection.getresponse()

    def complete(self, request: Request) -> Reply:
        with self._post(request) as response:
            return _checked(json.loads(response.read()))

    def stream(self, request: Request, chunk: Callable[[Reply], object]) -> None:
        with self._post({**request, "stream": True}) as response:
            for line in response:
                if line.startswith(b"data: {"):
                    chunk(_checked(json.loads(line[6:])))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def _checked(reply: Reply) -> Reply:
    if "error" in reply:
        raise RuntimeError(str(reply["error"]))
    return reply


ENGINES: dict[str, Callable[[Setup], Engine]] = {
    "zerohop": Zerohop,
    "xllamacpp": Xllamacpp,
    "llama-server": LlamaServer,
}


def installed() -> list[str]:
    """Those that are here, zerohop first."""

    def has_module(name: str) -> bool:
        done = subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True)
        return done.returncode == 0

    names = [name for name in ("zerohop", "xllamacpp") if has_module(name)]
    return names + (["llama-server"] if shutil.which("llama-server") else [])
