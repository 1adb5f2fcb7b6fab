r"""Where log lines go: standard error, plainly, one line each.

Rule 1: a line break inside a message is written as \n, so that no peer makes lines of its own.
Not here: wording (log.py).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


class PlainFormatter(logging.Formatter):
    """`12:34:56.789 line`; what is not INFO says its level; tracebacks as they are."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """One line, escaped."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        return f"{record.asctime}.{record.msecs:03.0f} {level}{escaped(record.message)}"


def escaped(text: str) -> str:
    """The text with control characters written as Python escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@contextmanager
def logging_to(level: str, stream: TextIO | None = None) -> Iterator[None]:
    """Let all of ikepy's loggers write to `stream` (standard error) from `level` on, for as long as the context lasts.

    level   as the configuration says it: error, warning, info or debug
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(PlainFormatter())
    logger = logging.getLogger("ikepy")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(_LEVELS[level])
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(handler)
        handler.close()
