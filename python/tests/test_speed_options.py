"""What makes answers come sooner: a draft model, and a prefix cache that outlives the process."""

import subprocess
import sys

import pytest
from support import model

import zerohop

LONG = " ".join(f"w{number * 7 % 100}" for number in range(200))
TINY = "tiny/tiny-llama.gguf"

ASK = """
import sys, zerohop
engine = zerohop.Engine(sys.argv[1], threads=1, prefix_cache_folder=sys.argv[2], **{options})
reply = engine.chat.completions.create(
    messages=[{{"role": "user", "content": sys.argv[3]}}], temperature=0, max_tokens=4
)
print(reply.usage.prompt_tokens_details.cached_tokens)
{end}
"""


def ask(engine: zerohop.Engine) -> str:
    messages = [{"role": "user", "content": LONG}]
    reply = engine.chat.completions.create(messages=messages, temperature=0, max_tokens=24)
    return reply.choices[0].message.content


def test_a_draft_model_changes_no_answer():
    with zerohop.Engine(model(TINY), threads=1, repack="on") as plain:
        expected = ask(plain)
        assert plain.model_info[0].draft_model is None
    draft = model("tiny/tiny-q8.gguf")
    with zerohop.Engine(model(TINY), threads=1, repack="on", draft_model=draft) as drafted:
        assert ask(drafted) == expected
        assert drafted.model_info[0].draft_model == str(draft)


def test_a_draft_model_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="recurrent state"):
        zerohop.Engine(model(TINY), draft_model=model("tiny/tiny-mamba.gguf"))


@pytest.mark.parametrize("options", [{}, {"isolation": "process"}])
@pytest.mark.parametrize("end", ["engine.close()", "del engine", ""])
def test_the_next_process_has_what_this_one_computed(tmp_path, options, end):
    program = ASK.format(options=options, end=end)
    arguments = [sys.executable, "-c", program, str(model(TINY)), str(tmp_path / "kept"), LONG]
    first, second = (
        int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)
        for _ in range(2)
    )
    assert first == 0
    assert second >= 256
