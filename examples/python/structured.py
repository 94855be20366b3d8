"""An answer as a pydantic model, with openai's SDK: `python structured.py MODEL.gguf`.

The grammar lets the model write nothing but what fits.
"""

import sys

from pydantic import BaseModel

import zerohop


class City(BaseModel):
    name: str
    country: str
    is_capital: bool


with zerohop.OpenAI(sys.argv[1]) as client:
    reply = client.chat.completions.parse(
        model=client.models.list().data[0].id,
        messages=[{"role": "user", "content": "Describe Paris."}],
        response_format=City,
        temperature=0,
    )
    city = reply.choices[0].message.parsed
    print(repr(city))
