"""A server's and a client's EAP method that talk to each other in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ikepy.auth.eap.method import Ask, Failed, Step, Succeeded
from ikepy.auth.eap.tls_method import TlsClient, TlsServer

MOST_ROUNDS = 2000


@dataclass
class Talk:
    """What was said, and how it ended."""

    end: Step | None = None
    requests: list[bytes] = field(default_factory=list)
    responses: list[bytes] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        return len(self.responses)

    @property
    def longest(self) -> int:
        """Octets of the longest EAP packet."""
        return 5 + max(map(len, self.requests + self.responses))


def talk(
    server: TlsServer,
    client: TlsClient,
    *,
    to_client: Callable[[int, bytes], bytes] = lambda _, octets: octets,
    to_server: Callable[[int, bytes], bytes] = lambda _, octets: octets,
) -> Talk:
    """Let them talk to the end; the two changes see the round and the octets."""
    said = Talk()
    request = server.begin()
    for number in range(MOST_ROUNDS):
        said.requests.append(request)
        said.responses.append(client.respond(to_client(number, request)))
        step = server.respond(to_server(number, said.responses[-1]))
        if not isinstance(step, Ask):
            said.end = step
            return said
        request = step.octets
    raise AssertionError("they talk for ever")


def succeeded(said: Talk, client: TlsClient) -> Succeeded:
    assert isinstance(said.end, Succeeded), (said.end, client.fault)
    assert client.fault is None
    assert client.msk is not None
    assert said.end.msk == client.msk
    assert len(client.msk) == 64
    return said.end


def failed(said: Talk, client: TlsClient) -> Failed:
    assert isinstance(said.end, Failed), said.end
    assert client.msk is None
    return said.end
