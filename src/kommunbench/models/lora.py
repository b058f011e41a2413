"""LoRA adapters by PEFT: make, swap, train and save them while the base model stays in memory, unchanged.

LoRA: Hu et al. 2021 (W + alpha/rank * B A). DoRA: Liu et al. 2024, the rows' lengths trained apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Adapter, Moments, Training, TrainSettings
from kommunbench.models.batches import Encoded, encode_pairs, in_buckets, in_parts
from kommunbench.models.optimise import (
    answer_loss,
    make_optimiser,
    pull_back,
    read_moments,
    trained_weights,
    write_moments,
)
from kommunbench.models.room import checkpointing

Learned = tuple[int, Moments | None]
"""Tokens seen, and what the optimiser remembers where that is kept."""

FOLD_LIMIT = 50_000_000
"""Parameters up to which an adapter is folded into the base while it answers: calls cost more than a copy then."""
PART_TOKENS = 2048
"""Tokens that go through the model at once; a larger batch goes through in parts, with the same gradient."""


class Lora:
    """The place for one adapter in a base model. PEFT wraps the base's layers once; swapping copies numbers in place.

    Args:
        base: a transformers model, frozen.
        tokenizer: its tokenizer.
        targets: `all-linear`, or module names (the end of them) separated by commas.
    """

    def __init__(self, base: Any, tokenizer: Any, targets: str = "all-linear") -> None:
        self.base = base
        self.tokenizer = tokenizer
        self.targets: str | list[str] = (
            targets if targets == "all-linear" else [name.strip() for name in targets.split(",")]
        )
        self._wrapped: Any = None
        self._shape: tuple[object, ...] = ()
        self._loaded: Adapter | None = None

    def fresh(self, settings: TrainSettings, seed: int) -> Adapter:
        """A new adapter: A drawn by `seed`, B zero, DoRA's lengths the base's own. What is loaded stays loaded."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        self._wrap(settings)
        with _seeded(seed):
            for module in self._wrapped.modules():
                if isinstance(module, BaseTunerLayer):
                    module.reset_lora_parameters(  # type: ignore[attr-defined]
                        "default", init_lora_weights=True
                    )
                    _reset_lengths(module)
        adapter = self._read()
        self.load(self._loaded, settings)
        return adapter

    def load(self, adapter: Adapter | None, settings: TrainSettings) -> None:
        """Copy `adapter` into place and switch it on, or switch it off with None.

        Raises:
            ModelError: its names or shapes are not those of this model and rank.
        """
        if adapter is None:
            if self._wrapped is not None:
                self._wrapped.base_model.disable_adapter_layers()
        else:
            self._wrap(settings)
            slots = self._slots()
            if {name: tuple(slot.shape) for name, slot in slots.items()} != {
                name: array.shape for name, array in adapter.items()
            }:
                raise ModelError(Fault("the adapter's names or shapes do not fit the model and the LoRA rank"))
            with torch.no_grad():
                for name, slot in slots.items():
                    slot.copy_(torch.from_numpy(np.ascontiguousarray(adapter[name])))
            self._wrapped.base_model.enable_adapter_layers()
        self._loaded = adapter

    @contextmanager
    def folded(self) -> Iterator[None]:
        """Inside, a small model answers with its adapter added into the weights; afterwards they are what they were."""
        layers: list[Any] = []
        few_bits = getattr(self.base, "is_quantized", False)
        if self._loaded is not None and not few_bits and self.base.num_parameters() <= FOLD_LIMIT:
            from peft.tuners.lora import LoraLayer

            layers = [layer for layer in self.base.modules() if isinstance(layer, LoraLayer)]
        kept = [layer.get_base_layer().weight.detach().clone() for layer in layers]
        for layer in layers:
            layer.merge()
        try:
            yield
        finally:
            for layer, weight in zip(layers, kept, strict=True):
                layer.get_base_layer().weight.data.copy_(weight)
                layer.merged_adapters.clear()

    def train(
        self,
        pairs: Sequence[tuple[str, str]],
        adapter: Adapter,
        settings: TrainSettings,
        seed: int,
        moments: Moments | None = None,
    ) -> Training:
        """Train from `adapter` on (prompt, answer) pairs, the loss on the answer's tokens alone.

        Batches of rows of about one length, AdamW from `moments` where there are any, linear warm-up then linear decay
        to `last_share`, gradients clipped by norm. The same pairs, moments, seed, thread count and machine give the
        same weights.

        Raises:
            ModelError: there are no pairs, the loss is no longer finite, or the moments are of another adapter.
        """

        def learn() -> Learned:
            rows = encode_pairs(self.base, self.tokenizer, pairs, settings.max_length)
            with _seeded(seed), checkpointing(self.base, settings.checkpointing, PART_TOKENS):
                return self._steps(rows, settings, seed, moments)

        return self._trained(pairs, adapter, settings, learn)

    def train_privately(
        self, pairs: Sequence[tuple[str, str]], adapter: Adapter, settings: TrainSettings, noise_multiplier: float
    ) -> Training:
        """Train from `adapter` by DP-SGD, each example's gradient clipped to the settings' `clip_norm`; see private.py.

        Raises:
            ModelError: there are no pairs.
        """
        from kommunbench.models.private import private_steps

        def learn() -> Learned:
            return private_steps(self.base, self.tokenizer, pairs, settings, noise_multiplier), None

        return self._trained(pairs, adapter, settings, learn)

    def _trained(
        self,
        pairs: Sequence[tuple[str, str]],
        adapter: Adapter,
        settings: TrainSettings,
        learn: Callable[[], Learned],
    ) -> Training:
        """Load `adapter`, let `learn` change it and count the tokens it saw, and leave the result loaded."""
        if not pairs:
            raise ModelError(Fault("there is nothing to train on"))
        started = time.perf_counter()
        self.load(adapter, settings)
        self.base.train()
        try:
            seen, moments = learn()
        finally:
            self.base.eval()
        self._loaded = self._read()
        return Training(
            adapter=self._loaded,
            examples=len(pairs),
            steps=settings.steps(len(pairs)),
            tokens=seen,
            seconds=time.perf_counter() - started,
            moments=moments,
        )

    def save(self, adapter: Adapter, settings: TrainSettings, folder: Path, base: str) -> None:
        """Write `adapter_model.safetensors` and `adapter_config.json`, which `PeftModel.from_pretrained` reads."""
        from safetensors.numpy import save_file

        self._wrap(settings)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: np.ascontiguousarray(array) for name, array in adapter.items()}, folder / "adapter_model.safetensors"
        )
        config = self._wrapped.peft_config["default"]
        named = config.base_model_name_or_path
        config.base_model_name_or_path, config.inference_mode = base, True
        config.save_pretrained(str(folder))
        config.base_model_name_or_path, config.inference_mode = named, False

    def merged(self) -> Any:
        """The base with what is loaded in its weights and without PEFT's layers; there is no way back."""
        return self._wrapped.merge_and_unload()

    def _wrap(self, settings: TrainSettings) -> None:
        """Give the base LoRA layers of the settings' shape, switched off; nothing where it has them already."""
        shape = (settings.method, settings.rank, settings.alpha, settings.dropout)
        if self._shape == shape:
            return
        from peft import LoraConfig, TaskType, get_peft_model

        if self._wrapped is not None:
            self._wrapped.unload()
        kind = TaskType.SEQ_2_SEQ_LM if self.base.config.is_encoder_decoder else TaskType.CAUSAL_LM
        config = LoraConfig(
            task_type=kind,
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]
            lora_dropout=settings.dropout,
            use_dora=settings.method == "dora",
            target_modules=self.targets,
        )
        try:
            with _seeded(0):
                self._wrapped = get_peft_model(self.base, config)
        except ValueError:
            raise ModelError(
                Fault(f"no modules are named {self.targets}", "options.lora_targets", "`all-linear` fits any model")
            ) from None
        self._wrapped.base_model.disable_adapter_layers()
        self._shape, self._loaded = shape, None

    def _slots(self) -> dict[str, torch.Tensor]:
        """The adapter's tensors in the model, by the names that PEFT saves, sorted."""
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(self._wrapped, save_embedding_layers=False)
        return {name: state[name] for name in sorted(state)}

    def _read(self) -> Adapter:
        return {name: slot.detach().float().cpu().numpy().copy() for name, slot in self._slots().items()}

    def _steps(self, rows: list[Encoded], settings: TrainSettings, seed: int, moments: Moments | None) -> Learned:
        """Run the optimiser for a round."""
        weights, steps = trained_weights(self.base), settings.steps(len(rows))
        start = [weight.detach().clone() for weight in weights]
        optimiser, schedule = make_optimiser(self.base, settings, steps)
        if moments is not None:
            write_moments(optimiser, moments)
        half = settings.precision == "bfloat16"
        seen = 0
        for _, batch in zip(range(steps), in_buckets(rows, settings.batch_size, seed), strict=False):
            answers = sum(len(row.answer) for row in batch)
            for part in in_parts(batch, PART_TOKENS):
                with torch.autocast(self.base.device.type, torch.bfloat16, enabled=half):
                    loss = answer_loss(self.base, self.tokenizer, part)
                (loss * (sum(len(row.answer) for row in part) / answers)).backward()  # type: ignore[no-untyped-call]
            pull_back(weights, start, settings.proximal_mu)
            torch.nn.utils.clip_grad_norm_(weights, settings.clip_norm)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            seen += sum(len(row.prompt) + len(row.answer) for row in batch)
        if not torch.isfinite(loss):
            raise ModelError(Fault("the training loss is not finite", "train.learning_rate", "try a lower one"))
        return seen, read_moments(optimiser) if settings.optimiser == "kept" else None


def _reset_lengths(module: Any) -> None:
    """DoRA's lengths as they are before training: those of the base's own rows."""
    lengths = getattr(module, "lora_magnitude_vector", None)
    if lengths:
        lengths["default"].update_layer(
            base_layer=module.get_base_layer(),
            lora_A=module.lora_A["default"].weight,
            lora_B=module.lora_B["default"].weight,
            scaling=module.scaling["default"],
        )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's generator at `seed` inside, as it was before afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
