"""What people at a site read in its log where something is refused: what, where, and what to do now.

What the coordinator reads is in `tests/report/test_who_is_missing.py`. Unknown keys, wrong authorities, expired
certificates, replays and Flower's own version are refused before any request is read: `test_front.py`, `test_reach.py`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flwr.app import Message
from flwr.supercore.task_identity import TaskIdentity

from kommunbench import __version__
from kommunbench.cli.compose import make_spec
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request, RunSpec
from kommunbench.federation.deployment import front
from kommunbench.federation.deployment.bundle import bundle_digest
from kommunbench.federation.deployment.worker import answer
from kommunbench.federation.plan import base_cells
from kommunbench.federation.records import read_reply, write_request
from kommunbench.release import read_policy, refuse, unpack_status
from kommunbench.release.past import MINUTE_MS, Past
from kommunbench.site.home import SiteHome
from kommunbench.site.refusals import _spent, _task, refusals
from kommunbench.site.settings import SiteSettings
from kommunbench.site.setup import make_site

FOREIGN = "e" * 64


@pytest.fixture(scope="module")
def spec() -> RunSpec:
    words = ["strategy=none", "models=[lead]", "tasks=[summarization]", "tracking=off", "name=prov"]
    return make_spec(compose_settings(words))


@pytest.fixture(autouse=True)
def identity() -> Iterator[None]:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    yield
    TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = None


def site(place: Path, **policy: str) -> SiteSettings:
    """A site that has nothing yet but a policy."""
    home = SiteHome(place / "site")
    make_site(home, policy, Path("data"), 1)
    return home.site_settings("lovvik")


def refused(settings: SiteSettings, spec: RunSpec, bundle: str = "") -> tuple[Code, str]:
    """Ask for the base models' numbers; the reply's code, and the refusals in the site's own log."""
    request = Request(spec=spec, cells=base_cells(spec))
    message = Message(write_request(request, {}), 1, "query")
    content = answer(settings, bundle or bundle_digest(), message)
    code = unpack_status(read_reply(Message(content, 1, "query")).status)[0]
    log = (settings.home / "site.log").read_text(encoding="utf-8")
    return code, "\n".join(line for line in log.splitlines() if "refused (" in line)


def with_task(spec: RunSpec, **changed: object) -> RunSpec:
    return spec.model_copy(update={"tasks": (spec.tasks[0].model_copy(update=changed),)})


@pytest.mark.parametrize("version", ["99.0", "0.0.1"])
@pytest.mark.parametrize("bundle", ["", FOREIGN])
def test_a_newer_and_an_older_version_are_told_at_the_site(
    tmp_path: Path, spec: RunSpec, version: str, bundle: str
) -> None:
    code, said = refused(site(tmp_path), spec.model_copy(update={"kommunbench": version}), bundle)
    assert code is Code.VERSION_MISMATCH
    assert "run prov" in said
    assert f"asked by kommunbench {version}, and this site has {__version__}" in said
    assert f"install {version} here, or ask the coordinator for {__version__}" in said


def test_a_version_that_is_none_cannot_write_lines_of_its_own_into_the_log(tmp_path: Path, spec: RunSpec) -> None:
    _, said = refused(site(tmp_path), spec.model_copy(update={"kommunbench": "1\nrefused (OK): `rm -r /`"}))
    assert "kommunbench 1?refused??O, and" in said
    assert len(said.splitlines()) == 1


def test_a_foreign_bundle_is_told_at_the_site_with_both_digests(tmp_path: Path, spec: RunSpec) -> None:
    code, said = refused(site(tmp_path), spec, FOREIGN)
    assert code is Code.FOREIGN_BUNDLE
    assert f"the run came with app bundle {FOREIGN}, and this site takes {bundle_digest()} alone" in said
    assert "nothing was unpacked" in said
    assert "tell the coordinator" in said


def test_a_task_in_another_form_is_told_at_the_site_with_how_to_look_at_it(tmp_path: Path, spec: RunSpec) -> None:
    _, said = refused(site(tmp_path), with_task(spec, digest="0" * 64))
    here = spec.tasks[0].digest[:12]
    assert f"run prov: task summarization (000000000000) is not approved: the one here is {here}" in said
    assert "`kommunbench site task diff summarization` shows what changed" in said
    assert "`site task approve summarization`" in said
    assert said.count("TASK_NOT_APPROVED") == 1  # not a line a number


def test_a_task_that_is_not_here_is_told_as_that(tmp_path: Path, spec: RunSpec) -> None:
    request = Request(spec=with_task(spec, name="avgift"))
    assert "none of that name is here" in str(_task(site(tmp_path), request, "avgift", "run prov"))


def test_a_model_that_is_not_approved_is_told_at_the_site(tmp_path: Path, spec: RunSpec) -> None:
    other = spec.models[0].model_copy(update={"digest": "0" * 64})
    _, said = refused(site(tmp_path), spec.model_copy(update={"models": (other,)}))
    assert "run prov: model lead, as the run names it, is not here or not approved" in said
    assert "`kommunbench site model list`" in said


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"hours": '"00:00-00:01"'}, r"hours: 00:00-00:01, and it is \d\d:\d\d"),
        ({"max_new_tokens": "1"}, r"max_new_tokens: 1, and task summarization asks for \d+"),
    ],
)
def test_a_run_over_a_limit_is_told_which_and_where_the_limit_stands(
    tmp_path: Path, spec: RunSpec, policy: dict[str, str], words: str
) -> None:
    settings = site(tmp_path, **policy)
    _, said = refused(settings, spec)
    assert "refused (OVER_LIMIT): run prov" in said
    assert re.search(words, said)
    assert f"the limits are in {settings.policy_path}" in said


def test_spent_runs_and_minutes_are_told_with_how_many(tmp_path: Path, spec: RunSpec) -> None:
    policy = read_policy(site(tmp_path, runs_a_year="2", max_minutes="5").policy_path)
    said = list(_spent(policy, Past(runs=2, ms=6 * MINUTE_MS), Request(spec=spec)))
    assert said == [
        "runs_a_year: 2, and 2 other runs had their numbers in the last 365 days",
        "max_minutes: 5, and the run has had 6",
    ]


def test_a_spent_privacy_budget_is_told_with_both_limits(tmp_path: Path, spec: RunSpec) -> None:
    settings = site(tmp_path, epsilon_a_run="1.5", epsilon_a_year="4")
    request = Request(spec=spec, cells=base_cells(spec))
    ((code, fault),) = refusals(settings, request, refuse(Code.BUDGET_SPENT, request))
    assert code is Code.BUDGET_SPENT
    assert str(fault).startswith("run prov: it would cost more epsilon than is left of 1.5 a run and 4 a year (")
    assert str(settings.policy_path) in fault.do


def test_every_refusal_at_the_front_is_told_with_what_to_do() -> None:
    """Which refusals there are is read from the front's own source: a new one cannot be forgotten."""
    reasons = set(re.findall(r'Refusal\("([a-z ]+)"', inspect.getsource(front)))
    assert {"unknown key", "replay", "version", "clock"} < reasons
    assert reasons == set(front.REMEDIES)
