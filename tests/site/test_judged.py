"""Answers that a site keeps, what its staff said of them, and what went wrong: all of it private, sums alone go out."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fabricate import make_spec
from kommunbench.core.answer import Code
from kommunbench.core.errors import DataError
from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.core.spec import CRITERIA, RATED, Cell, Request
from kommunbench.core.task import load_task
from kommunbench.release.past import Past, sets_of
from kommunbench.release.policy import ReleasePolicy
from kommunbench.site.answers import KeptAnswers, choose_run
from kommunbench.site.errors import find_errors
from kommunbench.site.errors_page import write_errors
from kommunbench.site.evaluate import Evaluated, identity, tally
from kommunbench.site.keep import KeptTallies
from kommunbench.site.ratings import Rating, alias_of, answer_ratings, read_ratings, read_systems, write_ratings

TASK = "summarization"
SPEC = make_spec("pilot")
LEAD = Cell(TASK, "lead", "plain", "base", 0, "test", 0)
NANO = Cell(TASK, "nano", "plain", "federated", 3, "test", 0)


def example(at: int, reference: str = "Avgiften höjs nästa år.") -> Example:
    return Example(f"e{at}", {"input": f"Nämnden beslutade om avgift {at}."}, (reference,) if reference else ())


def keep(home: Path, cell: Cell, examples: list[Example], answers: list[str]) -> None:
    """What a site does with a cell's answers."""
    task = load_task(TASK)
    KeptAnswers(home).save("pilot", cell, examples, answers)
    evaluated = Evaluated([identity(one) for one in examples])
    for metric in task.find_metrics():
        evaluated.per_example[metric.name] = [
            tally(metric, type("Said", (), {"text": answer})(), one)  # type: ignore[arg-type]
            for one, answer in zip(examples, answers, strict=True)
        ]
    KeptTallies(home / "tallies" / "pilot").save(cell, evaluated)


def say(home: Path, alias: str, values: list[int], rater: str = "kerstin") -> list[Rating]:
    return [
        Rating(example=f"e{at}", system=alias, rater=rater, criterion=criterion, value=value)
        for at, value in enumerate(values)
        for criterion in CRITERIA
    ]


def test_kept_answers_are_private_and_show_nothing_of_themselves(tmp_path):
    kept = KeptAnswers(tmp_path / "home")
    kept.save("pilot", LEAD, [example(0)], ["Hemligt svar"])
    loaded = kept.load("pilot", LEAD)
    assert (loaded[0].answer, loaded[0].example, loaded[0].inputs) == ("Hemligt svar", "e0", example(0).inputs)
    assert "Hemligt" not in repr(loaded)
    for path in (tmp_path / "home").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_system_is_looked_at_after_its_last_round(tmp_path):
    kept = KeptAnswers(tmp_path)
    for cell in (LEAD, NANO._replace(round=1), NANO):
        kept.save("pilot", cell, [example(0)], ["svar"])
    assert kept.cells("pilot") == [LEAD, NANO]


def test_what_was_not_kept_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="answers: keep"):
        choose_run(KeptAnswers(tmp_path), "")
    KeptAnswers(tmp_path).save("pilot", LEAD, [example(0)], ["svar"])
    assert choose_run(KeptAnswers(tmp_path), "") == "pilot"
    with pytest.raises(DataError, match="there is pilot"):
        choose_run(KeptAnswers(tmp_path), "annan")


def test_an_alias_stays_and_its_sample_only_grows(tmp_path):
    assert alias_of(tmp_path, "pilot", LEAD, ["e0", "e1"]) == "S1"
    assert alias_of(tmp_path, "pilot", NANO, ["e0"]) == "S2"
    assert alias_of(tmp_path, "pilot", LEAD, ["e1", "e2"]) == "S1"
    assert read_systems(tmp_path)["S1"].sample == ("e0", "e1", "e2")


def test_a_line_that_is_no_rating_is_named_by_number_alone(tmp_path):
    write_ratings(tmp_path, TASK, say(tmp_path, "S1", [3]))
    path = tmp_path / "ratings" / f"{TASK}.jsonl"
    path.write_text(path.read_text() + '{"hemligt": 1}\n')
    with pytest.raises(DataError) as raised:
        read_ratings(tmp_path, TASK)
    assert f"{path}:5" in str(raised.value)
    assert "hemligt" not in str(raised.value)


def test_sums_of_what_was_said_count_the_unrated_as_unscored(tmp_path):
    examples = [example(at) for at in range(6)]
    keep(tmp_path, LEAD, examples, [one.references[0] if at % 2 else "Nej." for at, one in enumerate(examples)])
    alias = alias_of(tmp_path, "pilot", LEAD, [one.id for one in examples])
    write_ratings(tmp_path, TASK, [*say(tmp_path, alias, [1, 5, 2, 5]), *say(tmp_path, alias, [1, 4, 2, 5], "bo")])
    kept = KeptTallies(tmp_path / "tallies" / "pilot")
    request = Request(spec=SPEC, action="ratings", cells=(LEAD, NANO))
    answer = answer_ratings(request, {TASK: load_task(TASK)}, kept, tmp_path)
    n, unscored, rating, good = answer.values[LEAD, "rated_correct"]
    assert (n, unscored, rating, good) == (4, 2, int(12.5 * 10**12), 2)
    assert answer.values[LEAD, "rated_agreement"][:2] == (4, 2)
    follows = find("metrics", "rated_by_metric")
    r = follows.value(answer.values[LEAD, "rated_by_metric"], follows.measure("metric_follows_correct"))
    assert r > 0.9, "the good answers are word for word the reference"
    assert {answer.codes[NANO, name] for name in RATED} == {Code.NOT_AVAILABLE}
    assert kept.load(LEAD, find("metrics", "rated_usable"))[1].shape == (6, 4)
    assert kept.load(LEAD, find("metrics", "rouge")) is not None, "what was kept before is still there"


def test_the_policy_says_no_unless_it_says_yes():
    task, slot = load_task(TASK), Request(spec=SPEC, action="ratings", cells=(LEAD,)).slots()[0]
    models = {model.name: model.digest for model in SPEC.models}
    verdicts = {
        said: ReleasePolicy(ratings=said).with_installed([task], models).slot_code(SPEC, slot)
        for said in ("deny", "allow")
    }
    assert verdicts == {"deny": Code.METRIC_NOT_ALLOWED, "allow": Code.OK}


def test_a_few_more_ratings_cannot_be_had_by_subtraction():
    slot = Request(spec=SPEC, action="ratings", cells=(LEAD,)).slots()[0]
    other = Request(spec=SPEC, action="ratings", cells=(NANO,)).slots()[0]
    past = Past(here={name: frozenset({20}) for name in sets_of(slot)})
    codes = [past.code(ReleasePolicy(), slot, (n, 0)) for n in (20, 21, 29, 30)]
    assert codes == [Code.OK, Code.SMALL_CELL, Code.SMALL_CELL, Code.OK]
    assert past.code(ReleasePolicy(), other, (21, 0)) is Code.OK, "another system's answers are another set"


def test_errors_are_the_worst_the_unscored_and_where_systems_differ(tmp_path):
    examples = [example(0), example(1), example(2, reference="")]
    keep(tmp_path, LEAD, examples, ["Avgiften höjs nästa år.", "Nej.", "Kanske."])
    keep(tmp_path, NANO, examples, ["Avgiften höjs nästa år.", "Avgiften höjs.", "# Rubrik"])
    found = find_errors(tmp_path, "pilot", load_task(TASK), most=1)
    assert found.counts == {"lead": (3, 1), "nano, federated, round 3": (3, 1)}
    assert [one.answer.example for rows in found.worst.values() for one in rows] == ["e1", "e1"]
    assert [one.answer.example for one in found.unscored] == ["e2"]
    assert [(one.system, one.answer.answer) for one in found.split[0]] == [
        ("nano, federated, round 3", "Avgiften höjs."),
        ("lead", "Nej."),
    ]
    path = write_errors(tmp_path, found)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    page = path.read_text(encoding="utf-8")
    assert "Bara för er" in page
    assert "Nej." in page
    assert "\n# Rubrik" not in page
    assert "Nej" not in repr(found)
    english = write_errors(tmp_path, found, "en")
    assert (english.name, path.name) == (f"pilot-{TASK}.en.md", f"pilot-{TASK}.md")
    words = english.read_text(encoding="utf-8")
    assert "For you alone" in words
    assert "nano, federated, round 3** (0." in words
    assert not any(swedish in words for swedish in ("Felanalys", "poäng", "omgång", "Exempel", "Sämst"))
