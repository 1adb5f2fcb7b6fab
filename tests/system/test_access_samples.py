"""Samples of gateways and clients as they stand, against each other: what we give people to copy works."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ikepy.pki.making import KeyKind
from ikepy.pki.store import Pki
from tests.lab.certs import Authority
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import sh
from tests.lab.world_room import GATEWAY, GATEWAY6, INSIDE, NAMESPACE, WEB, WEB6, WorldRoom, browse

CONF = Path(__file__).resolve().parents[2] / "conf"
HOSTS = Path("/etc/netns")
CLIENT, NAME = "cl0", "vpn.example.com"
PASSWORD = "a password for samples"


def test_the_laptop_goes_out_by_the_gateway(tmp_path: Path) -> None:
    room = WorldRoom(1)
    authority = Authority(tmp_path, "rsa")
    certificate, key = authority.issue(NAME, "rsa")
    with room.laid():
        (HOSTS / CLIENT).mkdir(parents=True, exist_ok=True)
        (HOSTS / CLIENT / "hosts").write_text(f"127.0.0.1 localhost\n{GATEWAY} {NAME}\n")
        (HOSTS / CLIENT / "resolv.conf").write_text("nameserver 192.0.2.53\n")
        gateway, laptop = Gateway(NAMESPACE, tmp_path / "gateway"), Gateway(CLIENT, tmp_path / "laptop")
        gateway.configure((CONF / "gateway.conf").read_text())
        laptop.configure((CONF / "laptop.conf").read_text())
        shutil.copy(certificate, gateway.directory / "vpn-cert.pem")
        shutil.copy(key, gateway.directory / "vpn-key.pem")
        shutil.copy(authority.path, laptop.directory / "ca-cert.pem")
        (laptop.directory / "password").touch(0o600)
        (laptop.directory / "password").write_text(PASSWORD)
        command = ("user", "add", "alice", "--conf", str(gateway.conf), "--group", "full", "--password-stdin")
        sh(sys.executable, "-m", "ikepy", *command, stdin=PASSWORD)
        try:
            gateway.start()
            laptop.start()
            await_true("the tunnel is up", lambda: browse(CLIENT, WEB, seconds=1) == GATEWAY, 20)
            assert browse(CLIENT, WEB6) == GATEWAY6
            assert browse(CLIENT, INSIDE).startswith("10.9.0.")
            assert "inet 10.9.0." in sh("ip", "-n", CLIENT, "address", "show", "vpn0")
            assert "nameserver 10.1.0.53" in sh("ip", "netns", "exec", CLIENT, "cat", "/etc/resolv.conf")
        finally:
            laptop.stop()
            gateway.stop()
            shutil.rmtree(HOSTS / CLIENT)


def test_who_has_a_certificate_comes_in_by_eap_tls_until_it_is_revoked(tmp_path: Path) -> None:
    room, pki = WorldRoom(1), Pki(tmp_path / "pki")
    pki.init("CA", KeyKind.P256)
    pki.issue_server([NAME], KeyKind.P256)
    pki.issue_client("alice", KeyKind.P256)
    pki.make_crl()
    places = {f"certs/{NAME}.pem": "vpn-cert.pem", f"private/{NAME}.key": "vpn-key.pem", "ca.pem": "ca-cert.pem"}
    with room.laid():
        (HOSTS / CLIENT).mkdir(parents=True, exist_ok=True)
        (HOSTS / CLIENT / "hosts").write_text(f"127.0.0.1 localhost\n{GATEWAY} {NAME}\n")
        gateway, laptop = Gateway(NAMESPACE, tmp_path / "gateway"), Gateway(CLIENT, tmp_path / "laptop")
        gateway.configure((CONF / "eap-tls.conf").read_text())
        for name, place in (*places.items(), ("crl.pem", "crl.pem")):
            shutil.copy(pki.directory / name, gateway.directory / place)
        own = ("--cert", str(pki.directory / "certs/alice.pem"), "--key", str(pki.directory / "private/alice.key"))
        command = ("profile", "alice", "--for", "ikepy", "--conf", str(gateway.conf), "--out", str(tmp_path / "alice"))
        sh(sys.executable, "-m", "ikepy", *command, *own)
        laptop.conf = tmp_path / "alice/alice-laptop.conf"
        try:
            gateway.start()
            laptop.start()
            await_true("the tunnel is up", lambda: browse(CLIENT, WEB, seconds=1) == GATEWAY, 20)
            assert "alice by EAP-TLS" in gateway.ikepy("status")
            pki.revoke("alice")
            shutil.copy(pki.directory / "crl.pem", gateway.directory / "crl.pem")
            laptop.stop()
            laptop.start()
            await_true("it is refused", lambda: "was revoked" in gateway.log(), 20)
        finally:
            laptop.stop()
            gateway.stop()
            shutil.rmtree(HOSTS / CLIENT)
