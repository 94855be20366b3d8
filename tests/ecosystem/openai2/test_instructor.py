"""instructor, over SDK clients."""

import instructor
import pytest
from pydantic import BaseModel

import zerohop

DESCRIBE = {
    "model": "chat",
    "messages": [{"role": "user", "content": "Describe Paris."}],
    "temperature": 0,
    "max_tokens": 64,
}


class City(BaseModel):
    name: str
    country: str


PARIS = {"name": "Paris", "country": "France"}
MODES = [instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA]


@pytest.fixture(scope="module")
def names(program):
    return program("instructor")


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_modes(engine, mode):
    client = instructor.from_openai(zerohop.OpenAI(engine), mode=mode)
    described = client.create(response_model=City, max_retries=0, **DESCRIBE)
    assert isinstance(described, City)
    assert described.model_dump() == PARIS


def test_an_object_grows(names):
    objects = list(names["client"].create_partial(response_model=City, **DESCRIBE))
    assert len(objects) > 3
    assert objects[0].country is None
    assert objects[-1].model_dump() == PARIS


def test_async(names, run_async):
    described = run_async(names["async_client"].create(response_model=City, **DESCRIBE))
    assert described.model_dump() == PARIS
