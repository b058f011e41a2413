"""What is logged: a report becomes nodes, one for each MLflow run to be. No MLflow in here.

Every system measures under the same names, so that MLflow's charts and parallel coordinates line them up:

    primary/<task>               the measure that ranks models, once more under a name that needs no looking up
    <task>/<measure>             its value; the step is the round, and step 0 of a federated system is its base model
    <task>_interval/<measure>_low, _high   of the primary measure; the report has all of them, and a list opens sooner
    <task>_counts/scored, unscored, sites, suppressed, refused, missing, failed
    gain/<task>, <task>_low, <task>_high, <task>_p_holm    on the run itself: federated less base, primary measure
    standing/tasks, leads        on how many tasks a system has a place, and on how many none is surely better
    run_cost/<what>                                        on the run itself, by round
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from kommunbench.core.digests import digest
from kommunbench.core.masking import MASKED_SUM
from kommunbench.report.record import RunFolder, RunInfo
from kommunbench.report.rows import PairRow, Report, Row, RowKey

LONGEST = 4900
"""Characters of a tag's value that every kind of MLflow store takes."""


@dataclass(slots=True)
class Node:
    """One MLflow run to be. `key` is unique within the benchmark run, `parent` is another node's key."""

    key: str
    name: str
    level: Literal["run", "system", "site"]
    parent: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: dict[tuple[str, int], float] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def put(self, metric: str, step: int, value: float | None) -> None:
        """Add a point; what is not available stays absent and never becomes 0."""
        if value is not None:
            self.points[(metric, step)] = float(value)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that is logged of it."""
        points = sorted([name, step, value] for (name, step), value in self.points.items())
        return digest([self.name, self.parent, self.params, self.tags, points, self.tasks])


def make_nodes(folder: RunFolder, info: RunInfo, report: Report, sites: bool = True) -> list[Node]:
    """Every node of a run, parents before children; `sites` also those of sites that let their own values out."""
    systems = _system_nodes(info, report)
    return [_run_node(folder, info, report), *systems, *(_site_nodes(info, report) if sites else [])]


def gains(report: Report) -> Iterator[PairRow]:
    """Federated against base on the primary measure: the same model and prompt, all sites, the first seed."""
    for pair in report.pairs:
        left, right = pair.left, pair.right
        same = _asked(left) == _asked(right)
        stages = (left.stage, right.stage) == ("federated", "base")
        if pair.primary and same and stages and left.site_group == "all" and left.seed == report.seed:
            yield pair


def _asked(key: RowKey) -> tuple[str, ...]:
    return (key.task, key.metric, key.model, key.prompt)


def _run_node(folder: RunFolder, info: RunInfo, report: Report) -> Node:
    spec = info.spec
    node = Node("run", folder.name, "run", tasks=tuple(task.name for task in spec.tasks))
    node.params = {
        "run": spec.run,
        "federation": info.federation,
        "tasks": " ".join(node.tasks),
        "models": " ".join(model.name for model in spec.models),
        "prompts": " ".join(prompt.name for prompt in spec.prompts),
        "strategy": info.strategy,
        "engine": info.engine,
        "rounds": str(spec.rounds),
        "seed": str(spec.seed),
        "privacy": spec.privacy,
        "dp": spec.dp.name,
        "sites": str(len(info.roster)),
    }
    if spec.train:
        node.params["trained_model"] = spec.trained_model
        node.params |= {f"train.{name}": str(value) for name, value in spec.train.model_dump().items()}
    node.tags = {
        **{f"task.{task.name}": task.digest for task in spec.tasks},
        **{f"model.{model.name}": model.digest for model in spec.models},
        "mlflow.note.content": _describe(report),
    }
    for pair in gains(report):
        task, step = pair.left.task, pair.left.round
        prompt = f"_{pair.left.prompt}" if len(spec.prompts) > 1 else ""
        node.put(f"gain/{task}{prompt}", step, pair.difference)
        for name in ("low", "high", "p_holm"):
            node.put(f"gain/{task}{prompt}_{name}", step, getattr(pair, name))
    for metric, step, value in _costs(folder, report.complete):
        node.put(metric, step, value)
    return node


def _costs(folder: RunFolder, complete: bool) -> Iterator[tuple[str, int, float]]:
    """What each round took, by the replies' own account. Seconds are the slowest site's, for all work at once.

    The last round of an interrupted run is left out: it may go on, and MLflow takes no point of a curve back.
    """
    rounds: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for reply in folder.received():
        if found := re.fullmatch(r"(?:seed-\d+-)?round-(\d+)", reply.moment):
            total = rounds[int(found[1])]
            total["run_cost/seconds"] = max(total["run_cost/seconds"], reply.seconds)
            total["run_cost/bytes"] += reply.bytes_in + reply.bytes_out
            total["run_cost/examples"] += reply.cost.examples + reply.cost.train_examples
            total["run_cost/tokens"] += reply.cost.prompt_tokens + reply.cost.new_tokens + reply.cost.train_tokens
            total["run_cost/sites"] += reply.status == "ok" and reply.site != MASKED_SUM
    for step, total in rounds.items():
        if not complete and step == max(rounds):
            continue
        yield from ((metric, step, value) for metric, value in total.items())


def _system_nodes(info: RunInfo, report: Report) -> list[Node]:
    """A node for each (model, prompt, stage, seed); the seed is in its name only where there are several.

    Its values are those of all sites; of adapters that each site trained alone, those at the site that trained it.
    """
    rows = [row for row in report.rows if row.site_group == ("own" if row.stage == "local" else "all")]
    nodes: dict[str, Node] = {}
    for row in rows:
        key = _system_key(row)
        node = nodes.setdefault(key, _system_node(info, row, key))
        node.tasks = tuple(dict.fromkeys((*node.tasks, row.task)))
        _put_row(node, row, row.round)
    _start_curves(nodes.values(), rows)
    _place(nodes, report)
    return list(nodes.values())


def _place(nodes: Mapping[str, Node], report: Report) -> None:
    """What every system has, whichever its tasks: how many it stands on, and on how many nothing is surely better."""
    for board in report.leaderboards:
        for standing in board.standings:
            node = nodes.get(_system_key(standing.row))
            if node is not None and standing.tie_group is not None:
                step = standing.row.round
                for name, more in (("tasks", 1), ("leads", int(standing.tie_group == 1))):
                    point = (f"standing/{name}", step)
                    node.points[point] = node.points.get(point, 0.0) + more


def _start_curves(nodes: Iterable[Node], rows: list[Row]) -> None:
    """Step 0 of a federated system is its base model: a fresh adapter changes no answer."""
    for node in nodes:
        if node.params["stage"] == "federated":
            for row in rows:
                wanted = (node.params["model"], node.params["prompt"], "base")
                if (row.model, row.prompt, row.stage) == wanted and row.task in node.tasks:
                    _put_row(node, row, 0)


def _site_nodes(info: RunInfo, report: Report) -> list[Node]:
    nodes: dict[str, Node] = {}
    titles = {site.name: site.title for site in info.roster}
    for row in report.rows:
        group, _, site = row.site_group.partition("/")
        if group == "site" and row.value is not None:
            parent = _system_key(row)
            key = f"{parent}|{site}"
            if key not in nodes:
                node = nodes[key] = _system_node(info, row, key)
                node.level, node.parent, node.name = "site", parent, titles.get(site, site)
                node.params["site"] = node.tags["kommunbench.site"] = site
            _put_row(nodes[key], row, row.round)
    return list(nodes.values())


def _system_key(row: RowKey) -> str:
    return f"{row.model}|{row.prompt}|{row.stage}|{row.seed}"


def _system_node(info: RunInfo, row: Row, key: str) -> Node:
    seed = f" seed {row.seed}" if info.spec.replicates > 1 and row.stage != "base" else ""
    node = Node(key, f"{row.model} {row.prompt} {row.stage}{seed}", "system", "run")
    node.params = {
        "run": info.spec.run,
        "federation": info.federation,
        "model": row.model,
        "prompt": row.prompt,
        "stage": row.stage,
        "seed": str(row.seed),
        "strategy": info.strategy if row.stage == "federated" else "none",
    }
    digests = {model.name: model.digest for model in info.spec.models}
    node.tags = {f"kommunbench.{name}": node.params[name] for name in ("model", "prompt", "stage")}
    curve = "; steps are rounds, step 0 is the base model" if row.stage == "federated" else ""
    node.tags["mlflow.note.content"] = (
        f"**{row.model}** asked by `{row.prompt}`, stage *{row.stage}*{curve}. Part of {info.spec.run}."
    )
    node.tags["kommunbench.model_digest"] = digests.get(row.model, "")
    return node


def _put_row(node: Node, row: Row, step: int) -> None:
    node.put(f"{row.task}/{row.metric}", step, row.value)
    if row.primary:
        node.put(f"{row.task}_interval/{row.metric}_low", step, row.low)
        node.put(f"{row.task}_interval/{row.metric}_high", step, row.high)
        node.put(f"primary/{row.task}", step, row.value)
        node.put(f"{row.task}_counts/scored", step, row.n)
        for name in ("unscored", "sites", "suppressed", "refused", "missing", "failed", "unavailable", "withheld"):
            node.put(f"{row.task}_counts/{name}", step, getattr(row, name))


def _describe(report: Report) -> str:
    """The run's description in Markdown: where it stands, how sure that is, and how to make it again."""
    won = [pair for pair in gains(report) if pair.difference is not None]
    lines = [f"**{_gain(pair)}**  " for pair in won]
    lines += ["", f"*{report.note.en}*", ""] if report.note else [""]
    for board in report.leaderboards:
        task = next(task for task in report.tasks if task.name == board.task)
        better = {"higher": "higher is better", "lower": "lower is better"}.get(task.direction, "")
        lines += [f"### {task.title.en} ({board.metric}, {better})", ""]
        lines += ["| | system | value | 95 % interval | examples | sites |", "|--:|---|--:|---|--:|--:|"]
        for standing in board.standings:
            row = report.by_key[standing.row.key]
            interval = f"{row.low:.3f} to {row.high:.3f}" if row.low is not None and row.high is not None else "-"
            value = f"{row.value:.3f}" if row.value is not None else row.reason or "-"
            system = f"{row.model} {row.prompt} {row.stage}"
            lines.append(f"| {standing.rank} | {system} | {value} | {interval} | {row.n} | {row.sites} |")
        lines.append("")
    return _short("\n".join([*lines, f"Made by `{report.command}`."]))


def _gain(pair: PairRow) -> str:
    sure = {"left": "a gain", "right": "a loss"}.get(pair.better or "", "could be chance")
    p = f", p {pair.p_holm:.1g} after Holm" if pair.p_holm is not None else ""
    return f"{pair.left.task}, {pair.left.prompt}: federated less base {pair.difference:+.3f} ({sure}{p})"


def _short(text: str) -> str:
    """As much as a tag of MLflow holds."""
    end = "\n\n... the rest is in report.md"
    return text if len(text) <= LONGEST else text[: LONGEST - len(end)].rpartition("\n")[0] + end
