"""The endless corpus that `nano` is pretrained on: Swedish office prose and the three tasks in a neutral style.

It never contains a house's style, terms or rules, nor a filler of the test pool: what an organisation's own way of
writing is, only its own examples can teach.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kommunbench.core.folders import TASKS
from kommunbench.core.task import Task, read_task
from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.neutral_drills import drill
from kommunbench.synthetic.neutral_guideline_qa import passage
from kommunbench.synthetic.neutral_lattlast import rewriting
from kommunbench.synthetic.neutral_summarization import case, question


@dataclass(frozen=True, slots=True)
class Document:
    """One text of the corpus.

    Args:
        kind: `prose`, `drill`, `question`, or a task's name.
        prompt: the task's prompt, instruction last; empty for prose.
        answer: what follows; the whole text for prose. No white space at either end.
    """

    kind: str
    prompt: str
    answer: str


def neutral_corpus(seed: int) -> Iterator[Document]:
    """Yield documents without end; the same seed gives the same ones.

    One in twenty-five is prose, one in five a drill, one in seventeen a question about a case; the rest are the three
    tasks, each with one of its prompts, answers from a guideline the most.
    A question is left unanswered half the time. Texts are of all lengths from one sentence up: the short ones teach
    copying early.
    """
    tasks = {name: read_task(TASKS / f"{name}.yaml") for name in ("summarization", "guideline_qa", "lattlast")}
    index = 0
    while True:
        rng = random.Random(f"neutral/{seed}/{index}")  # noqa: S311 (data, not secrets)
        yield _document(Fillers(rng, "pretraining"), tasks)
        index += 1


def _document(fillers: Fillers, tasks: dict[str, Task]) -> Document:
    rng = fillers.rng
    kind = rng.choices(("prose", "drill", "question", *tasks), weights=(4, 20, 6, 22, 28, 20))[0]
    if kind == "prose":
        return Document(kind, "", _PROSE[rng.randrange(len(_PROSE))](fillers))
    if kind == "drill":
        return Document(kind, *drill(fillers))
    if kind == "question":
        text, asked, told = question(fillers)
        return Document(kind, f"{text}\n\nFråga: {asked}\nSvar:", told)
    inputs, answer = _INPUTS[kind](fillers)
    variant = rng.choice(sorted(tasks[kind].prompts))
    return Document(kind, tasks[kind].render(variant, inputs), answer)


def _summarization(fillers: Fillers) -> tuple[dict[str, str], str]:
    text, summary = case(fillers)
    return {"input": text}, summary


def _guideline_qa(fillers: Fillers) -> tuple[dict[str, str], str]:
    context, question, answer = passage(fillers)
    return {"context": context, "question": question}, answer


def _lattlast(fillers: Fillers) -> tuple[dict[str, str], str]:
    text, plain = rewriting(fillers)
    return {"input": text}, plain


_INPUTS: dict[str, Callable[[Fillers], tuple[dict[str, str], str]]] = {
    "summarization": _summarization,
    "guideline_qa": _guideline_qa,
    "lattlast": _lattlast,
}
_PROSE: tuple[Callable[[Fillers], str], ...] = (
    lambda fillers: case(fillers)[0],
    lambda fillers: " ".join(case(fillers)),
    lambda fillers: rewriting(fillers)[1],
    lambda fillers: passage(fillers)[0],
)
