"""The report's pictures as SVG. Labels are in both languages, so that one picture serves both reports.

Text stays text (any reader's own fonts show å, ä and ö, and a screen reader can read it), colours are Okabe and Ito's,
which differ for colour-blind readers too, and the bytes are the same every time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from kommunbench.core.spec import Stage
from kommunbench.report.cost_tables import ANSWERING, Answering, answering_boards, told
from kommunbench.report.figure_tables import site_pairs
from kommunbench.report.pareto import PARETO, Point, boards, points
from kommunbench.report.rows import Leaderboard, PairRow, Report, Row, RowKey, TaskRow
from kommunbench.report.sections import CURVES, FOREST, SITES, STAGES, gains_of, rounds
from kommunbench.report.stages import stages
from kommunbench.report.tables import SITES_SHOWN, at, primary_label, task_of
from kommunbench.report.wording import system

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, FEWEST_COLUMNS = 0.68, 2
"""Inches for a system's values in the table of sites, and for how many there is room at least: titles need it."""
INK, FAINT, GRID = "#1f2933", "#6b7785", "#e3e7ec"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7f6a00")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "kommunbench",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "white",
    "legend.frameon": False,
}
ALT = {
    "curves": "Huvudmåttet omgång för omgång · The primary measure round by round",
    "forest": "Vad gemensam träning ändrade hos var och en · What training together changed at each site",
    "pareto": "Nytta mot träningens kostnad · Quality against the cost of training",
    "stage_dots": "Ensam, tillsammans, eller allt på ett ställe · Alone, together, or all in one place",
    "answering_clouds": "Nytta mot sekunder per svar · Quality against seconds an answer",
    "sites": "Huvudmåttet organisation för organisation · The primary measure site by site",
}
STAGE_LABELS: dict[Stage, str] = {
    "base": "som den är · as it is",
    "local": "ensam · alone",
    "federated": "tillsammans · together",
    "central": "på ett ställe · in one place",
}
GROUP_LABELS = {"own": "egna\nown", "others": "andras\nothers'", "unseen": "nykomlingar\nnewcomers"}
AFTER = "nano +3: nano efter tre omgångar · nano after three rounds"
ABSENT = {"suppressed": "s", "refused": "r", "missing": "m", "failed": "f"}


def figures(report: Report) -> dict[str, str]:
    """SVG text by file name, of those pictures that the run has numbers for."""
    drawn: dict[str, str] = {}
    if rounds(report):
        drawn[CURVES] = _svg(curves, report)
    if any(pair.difference is not None for pair in gains_of(report)):
        drawn[FOREST] = _svg(forest, report)
    if boards(report):
        drawn[PARETO] = _svg(pareto, report)
    if answering_boards(report):
        drawn[ANSWERING] = _svg(answering_clouds, report)
    if stages(report):
        drawn[STAGES] = _svg(stage_dots, report)
    if report.leaderboards and report.privacy == "plain":
        drawn[SITES] = _svg(sites, report)
    return drawn


def _svg(draw: Callable[[Report], Figure], report: Report) -> str:
    import matplotlib as mpl

    mpl.use("svg", force=False)
    with mpl.rc_context(STYLE):
        figure = draw(report)
        if report.note:
            figure.text(1, -0.02, "syntetiska data · synthetic data", ha="right", va="top", fontsize=8, color=FAINT)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.15, metadata={"Date": None})
    text = buffer.getvalue().replace("<svg ", f'<svg role="img" aria-label="{ALT[draw.__name__]}" ', 1)
    return text.replace("font-family: 'DejaVu Sans'", "font-family: 'DejaVu Sans', Verdana, sans-serif")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _title(task: TaskRow) -> str:
    return f"{task.title.sv} · {task.title.en}"


def curves(report: Report) -> Figure:
    """The primary measure round by round with its interval for these sites; baselines as dashed lines."""
    boards = _boards(report)
    figure = _figure(3.7 * len(boards), 3.5)
    for axes, board in zip(_row_of(figure, len(boards)), boards, strict=True):
        task = task_of(report, board.task)
        trained, flat = _lines(report, board)
        labels = []
        for index, rows in enumerate([*trained, *([row] for row in flat)]):
            colour = COLOURS[index % len(COLOURS)]
            if index < len(trained):
                _ribbon(axes, rows, colour, MARKS[index % len(MARKS)])
            else:
                axes.axhline(rows[0].value or 0.0, color=colour, linestyle=(0, (4, 3)), linewidth=1.4)
            name = f"{rows[-1].model} central" if rows[-1].stage == "central" else rows[-1].model
            labels.append((rows[-1].value or 0.0, name, colour))
        last = max((row.round for rows in trained for row in rows), default=0)
        ticks = range(0, last + 1, max(1, last // 6))
        axes.set_xticks(ticks, ["bas\nbase", *map(str, ticks[1:])])
        axes.set_xlim(-0.15, last + 0.15)
        if task.direction == "higher" and all(row.unit == "share" for rows in trained for row in rows):
            axes.set_ylim(0, 1)
        axes.set_title(f"{task.title.sv}\n{task.title.en}")
        axes.set_ylabel(primary_label(task))
        axes.set_xlabel("omgång · round")
        axes.grid(axis="y")
        _end_labels(axes, labels)
    return figure


def _lines(report: Report, board: Leaderboard) -> tuple[list[list[Row]], list[Row]]:
    """Rows by round of every trained model (its base first, then one line a seed), and baselines' rows."""
    mine = [row for row in report.rows if row.primary and row.site_group == "all" and row.task == board.task]
    known = [row for row in mine if row.value is not None]
    lines: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in known:
        if row.stage not in ("base", "local"):
            lines.setdefault((row.model, row.prompt, row.stage, row.seed), []).append(row)
    base = {(row.model, row.prompt): row for row in known if row.stage == "base"}
    for (model, prompt, _, _), rows in lines.items():
        rows.sort(key=lambda row: row.round)
        if (model, prompt) in base:
            rows.insert(0, base[model, prompt])
    trained = {(model, prompt) for model, prompt, _, _ in lines}
    return list(lines.values()), [row for name, row in base.items() if name not in trained]


def _ribbon(axes: Axes, rows: Sequence[Row], colour: str, mark: str) -> None:
    """A line with its interval; a gap in the ribbon where a round has none."""
    at_round = [row.round for row in rows]
    axes.plot(at_round, [row.value or 0.0 for row in rows], color=colour, marker=mark, markersize=5, linewidth=2)
    low = [math.nan if row.low is None else row.low for row in rows]
    high = [math.nan if row.high is None else row.high for row in rows]
    axes.fill_between(at_round, low, high, color=colour, alpha=0.2, linewidth=0)


def _end_labels(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Names at the right end of their lines, pushed apart where they would overlap."""
    bottom, top = axes.get_ylim()
    apart, place = 0.07 * (top - bottom), -math.inf
    for value, text, colour in sorted(labels):
        place = max(value, place + apart)
        axes.annotate(text, (1, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
                      va="center", color=colour, fontsize=9, fontweight="bold", annotation_clip=False)  # fmt: skip


def forest(report: Report) -> Figure:
    """What training together changed, at every site and pooled, with 95 % intervals, for each task."""
    gains = [pair for pair in gains_of(report) if pair.difference is not None]
    lines = {id(pair): _forest_lines(report, pair) for pair in gains}
    heights = [len(lines[id(pair)]) + 1.6 for pair in gains]
    figure = _figure(7.6, 0.3 * sum(heights) + 0.5)
    grid = figure.subplots(len(gains), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, pair in zip(grid, gains, strict=True):
        task = task_of(report, pair.left.task)
        axes.axvline(0, color=FAINT, linewidth=1)
        rows = lines[id(pair)]
        for place, (_, found, pooled) in enumerate(rows):
            _whisker(axes, found, place, pooled)
        if pair.low_new_site is not None and pair.high_new_site is not None:
            place = len(rows) - 1
            axes.plot([pair.low_new_site, pair.high_new_site], [place + 0.32] * 2, color=COLOURS[0], linewidth=1.2,
                      linestyle=(0, (2, 2)))  # fmt: skip
        axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
        axes.get_yticklabels()[-1].set_fontweight("bold")
        axes.set_ylim(len(rows) - 0.3, -0.7)
        axes.set_title(f"{_title(task)}   ({task.primary}, {pair.left.model})")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
    grid[-1].set_xlabel("skillnad efter gemensam träning · difference after training together\n"
                        "streckat: liknande organisationer · dotted: sites like these", fontsize=9)  # fmt: skip
    return figure


def _forest_lines(report: Report, pooled: PairRow) -> list[tuple[str, PairRow | None, bool]]:
    """(label, pair, pooled) by site, then all sites; a pair is None where the site released none."""
    rows: list[tuple[str, PairRow | None, bool]] = [
        (title, pair if pair and pair.difference is not None else None, False)
        for title, pair in site_pairs(report, pooled)
    ]
    return [*rows, ("alla · all", pooled, True)]


def _whisker(axes: Axes, pair: PairRow | None, place: int, pooled: bool) -> None:
    if pair is None or pair.difference is None:
        axes.annotate("inget tal · no number", (0, place), xytext=(6, 0), textcoords="offset points", va="center",
                      color=FAINT, fontsize=8, fontstyle="italic")  # fmt: skip
        return
    colour = COLOURS[0] if pooled else FAINT
    if pair.low is not None and pair.high is not None:
        axes.plot([pair.low, pair.high], [place, place], color=colour, linewidth=2.6 if pooled else 1.6,
                  solid_capstyle="butt")  # fmt: skip
    axes.plot([pair.difference], [place], marker="D" if pooled else "o", color=colour, markersize=7 if pooled else 5)


def pareto(report: Report) -> Figure:
    """The primary measure against seconds of training, megabytes sent, and energy where every machine tells it."""
    priced = [(task, points(report, board)) for task, board in boards(report)]
    kinds = ["sekunder träning · seconds of training", "MB skickat · MB sent"]
    if all(point.kilojoules is not None for _, found in priced for point in found):
        kinds.append("kJ energi · kJ of energy")
    return _clouds(
        [
            (task, [(one, (one.seconds, one.megabytes, one.kilojoules or 0.0)) for one in found])
            for task, found in priced
        ],
        kinds,
    )


def _clouds(
    priced: Sequence[tuple[TaskRow, Sequence[tuple[Point | Answering, tuple[float, ...]]]]], kinds: Sequence[str]
) -> Figure:
    """A column a task and a row a kind of cost: its systems, each with a cost of every kind, against the measure."""
    figure = _figure(3.7 * len(priced), 3 * len(kinds))
    grid = figure.subplots(len(kinds), len(priced), sharey="col", squeeze=False)
    for column, (task, found) in enumerate(priced):
        points, costs = [point for point, _ in found], zip(*(prices for _, prices in found), strict=True)
        for axes, cost, words in zip(grid[:, column], costs, kinds, strict=False):
            _cloud(axes, points, cost)
            axes.set_xlabel(words)
            axes.set_ylabel(primary_label(task))
            axes.grid(visible=True)
        grid[0][column].set_title(f"{task.title.sv}\n{task.title.en}")
    words = "fylld: på fronten · filled: on the front\n" + AFTER
    figure.supxlabel(words, fontsize=8, color=FAINT, x=0, ha="left")
    return figure


def _cloud(axes: Axes, found: Sequence[Point | Answering], costs: Sequence[float]) -> None:
    """Points by name, the front joined by a line."""
    front = [(cost, point.row.value or 0.0) for point, cost in zip(found, costs, strict=True) if point.front]
    axes.plot(*zip(*front, strict=True), color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    middle = max(costs) / 2
    for point, cost in zip(found, costs, strict=True):
        value, fill = point.row.value or 0.0, COLOURS[0] if point.front else "white"
        axes.plot([cost], [value], marker="o", markersize=7, color=COLOURS[0], markerfacecolor=fill)
        name = f"{point.row.model} +{point.row.round}" if point.row.round else point.row.model
        above = not point.front or (cost > middle and point.row.direction != "lower")  # off the line of the front
        axes.annotate(name, (cost, value), xytext=(-4 if cost > middle else 6, 6 if above else -13), fontsize=8,
                      textcoords="offset points", ha="right" if cost > middle else "left")  # fmt: skip
    axes.margins(x=0.2, y=0.2)


def answering_clouds(report: Report) -> Figure:
    """The primary measure against seconds an answer, and joules where every system's are known, a panel a task."""
    priced = [(task, told(report, board)) for task, board in answering_boards(report)]
    kinds = ["sekunder per svar · seconds an answer"]
    if all(one.joules is not None and one.joules.value is not None for _, found in priced for one in found):
        kinds.append("joule per svar · joules an answer")
    return _clouds(
        [(task, [(one, (one.seconds.value or 0.0, _joules(one))) for one in found]) for task, found in priced], kinds
    )


def _joules(one: Answering) -> float:
    return 0.0 if one.joules is None else one.joules.value or 0.0


def stage_dots(report: Report) -> Figure:
    """Every task's primary measure by stage and group of sites: a large mark for the mean, a small one a seed."""
    found = stages(report)
    tasks = list(dict.fromkeys(one.task.name for one in found))
    figure = _figure(3.4 * len(tasks), 3.6)
    for axes, name in zip(_row_of(figure, len(tasks)), tasks, strict=True):
        mine = [one for one in found if one.task.name == name]
        for index, (stage, label) in enumerate(STAGE_LABELS.items()):
            colour, mark = COLOURS[index], MARKS[index]
            for place, one in enumerate(mine):
                values = one.values.get(stage, ())
                at_place = [place + (index - 1.5) * 0.16] * len(values)
                axes.plot(at_place, values, linestyle="", marker=mark, markersize=3.5, color=colour, alpha=0.45)
                mean = one.mean(stage)
                if mean is not None:
                    axes.plot(at_place[:1], [mean], linestyle="", marker=mark, markersize=8, color=colour,
                              label=label if place == 0 else None)  # fmt: skip
        axes.set_xticks(range(len(mine)), [GROUP_LABELS[one.group] for one in mine], fontsize=8)
        axes.set_xlim(-0.5, len(mine) - 0.5)
        if all(one.unit == "share" for one in mine):
            axes.set_ylim(0, 1)
        axes.set_title(f"{mine[0].task.title.sv}\n{mine[0].task.title.en}")
        axes.set_ylabel(primary_label(mine[0].task))
        axes.grid(axis="y")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
    return figure


def sites(report: Report) -> Figure:
    """Every site's own value for every system; a letter where there is none, which is never a colour of low."""
    boards = _boards(report)
    shown = report.roster[:SITES_SHOWN]
    columns = [max(len(board.standings), FEWEST_COLUMNS) for board in boards]
    names = max((len(site.title) for site in shown), default=0)
    figure = _figure(COLUMN * sum(columns) + 0.08 * names + 1, 0.36 * len(shown) + 2.2)
    grid = figure.subplots(1, len(boards), sharey=True, squeeze=False, width_ratios=columns)[0]
    for axes, board in zip(grid, boards, strict=True):
        keys = [standing.row for standing in board.standings]
        _heat(axes, [[at(report, key, f"site/{site.name}") for key in keys] for site in shown])
        axes.set_xticks(range(len(keys)), [_short(key, report) for key in keys], rotation=35, ha="right", fontsize=9,
                        rotation_mode="anchor")  # fmt: skip
        task = task_of(report, board.task)
        lines = (task.title.sv, task.title.en, primary_label(task))
        wide = int(COLUMN * max(len(keys), FEWEST_COLUMNS) / 0.08)
        axes.set_title("\n".join(fill(line, wide, break_long_words=False) for line in lines), fontsize=10)
        axes.spines[:].set_visible(False)
    grid[0].set_yticks(range(len(shown)), [site.title for site in shown])
    words = "s undanhållet suppressed · r nekat refused · m uteblivet missing · f misslyckat failed\n" + AFTER
    figure.supxlabel(words, fontsize=8, color=FAINT, x=0, ha="left")
    return figure


def _heat(axes: Axes, rows: Sequence[Sequence[Row | None]]) -> None:
    import numpy as np

    known = [row.value for line in rows for row in line if row is not None and row.value is not None]
    share = all(row is None or row.unit == "share" for line in rows for row in line)
    low, high = (0.0, 1.0) if share else (min(known, default=0.0), max(known, default=1.0))
    values = np.array([[np.nan if row is None or row.value is None else row.value for row in line] for line in rows])
    axes.set_facecolor("#f3f4f6")
    pale = high + 0.9 * (high - low)  # so that dark figures can be read on the strongest colour
    axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=low, vmax=pale, aspect="auto")
    for y, line in enumerate(rows):
        for x, row in enumerate(line):
            given = row is not None and row.value is not None
            text = f"{values[y, x]:.2f}" if given else _letter(row)
            axes.text(x, y, text, ha="center", va="center", fontsize=9, color=INK if given else FAINT,
                      fontstyle="normal" if given else "italic")  # fmt: skip
    axes.set_xticks(np.arange(-0.5, values.shape[1]), minor=True)
    axes.set_yticks(np.arange(-0.5, values.shape[0]), minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)


def _letter(row: Row | None) -> str:
    return "–" if row is None else next((letter for name, letter in ABSENT.items() if getattr(row, name)), "–")


def _short(key: RowKey, report: Report) -> str:
    """`nano +3` is nano after three rounds."""
    name = system(key, report, "en")
    return f"{key.model} +{key.round}" if key.round else name.removesuffix(", as it is")


def _boards(report: Report) -> list[Leaderboard]:
    """One leaderboard a task: that of the first seed."""
    first = {board.task: board for board in reversed(report.leaderboards)}
    return list(first.values())[::-1]


def _row_of(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(1, count, squeeze=False)[0])
