"""The only door to threads."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from ikepy.daemon.workers import Workers, WorkersBusy


def test_work_is_done_in_another_thread_and_its_value_comes_back() -> None:
    async def main() -> int:
        return await Workers().do(threading.get_ident)

    assert trio.run(main) != threading.get_ident()


def test_what_work_raises_comes_back() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trio.run(Workers().do, work)


def test_work_beyond_the_bound_is_refused_at_once_and_counted() -> None:
    async def main() -> int:
        workers = Workers(threads=1, waiting=2)
        go_on = threading.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workers.do, go_on.wait)
            nursery.start_soon(workers.do, go_on.wait)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(WorkersBusy):
                await workers.do(go_on.wait)
            go_on.set()
        await workers.do(go_on.wait)
        return workers.refused

    assert trio.run(main) == 1
