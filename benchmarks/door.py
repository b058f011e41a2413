"""What the door costs: its share of a site's time, and the bytes of a reply a (task, model).

    python benchmarks/door.py                               # every site of the pilot, the baselines: the worst case
    python benchmarks/door.py +experiment=all_tasks         # any words of `kommunbench run`

Baselines answer in milliseconds, so any other model makes the share smaller. The door is all of `release.let_out`:
review, ledger line on disk, receipt.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from flwr.app import Message, RecordDict
from flwr.common.serde import message_to_proto
from flwr.supercore.task_identity import TaskIdentity

from kommunbench.cli.compose import make_plan, make_sites
from kommunbench.config.hydra import compose_settings
from kommunbench.core.spec import Request
from kommunbench.federation.plan import schedule
from kommunbench.federation.records import write_release
from kommunbench.release import Release
from kommunbench.site import answer

BASELINES = ("strategy=none", "models=[lead,copy,retrieval]", "tracking=off")


def reply_bytes(release: Release) -> int:
    """Bytes of Flower's message with `release` in it, as it crosses the wire."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    asked = Message(RecordDict(), 1, "evaluate")
    asked.metadata.__dict__["_message_id"] = "0" * 64
    return message_to_proto(Message(write_release(release), reply_to=asked)).ByteSize()


def main(words: list[str]) -> None:
    door_s = 0.0
    let_out = answer.let_out

    def timed(*passed: Any) -> Release:
        nonlocal door_s
        started = time.perf_counter()
        release = let_out(*passed)
        door_s += time.perf_counter() - started
        return release

    answer.let_out = timed  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        settings = compose_settings([f"results={folder}", *BASELINES, *words])
        spec = make_plan(settings).info.spec
        request = Request(spec=spec, cells=next(iter(schedule(spec))).cells)
        kinds = {(cell.task, cell.model) for cell in request.cells}
        print(f"{len(request.slots())} metrics of {len(kinds)} (task, model)\n")
        print("| site | evaluation, s | door, ms | share | bytes a (task, model) |\n|---|---:|---:|---:|---:|")
        sites = make_sites(settings)
        answer.answer_request(sites[0], request, {})  # what is imported once a process is no cost of a reply
        for site in sites:
            door_s, started = 0.0, time.perf_counter()
            release = answer.answer_request(site, request, {})
            whole_s = time.perf_counter() - started
            size = reply_bytes(release) / len(kinds)
            share = door_s / (whole_s - door_s)
            print(
                f"| {site.name} | {whole_s - door_s:.2f} | {door_s * 1000:.1f} | {share:.2%} | {size:.0f} |", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1:])
