"""What a municipality is told: the advice, the price of quality, what staff said, and the card for publication."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from everything import with_everything

from fabricate import fabricate
from kommunbench.core.errors import DataError
from kommunbench.report.adoption import adoption_tables, site_cost_table
from kommunbench.report.card import card
from kommunbench.report.figures import figures
from kommunbench.report.judged import judged_tables
from kommunbench.report.markdown import markdown, site_page
from kommunbench.report.pareto import boards, moment_rows, pareto_tables, pareto_text, points
from kommunbench.report.rows import Report
from kommunbench.report.tables import task_of
from kommunbench.report.write import write_report


def test_advice_is_yes_where_training_won_and_nothing_untrained_is_as_good(report: Report) -> None:
    summaries, answers = ({row[0]: row[-1] for row in table.rows} for table in list(adoption_tables(report, "en"))[:2])
    assert summaries["Lövviks kommun"] == "yes: surely better here"
    assert answers["Lövviks kommun"] == "no: retrieval is at least as good here"
    assert summaries["Stenvikens kommun"] == "no number of its own"


def test_advice_follows_the_sites_own_test(report: Report) -> None:
    def changed(verdict: str) -> str:
        pairs = tuple(
            pair.model_copy(update={"better": verdict}) if pair.left.site_group == "site/lovvik" else pair
            for pair in report.pairs
        )
        table = next(iter(adoption_tables(report.model_copy(update={"pairs": pairs}), "sv", "lovvik")))
        return table.rows[0][-1]

    assert changed("right") == "nej: säkerställt sämre här"
    assert changed("tie") == "osäkert här; bättre över alla"


def test_a_run_that_was_interrupted_before_any_answer_has_a_report_without_advice(tmp_path: Path) -> None:
    folder = fabricate(tmp_path / "pilot", close=False)
    shutil.rmtree(folder.path / "releases")
    report = write_report(folder)
    assert report.pairs, "pairs are declared before anyone answers"
    assert list(adoption_tables(report, "sv")) == []
    assert "Lövviks kommun" in site_page(report, "lovvik", "sv")
    assert folder.path.joinpath("report.md").is_file()


def test_a_task_that_nobody_answered_takes_no_advice_from_the_others(report: Report) -> None:
    boards = tuple(board for board in report.leaderboards if board.task != "summarization")
    found = adoption_tables(report.model_copy(update={"leaderboards": boards}), "en")
    assert [table.rows for table in found] == [table.rows for table in list(adoption_tables(report, "en"))[1:]]


def test_one_site_gets_a_page_of_its_own(report: Report) -> None:
    page = site_page(report, "lovvik", "sv")
    assert "Lövviks kommun" in page
    assert "Norrhults" not in page
    assert re.search(r"\| Energi +\| +uppges bara för alla \|", page)
    assert "too few examples" in site_page(report, "stenviken", "en")
    with pytest.raises(DataError, match="lovvik"):
        site_page(report, "lovik")


def test_a_run_without_training_alone_has_no_column_of_it(report: Report) -> None:
    table = next(adoption_tables(report, "sv"))
    assert "Tränad ensam" not in table.header
    assert "Tränad ensam" in next(adoption_tables(with_everything(report), "sv")).header
    assert {len(cells) for cells in table.rows} == {len(table.header)} == {len(table.align)}


def test_a_site_that_held_something_back_has_no_zero_answers(report: Report) -> None:
    site = next(one for one in report.roster if one.name == "stenviken")
    cells = {cell for cells in site_cost_table(site.model_copy(update={"examples": 0}), "sv").rows for cell in cells}
    assert "uppges inte: något hölls inne" in cells
    assert "0" not in dict(site_cost_table(report.roster[0], "sv").rows)["Bedömda svar"].split()


def test_the_price_of_a_round_is_all_that_was_trained_and_sent_before_it(report: Report, fabricated) -> None:
    received = [reply for reply in fabricated.folder.received() if reply.moment in ("round-000", "round-001")]
    seconds = sum(reply.cost.train_ms for reply in received) / 1000
    sent = sum(reply.bytes_in + reply.bytes_out for reply in received) / 1e6
    _, board = boards(report)[0]
    found = {(point.row.model, point.row.round): point for point in points(report, board)}
    assert (found["nano", 2].seconds, found["nano", 2].megabytes) == (seconds, sent)
    assert (found["lead", 0].seconds, found["lead", 0].megabytes) == (0, 0)
    assert sum(moment.bytes_out for moment in report.spent) == report.cost.bytes_out


def test_energy_has_its_place_where_every_machine_tells_it_and_none_where_one_does_not(report, fabricated) -> None:
    def told(joules: int, silent: str = "") -> Report:
        replies = [
            reply.model_copy(update={"cost": replace(reply.cost, energy_j=0 if reply.site == silent else joules)})
            for reply in fabricated.folder.received()
        ]
        return report.model_copy(update={"spent": moment_rows(replies)})

    def after_two_rounds(report: Report) -> float | None:
        _, board = boards(report)[0]
        return next(point.kilojoules for point in points(report, board) if point.row.round == 2)

    known = told(250)
    trained = [reply for reply in fabricated.folder.received() if reply.moment in ("round-000", "round-001")]
    worked = sum(bool(reply.cost.evaluate_ms or reply.cost.train_ms) for reply in trained)
    assert after_two_rounds(known) == worked * 0.25 > 0
    assert "energi" not in pareto_text(known, "sv")
    unknown = told(250, silent="lovvik")
    assert after_two_rounds(unknown) is None
    assert "Alla datorer uppger inte sin energi" in pareto_text(unknown, "sv")
    assert figures(known)["pareto.svg"].count("kJ energi") == 3 > figures(unknown)["pareto.svg"].count("kJ energi")


def test_the_front_is_what_nothing_as_cheap_beats(report: Report) -> None:
    for _, board in boards(report):
        found = points(report, board)
        for point in found:
            beaten = any(
                other.seconds <= point.seconds and other.row.value >= point.row.value
                and (other.seconds, other.row.value) != (point.seconds, point.row.value)
                for other in found
            )  # fmt: skip
            assert point.front is not beaten
    assert len(list(pareto_tables(report, "sv"))) == 3


def test_without_training_there_is_no_price_and_no_advice(report: Report) -> None:
    still = report.model_copy(update={"spent": moment_rows([]), "pairs": ()})
    assert boards(still) == []
    assert "Nytta mot kostnad" not in markdown(still, "sv")
    assert "The run trained no model." in site_page(still, "lovvik")


def test_what_staff_said_is_shown_only_where_they_were_asked(report: Report) -> None:
    assert list(judged_tables(report, "sv")) == []
    like = next(row for row in report.rows if row.primary and row.site_group == "all" and row.task == "lattlast")
    said = {"rated_plain": 4.25, "rated_plain_good": 0.75, "agreement_plain": 0.61}
    rows = [like.model_copy(update={"metric": name, "primary": False, "value": value, "unit": "1–5"})
            for name, value in said.items()]  # fmt: skip
    held = like.model_copy(update={"metric": "rated_usable", "primary": False, "value": None, "n": 0, "suppressed": 2})
    asked = Report.model_validate(report.model_copy(update={"rows": (*report.rows, *rows, held)}).model_dump())
    (table,) = judged_tables(asked, "sv")
    lines = {row[1]: row for row in table.rows}
    assert lines["Klart språk"][2:7] == ("4,25", lines["Klart språk"][3], "0,75", "0,61", "–")
    assert lines["Användbart"][2] == "–"
    assert "2 undanhållna" in lines["Användbart"][-1]
    others = markdown(asked, "sv").split("## Övriga mått")[1]
    assert "rated_plain" not in others


def test_the_card_states_limits_and_how_to_reproduce(report: Report) -> None:
    text = card(report)
    assert "## What must not be concluded" in text
    assert "All text is synthetic" in text
    assert "held numbers back" in text
    assert report.spec_digest in text
    for board in report.leaderboards:
        assert f"### {task_of(report, board.task).title.en}" in text
    real = card(report.model_copy(update={"synthetic": False, "note": None, "complete": False}))
    assert "synthetic" not in real
    assert "The run was not finished" in real
