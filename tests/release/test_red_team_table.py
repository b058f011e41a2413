"""docs/red-team.md says of every way what the door answers and what remains; it lists all of them and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_red_team import WAYS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "red-team.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
ELSEWHERE = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_the_table_has_every_way_with_its_code() -> None:
    assert [(name, code) for name, code, _ in ROWS] == [(way.id, way.values[1].name) for way in WAYS]


def test_every_row_says_what_remains() -> None:
    assert all(remains.strip() for _, _, remains in ROWS)


@pytest.mark.parametrize(("path", "name"), sorted(set(ELSEWHERE)))
def test_a_test_that_the_table_names_is_there(path: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
