"""A card's options, held against what its family knows: every fault at once, with the nearest name."""

from __future__ import annotations

from collections.abc import Mapping

from kommunbench.core.errors import Fault
from kommunbench.core.model import ModelCard
from kommunbench.core.registry import did_you_mean

KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def option_faults(card: ModelCard, known: Mapping[str, type]) -> list[Fault]:
    """Faults of unknown options and of those of another type than `known` says; a whole number is a number too."""
    where = f"models.{card.name}.options"
    faults = []
    for name, value in card.options.items():
        if name not in known:
            do = did_you_mean(name, tuple(known)) if known else f"{card.family} has no options"
            faults.append(Fault(f"unknown option {name!r}", where, do))
        elif type(value) is not known[name] and not (known[name] is float and type(value) is int):
            faults.append(Fault(f"{name} is {KINDS[known[name]]}", where))
    return faults


def choice_faults(card: ModelCard, name: str, choices: tuple[str, ...]) -> list[Fault]:
    """A fault where the option is text, and none of `choices`; an absent one is right."""
    value = card.options.get(name, choices[0])
    if not isinstance(value, str) or value in choices:
        return []
    return [Fault(f"{name} is {value!r}", f"models.{card.name}.options", did_you_mean(value, choices))]
