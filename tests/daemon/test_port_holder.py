"""Who has a UDP port."""

from __future__ import annotations

import os
import socket

from ikepy.daemon.port_holder import port_holder


def test_the_process_that_has_a_port_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        holder = port_holder(taken.getsockname()[1])

    assert holder is not None
    assert holder.endswith(f"(process {os.getpid()})")


def test_a_free_port_is_nobodys() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    assert port_holder(port) is None
