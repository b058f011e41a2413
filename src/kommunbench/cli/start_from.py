"""`kommunbench run start_from=...`: training goes on from an adapter that is there already.

The coordinator resolves the name (a run, or models:/NAME@champion) once, before anything is asked, and keeps the arrays
as the run's first checkpoint. Sites get arrays and the base's digest, as from any round: never a name or an address.
"""

from __future__ import annotations

from pathlib import Path

from kommunbench.cli.find import find_run
from kommunbench.config.settings import Settings
from kommunbench.core.errors import ConfigError, Fault
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import RunSpec
from kommunbench.federation.checkpoints import Checkpoints
from kommunbench.federation.plan import Plan, schedule
from kommunbench.federation.progress import Events
from kommunbench.tracking.registered import Kept, of_registry, of_run

REGISTRY = "models:/"
SHAPE = ("method", "rank", "alpha")
"""What an adapter's arrays and their meaning follow from."""


def resolve(source: str, results: Path, tracking_uri: str) -> Kept:
    """The adapter that `source` names: a run, by name or folder, or a version in MLflow's registry."""
    if source.startswith(REGISTRY):
        return of_registry(source, tracking_uri, results)
    return of_run(find_run(source, results))


def begin_from(settings: Settings, plan: Plan) -> None:
    """Keep the adapter of `start_from` as what each replicate begins with; nothing where it is empty.

    Raises:
        ConfigError: it is of another base or of another shape than this run's.
    """
    if not settings.start_from:
        return
    found = resolve(settings.start_from, settings.results, settings.tracking.uri)
    ConfigError.raise_if(misfits(found, plan.info.spec))
    checkpoints = Checkpoints(Path(plan.folder))
    firsts = {moment.seed: moment for moment in reversed(list(schedule(plan.info.spec, plan.evaluate_every)))}
    for moment in firsts.values():
        checkpoints.save(moment.name, found.adapter, {})
    Events(Path(plan.folder)).say("begins", source=settings.start_from, **found.origin)


def misfits(found: Kept, spec: RunSpec) -> list[Fault]:
    """Why the adapter cannot be gone on with in this run."""
    train = spec.train
    if train is None:
        return [Fault("the run trains nothing", "start_from", "leave it out, or choose a strategy")]
    faults = []
    base = next((model.digest for model in spec.models if model.name == spec.trained_model), "")
    if found.note.digest != base:
        do = f"trained_model={found.note.model}, in the version that it was trained on"
        faults.append(Fault(f"the adapter is not of {spec.trained_model} as it is here", "start_from", do))
    for name in SHAPE:
        wanted = _of(found.note.train, name)
        if _of(train, name) != wanted:
            faults.append(
                Fault(f"the adapter was trained with {name} {wanted}", f"train.{name}", f"train.{name}={wanted}")
            )
    return faults


def _of(train: TrainSettings, name: str) -> object:
    return getattr(train, name)
