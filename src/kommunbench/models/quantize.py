"""Weights in 8 or 4 bits, by the library that is there: bitsandbytes (LLM.int8, NF4) or torchao (8-bit integers).

Both are extras. A card says how many bits and, if it matters, by which library: their numbers differ, so the digest has
both. The base stays frozen in few bits; a LoRA beside it is trained as always (QLoRA, Dettmers et al. 2023).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from kommunbench.core.errors import Fault, ModelError

BITS = ("no", "8bit", "4bit")
LIBRARIES = ("bitsandbytes", "torchao")


def quantization_config(bits: str, library: str, dtype: Any, where: str) -> Any:
    """transformers' configuration of it; None for `no`.

    Raises:
        ModelError: the library is not installed, or cannot do it on every machine.
    """
    if bits == "no":
        return None
    if (bits, library) == ("4bit", "torchao"):
        raise ModelError(Fault("torchao's 4 bits do not run on a processor", where, "quantizer: bitsandbytes, or 8bit"))
    if find_spec(library) is None:
        do = f"pip install kommunbench[{library}], or quantize: no"
        raise ModelError(Fault(f"weights in {bits} need {library}, which is not installed", where, do))
    return _bitsandbytes(bits, dtype) if library == "bitsandbytes" else _torchao()


def _bitsandbytes(bits: str, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    stated: dict[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    return BitsAndBytesConfig(load_in_4bit=True, **stated)  # type: ignore[no-untyped-call]


def _torchao() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(quant_type=Int8WeightOnlyConfig())


def keep_unpacked(network: Any) -> None:
    """Stop bitsandbytes from packing 4-bit weights anew for a processor at the first answer.

    Layers that PEFT puts around them afterwards read the packed weights as if they were not: a fresh LoRA, whose B is
    zero, then changes every answer (bitsandbytes 0.50, peft 0.21, a processor with AVX512-BF16).
    """
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
