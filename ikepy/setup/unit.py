"""The systemd unit of a daemon: what it may do, and nothing else (systemd.exec(5)).

Not here: telling systemd that we are ready (daemon/systemd.py).
"""

from __future__ import annotations

from pathlib import Path

_UNIT = """\
[Unit]
Description=ikepy, IKEv2 for {conf}
Documentation=https://www.rfc-editor.org/rfc/rfc7296
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} --conf {conf}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=60
Restart=on-failure
RestartSec=2
TimeoutStopSec=15
RuntimeDirectory=ikepy
RuntimeDirectoryPreserve=yes
StateDirectory=ikepy
UMask=0077

# NET_ADMIN: states, policies, routes, interfaces, nftables. NET_BIND_SERVICE: UDP ports 500 and 4500.
# A gateway sets sysctls as their owner; `updown` programs get no more than this.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={writes}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""


def unit_text(conf: Path, program: str, writes: Path) -> str:
    """The unit of the daemon of a configuration.

    program  the command, with its whole path
    writes   directory that the daemon writes to: audit log, users
    """
    return _UNIT.format(conf=conf, program=program, writes=writes)
