"""Where log lines go."""

from __future__ import annotations

import io
import logging
import re

from ikepy.trace.handlers import escaped, logging_to


def logged(level: str, *lines: tuple[int, str]) -> list[str]:
    """What is written of these lines."""
    stream = io.StringIO()
    with logging_to(level, stream):
        for number, text in lines:
            logging.getLogger("ikepy.test").log(number, "%s", text)
    return stream.getvalue().splitlines()


def test_a_line_has_a_time_and_only_its_words() -> None:
    (line,) = logged("info", (logging.INFO, "7d0c…e1 established"))

    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} 7d0c…e1 established", line)


def test_what_is_not_info_says_its_level() -> None:
    lines = logged("debug", (logging.WARNING, "w"), (logging.DEBUG, "d"), (logging.ERROR, "e"))

    assert [line.split(" ", 1)[1] for line in lines] == ["WARNING w", "DEBUG d", "ERROR e"]


def test_what_is_below_the_level_is_not_written() -> None:
    assert logged("warning", (logging.INFO, "i"), (logging.DEBUG, "d")) == []


def test_no_peer_makes_a_line_of_its_own() -> None:
    (line,) = logged("info", (logging.INFO, "id \n12:00:00.000 ERROR forged\x1b[2J"))

    assert line.endswith(r"id \n12:00:00.000 ERROR forged\x1b[2J")


def test_text_that_prints_is_left_as_it_is() -> None:
    assert escaped("é…✔ a") == "é…✔ a"


def test_afterwards_logging_is_as_it_was() -> None:
    logger = logging.getLogger("ikepy")
    before = (logger.level, logger.propagate, list(logger.handlers))

    logged("debug")

    assert (logger.level, logger.propagate, list(logger.handlers)) == before
