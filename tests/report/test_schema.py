"""report.json, its schema and results/README.md say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from kommunbench.report import build, rows
from kommunbench.report.rows import Report

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Path(build.__file__).with_name("report.schema.json")
README = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[BaseModel]] = {
    "report": rows.Report,
    "rows": rows.Row,
    "pairs": rows.PairRow,
    "leaderboards": rows.Leaderboard,
    "standings": rows.Standing,
    "scorecards": rows.ScorecardRow,
    "scorecard standings": rows.ScorecardStanding,
    "scorecard parts": rows.ScorecardPart,
    "roster": rows.SiteRow,
    "absences": rows.Absence,
    "tasks": rows.TaskRow,
    "dp": rows.DpRow,
    "cost": rows.CostRow,
    "spent": rows.MomentRow,
}
DEMANDED = (
    "task metric model prompt stage site_group round seed value unit direction primary low high low_new_site "
    "high_new_site n unscored suppressed sites refused missing worst_site worst_value reason"
)


def schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def test_the_schema_file_is_that_of_the_code() -> None:
    assert schema() == Report.model_json_schema(mode="serialization"), (
        'write it again: python -c "import json; from kommunbench.report.rows import Report; '
        "print(json.dumps(Report.model_json_schema(mode='serialization'), indent=1, ensure_ascii=False))\" "
        "> src/kommunbench/report/report.schema.json"
    )


def test_a_report_fits_the_schema(report: Report) -> None:
    text = json.loads(build.report_json(report))
    jsonschema.Draft202012Validator(schema()).validate(text)
    assert Report.model_validate(text) == report


@pytest.mark.parametrize("broken", [{"value": "0.5"}, {"stage": "later"}, {"extra": 1}, {"n": -1}])
def test_the_schema_refuses_what_is_not_a_report(report: Report, broken: dict[str, Any]) -> None:
    text = json.loads(build.report_json(report))
    text["rows"][0] |= broken
    assert not jsonschema.Draft202012Validator(schema()).is_valid(text)


def test_rows_have_the_fields_that_readers_were_promised() -> None:
    assert set(DEMANDED.split()) <= set(rows.Row.model_fields)
    assert {"difference", "low", "high", "p", "p_holm", "n", "paired"} <= set(rows.PairRow.model_fields)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_readme_states_every_field_and_no_other(section: str) -> None:
    text = re.search(rf"^### {section}\n(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL)
    cells = [line.split("|")[1] for line in text[1].splitlines() if line.startswith("| `")]
    stated = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(stated) == sorted(SECTIONS[section].model_fields)


def test_one_row_a_line(report: Report) -> None:
    lines = build.report_json(report).splitlines()
    assert sum('"site_group"' in line and '"value"' in line for line in lines) == len(report.rows)
