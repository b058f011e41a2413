"""A model behind a server on the site's own network: what is asked again, what is refused, where nothing is sent."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from kommunbench.core.digests import digest
from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query, Trainable
from kommunbench.models import endpoint_client
from kommunbench.models.endpoint import Endpoint
from kommunbench.models.open import card_digest, open_model, reads_prompt
from openai_server import MODEL, Server, cut, says, serving, slow, status

IDENTITY = digest({key: value for key, value in MODEL.items() if key != "object"})
SECRET = "Hemligheten om Lövvik"
DECODING = Decoding(max_new_tokens=6)
QUERIES = [Query(f"Fråga {number}:", {}, "guideline_qa") for number in range(6)]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_client, "FIRST_PAUSE_S", 0.01)


def card(server: Server, **options: Any) -> ModelCard:
    stated = {"url": server.url, "model": MODEL["id"], "identity": IDENTITY, "timeout_s": 5.0, "attempts": 3}
    return ModelCard(name="granne", family="endpoint", options={**stated, **options})


def opened(server: Server, **options: Any) -> Endpoint:
    model = open_model(card(server, **options), endpoints=server.allowed, threads=1)
    assert isinstance(model, Endpoint)
    return model


def texts(model: Endpoint, queries: list[Query] = QUERIES, decoding: Decoding = DECODING) -> list[str]:
    return [answer.text for answer in model.generate(queries, decoding)]


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_question_is_asked_greedily_with_the_seed_and_its_cost_is_told(server: Server, api: str) -> None:
    model = opened(server, api=api, seed=7, concurrency=1)
    (answer,) = model.generate(QUERIES[:1], DECODING.model_copy(update={"stop": tuple("abcdef")}))
    (body,) = server.asked
    assert body["temperature"] == 0
    assert (body["seed"], body["max_tokens"], body["model"]) == (7, 6, MODEL["id"])
    assert body["stop"] == ["a", "b", "c", "d"], "a server takes four; we cut at all of them"
    asked = body["messages"][0]["content"] if api == "chat" else body["prompt"]
    assert asked == QUERIES[0].prompt
    assert not set("abcdef") & set(answer.text)
    assert (answer.prompt_tokens, answer.new_tokens) == (2, len(answer.text.split()))


def test_the_system_text_is_a_message_of_its_own(server: Server) -> None:
    opened(server, system="Svara på svenska.").generate(QUERIES[:1], DECODING)
    assert [message["role"] for message in server.asked[0]["messages"]] == ["system", "user"]


def test_it_reads_the_prompt_and_cannot_be_trained(server: Server) -> None:
    assert reads_prompt(card(server))
    assert not isinstance(opened(server), Trainable)
    with pytest.raises(ModelError, match="cannot be trained"):
        open_model(card(server).model_copy(update={"trainable": True}), endpoints=server.allowed)


FAULTS = {
    "429": status(429), "429 with seconds": status(429, Retry_After="0"), "429 with a date": status(
        429, Retry_After=formatdate(0, usegmt=True)), "429 with nonsense": status(429, Retry_After="soon"),
    "500": status(500), "502": status(502), "503": status(503), "504": status(504), "cut": cut,
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_may_be_asked_again_is(server: Server, fault: str) -> None:
    expected = texts(opened(server))
    server.faults = [FAULTS[fault], FAULTS[fault]]
    assert texts(opened(server)) == expected
    assert len(server.asked) == 2 * len(QUERIES) + 2


def test_a_slow_answer_is_asked_for_again(server: Server) -> None:
    expected = texts(opened(server), QUERIES[:1])
    server.faults = [slow(0.6)]
    assert texts(opened(server, timeout_s=0.3), QUERIES[:1]) == expected
    assert len(server.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 422, 301])
def test_what_is_an_answer_is_not_asked_again(server: Server, code: int) -> None:
    model = opened(server, concurrency=1)
    server.faults = [status(code, Location="http://127.0.0.1:9/")]
    with pytest.raises(ModelError, match=f"status {code}"):
        model.generate(QUERIES[:1], DECODING)
    assert len(server.asked) == 1


def test_after_the_last_attempt_it_is_said_and_nothing_else_is_asked(server: Server) -> None:
    model = opened(server, concurrency=1)
    server.faults = [status(503)] * 9
    with pytest.raises(ModelError, match="no answer after 3 attempts, lastly status 503"):
        model.generate(QUERIES, DECODING)
    assert len(server.asked) <= 6, "the others are called off; those under way may end"


def test_the_pause_that_a_server_asks_for_is_kept(server: Server) -> None:
    model = opened(server)
    server.faults = [status(429, Retry_After="1")]
    texts(model, QUERIES[:1])
    assert server.times[1] - server.times[0] >= 1
    server.faults = [status(429, Retry_After="100000")]
    with pytest.raises(ModelError, match="asks to wait 100000 seconds"):
        texts(model, QUERIES[:1])


@pytest.mark.parametrize(
    "found",
    [b"<html>Hemligheten</html>", b"", {"choices": []}, {"choices": "x"}, [], {"error": "Hemligheten"},
     {"choices": [{"text": "a"}], "usage": {"prompt_tokens": -1}}, {"choices": [{"message": {"content": 3}}]}],
)  # fmt: skip
def test_what_is_no_answer_is_said_without_a_word_of_it(
    server: Server, found: object, caplog: pytest.LogCaptureFixture
) -> None:
    model = opened(server, concurrency=1)
    server.faults = [says(found)]
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError) as caught:
        model.generate([Query(SECRET, {}, "t")], DECODING)
    assert len(server.asked) == 1
    for told in (str(caught.value), caplog.text):
        assert "Hemligheten" not in told


@pytest.mark.parametrize("found", [{"choices": [{"message": {"content": None}}]}, {"choices": [{"text": ""}]}])
def test_an_empty_answer_is_an_answer(server: Server, found: object) -> None:
    model = opened(server)
    server.faults = [says(found)]
    assert texts(model, QUERIES[:1]) == [""]


def test_a_reply_without_an_end_is_not_read_to_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_client, "LARGEST", 100)
    with pytest.raises(ModelError, match="longer than 100 bytes"):
        opened(server)


def test_several_are_asked_at_a_time_and_no_more(server: Server) -> None:
    server.pause_s = 0.05
    texts(opened(server, concurrency=3))
    assert server.busiest == 3
    server.busiest = 0
    texts(opened(server, concurrency=1))
    assert server.busiest == 1


def test_no_more_are_asked_a_minute_than_the_card_says(server: Server) -> None:
    model = opened(server, requests_per_minute=600.0, concurrency=6)
    began = time.monotonic()
    texts(model)
    assert time.monotonic() - began >= 0.5, "six questions and one look at the models, a tenth of a second apart"


def test_a_prompt_that_is_too_long_for_the_server_loses_its_start(server: Server) -> None:
    long = " ".join(f"ord{number}" for number in range(400))
    (answer,) = opened(server, api="completions").generate([Query(long, {}, "t")], DECODING)
    assert answer.text
    kept = server.asked[-1]["prompt"]
    assert long.endswith(kept)
    assert len(kept.split()) > 90, "and no more of it than it has to"


def test_the_identity_is_what_the_server_says_and_its_start_does_not_matter(server: Server) -> None:
    server.models[0]["created"] = 99
    opened(server)
    server.models[0]["max_model_len"] = 2048
    with pytest.raises(ModelError, match="says something else of the model") as caught:
        opened(server)
    told = str(caught.value).rpartition("identity: ")[2].strip(")")
    assert texts(opened(server, identity=told))
    with pytest.raises(ModelError, match="does not say who answers"):
        opened(server, identity="")
    server.models = []
    with pytest.raises(ModelError, match="no model of that name"):
        opened(server)


def test_a_server_that_becomes_another_is_noticed_before_it_is_asked(server: Server) -> None:
    model = opened(server)
    server.models[0]["root"] = "another/model"
    with pytest.raises(ModelError, match="something else"):
        model.generate(QUERIES, DECODING)
    assert server.asked == []


def test_the_digest_has_what_decides_an_answer_and_not_where_it_is_asked_for(server: Server) -> None:
    first = card_digest(card(server))
    for same in ({"url": "http://10.0.0.9/v1"}, {"concurrency": 9}, {"key_env": "KEY"}, {"timeout_s": 9}):
        assert card_digest(card(server, **same)) == first
    changes: list[dict[str, Any]] = [
        {"seed": 2},
        {"model": "x"},
        {"api": "completions"},
        {"identity": "y"},
        {"system": "z"},
    ]
    assert len({first, *(card_digest(card(server, **change)) for change in changes)}) == 6


def test_a_key_comes_from_the_environment_or_a_file_of_its_owners_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.key = "nyckel-4711"
    with pytest.raises(ModelError, match=r"status 401.*key_env"):
        opened(server)
    with pytest.raises(ModelError, match="no LLM_KEY in the environment"):
        opened(server, key_env="LLM_KEY")
    monkeypatch.setenv("LLM_KEY", server.key)
    with caplog.at_level(logging.DEBUG):
        assert texts(opened(server, key_env="LLM_KEY"))
    file = tmp_path / "key"
    with pytest.raises(ModelError, match="there is no"):
        opened(server, key_file=str(file))
    file.write_text(server.key + "\n")
    file.chmod(0o644)
    with pytest.raises(ModelError, match=r"others can read.*chmod 600"):
        opened(server, key_file=str(file))
    file.chmod(0o600)
    model = opened(server, key_file=str(file))
    assert texts(model)
    assert "4711" not in f"{caplog.text}{model!r}"


@pytest.mark.parametrize("allowed", [{}, {"127.0.0.1:1": "127.0.0.0/8"}, {"localhost:0": "127.0.0.0/8"}])
def test_a_server_that_the_policy_does_not_name_is_not_called(server: Server, allowed: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=r"not a server that this site's policy allows.*endpoints"):
        open_model(card(server), endpoints=allowed)
    with pytest.raises(ModelError, match="not a server"):
        open_model(card(server))


def lookup(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """A name leads to `answers` when it is looked up once; addresses are themselves."""
    real = socket.getaddrinfo

    def look(host: str, port: int, *rest: Any, **named: Any) -> list[Any]:
        if host[0].isdigit():
            return real(host, port, *rest, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", look)


@pytest.mark.parametrize(
    "answers",
    [("8.8.8.8",), ("10.1.0.1",), ("127.0.0.1", "8.8.8.8"), ("169.254.169.254",), ("::ffff:8.8.8.8",), ("0.0.0.0",)],
)
def test_a_name_that_leads_elsewhere_is_not_called(
    server: Server, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...]
) -> None:
    lookup(monkeypatch, *answers)
    url = server.url.replace("127.0.0.1", "gpu.kommunen.se")
    with pytest.raises(ModelError, match=r"leads out of 127\.0\.0\.0/8.*nothing was sent"):
        open_model(card(server, url=url), endpoints={f"gpu.kommunen.se:{server.port}": "127.0.0.0/8"})
    assert server.asked == []


def test_a_name_is_called_at_the_address_that_was_checked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers for names cannot change the answer between the look and the call."""
    lookup(monkeypatch, "127.0.0.1")
    url = server.url.replace("127.0.0.1", "gpu.kommunen.se")
    model = open_model(card(server, url=url), endpoints={f"gpu.kommunen.se:{server.port}": "127.0.0.0/8"})
    model.generate(QUERIES[:1], DECODING)
    assert server.headers[0]["Host"] == f"gpu.kommunen.se:{server.port}"


def test_a_proxy_of_the_environment_is_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    assert texts(opened(server))


def test_every_fault_of_a_card_comes_at_once(server: Server) -> None:
    wrong = {
        "url": "ftp://x",
        "api": "chats",
        "concurrency": 0,
        "timeout_s": 1e9,
        "key_env": "A",
        "key_file": "b",
        "sed": 1,
    }
    with pytest.raises(ModelError) as caught:
        open_model(card(server, **wrong, model=""), endpoints=server.allowed)
    assert len(caught.value.faults) == 7
