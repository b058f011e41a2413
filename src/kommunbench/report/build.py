"""The report: a pure function of a run's folder. Building it again gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kommunbench.core.task import Bilingual, load_task
from kommunbench.report.dp import dp_row
from kommunbench.report.earlier import BEFORE
from kommunbench.report.estimate import rows
from kommunbench.report.leaderboard import leaderboards
from kommunbench.report.masked import masked_rows
from kommunbench.report.pareto import moment_rows
from kommunbench.report.pool import gather
from kommunbench.report.record import Received, RunFolder, RunInfo
from kommunbench.report.roster import cost_row, site_rows
from kommunbench.report.rows import PairRow, Report, TaskRow
from kommunbench.report.scorecard import scorecards
from kommunbench.report.versus import pair_rows

SYNTHETIC = Bilingual(
    sv="Alla texter är syntetiska data: påhittade av kommunbench, ingen verklig organisation eller person.",
    en="All texts are synthetic data: invented by kommunbench, no real organisation or person.",
)


def build_report(folder: RunFolder) -> Report:
    """Read a run's folder and work out its report. Nothing is written.

    Raises:
        DataError: the folder is no run.
        TaskError: a task of the run is no longer to be found.
        ConfigError: a metric of the run is no longer registered.
    """
    info = folder.info()
    answers = list(folder.received())
    received = [reply for reply in answers if not reply.moment.startswith(BEFORE)]
    tasks = _task_rows(info)
    primaries = {task.name: task.primary for task in tasks}
    declared = [pair for pair in info.pairs if not pair.right.run]
    if info.spec.privacy == "secagg":
        test, validation, pairs = masked_rows(received, info.roster, declared, primaries)
        earlier: list[PairRow] = []
    else:
        gathered = gather(info.roster, answers)
        own = gathered.own()
        test, validation = rows(own, info.roster, primaries, info.spec.dp)
        pairs = pair_rows(own, info.roster, declared, primaries, info.spec.dp)
        names = {before.spec: before.name for before in info.earlier}
        with_earlier = [pair for pair in info.pairs if pair.right.run]
        earlier = pair_rows(gathered.with_earlier(), info.roster, with_earlier, primaries, earlier=names)
    return Report(
        run=info.spec.run,
        kommunbench=info.spec.kommunbench,
        federation=info.federation,
        synthetic=info.synthetic,
        note=(info.note or SYNTHETIC) if info.synthetic else None,
        privacy=info.spec.privacy,
        dp=dp_row(info, received),
        engine=info.engine,
        strategy=info.strategy,
        seed=info.spec.seed,
        started_at=info.started_at,
        command=info.command,
        git=info.git,
        spec_digest=info.spec.digest,
        complete=_complete(received),
        tasks=tasks,
        about=info.about,
        leaderboards=leaderboards(test, pairs),
        scorecards=scorecards(info.scorecards, tasks, test),
        rows=tuple(test),
        pairs=tuple(pairs),
        earlier=tuple(earlier),
        validation=tuple(validation),
        roster=site_rows(info.roster, received),
        cost=cost_row(received),
        spent=moment_rows(received),
    )


def report_json(report: Report) -> str:
    """report.json: one row a line, so that two reports can be compared line by line."""
    parts = []
    for name, value in report.model_dump(mode="json").items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join("  " + _line(entry) for entry in value)
            parts.append(f" {json.dumps(name)}: [\n{inner}\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {_line(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _complete(received: Iterable[Received]) -> bool:
    closing = (reply for reply in received if reply.moment.endswith("close"))
    return any(reply.status == "ok" and not reply.moment.startswith("ratings-") for reply in closing)


def _task_rows(info: RunInfo) -> tuple[TaskRow, ...]:
    found = []
    stated = {task.name: task for task in info.tasks}
    for ref in info.spec.tasks:
        task = stated.get(ref.name) or load_task(ref.name)
        _, measure = task.primary_measure()
        found.append(
            TaskRow(
                name=task.name,
                version=task.version,
                title=task.title,
                primary=measure.name,
                direction=measure.direction,
                digest=ref.digest,
                changed=task.digest != ref.digest,
            )
        )
    return tuple(found)
