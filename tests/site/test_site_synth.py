"""`site synth`: what is handed on holds nothing of the real text, and the tables about it are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kommunbench.cli.site import app
from kommunbench.core import swedish
from kommunbench.core.errors import ConfigError, DataError, PolicyError
from kommunbench.core.example import Example
from kommunbench.core.task import load_task
from kommunbench.privacy.memorisation import Canaries
from kommunbench.release.ledger import Ledger
from kommunbench.site import stand_in
from kommunbench.site.home import SiteHome
from kommunbench.site.likeness import canaries_in, fidelity, leakage, longest_shared, overlaps, planted
from kommunbench.site.setup import make_site
from kommunbench.site.stand_in import Likeness, make_stand_in
from kommunbench.synthetic.profile import texts_of
from shared_folder import SHARED, build

LATTLAST, PLANNING = load_task("lattlast"), load_task("planning")
FIGURES = ("4 137 209,53", "88 214,07", "19 650,93")
"""Exact figures of a table, as a site's own plan might have them."""


def canary(*place: object) -> str:
    return "zq" + sha256(repr(place).encode()).hexdigest()[:12]


def plans() -> Iterator[dict[str, Any]]:
    """Real-looking plans with a table of exact figures, and a canary in every field and in the names of unread ones."""
    for at in range(24):
        word = {field: canary(field, at) for field in ("input", "shape", "reference", "id", "group", "path", "column")}
        table = "\n".join(f"| {word['input']} | {figure} |" for figure in FIGURES)
        yield {
            "id": word["id"],
            "group": word["group"],
            "split": "train" if at % 3 else "test",
            "input": f"dag: {at} besök. Minst 2 per pass i {word['input']}.\n{table}",
            "shape": f'{{"{word["shape"]}": antal}}',
            "references": [f'{{"{word["reference"]}": {FIGURES[at % 3]}}}'],
            "constraints": [{"path": word["path"], "type": "integer", "equals": 137209}],
            word["column"]: word["column"],
        }


def site(folder: Path, policy: dict[str, str] | None = None, **tasks: list[dict[str, Any]]) -> SiteHome:
    home = SiteHome(folder / "site")
    make_site(home, policy or {}, Path("data"), 0)
    for task, rows in tasks.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (home.path / "data" / f"{task}.jsonl").write_text(lines, encoding="utf-8")
    return home


def command(home: SiteHome, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["synth", *words, "--home", str(home.path)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def letters(count: int) -> list[dict[str, Any]]:
    """Notices with their easy versions, of the same few words."""
    return [
        {
            "id": f"l-{at}",
            "input": f"Avgiften för bad höjs den {at} maj. Det är beslutat av nämnden.",
            "references": ["Bad blir dyrare."],
        }
        for at in range(1, count + 1)
    ]


def test_no_canary_and_no_exact_figure_leaves_or_is_shown(tmp_path: Path) -> None:
    home = site(tmp_path, planning=list(plans()))
    _, shown = command(home, str(tmp_path / "out"), "--by", "Berg", "--language", "en")
    written = {path: path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*") if path.is_file()}
    planted_words = [
        canary(field, at)
        for field in ("input", "shape", "reference", "id", "group", "path", "column")
        for at in range(24)
    ]
    assert {path.name for path in written} >= {"planning.jsonl", "statistics.json", "likeness.sv.md", "likeness.en.md"}
    for text in (shown, home.ledger.read_text(encoding="utf-8"), *written.values()):
        assert not [word for word in planted_words if word in text]
        digits = "".join(filter(str.isdigit, text))
        assert not [figure for figure in FIGURES if figure in text]
        assert "413720953" not in digits
    assert "0 of 8" in shown


def test_a_generator_that_copies_is_found_out_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself can fail: here something that has seen the text puts one of its rows into the stand-in."""
    home, invent = site(tmp_path, lattlast=letters(20)), stand_in.stand_in
    seen: list[str] = []

    def copying(statistics: Any) -> dict[str, list[dict[str, Any]]]:
        rows = invent(statistics)
        rows["lattlast"][0]["input"] += "".join(seen)
        return rows

    def watched(task: Any, examples: Any, canaries: Canaries) -> list[Example]:
        copy = planted(task, examples, canaries)
        seen.extend(example.inputs["input"] for example in copy)
        return copy

    monkeypatch.setattr(stand_in, "stand_in", copying)
    monkeypatch.setattr(stand_in, "planted", watched)
    with pytest.raises(DataError, match="canary came through"):
        command(home, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_what_is_written_is_a_site_s_data_again(tmp_path: Path) -> None:
    home = site(tmp_path, lattlast=letters(20))
    _, printed = command(home, str(tmp_path / "out"), "--json")
    share = tmp_path / "out" / "share"
    found = json.loads(printed[: printed.rindex("}") + 1])
    assert (
        found["tasks"]["lattlast"]["rows"]
        == 20
        == len((share / "data" / "stand-in" / "lattlast.jsonl").read_text().splitlines())
    )
    assert found["statistics"] == json.loads((share / "statistics.json").read_text())
    done = CliRunner().invoke(app, ["check", str(share / "data")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "keep").stat().st_mode & 0o077 == 0


def test_the_tables_are_in_swedish_and_english(tmp_path: Path) -> None:
    home = site(tmp_path, lattlast=letters(20))
    _, swedish_page = command(home, str(tmp_path / "one"))
    _, english_page = command(home, str(tmp_path / "two"), "--language", "en")
    assert "## Läckage" in swedish_page
    assert "## Leakage" in english_page
    assert "Lättläst" in swedish_page
    assert "Easy to read" in english_page
    for folder in ("one", "two"):
        assert (tmp_path / folder / "keep" / "likeness.sv.md").read_text(encoding="utf-8") in swedish_page


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    home = site(tmp_path, lattlast=letters(20))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="something here already"):
        command(home, str(tmp_path / "out"))
    assert Ledger(home.ledger).entries() == []


def test_too_few_examples_and_a_strict_policy_say_so_and_write_nothing(tmp_path: Path) -> None:
    few = site(tmp_path / "few", lattlast=letters(9))
    with pytest.raises(PolicyError, match="TOO_FEW_EXAMPLES"):
        command(few, str(tmp_path / "out"))
    closed = site(tmp_path / "closed", {"results": "deny"}, lattlast=letters(20))
    with pytest.raises(PolicyError, match="results: deny"):
        command(closed, str(tmp_path / "out"))
    with pytest.raises(DataError, match="no data for any task"):
        command(site(tmp_path / "empty"), str(tmp_path / "out"))
    with pytest.raises(ConfigError, match="did you mean 'lattlast'"):
        command(few, str(tmp_path / "out"), "--task", "lattlas")
    assert not (tmp_path / "out").exists()


def of(*texts: str) -> list[Example]:
    return [Example(str(at), {"input": text}, (text.upper(),)) for at, text in enumerate(texts)]


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_shared_run_is_difflibs(seed: int) -> None:
    words = [sha256(f"{seed}/{at}".encode()).hexdigest()[0] for at in range(120)]
    one, other = words[:60], words[60:]
    expected = SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size
    assert len(longest_shared([one], [other])) == expected
    assert longest_shared([one], [one]) == tuple(one)
    assert longest_shared([one], [["ö"]]) == ()


def test_a_run_does_not_cross_from_one_text_to_the_next() -> None:
    assert longest_shared([["a", "b"], ["c", "d"]], [["a", "b", "c", "d"]]) == ("a", "b")


def test_shared_vocabulary_is_what_a_hand_counts() -> None:
    one, other = of("katt hund katt"), of("katt fisk")
    (words, pairs, _) = overlaps(LATTLAST, one, other)
    assert (words.of_real, words.of_made) == (4 / 6, 2 / 4)
    assert (pairs.of_real, pairs.of_made) == (0, 0)


def test_the_same_text_is_at_no_distance_and_other_words_are_at_1() -> None:
    same = leakage(LATTLAST, of("katt hund", "fisk"), of("katt hund"), (8, 0))
    assert same.nearest == pytest.approx(0, abs=1e-9)
    assert (same.longest_words, same.longest_characters) == (2, len("katt hund"))
    far = leakage(LATTLAST, of("katt hund"), of("fågel"), (8, 0))
    assert (far.nearest, far.own, far.longest_words) == (1, None, 0)


def test_fidelity_is_what_a_hand_counts() -> None:
    found = {
        (one.what, one.field): (one.real, one.made)
        for one in fidelity(LATTLAST, of("Ja. Nej tack.", "Ja."), of("Ja nu."))
    }
    assert found["rows", ""] == (2, 1)
    assert found["sentence_length", "input"] == (4 / 3, 2)
    assert found["words_middle", "input"] == (2, 2)
    triage = load_task("triage")
    matters = [
        Example(str(at), {"input": "x"}, (), facts={"label": label})
        for at, label in enumerate(("gata", "gata", "skola", "x"))
    ]
    mix = {one.field or one.what: (one.real, one.made) for one in fidelity(triage, matters, matters[:2])}
    assert (mix["gata"], mix["skola"], mix["moved"][1]) == ((0.5, 1), (0.25, 0), 0.5)


def test_canaries_are_in_every_field_and_found_whatever_stands_between_their_digits() -> None:
    canaries = Canaries.drawn(3)
    copy = planted(LATTLAST, of("En.", "Två."), canaries)
    assert canaries_in(canaries, copy) == 0  # an example shows nothing of itself
    for field in ("input", "reference"):
        assert canaries_in(canaries, [texts_of(LATTLAST, one)[field] for one in copy]) == 8
    code = canaries.planted[0][1].replace(" ", "-")
    assert canaries_in(canaries, [f"Nummer {code}."]) == 1
    assert canaries_in(canaries, ["Nummer 12."]) == 0


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real text at {SHARED}")
@pytest.mark.parametrize(
    "name",
    [
        "migrationsverket",
        pytest.param("socialdepartementet", marks=pytest.mark.slow),
        pytest.param("pud_wiki", marks=pytest.mark.slow),
    ],
)
def test_no_sentence_of_real_text_is_in_its_stand_in(tmp_path: Path, name: str) -> None:
    """Ministries' summaries and easy texts, an agency's questions, translations: long texts are long, none is "
    "copied."""
    home = site(tmp_path)
    build(tmp_path / "shared")
    for path in (tmp_path / "shared" / name).iterdir():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (home.path / "data" / path.name).write_text("".join(lines[:40]), encoding="utf-8")
    made = make_stand_in(home)
    assert made.likeness
    texts = {text for each in made.rows.values() for row in each for text in _sentences(row)}
    for each in made.likeness:
        assert each.leakage.found == 0
        assert each.leakage.longest_words < 8
        assert each.leakage.nearest > 0.5
        real = (
            text
            for line in (home.path / "data" / f"{each.task.name}.jsonl").read_text().splitlines()
            for text in _sentences(json.loads(line))
        )
        assert not [text for text in real if text in texts and len(text.split()) > 3]
        assert _near(each)


def _sentences(row: dict[str, Any]) -> Iterator[str]:
    for text in (row.get("input", ""), row.get("context", ""), *row["references"]):
        yield from swedish.sentences(text)


def _near(each: Likeness) -> bool:
    """The task's own long text is within a half of the real one's median length, where a house can write so short."""
    field = "context" if each.task.name == "guideline_qa" else "input"
    real, made = next((one.real, one.made) for one in each.fidelity if (one.what, one.field) == ("words_middle", field))
    return real is not None and made is not None and (made < 40 or abs(made / real - 1) < 0.5)
