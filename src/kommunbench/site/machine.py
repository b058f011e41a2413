"""How this site's machine runs models: they are opened once a process and kept, whatever the number of messages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from kommunbench.core.model import Model, ModelCard
from kommunbench.models.open import card_digest, open_model
from kommunbench.release import ReleasePolicy
from kommunbench.site.settings import SiteSettings


class Machine(NamedTuple):
    """What a model's family is told of the machine and of what the policy lets it reach; no digest has it."""

    threads: int
    device: str
    endpoints: tuple[tuple[str, str], ...]
    connector: Path | None


def opened_model(card: ModelCard, settings: SiteSettings, policy: ReleasePolicy) -> Model:
    """The model of `card`, opened now or before.

    By its digest too: a process that lives long must not answer with weights that are no longer those on disk.
    """
    endpoints = tuple(sorted(policy.endpoints.items()))
    machine = Machine(settings.threads, settings.device, endpoints, settings.connector)
    return _opened(card.model_dump_json(), machine, card_digest(card))


@lru_cache(maxsize=4)
def _opened(card: str, machine: Machine, digest: str) -> Model:  # noqa: ARG001
    """Another digest is another model."""
    told = machine._asdict() | {"endpoints": dict(machine.endpoints)}
    return open_model(ModelCard.model_validate_json(card), **told)
