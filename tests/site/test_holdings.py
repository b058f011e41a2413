"""What a site holds of a run is told in codes: the run's own, before anybody works for it, and no number."""

import pytest

from federated_folder import rows, settings_for, write_sites
from kommunbench.cli.compose import make_plan, make_sites
from kommunbench.core.answer import Answer, Code
from kommunbench.core.spec import Request, holdings
from kommunbench.release import Ledger, Receipt, review, unpack, unpack_status
from kommunbench.release.past import Past
from kommunbench.release.policy import ReleasePolicy
from kommunbench.site.answer import answer_request

FEW, ENOUGH = 4, 12


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A run over one site: plenty of one task, little of another, none of the third; and that site's settings."""
    data = {"ekby": {"summarization": rows("summarization", ENOUGH), "lattlast": rows("lattlast", FEW)}}
    folder = write_sites(tmp_path_factory.mktemp("held") / "data", data)
    settings = settings_for(folder, "models=[nano,lead]", "quorum=1")
    return make_plan(settings).info.spec, make_sites(settings)[0]


def ask(spec, site, policy=""):
    """The site's answer under a policy, by what was asked; the release and its receipt."""
    (site.home / "site.yaml").write_text(policy or "min_examples: 10\n", encoding="utf-8")
    request = Request(spec=spec, action="holdings")
    release = answer_request(site, request, {})
    told = unpack(request, release.values, release.codes, release.cost)
    return {key: code for key, code, _ in told}, release


TASKS = ("summarization", "lattlast", "guideline_qa")


def everywhere(kinds, tasks, code):
    return {(kind, task): code for kind in kinds for task in tasks}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", {}),
        ("training: allow\nadapters: allow", {("training", "nano"): Code.OK}),
        ("results: approve", {}),  # nobody's yes is needed to say what is installed
        ("results: deny", everywhere(["data"], TASKS, Code.METRIC_NOT_ALLOWED)),
        ("noise: required", everywhere(["data"], TASKS, Code.NOISE_REQUIRED)),
        ("min_sites: 3", everywhere(["data"], TASKS, Code.TOO_FEW_SITES)),
        ("models: {nano: installed}", {("model", "lead"): Code.MODEL_NOT_APPROVED}),
        ("min_examples: 3\nmin_cell: 1", {("data", "lattlast"): Code.OK}),
        ("tasks: {summarization: installed}", everywhere(["task", "data"], TASKS[1:], Code.TASK_NOT_APPROVED)),
    ],
)
def test_each_thing_has_the_code_that_the_run_would_hear(asked, policy, expected):
    spec, site = asked
    plain = {tuple(each): Code.OK for each in holdings(spec)} | {
        ("data", "lattlast"): Code.TOO_FEW_EXAMPLES,
        ("data", "guideline_qa"): Code.NO_DATA,
        ("training", "nano"): Code.TRAINING_DENIED,
    }
    told, _ = ask(spec, site, policy)
    assert told == plain | expected


def test_another_digest_is_not_the_task_or_the_model_that_is_here(asked):
    spec, site = asked
    tasks = tuple(task.model_copy(update={"digest": "0" * 64}) for task in spec.tasks)
    models = tuple(model.model_copy(update={"digest": "0" * 64}) for model in spec.models)
    told, _ = ask(spec.model_copy(update={"tasks": tasks, "models": models}), site, "training: allow\nadapters: allow")
    assert set(told.values()) == {Code.TASK_NOT_APPROVED, Code.MODEL_NOT_APPROVED}


def test_no_number_is_in_it_and_the_receipt_has_the_datas_registration(asked):
    spec, site = asked
    _, release = ask(spec, site)
    assert len(release.values) == 0
    assert not any(release.cost)
    assert not release.adapter
    assert unpack_status(release.status) == (Code.OK, Code.OK)
    _, again = ask(spec, site)
    registration = Receipt.read(release.receipt).digests.data
    assert registration == Receipt.read(again.receipt).digests.data
    data = site.data / "lattlast.jsonl"
    before = data.read_text(encoding="utf-8")
    data.write_text("\n".join(before.splitlines()[1:]) + "\n", encoding="utf-8")
    _, changed = ask(spec, site)
    data.write_text(before, encoding="utf-8")
    assert registration != Receipt.read(changed.receipt).digests.data


def test_asking_is_in_the_ledger_and_is_no_run_of_the_year(asked):
    spec, site = asked
    ask(spec, site)
    entries = Ledger(site.ledger_path).entries()
    assert entries[-1]["action"] == "holdings"
    assert Past.of(entries, "another run").runs == 0


def test_a_broken_file_is_a_fault_and_is_not_quoted(asked):
    spec, site = asked
    data = site.data / "guideline_qa.jsonl"
    data.write_bytes("hemligt på gränsen\n".encode("cp1252"))
    told, release = ask(spec, site)
    data.unlink()
    assert told["data", "guideline_qa"] is Code.DATA_FAULT
    assert b"hemligt" not in release.payload()


def test_the_door_lets_no_value_out_in_place_of_a_code(asked):
    spec, _ = asked
    request = Request(spec=spec, action="holdings")
    policy = ReleasePolicy().with_installed((), {})
    key = next(slot.key for slot in request.slots())
    for answer in (Answer(values={key: (7, 0, 0)}), Answer(values={key: ()}), Answer(codes={key: "hemligt"})):
        release = review(policy, request, answer, None, Past())
        assert len(release.values) == 0
        assert Code.OK not in set(release.codes)
        assert not any(release.cost)
