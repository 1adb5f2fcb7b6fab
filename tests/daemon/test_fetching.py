"""Fetching what CAs say: who waits, who does not, and servers that hang, lie, send too much or send one elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from cryptography.x509 import ocsp

from ikepy.auth.certificate import Certificate, from_x509
from ikepy.auth.fetched import Fetched, Silence, is_plain, sources_of
from ikepy.auth.ocsp import Status
from ikepy.auth.revocation import Revocations, StatusWanted
from ikepy.config.authentication import Revocation
from ikepy.daemon.fetching import Fetching
from ikepy.daemon.http import HttpError, ask
from ikepy.daemon.workers import Workers
from ikepy.ike.errors import AuthenticationFailed
from tests.support.certificates import NOW, make_ca
from tests.support.status import answer, crl, with_urls

ROOT = make_ca("CN=Root")
Serve = Callable[[trio.SocketStream], Awaitable[None]]
ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + bytes(0x10000) + b"\r\n"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[int]:
    """A server on the loopback; its port."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def says(*parts: bytes, asked: list[bytes] | None = None) -> Serve:
    """Reads a request and sends those octets."""

    async def serve(stream: trio.SocketStream) -> None:
        octets = await stream.receive_some(65536)
        if asked is not None:
            asked.append(octets)
        for part in parts:
            try:
                await stream.send_all(part)
            except trio.BrokenResourceError:
                return

    return serve


async def hangs(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def sends_for_ever(stream: trio.SocketStream) -> None:
    await stream.send_all(ENDLESS)
    while True:
        try:
            await stream.send_all(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except trio.BrokenResourceError:
            return


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def chain_with(port: int, path: str = "/a.crl") -> tuple[Certificate, Certificate]:
    peer = with_urls(ROOT, crl=(f"http://127.0.0.1:{port}{path}",))
    return from_x509(peer.certificate), from_x509(ROOT.certificate)


async def fetch(serve: Serve, seconds: float = 5.0) -> Status | Silence | None:
    """What is known of a certificate when that server was asked for its CA's CRL."""
    fetched = Fetched()
    async with server(serve) as port:
        (source,) = sources_of(*chain_with(port))
        with trio.fail_after(20):
            await Fetching(fetched, Workers(), seconds, lambda: NOW).fetch([source])
        return fetched.look(source, NOW)


def test_a_list_is_got_and_an_answer_is_posted_for() -> None:
    asked: list[bytes] = []
    assert isinstance(trio.run(fetch, says(ok(crl(ROOT)), asked=asked)), Status)
    assert asked[0].startswith(b"GET /a.crl HTTP/1.1\r\n")

    async def by_ocsp() -> Status | Silence | None:
        fetched, heard = Fetched(), list[bytes]()

        async def serve(stream: trio.SocketStream) -> None:
            heard.append(await stream.receive_some(65536))
            await stream.send_all(ok(answer(peer, ROOT, ocsp.OCSPCertStatus.GOOD)))

        async with server(serve) as port:
            peer = with_urls(ROOT, ocsp=(f"http://127.0.0.1:{port}/ask?a=b",))
            (source,) = sources_of(from_x509(peer.certificate), from_x509(ROOT.certificate))
            await Fetching(fetched, Workers(), now=lambda: NOW).fetch([source])
        assert heard[0].startswith(b"POST /ask?a=b HTTP/1.1\r\n")
        assert b"application/ocsp-request" in heard[0]
        assert heard[0].endswith(source.request)
        return fetched.look(source, NOW)

    assert isinstance(trio.run(by_ocsp), Status)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (hangs, "does not answer within 0.5 s"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), "does not speak HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"), "1073741824 octets"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "does not speak HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"0" * 5000 + b"\r\n\r\n"), "does not speak HTTP"),
        (sends_for_ever, "sends more than|does not answer within"),
        (says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * (1 << 20)), "does not speak HTTP|cannot be reached"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: /a.crl\r\n\r\n"), "leads on and on"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"), "which is not asked"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: https://ca.example/\r\n\r\n"), "which is not asked"),
        (says(b"HTTP/1.1 302 Found\r\n\r\n"), "answers 302"),
        (says(b"HTTP/1.1 404 Not Found\r\n\r\n"), "answers 404"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP"),
        (says(b""), "does not speak HTTP|ends before"),
        (says(ok(b"no list")), "no CRL"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_a_server_that_does_not_serve_is_silence_in_time(serve: Serve, why: str) -> None:
    import re

    found = trio.run(fetch, serve, 0.5)
    assert isinstance(found, Silence)
    assert re.search(why, found.why), found.why


def test_where_nobody_listens_it_is_said_at_once() -> None:
    async def run() -> None:
        async with server(hangs) as port:
            pass
        with pytest.raises(HttpError, match="cannot be reached"):
            await ask(f"http://127.0.0.1:{port}/", b"", "", 10, is_plain)

    trio.run(run)


def test_who_waits_for_a_hanging_ca_delays_nobody_else() -> None:
    """Forty verifications wait for a CA that hangs, on two threads; one that needs nothing is done meanwhile."""

    async def run() -> None:
        workers, fetched = Workers(threads=2), Fetched()
        fetching = Fetching(fetched, workers, 1.0, lambda: NOW)
        async with server(hangs) as port:
            soft = Revocations(Revocation.SOFT, None, fetched)
            chains = [chain_with(port, f"/{number}.crl") for number in range(40)]
            finished: list[int] = []

            async def verify(number: int) -> None:
                await fetching.verified(partial(soft.check, chains[number], NOW))
                finished.append(number)

            with trio.fail_after(20):
                async with trio.open_nursery() as nursery:
                    for number in range(40):
                        nursery.start_soon(verify, number)
                    await trio.sleep(0.2)
                    assert await fetching.verified(lambda: "done") == "done"
                    assert not finished
            assert sorted(finished) == list(range(40))

    trio.run(run)


def test_a_source_that_is_being_asked_is_not_asked_twice() -> None:
    async def run() -> int:
        asked: list[bytes] = []
        fetched = Fetched()
        async with server(says(ok(crl(ROOT)), asked=asked)) as port:
            (source,) = sources_of(*chain_with(port))
            await Fetching(fetched, Workers(), now=lambda: NOW).fetch([source] * 10)
        return len(asked)

    assert trio.run(run) == 1


def test_work_that_wants_for_ever_ends() -> None:
    (source,) = sources_of(*chain_with(9))

    def work() -> None:
        raise StatusWanted([source])

    class Nothing(Fetching):
        async def fetch(self, sources: object) -> None:
            await trio.lowlevel.checkpoint()

    async def run() -> None:
        with pytest.raises(AuthenticationFailed, match="cannot be found out"):
            await Nothing(Fetched(), Workers()).verified(work)

    trio.run(run)
