"""Small random LoRA adapters, and what they make of weights, computed here as a reference."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

EMBEDDINGS = "token_embd.weight"


@dataclass(frozen=True)
class Adapter:
    """For each weight of `out` rows and `in` columns, a matrix of `rank` rows and one of `out`."""

    alpha: float
    rank: int
    pairs: dict[str, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def random(
        cls, shapes: dict[str, tuple[int, int]], *, rank: int, alpha: float, seed: int, dtype: type
    ) -> "Adapter":
        generator = np.random.default_rng(seed)

        def factor(rows: int, columns: int) -> np.ndarray:
            return (generator.standard_normal((rows, columns)) / math.sqrt(columns)).astype(dtype)

        pairs = {
            name: (factor(rank, width), factor(rows, rank))
            for name, (rows, width) in shapes.items()
        }
        return cls(alpha, rank, pairs)

    def write(self, path: Path, architecture: str) -> None:
        out = GGUFWriter(path, architecture)
        out.add_type("adapter")
        out.add_string("adapter.type", "lora")
        out.add_float32("adapter.lora.alpha", self.alpha)
        for name, (a, b) in self.pairs.items():
            if name == EMBEDDINGS:
                # A row of each is looked up, so that llama.cpp wants the pair transposed.
                a, b = np.ascontiguousarray(b), np.ascontiguousarray(a.T)
            out.add_tensor(f"{name}.lora_a", a)
            out.add_tensor(f"{name}.lora_b", b)
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
        out.close()

    def merged(self, name: str, weights: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """The weights as the adapter changes them."""
        if name not in self.pairs:
            return weights
        a, b = (factor.astype(np.float64) for factor in self.pairs[name])
        return (weights + scale * self.alpha / self.rank * (b @ a)).astype(np.float32)
