"""A small real federation of folders, run over the real apps in real worker processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kommunbench.cli.compose import make_plan, make_sites, node_config
from kommunbench.config.hydra import compose_settings
from kommunbench.config.settings import Settings
from kommunbench.federation.engines.local import LocalGrid, Wiretap, run_apps
from kommunbench.report.record import RunFolder

WORDS = ["bänk", "brygga", "ljus", "vinter", "avgift", "nämnd", "skola", "väg", "hus", "vatten", "möte", "beslut"]


def rows(task: str, count: int, salt: int = 0, split: str = "test") -> list[dict[str, Any]]:
    """Rows of a task whose texts differ from one another."""
    made = []
    for i in range(count):
        word, other = WORDS[(i + salt) % len(WORDS)], WORDS[(i * 5 + salt) % len(WORDS)]
        text = f"Nämnden tog upp frågan om {word} nr {i + salt}. Kostnaden är {100 + i} kronor. Även {other} nämndes."
        row: dict[str, Any] = {"id": f"{task}-{salt}-{i}", "split": split, "references": [f"{word} kostar {100 + i}."]}
        if task == "guideline_qa":
            row |= {"context": f"1 § {text}\n2 § Ring {other}.", "question": f"Vad kostar {word}?"}
            row["references"] = [f"{100 + i} kronor. (1 §)" if i % 3 else "Står inte i riktlinjen."]
        else:
            row["input"] = text
        made.append(row)
    return made


def write_sites(folder: Path, sites: Mapping[str, Mapping[str, list[dict[str, Any]]]]) -> Path:
    """DIR/<site>/<task>.jsonl."""
    for site, tasks in sites.items():
        (folder / site).mkdir(parents=True, exist_ok=True)
        for task, lines in tasks.items():
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            (folder / site / f"{task}.jsonl").write_text(text, encoding="utf-8")
    return folder


TASKS = ("summarization", "guideline_qa", "lattlast")


def three_sites(folder: Path) -> Path:
    """Three sites of uneven size with all three tasks."""
    sizes = {"ekby": 18, "åvik": 23, "öster": 31}
    return write_sites(folder, {site: {task: rows(task, size, size) for task in TASKS} for site, size in sizes.items()})


def settings_for(data: Path, *words: str) -> Settings:
    """Settings of a run on `data`, without tracking."""
    results = f"results={data.parent / 'results'}"
    common = ["federation=folder", f"federation.path={data}", results, "tracking=off", "engine.workers=1"]
    return compose_settings([*common, *words])


BASELINES = ("strategy=none", "models=[lead,copy,retrieval]")


def run(settings: Settings, wiretap: Wiretap | None = None) -> RunFolder:
    """Run to the end; the releases are in the folder."""
    folder = RunFolder(settings.folder)
    plan = make_plan(settings)
    folder.write_info(plan.info)
    grid = LocalGrid([node_config(site) for site in make_sites(settings)], settings.engine.workers, 1, wiretap)
    run_apps(grid, plan)
    return folder
