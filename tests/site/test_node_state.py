"""What a node's log says of its connection, in words for municipal IT."""

from __future__ import annotations

from pathlib import Path

import pytest

from kommunbench.site.home import SiteHome
from kommunbench.site.node_state import read_connection

LINES = {
    "connected": "INFO :      SuperNode ID: 10190529009833044639",
    "unknown": "Exit Code: 602\n[code: 2004] Failed to activate SuperNode.",
    "untrusted": "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed",
    "expired": "ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
    "version": "[code: 2004] Refused by the coordinator.\nthis site runs Flower 1.40.0, the coordinator 1.41.0",
    "clock": "[code: 2004] Refused by the coordinator.\nthe request's clock is 400 s behind the coordinator's: set",
    "connecting": "ERROR :     Server error '500 Internal Server Error' for url 'https://kb.example:8443/v1/fleet'",
    "unreachable": "WARNING :   Connection attempt failed, retrying in 0.22 seconds",
}


@pytest.mark.parametrize("state", LINES)
def test_a_sign_is_read(tmp_path: Path, state: str) -> None:
    home = SiteHome(tmp_path)
    home.node_log.write_text(f"{LINES['unreachable']}\n{LINES[state]}\nsomething else\n", encoding="utf-8")
    found = read_connection(home, 0)
    assert found.state == state
    assert bool(found.do) == (state != "connected")


@pytest.mark.parametrize("line", ["Connection successful after 61.21 seconds and 9 tries.", "Sent successfully"])
def test_a_network_that_is_back_is_seen(tmp_path: Path, line: str) -> None:
    home = SiteHome(tmp_path)
    home.node_log.write_text(f"{LINES['connected']}\n{LINES['unreachable']}\n{line}\n", encoding="utf-8")
    assert read_connection(home, 0).state == "connected"


def test_signs_of_an_earlier_start_do_not_count(tmp_path: Path) -> None:
    home = SiteHome(tmp_path)
    home.node_log.write_text(LINES["connected"] + "\n", encoding="utf-8")
    assert read_connection(home, home.node_log.stat().st_size).state == "connecting"
    assert read_connection(SiteHome(tmp_path / "no"), 0).state == "connecting"
