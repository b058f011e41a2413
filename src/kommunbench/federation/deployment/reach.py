"""What lies between a site and its coordinator, step by step: name, proxy, port, TLS, certificate, clock, versions."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPSConnection

from kommunbench.federation.deployment.invitation import Invitation, split_address, version_faults
from kommunbench.site.doctor import PROXIES, Finding

PATIENCE_S = 10.0
LARGEST_SKEW_S = 30.0
"""Requests are signed with their time; a clock that is further off is refused."""
SOON_DAYS = 14.0


def examine_coordinator(invitation: Invitation) -> Iterator[Finding]:
    """Every step as far as it goes; the first that fails ends it, for what follows would only repeat it."""
    yield from _versions(invitation)
    host, port = split_address(invitation.address)
    yield _proxy(host)
    try:
        socket.getaddrinfo(host, port)
    except OSError:
        yield Finding("name", "fail", f"{host} has no address here", "ask for the name in the site's own DNS")
        return
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except OSError as error:
        do = f"let {host} port {port}, TCP, out through the firewall, and ask whether their server is on"
        yield Finding("address", "fail", f"{invitation.address} does not answer ({type(error).__name__})", do)
        return
    yield Finding("address", "ok", f"{invitation.address} answers")
    yield from _tls(invitation, host, port)


def _versions(invitation: Invitation) -> Iterator[Finding]:
    faults = version_faults(invitation)
    for fault in faults:
        yield Finding("version", "fail", f"{fault.where}: {fault.what}", fault.do)
    if not faults:
        yield Finding("version", "ok", f"kommunbench {invitation.kommunbench} and flwr {invitation.flwr}, as there")


def _proxy(host: str) -> Finding:
    set_ = [name for name in PROXIES if os.environ.get(name)]
    if not set_:
        return Finding("proxy", "ok", "none set: the node calls directly")
    if host in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(","):
        return Finding("proxy", "ok", f"{set_[0]} is set, and {host} is left out of it")
    do = f"a proxy that opens TLS is seen as a stranger: add {host} to NO_PROXY, or let it through unopened"
    return Finding("proxy", "warn", f"{set_[0]} is set, and the node's calls go through it", do)


def _tls(invitation: Invitation, host: str, port: int) -> Iterator[Finding]:
    context = ssl.create_default_context(cadata=invitation.ca_certificate)
    connection = HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)
    try:
        connection.connect()
        certificate = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
        asked = datetime.now(UTC)
        connection.request("GET", "/v1/fleet/")
        date = connection.getresponse().getheader("Date")
    except ssl.SSLCertVerificationError as error:
        yield _untrusted(error)
        return
    except (OSError, HTTPException) as error:
        do = "is it the coordinator's port, or something in between that opens TLS?"
        yield Finding("tls", "fail", f"no TLS on {invitation.address} ({type(error).__name__})", do)
        return
    finally:
        connection.close()
    days = _days_left(certificate)
    do = "tell the coordinator: `kommunbench coordinator renew`" if days < SOON_DAYS else ""
    yield Finding("tls", "warn" if do else "ok", f"the certificate of the invitation, {days:.0f} days left", do)
    if date:
        off = abs((parsedate_to_datetime(date) - asked).total_seconds())
        late = off > LARGEST_SKEW_S
        yield Finding("clock", "fail" if late else "ok", f"{off:.0f} s from the coordinator's",
                      "set this machine's clock by NTP (timedatectl set-ntp true)" if late else "")  # fmt: skip


def _untrusted(error: ssl.SSLCertVerificationError) -> Finding:
    if error.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        do = "tell the coordinator: `kommunbench coordinator renew`; is this machine's clock right?"
        return Finding("tls", "fail", "the coordinator's certificate has expired", do)
    if error.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
        return Finding(
            "tls", "fail", "the certificate is not for that name", "ask the coordinator for a new invitation"
        )
    do = "telephone the coordinator and compare ca_fingerprint; a proxy may be opening TLS; do not go on before that"
    return Finding("tls", "fail", "what answers does not have the certificate of the invitation", do)


def _days_left(certificate: object) -> float:
    until = certificate.get("notAfter", "") if isinstance(certificate, dict) else ""
    return (ssl.cert_time_to_seconds(until) - datetime.now(UTC).timestamp()) / 86400 if until else 0.0
