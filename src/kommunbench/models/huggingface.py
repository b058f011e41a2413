"""Hugging Face models, causal and encoder-decoder: read from disk alone, safetensors alone, no remote code."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Adapter, Completion, Decoding, ModelCard, Query, Training, TrainSettings
from kommunbench.models.folder import model_folder
from kommunbench.models.open import card_digest

OPTIONS = {"dtype": str, "lora_targets": str}
DTYPES = ("float32", "bfloat16", "float16")


class HuggingFace:
    """A transformers model with a place for one LoRA adapter.

    Options of the card:
        dtype: `float32` (default), `bfloat16` or `float16`; how the weights are kept and computed with.
        lora_targets: the modules that get LoRA, by the end of their names, comma-separated; default `all-linear`.
    """

    def __init__(self, card: ModelCard, threads: int = 0) -> None:
        """Load the model; `threads` is torch's for this process, 0 leaves it alone."""
        import torch

        from kommunbench.models.lora import Lora

        _check_options(card)
        # oneDNN keeps a kernel for every shape of batch it has seen; by default so many that they fill a gigabyte.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
        if threads:
            torch.set_num_threads(threads)
        self.card = card
        self.network, self.tokenizer = _load(card)
        self.lora = Lora(self.network, self.tokenizer, str(card.options.get("lora_targets", "all-linear")))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and every file."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One greedy completion for each query, in order; the same whatever the batch size."""
        from kommunbench.models.generate import generate

        with self.lora.folded():
            return generate(self.network, self.tokenizer, [query.prompt for query in queries], decoding)

    def new_adapter(self, settings: TrainSettings, seed: int) -> Adapter:
        """A fresh adapter that leaves the base model's answers unchanged (LoRA's B is zero)."""
        self._check_trainable()
        return self.lora.fresh(settings, seed)

    def load_adapter(self, adapter: Adapter | None, settings: TrainSettings) -> None:
        """Answer with `adapter` from now on, or as the base with None. Raises ModelError where it does not fit."""
        self.lora.load(adapter, settings)

    def train(self, pairs: Sequence[tuple[str, str]], adapter: Adapter, settings: TrainSettings, seed: int) -> Training:
        """Train from `adapter` on (prompt, answer) pairs; the model is left with the new adapter loaded."""
        self._check_trainable()
        return self.lora.train(pairs, adapter, settings, seed)

    def train_privately(
        self, pairs: Sequence[tuple[str, str]], adapter: Adapter, settings: TrainSettings, noise_multiplier: float
    ) -> Training:
        """Train from `adapter` by DP-SGD, with secret batches and noise; the new adapter is left loaded."""
        self._check_trainable()
        return self.lora.train_privately(pairs, adapter, settings, noise_multiplier)

    def losses(self, pairs: Sequence[tuple[str, str]], max_length: int) -> list[float]:
        """Mean loss of each pair's answer, in nats a token, with the adapter that is loaded, or as the base."""
        from kommunbench.models.losses import answer_losses

        return answer_losses(self.network, self.tokenizer, pairs, max_length)

    def save_adapter(self, adapter: Adapter, settings: TrainSettings, folder: Path) -> None:
        """Write `adapter` as a PEFT folder; its base model is named as the card's path."""
        self.lora.save(adapter, settings, folder, base=self.card.path)

    def _check_trainable(self) -> None:
        if not self.card.trainable:
            raise ModelError(Fault("is not trainable", f"models.{self.card.name}.trainable", "set it in the card"))


def _check_options(card: ModelCard) -> None:
    from kommunbench.core.registry import did_you_mean

    where = f"models.{card.name}.options"
    faults = [
        Fault(f"unknown option {name!r}", where, did_you_mean(name, tuple(OPTIONS)))
        for name in card.options
        if name not in OPTIONS
    ]
    faults += [
        Fault(f"{name} is text", where)
        for name, kind in OPTIONS.items()
        if not isinstance(card.options.get(name, kind()), kind)
    ]
    if (dtype := card.options.get("dtype", "float32")) not in DTYPES:
        faults.append(Fault(f"dtype is {dtype!r}", where, did_you_mean(str(dtype), DTYPES)))
    ModelError.raise_if(faults)


def _load(card: ModelCard) -> tuple[Any, Any]:
    """The network, frozen and in evaluation mode, and its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    folder = model_folder(card)
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks for it by its old name
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would quote a prompt that is too long
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **local)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        dtype = getattr(torch, str(card.options.get("dtype", "float32")))
        network = auto.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True, **local)
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            Fault(
                f"cannot be opened: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                f"models.{card.name}.path",
                "it takes config.json, safetensors and a tokenizer of an architecture that transformers has",
            )
        ) from error
    network.requires_grad_(False)
    return network.eval(), tokenizer


FAMILY = HuggingFace
