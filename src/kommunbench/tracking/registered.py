"""A trained adapter as it is kept: in a run's folder, or as a version in MLflow's registry.

Who resolves `models:/NAME@champion` is the coordinator, or whoever exports: a site never sees the name. What a site
gets is arrays beside a digest of the base, as always.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from kommunbench.core.errors import Fault, ModelError, TrackingError
from kommunbench.core.model import Adapter
from kommunbench.report.record import RunFolder
from kommunbench.tracking.adapter import NOTE, WEIGHTS, AdapterNote
from kommunbench.tracking.settings import TrackingSettings
from kommunbench.tracking.store import open_store

LARGEST_NOTE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """An adapter, what has to be known to load it, and where it comes from, in words for a file."""

    adapter: Adapter
    note: AdapterNote
    origin: dict[str, str]


def of_run(folder: RunFolder) -> Kept:
    """What a finished run trained.

    Raises:
        ModelError: the run trained nothing, or has not ended.
    """
    spec = folder.info().spec
    trained = [model for model in spec.models if model.name == spec.trained_model]
    if spec.train is None or not trained or not (folder.path / "adapter" / WEIGHTS).is_file():
        do = f"kommunbench runs resume {folder.name}, if it was stopped"
        raise ModelError(Fault("the run has no trained adapter", str(folder.path), do))
    note = AdapterNote(model=trained[0].name, digest=trained[0].digest, train=spec.train)
    return Kept(_weights(folder.path / "adapter"), note, {"run": spec.run, "run_digest": spec.digest})


def of_registry(uri: str, tracking_uri: str, results: Path) -> Kept:
    """The version that `uri` names (`models:/NAME@ALIAS` or `models:/NAME/VERSION`), fetched and read as arrays.

    Raises:
        TrackingError: MLflow cannot be reached, or has no such version.
        ModelError: it is no adapter of kommunbench.
    """
    name, alias, number = _parts(uri)
    with tempfile.TemporaryDirectory(prefix="kommunbench-") as scratch:
        with open_store(TrackingSettings(uri=tracking_uri).store(results)) as client:
            from mlflow.artifacts import download_artifacts

            version = (
                client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, number)
            )
            source = f"models:/{version.model_id}" if version.model_id else f"models:/{name}/{version.version}"
            place = Path(download_artifacts(source, dst_path=scratch, tracking_uri=client.tracking_uri))
        found = [path.parent for path in place.rglob(NOTE)]
        if len(found) != 1 or (found[0] / NOTE).stat().st_size > LARGEST_NOTE:
            raise ModelError(Fault("is no adapter that kommunbench registered", uri))
        try:
            note = AdapterNote.model_validate_json((found[0] / NOTE).read_text(encoding="utf-8"))
        except ValidationError:
            raise ModelError(Fault(f"{NOTE} of the version is not of this kommunbench", uri)) from None
        origin = {"registered": f"{name} {version.version}", "run": version.tags.get("kommunbench.run", "")}
        return Kept(_weights(found[0]), note, origin)


def _parts(uri: str) -> tuple[str, str, str]:
    """(name, alias, version); one of the last two is empty."""
    name, mark, alias = uri.removeprefix("models:/").partition("@")
    number = ""
    if not mark:
        name, _, number = name.partition("/")
    if not name or not (alias or number.isdigit()):
        raise TrackingError(Fault("not models:/NAME@ALIAS or models:/NAME/VERSION", uri))
    return name, alias, number


def _weights(folder: Path) -> Adapter:
    """The arrays of a safetensors file; nothing else is ever read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: Adapter = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError):
        raise ModelError(Fault(f"{WEIGHTS} is not there, or not safetensors", str(folder))) from None
    return arrays
