"""The Endpoint's clock: CLOCK_BOOTTIME, which goes on while a laptop sleeps.

Not here: trio.current_time(), which carries a random offset in each process and stands still during suspend.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the machine was started."""


def boottime() -> float:
    """Seconds of CLOCK_BOOTTIME."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
