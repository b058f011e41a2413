"""An evaluation's reply is small: under 4 KB on the wire a task and model, whatever is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from door import reply_bytes

from kommunbench.cli.compose import make_plan
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request
from kommunbench.federation.plan import schedule
from kommunbench.release import refuse

LIMIT = 4096


@pytest.mark.parametrize("words", [(), ("+experiment=all_tasks",)], ids=["main_job", "all_tasks"])
def test_a_reply_is_under_4_kilobytes_a_task_and_model(words: tuple[str, ...], tmp_path: Path) -> None:
    """Every number is 8 bytes whatever it is, so a refusal is as long as an answer but for the receipt."""
    spec = make_plan(compose_settings([f"results={tmp_path}", "tracking=off", *words])).info.spec
    cells = next(iter(schedule(spec))).cells
    each = {
        pair: reply_bytes(refuse(Code.NO_DATA, Request(spec=spec, cells=tuple(c for c in cells if c[:2] == pair))))
        for pair in {cell[:2] for cell in cells}
    }
    assert max(each.values()) < LIMIT, each
    assert reply_bytes(refuse(Code.NO_DATA, Request(spec=spec, cells=cells))) < LIMIT * len(each)


def test_the_count_is_of_the_bytes_that_cross(tmp_path: Path) -> None:
    """A longer reply is longer by its integers: 8 bytes a number and a code."""
    spec = make_plan(compose_settings([f"results={tmp_path}", "tracking=off"])).info.spec
    cells = next(iter(schedule(spec))).cells
    one, two = (Request(spec=spec, cells=cells[:count]) for count in (1, 2))
    width = sum(slot.width + 1 for slot in two.slots()) - sum(slot.width + 1 for slot in one.slots())
    assert abs(reply_bytes(refuse(Code.NO_DATA, two)) - reply_bytes(refuse(Code.NO_DATA, one)) - 8 * width) <= 8
