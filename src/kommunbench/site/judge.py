"""A judge: a model at the site gives answers that it keeps a number from 1 to 5, by the questions that staff are asked.

`<home>/judged/<run>/<cell>.jsonl`, mode 0600, has what was judged (a cell, by which model and rubric, as digests) and
a line an example: its id and a number by criterion, null where the judge's reply was no number. No text. The judge is a
model that the site's policy approves; a run asks for sums of what it said, by those digests, and never starts it.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from kommunbench.core.digests import digest
from kommunbench.core.errors import ConfigError, DataError, Fault
from kommunbench.core.model import Decoding, Model, Query
from kommunbench.core.spec import CRITERIA, Cell, JudgeRef
from kommunbench.models.open import card_digest, load_card
from kommunbench.site.answers import KeptAnswer, KeptAnswers
from kommunbench.site.private import write_private

FOLDER, RUBRIC = "judged", "rubric.yaml"
PLACES = ("inputs", "reference", "answer", "question")
DECODING = Decoding(max_new_tokens=8, stop=("\n",))
PART = 32
"""Answers judged at a time, between two words on how far it is."""
_NUMBER = re.compile(r"([1-5])\.?")
Numbers = dict[str, int | None]
"""By criterion; None where the reply was no number."""
Judgements = Mapping[str, Numbers]
"""By example."""


class Rubric(BaseModel):
    """What a judge is asked; conf/rubric.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: str
    prompt: str
    questions: dict[str, str]

    @field_validator("prompt")
    @classmethod
    def _has_places(cls, prompt: str) -> str:
        named = [part[1] for part in string.Formatter().parse(prompt) if part[1] is not None]
        if sorted(named) != sorted(PLACES):
            raise ValueError("names {" + "}, {".join(PLACES) + "}, each once")
        return prompt

    @field_validator("questions")
    @classmethod
    def _has_criteria(cls, questions: dict[str, str]) -> dict[str, str]:
        if sorted(questions) != sorted(CRITERIA):
            raise ValueError("asks by " + ", ".join(CRITERIA) + ", and nothing else")
        return questions

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return digest(self.model_dump())

    def ask(self, answer: KeptAnswer, criterion: str) -> str:
        """The prompt for one answer by one criterion. Braces of a text stay as they are."""
        filled = {
            "inputs": "\n\n".join(answer.inputs.values()),
            "reference": next(iter(answer.references), "(inget)"),
            "answer": answer.answer or "(tomt svar)",
            "question": self.questions[criterion],
        }
        parts = string.Formatter().parse(self.prompt)
        return "".join(words + (filled[place] if place is not None else "") for words, place, _, _ in parts)


def read_rubric(folders: Sequence[Path]) -> Rubric:
    """`rubric.yaml` of the first of the conf/ `folders` that has one.

    Raises:
        ConfigError: none has one, or what is wrong with it.
    """
    path = next((path for folder in folders if (path := folder / RUBRIC).is_file()), None)
    if path is None:
        raise ConfigError(Fault(f"no {RUBRIC} in conf/"))
    try:
        return Rubric.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(Fault("not YAML in UTF-8", str(path))) from None
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        raise ConfigError(
            *(Fault(f"{'.'.join(map(str, one['loc']))}: {one['msg']}", str(path)) for one in faults)
        ) from None


def judge_ref(name: str, folders: tuple[Path, ...]) -> JudgeRef:
    """How a run names a judge, from the conf/ `folders` of whoever asks. Raises ConfigError, ModelError."""
    return JudgeRef(name=name, digest=card_digest(load_card(name, folders)), rubric=read_rubric(folders).digest)


def number_in(reply: str) -> int | None:
    """The judge's number: the reply is one digit from 1 to 5, with a full stop or without; anything else is none."""
    found = _NUMBER.fullmatch(reply.strip())
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that judges by a rubric, and how a run names the two."""

    model: Model
    rubric: Rubric
    ref: JudgeRef

    def numbers(self, answers: Sequence[KeptAnswer], task: str) -> Iterator[Numbers]:
        """By criterion, for each answer."""
        queries = [Query(self.rubric.ask(one, name), one.inputs, task) for one in answers for name in CRITERIA]
        replies = iter(self.model.generate(queries, DECODING))
        for _ in answers:
            yield {name: number_in(next(replies).text) for name in CRITERIA}


def judge_cell(
    home: Path, run: str, cell: Cell, judge: Judge, count: int = 0, told: Callable[[int, int], None] | None = None
) -> dict[str, Numbers]:
    """Have `count` kept answers of a cell judged (0: all), by digest; keep the numbers, and give them by example.

    `told` hears after every part how many are done, of how many.
    """
    answers = KeptAnswers(home).load(run, cell)
    if count and len(answers) > count:
        answers = sorted(answers, key=lambda one: sha256(f"{run}:{one.example}".encode()).digest())[:count]
    found: dict[str, Numbers] = {}
    for start in range(0, len(answers), PART):
        part = answers[start : start + PART]
        found |= zip((one.example for one in part), judge.numbers(part, cell.task), strict=True)
        if told:
            told(start + len(part), len(answers))
    head = {"cell": list(cell), "judge": judge.ref.model_dump()}
    lines = [head, *({"example": example, **numbers} for example, numbers in found.items())]
    write_private(_path(home, run, cell), "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return found


def judged_by(home: Path, run: str, cell: Cell, judge: JudgeRef | None) -> Judgements | None:
    """What was given the answers of a cell by that very judge and rubric, by example; None where it was not asked."""
    path = _path(home, run, cell)
    if judge is None or not path.is_file():
        return None
    try:
        head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if JudgeRef.model_validate(head["judge"]) != judge:
            return None
        return {line["example"]: {name: line[name] for name in CRITERIA} for line in lines}
    except (ValueError, KeyError, TypeError):
        raise DataError(
            Fault("not a judge's numbers", str(path), "delete the file, and have it judged again")
        ) from None


def _path(home: Path, run: str, cell: Cell) -> Path:
    return home / FOLDER / run / f"{digest(list(cell))[:32]}.jsonl"
