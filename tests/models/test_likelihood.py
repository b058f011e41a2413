"""How likely an answer is: against transformers' own loss, token by token, for every architecture."""

from __future__ import annotations

import math

import pytest
import torch

from kommunbench.core.model import Decoding, Likely, ModelCard
from kommunbench.models.open import load_card, open_model

PROMPT = "Fråga: Vem ringer två gånger?\nSvar:"
LABELS = ["Enhet: gata.", "Enhet: skola och fritid.", "Enhet: gatan är av", "Enhet: vård."]
DECODING = Decoding(max_new_tokens=16)


def loss_sum(model: object, text: str) -> float:
    """transformers' mean loss over the text's tokens, times their number."""
    network, tokenizer = model.network, model.tokenizer  # type: ignore[attr-defined]
    prompt = tokenizer(PROMPT)["input_ids"]
    causal = not network.config.is_encoder_decoder
    answer = tokenizer(" " + text if causal else text, add_special_tokens=False)["input_ids"]
    ids, labels = (prompt + answer, [-100] * len(prompt) + answer) if causal else (prompt, answer)
    with torch.inference_mode():
        return float(network(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss) * len(answer)


def test_the_sum_of_the_tokens_is_transformers_own_loss(any_card: ModelCard) -> None:
    model = open_model(any_card, threads=1)
    assert isinstance(model, Likely)
    together, alone, *_ = model.log_likelihoods([(PROMPT, LABELS), (PROMPT, LABELS[1:2])], DECODING)
    assert together == pytest.approx([-loss_sum(model, text) for text in LABELS], rel=1e-4)
    assert alone[0] == pytest.approx(together[1], rel=1e-5)


def test_what_else_is_asked_changes_nothing_and_the_empty_beginning_is_certain(any_card: ModelCard) -> None:
    model = open_model(any_card, threads=1)
    questions = [(PROMPT, LABELS), ("Kort.", ["Ja.", ""]), (PROMPT * 30, ["Nej."])]
    found = model.log_likelihoods(questions, DECODING)
    assert found == [model.log_likelihoods([question], DECODING)[0] for question in questions]
    assert found[1][1] == 0.0
    assert all(log < 0 for logs in found for log in logs if logs is not found[1])


def test_beginnings_that_exclude_each_other_never_add_up_to_more_than_certainty(any_card: ModelCard) -> None:
    logs = open_model(any_card, threads=1).log_likelihoods([(PROMPT, list("abcdefghijklmnopqrstuvwxyz"))], DECODING)[0]
    assert 0 < sum(map(math.exp, logs)) < 1


@pytest.mark.parametrize("family", ["lead", "constant", "retrieval"])
def test_a_baseline_says_nothing_of_how_sure_it_is(family: str) -> None:
    assert not isinstance(open_model(load_card(family)), Likely)
