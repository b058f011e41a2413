"""Several runs side by side. Two runs are not paired: each has its own answers, so only intervals are compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from kommunbench.core.metric import Direction
from kommunbench.report.rows import Key, Report, Row
from kommunbench.report.tables import Table
from kommunbench.report.wording import NOTHING, Language, arrow, interval, number, say

Shared = tuple[str, str, str, str, str, int]
"""Task, measure, model, prompt, stage and which of the run's seeds, from 0: the last round stands for a run."""


class Line(NamedTuple):
    """One system on one measure in every run: its row, or None where the run has none."""

    task: str
    metric: str
    model: str
    prompt: str
    stage: str
    seed: int
    direction: Direction
    unit: str
    rows: tuple[Row | None, ...]


def compare(reports: Sequence[Report], primary_only: bool = True, site_group: str = "all") -> list[Line]:
    """Rows of all runs that are about the same thing, in the order of the first run that has them.

    A run's first seed is laid beside the other's first seed, whatever their numbers; `differences` says so.

    Where a task's digest differs between runs its rows are left apart: see `differences`.
    """
    last = [_last_rows(report, primary_only, site_group) for report in reports]
    keys = dict.fromkeys(key for rows in last for key in rows)
    lines = []
    for key in keys:
        rows = tuple(found.get(key) for found in last)
        example = next(row for row in rows if row is not None)
        lines.append(Line(*key[:5], example.seed, example.direction, example.unit, rows))
    return lines


def differences(reports: Sequence[Report]) -> list[str]:
    """What makes the runs hard to compare, in words: other tasks, sites or examples."""
    found = []
    for task in dict.fromkeys(task.name for report in reports for task in report.tasks):
        digests = {task_.digest for report in reports for task_ in report.tasks if task_.name == task}
        if len(digests) > 1:
            found.append(f"{task}: not the same version of the task")
    if len({tuple(site.name for site in report.roster) for report in reports}) > 1:
        found.append("not the same sites")
    if len({(report.seed, tuple(sorted(report.seeds or [report.seed]))) for report in reports}) > 1:
        others = ", and synthetic texts are others" if any(report.synthetic for report in reports) else ""
        found.append(f"not the same seeds: trained systems also differ by luck{others}")
    counts: dict[Key, set[int]] = {}
    for report in reports:
        for row in report.rows:
            if row.primary and row.site_group == "all":
                counts.setdefault(row.key, set()).add(row.n)
    if any(len(numbers) > 1 for numbers in counts.values()):
        found.append("not the same number of examples")
    return found


def compare_table(reports: Sequence[Report], language: Language = "en", primary_only: bool = True) -> Table:
    """Values with their intervals for these sites, a column a run."""
    rows = []
    for line in compare(reports, primary_only):
        cells = [
            NOTHING
            if row is None or row.value is None
            else f"{number(row.value, row.unit, language)} ({interval(row.low, row.high, row.unit, language)})"
            for row in line.rows
        ]
        system = f"{line.model}, {line.prompt}, {line.stage}"
        rows.append((line.task, f"{line.metric} {arrow(line.direction)}".strip(), system, *cells))
    head = say(language, "Uppgift|Mått|System", "Task|Measure|System").split("|")
    caption = say(
        language,
        "Körningar sida vid sida (95 %, dessa; oparat)",
        "Runs side by side (95 %, these; unpaired)",
    )
    return Table(caption, (*head, *_names(reports)), tuple(rows), "lll" + "r" * len(reports))


def compare_json(reports: Sequence[Report], primary_only: bool = False) -> str:
    """The same for programs: `{"runs": [...], "paired": false, "differences": [...], "lines": [...]}`."""
    lines = [
        {**line._asdict(), "rows": [None if row is None else row.model_dump(mode="json") for row in line.rows]}
        for line in compare(reports, primary_only)
    ]
    found = {"runs": [report.run for report in reports], "paired": False, "differences": differences(reports)}
    return json.dumps({**found, "lines": lines}, ensure_ascii=False, indent=1)


def _last_rows(report: Report, primary_only: bool, site_group: str) -> dict[Shared, Row]:
    last: dict[Shared, Row] = {}
    seeds = sorted(report.seeds)
    for row in report.rows:
        if row.site_group != site_group or (primary_only and not row.primary):
            continue
        which = 0 if row.stage == "base" else seeds.index(row.seed)
        key = (row.task, row.metric, row.model, row.prompt, row.stage, which)
        if key not in last or row.round > last[key].round:
            last[key] = row
    return last


def _names(reports: Sequence[Report]) -> list[str]:
    """Names of runs; two of the same name are told apart by their start."""
    names = [report.run for report in reports]
    return [
        name if names.count(name) == 1 else f"{name} {report.started_at}"
        for name, report in zip(names, reports, strict=True)
    ]
