"""Configuration files for tests: written where a test may, changed a little, loaded or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ikepy.config.errors import ConfigError
from ikepy.config.load import Loaded, load
from ikepy.config.model import (
    Config,
)

Write = Callable[..., Path]

SITE = """\
[connections.site]
remote_addrs = ["203.0.113.2"]
local = { auth = "psk", id = "left.example.com" }
remote = { auth = "psk", id = "right.example.com" }
[connections.site.children.net]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.2.0.0/16"]
[secrets.site]
secret = "a secret that nobody will guess"
"""
CERTS = """\
[connections.site]
local = { auth = "pubkey", certs = "cert.pem", key = "key.pem" }
remote = { auth = "pubkey", cacerts = ["ca.pem"] }
children.net = {}
"""


def changed(text: str, *replacements: tuple[str, str]) -> str:
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text


def only(loaded: Loaded) -> Config:
    assert loaded.warnings == ()
    return loaded.config


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)
