"""The connector: a worker without network asks a server on the site's network, and can reach nothing else by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from kommunbench.core.digests import digest
from kommunbench.models.endpoint_client import REFUSED
from kommunbench.site.connector import key_names, make_app
from kommunbench.site.doctor import examine
from kommunbench.site.home import SiteHome
from kommunbench.site.setup import make_site
from openai_server import MODEL, Server, serving

WORKER = """
import json, os, sys
from pathlib import Path
from kommunbench.site.no_network import give_up_network, has_network
alone = give_up_network()
from kommunbench.core.model import Decoding, Query
from kommunbench.models.open import load_card, open_model
home = Path(sys.argv[1])
card = load_card("granne", (home / "conf",))
model = open_model(card, threads=1, endpoints={}, connector=home / "run" / "connector.sock")
answers = model.generate([Query(text, {}, "t") for text in ("En", "Två", "En")], Decoding(max_new_tokens=4))
told = {"alone": alone, "network": has_network(), "key": "LLM_KEY" in os.environ, "answers": [a.text for a in answers]}
print(json.dumps(told))
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.key = "nyckel-4711"
        yield server


@pytest.fixture
def home(server: Server) -> Iterator[SiteHome]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path is
        home = SiteHome(Path(folder) / "site")
        make_site(home, {"endpoints": json.dumps(server.allowed)}, Path("data"), 1)
        write_card(home, server)
        yield home


def write_card(home: SiteHome, server: Server, name: str = "granne", **options: Any) -> None:
    identity = digest({key: value for key, value in MODEL.items() if key != "object"})
    stated = {"url": server.url, "model": MODEL["id"], "identity": identity, "key_env": "LLM_KEY", **options}
    raw = {"name": name, "family": "endpoint", "options": stated}
    (home.conf / "models" / f"{name}.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="seccomp is Linux's")
def test_a_worker_without_network_has_answers_and_never_the_key(home: SiteHome, server: Server) -> None:
    environment = {**os.environ, "LLM_KEY": server.key}
    command = [sys.executable, "-m", "kommunbench.site.connector", str(home.path)]
    connector = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 60
        while not home.connector.exists() and time.monotonic() < end:
            time.sleep(0.02)
        assert home.connector.stat().st_mode & 0o777 == 0o600
        plain = {name: value for name, value in os.environ.items() if name != "LLM_KEY"}
        worker = [sys.executable, "-c", WORKER, str(home.path)]
        done = subprocess.run(worker, env=plain, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    finally:
        connector.terminate()
        output, _ = connector.communicate(timeout=20)
    assert (told["alone"], told["network"], told["key"]) == (True, False, False)
    first, second, third = told["answers"]
    assert first == third != second
    assert len(server.asked) == 2
    assert output == "", "the connector says nothing of what it carries"


async def ask(home: SiteHome, path: str, body: object | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(make_app(home, (home.conf,)))
    async with httpx.AsyncClient(transport=transport, base_url="http://connector") as client:
        return await (client.get(path) if body is None else client.post(path, json=body))


def asked(home: SiteHome, path: str, body: object | None = None) -> httpx.Response:
    import asyncio

    return asyncio.run(ask(home, path, body))


BODY = {"model": MODEL["id"], "seed": 1, "max_tokens": 3, "messages": [{"role": "user", "content": "Hej"}]}


def test_it_reads_card_and_policy_anew_for_every_question(
    home: SiteHome, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_KEY", server.key)
    assert asked(home, "/granne/chat/completions", BODY).status_code == 200
    home.policy.write_text("{}", encoding="utf-8")
    refused = asked(home, "/granne/chat/completions", BODY)
    assert refused.status_code == 403
    assert "not a server that this site's policy allows" in refused.headers[REFUSED]
    home.policy.unlink()
    assert "no policy" in asked(home, "/granne/chat/completions", BODY).headers[REFUSED]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/granne/embeddings", 404),
        ("/granne/chat/completions/../../../admin", 404),
        ("/nobody/chat/completions", 403),
        ("/lead/chat/completions", 403),
        ("/..%2f..%2fsite/chat/completions", 404),
        ("/", 404),
    ],
)
def test_it_takes_a_models_name_and_two_paths_and_nothing_else(
    home: SiteHome, server: Server, path: str, status: int
) -> None:
    assert asked(home, path, BODY).status_code == status
    assert server.asked == []


def test_a_server_that_is_away_is_a_status_that_may_be_asked_again(
    home: SiteHome, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_KEY", "x")
    write_card(home, server, url="http://127.0.0.1:9/v1")
    home.policy.write_text("endpoints: {'127.0.0.1:9': 127.0.0.0/8}", encoding="utf-8")
    assert asked(home, "/granne/models").status_code == 502


def test_the_names_of_keys_are_those_of_the_sites_own_cards(home: SiteHome, server: Server) -> None:
    write_card(home, server, "andra", key_env="OTHER_KEY")
    (home.conf / "models" / "broken.yaml").write_text("[", encoding="utf-8")
    assert key_names((home.conf,)) == ("LLM_KEY", "OTHER_KEY")


def test_the_doctor_says_where_each_server_is_and_whether_it_takes_a_call(home: SiteHome, server: Server) -> None:
    def states() -> list[str]:
        return [finding.state for finding in examine(home) if finding.check == "endpoint"]

    assert states() == ["ok"]
    endpoints = "{'127.0.0.1:9': 127.0.0.0/8, '127.0.0.2:9': 10.0.0.0/8}"
    home.policy.write_text(f"endpoints: {endpoints}", encoding="utf-8")
    assert states() == ["warn", "fail"]
