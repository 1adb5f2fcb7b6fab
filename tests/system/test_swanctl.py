"""Debian's swanctl against our control socket, and our own command line, as an operator uses them."""

from __future__ import annotations

import json

import pytest

from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import crosses, sh
from tests.lab.strongswan import StrongSwan
from tests.system.cases import CASES
from tests.system.conftest import Lab
from tests.system.test_matrix import of_case

CASE = CASES[0]
NAME = CASE.connection("ikepy")


@pytest.fixture
def swan(lab: Lab) -> StrongSwan:
    peer = lab.peers["strongswan"]
    assert isinstance(peer, StrongSwan)
    return peer


def test_swanctl_initiates_lists_and_terminates(lab: Lab, swan: StrongSwan) -> None:
    uri = lab.left.uri
    assert "ikepy" in swan.swanctl("--version", "--daemon", uri=uri)
    said = swan.swanctl("--initiate", "--ike", NAME, "--child", "net", uri=uri)
    assert "initiate completed successfully" in said
    listed = swan.swanctl("--list-sas", uri=uri)
    assert f"{NAME}: #" in listed
    assert "ESTABLISHED, IKEv2" in listed
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_256/CURVE_25519" in listed
    assert ", INSTALLED, TUNNEL, ESP:AES_GCM_16-256" in listed, listed
    assert "(null)" not in listed
    raw = swan.swanctl("--list-sas", "--raw", uri=uri)
    assert raw.startswith(f"list-sa event {{{NAME} {{uniqueid=")
    assert "state=ESTABLISHED local-host=" in raw
    said = swan.swanctl("--terminate", "--ike", NAME, uri=uri)
    assert "terminate completed successfully" in said
    await_true("it is gone", lambda: not of_case(lab, "left", "ikepy", CASE))


def test_swanctl_lists_connections(lab: Lab, swan: StrongSwan) -> None:
    listed = swan.swanctl("--list-conns", uri=lab.left.uri)
    assert f"{NAME}: IKEv2" in listed
    assert "net: TUNNEL" in listed


def test_up_says_why_a_peer_that_is_not_there_is_not_up(lab: Lab) -> None:
    said = lab.left.ikepy("up", "no-such-connection", check=False)
    assert said.strip().splitlines()[-1].startswith("ikepy: no-such-connection is not up: there is no connection")


def test_up_status_and_down_read_well(lab: Lab) -> None:
    right = lab.peers["ikepy"]
    assert isinstance(right, Gateway)
    assert f"{NAME} is up" in lab.left.ikepy("up", NAME)
    at = CASE.addresses("ikepy")
    assert crosses("left", at.inner(1), "right", at.inner(2)) == 3
    table = lab.left.ikepy("status")
    assert "ESTABLISHED" in table
    assert f"{NAME}/net" in table
    assert "3 pkt" in table
    listed = json.loads(lab.left.ikepy("status", "--json"))
    assert [sa["connection"] for sa in listed[0]["sas"]] == [NAME]
    assert f"{NAME} is down" in lab.left.ikepy("down", NAME)
    assert sh("ip", "-n", "left", "xfrm", "state").count(at.outer(1)) == 0


def test_wrong_secrets_are_said_so_on_both_sides(lab: Lab) -> None:
    right = lab.peers["ikepy"]
    assert isinstance(right, Gateway)
    text = lab.left.conf.read_text()
    lab.left.stop()
    lab.left.configure(text.replace("a secret of the lab", "another secret of the lab"))
    lab.left.start()
    try:
        said = lab.left.ikepy("up", NAME, check=False)
        assert "AUTHENTICATION_FAILED" in said.strip().splitlines()[-1]
        assert "right3-psk-gcm.lab" in right.log()
    finally:
        lab.left.stop()
        lab.left.configure(text)
        lab.left.start()
