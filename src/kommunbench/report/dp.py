"""What a run's differential privacy came to, in numbers and in words: what it promises, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kommunbench.report.record import Received, RunInfo
from kommunbench.report.rows import DpRow, Report
from kommunbench.report.wording import Language, number, say


def dp_row(info: RunInfo, received: Sequence[Received]) -> DpRow | None:
    """From the specification and the sites' replies; None where nothing was private."""
    dp, train = info.spec.dp, info.spec.train
    if not dp.trains or train is None:
        return None
    return DpRow(
        name=dp.name,
        training_epsilon=_largest(reply.cost.epsilon_hundredths for reply in received),
        training_target=dp.epsilon or None,
        noise_multiplier=dp.noise_multiplier or None,
        clip_norm=train.clip_norm,
        delta=dp.delta,
    )


def _largest(hundredths: Iterable[int]) -> float | None:
    return max(hundredths, default=0) / 100 or None


def dp_notes(report: Report, language: Language) -> Iterator[str]:
    """What a reader may conclude from the run's privacy, and what not."""
    dp = report.dp
    if dp is None:
        return
    if dp.training_epsilon is None:
        yield say(
            language,
            "Träningen skulle vara differentiellt privat, men ingen organisation lämnade några vikter.",
            "Training was to be differentially private, but no site gave any weights.",
        )
        return
    epsilon, delta = number(dp.training_epsilon, "epsilon", language), f"{dp.delta:g}"
    yield say(
        language,
        f"**Differentiell integritet**: vikterna tränades med DP-SGD. För ett enskilt träningsexempel är ε högst "
        f"{epsilon} vid δ = {delta}, enligt organisationernas egen bokföring (Rényi, Opacus). Det gäller exemplen och "
        "inte personer: den som förekommer i flera exempel skyddas mindre. Det gäller vikterna; mätresultaten och "
        "antalet exempel omfattas inte. Bruset är hemligt, så körningen kan inte upprepas med samma tal.",
        f"**Differential privacy**: the weights were trained by DP-SGD. For a single training example epsilon is at "
        f"most {epsilon} at delta = {delta}, by the sites' own accounts (Rényi, Opacus). It holds for examples and not "
        "for people: who is in several examples is protected less. It holds for the weights; results and numbers of "
        "examples are not covered. The noise is secret, so the run cannot be repeated to the same numbers.",
    )
