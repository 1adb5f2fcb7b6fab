"""Why a daemon cannot start: one line each, which says what to do."""

from __future__ import annotations


class StartupError(Exception):
    """The daemon cannot start.

    problem   what is wrong, with names and numbers
    remedy    what to do about it, in the imperative
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy
