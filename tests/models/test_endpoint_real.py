"""The endpoint against a real server process: llama-cpp-python's, with a tiny model of random weights."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.open import open_model
from tiny_gguf import write_gguf
from tiny_models import make

INSTALLED = all(map(find_spec, ("llama_cpp", "gguf", "sse_starlette")))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not INSTALLED, reason="not installed: pip install 'llama-cpp-python[server]' gguf"),
]
TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"
QUERIES = [Query(f"Fråga {number}: Vad kostar taket på badhuset?\nSvar:", {}, "t") for number in range(4)]
ALIAS = "kommun/modell"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its `host:port`."""
    folder = tmp_path_factory.mktemp("llama")
    make(folder, "llama")
    model = write_gguf(folder, folder / "m.gguf", TEMPLATE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", ALIAS,
               "--host", "127.0.0.1", "--port", str(port), "--n_gpu_layers", "0", "--api_key", "nyckel"]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def opened(server: str, key: Path, **options: Any) -> Any:
    """As municipal IT would: opened once without an identity, and then with the one that it says."""
    key.write_text("nyckel")
    key.chmod(0o600)
    stated = {"url": f"http://{server}/v1", "model": ALIAS, "key_file": str(key), "timeout_s": 60.0, **options}
    card = ModelCard(name="granne", family="endpoint", options=stated)
    with pytest.raises(ModelError, match="does not say who answers") as caught:
        open_model(card, endpoints={server: "127.0.0.0/8"})
    identity = str(caught.value).rpartition("identity: ")[2].strip(")")
    card = card.model_copy(update={"options": {**stated, "identity": identity}})
    return open_model(card, endpoints={server: "127.0.0.0/8"})


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_real_server_answers_the_same_again_in_order_and_counts_tokens(server: str, tmp_path: Path, api: str) -> None:
    model = opened(server, tmp_path / "key", api=api)
    first = model.generate([*QUERIES, QUERIES[0]], Decoding(max_new_tokens=6))
    again = model.generate(QUERIES[::-1], Decoding(max_new_tokens=6))
    assert [answer.text for answer in first[:4]] == [answer.text for answer in again][::-1]
    assert first[4].text == first[0].text
    assert all(answer.new_tokens > 0 for answer in first)  # it goes beyond the limit where bytes are no character
    assert all(answer.prompt_tokens > 5 for answer in first)
    assert len({answer.text for answer in first}) > 1


def test_a_prompt_beyond_its_context_and_an_empty_one_are_answered(server: str, tmp_path: Path) -> None:
    model = opened(server, tmp_path / "key", api="completions")
    long = Query("Nämnden beslutade att laga taket. " * 200, {}, "t")
    answers = model.generate([long, Query("", {}, "t")], Decoding(max_new_tokens=4))
    assert answers[0].prompt_tokens > 100, "cut to what the server reads, and no more"
    assert all(answer.text for answer in answers)


def test_a_wrong_key_is_said(server: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("fel")
    (tmp_path / "key").chmod(0o600)
    options = {"url": f"http://{server}/v1", "model": ALIAS, "identity": "x", "key_file": str(tmp_path / "key")}
    card = ModelCard(name="granne", family="endpoint", options=options)
    with pytest.raises(ModelError, match=r"status 401.*key_file"):
        open_model(card, endpoints={server: "127.0.0.0/8"}).generate(QUERIES, Decoding(max_new_tokens=4))
