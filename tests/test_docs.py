"""What the documents tell a reader to type can be typed: every quoted `kommunbench ...` and `make ...` is tried."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from kommunbench.cli import cli
from kommunbench.config.hydra import compose_settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("results/*.md"))]
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
SOURCES = sorted((ROOT / "src" / "kommunbench").rglob("*.py"))

QUOTED = re.compile(r"`(?:\.venv/bin/)?((?:kommunbench|make) [^`{]+)`")
LINE = re.compile(r"^\s*(?:#\s+|\$\s+|Example: )?(?:\.venv/bin/)?((?:kommunbench|make) [^{]+)$")


def commands_in(text: str, suffix: str) -> Iterator[str]:
    """Commands in `backticks` anywhere, and those that have a line for themselves where a file of that kind has some:
    a page's fenced blocks, a configuration's comments, a docstring's `Example:`. Remarks behind them are cut off."""
    fenced = False
    for line in text.splitlines():
        fenced ^= suffix == ".md" and line.lstrip().startswith("```")
        yield from QUOTED.findall(line)
        own_line = {".md": fenced, ".yaml": line.startswith("#"), ".py": "Example: " in line}[suffix]
        if own_line and (found := LINE.match(line)):
            yield re.split(r"\s+#\s|\s{2,}|`", found[1])[0]


def variants(command: str) -> Iterator[list[str]]:
    """The words of a command without its `...` and with [optional] words; one variant for each of a|list|of|them."""
    words = [word.strip("[]") if word.startswith("[") else word for word in shlex.split(command)[1:]]
    words = [word for word in words if word != "..."]
    choice = next((at for at, word in enumerate(words) if "|" in word and "=" not in word), None)
    for word in ("",) if choice is None else words[choice].split("|"):
        yield words if choice is None else [*words[:choice], word, *words[choice + 1 :]]


def quoted(program: str) -> list[Any]:
    found: dict[str, str] = {}
    for path in (*PAGES, *CONFIGS, *SOURCES):
        for command in commands_in(path.read_text(encoding="utf-8"), path.suffix):
            if command.startswith(f"{program} "):
                found.setdefault(command, str(path.relative_to(ROOT)))
    return [pytest.param(command, id=f"{place}: {command}") for command, place in found.items()]


def parse(words: list[str]) -> None:
    """Raise click's error where kommunbench does not know the words; a command may be named without its arguments."""
    command: click.Command = cli
    context = click.Context(cli)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r}")
        command = found
    if words[:1] == ["run"]:
        compose([word for word in rest if not word.isupper()])
    elif not isinstance(command, click.Group):
        with contextlib.suppress(click.MissingParameter):
            command.make_context(words[-1], [word for word in rest if word != "--help"])


def compose(words: list[str]) -> None:
    """Compose and check `kommunbench run <words>`; of a sweep's values, the first."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(
        [word for word in words if not word.startswith("-") and word != "job"]
    )
    plain = []
    for override in parsed:
        assert override.input_line is not None
        first = (
            f"{override.get_key_element()}={next(override.sweep_string_iterator())}"
            if override.is_sweep_override()
            else ""
        )
        plain.append(first or override.input_line)
    compose_settings(plain)


@pytest.mark.parametrize("command", quoted("kommunbench"))
def test_every_quoted_command_is_one_that_kommunbench_knows(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["kommunbench"])
    for words in variants(command):
        parse(words)


@pytest.mark.parametrize("command", quoted("make"))
def test_every_quoted_make_target_exists(command: str) -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert command.split()[1] in targets


@pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem not in ("site", "rubric")], ids=lambda path: path.stem
)
def test_a_configuration_opens_with_a_command_that_uses_it(path: Path) -> None:
    """conf/site.yaml is a policy to copy, conf/rubric.yaml what a site's judge is asked: no parts of a run."""
    opening = [line for line in path.read_text(encoding="utf-8").splitlines()[:3] if not line.startswith("# @package")]
    assert opening[0].startswith("# kommunbench run")


def test_the_finder_sees_what_it_should() -> None:
    page = """kommunbench is a benchmark. See `kommunbench tasks list|show NAME` and `make run`, `kommunbench {x}`.
```sh
$ kommunbench run rounds=2   # fewer rounds
.venv/bin/kommunbench report RUN [--json]
```
kommunbench run is the main job.
"""
    assert list(commands_in(page, ".md")) == [
        "kommunbench tasks list|show NAME",
        "make run",
        "kommunbench run rounds=2",
        "kommunbench report RUN [--json]",
    ]
    assert list(commands_in("# kommunbench run a=1 # why\nkommunbench run\n", ".yaml")) == ["kommunbench run a=1"]
    assert list(commands_in("    Example: kommunbench tasks list\n    kommunbench run\n", ".py")) == [
        "kommunbench tasks list"
    ]
    assert list(variants("kommunbench tasks list|show [--json] ...")) == [
        ["tasks", "list", "--json"],
        ["tasks", "show", "--json"],
    ]


@pytest.mark.parametrize(
    "words",
    [
        "taks list",
        "tasks lst",
        "tasks list --jsn",
        "run roundz=2",
        "run models=[nanoo]",
        "run -m rounds=x,2",
    ],
)
def test_a_mistyped_command_would_be_noticed(words: str) -> None:
    with pytest.raises(Exception, match=r"."):
        parse(words.split())
