"""What a dry run prints has a schema that scripts can rely on, and words for people."""

import jsonschema
import pytest
from rich.console import Console

from federated_folder import settings_for, three_sites
from json_shapes import AMOUNT, DIGEST, FLAG, TEXT, WHOLE, closed, many, one_of
from kommunbench.cli.compose import make_plan
from kommunbench.cli.preview import describe, print_preview
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.errors import ConfigError

CODES = {"type": "object", "additionalProperties": one_of(*(code.name for code in Code))}

SCHEMA = closed(
    schema_version={"const": 1},
    run=TEXT,
    federation=TEXT,
    spec=DIGEST,
    tasks=many(closed(name=TEXT, digest=DIGEST, metrics=WHOLE)),
    models=many(closed(name=TEXT, digest=DIGEST, trained=FLAG)),
    quorum=WHOLE,
    deadline_s=AMOUNT,
    grace_s=AMOUNT,
    messages=WHOLE,
    sites=many(
        closed(
            name=TEXT,
            title=TEXT,
            trains=FLAG,
            status=one_of("ok", "refused", "missing", "failed"),
            says=TEXT,
            tasks=CODES,
            data=CODES,
            models=CODES,
            training=one_of(None, *(code.name for code in Code)),
            registration={"oneOf": [{"type": "null"}, DIGEST]},
        )
    ),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """One site that has all, one that lacks a task, one that was not there."""
    data = three_sites(tmp_path_factory.mktemp("told") / "data")
    plan = make_plan(settings_for(data, "models=[nano,lead]", "tasks=[summarization,lattlast]"))

    def answer(lattlast, training):
        held = {("task", "summarization"): Code.OK, ("task", "lattlast"): lattlast, ("data", "summarization"): Code.OK,
                ("data", "lattlast"): lattlast, ("model", "nano"): Code.OK, ("model", "lead"): Code.OK,
                ("training", "nano"): training}  # fmt: skip
        holds = [[*key, code.name] for key, code in held.items()]
        return {"status": "ok", "says": "answered", "holds": holds, "registration": "5" * 64}

    away = {"status": "missing", "says": "was not online when it was asked", "holds": [], "registration": None}
    answers = {
        "ekby": answer(Code.OK, Code.OK),
        "åvik": answer(Code.TASK_NOT_APPROVED, Code.TRAINING_DENIED),
        "öster": away,
    }
    return describe(plan, answers)


def test_the_schema_is_stable(told):
    jsonschema.validate(told, SCHEMA)


def test_before_anybody_has_answered_there_is_a_line_a_site(told, tmp_path):
    plan = make_plan(settings_for(three_sites(tmp_path / "data"), "strategy=none", "models=[lead]"))
    jsonschema.validate(describe(plan, {}), SCHEMA)
    assert {site["status"] for site in describe(plan, {})["sites"]} == {"missing"}


def test_a_person_reads_what_each_site_lacks(told):
    console = Console(width=80, record=True)
    print_preview(told, console)
    said = console.export_text()
    assert "ekby    ok        2 of 2   2 of 2   2 of 2   yes        5555555555555555" in said
    assert "åvik: task lattlast: has not approved the task (TASK_NOT_APPROVED)" in said
    assert "åvik: training: does not allow training (TRAINING_DENIED)" in said
    assert "öster: was not online when it was asked" in said
    assert "ekby:" not in said


def test_a_run_in_which_nobody_can_do_anything_is_refused() -> None:
    with pytest.raises(ConfigError, match="no model that can do any of the tasks") as refused:
        make_plan(compose_settings(["strategy=none", "models=[lead]", "tasks=[lattlast]"]))
    assert refused.value.exit_code == 2
