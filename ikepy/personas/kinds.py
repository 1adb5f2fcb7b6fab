"""Kinds of peers, and the word of the configuration that says which kind a connection's peers are.

Rule 1: one kind is one set of habits: iOS and macOS are one, and so are all that is built of strongSwan.
Not here: how a kind is known (fingerprint.py), what it needs (quirks.py).
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a peer is, as far as it matters; `label` is for people."""

    WINDOWS = "windows"
    APPLE = "apple"
    ANDROID = "android"
    STRONGSWAN = "strongswan"
    LIBRESWAN = "libreswan"

    @property
    def label(self) -> str:
        """Its name for people: `iOS or macOS`."""
        return _LABELS[self]


_LABELS = {
    Kind.WINDOWS: "Windows",
    Kind.APPLE: "iOS or macOS",
    Kind.ANDROID: "Android",
    Kind.STRONGSWAN: "strongSwan",
    Kind.LIBRESWAN: "libreswan",
}


class QuirksChoice(Enum):
    """The connection's key `quirks`: what its clients need is found out, is nothing, or is told."""

    AUTO = "auto"
    NONE = "none"
    WINDOWS = "windows"
    APPLE = "apple"
    ANDROID = "android"
    STRONGSWAN = "strongswan"
    LIBRESWAN = "libreswan"

    @property
    def kind(self) -> Kind | None:
        """The kind it names; None for `auto` and `none`."""
        return None if self in {QuirksChoice.AUTO, QuirksChoice.NONE} else Kind(self.value)
