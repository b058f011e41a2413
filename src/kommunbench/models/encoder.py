"""How like each other texts are, by the contextual embeddings of a local encoder: BERTScore (Zhang et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kommunbench.core.errors import Fault, ModelError
from kommunbench.models.reader import ENCODER, ReaderCard

Likeness = tuple[float, float, float]
KEPT_TEXTS = 512
"""Embeddings kept at a time: every model's answers are held against the same references."""


class BertEncoder:
    """Greedy cosine matching of hidden states of one layer, without idf weights or a rescaling baseline.

    Special tokens can be matched and are matched for nobody, as in the paper's own code. A text goes through the
    encoder alone, cut where the encoder's positions end, so that what else is read changes no digit.
    """

    def __init__(self, card: ReaderCard) -> None:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would quote a text that is too long
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.network: Any = AutoModel.from_pretrained(card.path.expanduser(), use_safetensors=True, **local).eval()
            self.tokenizer: Any = AutoTokenizer.from_pretrained(card.path.expanduser(), **local)
        except (OSError, ValueError, KeyError) as error:
            what = f"cannot be opened: {type(error).__name__}"
            raise ModelError(
                Fault(what, f"readers/{ENCODER}.yaml: path", "it takes an encoder and tokenizer")
            ) from None
        layers = self.network.config.num_hidden_layers
        if card.layer > layers:
            raise ModelError(Fault(f"has {layers} layers", f"readers/{ENCODER}.yaml: layer"))
        self.layer = card.layer
        self._embed = lru_cache(KEPT_TEXTS)(self._embed_anew)

    def similarities(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[Likeness]:
        """(precision, recall, F1), -1..1, of each answer; each the best over its references; an empty answer has 0."""
        return [
            _best([self._similarity(answer, reference) for reference in references]) for answer, references in pairs
        ]

    def _similarity(self, answer: str, reference: str) -> Likeness:
        if not answer.strip() or not reference.strip():
            return 0.0, 0.0, 0.0
        return match(*self._embed(answer), *self._embed(reference))

    def _embed_anew(self, text: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Unit vectors [tokens, width], and which tokens are the text's own."""
        import torch

        room = min(self.tokenizer.model_max_length, getattr(self.network.config, "max_position_embeddings", 1 << 30))
        read = self.tokenizer(text, truncation=True, max_length=room, return_special_tokens_mask=True)
        with torch.inference_mode():
            states = self.network(
                input_ids=torch.tensor([read["input_ids"]]),
                attention_mask=torch.tensor([read["attention_mask"]]),
                output_hidden_states=True,
            ).hidden_states[self.layer][0]
        vectors = states.double().numpy()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), ~np.array(read["special_tokens_mask"], bool)


def match(
    answer: npt.NDArray[np.float64],
    own: npt.NDArray[np.bool_],
    reference: npt.NDArray[np.float64],
    expected: npt.NDArray[np.bool_],
) -> Likeness:
    """Precision: each token of the answer with the reference's nearest; recall the other way; F1 of the two."""
    cosines = answer @ reference.T
    if not own.any() or not expected.any():
        return 0.0, 0.0, 0.0
    precision, recall = float(cosines.max(1)[own].mean()), float(cosines.max(0)[expected].mean())
    both = precision + recall
    return _bounded(precision), _bounded(recall), _bounded(2 * precision * recall / both) if both > 0 else 0.0


def _bounded(value: float) -> float:
    return max(-1.0, min(1.0, value))


def _best(found: Sequence[Likeness]) -> Likeness:
    precision, recall, f1 = (max(each) for each in zip(*found, strict=True))
    return precision, recall, f1


READER = BertEncoder
