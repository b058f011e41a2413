"""The front: what gets through, and what a person reads where it does not."""

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest
import uvicorn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.proto.fleet_pb2 import PushMessagesRequest
from flwr.proto.message_pb2 import Message, Metadata
from flwr.proto.node_pb2 import Node
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kommunbench.federation.deployment.folder import CoordinatorFolder, read_raw
from kommunbench.federation.deployment.front import MAX_BODY, Gate, make_app
from kommunbench.federation.deployment.invitation import make_request, read_invitation
from kommunbench.federation.deployment.roster import Member, Roster, public_pem
from kommunbench.federation.deployment.setup import make_folder, write_invitation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    front, superlink, mlflow = free_ports(3)
    raw = {
        "federation": "norr",
        "coordinator": "Region Norr",
        "address": f"localhost:{front}",
        "front": {"host": "127.0.0.1", "port": front},
        "superlink": {"port": superlink},
        "mlflow": {"port": mlflow, "enabled": False},
    }
    return make_folder(tmp_path_factory.mktemp("coordinator") / "c", read_raw(raw, "test"))


@pytest.fixture(scope="module")
def key(folder):
    """The key of the one site that was approved."""
    key, roster = ec.generate_private_key(ec.SECP384R1()), Roster(folder.roster_path)
    member = Member(name="harnosand", title="Härnösands kommun")
    roster.invite(member)
    invitation = read_invitation(write_invitation(folder, member))
    roster.approve(make_request(invitation, key, Ed25519PrivateKey.generate()))
    return key


def headers(key, at=NOW, flwr=None):
    """As Flower's SuperNode signs a request."""
    pem = key.public_key()
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stamp = at.isoformat()
    return {
        "flwr-public-key": base64.b64encode(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).decode(),
        "flwr-timestamp": stamp,
        "flwr-signature": base64.b64encode(key.sign(stamp.encode(), ec.ECDSA(hashes.SHA256()))).decode(),
        "flwr-package-version": flwr or version("flwr"),
    }


def reason(gate, sent, path="/v1/fleet/pull-messages", at=NOW):
    refusal = gate.refusal(path, sent, at.timestamp())
    return refusal.reason if refusal else None


def test_an_approved_key_gets_through_once_a_signature(folder, key):
    gate = Gate(folder.roster_path)
    sent = headers(key)
    assert reason(gate, sent) is None
    assert reason(gate, sent) == "replay"
    assert reason(gate, sent, at=NOW + timedelta(seconds=200)) == "replay"
    assert reason(gate, headers(key, NOW + timedelta(seconds=1))) is None


def test_a_replay_after_the_window_is_refused_by_its_clock(folder, key):
    gate = Gate(folder.roster_path)
    sent = headers(key)
    assert reason(gate, sent) is None
    assert reason(gate, sent, at=NOW + timedelta(seconds=400)) == "clock"


@pytest.mark.parametrize("seconds", [-306, 6])
def test_a_clock_that_is_far_off_is_named_with_how_far(folder, key, seconds):
    refusal = Gate(folder.roster_path).refusal(
        "/v1/fleet/get-run", headers(key, NOW + timedelta(seconds=seconds)), NOW.timestamp()
    )
    assert refusal is not None
    assert refusal.reason == "clock"
    assert f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}" in refusal.sentence


def test_an_unknown_key_is_told_what_to_do(folder, key):
    refusal = Gate(folder.roster_path).refusal(
        "/v1/fleet/activate-node", headers(ec.generate_private_key(ec.SECP384R1())), NOW.timestamp()
    )
    assert refusal is not None
    assert "the coordinator has not approved this site's key" in refusal.sentence
    assert "send the coordinator your request (`kommunbench site join`)" in refusal.sentence


def test_a_replay_is_called_one(folder, key):
    gate, sent = Gate(folder.roster_path), headers(key)
    assert gate.refusal("/v1/fleet/get-run", sent, NOW.timestamp()) is None
    again = gate.refusal("/v1/fleet/get-run", sent, NOW.timestamp())
    assert again is not None
    assert again.sentence == "this request was received before: a replay, which is not answered"


def test_another_sites_signature_is_not_taken(folder, key):
    forged = {**headers(key), "flwr-signature": headers(ec.generate_private_key(ec.SECP384R1()))["flwr-signature"]}
    assert reason(Gate(folder.roster_path), forged) == "unsigned"


@pytest.mark.parametrize("left_out", ["flwr-public-key", "flwr-timestamp", "flwr-signature"])
def test_what_is_not_signed_is_refused(folder, key, left_out):
    sent = headers(key)
    del sent[left_out]
    assert reason(Gate(folder.roster_path), sent) == "unsigned"


@pytest.mark.parametrize("flwr", ["1.40.0", "1.42.0", "2.0.0"])
def test_an_older_and_a_newer_flower_are_refused_with_both_versions(folder, key, flwr):
    refusal = Gate(folder.roster_path).refusal("/v1/fleet/activate-node", headers(key, flwr=flwr), NOW.timestamp())
    assert refusal is not None
    assert flwr in refusal.sentence
    assert version("flwr") in refusal.sentence
    assert "install the version of kommunbench that is in your invitation" in refusal.sentence


def test_a_removed_site_is_refused(folder, key):
    roster, gate = Roster(folder.roster_path), Gate(folder.roster_path)
    kept = folder.roster_path.read_text(encoding="utf-8")
    assert reason(gate, headers(key)) is None
    roster.remove("harnosand")
    try:
        later = NOW + timedelta(seconds=3)
        assert reason(gate, headers(key, later), at=later) == "unknown key"
    finally:
        folder.roster_path.write_text(kept, encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/start-run",
        "/v1/runtime/acquire-task",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/fleet/../control/start-run",
        "/v1/fleet/%2e%2e/control/start-run",
        "/v1/fleet/pull-messages/",
        "//v1/fleet/pull-messages",
        "/docs",
        "/",
    ],
)
def test_there_is_no_other_path(folder, key, path):
    assert reason(Gate(folder.roster_path), headers(key), path) == "path"


@pytest.fixture(scope="module")
def served(folder, key):
    """The front over real TLS, before a stand-in for the SuperLink that counts what reaches it."""
    reached = []

    async def upstream(request):
        reached.append((request.url.path, await request.body()))
        return PlainTextResponse("from the SuperLink", 500 if request.url.path.endswith("get-fab") else 200)

    loopback = {"ssl_certfile": folder.keys / "loopback.pem", "ssl_keyfile": folder.keys / "loopback.key"}
    server = {"ssl_certfile": folder.keys / "server.pem", "ssl_keyfile": folder.keys / "server.key"}
    stand_in = Starlette(routes=[Route("/{path:path}", upstream, methods=["POST", "GET"])])
    settings = folder.settings
    servers = [
        uvicorn.Server(uvicorn.Config(stand_in, port=settings.superlink.port, log_level="error", **loopback)),
        uvicorn.Server(uvicorn.Config(make_app(folder), port=settings.front.port, log_level="error", **server)),
    ]
    threads = [threading.Thread(target=each.run, daemon=True) for each in servers]
    for thread in threads:
        thread.start()
    while not all(each.started for each in servers):
        time.sleep(0.01)
    yield reached
    for each in servers:
        each.should_exit = True
    for thread in threads:
        thread.join()


def ask(folder, path, sent, body=b"x", authority=None):
    context = ssl.create_default_context(cafile=authority or folder.keys / "ca.pem")
    connection = http.client.HTTPSConnection("localhost", folder.settings.front.port, context=context, timeout=20)
    connection.request("POST", path, body, sent)
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_a_signed_request_reaches_the_superlink_and_comes_back(folder, key, served):
    status, body = ask(folder, "/v1/fleet/get-run?x=1", headers(key, datetime.now(UTC)), b"abc")
    assert (status, body) == (200, b"from the SuperLink")
    assert served[-1] == ("/v1/fleet/get-run", b"abc")


def test_a_fault_of_the_coordinators_own_is_to_be_tried_again(folder, key, served, monkeypatch):
    """A node gives its connection up for good over a 500."""
    assert ask(folder, "/v1/fleet/get-fab", headers(key, datetime.now(UTC)))[0] == 503
    roster = folder.roster_path.read_bytes()
    try:
        folder.roster_path.write_text("- no roster\n", encoding="utf-8")
        later = time.time() + 3  # the roster is read anew every other second
        monkeypatch.setattr("kommunbench.federation.deployment.front.time.time", lambda: later)
        assert ask(folder, "/v1/fleet/get-run", headers(key, datetime.now(UTC)))[0] == 503
    finally:
        folder.roster_path.write_bytes(roster)


def test_nothing_else_reaches_it(folder, key, served):
    before = len(served)
    sent = headers(key, datetime.now(UTC))
    assert ask(folder, "/v1/control/start-run", sent)[0] == 404
    assert ask(folder, "/v1/fleet/..%2Fcontrol/start-run", sent)[0] == 404
    assert ask(folder, "/v1/fleet/get-run", {})[0] == 401
    assert ask(folder, "/v1/fleet/push-object", sent, b"x" * (MAX_BODY + 1))[0] == 413
    assert len(served) == before


def test_a_node_that_starts_is_shown_the_sentence_in_flowers_form(folder, served):
    status, body = ask(folder, "/v1/fleet/activate-node", headers(ec.generate_private_key(ec.SECP384R1())))
    said = json.loads(body)
    assert status == 412
    assert said["code"] == 2004
    assert "has not approved" in said["extra"]
    last = json.loads((folder.logs / "refused.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["reason"] == "unknown key"
    assert last["site"].startswith("key ")


def test_a_site_cannot_answer_for_another(folder, key, served):
    before = len(served)
    forged = PushMessagesRequest(node=Node(node_id=1), messages_list=[Message(metadata=Metadata(src_node_id=2))])
    status, body = ask(folder, "/v1/fleet/push-messages", headers(key, datetime.now(UTC)), forged.SerializeToString())
    assert status == 401
    assert b"another site" in body
    assert len(served) == before
    own = PushMessagesRequest(node=Node(node_id=2), messages_list=[Message(metadata=Metadata(src_node_id=2))])
    assert ask(folder, "/v1/fleet/push-messages", headers(key, datetime.now(UTC)), own.SerializeToString())[0] == 200


def test_another_authority_is_not_trusted(folder, served, tmp_path):
    from kommunbench.federation.deployment.certificates import make_authority

    make_authority(tmp_path, "annan")
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(folder, "/v1/fleet/get-run", {}, authority=tmp_path / "ca.pem")


def test_keys_are_compared_as_flower_stores_them(folder, key):
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes

    line = Roster(folder.roster_path).member("harnosand").node_key
    assert public_pem(line) == public_key_to_bytes(key.public_key())


def test_the_folder_is_its_owners(folder):
    for path in (folder.keys / "ca.key", folder.keys / "server.key", folder.keys / "superexec.secret"):
        assert path.stat().st_mode & 0o077 == 0
    assert CoordinatorFolder(folder.path).settings == folder.settings


@pytest.mark.parametrize(("at", "flwr", "state"), [(400, None, "clock"), (0, "1.40.0", "version")])
def test_a_site_is_told_the_same_by_its_own_status(folder, key, tmp_path, at, flwr, state):
    from kommunbench.site.home import SiteHome
    from kommunbench.site.node_state import read_connection

    sent = headers(key, NOW - timedelta(seconds=at), flwr)
    refusal = Gate(folder.roster_path).refusal("/v1/fleet/activate-node", sent, NOW.timestamp())
    home = SiteHome(tmp_path)
    home.node_log.write_text(f"[code: 2004] Refused by the coordinator.\n{refusal.sentence}\n", encoding="utf-8")
    found = read_connection(home, 0)
    assert found.state == state
    assert {"clock": "clock and the coordinator's differ", "version": "another version of Flower"}[state] in found.what
    assert {"clock": "set it by NTP", "version": "install the version"}[state] in found.do


@pytest.mark.parametrize(
    ("line", "state", "what", "do"),
    [
        ("[code: 2004] Failed to activate SuperNode.", "unknown",
         "the coordinator does not know this node's key", "send request.yaml again and ask whether it was approved"),
        ("ssl: certificate verify failed: certificate has expired", "expired",
         "the coordinator's certificate has expired", "tell the coordinator"),
        ("ssl: CERTIFICATE_VERIFY_FAILED: unable to get local issuer", "untrusted",
         "what answers there does not have the certificate of the invitation", "telephone, then join again"),
    ],
)  # fmt: skip
def test_a_refused_connection_is_a_sentence_with_what_to_do_at_the_site(tmp_path, line, state, what, do):
    from kommunbench.site.home import SiteHome
    from kommunbench.site.node_state import read_connection

    home = SiteHome(tmp_path)
    home.node_log.write_text(f"{line}\n", encoding="utf-8")
    found = read_connection(home, 0)
    assert (found.state, found.what) == (state, what)
    assert do in found.do
