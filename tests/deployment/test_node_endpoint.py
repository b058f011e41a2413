"""A node whose policy names a server on the site's network: the worker stays without network, the connector asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import yaml

from deployment.superlink import TestLink, wait_for
from kommunbench.cli.compose import make_spec
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.digests import digest
from kommunbench.core.model import ModelCard
from kommunbench.core.registry import find
from kommunbench.core.spec import ModelRef, Request
from kommunbench.federation.deployment.bundle import bundle
from kommunbench.federation.deployment.invitation import read_request
from kommunbench.federation.plan import base_cells
from kommunbench.federation.records import read_reply, write_request
from kommunbench.models.open import card_digest
from kommunbench.release import unpack, unpack_cost
from openai_server import MODEL, serving

pytestmark = pytest.mark.slow
KOMMUNBENCH = Path(sys.executable).with_name("kommunbench")
KEY = "nyckel-4711"


def site(*words: object) -> str:
    environment = {**os.environ, "LLM_KEY": KEY}
    done = subprocess.run(
        [KOMMUNBENCH, "site", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_whole_node_answers_by_a_server_that_its_policy_names() -> None:
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        server.key = KEY
        link, home = TestLink(Path(folder)), Path(folder) / "ale"
        site("init", home, "--yes", "--set", f"endpoints={json.dumps(server.allowed)}")
        try:
            rows = [{"id": f"r{n}", "input": f"Ärende {n}.", "references": [f"Ärende {n}."], "split": "test"}
                    for n in range(12)]  # fmt: skip
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (home / "data" / "summarization.jsonl").write_text(lines, encoding="utf-8")
            identity = digest({key: value for key, value in MODEL.items() if key != "object"})
            named = {"model": MODEL["id"], "identity": identity}
            options = {**named, "url": server.url, "key_env": "LLM_KEY"}
            card = {"name": "granne", "family": "endpoint", "options": options}
            (home / "conf" / "models" / "granne.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
            site("join", link.invitation("ale"), "--home", home)
            link.register(read_request(home / "request.yaml"))
            site("start", "--home", home)
            wait_for((home / "run" / "connector.sock").exists, 60)
            state = json.loads((home / "run" / "node.json").read_bytes())
            worker = psutil.Process(state["children"]["worker"])
            assert "LLM_KEY" not in worker.environ()
            assert psutil.Process(state["children"]["connector"]).environ()["LLM_KEY"] == KEY

            words = ["strategy=none", "models=[lead]", "tasks=[summarization]", "max_examples=12"]
            words += ["tracking=off", "costs=false"]
            spec = make_spec(compose_settings(words))
            theirs = ModelCard(name="granne", family="endpoint", options=named)  # the coordinator knows no address
            spec = spec.model_copy(update={"models": (ModelRef(name="granne", digest=card_digest(theirs)),)})
            request = Request(spec=spec, cells=base_cells(spec))
            run = link.run(bundle())
            try:
                (node,) = run.nodes(1)
                message = run.ask(node, write_request(request, {}))
            finally:
                run.close()
            assert message is not None
            reply = read_reply(message)
            found = unpack(request, reply.values, reply.codes, reply.cost)
            codes = {code for (_, metric), code, _ in found if find("metrics", metric).needs is None}  # no tagger here
            assert codes <= {Code.OK, Code.SMALL_CELL}, (home / "site.log").read_text(encoding="utf-8")
            assert Code.OK in codes
            assert unpack_cost(reply.cost).new_tokens > 0
            assert len(server.asked) == 12
            said = (home / "site.log").read_text(encoding="utf-8") + (home / "node.log").read_text(encoding="utf-8")
            assert KEY not in said
            assert "Ärende" not in said
            assert not [c for c in worker.net_connections() if c.family.name != "AF_UNIX"]
        finally:
            site("stop", "--home", home)
            link.close()
