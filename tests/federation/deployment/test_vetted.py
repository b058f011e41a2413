"""Only vetted code sees data: the parts of flwr that this stands on, and what becomes of a foreign bundle."""

from __future__ import annotations

import inspect
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flwr.app import Message, RecordDict
from flwr.cli.install import install_from_fab
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.cli.flower_supernode import _parse_args_run_supernode
from flwr.supernode.runtime import run_clientapp

from kommunbench.cli.compose import make_spec
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request, RunSpec
from kommunbench.federation.deployment.bundle import bundle, bundle_digest
from kommunbench.federation.deployment.supernode import arguments
from kommunbench.federation.deployment.worker import answer
from kommunbench.federation.records import read_reply, write_request
from kommunbench.release import unpack_status
from kommunbench.site.home import SiteHome
from kommunbench.site.settings import SiteSettings
from kommunbench.site.setup import make_site


@pytest.fixture(scope="module")
def spec() -> RunSpec:
    return make_spec(compose_settings(["strategy=none", "models=[lead]", "tasks=[summarization]", "tracking=off"]))


@pytest.fixture
def site(tmp_path: Path) -> SiteSettings:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 1)
    return home.site_settings("lovvik")


@pytest.fixture(autouse=True)
def identity() -> Iterator[None]:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    yield
    TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = None


def code_of(content: RecordDict) -> Code:
    return unpack_status(read_reply(Message(content, 1, "query")).status)[0]


def ask(site: SiteSettings, bundle: str, request: Request) -> Code:
    return code_of(answer(site, bundle, Message(write_request(request, {}), 1, "query")))


def test_flower_itself_takes_our_bundle_and_finds_one_file_without_code(tmp_path: Path) -> None:
    folder = install_from_fab(bundle(), tmp_path, skip_prompt=True)
    files = [path for path in folder.rglob("*") if path.is_file() and ".info" not in path.parts]
    assert [path.name for path in files] == ["pyproject.toml"]
    assert zipfile.ZipFile(io.BytesIO(bundle())).namelist() == ["pyproject.toml", ".info/CONTENT"]


def test_our_bundle_is_served(site: SiteSettings, spec: RunSpec) -> None:
    assert ask(site, bundle_digest(), Request(spec=spec)) is Code.OK


def test_a_foreign_bundle_is_refused_logged_and_entered(site: SiteSettings, spec: RunSpec) -> None:
    assert ask(site, "e" * 64, Request(spec=spec)) is Code.FOREIGN_BUNDLE
    assert "FOREIGN_BUNDLE" in (site.home / "site.log").read_text(encoding="utf-8")
    assert spec.run in site.ledger_path.read_text(encoding="utf-8")


def test_of_two_reasons_the_version_is_told(site: SiteSettings, spec: RunSpec) -> None:
    newer = spec.model_copy(update={"kommunbench": "99.0"})
    assert ask(site, "e" * 64, Request(spec=newer)) is Code.VERSION_MISMATCH
    assert ask(site, bundle_digest(), Request(spec=newer)) is Code.VERSION_MISMATCH


def test_a_message_that_is_no_request_is_refused_whatever_it_came_with(site: SiteSettings) -> None:
    for sent, code in (("e" * 64, Code.FOREIGN_BUNDLE), (bundle_digest(), Code.BAD_REQUEST)):
        assert code_of(answer(site, sent, Message(RecordDict(), 1, "query"))) is code


def test_what_the_executor_calls_is_in_the_pinned_flwr() -> None:
    def takes(function: object) -> list[str]:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]

    assert takes(run_clientapp.pull_task_input) == ["client"]
    assert takes(run_clientapp.push_message) == ["client", "message", "context"]
    assert takes(run_clientapp.push_task_output) == ["client", "context", "sub_status", "details"]
    assert takes(make_task_heartbeat_fn_http) == ["client"]
    assert takes(HeartbeatSender) == ["heartbeat_fn"]
    assert takes(RuntimeTokenHttpInterceptor) == ["token"]
    assert set(takes(SuperExecAuthHttpInterceptor)) == {"master_secret", "protected_methods"}
    assert takes(RuntimeHttpClient.AcquireTask) == ["self", "request"]


def test_the_supernode_takes_our_arguments(site: SiteSettings) -> None:
    parsed = _parse_args_run_supernode().parse_args(arguments(SiteHome(site.home), "localhost:9092", 19000))
    assert (parsed.isolation, parsed.host, parsed.insecure) == ("process", "127.0.0.1", False)
    assert parsed.runtime_dependency_install is False
