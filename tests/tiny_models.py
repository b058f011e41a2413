"""Tiny models of several architectures, made on the spot: random weights, a tokenizer trained on a few lines."""

from __future__ import annotations

from pathlib import Path

from kommunbench.core.model import ModelCard

LINES = [
    "Nämnden i Lövvik beslutade den 3 mars 2026 att laga taket på badhuset för 412 500 kronor.",
    "Biblioteket i Norrhult har öppet på söndagar. Kostnaden blev 96 000 kronor.",
    "1 § Personalen ringer på två gånger och väntar fem minuter.",
    "Sammanfatta texten.\nSammanfattning: Svara på frågan.\n\nFråga: Vad gör jag om kunden inte öppnar?\nSvar:",
]


def _tokenizer(folder: Path) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<pad>", "<end>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        LINES, trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def make(folder: Path, architecture: str, width: int = 32) -> ModelCard:
    """A model of random weights in `folder`, and its card; `width` is a llama's."""
    import torch
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        GPT2Config,
        GPT2LMHeadModel,
        Lfm2Config,
        Lfm2ForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        T5Config,
        T5ForConditionalGeneration,
    )

    size = _tokenizer(folder)
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    plain = {"vocab_size": size, "num_attention_heads": 2, "num_key_value_heads": 2, **ends}
    torch.manual_seed(7)
    network = {
        "llama": lambda: LlamaForCausalLM(
            LlamaConfig(
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=2,
                max_position_embeddings=256,
                **plain,
            )
        ),
        "lfm2": lambda: Lfm2ForCausalLM(
            Lfm2Config(
                hidden_size=32,
                intermediate_size=64,
                block_auto_adjust_ff_dim=False,
                num_hidden_layers=3,
                layer_types=["conv", "full_attention", "conv"],
                max_position_embeddings=256,
                **plain,
            )
        ),
        "gpt2": lambda: GPT2LMHeadModel(
            GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=256, **ends)
        ),
        "t5": lambda: T5ForConditionalGeneration(
            T5Config(
                vocab_size=size,
                d_model=32,
                d_kv=16,
                d_ff=64,
                num_layers=2,
                num_heads=2,
                decoder_start_token_id=0,
                **ends,
            )
        ),
        "bart": lambda: BartForConditionalGeneration(
            BartConfig(
                vocab_size=size,
                d_model=32,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=2,
                decoder_attention_heads=2,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                max_position_embeddings=256,
                decoder_start_token_id=1,
                forced_eos_token_id=None,
                **ends,
            )
        ),
    }[architecture]()
    with torch.no_grad():  # sharper than at random, so that greedy choices have clear winners
        for weight in network.parameters():
            weight.mul_(2)
    network.save_pretrained(folder, safe_serialization=True)
    return ModelCard(name=architecture, family="huggingface", path=str(folder), trainable=True)


SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": None,
}


def make_causal(folder: Path, model_type: str, **settings: object) -> ModelCard:
    """A tiny model of any causal architecture, `settings` over those of SMALL."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    size = _tokenizer(folder)
    torch.manual_seed(7)
    config = AutoConfig.for_model(model_type, vocab_size=size, **{**SMALL, **settings})
    network = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2)
    network.save_pretrained(folder)
    return ModelCard(name=model_type, family="huggingface", path=str(folder))
