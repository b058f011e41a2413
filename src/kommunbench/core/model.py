"""What the benchmark asks of a model, whatever its family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.encoding import Encoding
from kommunbench.core.task import Bilingual

Adapter = Mapping[str, npt.NDArray[np.float32]]
"""Trainable weights by parameter name, float32, all that federated learning sends."""
Moments = Mapping[str, npt.NDArray[np.float32]]
"""What an optimiser remembers of the steps so far, by name; it stays at the site."""


class ModelCard(BaseModel):
    """A model as conf/models/<name>.yaml states it; a site reads its own copy.

    `family` names a module in models/. `path` is `builtin:<name>` for one shipped in the package, or a local folder, or
    a hub name that is already in the site's cache; baselines have none. `about` is a line for readers of a report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    family: str
    path: str = ""
    revision: str = ""
    trainable: bool = False
    tasks: tuple[str, ...] = Field((), description="tasks that it can do; empty: all")
    about: Bilingual | None = None
    options: dict[str, int | float | str | bool] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """One prompt and the row's inputs, for baselines that read the inputs themselves. References are never in it."""

    prompt: str
    inputs: Mapping[str, str]
    task: str

    def __repr__(self) -> str:
        return f"Query(task={self.task})"


class Decoding(BaseModel):
    """How an answer is made: greedy, up to `max_new_tokens`, cut before the first of `stop`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    max_new_tokens: int = Field(ge=1, le=4096)
    stop: tuple[str, ...] = ()
    batch_size: int = Field(32, ge=1)


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer's text (white space stripped) and what it cost."""

    text: str
    prompt_tokens: int = 0
    new_tokens: int = 0

    def __repr__(self) -> str:
        return f"Completion(new_tokens={self.new_tokens})"


class TrainSettings(BaseModel):
    """How a site trains an adapter in one round. Bounds are the most that any policy may allow."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Literal["lora", "dora", "full"] = Field(
        "lora", description="what is trained: LoRA, LoRA with magnitudes apart (DoRA), or every weight"
    )
    rank: int = Field(8, ge=1, le=256, description="LoRA rank")
    alpha: float = Field(16, gt=0, description="LoRA alpha; the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    learning_rate: float = Field(3e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0)
    epochs: float = Field(1.0, gt=0, description="passes over the site's train split in one round")
    max_steps: int = Field(0, ge=0, description="stop a round after so many steps; 0: no limit")
    batch_size: int = Field(16, ge=1)
    max_length: int = Field(
        512, ge=8, description="tokens of prompt and answer together; longer rows are cut at the prompt's start"
    )
    warmup_share: float = Field(0.05, ge=0, le=1)
    last_share: float = Field(
        0.2, ge=0, le=1, description="share of the learning rate left at the last step of the last round"
    )
    clip_norm: float = Field(1.0, gt=0)
    proximal_mu: float = Field(0.0, ge=0, description="FedProx's pull toward the round's start")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    encoding: Encoding = Field("float32", description="how trained weights cross the network; see core/encoding.py")
    optimiser: Literal["fresh", "kept"] = Field("fresh", description="AdamW's moments at the beginning of a round")
    checkpointing: Literal["auto", "on", "off"] = Field(
        "auto", description="keep few activations and work them out again: a third more time, far less memory"
    )

    def steps(self, examples: int) -> int:
        """Batches in one round over so many examples."""
        steps = max(1, round(self.epochs * examples / self.batch_size))
        return min(steps, self.max_steps or steps)

    def sample_rate(self, examples: int) -> float:
        """An example's chance to be in a batch that is drawn by Poisson sampling, 0..1."""
        return min(1.0, self.batch_size / examples)

    def in_round(self, number: int, rounds: int) -> TrainSettings:
        """The settings of round `number` (from 0) of `rounds`: the learning rate falls in one line over all of them.

        So a federation cools down as one long training does, instead of starting hot again in every round.
        """
        begin, end = (1 - (1 - self.last_share) * at / max(rounds, 1) for at in (number, number + 1))
        if not begin:
            return self
        return self.model_copy(update={"learning_rate": self.learning_rate * begin, "last_share": end / begin})


class StrategySettings(BaseModel):
    """How adapters are aggregated; conf/strategy/<name>.yaml. `options` are the Flower strategy's own arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: Literal["none", "fedavg", "fedprox", "fedavgm", "fedadam", "fedyogi", "median", "trimmed_mean", "krum"]
    proximal_mu: float = Field(0.0, ge=0, description="FedProx: each site's pull toward the round's start")
    options: dict[str, float | int] = Field(default_factory=dict)


class UpdateBounds(BaseModel):
    """What the coordinator holds each site's adapter update against: those of the other sites in the same round."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    max_ratio: float = Field(
        10, ge=0, description="longest update, as a multiple of the round's median length; 0: any. Needs three sites"
    )
    min_cosine: float = Field(
        -1, ge=-1, le=1, description="refuse an update at a wider angle than this to the others'; -1: name it, use it"
    )


@dataclass(frozen=True, slots=True)
class Training:
    """What one round of training at a site gave: the new weights and what they cost."""

    adapter: Adapter
    examples: int
    steps: int
    tokens: int
    seconds: float
    moments: Moments | None = None


@runtime_checkable
class Model(Protocol):
    """Anything that answers prompts."""

    card: ModelCard

    @property
    def digest(self) -> str:
        """SHA-256 over the family, its settings and every weight and tokenizer file."""

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One completion for each query, in order; the same whatever the batch size."""


@runtime_checkable
class Likely(Model, Protocol):
    """A model that says how likely it finds an answer."""

    def log_likelihoods(self, questions: Sequence[tuple[str, Sequence[str]]], decoding: Decoding) -> list[list[float]]:
        """For each (prompt, beginnings), the log-probability (nats) that its answer begins with each of them."""


@runtime_checkable
class Tagger(Protocol):
    """What says which part of speech each word of a sentence is."""

    def tags(self, sentence: Sequence[str]) -> list[str]:
        """A tag for each word or punctuation mark: SUC's (`NN`, `VB|PRS|AKT`) or Universal Dependencies' (`NOUN`)."""


@runtime_checkable
class Encoder(Protocol):
    """What says how like each other texts are."""

    def similarities(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[float, float, float]]:
        """Precision, recall and F1 of each answer against its references, -1..1, each the best over them."""


@runtime_checkable
class Trainable(Model, Protocol):
    """A model whose adapter can be trained."""

    def new_adapter(self, settings: TrainSettings, seed: int) -> Adapter:
        """A fresh adapter that leaves the base model's answers unchanged."""

    def load_adapter(self, adapter: Adapter | None, settings: TrainSettings) -> None:
        """Answer with `adapter` from now on, or as the base model with None."""

    def train(
        self,
        pairs: Sequence[tuple[str, str]],
        adapter: Adapter,
        settings: TrainSettings,
        seed: int,
        moments: Moments | None = None,
    ) -> Training:
        """Train from `adapter` on (prompt, answer) pairs; the model itself is left with the new adapter loaded.

        `moments` are the optimiser's from the round before; those of this one are given where the settings keep them.
        """

    def losses(self, pairs: Sequence[tuple[str, str]], max_length: int) -> list[float]:
        """Mean loss of each pair's answer, in nats a token, as the model answers now; rows cut as in training."""

    def save_adapter(self, adapter: Adapter, settings: TrainSettings, folder: Path) -> None:
        """Write `adapter` as a PEFT folder that `peft.PeftModel.from_pretrained` opens (safetensors)."""


@runtime_checkable
class PrivatelyTrainable(Trainable, Protocol):
    """A model whose adapter can be trained so that no example of the training set shows."""

    def train_privately(
        self, pairs: Sequence[tuple[str, str]], adapter: Adapter, settings: TrainSettings, noise_multiplier: float
    ) -> Training:
        """As `train`, by DP-SGD. There is no seed: batches and noise are secret and never the same again."""


class Family(Protocol):
    """A module in models/ registers one: how to open a card of its family."""

    def __call__(self, card: ModelCard, **machine: Any) -> Model:
        """Open the model. Raises ModelError where it cannot be found or is not safe to load."""
