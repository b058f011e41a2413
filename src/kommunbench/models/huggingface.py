"""Hugging Face models, causal and encoder-decoder: read from disk alone, safetensors alone, no remote code."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Adapter, Completion, Decoding, ModelCard, Moments, Query, Training, TrainSettings
from kommunbench.models.chat import as_chat
from kommunbench.models.folder import model_folder
from kommunbench.models.open import card_digest
from kommunbench.models.options import choice_faults, option_faults
from kommunbench.models.quantize import BITS, LIBRARIES, keep_unpacked, quantization_config

if TYPE_CHECKING:
    from kommunbench.models.lora import Lora

OPTIONS = {"dtype": str, "lora_targets": str, "chat": str, "system": str, "quantize": str, "quantizer": str}
CHAT = ("auto", "on", "off")
DTYPES = ("float32", "bfloat16", "float16")


class HuggingFace:
    """A transformers model with a place for one adapter: LoRA, DoRA, or all its weights.

    Options of the card:
        dtype: `float32` (default), `bfloat16` or `float16`; how the weights are kept and computed with.
        chat: `auto` (default: the model's chat template where it has one), `on` or `off`; `system`: a system message.
        quantize: `no` (default), `8bit` or `4bit`, by the `quantizer` `bitsandbytes` (default) or `torchao`.
        lora_targets: the modules that get LoRA, by the end of their names, comma-separated; default `all-linear`.
    """

    def __init__(self, card: ModelCard, threads: int = 0, device: str = "auto", **_: Any) -> None:
        """Load the model.

        Args:
            card: what it is.
            threads: torch's for this process; 0 leaves it alone.
            device: `auto` (CUDA where it is there), `cpu` or `cuda`: the machine's choice, in no digest.
        """
        import torch

        from kommunbench.models.full import Full
        from kommunbench.models.lora import Lora

        _check_options(card)
        # oneDNN keeps a kernel for every shape of batch it has seen; by default so many that they fill a gigabyte.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
        if threads:
            torch.set_num_threads(threads)
        self.card = card
        self.network, self.tokenizer = _load(card, chosen_device(device))
        lora = Lora(self.network, self.tokenizer, str(card.options.get("lora_targets", "all-linear")))
        self._places = {"lora": lora, "dora": lora, "full": Full(self.network, self.tokenizer)}
        self._place = lora

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and every file."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One greedy completion for each query, in order; the same whatever the batch size."""
        from kommunbench.models.generate import generate, prompt_room

        room = prompt_room(self.network, decoding.max_new_tokens)
        prompts = [self._fitted(query.prompt, room) for query in queries]
        with self._place.folded():
            return generate(self.network, self.tokenizer, prompts, decoding)

    def log_likelihoods(self, questions: Sequence[tuple[str, Sequence[str]]], decoding: Decoding) -> list[list[float]]:
        """For each (prompt, beginnings), the log-probability (nats) that its answer begins with each of them."""
        from kommunbench.models.generate import prompt_room
        from kommunbench.models.likelihood import log_likelihoods

        room = prompt_room(self.network, decoding.max_new_tokens)
        fitted = [(self._fitted(prompt, room), beginnings) for prompt, beginnings in questions]
        with self._place.folded():
            return log_likelihoods(self.network, self.tokenizer, fitted, decoding.max_new_tokens)

    def new_adapter(self, settings: TrainSettings, seed: int) -> Adapter:
        """A fresh adapter that leaves the base model's answers unchanged (LoRA's B is zero)."""
        self._check_trainable()
        return self._chosen(settings).fresh(settings, seed)

    def load_adapter(self, adapter: Adapter | None, settings: TrainSettings) -> None:
        """Answer with `adapter` from now on, or as the base with None. Raises ModelError where it does not fit."""
        self._chosen(settings).load(adapter, settings)

    def train(
        self,
        pairs: Sequence[tuple[str, str]],
        adapter: Adapter,
        settings: TrainSettings,
        seed: int,
        moments: Moments | None = None,
    ) -> Training:
        """Train from `adapter` on (prompt, answer) pairs; the model is left with the new adapter loaded."""
        self._check_trainable()
        fitted = self._fitted_pairs(pairs, settings.max_length)
        return self._chosen(settings).train(fitted, adapter, settings, seed, moments)

    def train_privately(
        self, pairs: Sequence[tuple[str, str]], adapter: Adapter, settings: TrainSettings, noise_multiplier: float
    ) -> Training:
        """Train from `adapter` by DP-SGD, with secret batches and noise; the new adapter is left loaded."""
        self._check_trainable()
        if settings.method != "lora":
            raise ModelError(
                Fault(f"{settings.method} has no gradient by example", "train.method", "train.method=lora")
            )
        fitted = self._fitted_pairs(pairs, settings.max_length)
        return self._chosen(settings).train_privately(fitted, adapter, settings, noise_multiplier)

    def losses(self, pairs: Sequence[tuple[str, str]], max_length: int) -> list[float]:
        """Mean loss of each pair's answer, in nats a token, with the adapter that is loaded, or as the base."""
        from kommunbench.models.losses import answer_losses

        return answer_losses(self.network, self.tokenizer, self._fitted_pairs(pairs, max_length), max_length)

    def save_adapter(self, adapter: Adapter, settings: TrainSettings, folder: Path) -> None:
        """Write `adapter` as a PEFT folder; its base model is named as the card's path."""
        self._chosen(settings).save(adapter, settings, folder, base=self.card.path)

    def _chosen(self, settings: TrainSettings) -> Lora:
        """The place of the settings' method; what another method has loaded is taken out first."""
        chosen = self._places[settings.method]
        if chosen is not self._place:
            self._place.load(None, settings)
            self._place = chosen
        return chosen

    def _fitted(self, prompt: str, room: int) -> str:
        """Within a chat template only the user's words are cut, never the template."""
        fit = getattr(self.tokenizer, "fit", None)
        return fit(prompt, room) if fit else prompt

    def _fitted_pairs(self, pairs: Sequence[tuple[str, str]], max_length: int) -> Sequence[tuple[str, str]]:
        if not hasattr(self.tokenizer, "fit"):
            return pairs
        room = max_length if self.network.config.is_encoder_decoder else max_length - max_length // 2
        return [(self._fitted(prompt, room), answer) for prompt, answer in pairs]

    def save_merged(self, adapter: Adapter, settings: TrainSettings, folder: Path) -> None:
        """Write the whole model with `adapter` in its weights, and its tokenizer; the model is of no use afterwards."""
        self.load_adapter(adapter, settings)
        network = self._chosen(settings).merged()
        network.save_pretrained(folder, safe_serialization=True)
        getattr(self.tokenizer, "tokenizer", self.tokenizer).save_pretrained(folder)

    def _check_trainable(self) -> None:
        if not self.card.trainable:
            raise ModelError(Fault("is not trainable", f"models.{self.card.name}.trainable", "set it in the card"))


def _check_options(card: ModelCard) -> None:
    faults = option_faults(card, OPTIONS)
    for name, choices in (("dtype", DTYPES), ("chat", CHAT), ("quantize", BITS), ("quantizer", LIBRARIES)):
        faults += choice_faults(card, name, choices)
    ModelError.raise_if(faults)


def chosen_device(device: str) -> str:
    """`cpu` or `cuda`. Raises ModelError where CUDA is asked for and not there."""
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ModelError(Fault("no CUDA device is here", "node.yaml: device", "device: auto takes the processor"))
    return "cuda" if there and device != "cpu" else "cpu"


def _load(card: ModelCard, device: str) -> tuple[Any, Any]:
    """The network, frozen and in evaluation mode, and its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    folder, options, where = model_folder(card), card.options, f"models.{card.name}.options"
    dtype = getattr(torch, str(options.get("dtype", DTYPES[0])))
    bits, library = str(options.get("quantize", BITS[0])), str(options.get("quantizer", LIBRARIES[0]))
    few_bits = quantization_config(bits, library, dtype, f"{where}.quantize")
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks for it by its old name
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would quote a prompt that is too long
    local = {"local_files_only": True, "trust_remote_code": False}
    placed = {"quantization_config": few_bits, "device_map": {"": device}} if few_bits else {}
    try:
        config = AutoConfig.from_pretrained(folder, **local)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        network: Any = auto.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True, **placed, **local)
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
    if few_bits:
        keep_unpacked(network)
    else:
        network.to(device)
    return network.eval(), as_chat(tokenizer, str(options.get("chat", CHAT[0])), str(options.get("system", "")), where)


FAMILY = HuggingFace
