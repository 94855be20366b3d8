"""Models by their names on the hub, from a server on this machine that speaks its routes."""

import json
import os
import re
import shutil
import subprocess
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from support import model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A server with repositories: file contents by name."""

    def __init__(self):
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, request):
        path = unquote(request.path.split("?")[0])
        byte_range = request.headers.get("range")
        self.requests.append((path, byte_range))
        listed = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repo = (listed or file)[1]
        if repo in self.private and request.headers.get("authorization") != "Bearer secret":
            return self.send(request, 401, b"", {})
        if repo not in self.repos:
            return self.send(request, 404, b"", {})
        files = self.repos[repo]
        if listed:
            siblings = [{"rfilename": name} for name in files]
            body = json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
            return self.send(request, 200, body, {"content-type": "application/json"})
        content = files[file[3]]
        start, end = re.fullmatch(r"bytes=(\d+)-(\d*)", byte_range).groups()
        end = int(end) if end else len(content) - 1
        part = content[int(start) : end + 1]
        headers = {
            "etag": f'"{sha256(content).hexdigest()}"',
            "x-repo-commit": COMMIT,
            "content-range": f"bytes {start}-{end}/{len(content)}",
        }
        if self.cut_after is not None and len(part) > self.cut_after:
            # As when a connection breaks.
            headers["content-length"] = str(len(part))
            part = part[: self.cut_after]
            self.cut_after = None
            request.close_connection = True
        return self.send(request, 206, part, headers)

    def send(self, request, status, body, headers):
        request.send_response(status)
        for name, value in ({"content-length": str(len(body))} | headers).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "hf"


@pytest.fixture
def zerohop_with(hub, home):
    """Runs the command, which finds the server through its environment."""

    def run(*arguments, **variables):
        command = [Path(os.environ["ZEROHOP_LIB_DIR"]) / "zerohop", *arguments]
        environment = {"PATH": os.environ["PATH"], "HF_HOME": str(home), "HF_ENDPOINT": hub.url}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=environment | variables
        )

    return run


TINY = model("tiny/tiny-llama.gguf").read_bytes()


def pulled(done):
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_a_model_is_fetched_once(hub, home, zerohop_with):
    hub.repos["me/tiny"] = {"README.md": b"", "tiny-Q8_0.gguf": TINY, "tiny-Q4_K_M.gguf": b"other"}
    path = pulled(zerohop_with("pull", "hf:me/tiny:Q8_0"))
    assert path.read_bytes() == TINY
    # Where the hub's own programs look.
    assert path == home / "hub/models--me--tiny/snapshots" / COMMIT / "tiny-Q8_0.gguf"
    fetched = len([one for one in hub.requests if "resolve" in one[0]])
    assert pulled(zerohop_with("pull", "me/tiny:Q8_0")) == path
    assert len([one for one in hub.requests if "resolve" in one[0]]) == fetched
    listed = json.loads(zerohop_with("models", "--json").stdout)
    assert listed == {"name": "hf:me/tiny", "path": str(path), "file_size": len(TINY)}


def test_an_engine_takes_a_name(hub, home, run_python, monkeypatch):
    hub.repos["me/tiny"] = {"tiny.gguf": TINY}
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    script = """
import zerohop
seen = []
with zerohop.Engine("hf:me/tiny", threads=1, progress=seen.append) as engine:
    message = {"role": "user", "content": "a"}
    reply = engine.chat.completions.create(messages=[message], max_tokens=2)
    assert reply.usage.completion_tokens == 2
# The download, then the load.
assert seen.count(1.0) >= 2, seen
try:
    zerohop.Engine("hf:me/missing")
except zerohop.ModelFileError as error:
    assert "hf:me/missing" in str(error), error
"""
    assert run_python(script).returncode == 0


def test_a_broken_download_goes_on(hub, zerohop_with):
    hub.repos["me/tiny"] = {"tiny.gguf": TINY}
    hub.cut_after = 10_000
    assert pulled(zerohop_with("pull", "hf:me/tiny")).read_bytes() == TINY
    assert ("/me/tiny/resolve/main/tiny.gguf", "bytes=10000-") in hub.requests


def test_split_models(hub, zerohop_with):
    names = [f"m-{part:05}-of-00002.gguf" for part in (1, 2)]
    hub.repos["me/split"] = {name: name.encode() for name in names} | {"mmproj-m.gguf": b""}
    path = pulled(zerohop_with("pull", "hf:me/split"))
    assert path.name == names[0]
    assert (path.parent / names[1]).read_bytes() == names[1].encode()


def test_offline(hub, zerohop_with):
    hub.repos["me/tiny"] = {"tiny.gguf": TINY}
    offline = zerohop_with("pull", "hf:me/tiny", HF_HUB_OFFLINE="1")
    assert offline.returncode == 1 and "HF_HUB_OFFLINE" in offline.stderr
    path = pulled(zerohop_with("pull", "hf:me/tiny"))
    hub.repos.clear()
    assert pulled(zerohop_with("pull", "hf:me/tiny", HF_HUB_OFFLINE="1")) == path
    # Nor does a network that fails matter.
    assert pulled(zerohop_with("pull", "hf:me/tiny", HF_ENDPOINT="http://127.0.0.1:9")) == path


def test_tokens(hub, home, zerohop_with):
    hub.repos["me/tiny"] = {"tiny.gguf": TINY}
    hub.private.add("me/tiny")
    refused = zerohop_with("pull", "hf:me/tiny")
    assert refused.returncode == 1 and "401" in refused.stderr
    assert pulled(zerohop_with("pull", "hf:me/tiny", HF_TOKEN="secret")).read_bytes() == TINY
    shutil.rmtree(home)
    home.mkdir()
    (home / "token").write_text("secret\n")
    assert pulled(zerohop_with("pull", "hf:me/tiny")).read_bytes() == TINY


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:me/none", "404"),
        ("hf:me/tiny:Q2_K", "none of its files"),
        ("hf:me/tiny:tiny", "name one"),
        ("hf:me/empty", "no model files"),
        ("hf:../../etc", "no model on the hub"),
        ("hf:me", "no model on the hub"),
    ],
)
def test_names_that_are_wrong(hub, zerohop_with, name, expected):
    hub.repos["me/tiny"] = {"tiny-a.gguf": b"", "tiny-b.gguf": b""}
    hub.repos["me/empty"] = {"README.md": b""}
    done = zerohop_with("pull", name)
    assert done.returncode == 1 and expected in done.stderr, done.stderr


def test_folders(tmp_path, zerohop_with):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/tiny.gguf").write_bytes(TINY)
    assert zerohop_with("inspect", tmp_path / "one").returncode == 0
    (tmp_path / "one/other.gguf").write_bytes(TINY)
    several = zerohop_with("inspect", tmp_path / "one")
    assert several.returncode == 1 and "other.gguf, tiny.gguf" in several.stderr
    (tmp_path / "none").mkdir()
    assert "no model file" in zerohop_with("inspect", tmp_path / "none").stderr
