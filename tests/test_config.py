"""Words become settings: every file of conf/ composes, and every fault is told at once with the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kommunbench.config.hydra import compose_settings, run_hydra
from kommunbench.config.settings import Settings, read_settings
from kommunbench.core.errors import ConfigError
from kommunbench.core.folders import CONF, TASKS
from kommunbench.core.task import load_task
from kommunbench.federation.strategies import check_options

SEVERAL = {"models", "prompt", "scorecard", "tasks"}
"""Groups of which a run takes several options."""
NEEDED = {
    "engine=deployment": ["federation=deployed"],
    "federation=folder": ["federation.path=/srv/text"],
    "tracking=server": ["tracking.uri=http://localhost:5000"],
    **{f"models=[{path.stem}]": ["strategy=none"] for path in CONF.glob("models/*.yaml") if path.stem != "nano"},
}
"""What else has to be said where an option has a value to fill in, or a default that does not go with it."""
OPTIONS = [
    *((path.parent.name, path.stem) for path in sorted(CONF.glob("*/*.yaml"))),
    *(("tasks", path.stem) for path in sorted(TASKS.glob("*.yaml"))),
]


def word(group: str, option: str) -> str:
    if group == "experiment":
        return f"+experiment={option}"
    return f"{group}=[{option}]" if group in SEVERAL else f"{group}={option}"


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids="/".join)
def test_every_file_of_every_group_composes_and_is_valid(group: str, option: str) -> None:
    chosen = word(group, option)
    prompt = ["tasks=[summarization,guideline_qa,lattlast]"] if group == "prompt" else []
    settings = compose_settings([chosen, *NEEDED.get(chosen, []), *prompt])
    if group in SEVERAL:
        assert list(getattr(settings, group)) == [option]
        assert getattr(settings, group)[option].name == option
    elif group == "experiment":
        assert settings.name.startswith(f"{option}-")
    elif group == "tracking":
        assert settings.tracking.enabled is (option != "off")
    elif group != "synthetic":
        assert getattr(settings, group).name == option
    if settings.trains:
        check_options(settings.strategy)


def test_the_defaults_are_the_main_job() -> None:
    settings = compose_settings([])
    assert list(settings.tasks) == ["summarization", "guideline_qa", "lattlast"]
    assert list(settings.models) == ["nano", "lead", "copy", "retrieval"]
    assert (settings.federation.name, settings.strategy.name, settings.engine.name) == ("pilot", "fedavgm", "local")
    assert settings.folder.parent == Path("results")
    assert settings.tasks["lattlast"] == load_task("lattlast")


def test_words_override_what_the_files_say_and_leave_the_rest() -> None:
    words = ["tasks=[lattlast]", "tasks.lattlast.max_new_tokens=64", "models=[nano,lead]", "train.rank=3", "rounds=7"]
    settings = compose_settings([*words, "strategy=fedprox", "strategy.proximal_mu=0.5", "name=mitt"])
    assert settings.tasks["lattlast"] == load_task("lattlast").model_copy(update={"max_new_tokens": 64})
    assert (settings.train.rank, settings.rounds, settings.strategy.proximal_mu) == (3, 7, 0.5)
    assert settings.train.alpha == compose_settings([]).train.alpha
    assert settings.folder == Path("results/mitt")


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = compose_settings([])
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 2  # type: ignore[misc]


def faults_of(*words: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        compose_settings(words)
    assert caught.value.exit_code == 2
    return [str(fault) for fault in caught.value.faults]


def test_all_unknown_words_are_told_at_once_with_the_nearest_name() -> None:
    told = faults_of("model.revison", "models.nano.revison=1", "trian.rank=3", "tasks=[lattlst]", "engine.worker=3")
    assert sorted(told) == [
        "engine.worker: unknown setting (did you mean 'workers'?)",
        "model.revison: not an override (write model.revison=...)",
        "models.nano.revison: unknown setting (did you mean 'revision'?)",
        "tasks: there is no 'lattlst' (did you mean 'lattlast'?)",
        "trian.rank: unknown setting (did you mean 'train'?)",
    ]


def test_all_values_out_of_bounds_are_told_at_once() -> None:
    told = faults_of("seed=abc", "rounds=-1", "train.rank=0", "federation.sites.lovsala.kind=village", "deadline_s=0")
    places = {fault.partition(":")[0] for fault in told}
    assert places == {"seed", "rounds", "train.rank", "federation.sites.lovsala.kind", "deadline_s"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["seed=1,2"], "seed: several values (seed=[1,2] for all of them in one run; -m for a run each)"),
        (["strategy=fedadm"], "strategy: there is no 'fedadm' (did you mean 'fedadam'?)"),
        (["strategy.options={a:1}"], "strategy.options: has no value that could be replaced (+strategy.options={a:1})"),
        (["+experiment=quik"], "experiment: there is no 'quik' (did you mean 'quick'?)"),
        (["models.nano.famly=copy"], "models.nano.famly: unknown setting (did you mean 'family'?)"),
        (["+models.nano.famly=copy"], "models.nano.famly: unknown setting (did you mean 'family'?)"),
        (["tasks.lattlast.prompt=x"], "tasks.lattlast.prompt: unknown setting (did you mean 'prompts'?)"),
        (
            ["models=[lead]", "tasks=[summarization]"],
            "trained_model: 'nano' is not among the models of the run (there is lead;"
            " or strategy=none to train nothing)",
        ),
        (["trained_model=lead"], "trained_model: lead cannot be trained (strategy=none evaluates it as it is)"),
        (
            ["prompt=[few_shot]", "prompt.few_shot.variant=plane", "tasks=[lattlast]"],
            "prompt: task lattlast has no instruction variant 'plane' (did you mean 'plain'?)",
        ),
    ],
)  # fmt: skip
def test_a_fault_says_what_and_where_and_what_to_do(words: list[str], fault: str) -> None:
    assert faults_of(*words) == [fault]


def test_strategy_options_are_checked_before_a_run_and_all_at_once() -> None:
    strategy = compose_settings(["strategy=fedadam", "+strategy.options={taau:1,min_train_nodes:9}"]).strategy
    with pytest.raises(ConfigError) as caught:
        check_options(strategy)
    told = [str(fault) for fault in caught.value.faults]
    assert told[0] == "strategy.options: fedadam has no option 'taau' (did you mean 'tau'?)"
    assert told[1].startswith("strategy.options: fedadam has no option 'min_train_nodes' (there is eta, eta_l")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a task, a model and an experiment."""
    home = tmp_path / "home"
    for folder in ("tasks", "conf/models", "conf/experiment"):
        (home / folder).mkdir(parents=True)
    task = {**yaml.safe_load((TASKS / "lattlast.yaml").read_text(encoding="utf-8")), "name": "own"}
    (home / "tasks" / "own.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    (home / "conf/models/mine.yaml").write_text("# @package models.mine\nname: mine\nfamily: copy\ntasks: [own]\n")
    (home / "conf/models/lead.yaml").write_text(
        "# @package models.lead\nname: lead\nfamily: lead\noptions: {sentences: 5}\n"
    )
    (home / "conf/experiment/mine.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /tasks: [own]\n  - override /models: [mine]\n  - override /strategy: none\n"
    )  # fmt: skip
    monkeypatch.setenv("KOMMUNBENCH_HOME", str(home))
    return home


def test_a_users_folder_adds_to_every_group_and_comes_first(own_home: Path) -> None:
    settings = compose_settings(["+experiment=mine"])
    assert (list(settings.tasks), list(settings.models)) == (["own"], ["mine"])
    lead = compose_settings(["models=[lead]", "strategy=none"]).models["lead"]
    assert lead.options == {"sentences": 5}
    assert faults_of("tasks=[ownn]") == ["tasks: there is no 'ownn' (did you mean 'own'?)"]


def hydra_jobs(*words: str) -> list[tuple[Settings, str]]:
    """What `kommunbench run WORDS` would run."""
    jobs: list[tuple[Settings, str]] = []
    run_hydra(list(words), lambda settings, resolved: jobs.append((settings, resolved)))
    return jobs


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["kommunbench"])
    return folder


def test_a_sweep_gives_every_value_a_run_of_its_own_name(empty_folder: Path) -> None:
    jobs = hydra_jobs("-m", "name=svep", "strategy=fedavg,median")
    assert [settings.strategy.name for settings, _ in jobs] == ["fedavg", "median"]
    assert [str(settings.folder) for settings, _ in jobs] == ["results/svep-0", "results/svep-1"]


def test_what_a_run_keeps_of_its_configuration_gives_the_same_settings_again(empty_folder: Path) -> None:
    ((settings, resolved),) = hydra_jobs("tasks=[lattlast]", "train.rank=3")
    assert read_settings(yaml.safe_load(resolved)) == settings


def test_one_wrong_value_of_a_sweep_leaves_the_others_and_is_told_at_the_end(empty_folder: Path) -> None:
    seeds: list[int] = []
    with pytest.raises(ConfigError) as caught:
        run_hydra(["-m", "seed=1,x,3"], lambda settings, _: seeds.append(settings.seed))
    assert seeds == [1, 3]
    assert [fault.where for fault in caught.value.faults] == ["seed"]


def test_a_folder_named_on_the_command_line_adds_a_model_and_the_run_remembers_it(empty_folder: Path) -> None:
    (empty_folder / "extra/models").mkdir(parents=True)
    (empty_folder / "extra/models/mine.yaml").write_text("# @package models.mine\nname: mine\nfamily: copy\n")
    ((settings, resolved),) = hydra_jobs("--config-dir", "extra", "models=[mine]", "strategy=none")
    assert settings.models["mine"].family == "copy"
    assert [path.resolve() for path in settings.config_dirs] == [empty_folder / "extra"]
    assert read_settings(yaml.safe_load(resolved)) == settings


@pytest.mark.parametrize("words", [["seed=x"], ["trian.rank=3"], ["federation=folder"], ["seed=1", "rounds"]])
def test_what_cannot_be_run_leaves_nothing_behind(empty_folder: Path, words: list[str]) -> None:
    with pytest.raises(ConfigError):
        run_hydra(words, lambda *_: pytest.fail("it was run"))
    assert list(empty_folder.iterdir()) == []


def test_no_value_is_quoted_in_a_fault() -> None:
    secret = "hemligt-värde"
    raw: dict[str, Any] = {"seed": secret, "tasks": {"t": {"name": secret}}, secret: 1}
    with pytest.raises(ConfigError) as caught:
        read_settings({key: value for key, value in raw.items() if key != secret})
    assert secret not in str(caught.value)
