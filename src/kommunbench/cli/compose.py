"""From settings to a plan: names become digests, a federation becomes a roster with each site's own settings."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import yaml

from kommunbench import __version__
from kommunbench.config.settings import DeployedFederation, FolderFederation, Settings, SyntheticFederation
from kommunbench.core.digests import digest
from kommunbench.core.errors import ConfigError, Fault, FederationError
from kommunbench.core.folders import CHECKOUT, overlay
from kommunbench.core.modes import too_few
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import CENTRAL, COST, ModelRef, PromptRef, RunSpec, TaskRef
from kommunbench.core.task import load_task, task_names
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.roster import Roster
from kommunbench.federation.engines import find_engine
from kommunbench.federation.plan import Plan, ends, pairs_to_compare, pairs_with_earlier, tally_shares
from kommunbench.federation.strategies import check_options
from kommunbench.models.open import card_digest, reads_prompt
from kommunbench.models.reader import reader_digests
from kommunbench.release.identity import Identity
from kommunbench.release.peers import PEERS
from kommunbench.report.record import EarlierRun, RosterSite, RunFolder, RunInfo
from kommunbench.site.settings import SiteSettings
from kommunbench.tracking.settings import TrackingSettings
from kommunbench.tracking.shared_server import credentials

KEPT = ".kept"
"""Below the results folder: what simulated sites keep from run to run, as real ones do in their own folders."""


def make_plan(settings: Settings) -> Plan:
    """Everything that the coordinator will do, with every name bound to a digest.

    Raises:
        ConfigError, TaskError, ModelError: what cannot be run.
    """
    find_engine(settings.engine.name)
    if settings.trains:
        check_options(settings.strategy)
    for task in settings.tasks.values():
        task.primary_measure()
    check_stops(settings)
    roster, federation = make_roster(settings), settings.federation
    if settings.quorum > len(roster):
        do = f"let more in first, or ask for fewer: quorum={max(len(roster), 1)}"
        raise ConfigError(Fault(f"asks for {settings.quorum} sites of {len(roster)}", "quorum", do))
    privacy, names = settings.privacy, [site.name for site in roster]
    ConfigError.raise_if(too_few(privacy.name, privacy.min_sites, privacy.threshold, names))
    spec = make_spec(settings)
    if not ends(spec):
        do = "add a model, or a task that one of them is for: kommunbench tasks list; conf/models/"
        raise ConfigError(
            Fault("has no model that can do any of the tasks", f"models=[{','.join(settings.models)}]", do)
        )
    if settings.dp.noisy:
        origins = len(roster) + len(_central(settings))
        shares = tally_shares(spec, settings.evaluate_every, origins)
        spec = spec.model_copy(update={"dp": settings.dp.model_copy(update={"tally_shares": shares})})
    earlier = [RunFolder(folder).info().spec for folder in earlier_folders(settings)]
    info = RunInfo(
        spec=spec,
        federation=federation_name(settings),
        synthetic=isinstance(settings.federation, SyntheticFederation),
        note=settings.federation.note if isinstance(settings.federation, SyntheticFederation) else None,
        roster=roster,
        engine=settings.engine.name,
        strategy=settings.strategy.name,
        pairs=(
            *pairs_to_compare(spec, settings.tasks, [site.name for site in roster if site.trains]),
            *pairs_with_earlier(spec, settings.tasks, earlier),
        ),
        earlier=tuple(EarlierRun(name=before.run, spec=before.digest) for before in earlier),
        tasks=tuple(settings.tasks.values()),
        about={name: card.about for name, card in settings.models.items() if card.about},
        scorecards=tuple(settings.scorecard.values()),
        started_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=f"kommunbench run {shlex.join(sys.argv[1:])}".strip(),
        git=_git(),
    )
    return Plan(
        info=info,
        folder=str(settings.folder),
        coordinator=str(federation.path.resolve()) if isinstance(federation, DeployedFederation) else "",
        strategy=settings.strategy,
        updates=settings.updates,
        card=settings.models[settings.trained_model] if settings.trains else None,
        quorum=settings.quorum,
        join_s=settings.join_s,
        deadline_s=settings.deadline_s,
        grace_s=settings.grace_s,
        threshold=settings.privacy.threshold,
        step_s=settings.privacy.step_s,
        evaluate_every=settings.evaluate_every,
    )


def earlier_folders(settings: Settings) -> list[Path]:
    """Folders of the runs to compare with: each a name below `results`, or a folder of its own."""
    return [settings.results / name if (settings.results / name).is_dir() else Path(name) for name in settings.earlier]


def check_stops(settings: Settings) -> None:
    """Sites end an answer where their own copy of a task says so, and no digest tells the difference.

    Raises:
        ConfigError: every task whose `stop` was overridden.
    """
    folders = (*(path / "tasks" for path in settings.config_dirs), *overlay("tasks"))
    do = "change the task's file, here and at every site"
    ConfigError.raise_if(
        Fault("cannot be overridden: sites follow their own copy", f"tasks.{name}.stop", do)
        for name, task in settings.tasks.items()
        if name in task_names(folders) and load_task(name, folders).stop != task.stop
    )


def make_spec(settings: Settings) -> RunSpec:
    """What every site sees of the run: names, digests and typed numbers."""
    train = settings.train.model_copy(update={"proximal_mu": settings.strategy.proximal_mu})
    return RunSpec(
        run=settings.name,
        kommunbench=__version__,
        seed=settings.seed,
        replicates=settings.replicates,
        tasks=tuple(
            TaskRef(
                name=name,
                digest=task.digest,
                metrics=(*task.metrics, *([COST] if settings.costs and not settings.dp.noisy else [])),
                max_new_tokens=task.max_new_tokens,
                max_examples=settings.max_examples,
            )
            for name, task in settings.tasks.items()
        ),
        models=tuple(
            ModelRef(
                name=name,
                digest=card_digest(card),
                trainable=card.trainable,
                prompted=reads_prompt(card),
                tasks=card.tasks,
            )
            for name, card in settings.models.items()
        ),
        prompts=tuple(
            PromptRef(name=name, variant=prompt.variant, shots=prompt.shots, choose=prompt.choose)
            for name, prompt in settings.prompt.items()
        ),
        train=train if settings.trains else None,
        trained_model=settings.trained_model if settings.trains else "",
        rounds=settings.rounds if settings.trains else 0,
        stages=settings.stages,
        batch_size=settings.batch_size,
        dp=settings.dp,
        reuse=settings.reuse,
        privacy=settings.privacy.name,
        min_sites=settings.privacy.min_sites,
        readers=dict(reader_digests((*settings.config_dirs, *overlay("conf")))),
    )


def make_roster(settings: Settings) -> tuple[RosterSite, ...]:
    """The sites of the run by name, in the federation's order."""
    federation = settings.federation
    if isinstance(federation, SyntheticFederation):
        return tuple(
            RosterSite(name=name, title=site.title, kind=site.kind, trains=site.trains)
            for name, site in federation.sites.items()
        )
    if isinstance(federation, DeployedFederation):
        return _approved(federation)
    names = federation.sites or _folders(federation)
    unknown = [name for name in (*federation.sites, *federation.train_sites) if not (federation.path / name).is_dir()]
    ConfigError.raise_if(
        Fault(f"no folder {name!r}", str(federation.path), did_you_mean(name, _folders(federation))) for name in unknown
    )
    trains = federation.train_sites or names
    return tuple(RosterSite(name=name, title=name, trains=name in trains) for name in names)


def _approved(federation: DeployedFederation) -> tuple[RosterSite, ...]:
    members = Roster(CoordinatorFolder(federation.path).roster_path).approved()
    FederationError.raise_if(
        Fault(f"{name!r} is not in the federation", "federation.sites", did_you_mean(name, tuple(members)))
        for name in federation.sites
        if name not in members
    )
    if not members:
        do = "`kommunbench coordinator invite NAME`, then `kommunbench coordinator approve REQUEST`"
        raise FederationError(Fault("no site was approved yet", str(federation.path), do))
    return tuple(
        RosterSite(name=name, title=found.title, kind=found.kind, trains=found.trains, key=found.signing_key)
        for name, found in ((name, members[name]) for name in federation.sites or members)
    )


def federation_name(settings: Settings) -> str:
    """What a report calls the federation: a real one's own name, else the configuration's."""
    federation = settings.federation
    if isinstance(federation, DeployedFederation):
        return CoordinatorFolder(federation.path).settings.federation
    return federation.name


def tracking_of(settings: Settings) -> TrackingSettings:
    """Where the run is logged: a real federation's own MLflow, unless the settings name another.

    Name and password go to MLflow's client by the environment, where nothing logs them.
    """
    federation, tracking = settings.federation, settings.tracking
    if not isinstance(federation, DeployedFederation) or tracking.uri:
        return tracking
    folder = CoordinatorFolder(federation.path)
    if folder.mlflow_uri:
        os.environ.update(credentials(folder.keys))
    return tracking.model_copy(update={"uri": folder.mlflow_uri})


def _folders(federation: FolderFederation) -> tuple[str, ...]:
    if not federation.path.is_dir():
        raise ConfigError(Fault("no such folder", f"federation.path={federation.path}"))
    names = tuple(sorted(path.name for path in federation.path.iterdir() if path.is_dir() and path.name[0] != "."))
    if not names:
        raise FederationError(Fault("no site below the folder", str(federation.path), "a site is a folder DIR/<site>/"))
    return names


def make_sites(settings: Settings) -> list[SiteSettings]:
    """Each site's own settings in a simulation, its folder made and its policy written where it has none of its own."""
    federation, run = settings.federation, settings.folder.resolve()
    sites: list[SiteSettings] = []
    if isinstance(federation, DeployedFederation):
        return sites  # each site has its own
    for site in (*make_roster(settings), *_central(settings)):
        home = run / "sites" / site.name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        policy = home / "site.yaml"
        own = federation.path / site.name / "site.yaml" if isinstance(federation, FolderFederation) else Path()
        text = own.read_text(encoding="utf-8") if own.is_file() else yaml.safe_dump(federation.policy)
        policy.write_text(text, encoding="utf-8")
        common = SiteSettings(
            name=site.name,
            home=home,
            ledger=run / "ledger" / site.name / "ledger.jsonl",
            evaluations=settings.results.resolve() / KEPT / site.name,
            trainings=settings.results.resolve() / KEPT / site.name / "trainings",
            conf=(*overlay("conf"), *map(Path.resolve, settings.config_dirs)),  # in the order in which Hydra looks
            tasks=(*(path.resolve() / "tasks" for path in settings.config_dirs), *overlay("tasks")),
            threads=settings.engine.threads,
        )
        if isinstance(federation, SyntheticFederation):
            source = {
                "source": "synthetic",
                "organisations": tuple(
                    organisation.model_dump_json()
                    for name, organisation in federation.sites.items()
                    if name == site.name or (site.name == CENTRAL and organisation.trains)
                ),
                "recipe": settings.synthetic.model_dump_json(),
                "data_seed": settings.seed,
            }
        else:
            source = {"source": "folder", "data": (federation.path / site.name).resolve()}
        sites.append(common.model_copy(update=source))
    if settings.privacy.name == "secagg":
        peers = yaml.safe_dump({made.name: Identity.of(made.home).public for made in sites}, allow_unicode=True)
        for made in sites:
            (made.home / PEERS).write_text(peers, encoding="utf-8")
    return sites


def _central(settings: Settings) -> tuple[RosterSite, ...]:
    """The node that trains on everybody's synthetic data, where the run compares with it."""
    wanted = settings.trains and "central" in settings.stages
    return (RosterSite(name=CENTRAL, title=CENTRAL),) if wanted else ()


def node_config(site: SiteSettings) -> dict[str, str]:
    """A site's settings as a Flower node is started with them."""
    return {"name": site.name, "site": site.model_dump_json()}


def settings_digest(settings: Settings) -> str:
    """SHA-256 of all settings but the run's name and place."""
    return digest(settings.model_dump(mode="json", exclude={"name", "results"}))


def _git() -> str:
    """The commit of the checkout that runs, or an empty string for an installed package."""
    if not (CHECKOUT / "pyproject.toml").is_file():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(CHECKOUT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
