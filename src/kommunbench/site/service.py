"""`site service`: a hardened systemd unit and a Containerfile for a site's node, with and without internet."""

from __future__ import annotations

import sys
from pathlib import Path

from kommunbench import __version__
from kommunbench.site.home import SiteHome

UNIT = "kommunbench-site.service"
CONTAINER = "Containerfile"


def unit(home: SiteHome, user: str, memory_gib: int) -> str:
    """A systemd unit: own user, no new rights, a read-only system, one folder to write, a limit of memory."""
    command = Path(sys.executable).with_name("kommunbench")
    return f"""\
# {UNIT}: the node of a kommunbench site. It calls the coordinator; nothing listens to the outside.
#   useradd --system --home-dir {home.path} --shell /usr/sbin/nologin {user}
#   chown -R {user}: {home.path}
#   cp {UNIT} /etc/systemd/system/ && systemctl daemon-reload && systemctl enable --now kommunbench-site
#   systemd-analyze security kommunbench-site
[Unit]
Description=kommunbench site
After=network-online.target time-sync.target
Wants=network-online.target

[Service]
Type=exec
User={user}
Group={user}
ExecStart={command} site start --foreground --home {home.path}
Restart=on-failure
RestartSec=30
TimeoutStopSec=45
UMask=0077
MemoryMax={memory_gib}G
TasksMax=512
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={home.path}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=no
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=
AmbientCapabilities=
KeyringMode=private

[Install]
WantedBy=multi-user.target
"""


def containerfile(memory_gib: int) -> str:
    """A Containerfile that installs from a wheelhouse beside it, so that building needs no internet."""
    return f"""\
# {CONTAINER}: the node of a kommunbench site, built without internet.
# On a machine with internet, in a checkout of kommunbench (one library has to be built, so not `pip download`):
#   make wheel && pip wheel dist/kommunbench-{__version__}-py3-none-any.whl -c constraints.txt -w wheelhouse
# Carry wheelhouse/ here, then:
#   podman build -t kommunbench-site .
#   podman run -d --name kommunbench-site --read-only --tmpfs /tmp --cap-drop=ALL --security-opt=no-new-privileges \\
#     --memory={memory_gib}g --userns=keep-id -v /srv/kommunbench:/site:Z kommunbench-site
FROM docker.io/library/python:3.11-slim
COPY wheelhouse/ /wheelhouse/
RUN pip install --no-cache-dir --no-index --find-links /wheelhouse kommunbench=={__version__} && rm -rf /wheelhouse \\
 && useradd --uid 1000 --no-create-home --home-dir /site --shell /usr/sbin/nologin kommunbench
USER kommunbench
VOLUME /site
ENTRYPOINT ["kommunbench", "site", "start", "--foreground", "--home", "/site"]
"""
