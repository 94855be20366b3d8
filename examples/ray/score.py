"""Scores a data set with Ray: `python score.py model.gguf`, on one machine or on a cluster.

`pip install zerohop[ray]`.
"""

import sys

import ray

import zerohop.ray

REVIEWS = ["A wonderful film.", "I fell asleep.", "The best pizza in town.", "Never again."]


def main(model: str) -> None:
    processor = zerohop.ray.build_processor(
        model,
        preprocess=lambda row: {
            "messages": [{"role": "user", "content": f"Is this positive? {row['item']}"}],
            "max_completion_tokens": 5,
            "temperature": 0,
        },
        postprocess=lambda row: {
            "review": row["item"],
            "answer": row["response"] and row["response"]["choices"][0]["message"]["content"],
        },
        concurrency=2,
    )
    for row in processor(ray.data.from_items(REVIEWS)).take_all():
        print(f"{row['review']} -> {row['answer']}")


if __name__ == "__main__":
    main(sys.argv[1])
