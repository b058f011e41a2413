"""What a run would ask of whom, and which sites hold what it needs: `kommunbench run dry_run=true`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kommunbench.core.answer import Code
from kommunbench.core.errors import KommunbenchError
from kommunbench.federation.plan import Plan, schedule
from kommunbench.report.codes import remedy, reply_sentence, sentence

if TYPE_CHECKING:
    from kommunbench.config.settings import Settings

SHOWN = 16
"""Digits of a digest that are shown; with `dry_run=json` they are all there."""
PATIENCE_S = 300.0
"""A site measures the files of its models to tell whether they are the very same."""


def preview(settings: Settings, plan: Plan, console: Console) -> None:
    """Ask every site that is online what it holds for the run, and print it. Nothing is kept here of what they say.

    Raises:
        FederationError: the SuperLink does not answer; what is known without the sites is printed all the same.
    """
    as_json = settings.dry_run == "json"
    wait = nullcontext() if as_json else console.status("asking the sites what they hold")
    try:
        answers = _asked(settings, plan, wait)
    except KommunbenchError:
        _print(describe(plan, {}), as_json, console)
        raise
    _print(describe(plan, answers), as_json, console)


def _print(told: dict[str, Any], as_json: bool, console: Console) -> None:
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print_preview(told, console)


def _asked(settings: Settings, plan: Plan, wait: AbstractContextManager[Any]) -> dict[str, dict[str, Any]]:
    """What each site of the roster answered, by name, in the form of `describe`; `wait` is shown meanwhile."""
    from kommunbench.cli.compose import make_sites, node_config
    from kommunbench.federation.engines import opened_engine
    from kommunbench.federation.holdings import MOMENT
    from kommunbench.report.record import RunFolder

    logging.getLogger("flwr").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="kommunbench-") as place:
        there = settings.model_copy(update={"results": Path(place)})
        asking = {"ask": "holdings", "folder": str(there.folder), "deadline_s": min(plan.deadline_s, PATIENCE_S),
                  "grace_s": min(plan.grace_s, PATIENCE_S)}  # fmt: skip
        nodes = [node_config(site) for site in make_sites(there)]
        there.folder.mkdir(exist_ok=True)
        with opened_engine(settings.engine, nodes) as run_plan, wait:
            run_plan(plan.model_copy(update=asking))
        folder = RunFolder(there.folder)
        # A simulated site's key is made for this once, so its registration says nothing.
        receipts = {noted.site: noted.receipt for noted in folder.journal if noted.receipt and plan.coordinator}
        found = {}
        for received in folder.received(MOMENT):
            receipt = receipts.get(received.site)
            found[received.site] = {
                "status": received.status,
                "says": sentence(Code.OK).en if received.status == "ok" else reply_sentence(received).en,
                "holds": [[*key, code.name] for key, code, _ in received.slots],
                "registration": receipt.digests.data if receipt else None,
            }
        return found


def describe(plan: Plan, answers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is printed, with a stable schema: the specification's digests, and a code a site for each of them."""
    info, spec = plan.info, plan.info.spec
    moments = list(schedule(spec, plan.evaluate_every))
    unasked: dict[str, Any] = {"status": "missing", "says": "was not asked", "holds": [], "registration": None}
    sites = []
    for site in info.roster:
        answer = answers.get(site.name, unasked)
        held: dict[str, dict[str, str]] = {"task": {}, "data": {}, "model": {}, "training": {}}
        for kind, name, code in answer["holds"]:
            held[kind][name] = code
        sites.append(
            {
                "name": site.name,
                "title": site.title,
                "trains": bool(site.trains and spec.train),
                "status": answer["status"],
                "says": answer["says"],
                "tasks": held["task"],
                "data": held["data"],
                "models": held["model"],
                "training": next(iter(held["training"].values()), None) if site.trains else None,
                "registration": answer["registration"],
            }
        )
    return {
        "schema_version": 1,
        "run": spec.run,
        "federation": info.federation,
        "spec": spec.digest,
        "tasks": [{"name": task.name, "digest": task.digest, "metrics": len(task.metrics)} for task in spec.tasks],
        "models": [
            {"name": model.name, "digest": model.digest, "trained": model.name == spec.trained_model}
            for model in spec.models
        ],
        "quorum": plan.quorum,
        "deadline_s": plan.deadline_s,
        "grace_s": plan.grace_s,
        "messages": sum(1 for moment in moments if moment.cells or moment.following or moment.alone) + 1,
        "sites": sites,
    }


def print_preview(told: dict[str, Any], console: Console) -> None:
    """Digests of tasks and models, a line a site, and below it in words what each site lacks."""
    console.print(
        f"{told['run']} on {told['federation']}, specification {told['spec'][:SHOWN]}. "
        "Sites were asked what they hold and answered in codes; nothing was measured.",
        markup=False,
        highlight=False,
    )
    console.print(_digests("task", [(task, f"{task['metrics']} metrics") for task in told["tasks"]]))
    console.print(_digests("model", [(model, "trained" if model["trained"] else "as it is")
                                     for model in told["models"]]))  # fmt: skip
    table = Table("site", "answer", "tasks", "data", "models", "training", "registration",
                  box=SIMPLE_HEAD, pad_edge=False)  # fmt: skip
    for site in told["sites"]:
        counts = [_count(site[kind]) for kind in ("tasks", "data", "models")]
        training = "" if site["training"] is None else "yes" if site["training"] == Code.OK.name else "no"
        registration = (site["registration"] or "")[:SHOWN]
        table.add_row(site["name"], site["status"], *counts, training, registration)
    console.print(table)
    for site in told["sites"]:
        for line in lacks(site):
            console.print(f"{site['name']}: {line}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"\nThe run would send at most {told['messages']} messages to each of {len(told['sites'])} sites; "
        f"quorum {told['quorum']}, {told['deadline_s']:.0f} s for an answer, {told['grace_s']:.0f} s offline within it."
    )


def lacks(site: dict[str, Any]) -> Iterator[str]:
    """In words, with the code, each thing that the site does not have or does not give."""
    if site["status"] != "ok":
        yield site["says"]
    for kind, what in (("tasks", "task"), ("data", "data for"), ("models", "model")):
        for name, code in site[kind].items():
            if code != Code.OK.name:
                yield f"{what} {name}: {_words(code)}"
    if site["training"] not in (None, Code.OK.name):
        yield f"training: {_words(site['training'])}"


def _words(code: str) -> str:
    do = remedy(code)
    return f"{sentence(Code[code]).en} ({code})" + (f": {do.en}" if do else "")


def _count(codes: dict[str, str]) -> str:
    return f"{sum(code == Code.OK.name for code in codes.values())} of {len(codes)}" if codes else ""


def _digests(what: str, rows: list[tuple[dict[str, Any], str]]) -> Table:
    table = Table(what, "digest", "", box=SIMPLE_HEAD, pad_edge=False)
    for row, note in rows:
        table.add_row(row["name"], row["digest"][:SHOWN], note)
    return table
