"""The nginx configuration that `coordinator init` writes, in a real nginx before a real SuperLink."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployment.real import RealFederation, free_ports
from kommunbench.federation.deployment.front import PATHS

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="no nginx here"),
]


@pytest.fixture(scope="module")
def nginx(federation: RealFederation) -> Iterator[int]:
    """nginx with the folder's own configuration, word for word but for the port, which our front has; its port."""
    (port,) = free_ports(1)
    text = (federation.folder.path / "nginx.conf").read_text(encoding="utf-8")
    text, changed = re.subn(rf"listen {federation.address[1]} ssl;", f"listen {port} ssl;", text)
    assert changed == 1
    place = Path(tempfile.mkdtemp(prefix="kb-nginx-"))
    (place / "kommunbench.conf").write_text(text, encoding="utf-8")
    main = f"""\
daemon off; pid {place}/pid; error_log {place}/error.log; user root;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    include {place}/kommunbench.conf;
}}
"""
    (place / "nginx.conf").write_text(main, encoding="utf-8")
    command = [str(NGINX), "-c", str(place / "nginx.conf")]
    said = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert "test is successful" in said.stderr, said.stderr
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            status(federation, port, "/")
            break
        except urllib.error.URLError:
            time.sleep(0.1)
    yield port
    process.terminate()
    process.wait(timeout=20)
    shutil.rmtree(place)


def status(federation: RealFederation, port: int, path: str, method: str = "POST") -> int:
    """What nginx answers to somebody who trusts the federation's authority."""
    trusted = ssl.create_default_context(cafile=str(federation.folder.keys / "ca.pem"))
    url = f"https://{federation.address[0]}:{port}{path}"
    asked = urllib.request.Request(url, data=b"" if method == "POST" else None, method=method)
    try:
        with urllib.request.urlopen(asked, context=trusted, timeout=20) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("path", sorted(PATHS))
def test_what_nodes_need_reaches_the_superlink_which_asks_for_a_signature(
    federation: RealFederation, nginx: int, path: str
) -> None:
    assert status(federation, nginx, path) in (400, 401, 415, 422)  # its own words, not nginx's 403 or 404
    assert status(federation, nginx, path, "GET") == 403


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/fleet/", "/v1/fleet/register-node", "/v1/fleet/unregister-node", "/v1/control/list-nodes",
     "/v1/control/register-node", "/v1/runtime/acquire-task", "/v1/fleet/../control/list-nodes",
     "/v1/fleet/pull-messages/../../control/list-nodes", "/v1/fleet/%2e%2e/control/list-nodes", "/docs"],
)  # fmt: skip
def test_nothing_else_does_and_flowers_control_least_of_all(federation: RealFederation, nginx: int, path: str) -> None:
    assert status(federation, nginx, path) == 404


def test_a_site_joins_and_is_online_through_it(federation: RealFederation, nginx: int) -> None:
    federation.say("invite", "dal", "--title", "Dal")
    invitation = federation.folder.path / "invitations" / "dal.yaml"
    raw = yaml.safe_load(invitation.read_text(encoding="utf-8"))
    invitation.write_text(yaml.safe_dump(raw | {"address": f"{federation.address[0]}:{nginx}"}), encoding="utf-8")
    federation.say("approve", str(federation.answer("dal", 10, invitation)), "--fingerprint",
                   federation.spoken("dal"))  # fmt: skip
    try:
        federation.start_node("dal")
        federation.wait_online("dal")
        assert federation.node_says("dal", "connected to the coordinator")["connection"] == "connected"
    finally:
        federation.site("dal", "stop")
        federation.say("remove", "dal")
