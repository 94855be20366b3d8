"""LangChain over a model in this process: `python with_langchain.py MODEL.gguf`."""

import sys

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

import zerohop


class City(BaseModel):
    """A city."""

    name: str
    country: str


with zerohop.Engine(sys.argv[1], alias="chat") as engine:
    llm = ChatOpenAI(
        model="chat",
        base_url=zerohop.BASE_URL,
        api_key=SecretStr("unused"),
        http_client=zerohop.http_client(engine),
        http_async_client=zerohop.async_http_client(engine),
        temperature=0,
    )
    for chunk in llm.stream("What is the capital of France? Answer in one sentence."):
        print(chunk.content, end="", flush=True)
    print()

    prompt = ChatPromptTemplate.from_template("Describe {name}.")
    chain = prompt | llm.with_structured_output(City, method="json_schema")
    print(repr(chain.invoke({"name": "Paris"})))
