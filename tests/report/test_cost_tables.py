"""What an answer of each system takes: sums of the sites that told, beside how good it is; untold is never 0."""

from __future__ import annotations

import pytest

from fabricate import SIZES, Fabricated
from kommunbench.core.spec import COST, Cell
from kommunbench.report.cost_tables import answering, answering_tables, answering_text, cost_table
from kommunbench.report.markdown import site_page
from kommunbench.report.rows import Report
from kommunbench.report.tables import measure_table

NANO = Cell("lattlast", "nano", "plain", "federated", 3, "test", 0)


def test_tokens_and_seconds_are_the_sums_over_the_sites_that_told(report: Report, fabricated: Fabricated) -> None:
    board = next(board for board in report.leaderboards if board.task == "lattlast")
    found = next(one for one in answering(report, board) if (one.row.model, one.row.round) == ("nano", 3))
    told = [site.site_group.removeprefix("site/") for site in report.rows
            if site.metric == "cost_seconds" and site.site_group.startswith("site/") and site.value is not None
            and (site.task, site.model, site.round) == ("lattlast", "nano", 3)]  # fmt: skip
    rows = [row for site in told for row in fabricated.tallies[site, NANO, COST]]
    assert len(rows) == sum(SIZES[site] for site in told)
    assert "stenviken" not in told, "it is too small to tell anything"
    assert found.seconds.value == sum(row[4] for row in rows) / 1e6 / len(rows)
    assert found.read is not None
    assert found.written is not None
    assert (found.read.value, found.written.value) == (sum(row[2] for row in rows) / len(rows), 25)
    assert found.seconds.suppressed == 1
    assert found.seconds.low is None, "dealt out evenly, so there is no spread to make an interval of"


def test_energy_that_no_machine_tells_has_no_column_and_is_said(report: Report) -> None:
    tables = list(answering_tables(report, "en"))
    assert len(tables) == len(report.tasks)
    for table in tables:
        assert "Joules" not in table.header
    assert "No machine told its energy" in answering_text(report, "en")
    assert "Ingen dator uppgav sin energi" in answering_text(report, "sv")


def test_on_the_front_is_what_nothing_quicker_matches(report: Report) -> None:
    for board in report.leaderboards:
        found = answering(report, board)
        places = [(one.row.value or 0, -round(1000 * (one.seconds.value or 0))) for one in found]
        for one, (good, quick) in zip(found, places, strict=True):
            beaten = any(other != (good, quick) and other[0] >= good and other[1] >= quick for other in places)
            assert one.front is not beaten
        assert len({one.front for one in found}) == 2


def test_what_a_system_told_of_nothing_is_neither_on_the_front_nor_off_it(report: Report) -> None:
    board = report.leaderboards[0]
    rows = [row.model_copy(update={"value": None}) if row.metric == "cost_seconds" else row for row in report.rows]
    silent = Report.model_validate({**report.model_dump(), "rows": rows})
    assert {one.front for one in answering(silent, board)} == {None}
    (table, *_) = answering_tables(silent, "en")
    assert not {"On the front", "Seconds"} & set(table.header), "a column of nothing is left away"
    assert {row[table.header.index("Tokens written")] for row in table.rows} == {"25.00", "0"}


def test_costs_are_in_one_table_alone_and_rounded_tokens_do_not_pass_for_none(report: Report) -> None:
    task, board = report.tasks[0], report.leaderboards[0]
    assert not [row for row in measure_table(task, board, report, "en").rows if row[0].startswith("cost_")]
    few = report.model_copy(update={"cost": report.cost.model_copy(update={"new_tokens": 0})})
    assert dict(cost_table(few, "en").rows)["Tokens written"] == "0, rounded"


@pytest.mark.parametrize(
    ("untold", "names"),
    [
        ({"examples": 0, "prompt_tokens": 0, "new_tokens": 0}, {"Model answers scored", "Tokens written"}),  # noise
        ({"prompt_tokens": 0, "new_tokens": 900}, set()),  # worked examples in the questions
    ],
)
def test_a_count_that_sites_do_not_tell_is_no_0(report: Report, untold: dict[str, int], names: set[str]) -> None:
    cost = report.cost.model_copy(update={"evaluate_seconds": 4.0, "examples": 90, **untold})
    rows = dict(cost_table(report.model_copy(update={"cost": cost}), "en").rows)
    assert {name for name, told in rows.items() if told == "not told"} == {*names, "Tokens (parts of words) read"}


def test_a_site_reads_what_an_answer_takes_on_its_own_machine(report: Report, fabricated: Fabricated) -> None:
    board = next(board for board in report.leaderboards if board.task == "lattlast")
    here = answering(report, board, "site/lovvik")
    found = next(one for one in here if (one.row.model, one.row.round) == ("nano", 3))
    rows = fabricated.tallies["lovvik", NANO, COST]
    assert found.seconds.value == sum(row[4] for row in rows) / 1e6 / len(rows)
    page = site_page(report, "lovvik", "en")
    assert "## What an answer takes at your site" in page
    assert "## Vad ett svar tar hos er" in site_page(report, "lovvik", "sv")
    assert "0.018" in page.split("## What an answer takes at your site")[1]
