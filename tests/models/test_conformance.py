"""What every model family promises, on a small model of each that is made here."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kommunbench.core.digests import digest
from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, Model, ModelCard, Query
from kommunbench.core.registry import names
from kommunbench.models.folder import FILES
from kommunbench.models.open import card_digest, open_model, reads_prompt
from openai_server import MODEL, serving
from tiny_gguf import write_gguf
from tiny_models import make

SECRET = "Hemligheten om Lövvik"
TEXTS = [
    "Nämnden beslutade den 3 mars att laga taket på badhuset. Kostnaden blev 96 000 kronor. Arbetet börjar i maj.",
    "1 § Personalen ringer på två gånger.\n2 § Biblioteket har öppet på söndagar.",
    "Biblioteket.",
    "Fråga: Vad kostar taket på badhuset i Norrhult?",
]
DECODING = Decoding(max_new_tokens=12)


def query(text: str) -> Query:
    """One question, as a prompt and as any task's inputs."""
    shape = f'{{"pass": antal, "text": "{text[:20]}", ...}}'
    return Query(text, {"input": text, "context": text, "question": text, "shape": shape}, "guideline_qa")


QUERIES = [query(text) for text in TEXTS]


@dataclass
class Case:
    """A card of a family, an option that changes its digest, options with two faults, and how it is opened."""

    card: ModelCard
    other: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, Any] = field(default_factory=lambda: {"unknown": 1, "wrong": "x"})
    machine: dict[str, Any] = field(default_factory=dict)
    end: Callable[[], None] = lambda: None

    def open(self, **machine: Any) -> Model:
        return open_model(self.card, **{"threads": 1, **self.machine, **machine})


def hugging_face(architecture: str) -> Callable[[Path], Case]:
    def case(folder: Path) -> Case:
        card = make(folder, architecture)
        return Case(
            card,
            other={"dtype": "bfloat16"},
            wrong={"dtyp": "float32", "dtype": "float8", "chat": "sometimes", "quantize": "2bit"},
        )

    return case


def baseline(family: str, wrong: dict[str, Any], **options: Any) -> Callable[[Path], Case]:
    other = {name: value + value for name, value in options.items()}
    return lambda _: Case(ModelCard(name=family, family=family, options=options), other, wrong or {"a": 1, "b": 2})


def endpoint(_: Path) -> Case:
    stack = ExitStack()
    server = stack.enter_context(serving())
    identity = digest({key: value for key, value in MODEL.items() if key != "object"})
    options = {"url": server.url, "model": MODEL["id"], "identity": identity}
    card = ModelCard(name="granne", family="endpoint", options=options)
    return Case(card, {"seed": 2}, {"api": "x", "sed": 1}, {"endpoints": server.allowed}, stack.close)


def gguf(folder: Path) -> Case:
    if not (find_spec("llama_cpp") and find_spec("gguf")):
        pytest.skip("the extra is not installed: pip install kommunbench[gguf]")
    make(folder, "llama")
    path = write_gguf(folder, folder / "m.gguf")
    card = ModelCard(name="m", family="gguf", path=str(path))
    return Case(card, {"chat": "off"}, {"chat": "x", "kontext": 1}, {"device": "cpu"})


CASES: dict[str, Callable[[Path], Case]] = {
    **{f"huggingface-{name}": hugging_face(name) for name in ("llama", "lfm2", "gpt2", "t5", "bart")},
    "endpoint": endpoint,
    "constant": baseline("constant", {"text": 3, "txt": ""}, text="Enhet: omsorg."),
    "copy": baseline("copy", {}),
    "lead": baseline("lead", {"sentences": 0, "sentense": 1}, sentences=2),
    "retrieval": baseline("retrieval", {}),
    "textrank": baseline("textrank", {"sentences": 0, "sentense": 1}, sentences=2),
    "plain_rules": baseline("plain_rules", {}),
    "gguf": gguf,
    "shape": baseline("shape", {"number": "x", "nummer": 1}, number=3),
}


DEAR = {"huggingface-lfm2", "huggingface-gpt2", "huggingface-bart"}


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] * (name in DEAR)) for name in CASES]
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    case = CASES[request.param](tmp_path_factory.mktemp("family"))
    yield case
    case.end()


@pytest.fixture(scope="module")
def model(case: Case) -> Model:
    return case.open()


def texts(model: Model, queries: list[Query], **decoding: Any) -> list[str]:
    return [answer.text for answer in model.generate(queries, DECODING.model_copy(update=decoding))]


def test_every_family_is_held_to_it() -> None:
    assert {name.partition("-")[0] for name in CASES} == set(names("models"))


def test_answers_are_the_same_in_order_whatever_the_batch(model: Model) -> None:
    alone = [texts(model, [one])[0] for one in QUERIES]
    for size, order in itertools.product((1, 2, 64), (QUERIES, QUERIES[::-1])):
        assert texts(model, order, batch_size=size) == (alone if order is QUERIES else alone[::-1])


def test_duplicates_have_the_same_answer_each_in_its_place(model: Model) -> None:
    first, second = QUERIES[0], QUERIES[1]
    one, two = texts(model, [first, second])
    assert texts(model, [first, second, first, first, second]) == [one, two, one, one, two]


def test_nothing_asked_is_nothing_answered(model: Model) -> None:
    assert model.generate([], DECODING) == []


@pytest.mark.parametrize("text", ["", "   \n ", "å" * 3, f"{SECRET} " * 50], ids=["none", "blank", "short", "long"])
def test_any_prompt_has_an_answer(model: Model, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (answer,) = model.generate([query(text)], DECODING)
    assert answer.text == answer.text.strip()
    assert answer.prompt_tokens >= 0
    assert texts(model, [query(text), QUERIES[0]]) == [answer.text, *texts(model, QUERIES[:1])]
    assert SECRET not in caplog.text


def test_an_answer_ends_before_the_first_stop_string(case: Case, model: Model) -> None:
    if not reads_prompt(case.card):
        pytest.skip("a baseline's answer is not generated, and is left whole")
    whole = texts(model, QUERIES)
    assert max(map(len, whole)) > 3, "the model answers nothing: there is nothing to stop"
    stops = tuple({max(answer.split(), key=len)[-2:] for answer in whole if answer})
    expected = [answer[: min((at for at in map(answer.find, stops) if at >= 0), default=None)] for answer in whole]
    assert texts(model, QUERIES, stop=stops) == [answer.strip() for answer in expected]


def test_an_answer_is_no_longer_than_was_asked_for(case: Case, model: Model) -> None:
    if reads_prompt(case.card):
        assert all(answer.new_tokens <= 3 for answer in model.generate(QUERIES, Decoding(max_new_tokens=3)))


def test_threads_do_not_change_an_answer(case: Case, model: Model) -> None:
    assert texts(case.open(threads=2), QUERIES) == texts(model, QUERIES)


def test_the_digest_is_the_cards_and_follows_every_option_and_file(case: Case, model: Model, tmp_path: Path) -> None:
    first = card_digest(case.card)
    assert model.digest == first == card_digest(ModelCard.model_validate(case.card.model_dump()))
    assert len(first) == 64
    found = {first}
    for name, value in case.other.items():
        options = {**case.card.options, name: value}
        found.add(card_digest(case.card.model_copy(update={"options": options})))
    assert len(found) == 1 + len(case.other)
    if Path(case.card.path).is_dir() and case.card.path:
        folder = shutil.copytree(case.card.path, tmp_path / "copy")
        moved = case.card.model_copy(update={"path": str(folder)})
        assert card_digest(moved) == first, "where the files lie does not matter"
        for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
            changed = json.loads(path.read_bytes()) | {"changed": 1} if path.suffix == ".json" else None
            path.write_bytes(json.dumps(changed).encode() if changed else path.read_bytes() + b"\0")
            assert card_digest(moved) not in found
            found.add(card_digest(moved))


def test_a_machines_own_options_are_in_no_digest(case: Case) -> None:
    aside = getattr(type(case.open()), "machine_options", frozenset())
    for name in aside:
        options = {**case.card.options, name: "other"}
        assert card_digest(case.card.model_copy(update={"options": options})) == card_digest(case.card)


def test_every_fault_of_a_card_comes_at_once(case: Case) -> None:
    options = {**case.card.options, **case.wrong}
    with pytest.raises(ModelError) as caught:
        open_model(case.card.model_copy(update={"options": options}), **case.machine)
    assert len(caught.value.faults) >= 2
    assert all(f"models.{case.card.name}" in fault.where for fault in caught.value.faults)


@contextmanager
def raises_without(text: str) -> Iterator[None]:
    """Whatever is raised inside does not quote `text`."""
    try:
        yield
    except Exception as error:
        if text in f"{error!r} {error!s}":
            pytest.fail("the error quotes the text")
        raise


def test_no_text_is_in_a_repr_or_an_error(case: Case, model: Model) -> None:
    asked = query(SECRET)
    answers = model.generate([asked], DECODING)
    assert SECRET not in f"{model!r} {model!s} {asked!r} {answers!r}"
    with suppress(Exception), raises_without(SECRET):
        model.generate([Query(SECRET, {"none": SECRET}, "guideline_qa")], DECODING)


def test_only_an_endpoint_uses_the_network_and_only_this_machines(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: Any) -> None:
        called.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    case.open().generate(QUERIES[:1], DECODING)
    if case.card.family == "endpoint":
        assert {address[0] for address in called} == {"127.0.0.1"}
    else:
        assert called == []
