"""The site's log says what failed and where, and quotes only what kommunbench's own code states."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from kommunbench.core.errors import Fault, ModelError
from kommunbench.models.open import load_card
from kommunbench.site.log import LOG, log, log_failure, logging_to

TEXT = "Fru Hjördis Söderqvist"


def logged(home: Path, failing: Callable[[], object]) -> str:
    with logging_to(home):
        try:
            failing()
        except BaseException as error:
            log_failure("nano on lattlast", error)
    return (home / LOG).read_text(encoding="utf-8")


def raises_ours() -> None:
    raise ModelError(TEXT)


def raises_many_of_ours() -> None:
    ModelError.raise_if([Fault(TEXT, TEXT, TEXT)])


def raises_anything() -> None:
    int(TEXT)


def leaves() -> None:
    raise SystemExit(TEXT)


@pytest.mark.parametrize("failing", [raises_ours, raises_many_of_ours, raises_anything, leaves])
def test_what_other_code_says_is_left_out_whatever_its_class(tmp_path: Path, failing: Callable[[], None]) -> None:
    said = logged(tmp_path, failing)
    assert "Hjördis" not in said
    assert "nano on lattlast: " in said
    assert f"in {failing.__name__}" in said


def test_what_our_own_code_says_is_told(tmp_path: Path) -> None:
    said = logged(tmp_path, lambda: load_card("nanoo"))
    assert "nano on lattlast: no model 'nanoo' (did you mean 'nano'?)" in said


def test_the_file_is_the_owners_alone_and_nothing_is_logged_elsewhere(tmp_path: Path) -> None:
    said = logged(tmp_path / "home", raises_anything)
    assert said.count("\n") == 1
    assert (tmp_path / "home" / LOG).stat().st_mode & 0o777 == 0o600
    assert log.handlers == []


def test_a_full_disk_is_said_in_a_sentence_without_the_line(tmp_path, capsys):
    """/dev/full answers as a full disk does."""
    (tmp_path / "site.log").symlink_to("/dev/full")
    with suppress(OSError), logging_to(tmp_path):
        log_failure("the request was not answered", ValueError("hemligt"))
    said = capsys.readouterr().err
    assert "cannot be written; is the disk full?" in said
    assert "Traceback" not in said
    assert "not answered" not in said
