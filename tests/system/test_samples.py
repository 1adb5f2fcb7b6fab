"""Each sample in conf/ as it stands, against its mirror image: what we give people to copy makes a tunnel."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.certs import Authority
from tests.lab.gateway import Gateway, await_true
from tests.lab.namespaces import add_addresses, crosses, leftovers, link, namespaces, sh, states

CONF = Path(__file__).resolve().parents[2] / "conf"
HOSTS = Path("/etc/netns")
LEFT, RIGHT = "west", "east"
CLOUD = "172.31.0.0/16"


@dataclass(frozen=True)
class Sample:
    """What a sample takes for granted, and what must cross: outer addresses, then pairs of inner ones."""

    name: str
    outer: tuple[str, str]
    crossing: tuple[tuple[str, str], ...]
    children: int = 1
    also: tuple[str, ...] = ()
    "Further outer addresses of the right one."


SAMPLES = (
    Sample(
        "site.conf",
        ("198.51.100.1", "203.0.113.2"),
        (("10.1.0.1", "10.2.0.1"), ("10.1.0.1", "10.3.0.1"), ("2001:db8:1::1", "2001:db8:2::1")),
        children=2,
    ),
    Sample("ten-lines.conf", ("198.51.100.1", "203.0.113.2"), (("10.1.0.1", "10.2.0.1"),)),
    Sample("transport.conf", ("192.0.2.10", "192.0.2.20"), (("192.0.2.10", "192.0.2.20"),)),
    Sample("route-based.conf", ("198.51.100.1", "203.0.113.2"), (("10.1.0.1", "10.2.0.1"),)),
    Sample("site-cert.conf", ("198.51.100.1", "203.0.113.2"), (("10.1.0.1", "10.2.0.1"),)),
    Sample("azure.conf", ("198.51.100.1", "203.0.113.2"), (("10.1.0.1", "172.31.0.1"),)),
    *(
        Sample(
            name,
            ("198.51.100.1", "203.0.113.2"),
            (("10.1.0.1", "172.31.0.1"), ("169.254.10.6", "169.254.10.5")),
            children=2,
            also=("203.0.113.3",),
        )
        for name in ("aws.conf", "google-cloud.conf")
    ),
)


@pytest.fixture
def gateways(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Sample, Gateway, Gateway]]:
    sample: Sample = request.param
    text = (CONF / sample.name).read_text()
    with namespaces(LEFT, RIGHT):
        lay_out(sample)
        left, right = Gateway(LEFT, tmp_path / "left"), Gateway(RIGHT, tmp_path / "right")
        left.configure(text)
        right.configure(mirrored(text))
        provide(tmp_path, (left.directory, right.directory))
        try:
            yield sample, left, right
        finally:
            left.stop()
            right.stop()
            for name in (LEFT, RIGHT):
                shutil.rmtree(HOSTS / name)


@pytest.mark.parametrize("gateways", SAMPLES, indirect=True, ids=lambda sample: sample.name)
def test_the_sample_makes_its_tunnel(gateways: tuple[Sample, Gateway, Gateway]) -> None:
    sample, left, right = gateways
    right.start()
    left.start()
    await_true("all children are up", lambda: len(states(LEFT)) == 2 * sample.children)
    for ours, theirs in sample.crossing:
        assert crosses(LEFT, ours, RIGHT, theirs) == 3, left.log()
    assert all(state.packets for state in states(RIGHT))
    assert left.stop() == 0
    await_true("nothing is left at either end", lambda: not states(RIGHT))
    assert leftovers(LEFT) == ""


def lay_out(sample: Sample) -> None:
    """Two gateways on one cable, their addresses, their names."""
    ends = link(LEFT, RIGHT)
    for side, (name, end) in enumerate(zip((LEFT, RIGHT), ends, strict=True)):
        inner = sorted({pair[side] for pair in sample.crossing} - {sample.outer[side]})
        inner = [each for each in inner if not each.startswith("169.254.")]  # an interface of the sample has it
        on_lo = [address + ("/128" if ":" in address else "/32") for address in inner]
        add_addresses(name, {end: [f"{sample.outer[side]}/32"], "lo": on_lo})
        sh("ip", "-n", name, "route", "add", f"{sample.outer[1 - side]}/32", "dev", end, "src", sample.outer[side])
        for another in sample.also:
            if side == 1:
                add_addresses(name, {end: [f"{another}/32"]})
            else:
                sh("ip", "-n", name, "route", "add", f"{another}/32", "dev", end, "src", sample.outer[0])
        sh("ip", "-n", name, "-6", "route", "add", "2001:db8::/32", "dev", end)
        (HOSTS / name).mkdir(parents=True, exist_ok=True)
        (HOSTS / name / "hosts").write_text(
            f"127.0.0.1 localhost\n{sample.outer[0]} left.example.com\n{sample.outer[1]} right.example.com\n"
        )


def mirrored(text: str) -> str:
    """The other gateway's file: addresses, networks and names exchanged. It waits to be called, by whomever it may."""
    sides = {"local": "remote", "remote": "local"}
    names = {
        "left.example.com": "right.example.com",
        "right.example.com": "left.example.com",
        "192.0.2.10": "192.0.2.20",
        "192.0.2.20": "192.0.2.10",
    }
    text = re.sub(r"^(local|remote)(?=_addrs|_ts)", lambda found: sides[found[1]], text, flags=re.MULTILINE)
    if CLOUD in text:
        text = re.sub(r"^(local|remote)(?= = {)", lambda found: sides[found[1]], text, flags=re.MULTILINE)
        text = text.replace("169.254.10.2/", "169.254.10.1/").replace("169.254.10.6/", "169.254.10.5/")
        return re.sub(r"^(start|dpd)_action.*\n", "", text.replace(CLOUD, "10.1.0.0/16"), flags=re.MULTILINE)
    text = re.sub(r'(?<=\bid = ")[^"]+', lambda found: names[found[0]], text)
    text = text.replace('"left-', '"right-').replace("169.254.10.1/", "169.254.10.2/").replace("fe80::1/", "fe80::2/")
    text = (
        text.replace('remote_addrs = ["203.0.113.2"]', 'remote_addrs = ["198.51.100.1"]')
        if "to-branch" in text
        else text
    )
    text = text.replace('routes = ["10.2.0.0/16"]', 'routes = ["10.1.0.0/16"]')
    return re.sub(r'^(start_action|local_addrs = \["right).*\n', "", text, flags=re.MULTILINE)


def provide(scratch: Path, directories: tuple[Path, Path]) -> None:
    """The files the samples name: secrets, keys, certificates."""
    authority = Authority(scratch, "ecdsa")
    for directory, name in zip(directories, ("left", "right"), strict=True):
        certificate, key = authority.issue(f"{name}.example.com", "ecdsa")
        shutil.copy(certificate, directory / f"{name}-cert.pem")
        shutil.copy(key, directory / f"{name}-key.pem")
        (directory / f"{name}-key.pem").chmod(0o600)
        shutil.copy(authority.path, directory / "ca-cert.pem")
        for secret in re.findall(r"[a-z0-9-]+\.secret", "".join(each.read_text() for each in CONF.glob("*.conf"))):
            (directory / secret).touch(0o600)
            (directory / secret).write_text("a secret of the lab and of nothing else")
