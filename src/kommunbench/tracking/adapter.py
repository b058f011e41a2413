"""The trained adapter as a registered model: logged without its base model, and loadable again.

    model = mlflow.pyfunc.load_model("models:/kommunbench-pilot-nano@champion")
    model.predict(pandas.DataFrame({"prompt": ["..."]}), params={"max_new_tokens": 64})

Two names lead to a version: MLflow's own `models:/<name>/latest`, and `@champion`. The champion moves only to an
adapter that beats its base model on the primary measure of every task of the run (paired test, p below 0.05 after Holm,
with each of the run's prompts), and whose own values are no worse than the present champion's on any task that both
were measured on. Any other run registers a version and leaves the champion alone.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from kommunbench.core.digests import digest_files
from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Decoding, Query, Trainable, TrainSettings
from kommunbench.report.record import RunFolder, RunInfo
from kommunbench.report.rows import PairRow, Report
from kommunbench.tracking.nodes import gains

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

CHAMPION = "champion"
WEIGHTS = "adapter_model.safetensors"
NOTE = "kommunbench.json"
PACKAGES = ("mlflow", "torch", "transformers", "peft", "safetensors", "numpy")


class AdapterNote(BaseModel):
    """What has to be known to load the adapter again: `kommunbench.json` beside its weights."""

    model: str
    digest: str
    train: TrainSettings


class AdaptedModel:
    """The base model, as this machine's own conf/models/ names it, with the adapter in place.

    Raises:
        ModelError: the base model is not here, or is not the one that the adapter was trained on.
    """

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        from kommunbench.models.open import load_card, open_model

        note = AdapterNote.model_validate_json((folder / NOTE).read_text(encoding="utf-8"))
        model = open_model(load_card(note.model))
        if model.digest != note.digest or not isinstance(model, Trainable):
            raise ModelError(
                Fault(
                    f"model {note.model!r} is not the one that the adapter was trained on",
                    f"conf/models/{note.model}.yaml",
                    f"its digest must be {note.digest}",
                )
            )
        model.load_adapter(load_file(folder / WEIGHTS), note.train)
        self.model = model

    def predict(self, rows: pd.DataFrame, params: Mapping[str, Any] | None = None) -> list[str]:
        """One answer for each row's `prompt`; `params` may set `max_new_tokens` and `stop`."""
        params = params or {}
        decoding = Decoding(max_new_tokens=int(params.get("max_new_tokens", 96)), stop=(params.get("stop", "\n\n"),))
        queries = [Query(prompt=prompt, inputs={}, task="") for prompt in rows["prompt"]]
        return [completion.text for completion in self.model.generate(queries, decoding)]


def _load_pyfunc(path: str) -> AdaptedModel:
    """What MLflow calls to load a version; the name is MLflow's."""
    return AdaptedModel(Path(path))


def register_adapter(client: MlflowClient, folder: RunFolder, run_id: str, info: RunInfo, report: Report) -> str:
    """Log `adapter/` as a model of the run, unless that very adapter is there already, and return its version."""
    name = f"kommunbench-{info.federation}-{info.spec.trained_model}"
    weights = digest_files(folder.path.glob("adapter/*"))
    _make_shelf(client, name, info)
    for known in client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
        if known.tags.get("kommunbench.adapter") == weights:
            return str(known.version)
    tags = {
        "kommunbench.run": info.spec.run,
        "kommunbench.adapter": weights,
        "kommunbench.base": next(m.digest for m in info.spec.models if m.name == info.spec.trained_model),
        "kommunbench.synthetic": str(info.synthetic).lower(),
        **_values(report),
    }
    logged = client.create_logged_model(
        client.get_run(run_id).info.experiment_id, name, run_id, tags, model_type="LoRA adapter"
    )
    with tempfile.TemporaryDirectory() as scratch:
        saved = _save(folder, info, Path(scratch), logged.model_id)
        client.log_model_artifacts(logged.model_id, str(saved))
    client.finalize_logged_model(logged.model_id, "READY")
    # A database store would look a `models:/` source up in MLflow's global tracking URI, which is none of ours.
    server = client.tracking_uri.startswith(("http://", "https://"))
    source = f"models:/{logged.model_id}" if server else logged.artifact_location
    made = client.create_model_version(
        name, source, run_id, tags, description=_describe(info, report), model_id=logged.model_id
    )
    _link(client, run_id, logged.model_id, made, report)
    if beats_base(info, report) and _no_worse_than_champion(client, name, report):
        client.set_registered_model_alias(name, CHAMPION, made.version)
    return str(made.version)


def _link(client: MlflowClient, run_id: str, model_id: str, version: ModelVersion, report: Report) -> None:
    """Let run, model and version lead to each other, and give run and model the values that rank."""
    from mlflow.entities import LoggedModelOutput, Metric

    client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    versions = [{"name": version.name, "version": version.version}]
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": json.dumps(versions)})
    now = int(time.time() * 1000)
    metrics = []
    for pair in gains(report):
        row = report.by_key.get(pair.left.key)
        if row and row.value is not None:
            metrics.append(Metric(f"primary/{row.task}", row.value, now, row.round, model_id=model_id))
    client.log_batch(run_id, metrics)


def beats_base(info: RunInfo, report: Report) -> bool:
    """The run's own paired tests say that the federated adapter is better on every task and with every prompt."""
    decided = {(pair.left.task, pair.left.prompt): pair for pair in gains(report)}
    wanted = [(task.name, prompt.name) for task in info.spec.tasks for prompt in info.spec.prompts]
    return bool(wanted) and all(key in decided and decided[key].better == "left" for key in wanted)


def _no_worse_than_champion(client: MlflowClient, name: str, report: Report) -> bool:
    champion = client.get_registered_model(name).aliases.get(CHAMPION)
    if champion is None:
        return True
    theirs = client.get_model_version(name, champion).tags
    lower = {task.name for task in report.tasks if task.direction == "lower"}
    for key, value in _values(report).items():
        if key in theirs:
            gain = float(value) - float(theirs[key])
            if (-gain if key.removeprefix("primary/").split("/")[0] in lower else gain) < 0:
                return False
    return True


def _values(report: Report) -> dict[str, str]:
    """The adapter's primary values at its last round, by `primary/<task>/<prompt>`."""
    lefts = {(pair.left.task, pair.left.prompt): pair.left for pair in gains(report)}
    rows = {key: report.by_key.get(left.key) for key, left in lefts.items()}
    return {
        f"primary/{task}/{prompt}": f"{row.value:.6f}"
        for (task, prompt), row in rows.items()
        if row and row.value is not None
    }


def _make_shelf(client: MlflowClient, name: str, info: RunInfo) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as missing:
        if missing.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        base = f"LoRA adapters of **{info.spec.trained_model}**, trained by the federation **{info.federation}**. "
        rule = "`champion` is an adapter that beat its base model on every task after Holm. The base model is not here."
        client.create_registered_model(name, {"kommunbench.federation": info.federation}, base + rule)


def _save(folder: RunFolder, info: RunInfo, scratch: Path, model_id: str) -> Path:
    """An MLflow model folder with the adapter in it. Requirements are stated: to guess them MLflow loads the model."""
    from mlflow import pyfunc
    from mlflow.models import Model

    if info.spec.train is None:
        raise ModelError(Fault("there is an adapter, but the run trained nothing", str(folder.path)))
    trained = next(model for model in info.spec.models if model.name == info.spec.trained_model)
    data = scratch / "adapter"
    shutil.copytree(folder.path / "adapter", data)
    note = AdapterNote(model=trained.name, digest=trained.digest, train=info.spec.train)
    (data / NOTE).write_text(note.model_dump_json(indent=1), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*An input example was not provided")
        pyfunc.save_model(
            str(scratch / "model"),
            loader_module="kommunbench.tracking.adapter",
            data_path=str(data),
            mlflow_model=Model(model_id=model_id),
            signature=_signature(),
            pip_requirements=[f"kommunbench=={info.spec.kommunbench}", *(f"{it}=={version(it)}" for it in PACKAGES)],
        )
    return scratch / "model"


def _signature() -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("string", "prompt")]),
        outputs=Schema([ColSpec("string")]),
        params=ParamSchema([ParamSpec("max_new_tokens", "long", 96), ParamSpec("stop", "string", "\n\n")]),
    )


def _describe(info: RunInfo, report: Report) -> str:
    lines = [f"Run **{info.spec.run}**, {info.spec.rounds} rounds of {info.strategy}, seed {info.spec.seed}.", ""]
    return "\n".join([*lines, *(f"- {_gain(pair)}" for pair in gains(report))])


def _gain(pair: PairRow) -> str:
    change = f"{pair.difference:+.3f}" if pair.difference is not None else "not available"
    p = f" (p {pair.p_holm:.2g} after Holm)" if pair.p_holm is not None else ""
    return f"{pair.left.task}, {pair.left.prompt}: {pair.left.metric} {change} against the base model{p}"
