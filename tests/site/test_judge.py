"""A judge at the site: strict reading, numbers kept without text, asked for by the digests of model and rubric."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from fabricate import make_spec
from kommunbench.core.answer import Code
from kommunbench.core.errors import ConfigError, DataError
from kommunbench.core.example import Example
from kommunbench.core.folders import overlay
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.core.registry import find
from kommunbench.core.spec import CRITERIA, JUDGED, OPINIONS, RATED, Cell, JudgeRef, Request
from kommunbench.core.task import load_task
from kommunbench.release.policy import ReleasePolicy
from kommunbench.site.answers import KeptAnswer, KeptAnswers
from kommunbench.site.judge import Judge, judge_cell, judge_ref, judged_by, number_in, read_rubric
from kommunbench.site.keep import KeptTallies
from kommunbench.site.ratings import Rating, alias_of, answer_ratings, write_ratings

TASK = "summarization"
SPEC = make_spec("pilot")
LEAD = Cell(TASK, "lead", "plain", "base", 0, "test", 0)
NANO = Cell(TASK, "nano", "plain", "federated", 3, "test", 0)
RUBRIC = read_rubric(overlay("conf"))
REF = JudgeRef(name="nano", digest="a" * 64, rubric=RUBRIC.digest)


class Answering:
    """Gives as many points as its answer has words; says nothing readable of an answer with 'kanske' in it."""

    card, digest = ModelCard(name="nano", family="constant"), "a" * 64

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        answers = [query.prompt.partition("Svaret som ska bedömas: ")[2].splitlines()[0] for query in queries]
        return [Completion("Betyg 4" if "kanske" in one else str(min(5, len(one.split())))) for one in answers]


JUDGE = Judge(Answering(), RUBRIC, REF)
ANSWERS = ["Ja.", "Nej inte alls.", "Ett svar med många ord i.", "Nja kanske.", "Ja då.", "Nej."]


def keep(home: Path) -> list[Example]:
    examples = [Example(f"e{at}", {"input": f"HEMLIG {{text}} {at}"}, ("Facit.",)) for at in range(len(ANSWERS))]
    KeptAnswers(home).save("pilot", LEAD, examples, ANSWERS)
    return examples


@pytest.mark.parametrize(("reply", "number"), [
    ("4", 4), (" 5. ", 5), ("1\n", 1), ("0", None), ("6", None), ("45", None), ("4/5", None), ("Betyg: 4", None),
    ("fyra", None), ("4,5", None), ("-3", None), ("٣", None), ("", None), ("3 eller 4", None),
])  # fmt: skip
def test_a_reply_is_one_digit_or_no_number(reply: str, number: int | None) -> None:
    assert number_in(reply) == number


def test_the_rubric_asks_in_swedish_with_every_text_in_its_place_as_it_is() -> None:
    asked = RUBRIC.ask(KeptAnswer("e1", {"input": "Under {answer}", "x": "lag"}, ("Facit",), "Sva{r}"), "plain")
    assert "Under {answer}\n\nlag" in asked
    assert "bedömas: Sva{r}\n" in asked
    assert "exempel: Facit\n" in asked
    assert RUBRIC.questions["plain"] in asked
    assert RUBRIC.questions["correct"] not in asked
    assert "(tomt svar)" in RUBRIC.ask(KeptAnswer("e1", {}, (), ""), "plain")


@pytest.mark.parametrize(("change", "told"), [
    ({"prompt": "{inputs} {answer}"}, "names {inputs}"), ({"questions": {"correct": "?"}}, "asks by correct"),
    ({"x": 1}, "x:"),
])  # fmt: skip
def test_a_rubric_that_does_not_fit_is_told(tmp_path: Path, change: dict[str, object], told: str) -> None:
    (tmp_path / "rubric.yaml").write_text(json.dumps({**RUBRIC.model_dump(), **change}), encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_rubric((tmp_path,))


def test_numbers_are_kept_by_example_without_a_word_of_text(tmp_path: Path) -> None:
    keep(tmp_path)
    told: list[tuple[int, int]] = []
    found = judge_cell(tmp_path, "pilot", LEAD, JUDGE, told=lambda *far: told.append(far))
    assert [found[f"e{at}"]["plain"] for at in range(6)] == [1, 3, 5, None, 2, 1]
    assert told == [(6, 6)]
    assert judged_by(tmp_path, "pilot", LEAD, REF) == found
    (path,) = (tmp_path / "judged").rglob("*.jsonl")
    assert "HEMLIG" not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(judge_cell(tmp_path, "pilot", LEAD, JUDGE, count=2)) == 2
    path.write_text(path.read_text(encoding="utf-8") + "HEMLIG\n", encoding="utf-8")
    with pytest.raises(DataError, match="delete the file") as raised:
        judged_by(tmp_path, "pilot", LEAD, REF)
    assert "HEMLIG" not in str(raised.value)


@pytest.mark.parametrize("other", [{"digest": "b" * 64}, {"rubric": "c" * 64}, {"name": "annan"}])
def test_another_judge_or_rubric_was_not_asked(tmp_path: Path, other: dict[str, str]) -> None:
    keep(tmp_path)
    judge_cell(tmp_path, "pilot", LEAD, JUDGE)
    assert judged_by(tmp_path, "pilot", LEAD, REF.model_copy(update=other)) is None
    assert judged_by(tmp_path, "pilot", LEAD, None) is None
    assert judged_by(tmp_path, "pilot", NANO, REF) is None


def test_sums_of_the_judge_and_its_kappa_with_staff(tmp_path: Path) -> None:
    keep(tmp_path)
    judge_cell(tmp_path, "pilot", LEAD, JUDGE)
    kept, tasks = KeptTallies(tmp_path / "tallies" / "pilot"), {TASK: load_task(TASK)}
    request = Request(spec=SPEC, action="ratings", cells=(LEAD, NANO), judge=REF)
    alone = answer_ratings(request, tasks, kept, tmp_path)
    assert alone.values[LEAD, "judged_plain"] == (5, 1, 12, 1)
    assert {alone.codes[LEAD, name] for name in (*RATED, "judge_agreement")} == {Code.NOT_AVAILABLE}
    assert {alone.codes[NANO, name] for name in OPINIONS} == {Code.NOT_AVAILABLE}
    alias = alias_of(tmp_path, "pilot", LEAD, ["e0", "e1", "e5"])
    rated = [Rating(example=name, system=alias, rater="bo", criterion=criterion, value=value)
             for name, value in (("e0", 2), ("e1", 3)) for criterion in CRITERIA]  # fmt: skip
    write_ratings(tmp_path, TASK, rated)
    answer = answer_ratings(request, tasks, kept, tmp_path)
    agreement = find("metrics", "judge_agreement")
    total = answer.values[LEAD, "judge_agreement"]
    assert total[:2] == (2, 4)
    # people 2, 3; judge 1, 3: distance 1; by chance 2 * 23 - 2 * 5 * 4 = 6; 1 - 2 * 1 / 6
    assert agreement.value(total, agreement.measure("judge_kappa_usable")) == pytest.approx(2 / 3)
    assert answer.values[LEAD, "rated_plain"][:2] == (2, 1), "what staff were not given is not unrated"
    assert answer.values[LEAD, "judged_plain"] == (5, 1, 12, 1)
    unasked = answer_ratings(Request(spec=SPEC, action="ratings", cells=(LEAD,)), tasks, kept, tmp_path)
    assert not {name for _, name in unasked.values} & set(JUDGED)


@pytest.mark.parametrize(("policy", "digest", "code"), [
    ({"ratings": "allow"}, "a" * 64, Code.OK),
    ({"ratings": "allow"}, "b" * 64, Code.MODEL_NOT_APPROVED),
    ({"ratings": "allow", "models": {"lead": "installed"}}, "a" * 64, Code.MODEL_NOT_APPROVED),
    ({"ratings": "deny"}, "a" * 64, Code.METRIC_NOT_ALLOWED),
])  # fmt: skip
def test_the_policy_approves_the_judge_by_digest_and_lets_ratings_out(
    policy: dict[str, object], digest: str, code: Code
) -> None:
    known = {**{model.name: model.digest for model in SPEC.models}, "nano": "a" * 64}
    made = ReleasePolicy.model_validate(policy).with_installed([load_task(TASK)], known)
    request = Request(spec=SPEC, action="ratings", cells=(LEAD,), judge=REF.model_copy(update={"digest": digest}))
    slot = next(slot for slot in request.slots() if slot.key[1] == "judged_plain")
    verdicts = [made.slot_code(SPEC, slot), made.judge_code(request, slot)]
    assert next((one for one in verdicts if one is not Code.OK), Code.OK) is code


def test_a_judge_is_named_by_the_digests_of_model_and_rubric() -> None:
    ref = judge_ref("lead", overlay("conf"))
    assert (ref.name, ref.rubric) == ("lead", RUBRIC.digest)
    assert len(ref.digest) == 64
