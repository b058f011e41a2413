"""Staff at the site judge answers, in MLflow's own review page, on a store that is the site's alone.

    <home>/review/mlflow.db, mlartifacts/   the store: an experiment a task and rater, a trace an answer, a queue
    <home>/review/items.json                which answer a trace shows

A rater sees the question, the references and the answer, in an order of their own, and never the model's name nor what
another rater said. What the automatic measure gave is added to a trace after it was rated, so that it steers nobody.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.spec import CRITERIA, Cell
from kommunbench.core.task import Task, load_task
from kommunbench.site.answers import KeptAnswer, KeptAnswers
from kommunbench.site.evaluate import identity
from kommunbench.site.keep import KeptTallies
from kommunbench.site.private import write_private
from kommunbench.site.ratings import Rating, alias_of, automatic_scores, read_ratings, read_systems, write_ratings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Trace

FOLDER, ITEMS = "review", "items.json"
QUEUE = "Svar att bedöma"
QUESTIONS = {
    "correct": ("Riktigt", "Stämmer svaret med underlaget? Är något fel eller påhittat?"),
    "complete": ("Fullständigt", "Är allt som behövs med?"),
    "plain": ("Klart språk", "Kan den som svaret är till för läsa och förstå det?"),
    "usable": ("Användbart", "Kan du använda svaret i ditt arbete som det är?"),
}
"""What staff are asked, by criterion: the heading is the name of the assessment in MLflow."""
OPTIONS = ("1 – inte alls", "2 – knappt", "3 – delvis", "4 – i stort sett", "5 – helt")
AUTOMATIC = "Automatiskt mått"
FIELDS = {"input": "Underlag", "context": "Underlag", "question": "Fråga"}
"""Headings of a task's inputs; another input has its own name."""


class Item(NamedTuple):
    """One answer that a rater is given."""

    task: str
    rater: str
    example: str
    system: str


def review_folder(home: Path) -> Path:
    """Where the site's own MLflow lies; made for its owner alone."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def open_review(
    client: MlflowClient, home: Path, run: str, task: Task, rater: str, cells: Sequence[Cell], count: int
) -> str:
    """Lay out answers for a rater and give the address's fragment of the page; those laid out before are kept.

    Every rater is given the same examples, `count` of them a system, in an order of their own.

    Raises:
        DataError: no answers of these systems were kept.
    """
    import mlflow
    from mlflow.genai.review_queues import add_items_to_review_queue

    mlflow.set_tracking_uri(client.tracking_uri)
    experiment, queue = _queue(client, review_folder(home), task, rater)
    items = _items(home)
    had = {(item.example, item.system) for item in items.values() if (item.task, item.rater) == (task.name, rater)}
    new = []
    for cell in cells:
        answers = {answer.example: answer for answer in KeptAnswers(home).load(run, cell)}
        chosen = sorted(answers, key=lambda name: sha256(f"{run}:{name}".encode()).digest())[:count]
        alias = alias_of(home, run, cell, chosen) if chosen else ""
        new += [(name, alias, answers[name]) for name in chosen if (name, alias) not in had]
    random.Random(f"{run}:{task.name}:{rater}").shuffle(new)  # noqa: S311
    if not new and not had:
        raise DataError(Fault(f"no answers to {task.name} were kept in {run}", str(home)))
    made = {}
    for name, alias, answer in new:
        made[_lay_out(experiment, task, answer)] = Item(task.name, rater, name, alias)
    write_private(home / FOLDER / ITEMS, json.dumps(items | made, ensure_ascii=False) + "\n")
    if made:
        add_items_to_review_queue(queue, item_ids=list(made)[::-1])
    return f"#/experiments/{experiment}/review-queue?selectedQueueId={queue}"


def collect_ratings(client: MlflowClient, home: Path) -> dict[str, list[Rating]]:
    """Read what raters have said into `<home>/ratings/<task>.jsonl`, and give it by task.

    Ratings in those files that this store knows nothing of are kept.
    """
    import mlflow

    mlflow.set_tracking_uri(client.tracking_uri)
    items, systems = _items(home), read_systems(home)
    traces = {trace.info.trace_id: trace for trace in _traces(client)}
    by_task: dict[str, list[Rating]] = {}
    for name, item in items.items():
        if name in traces:
            by_task.setdefault(item.task, []).extend(_ratings(traces[name], item))
    for task, found in by_task.items():
        own = {(item.example, item.system, item.rater) for item in items.values() if item.task == task}
        others = [r for r in read_ratings(home, task) if (r.example, r.system, r.rater) not in own]
        by_task[task] = [*others, *found]
        write_ratings(home, task, by_task[task])
    for alias, rows in groupby(sorted(items.items(), key=lambda entry: entry[1].system), lambda entry: entry[1].system):
        system = systems[alias]
        scores = automatic_scores(load_task(system.cell.task), system.cell, KeptTallies(home / "tallies" / system.run))
        for name, item in rows:
            if name in traces and (score := scores.get(identity_of(item.example))) is not None:
                _show_score(traces[name], score)
    return by_task


def identity_of(example: str) -> str:
    """What kept tallies know the example of that id by."""
    from kommunbench.core.example import Example

    return identity(Example(example, {}))


def _items(home: Path) -> dict[str, Item]:
    path = home / FOLDER / ITEMS
    stated: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: Item(*item) for name, item in stated.items()}


def _queue(client: MlflowClient, folder: Path, task: Task, rater: str) -> tuple[str, str]:
    """The experiment of a task and rater and the queue in it, made where they are not there."""
    from mlflow.genai.label_schemas import InputCategorical, create_label_schema
    from mlflow.genai.review_queues import create_review_queue, get_review_queue

    name = f"Granskning: {task.title.sv} ({rater})"
    found = client.get_experiment_by_name(name)
    if found is not None:
        experiment = str(found.experiment_id)
        return experiment, get_review_queue(name=QUEUE, experiment_id=experiment).queue_id
    note = (
        "Välj **Start review**, läs frågan och svaret, svara på de fyra frågorna och välj **Submit**. Allt stannar "
        "hos er: inga betyg för sig, kommentarer eller namn lämnar organisationen, bara summor."
    )
    location = (folder.resolve() / "mlartifacts").as_uri()
    experiment = str(client.create_experiment(name, location, {"mlflow.note.content": note}))
    schemas = [
        create_label_schema(
            QUESTIONS[criterion][0],
            type="feedback",
            input=InputCategorical(options=list(OPTIONS)),
            instruction=QUESTIONS[criterion][1],
            enable_comment=criterion == "usable",
            experiment_id=experiment,
        ).schema_id
        for criterion in reversed(CRITERIA)  # MLflow asks the latest first
    ]
    queue = create_review_queue(
        QUEUE, queue_type="custom", users=["default"], schema_ids=schemas, experiment_id=experiment
    )
    return experiment, queue.queue_id


def _lay_out(experiment: str, task: Task, answer: KeptAnswer) -> str:
    """A trace that shows one answer, and nothing of whose it is; its id."""
    import mlflow

    parts = [f"**{task.title.sv}**"]
    parts += [f"**{FIELDS.get(name, name)}**\n\n{_plain(text)}" for name, text in answer.inputs.items()]
    parts += [f"**Ett gott svar, som exempel**\n\n{_plain(text)}" for text in answer.references[:1]]
    question = {"messages": [{"role": "user", "content": "\n\n".join(parts)}]}  # as a chat, MLflow shows it as text
    span = mlflow.start_span_no_context("svar", span_type="CHAT_MODEL", inputs=question, experiment_id=experiment)
    said = {"role": "assistant", "content": _plain(answer.answer) or "(tomt svar)"}
    span.set_outputs({"choices": [{"message": said}]})
    span.end()
    return str(span.trace_id)


def _plain(text: str) -> str:
    """Text as it is: nothing in it becomes Markdown, and its lines stay lines."""
    return re.sub(r"([\\`*_{}\[\]<>#+!|~-])", r"\\\1", text).replace("\n", "  \n")


def _traces(client: MlflowClient) -> Iterator[Trace]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_traces(locations=experiments, max_results=500, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _ratings(trace: Trace, item: Item) -> Iterator[Rating]:
    """What a person said of a trace, the last word on each criterion; the comment goes with `usable`."""
    criteria = {QUESTIONS[criterion][0]: criterion for criterion in CRITERIA}
    last: dict[str, Any] = {}
    for said in sorted(trace.info.assessments, key=lambda one: one.last_update_time_ms or 0):
        if said.name in criteria and said.source.source_type == "HUMAN" and said.valid is not False:
            last[criteria[said.name]] = said
    for criterion, said in last.items():
        if (value := str(said.value)[:1]) in "12345":
            yield Rating(
                example=item.example,
                system=item.system,
                rater=item.rater,
                criterion=criterion,
                value=int(value),
                comment=said.rationale or "",
            )


def _show_score(trace: Trace, score: float) -> None:
    """Add the automatic measure to a trace that a person has rated, once."""
    import mlflow
    from mlflow.entities import AssessmentSource

    names = {said.name for said in trace.info.assessments}
    if AUTOMATIC not in names and names & {heading for heading, _ in QUESTIONS.values()}:
        source = AssessmentSource(source_type="CODE", source_id="kommunbench")
        mlflow.log_feedback(trace_id=trace.info.trace_id, name=AUTOMATIC, value=round(score, 4), source=source)
