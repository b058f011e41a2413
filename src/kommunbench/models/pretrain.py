"""Make a small base model from nothing: a tokenizer and a convolution-attention hybrid, trained on a seeded corpus.

The architecture is transformers' LFM2: gated short convolutions give every position its neighbours, so that one
attention layer can find 'what followed this word before' and copy it. Plain attention needs two layers for that (the
induction head of Olsson et al. 2022), and at this size copies worse.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn.functional import cross_entropy

from kommunbench.models.batches import UNSCORED
from kommunbench.models.padding import pad_right
from kommunbench.models.word_drills import word_drills

PAD, END = "<pad>", "<end>"


class Text(Protocol):
    """A document of the corpus: `answer` follows `prompt`; the prompt of prose is empty."""

    @property
    def prompt(self) -> str:
        """What is asked."""

    @property
    def answer(self) -> str:
        """What follows it."""


class PretrainSettings(BaseModel):
    """How big, on how much, how fast. The defaults are those of `nano`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = 1
    vocabulary: int = Field(3072, ge=300, description="size of the byte-level BPE vocabulary")
    drill_share: float = Field(0.3, ge=0, lt=1, description="share of documents that are drills on new words")
    tokenizer_texts: int = Field(30_000, ge=1, description="documents that the tokenizer is trained on")
    width: int = Field(128, ge=8)
    feed_forward: int = Field(384, ge=8)
    layers: str = Field("cacaca", pattern=r"^[ca]*a[ca]*$", description="c a convolution, a an attention, in order")
    heads: int = Field(4, ge=1)
    kernel: int = Field(4, ge=2, description="positions that a convolution sees")
    positions: int = Field(2048, ge=64)
    tokens: int = Field(22_000_000, ge=1, description="tokens to train on, padding left out")
    batch_tokens: int = Field(2_500, ge=64, description="tokens in a batch, padding counted")
    learning_rate: float = Field(4e-3, gt=0)
    matrix_rate: float = Field(0.02, gt=0, description="Muon's learning rate, for the matrices inside the layers")
    weight_decay: float = Field(0.05, ge=0)
    warmup_share: float = Field(0.02, ge=0, le=1)
    prompt_weight: float = Field(0.1, ge=0, le=1, description="loss on a prompt's tokens against an answer's")
    threads: int = Field(0, ge=0, description="0: as torch finds them")
    save_every: float = Field(300, gt=0, description="seconds between checkpoints")


class Progress(NamedTuple):
    """Where the training is; `loss` is a running mean over answers' tokens, in nats."""

    tokens: int
    goal: int
    steps: int
    loss: float
    seconds: float


class _Item(NamedTuple):
    """Token numbers of one document, and how many of them are its prompt."""

    ids: list[int]
    prompt: int


def pretrain(
    corpus: Callable[[], Iterable[Text]],
    folder: Path,
    settings: PretrainSettings,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Train tokenizer and model on `corpus` and write them to `folder`, now and then and at the end.

    Args:
        corpus: gives the same endless sequence of documents each time it is called; the tokenizer sees its start.
        folder: gets config.json, model.safetensors (float16) and the tokenizer; a checkpoint replaces the last one.
        settings: the same settings, thread count and machine give the same weights.
        progress: called every 20 steps.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # see models/huggingface.py
    if settings.threads:
        torch.set_num_threads(settings.threads)
    tokenizer = train_tokenizer(islice(_mixed(corpus(), settings), settings.tokenizer_texts), settings)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        model = new_model(settings, tokenizer)
        state = _train(
            model,
            _batches(_encode(_mixed(corpus(), settings), tokenizer), settings),
            settings,
            progress,
            folder,
            tokenizer,
        )
    _save(model, tokenizer, folder)
    return state


def _mixed(corpus: Iterable[Text], settings: PretrainSettings) -> Iterator[Text]:
    """The corpus with drills on new words strewn in."""
    rng = random.Random(f"mixed/{settings.seed}")  # noqa: S311 (data, not secrets)
    drills = word_drills(settings.seed)
    for text in corpus:
        while rng.random() < settings.drill_share:
            yield next(drills)
        yield text


def train_tokenizer(texts: Iterable[Text], settings: PretrainSettings) -> Any:
    """Byte-level BPE; every digit is its own token, and a text's first word is written as after a space.

    So a name or a number has the same tokens wherever it stands, and copying it is copying tokens.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Strip(left=True, right=False), normalizers.Prepend(" ")]
    )
    words = Regex(r"\d| ?\p{L}+| ?[^\s\p{L}\d]+|\s")
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator((f"{text.prompt}\n{text.answer}" for text in texts), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, pad_token=PAD, eos_token=END, padding_side="left", model_max_length=settings.positions
    )


def new_model(settings: PretrainSettings, tokenizer: Any) -> Any:
    """An untrained model."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    config = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.feed_forward,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=len(settings.layers),
        layer_types=["conv" if kind == "c" else "full_attention" for kind in settings.layers],
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        conv_L_cache=settings.kernel,
        max_position_embeddings=settings.positions,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        initializer_range=0.02 * math.sqrt(512 / settings.width),
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Lfm2ForCausalLM(config)


def _encode(corpus: Iterable[Text], tokenizer: Any, at_once: int = 512) -> Iterator[_Item]:
    texts = iter(corpus)
    while block := list(islice(texts, at_once)):
        prompts = tokenizer([text.prompt for text in block])["input_ids"]
        answers = tokenizer([" " + text.answer for text in block])["input_ids"]
        for prompt, answer in zip(prompts, answers, strict=True):
            yield _Item([*prompt, *answer, tokenizer.eos_token_id], len(prompt))


def _batches(items: Iterator[_Item], settings: PretrainSettings, pool: int = 2048) -> Iterator[list[_Item]]:
    """Batches of about one length, drawn in random order from `pool` documents at a time."""
    draw = torch.Generator().manual_seed(settings.seed)
    while near := list(islice(items, pool)):
        near.sort(key=lambda item: len(item.ids))
        batches: list[list[_Item]] = [[]]
        for item in near:
            if batches[-1] and (len(batches[-1]) + 1) * len(item.ids) > settings.batch_tokens:
                batches.append([])
            batches[-1].append(item)
        for index in torch.randperm(len(batches), generator=draw).tolist():
            yield batches[index]


def _train(
    model: Any,
    batches: Iterator[list[_Item]],
    settings: PretrainSettings,
    progress: Callable[[Progress], None],
    folder: Path,
    tokenizer: Any,
) -> Progress:
    optimisers = _optimisers(model, settings)
    rates = [[group["lr"] for group in optimiser.param_groups] for optimiser in optimisers]
    started = saved = time.perf_counter()
    seen = steps = 0
    mean = math.nan
    model.train()
    while seen < settings.tokens:
        for optimiser, own in zip(optimisers, rates, strict=True):
            for group, rate in zip(optimiser.param_groups, own, strict=True):
                group["lr"] = rate * _share(seen / settings.tokens, settings.warmup_share)
        batch = next(batches)
        loss, answers = _loss(model, batch, settings.prompt_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        seen += sum(len(item.ids) for item in batch)
        steps += 1
        mean = answers if math.isnan(mean) else 0.98 * mean + 0.02 * answers
        now = time.perf_counter()
        if steps % 20 == 0 or seen >= settings.tokens:
            progress(Progress(seen, settings.tokens, steps, mean, now - started))
        if now - saved > settings.save_every:
            _save(model, tokenizer, folder)
            saved = now
    return Progress(seen, settings.tokens, steps, mean, time.perf_counter() - started)


def _optimisers(model: Any, settings: PretrainSettings) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the layers' matrices, AdamW for the rest."""
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and "embed" not in name]
    held = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in held]
    return [
        torch.optim.Muon(matrices, lr=settings.matrix_rate, weight_decay=settings.weight_decay),
        torch.optim.AdamW(rest, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _share(done: float, warmup: float) -> float:
    """The learning rate's share after `done` (0..1) of the tokens: linear warm-up, cosine down to a fiftieth."""
    if done < warmup:
        return max(done / warmup, 0.01)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _loss(model: Any, batch: list[_Item], prompt_weight: float) -> tuple[torch.Tensor, float]:
    """(loss to minimise, mean loss of the answers' tokens). Rows are padded on the right: no mask is needed."""
    ids, mask = pad_right([item.ids for item in batch], 0)
    prompts = torch.tensor([[item.prompt] for item in batch])
    targets = ids[:, 1:].masked_fill(mask[:, 1:] == 0, UNSCORED).flatten()
    answer = (torch.arange(1, ids.shape[1])[None] >= prompts).flatten() & (targets != UNSCORED)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state.flatten(0, 1)
        wanted = (targets != UNSCORED) if prompt_weight else answer
        logits = model.lm_head(hidden[wanted])
    losses = cross_entropy(logits.float(), targets[wanted], reduction="none")
    answer = answer[wanted]
    weights = torch.where(answer, 1.0, prompt_weight)
    return (losses * weights).sum() / weights.sum(), float(losses.detach()[answer].mean())


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the model, weights rounded to float16: half the bytes, and 3 digits are enough."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    weights = {name: weight.half() for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    draft = folder / "model.safetensors.part"
    save_file(weights, draft, metadata={"format": "pt"})
    draft.replace(folder / "model.safetensors")
