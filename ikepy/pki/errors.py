"""What can go wrong where certificates are made."""

from __future__ import annotations


class PkiError(Exception):
    """It was not done; the message is one sentence that says why, and what to do about it."""
