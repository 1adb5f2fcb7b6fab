"""SK and SKF: seal and open messages with the keys of an IKE SA (RFC 7296 §3.14, RFC 5282, RFC 7383 §2.5).

Rule 1: what does not open raises IntegrityError and has changed nothing.
Rule 2: an IV is never used twice: a counter for AEAD and CTR, random for CBC.
Not here: what is cut into which fragments (sealing.py, fragments.py), message IDs, what the payloads say.
"""

from __future__ import annotations

from dataclasses import replace

from ikepy.crypto.entropy import Entropy
from ikepy.crypto.errors import IntegrityError
from ikepy.crypto.suites import IkeSuite
from ikepy.ike.keymat import IkeKeys
from ikepy.wire.base import Payload
from ikepy.wire.chain import build_chain, parse_chain
from ikepy.wire.header import HEADER_OCTETS, IkeHeader
from ikepy.wire.message import Message, build_message
from ikepy.wire.payloads import Sk, Skf


class Protection:
    """Seals with our keys, opens with the peer's."""

    def __init__(self, suite: IkeSuite, keys: IkeKeys, entropy: Entropy, *, is_initiator: bool) -> None:
        sk_e, sk_a = (keys.sk_ei, keys.sk_ai) if is_initiator else (keys.sk_er, keys.sk_ar)
        peer_sk_e, peer_sk_a = (keys.sk_er, keys.sk_ar) if is_initiator else (keys.sk_ei, keys.sk_ai)
        self._encr = suite.encr
        self._icv_octets = suite.integ.icv_octets if suite.integ is not None else suite.encr.icv_octets
        self._seal_encr, self._open_encr = suite.encr.keyed(sk_e), suite.encr.keyed(peer_sk_e)
        self._seal_integ = suite.integ.keyed(sk_a) if suite.integ is not None else None
        self._open_integ = suite.integ.keyed(peer_sk_a) if suite.integ is not None else None
        self._entropy = entropy
        self._counter = 0

    def seal(self, header: IkeHeader, payloads: tuple[Payload, ...]) -> bytes:
        """The whole message with the payloads inside SK; the header's length and next payload are computed."""
        first, plaintext = build_chain(payloads)
        return self.seal_octets(header, Sk(first, b""), plaintext)

    def seal_octets(self, header: IkeHeader, sk: Sk | Skf, plaintext: bytes, padding: bytes | None = None) -> bytes:
        """Seal a chain that is octets already, or a piece of one; `padding` (without its length) instead of the least."""
        if padding is None:
            padding = bytes(-(len(plaintext) + 1) % self._encr.block_octets)
        padded = plaintext + padding + bytes([len(padding)])
        iv = self._next_iv()
        # RFC 5282 §5.1: the associated data ends with the generic header of the SK payload, lengths already true;
        # RFC 7383 §2.5: that of SKF with its two numbers.
        room = bytes(len(iv) + len(padded) + self._icv_octets)
        prefix = build_message(Message(header, (replace(sk, body=room),)))[: -len(room)]
        if self._seal_integ is None:
            return prefix + iv + self._seal_encr.seal(iv, padded, prefix)
        sealed = prefix + iv + self._seal_encr.seal(iv, padded)
        return sealed + self._seal_integ.tag(sealed)

    def open(self, message: Message, octets: bytes) -> Message:
        """The message with the payloads that were inside its SK; `octets` is all of it as it came.

        Raises IntegrityError where it was not sealed with the peer's keys, WireError where it was and cannot be read.
        """
        sk = message.payloads[-1] if message.payloads else None
        if not isinstance(sk, Sk):
            raise IntegrityError("no SK payload")
        plaintext = self.open_octets(octets, sk.body)
        return Message(message.header, parse_chain(sk.first_inner, plaintext))

    def most_plaintext(self, octets: int, sk: Sk | Skf) -> int:
        """How much plaintext fits into a message of so many octets whose only payload is that; below 1 for nothing."""
        head = HEADER_OCTETS + len(build_chain((sk,))[1])
        padded = octets - head - self._encr.iv_octets - self._icv_octets
        return padded - padded % self._encr.block_octets - 1

    def open_octets(self, octets: bytes, body: bytes) -> bytes:
        """The plaintext of an SK or SKF body that ends `octets`, without padding; raises IntegrityError."""
        iv_octets, icv_octets = self._encr.iv_octets, self._icv_octets
        if len(body) < iv_octets + icv_octets + 1:
            raise IntegrityError(f"SK payload of {len(body)} octets")
        iv, prefix = body[:iv_octets], octets[: -len(body)]
        if self._open_integ is None:
            padded = self._open_encr.open(iv, body[iv_octets:], prefix)
        else:
            self._open_integ.verify(octets[:-icv_octets], octets[-icv_octets:])
            ciphertext = body[iv_octets:-icv_octets]
            if len(ciphertext) % self._encr.block_octets:
                raise IntegrityError(f"ciphertext of {len(ciphertext)} octets is no whole number of blocks")
            padded = self._open_encr.open(iv, ciphertext)
        if not padded or padded[-1] + 1 > len(padded):
            raise IntegrityError("padding is longer than the plaintext")
        return padded[: -padded[-1] - 1]

    def _next_iv(self) -> bytes:
        if self._encr.block_octets > 1:
            return self._entropy.octets(self._encr.iv_octets)
        self._counter += 1
        return self._counter.to_bytes(self._encr.iv_octets, "big")
