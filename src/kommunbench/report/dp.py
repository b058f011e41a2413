"""What a run's differential privacy came to, in numbers and in words: what it promises, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kommunbench.report.record import Received, RunInfo
from kommunbench.report.rows import DpRow, Report
from kommunbench.report.wording import Language, number, say


def dp_row(info: RunInfo, received: Sequence[Received]) -> DpRow | None:
    """From the specification and the sites' replies; None where nothing was private."""
    dp, train = info.spec.dp, info.spec.train
    trains = dp.trains and train is not None
    if not trains and not dp.noisy:
        return None
    return DpRow(
        name=dp.name,
        training_epsilon=_largest(reply.cost.epsilon_hundredths for reply in received),
        training_target=(dp.epsilon or None) if trains else None,
        noise_multiplier=(dp.noise_multiplier or None) if trains else None,
        clip_norm=train.clip_norm if trains and train is not None else None,
        delta=dp.delta,
        tallies=dp.tallies,
        tally_epsilon=dp.tally_epsilon or None,
    )


def _largest(hundredths: Iterable[int]) -> float | None:
    return max(hundredths, default=0) / 100 or None


def dp_notes(report: Report, language: Language) -> Iterator[str]:
    """What a reader may conclude from the run's privacy, and what not."""
    dp = report.dp
    if dp is not None and dp.clip_norm is not None:
        yield _training_note(dp, language)
    if dp is not None and dp.tallies != "exact":
        yield _tallies_note(dp, language)


def _training_note(dp: DpRow, language: Language) -> str:
    if dp.training_epsilon is None:
        return say(
            language,
            "Träningen skulle vara differentiellt privat, men ingen organisation lämnade några vikter.",
            "Training was to be differentially private, but no site gave any weights.",
        )
    epsilon, delta = number(dp.training_epsilon, "epsilon", language), f"{dp.delta:g}"
    return say(
        language,
        f"**Differentiell integritet**: vikterna tränades med DP-SGD. För ett enskilt träningsexempel är ε högst "
        f"{epsilon} vid δ = {delta}, enligt organisationernas egen bokföring (Rényi, Opacus). Det gäller exemplen och "
        "inte personer: den som förekommer i flera exempel skyddas mindre. Antalet exempel omfattas inte. Bruset är "
        "hemligt, så körningen kan inte upprepas med samma tal.",
        f"**Differential privacy**: the weights were trained by DP-SGD. For a single training example epsilon is at "
        f"most {epsilon} at delta = {delta}, by the sites' own accounts (Rényi, Opacus). It holds for examples and not "
        "for people: who is in several examples is protected less. Numbers of examples are not covered. The noise is "
        "secret, so the run cannot be repeated to the same numbers.",
    )


def _tallies_note(dp: DpRow, language: Language) -> str:
    epsilon = number(dp.tally_epsilon, "epsilon", language)
    delta = f"{dp.delta:g}" if dp.tallies == "gaussian" else "0"
    return say(
        language,
        f"**Brus i mätresultaten**: varje summa lämnade organisationen med slumpmässigt brus, så att ett enskilt "
        f"testexempel syns högst med ε = {epsilon} vid δ = {delta} per uppgift. Talen och antalen är därför "
        "ungefärliga. Intervallen räknar med bruset, och med den största spridning som exemplen kan ha. Varje rad i "
        "report.json säger hur stort bruset är (`noise`). Att ett tal hölls inne, och varför, omfattas inte.",
        f"**Noise in the results**: every sum left its site with random noise, so that a single test example shows by "
        f"at most epsilon = {epsilon} at delta = {delta} on each task. Values and counts are therefore approximate. "
        "The intervals take in the noise, and the largest spread that examples can have. Every row of report.json "
        "says how large the noise is (`noise`). That a number was held back, and why, is not covered.",
    )
