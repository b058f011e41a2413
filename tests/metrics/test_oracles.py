"""Every metric against a reading that is not ours, on 1,000 answers made of real sentences: equal to 1e-12.

Metrics with a library of their own (ROUGE, chrF++, BLEU) or a longer formula (SARI, copied fragments, token F1) have a
file of their own; this one has the rest. All of them are in docs/metrics.md (`python benchmarks/metrics_table.py`).
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import jsonschema
import pytest
from scoring import Scored, row, total, value
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.preprocessing import MultiLabelBinarizer

from kommunbench.core import swedish
from kommunbench.core.registry import find, names
from kommunbench.metrics import lattlast_rules, s_passive
from kommunbench.metrics.texts import NEGATIONS, source
from metric_oracles import ORACLES, N, page

Rows = Callable[[str, int], Scored]
SILENT = "Står inte i riktlinjen."
QUICK = 40
counts = pytest.mark.parametrize("count", [QUICK, pytest.param(N, marks=pytest.mark.slow)])


def measured(metric: str, rows: Scored) -> dict[str, float | None]:
    return {
        measure.name: value(find("metrics", metric), measure.name, rows) for measure in find("metrics", metric).measures
    }


def equal(metric: str, rows: Scored, **expected: float) -> None:
    found = measured(metric, rows)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_every_metric_has_an_oracle_and_the_page_states_it() -> None:
    assert sorted(ORACLES) == sorted(names("metrics"))
    path, text = page()
    assert path.read_text(encoding="utf-8") == text, "make it again: python benchmarks/metrics_table.py"


@counts
def test_counts_of_words_and_sentences(real_rows: Rows, count: int) -> None:
    rows = real_rows("all", count)
    texts = [answer for answer, _ in rows]
    words = [word for text in texts for word in swedish.words(text)]
    letters = [len(re.findall(r"[^\W\d_]", word)) for word in words]
    ends, long = sum(len(swedish.sentences(text)) for text in texts), sum(length > 6 for length in letters)
    equal("lix", rows, lix=len(words) / ends + 100 * long / len(words))
    equal("sentence_length", rows, sentence_length=len(words) / ends)
    equal("long_words", rows, long_words=long / len(words), word_length=sum(letters) / len(words))
    equal("s_passive", rows, s_passive=sum(map(s_passive.is_s_passive, words)) / len(words))
    sourced = [(answer, source(example)) for answer, example in rows if source(example)]
    answers, sources = (sum(len(swedish.words(text)) for text in texts) for texts in zip(*sourced, strict=True))
    equal("compression", rows, compression=answers / sources)


@counts
def test_variety_and_repetition(real_rows: Rows, count: int) -> None:
    rows = real_rows("all", count)
    values, seen, again = [], 0, 0
    for answer, _ in rows:
        words = [word.lower() for word in swedish.words(answer)]
        if len(set(words)) < len(words):
            values.append(math.log(len(words)) / math.log(2 - math.log(len(set(words)), len(words))))
        tokens = swedish.tokens(answer)
        runs = Counter(zip(tokens, tokens[1:], tokens[2:], strict=False))
        seen, again = seen + sum(runs.values()), again + sum(number - 1 for number in runs.values())
    assert measured("ovix", rows)["ovix"] == pytest.approx(sum(values) / len(values), abs=1e-9)  # fixed point of 1e-9
    equal("repetition", rows, repeated_3grams=again / seen)


@counts
def test_numbers_and_names(real_rows: Rows, count: int) -> None:
    rows = real_rows("all", count)
    asked = {"numbers": [0, 0, 0, 0], "names": [0, 0, 0, 0]}
    for answer, example in rows:
        text = source(example)
        for kind, find_all, known in (
            ("numbers", swedish.numbers, swedish.known_numbers),
            ("names", swedish.names, swedish.known_names),
        ):
            said, had = set(find_all(answer)), set(find_all(text))
            in_text, in_answer = known(text), known(answer)
            asked[kind][0] += len(said)
            asked[kind][1] += len([one for one in said if one not in in_text])
            asked[kind][2] += len(had)
            asked[kind][3] += len([one for one in had if one in in_answer])
    for kind, (said, unknown, had, still) in asked.items():
        equal("grounding", rows, **{f"unsupported_{kind}": unknown / said})
        equal("kept", rows, **{f"kept_{kind}": still / had})


@counts
def test_dates_facts_and_negations(real_rows: Rows, count: int) -> None:
    """Dates by set arithmetic; facts are words of the source; a text negates where it has one of the words, at all."""
    chance, rows, dates, facts, agree = random.Random(6), [], [0, 0], [0, 0], 0
    negation = re.compile(rf"(?<!\w)(?:{'|'.join(NEGATIONS)})(?!\w)", re.IGNORECASE)
    for answer, example in real_rows("all", count):
        words = [word for word in swedish.normalise(source(example)).split() if word.isalpha()]
        wanted = chance.sample(words, min(3, len(words)))
        rows.append((answer, replace(example, facts={"must_keep": wanted})))
        had = {one for one in swedish.numbers(source(example)) if re.fullmatch(r"[\d-]*-\d\d-\d\d", one)}
        said = swedish.normalise(answer).split()
        dates = [dates[0] + len(had), dates[1] + len(had & swedish.known_numbers(answer))]
        facts = [facts[0] + len(wanted), facts[1] + len([word for word in wanted if word in said])]
        agree += bool(negation.search(answer)) in {bool(negation.search(one)) for one in example.references}
    assert 0 < agree < len(rows)
    equal(
        "meaning",
        rows,
        kept_dates=dates[1] / dates[0],
        kept_facts=facts[1] / facts[0],
        negation_agrees=agree / len(rows),
    )


@counts
def test_rules_of_easy_reading(real_rows: Rows, count: int) -> None:
    """Every rule by another count over the same sentences; what a list or pattern holds is the metric's own."""
    rows, breaches, sentences, kept = real_rows("all", count), 0, 0, Fraction(0)
    for answer, _ in rows:
        broken = Counter[str]()
        for sentence in swedish.sentences(answer):
            words, pieces = swedish.words(sentence), re.split(r"-", " ".join(swedish.words(sentence)))
            small = Counter(word.lower() for word in words)
            letters = [len(re.findall(r"[^\W\d_]", one)) for one in " ".join(pieces).split()]
            broken.update({
                "long_sentence": len(words) >= 16,
                "passive": sum(s_passive.is_s_passive(word) for word in words) > 0,
                "abbreviation": lattlast_rules._ABBREVIATION.search(sentence) is not None,
                "official_word": not lattlast_rules._OFFICIAL.isdisjoint(small),
                "long_word": max(letters, default=0) >= 16,
                "many_numbers": len(swedish.numbers(sentence)) >= 3,
                "many_clauses": sum(small[word] for word in lattlast_rules._CLAUSE) >= 3,
                "double_negation": sum(small[word] for word in NEGATIONS) >= 2,
                "insertion": lattlast_rules._INSERTION.search(sentence) is not None,
            })  # fmt: skip
            sentences += 1
        breaches += broken.total()
        if broken:
            kept += Fraction(sum(not broken[rule] for rule in lattlast_rules.RULES), len(lattlast_rules.RULES))
    equal("lattlast_rules", rows, rules_kept=float(kept / len(rows)), rule_violations=100 * breaches / sentences)


@counts
def test_exact_match(real_rows: Rows, count: int) -> None:
    rows = real_rows("qa_swequad_mc", count)
    expected = [
        swedish.normalise(answer) in [swedish.normalise(one) for one in example.references] for answer, example in rows
    ]
    assert 0 < sum(expected) < count
    equal("exact_match", rows, exact_match=float(Fraction(sum(expected), count)))


@counts
def test_citations(real_rows: Rows, count: int) -> None:
    chance, rows, wanted, given = random.Random(3), [], [], []
    for answer, example in real_rows("qa_swefaq", count):
        right, cited = (set(chance.sample("123456", chance.randint(low, 3))) for low in (1, 0))
        said, sentence = (re.sub(r"\d|§|[Pp]aragraf", "", text) for text in (answer, example.references[0]))
        rows.append(
            row(
                f"{said} ({', '.join(sorted(cited))} §)" if cited else said,
                f"{sentence} ({', '.join(sorted(right))} §)",
            )
        )
        wanted.append(right)
        given.append(cited)
    binary = MultiLabelBinarizer(classes=list("123456"))
    truth, guess = binary.fit_transform(wanted), binary.transform(given)
    equal(
        "citation",
        rows,
        citation_correct=accuracy_score(truth, guess),
        citation_precision=precision_score(truth, guess, average="micro"),
        citation_recall=recall_score(truth, guess, average="micro"),
    )


@counts
def test_abstention(real_rows: Rows, count: int) -> None:
    chance, rows, truth, guess = random.Random(5), [], [], []
    for answer, example in real_rows("qa_swefaq", count):
        silent, abstains = chance.random() < 0.3, chance.random() < 0.4
        rows.append(row(SILENT if abstains else answer, SILENT if silent else example.references[0]))
        truth.append(silent)
        guess.append(abstains)
    equal(
        "abstention",
        rows,
        abstention_precision=precision_score(truth, guess),
        abstention_recall=recall_score(truth, guess),
        abstention_f1=f1_score(truth, guess),
    )


@counts
def test_labels(count: int) -> None:
    chance, labels = random.Random(1), ["vård", "vård och omsorg", "bygg", "förskola"]
    truth = chance.choices(labels, [5, 3, 1, 1], k=count)
    guess = [right if chance.random() < 0.6 else chance.choice(labels) for right in truth]
    rows = [row(f"Enhet: {said}.", labels=labels, label=right) for said, right in zip(guess, truth, strict=True)]
    equal("label", rows, accuracy=accuracy_score(truth, guess), macro_f1=f1_score(truth, guess, average="macro"))


@counts
def test_constraints_of_json(count: int) -> None:
    """A constraint with one path is a JSON Schema, and jsonschema says whether it is kept."""
    chance, rows, kept, whole = random.Random(2), [], 0, 0
    words: list[Any] = ["integer", "number", "string", "list", "object", "boolean"]
    kinds = dict(zip(words, ["integer", "number", "string", "array", "object", "boolean"], strict=True))
    values: list[Any] = [1, 4, 2.5, "dag", "natt", True, [1, 2], {"a": 1}, []]
    for _ in range(count):
        answer = {name: chance.choice(values) for name in "abc" if chance.random() < 0.9}
        constraints, schemas = [], []
        for name in "abc":
            kind, least, allowed = (
                chance.choice(words),
                chance.randint(0, 3),
                chance.sample(["dag", "natt", "kväll"], 2),
            )
            constraint, schema = chance.choice(
                [
                    ({"type": kind}, {"type": kinds[kind]}),
                    ({"at_least": least}, {"type": "number", "minimum": least}),
                    ({"one_of": allowed}, {"enum": allowed}),
                    ({"count": 2}, {"type": "array", "minItems": 2, "maxItems": 2}),
                ]
            )
            if isinstance(answer.get(name), dict) and "count" in constraint:
                schema = {"type": "object", "minProperties": 2, "maxProperties": 2}
            constraints.append({"path": name, **constraint})
            schemas.append({"type": "object", "required": [name], "properties": {name: schema}})
        held = [jsonschema.Draft202012Validator(schema).is_valid(answer) for schema in schemas]
        kept, whole = kept + sum(held), whole + all(held)
        rows.append(row(json.dumps(answer), constraints=constraints))
    equal("json_answer", rows, json_valid=1, constraints_kept=kept / (3 * count), all_constraints_kept=whole / count)


@counts
def test_templates_with_parts_left_out(real_rows: Rows, count: int) -> None:
    """Documents put together of headings, fields and real sentences: what was left out is known."""
    chance, headings = random.Random(4), ["Sammanfattning", "Bakgrund", "Bedömning"]
    rows, present, filled, ordered = [], 0, 0, 0
    for number, (_, example) in enumerate(real_rows("translation_pud", count)):
        sentence = re.sub(r"[\[\]{}<>_.…]|XX+", " ", example.inputs["input"])
        there = [heading for heading in headings if chance.random() < 0.8]
        shown = chance.sample(there, len(there))
        case = f"QZ {number}-77" if chance.random() < 0.7 else ""
        rows.append(
            row(
                "\n".join(f"{heading}\n{sentence} {case}" for heading in shown) or case,
                sections=headings,
                fields={"ärende": f"QZ {number}-77"},
            )
        )
        present, ordered = present + len(there), ordered + (shown == headings)
        filled += bool(case)
    equal(
        "template",
        rows,
        sections_present=present / (3 * count),
        fields_filled=filled / count,
        sections_in_order=ordered / count,
    )


def test_a_thousand_answers_pool_to_one_sum(real_rows: Rows) -> None:
    """The oracles count all answers at once; a federation counts them in any number of parts."""
    rows = real_rows("translation_pud", QUICK)
    for name in ("lix", "repetition", "grounding"):
        metric = find("metrics", name)
        parts = [total(metric, rows[start : start + 7]) for start in range(0, len(rows), 7)]
        assert tuple(map(sum, zip(*parts, strict=True))) == total(metric, rows)
