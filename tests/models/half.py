"""Writes the weights of a quantised model in 16 bits: `half.py MODEL.gguf HALF.gguf`.

With such weights, programs that quantise activations in different ways compute nearly the same, so
that a difference is a fault. With the quantised ones, the first token's log probabilities of
SmolLM2 Q4_1 on a CPU are up to 0.4 from what 32 bits give.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, dequantize

# What the writer says by itself.
OWN_FIELDS = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
MOSTLY_F16 = 1


def widen(source: Path, target: Path) -> None:
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith(OWN_FIELDS):
            continue
        if field.types[0] == GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    writer.add_file_type(MOSTLY_F16)
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type)
        is_exact = tensor.tensor_type == GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, weights.astype(np.float32 if is_exact else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return
    part = target.with_suffix(".part")
    widen(source, part)
    part.replace(target)


if __name__ == "__main__":
    main()
