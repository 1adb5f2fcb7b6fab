"""Just enough of an HTTP client: one request, one answer, over a connection of its own (h11 reads and writes the words).

Rule 1: the caller bounds the time, this the octets: of headers (h11's 16 KiB), of the body, and how often it is sent elsewhere.
Rule 2: plain HTTP alone; where a redirect leads is looked at as the first URL was.
Not here: what is asked for and what comes of it (fetching.py).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import h11
import trio

MOST_REDIRECTS = 3
_CHUNK = 65536
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
PORT = 80
Headers = list[tuple[str, str]]


class HttpError(Exception):
    """Nothing of use came; the message says why."""


async def ask(url: str, body: bytes, kind: str, most: int, is_allowed: Callable[[str], bool]) -> bytes:
    """GET a URL, or POST `body` to it, and return what comes; raises HttpError.

    kind        media type of the body
    most        octets of the answer
    is_allowed  whether a URL may be asked
    """
    for _ in range(MOST_REDIRECTS + 1):
        if not is_allowed(url):
            raise HttpError(f"it leads to {url[:80]!r}, which is not asked")
        status, location, octets = await _once(url, body, kind, most)
        if status == _OK:
            return octets
        if status not in _REDIRECTS or not location:
            raise HttpError(f"it answers {status}")
        url = urljoin(url, location)
    raise HttpError(f"it leads on and on, {MOST_REDIRECTS} times and more")


async def _once(url: str, body: bytes, kind: str, most: int) -> tuple[int, str, bytes]:
    """One request: the status, where a redirect leads, and the body."""
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101 - allowed URLs have one
    try:
        stream = await trio.open_tcp_stream(parts.hostname, parts.port or PORT)
        async with stream:
            connection = h11.Connection(h11.CLIENT)
            await stream.send_all(_request(connection, url, body, kind))
            return await _response(connection, stream, most)
    except (OSError, trio.BrokenResourceError) as error:
        raise HttpError(f"it cannot be reached: {error}") from error
    except h11.ProtocolError as error:
        raise HttpError(f"it does not speak HTTP: {error}") from error


def _request(connection: h11.Connection, url: str, body: bytes, kind: str) -> bytes:
    parts = urlsplit(url)
    headers: Headers = [("Host", parts.netloc), ("Connection", "close"), ("Accept-Encoding", "identity")]
    if body:
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = h11.Request(method="POST" if body else "GET", target=target, headers=headers)
    sent = [connection.send(request), connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())]
    return b"".join(each or b"" for each in sent)


async def _response(connection: h11.Connection, stream: trio.SocketStream, most: int) -> tuple[int, str, bytes]:
    status, location, octets = 0, "", bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(_CHUNK))
            case h11.Response() as response:
                status = response.status_code
                found = dict(response.headers)
                location = bytes(found.get(b"location", b"")).decode("latin-1")
                length = bytes(found.get(b"content-length", b"0"))
                if status == _OK and int(length) > most:
                    raise HttpError(f"it would send {int(length)} octets; {most} are the most that is read")
                if status != _OK:
                    return status, location, b""
            case h11.Data(data=data):
                octets += data
                if len(octets) > most:
                    raise HttpError(f"it sends more than {most} octets")
            case h11.EndOfMessage():
                return status, location, bytes(octets)
            case h11.InformationalResponse():
                continue
            case _:
                raise HttpError("it ends before its answer does")
