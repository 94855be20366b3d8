"""What the engine logs, through Python's `logging`."""

SETUP = """
import asyncio, io, logging, sys
import zerohop
USER = [{"role": "user", "content": "Hello"}]
records = []
class Keep(logging.Handler):
    def emit(self, record):
        records.append(record)
def make():
    return zerohop.Engine(sys.argv[1], threads=1, context_length=512)
def names():
    found = {record.name for record in records}
    records.clear()
    return sorted(found)
"""


def check(run_python, script, *arguments):
    result = run_python(SETUP + script, *arguments)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_loading_is_logged(tiny, run_python):
    # House rule 17
    script = """
logging.basicConfig(level=logging.DEBUG, handlers=[Keep()])
with make() as engine:
    assert any("llama" in record.getMessage() for record in records)
    assert all(record.levelno >= logging.DEBUG for record in records)
    assert {logging.getLevelName(record.levelno) for record in records} & {"DEBUG", "INFO"}
    # Where the host called.
    assert {record.funcName for record in records} == {"make"}
    assert names() == ["zerohop.llama"]
"""
    check(run_python, script, tiny)


def test_levels_hold(tiny, run_python):
    script = """
logging.getLogger().addHandler(Keep())
logger = logging.getLogger("zerohop")
make().close()
assert not [record for record in records if record.levelno < logging.WARNING]
records.clear()
# A change counts from the next call.
logger.setLevel(logging.DEBUG)
make().close()
assert names() == ["zerohop.llama"]
logging.getLogger("zerohop.llama").setLevel(logging.CRITICAL)
make().close()
assert names() == []
logger.setLevel(logging.CRITICAL)
logging.getLogger("zerohop.llama").setLevel(logging.DEBUG)
make().close()
assert names() == ["zerohop.llama"]
logging.disable(logging.CRITICAL)
make().close()
assert names() == []
"""
    check(run_python, script, tiny)


def test_loading_in_an_event_loop_is_logged(tiny, run_python):
    script = """
logging.basicConfig(level=logging.DEBUG, handlers=[Keep()])
async def main():
    async with zerohop.AsyncEngine(sys.argv[1], threads=1, context_length=512) as engine:
        assert "zerohop.llama" in names()
        await engine.chat.completions.create(messages=USER, max_tokens=1)
asyncio.run(main())
"""
    check(run_python, script, tiny)


def test_nothing_is_printed_where_nobody_listens(tiny, hostile, run_python):
    # Python itself prints warnings of loggers that have no handler.
    script = """
for bad in sys.argv[2:]:
    try:
        zerohop.Engine(bad)
    except zerohop.ZerohopError:
        pass
make().close()
assert logging.getLogger("zerohop").handlers
"""
    check(run_python, script, tiny, *hostile)


def test_a_handlers_exception_is_the_callers(tiny, run_python):
    script = """
class Interrupted(logging.Filter):
    def filter(self, record):
        raise KeyboardInterrupt
logging.basicConfig(level=logging.DEBUG, handlers=[Keep()])
logging.getLogger("zerohop.llama").addFilter(Interrupted())
try:
    make()
except KeyboardInterrupt:
    pass
else:
    raise AssertionError
logging.disable()
with make() as engine:
    assert engine.chat.completions.create(messages=USER, max_tokens=1).choices
"""
    check(run_python, script, tiny)


def test_forks_log(tiny, run_python):
    script = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
logging.basicConfig(level=logging.DEBUG, handlers=[Keep()])
engine = make()
names()
if (child := os.fork()) == 0:
    make().close()
    assert names() == ["zerohop.llama"]
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    check(run_python, script, tiny)
