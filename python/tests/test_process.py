"""What the package does to the process that it lives in."""

import json
import signal
import subprocess
import sys
import time

import pytest
from support import ENDLESS

SETUP = f"""
import os, signal, sys, threading, time
import zerohop
USER = [{{"role": "user", "content": "Hello"}}]
def make():
    return zerohop.Engine(sys.argv[1], context_length={ENDLESS}, threads=1, parallel=1)
"""


ASK = """
import asyncio
async def ask(**options):
    client = zerohop.AsyncOpenAI(engine)
    reply = await client.chat.completions.create(model="tiny-llama", messages=USER, **options)
    if options:
        async for chunk in reply:
            pass
async def ask_engine(**options):
    reply = await zerohop.AsyncEngine(engine).chat.completions.create(messages=USER, **options)
    if options:
        async for chunk in reply:
            pass
def run_uvloop(function, **options):
    import uvloop
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(function(**options))
def run_trio(function, **options):
    import functools, trio
    try:
        trio.run(functools.partial(function, **options))
    except BaseExceptionGroup as group:
        raise group.exceptions[0]
"""


def test_importing_is_quick_and_light(run_python):
    script = """
import json, sys, time
before = set(sys.modules)
started = time.process_time()
import zerohop
seconds = time.process_time() - started
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""
    runs = [json.loads(run_python(script).stdout) for _ in range(7)]
    # Processor time, and the least of it, since other processes share the machine.
    assert min(seconds for seconds, _ in runs) <= 0.030
    heavy = (
        "numpy pydantic openai httpx httpx2 anyio trio typing_extensions asyncio logging".split()
    )
    assert not set(heavy) & set(runs[0][1])


MISSING = {
    "openai": "zerohop.OpenAI(sys.argv[1])",
    "httpx": "zerohop.http_client(engine, library='httpx')",
    "httpx2": "zerohop.transport(engine, library='httpx2')",
    "openai httpx httpx2": "zerohop.async_http_client(engine)",
}


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_package_is_named(tiny, run_python, missing):
    script = f"""{SETUP}
sys.modules |= dict.fromkeys({missing.split()})
engine = make()
try:
    {MISSING[missing]}
except ImportError as error:
    print(error)
"""
    result = run_python(script, tiny)
    assert (result.stderr, result.returncode) == ("", 0)
    assert f"pip install {missing.split()[0]}" in result.stdout


def test_without_openai_any_library_will_do(tiny, run_python):
    script = f"""{SETUP}
sys.modules |= dict.fromkeys(["openai", "httpx2"])
with zerohop.http_client(make()) as client:
    print(type(client).__module__, client.get(zerohop.BASE_URL + "/models").status_code)
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("httpx 200\n", "", 0)


CLIENT = "zerohop.OpenAI(engine).chat.completions.create(model='tiny-llama', messages=USER"

INTERRUPTIBLE = {
    "reply": "engine.chat.completions.create(messages=USER)",
    "stream": "list(engine.chat.completions.create(messages=USER, stream=True))",
    "waiting": "list(engine.chat.completions.create(messages=USER, stream=True))",
    "sdk reply": f"{CLIENT})",
    "sdk stream": f"list({CLIENT}, stream=True))",
    "async reply": "asyncio.run(ask())",
    "async stream": "asyncio.run(ask(stream=True))",
    "asyncio reply": "asyncio.run(ask_engine())",
    "asyncio stream": "asyncio.run(ask_engine(stream=True))",
    "uvloop stream": "run_uvloop(ask_engine, stream=True)",
    "trio reply": "run_trio(ask_engine)",
    "trio stream": "run_trio(ask_engine, stream=True)",
}


@pytest.mark.parametrize("wait", INTERRUPTIBLE)
def test_ctrl_c_stops_a_generation(tiny, wait):
    # House rule 20
    script = f"""{SETUP}
{ASK}
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = make()
if {wait == "waiting"}:
    holder = engine.chat.completions.create(messages=USER, stream=True)
    next(holder)
def tell():
    begun = "queue_length" if {wait == "waiting"} else "completion_tokens"
    while not engine.metrics()["models"][0][begun]:
        time.sleep(0.01)
    print("ready", flush=True)
threading.Thread(target=tell).start()
try:
    {INTERRUPTIBLE[wait]}
except KeyboardInterrupt:
    print("interrupted", flush=True)
holder = None
reply = engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20)
print(reply.usage.completion_tokens, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tiny)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            # It is computed, or waits; its caller has had the time to wait too.
            time.sleep(0.2)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            # The answer would take minutes.
            assert time.monotonic() - sent < 30
            assert process.stdout.readline() == "1\n"
            assert process.wait(timeout=30) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_ctrl_c_stops_loading(qwen, run_python):
    # The signal comes from a thread, so that it cannot come too late.
    script = f"""{SETUP}
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt(fraction):
    if fraction > 0:
        signal.raise_signal(signal.SIGINT)
try:
    zerohop.Engine(sys.argv[1], mmap=False, progress=interrupt)
except KeyboardInterrupt:
    print("interrupted")
"""
    result = run_python(script, qwen)
    assert (result.stdout, result.stderr, result.returncode) == ("interrupted\n", "", 0)


def test_ctrl_c_stops_loading_in_an_event_loop(tiny, run_python):
    script = f"""{SETUP}
import asyncio
signal.signal(signal.SIGINT, signal.default_int_handler)
seen = []
def progress(fraction):
    seen.append(fraction)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
async def main():
    await zerohop.AsyncEngine(sys.argv[1], threads=1, progress=progress)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
time.sleep(0.3)
assert seen[-1] < 1, seen
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("interrupted\n", "", 0)


def test_other_signal_handlers_run_meanwhile(tiny, run_python):
    script = f"""{SETUP}
handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(time.monotonic()))
engine = make()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
try:
    engine.chat.completions.create(messages=USER, timeout=3)
except zerohop.APITimeoutError:
    ended = time.monotonic()
assert len(handled) == 1 and handled[0] < ended - 0.5, (handled, ended)
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_a_fork_cannot_use_its_parents_engine(tiny, run_python):
    # Python 3.12 warns of forks where there are threads: rightly, as this shows.
    script = f"""{SETUP}
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
engine = make()
stream = engine.chat.completions.create(messages=USER, stream=True)
next(stream)
child = os.fork()
if child == 0:
    for call in [
        lambda: engine.chat.completions.create(messages=USER),
        lambda: next(stream),
        lambda: engine._submit("GET", "/v1/models", [], b""),
        engine.models.list,
        engine.__enter__,
        lambda: engine.model_info,
    ]:
        try:
            call()
        except zerohop.ForkError as error:
            assert isinstance(error, RuntimeError) and "fork" in str(error)
        else:
            raise AssertionError("the parent's engine was used")
    assert engine.closed
    # None of these may wait for the threads that are not here.
    stream.close()
    engine.close()
    del stream, engine
    # An engine of its own works, and the exit handlers run.
    with make() as own:
        assert own.chat.completions.create(messages=USER, max_tokens=2, timeout=20).choices
    sys.exit(7)
deadline = time.monotonic() + 40
while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
    if time.monotonic() > deadline:
        os.kill(child, signal.SIGKILL)
    time.sleep(0.01)
assert os.waitstatus_to_exitcode(status[1]) == 7, status
next(stream)
stream.close()
assert engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20).choices
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


ASYNC_CALLS = """
import asyncio
shared = zerohop.AsyncEngine(engine)
async def stream():
    return await shared.chat.completions.create(messages=USER, stream=True)
"""


def test_a_fork_cannot_use_its_parents_engine_in_an_event_loop(tiny, run_python):
    script = f"""{SETUP}
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
engine = make()
{ASYNC_CALLS}
running = asyncio.run(stream())
client = zerohop.AsyncOpenAI(engine, max_retries=0)
if (child := os.fork()) == 0:
    async def listed():
        return await shared.models.list()
    async def sdk():
        return await client.models.list()
    async def described():
        return shared.model_info
    for call in [stream, running.__anext__, listed, described, shared.load]:
        try:
            asyncio.run(asyncio.wait_for(call(), 20))
        except zerohop.ForkError:
            pass
        else:
            raise AssertionError(call)
    import openai
    try:
        asyncio.run(asyncio.wait_for(sdk(), 20))
    except openai.APIConnectionError as error:
        assert isinstance(error.__cause__.__cause__, zerohop.ForkError)
    else:
        raise AssertionError
    asyncio.run(running.close())
    async def own():
        async with zerohop.AsyncEngine(sys.argv[1], threads=1) as engine:
            return await engine.chat.completions.create(messages=USER, max_tokens=2, timeout=20)
    assert asyncio.run(own()).choices
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert asyncio.run(stream())
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_forks_amid_all_kinds_of_work(tiny, run_python):
    # Whatever another thread is about to do: loading, streaming, closing, logging.
    script = f"""{SETUP}
import asyncio, logging, warnings
warnings.simplefilter("ignore", DeprecationWarning)
logging.basicConfig(level=logging.DEBUG, handlers=[logging.NullHandler()])
engine = zerohop.Engine(sys.argv[1], context_length={ENDLESS}, threads=2)
stop = threading.Event()
def load():
    while not stop.is_set():
        zerohop.Engine(sys.argv[1], threads=1).close()
def stream():
    while not stop.is_set():
        list(engine.chat.completions.create(messages=USER, stream=True, max_tokens=20))
def tasks():
    async def main():
        async with zerohop.AsyncEngine(sys.argv[1], threads=1) as engine:
            while not stop.is_set():
                await engine.chat.completions.create(messages=USER, max_tokens=5)
    asyncio.run(main())
workers = [threading.Thread(target=work) for work in [load, stream, tasks]]
for worker in workers:
    worker.start()
for _ in range(10):
    time.sleep(0.05)
    if (child := os.fork()) == 0:
        with zerohop.Engine(sys.argv[1], threads=2) as own:
            own.chat.completions.create(messages=USER, max_tokens=2, timeout=20)
        try:
            engine.models.list()
        except zerohop.ForkError:
            pass
        engine.close()
        os._exit(7)
    deadline = time.monotonic() + 30
    while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(status[1]) == 7, status
stop.set()
for worker in workers:
    worker.join()
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


WORKERS = f"""
import multiprocessing, sys, warnings
import zerohop
USER = [{{"role": "user", "content": "Hello"}}]
warnings.simplefilter("ignore", DeprecationWarning)
engine = None
def load(path):
    global engine
    engine = zerohop.Engine(path, context_length={ENDLESS}, threads=1)
def ask(count):
    reply = engine.chat.completions.create(messages=USER, max_tokens=count, timeout=30)
    return reply.usage.completion_tokens, reply
def misuse(_):
    try:
        inherited.chat.completions.create(messages=USER)
    except zerohop.ForkError as error:
        return error
if __name__ == "__main__":
    path, method = sys.argv[1:]
    inherited = zerohop.Engine(path, threads=1)
    inherited.chat.completions.create(messages=USER, max_tokens=1)
    context = multiprocessing.get_context(method)
    with context.Pool(2, load, (path,)) as pool:
        # Replies and errors come back pickled.
        assert [count for count, _ in pool.map(ask, [1, 2, 3])] == [1, 2, 3]
        if method == "fork":
            assert isinstance(pool.apply(misuse, (0,)), zerohop.ForkError)
    child = context.Process(target=load, args=(path,))
    child.start()
    child.join(40)
    assert child.exitcode == 0, child.exitcode
    assert inherited.chat.completions.create(messages=USER, max_tokens=1).choices
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tiny, tmp_path, method):
    program = tmp_path / "workers.py"
    program.write_text(WORKERS)
    command = [sys.executable, str(program), str(tiny), method]
    result = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_a_server_that_loads_before_it_forks(tiny, run_python):
    # As gunicorn's preload_app: the workers inherit an engine, make their own, serve, and end on a
    # signal while they serve; then the parent ends.
    script = f"""{SETUP}
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
inherited = make()
def serve(pipe):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        inherited.chat.completions.create(messages=USER)
    except zerohop.ForkError as error:
        assert "after the fork" in str(error)
    engine = make()
    stream = engine.chat.completions.create(messages=USER, stream=True)
    next(stream)
    os.write(pipe, b"x")
    for _ in stream:
        pass
workers = []
for _ in range(3):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.close(reading)
        serve(writing)
    os.close(writing)
    workers.append((child, reading))
for child, reading in workers:
    assert os.read(reading, 1) == b"x"
    os.kill(child, signal.SIGTERM)
for child, _ in workers:
    started = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert time.monotonic() - started < 20
assert inherited.chat.completions.create(messages=USER, max_tokens=1, timeout=20).choices
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_nothing_is_written_to_the_hosts_streams(tiny, smollm2, hostile, run_python):
    # House rule 17
    script = f"""{SETUP}
import faulthandler
faulthandler.disable()
for model in sys.argv[1:3]:
    with zerohop.Engine(model, context_length=512) as engine:
        engine.chat.completions.create(messages=USER, max_tokens=2)
        list(engine.chat.completions.create(messages=USER, max_tokens=2, stream=True))
        for bad in [dict(messages=[]), dict(messages=USER, temperature=9), dict(messages=1)]:
            try:
                engine.chat.completions.create(**bad)
            except zerohop.APIError:
                pass
    for template in ["{{{{ 1/0 }}}}", "{{% if %}}", "{{{{ raise_exception('no') }}}}"]:
        try:
            with zerohop.Engine(model, chat_template=template) as engine:
                engine.chat.completions.create(messages=USER, max_tokens=1)
        except zerohop.ZerohopError:
            pass
for bad in [*sys.argv[3:], "/nonexistent.gguf", "/", sys.executable]:
    try:
        zerohop.Engine(bad)
    except zerohop.ZerohopError:
        pass
zerohop.devices()
"""
    result = run_python(script, tiny, smollm2, *hostile)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_too_little_memory_is_no_fault_of_the_options(tiny, run_python):
    script = """
import resource, sys
import zerohop
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
try:
    zerohop.Engine(sys.argv[1], threads=1, context_length=2**30)
except zerohop.InternalServerError as error:
    print(error.status_code, "smaller context_length" in str(error))
with zerohop.Engine(sys.argv[1], threads=1, context_length=256) as engine:
    print(engine.model_info[0].context_length)
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("503 True\n256\n", "", 0)


EXITS = {
    "idle": "engine = make()",
    "stream": "stream = make().chat.completions.create(messages=USER, stream=True); next(stream)",
    "daemon thread": """
engine = make()
def run():
    engine.chat.completions.create(messages=USER)
threading.Thread(target=run, daemon=True).start()
time.sleep(0.3)
""",
    "async": f"""{ASK}
engine = make()
async def main():
    tasks = [asyncio.create_task(ask(**options)) for options in [{{}}, {{"stream": True}}] * 4]
    await asyncio.wait(tasks, timeout=0.5)
asyncio.run(main())
""",
    "event loop in a daemon thread": f"""{ASK}
engine = make()
threading.Thread(target=lambda: asyncio.run(ask(stream=True)), daemon=True).start()
time.sleep(2)
""",
    "event loop that stopped": """
import asyncio
engine = make()
async def ask():
    client = zerohop.AsyncOpenAI(engine)
    create = client.chat.completions.create
    async for chunk in await create(model="tiny-llama", messages=USER, stream=True):
        loop.call_soon(loop.stop)
loop = asyncio.new_event_loop()
task = loop.create_task(ask())
task._log_destroy_pending = False
loop.run_forever()
""",
    "streams in daemon threads": """
engine = make()
def run():
    for chunk in engine.chat.completions.create(messages=USER, stream=True):
        pass
for _ in range(4):
    threading.Thread(target=run, daemon=True).start()
time.sleep(0.3)
""",
    "loading in a daemon thread": """
def progress(fraction):
    time.sleep(0.1)
thread = threading.Thread(
    target=lambda: zerohop.Engine(sys.argv[1], threads=1, progress=progress), daemon=True
)
thread.start()
time.sleep(0.3)
""",
    "loading in an event loop in a daemon thread": """
import asyncio
def progress(fraction):
    time.sleep(0.1)
async def main():
    await zerohop.AsyncEngine(sys.argv[1], threads=1, progress=progress)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
time.sleep(0.5)
""",
    "async engine": f"""{ASK}
engine = make()
async def main():
    tasks = [
        asyncio.create_task(ask_engine(**options)) for options in [{{}}, {{"stream": True}}] * 4
    ]
    await asyncio.wait(tasks, timeout=0.5)
asyncio.run(main())
""",
    "async engine that nobody closes": """
import asyncio
async def main():
    global engine, stream
    engine = await zerohop.AsyncEngine(sys.argv[1], threads=1)
    stream = await engine.chat.completions.create(messages=USER, stream=True)
    await anext(stream)
asyncio.run(main())
""",
    "trio": f"""{ASK}
engine = make()
import trio
async def main():
    with trio.move_on_after(0.5):
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(ask_engine)
trio.run(main)
""",
    "event loop of an engine in a daemon thread": f"""{ASK}
engine = make()
threading.Thread(target=lambda: asyncio.run(ask_engine(stream=True)), daemon=True).start()
time.sleep(0.5)
""",
    "cycle": "engine = make(); loop = [engine.chat]; loop.append(loop); del engine",
    "two": "engines = [make(), make()]; engines[0].close()",
    "exception": "engine = make(); sys.exit(0)",
}


@pytest.mark.parametrize("case", EXITS)
def test_the_process_ends_quietly(tiny, run_python, case):
    # Within the time that a script has: the answers would take minutes.
    result = run_python(f"{SETUP}\n{EXITS[case]}", tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


LIBRARY = """
import importlib.metadata, json, logging, pathlib, shutil, sys
folder = pathlib.Path(sys.argv[1])
package = folder / "zerohop_vulkan"
package.mkdir()
(package / "__init__.py").touch()
lines = []
class Lines(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
if len(sys.argv) > 2:
    info = folder / "zerohop_vulkan-0.dist-info"
    info.mkdir()
    version = sys.argv[2] or importlib.metadata.version("zerohop")
    (info / "METADATA").write_text(f"Name: zerohop-vulkan\\nVersion: {version}\\n")
    # The same library, from another place.
    for path in sys.path:
        for own in pathlib.Path(path).glob("zerohop/_native*.so"):
            shutil.copy(own, package / "_native.abi3.so")
sys.path.append(sys.argv[1])
if len(sys.argv) > 3:
    logging.getLogger("zerohop").addHandler(Lines())
import zerohop, zerohop._native
print(json.dumps([pathlib.Path(zerohop._native.__file__).parent.name, lines]))
"""


def test_a_library_with_gpu_code_is_taken_where_it_fits(run_python, tmp_path):
    def load(name, *arguments):
        (tmp_path / name).mkdir()
        result = run_python(LIBRARY, tmp_path / name, *arguments)
        assert (result.stderr, result.returncode) == ("", 0)
        return json.loads(result.stdout)

    assert load("fits", "") == ["zerohop_vulkan", []]
    assert load("alone") == ["zerohop", []]
    assert load("quiet", "0.0.1") == ["zerohop", []]
    folder, lines = load("told", "0.0.1", "lines")
    assert folder == "zerohop"
    assert ["0.0.1: install the same" in line for line in lines] == [True]
