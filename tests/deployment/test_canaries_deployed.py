"""10,000 canaries over real Flower processes and TLS: none leaves its site, even where a model fails over them.

A coordinator (SuperLink, front) and two sites (SuperNode, worker) run the baselines, a model that fails while it
quotes what it read, and `nano`, which is trained for a round and whose weights leave. A tap records every byte between
sites and coordinator, as it crosses the loopback and without its TLS. Searched are that record, the coordinator's whole
folder with the SuperLink's database, the run with MLflow's database and artifacts, what was printed, all that a site
keeps but its own data (logs, tallies, ledger), and every cache and temporary folder that a library writes to.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from canaries import Canaries
from deployment.real import TASKS, RealFederation
from deployment.tap import Tap
from kommunbench.core.answer import Code
from kommunbench.core.task import load_task
from kommunbench.report.record import RunFolder
from outside import TROUBLED, install

pytestmark = pytest.mark.slow
CANARIES = Canaries()
SITES = {"ale": 16, "bro": 16}
TRAINED_ON = 8
TROUBLE = {("ale", "summarization"): "raise", ("bro", "lattlast"): "model_error"}
"""What a model does at a row of these: raise an exception of its own, or ours, with the row's text in it."""
CACHES = ("HOME", "TMPDIR", "HF_HOME")
"""What a node's processes take over of their environment (site/processes.py) and libraries write below."""


def row(site: str, task: str, number: int) -> dict[str, Any]:
    """One row with more than 70 canaries: in what models read, in references, and in every other field there is."""

    def words(field: str, count: int) -> list[str]:
        return [CANARIES.word(site, task, number, field, i) for i in range(count)]

    whose, what, (mail, ring, asked) = words("whose", 15), words("what", 15), words("other", 3)
    sentences = [
        f"Nämnden i {a} tog upp {b}: {300 + i} kronor." for i, (a, b) in enumerate(zip(whose, what, strict=True))
    ]
    text = " ".join([*sentences, f"Ring {mail}@exempel.se."])
    (own,), (group,), (name,), (column,) = (words(field, 1) for field in ("id", "group", "name", "column"))
    made: dict[str, Any] = {
        "id": own,
        "group": group,
        "split": "train" if number >= SITES[site] else "test",
        "references": [f"{word} betalar {300 + i} kronor." for i, word in enumerate(words("reference", 16))],
        "facts": {fact: words(f"fact {fact}", 1) for fact in load_task(task).facts}
        | {"note": " ".join(words("note", 18))},
        name: column,
    }
    if task == "guideline_qa":
        return made | {"context": f"1 § {text}\n2 § Ring {ring}.", "question": f"Vad kostar {asked}?"}
    return made | {"input": text}


class CanaryFederation(RealFederation):
    """Sites whose every field of every row is full of canaries."""

    def lines(self, site: str, task: str, count: int) -> list[str]:
        rows = [row(site, task, number) for number in range(count + TRAINED_ON)]
        kind = TROUBLE.get((site, task))
        if kind:
            for each in rows:
                each["input"] += f" TROUBLE-{kind} nu."
        broken = [CANARIES.word(site, task, "broken", i) for i in range(4)]
        return [json.dumps(each, ensure_ascii=False) for each in rows] + [
            f'{{"id": "{broken[0]}", "input": "{broken[1]}',
            f'["{broken[2]}"]',
            json.dumps({**rows[0], "id": "9", "input": [broken[3]], "context": 7}),
        ]


class Recorded:
    """The federation after its run, with all that it left behind."""

    def __init__(self, place: Path) -> None:
        self.place, self.began = place, time.time()
        self.tap = Tap(place / "tap")
        self.federation = CanaryFederation(place, SITES, called_at=self.tap.port)
        self.tap.open(self.federation.folder.keys, self.federation.front)
        try:
            for site in SITES:
                self.federation.start_node(site)
            self.federation.wait_online(*SITES)
            limits = [f"tasks.{task}.max_new_tokens=8" for task in TASKS]
            done = self.federation.kommunbench(
                "run", "federation=deployed", "models=[nano,lead,troubled]", "rounds=1", "train.max_steps=2",
                "train.epochs=1", "max_examples=10", "tracking=sqlite", "join_s=5", "quorum=2", "name=kanarie", *limits,
            )  # fmt: skip
        finally:
            self.federation.end()
        self.tap.close()
        (place / "printed").write_text(done.stdout + done.stderr, encoding="utf-8")
        self.run = RunFolder(place / "results" / "kanarie")

    @property
    def data(self) -> list[Path]:
        """The one place of each site where its text may be."""
        return [Path(self.federation.home(site)) / "data" for site in SITES]

    def elsewhere(self) -> list[Path]:
        """Files in the machine's own temporary and cache folders that came while the run went on."""
        folders = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path(HOME) / ".cache")
        return [path for folder in folders for path in _new(folder, self.began) if not path.is_relative_to(self.place)]


HOME = os.environ.get("HOME", "/root")


def _new(folder: Path, since: float) -> Iterator[Path]:
    for top, _, names in os.walk(folder):
        for path in (Path(top, name) for name in names):
            try:
                state = path.stat()
            except OSError:
                continue
            if path.is_file() and state.st_mtime >= since and state.st_size < 2**24 and os.access(path, os.R_OK):
                yield path


def _read(path: Path) -> bytes:
    """What is in it; nothing where another test that runs beside this one has removed its own file meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    place = Path(tempfile.mkdtemp(prefix="kb-"))  # short: a socket's path is
    with pytest.MonkeyPatch.context() as patch:
        for name in CACHES:
            (place / "caches" / name.lower()).mkdir(parents=True)
            patch.setenv(name, str(place / "caches" / name.lower()))
        for name, value in install(TROUBLED, place / "installed").items():
            patch.setenv(name, value)
        try:
            yield Recorded(place)
        finally:
            shutil.rmtree(place)


def test_it_was_a_run_with_numbers_weights_and_failures(recorded: Recorded) -> None:
    codes = {
        (received.site, key[0][0], key[0][1]): code
        for received in recorded.run.received("round-000")
        for key, code, _ in received.slots
        if code is not Code.NO_READING  # no site here has an encoder
    }
    for site in SITES:
        assert {codes[site, "summarization", model] for model in ("nano", "lead")} == {Code.OK}
    assert {place[:2] for place, code in codes.items() if place[2] == "troubled" and code is not Code.OK} == set(
        TROUBLE
    )
    assert {codes[*place, "troubled"] for place in TROUBLE} == {Code.INTERNAL, Code.MODEL_FAULT}
    assert {received.adapter_code for received in recorded.run.received("round-000")} == {Code.OK}
    assert list((recorded.run.path / "adapter").glob("*.safetensors"))
    assert (recorded.place / "results" / "mlflow.db").stat().st_size > 10_000


def test_what_was_recorded_is_what_the_sites_sent(recorded: Recorded) -> None:
    sent = recorded.tap.recorded("plain-up")
    for site in SITES:
        ledger = (Path(recorded.federation.home(site)) / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
        receipts = [bytes.fromhex(json.loads(line)["receipt"]) for line in ledger]
        assert len(receipts) >= 3
        assert all(receipt in sent for receipt in receipts)
    assert b'"run":"kanarie"' in recorded.tap.recorded("plain-down")
    assert len(recorded.tap.recorded("raw-up")) > len(sent)
    assert b"push-messages" not in recorded.tap.recorded("raw-up")


def test_10_000_canaries_stay_where_they_were_planted(recorded: Recorded) -> None:
    planted = {
        place for path in recorded.data for file in path.iterdir() for place in CANARIES.found_in(file.read_bytes())
    }
    assert len(planted) >= 10_000
    assert CANARIES.escaped(recorded.place, but=recorded.data) == {}
    assert {str(path) for path in recorded.elsewhere() if CANARIES.found_in(_read(path))} == set()


def test_the_sites_said_where_things_went_wrong(recorded: Recorded) -> None:
    for (site, task), kind in TROUBLE.items():
        log = (Path(recorded.federation.home(site)) / "site.log").read_text(encoding="utf-8")
        assert f"troubled on {task}: {'ValueError' if kind == 'raise' else 'ModelError'} at troubled.py" in log
        assert f"{task}.jsonl:25: not JSON" in log


def test_a_canary_that_did_leave_would_be_found(recorded: Recorded) -> None:
    """One in each of the places that were searched, in a form that is usual there."""
    word = CANARIES.word("on purpose")
    keys, tap = recorded.federation.folder.keys, Tap(recorded.place / "second-tap")
    with listening(keys) as port:
        tap.open(keys, port)
        context = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        raw = socket.create_connection(("127.0.0.1", tap.port))
        with context.wrap_socket(raw, server_hostname="localhost") as line:
            line.sendall(f"POST / {word}".encode("utf-16"))
            assert line.recv(2) == b"ok"
    tap.close()
    ale = Path(recorded.federation.home("ale"))
    planted = {
        ale / "node.log": f"ValueError: kan inte läsa {word}\n".encode(),
        ale / "tallies" / "x.npz": zlib.compress(f"{word} ".encode() * 9),
        recorded.place / "caches" / "hf_home" / "x.arrow": f"åäö {word}".encode("utf-16-le"),
        recorded.place / "caches" / "tmpdir" / word: b"",
        recorded.run.path / "report.json.x": json.dumps({"fel": f"åäö{word}"}).encode(),
        recorded.federation.folder.state / "x.db": base64.b64encode(f"å{word}".encode()),
    }
    for path, content in planted.items():
        with path.open("ab") as file:
            file.write(content)
    found = CANARIES.escaped(recorded.place, but=recorded.data)
    plain = [path for path in tap.folder.iterdir() if path.name.endswith("plain-up")]
    names = {str(path) if content else f"name of {path}" for path, content in planted.items()}
    assert found == {place: {("on purpose",)} for place in names | {str(path) for path in plain}}
    assert len(plain) == 1


@contextmanager
def listening(keys: Path) -> Iterator[int]:
    """A front that says `ok` to whatever comes; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "server.pem", keys / "server.key")

    def answer() -> None:
        with context.wrap_socket(server.accept()[0], server_side=True) as line:
            line.recv(2**16)
            line.sendall(b"ok")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield int(server.getsockname()[1])
        thread.join()
