"""What a run's differential privacy came to, in numbers and in words: what it promises, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from kommunbench.privacy.sites import site_epsilon
from kommunbench.report.record import Received, RunInfo
from kommunbench.report.rows import DpRow, Report
from kommunbench.report.wording import Language, number, say


def dp_row(info: RunInfo, received: Sequence[Received]) -> DpRow | None:
    """From the specification and the sites' replies; None where nothing was private."""
    dp, train = info.spec.dp, info.spec.train
    trains = dp.trains and train is not None
    hides = dp.hides_sites and train is not None
    if not trains and not dp.noisy and not hides:
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
        site_epsilon=ceil(site_epsilon(info.spec) * 100) / 100 if hides else None,
        site_noise_multiplier=dp.site_noise_multiplier if hides else None,
        site_clip_norm=dp.site_clip_norm if hides else None,
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
    if dp is not None and dp.site_epsilon is not None:
        yield _sites_note(dp, report, language)


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


def _sites_note(dp: DpRow, report: Report, language: Language) -> str:
    epsilon, delta = number(dp.site_epsilon, "epsilon", language), f"{dp.delta:g}"
    sites = max(len(report.roster), 1)
    noise = number((dp.site_noise_multiplier or 0) / sites, "epsilon", language)
    return say(
        language,
        f"**Organisationers träning döljs**: samordnaren klippte varje organisations uppdatering till längden "
        f"{dp.site_clip_norm:g} och lade brus på medelvärdet. Att en organisation tränade syns i den gemensamma "
        f"modellen högst med ε = {epsilon} vid δ = {delta}, alla omgångar tillsammans. Det gäller mot den som får "
        "modellen. Samordnaren ser varje uppdatering, och mätresultaten omfattas inte. Med få organisationer är "
        f"bruset stort: med {sites} stycken ungefär {noise} av klipplängden på varje enskild vikt.",
        f"**Sites' training is hidden**: the coordinator cut each site's update to length {dp.site_clip_norm:g} and "
        f"put noise on the mean. That one site trained shows in the common model by at most epsilon = {epsilon} at "
        f"delta = {delta}, all rounds together. This holds against whoever gets the model. The coordinator sees each "
        f"update, and results are not covered. With few sites the noise is large: with {sites} some {noise} of the "
        "clip length on every single weight.",
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
