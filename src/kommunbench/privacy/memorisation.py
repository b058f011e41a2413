"""What trained weights give away of single examples, measured at the site before they may leave.

Two questions, each with a number that is the same for any model:

- *Exposure* (Carlini et al. 2019, The Secret Sharer). Random canaries are planted among the training examples.
  Afterwards the model's loss ranks each canary among others from the same space that were never planted:
  exposure = log2(candidates) - log2(rank). A canary that was not learnt has a rank by chance and 1.44 bits on average;
  the most is log2(candidates), 9 bits for 512.
- *Membership*. Which examples were trained on, told from the loss alone (Yeom et al. 2018: low loss means member), or
  from how far the loss fell from the base model's (a reference model, as Watson et al. 2022 and the offline attack of
  Carlini et al. 2022, LiRA). Members are from the train split, others from those that are never trained on. Given are
  the area under the ROC curve of the better attack, and the share of members that it finds at 1 % false alarms.

Both are lower bounds: a better attack may find more. Only the code that follows from them leaves the site.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kommunbench.core.answer import Memory
from kommunbench.core.model import Adapter, Trainable, TrainSettings

Pair = tuple[str, str]
Floats = npt.NDArray[np.float64]
CANARIES = 8
CANDIDATES = 512
"""A canary is ranked among so many, itself included."""
DIGIT_PAIRS = 6
"""A canary is one of 100 ** DIGIT_PAIRS."""
MOST = 200
"""Members, and as many others, that an attack is measured on at most."""
FEWEST = 20
"""With fewer the area under the curve has a standard error of more than 0.09 and says nothing."""
FALSE_ALARMS = 0.01


@dataclass(frozen=True, slots=True)
class Canaries:
    """Random pairs to plant among the training examples, and others to rank them among. Digits, nobody's text."""

    planted: tuple[Pair, ...]
    others: tuple[Pair, ...]

    @classmethod
    def drawn(cls, seed: int) -> Canaries:
        """The same for the same seed, so that a site plants the same in every round; all differ."""
        draw = random.Random(seed)  # noqa: S311 (they are to be found again, not to be kept secret)
        codes: dict[str, None] = {}
        while len(codes) < CANARIES + CANDIDATES - 1:
            codes[" ".join(f"{draw.randrange(100):02}" for _ in range(DIGIT_PAIRS))] = None
        pairs = tuple(("Kontrollkod:", code) for code in codes)
        return cls(pairs[:CANARIES], pairs[CANARIES:])


def measure(
    model: Trainable,
    adapter: Adapter,
    settings: TrainSettings,
    texts: tuple[Sequence[Pair], Sequence[Pair]],
    canaries: Canaries,
) -> Memory | None:
    """What `adapter` remembers; None where there are too few examples to tell. `model` is left with it loaded.

    Args:
        texts: (prompt, answer) pairs that were trained on, and pairs that never are.
        canaries: those of them that were planted were trained on too.
    """
    members, others = (_some(pairs) for pairs in texts)
    if min(len(members), len(others)) < FEWEST:
        return None
    texts_of_both = [*members, *others]
    model.load_adapter(None, settings)
    before = np.array(model.losses(texts_of_both, settings.max_length))
    model.load_adapter(adapter, settings)
    after = np.array(model.losses(texts_of_both, settings.max_length))
    planted = model.losses(canaries.planted, settings.max_length)
    never = model.losses(canaries.others, settings.max_length)
    auc, tpr = max(membership(score[: len(members)], score[len(members) :]) for score in (-after, before - after))
    return Memory(exposure(planted, never), auc, tpr, len(members), len(others))


def exposure(planted: Sequence[float], never: Sequence[float]) -> float:
    """Mean exposure in bits of canaries with losses `planted`, each ranked among losses `never`; ties count half."""
    others = np.array(never)
    ranks = [1 + float((others < loss).sum()) + float((others == loss).sum()) / 2 for loss in planted]
    return sum(math.log2(len(never) + 1) - math.log2(rank) for rank in ranks) / len(ranks)


def membership(members: Floats, others: Floats) -> tuple[float, float]:
    """(area under the ROC curve, true positives at 1 % false positives at most) of a score that is high for members."""
    from sklearn.metrics import roc_auc_score, roc_curve

    truth = np.array([1] * len(members) + [0] * len(others))
    scores = np.concatenate([members, others])
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(roc_auc_score(truth, scores)), float(true[false <= FALSE_ALARMS].max())


def _some(pairs: Sequence[Pair]) -> list[Pair]:
    """At most MOST of them, evenly spread, each once."""
    distinct = list(dict.fromkeys(pairs))
    step = max(1, math.ceil(len(distinct) / MOST))
    return distinct[::step]
