"""A later run takes over what sites have kept, and is compared with an earlier one example by example."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flwr.app import Context, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from federated_folder import rows, run, settings_for, three_sites, write_sites
from kommunbench.cli.compose import earlier_folders, make_plan
from kommunbench.core.answer import Code
from kommunbench.core.errors import ConfigError
from kommunbench.federation.client_app import serve
from kommunbench.federation.engines import local
from kommunbench.report.build import build_report
from kommunbench.report.earlier import carry_over
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import PairRow, Report
from kommunbench.report.tables import pair_table
from kommunbench.report.verify import verify_run

COMMON = ("strategy=none", "tasks=[summarization]", "costs=false")
BOTH = ("models=[copy,lead]", "models.copy.tasks=[]")


def report(data: Path, *words: str) -> Report:
    """A run, compared with earlier ones where `words` say so, and its report."""
    settings = settings_for(data, *COMMON, *words)
    carry_over(RunFolder(settings.folder), make_plan(settings).info, earlier_folders(settings))
    return build_report(run(settings))


def against(found: Report, model: str, group: str = "all") -> PairRow:
    """`model` against the earlier run's `lead`."""
    (pair,) = (pair for pair in found.earlier if (pair.left.model, pair.left.site_group) == (model, group))
    assert (pair.right.model, pair.right_run) == ("lead", "first")
    return pair


class InProcess:
    """A worker that is this process: six runs in the time of one. Messages cross as bytes all the same."""

    process = SimpleNamespace(pid=0)

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def ask(self, sent: bytes, node_config: dict[str, str], end: float) -> bytes:
        message = message_from_proto(ProtoMessage.FromString(sent))
        context = Context(1, message.metadata.dst_node_id, node_config, RecordDict(), {})
        return message_to_proto(serve(message, context)).SerializeToString()

    def end(self) -> None:
        """There is nothing to end."""


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_Worker", InProcess)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sites of 18, 23 and 31 examples, at which `lead` was evaluated in a run `first`."""
    data = three_sites(tmp_path_factory.mktemp("earlier") / "data")
    first = report(data, "models=[lead]", "name=first")
    assert (first.cost.examples, first.cost.reused) == (70, 0)  # each site's number to the nearest ten
    return data


@pytest.fixture(scope="module")
def within(data: Path) -> Report:
    """`copy` and `lead` in one run."""
    return report(data, *BOTH, "name=within")


@pytest.fixture(scope="module")
def across(data: Path, within: Report) -> Report:
    """The same once more, and against the first run."""
    return report(data, *BOTH, "earlier=[first]", "name=across")


def test_what_was_evaluated_before_is_taken_over_and_the_rest_evaluated(within: Report) -> None:
    assert (within.cost.examples, within.cost.reused) == (70, 70)


def test_the_same_again_evaluates_nothing_and_says_the_same(within: Report, across: Report) -> None:
    assert (across.cost.examples, across.cost.evaluate_seconds, across.cost.reused) == (0, 0, 150)
    assert across.rows == within.rows
    assert across.pairs == within.pairs


def test_a_pair_with_an_earlier_run_equals_the_same_pair_within_one(within: Report, across: Report) -> None:
    pair = against(across, "copy")
    (own,) = (one for one in within.pairs if one.left.site_group == "all" and one.primary)
    assert (pair.paired, pair.n, pair.sites) == (True, 72, 3)
    assert pair.difference == pytest.approx(own.difference if own.left.model == "copy" else -own.difference)
    assert pair.high - pair.low == pytest.approx(own.high - own.low)
    assert pair.p == pytest.approx(own.p)
    same = against(across, "lead")
    assert (same.difference, same.low, same.high, same.better) == (0, 0, 0, "tie")


def test_a_run_of_another_version_of_the_task_has_nothing_to_compare_with(data: Path) -> None:
    with pytest.raises(ConfigError, match="first has nothing to compare with"):
        make_plan(settings_for(data, *COMMON, *BOTH, "earlier=[first]", "tasks.summarization.version=9"))


def test_a_site_that_keeps_answers_takes_them_over_too_and_evaluates_anew_where_they_are_gone(tmp_path: Path) -> None:
    data = write_sites(tmp_path / "data", {"åvik": {"summarization": rows("summarization", 20, 0, "test")}})
    (data / "åvik" / "site.yaml").write_text("answers: keep\n", encoding="utf-8")
    only = ("models=[lead]", "quorum=1")
    costs, kept = [], {}
    for name in ("first", "again", "purged"):
        found = report(data, *only, f"name={name}")
        costs.append((found.cost.examples, found.cost.reused))
        (answers,) = (data.parent / "results" / name).glob("sites/åvik/answers/*/*.jsonl")
        kept[name] = answers.read_bytes()
        if name == "again":
            for path in (data.parent / "results").glob("*/sites/åvik/answers/*/*.jsonl"):
                path.unlink()
    assert costs == [(20, 0), (0, 20), (20, 0)]
    assert kept["first"] == kept["again"] == kept["purged"]


@pytest.mark.parametrize(("train", "scored"), [(9, 0), (10, 20)])
def test_worked_examples_are_drawn_from_enough_of_them(tmp_path: Path, train: int, scored: int) -> None:
    both = [*rows("summarization", 20, 0, "test"), *rows("summarization", train, 40, "train")]
    data = write_sites(tmp_path / "data", {"åvik": {"summarization": both}})
    found = report(data, "models=[lead]", "prompt=[few_shot]", "quorum=1", "name=worked")
    assert max(row.n for row in found.rows) == scored
    codes = {
        code
        for received in RunFolder(tmp_path / "results" / "worked").received("round-000")
        for _, code, _ in received.slots
    }
    assert (Code.TOO_FEW_EXAMPLES in codes) is (scored == 0)


@pytest.mark.slow
def test_a_run_may_ask_for_its_own_evaluation(data: Path, within: Report) -> None:
    again = report(data, *BOTH, "reuse=false", "name=anew")
    assert (again.cost.examples, again.cost.reused) == (150, 0)
    assert again.rows == within.rows


@pytest.mark.slow
def test_where_sites_kept_nothing_the_comparison_is_unpaired_and_says_so(data: Path, across: Report) -> None:
    shutil.move(data.parent / "results" / ".kept", data.parent / "elsewhere")
    try:
        found = report(data, *BOTH, "earlier=[first]", "name=unpaired")
    finally:
        shutil.rmtree(data.parent / "results" / ".kept")
        shutil.move(data.parent / "elsewhere", data.parent / "results" / ".kept")
    one, other = against(across, "copy"), against(found, "copy")
    assert (other.paired, other.n, other.sites) == (False, 72, 3)
    assert other.difference == one.difference
    assert "72, unpaired" in pair_table([other], found, "en", "").rows[0]


@pytest.mark.slow
def test_a_site_whose_data_changed_since_is_evaluated_anew_and_in_no_pair(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data.parent, tmp_path / "copy")
    changed = write_sites(tmp_path / "copy" / "data", {"ekby": {"summarization": rows("summarization", 18, 5)}})
    found = report(changed, *BOTH, "earlier=[first]", "name=changed")
    assert (found.cost.examples, found.cost.reused) == (40, 110)
    assert (against(found, "copy", "site/öster").paired, against(found, "copy", "site/öster").n) == (True, 31)
    assert against(found, "copy", "site/ekby").paired is False


def test_a_run_that_carries_numbers_over_is_whole_and_says_so(data: Path, across: Report) -> None:
    found = verify_run(RunFolder(data.parent / "results" / across.run))
    assert found.faults == []
    assert any("carried over" in remark for remark in found.remarks)
