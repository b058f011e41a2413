"""Weights in 8 or 4 bits, by the library that is there: bitsandbytes (LLM.int8, NF4) or torchao (weight-only integers).

Both are extras. A card says how many bits and, if it matters, by which library: their numbers differ, so the digest has
both. The base stays frozen in few bits; a LoRA beside it is trained as always (QLoRA, Dettmers et al. 2023).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from kommunbench.core.errors import Fault, ModelError

BITS = ("no", "8bit", "4bit")
LIBRARIES = ("bitsandbytes", "torchao")
GROUP = 32
"""Weights that share a scale in torchao's 4 bits."""


def quantization_config(bits: str, library: str, dtype: Any, where: str) -> Any:
    """transformers' configuration of it; None for `no`.

    Raises:
        ModelError: the library is not installed.
    """
    if bits == "no":
        return None
    if find_spec(library) is None:
        do = f"pip install kommunbench[{library}], or quantize: no"
        raise ModelError(Fault(f"weights in {bits} need {library}, which is not installed", where, do))
    return (_bitsandbytes if library == "bitsandbytes" else _torchao)(bits, dtype)


def _bitsandbytes(bits: str, dtype: Any) -> Any:
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    stated: dict[str, Any] = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    return BitsAndBytesConfig(load_in_4bit=True, **stated)  # type: ignore[no-untyped-call]


def _torchao(bits: str, dtype: Any) -> Any:  # noqa: ARG001
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    chosen = Int8WeightOnlyConfig() if bits == "8bit" else Int4WeightOnlyConfig(group_size=GROUP)
    return TorchAoConfig(quant_type=chosen)
