"""Many requests at once, with openai's SDK: `python fan_out.py MODEL.gguf`.

The engine computes them together, which takes far less time than one after another.
"""

import asyncio
import sys

import zerohop

COUNTRIES = ["France", "Italy", "Spain", "Japan", "Egypt", "Peru", "Canada", "Norway"]


async def main() -> None:
    async with zerohop.AsyncOpenAI(sys.argv[1]) as client:
        models = await client.models.list()

        async def capital(country: str) -> str:
            reply = await client.chat.completions.create(
                model=models.data[0].id,
                messages=[
                    {"role": "system", "content": "Answer in one sentence."},
                    {"role": "user", "content": f"What is the capital of {country}?"},
                ],
                temperature=0,
                max_completion_tokens=32,
            )
            return reply.choices[0].message.content or ""

        for answer in await asyncio.gather(*map(capital, COUNTRIES)):
            print(answer)


asyncio.run(main())
