"""Which of a run's features go together with which mode of privacy: one table, for the run's composer and its reader.

`refused` stops a run before its first message; `not available` is null in the report with a reason, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from kommunbench.core.errors import Fault
from kommunbench.core.masking import MASKED_SUM

Mode = Literal["plain", "secagg"]
Availability = Literal["yes", "refused", "not available"]


class Feature(NamedTuple):
    """One line of the table."""

    name: str
    secagg: Availability
    instead: str
    strategies: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()


FEATURES = (
    Feature("values over all sites, exact to the last bit", "yes", "the same int64 sums, modulo 2^64"),
    Feature("95 % intervals for these sites, paired differences", "yes", "from closing sums over all sites together"),
    Feature("fedavg, fedprox, fedavgm, fedadam, fedyogi", "yes", "the mean update, fixed point 2^-32, nothing clipped"),
    Feature("a site that is lost on the way", "yes", "at any step, as long as the threshold of sites is left"),
    Feature("resuming", "yes", "a sum that was unmasked is closed; a late site cannot join it"),
    Feature("a person's approval at the site", "yes", "of the reviewed numbers, before they are masked"),
    Feature("counts that a site rounds", "yes", "rounded before the mask; the site's receipt says to what"),
    Feature("costs", "yes", "summed under the mask; bytes and seconds by site, as the coordinator sees them"),
    Feature(
        "krum, median, trimmed_mean", "refused", "they compare single updates: use a mean, or privacy=plain",
        strategies=("krum", "median", "trimmed_mean"),
    ),
    Feature(
        "stages local and central", "refused", "an adapter of one site alone would be seen", stages=("local", "central")
    ),
    Feature("differential privacy (dp=...)", "refused", "a site's ledger counts epsilon where privacy is plain"),
    Feature("weights in 16 or 8 bits (train.encoding)", "refused", "masked weights are fixed-point numbers already"),
    Feature("comparisons with earlier runs (earlier=[...])", "refused", "their sums may be over other sites"),
    Feature("rows of a site or of a kind of site", "not available", "one sum over all"),
    Feature("worst and best site, gap, most influential site", "not available", "no site's own value is known"),
    Feature("I2, tau2, intervals for sites like these and for a new one", "not available", "no spread between sites"),
    Feature("why a site left a number out", "not available", "only how many of the sites gave it"),
    Feature("checks of single updates at the coordinator", "not available", "each site's own door checks them"),
)  # fmt: skip


def conflicts(mode: str, strategy: str, stages: Iterable[str], min_sites: int) -> Iterator[Fault]:
    """What of a run's settings cannot go together with its mode."""
    if mode == "plain":
        if min_sites > 1:
            do = "privacy=secagg"
            yield Fault("single sites' sums are seen, so no number of sites can be promised", "privacy.min_sites", do)
        return
    if min_sites < 2:
        yield Fault(
            "a sum over one site is that site's own", "privacy.min_sites", "2 or more; 3 keeps two from guessing"
        )
    for feature in FEATURES:
        if strategy in feature.strategies:
            yield Fault(f"{strategy} cannot be had with privacy={mode}", "strategy", feature.instead)
        for stage in stages:
            if stage in feature.stages:
                yield Fault(f"stage {stage} cannot be had with privacy={mode}", "stages", feature.instead)


def too_few(mode: str, min_sites: int, threshold: int, names: Sequence[str]) -> Iterator[Fault]:
    """Whether the roster is large enough for the sums that are asked for."""
    sites = len(names)
    if mode == "secagg" and sites < max(min_sites, threshold):
        yield Fault(
            f"asks for {max(min_sites, threshold)} sites of {sites}", "privacy", "invite more, or ask for fewer"
        )
    if mode == "secagg" and threshold and 2 * threshold <= sites:
        yield Fault(f"is not most of {sites} sites", "privacy.threshold", f"at least {sites // 2 + 1}")
    if mode == "secagg" and MASKED_SUM in names:
        yield Fault(f"{MASKED_SUM} is the name of the sum", "federation", "give the site another name")


def mode_table() -> str:
    """The table in Markdown, as ARCHITECTURE.md shows it."""
    lines = ["| feature | `plain` | `secagg` | |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {line.name} | yes | {line.secagg} | {line.instead} |" for line in FEATURES)])
