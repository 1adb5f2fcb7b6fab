"""MS_NOTIFY_STATUS: Microsoft's private notify 12345, whose octets are a Win32 error number.

Rule 1: any octets give a line of bounded length that prints; what is not known is shown as its number.
Not here: what is done about it (ike/).
"""

from __future__ import annotations

from ikepy.wire.registry import NotifyType

MS_NOTIFY_STATUS = NotifyType.MS_NOTIFY_STATUS
_OCTETS = 4
_SHOWN_OCTETS = 16
_HRESULT_OF_WIN32 = 0x8007

_WORDS = {
    5: "ERROR_ACCESS_DENIED: access is denied",
    87: "ERROR_INVALID_PARAMETER: something in our message has a form that Windows does not take",
    691: "ERROR_AUTHENTICATION_FAILURE: user name or password are wrong, or the method is not permitted",
    718: "ERROR_PPP_TIMEOUT: EAP took too long",
    809: "no answer came: UDP 500 and 4500 are closed, or fragments get lost on the way",
    812: "the gateway's policy does not permit the method of authentication",
    853: "the gateway's certificate does not fit the method of EAP",
    1460: "ERROR_TIMEOUT: no answer in time",
    13801: "ERROR_IPSEC_IKE_AUTH_FAIL: Windows does not accept our certificate: the name its user typed must be a dNSName "
    "in subjectAltName, serverAuth in extendedKeyUsage, and the CA in the store of the machine",
    13802: "ERROR_IPSEC_IKE_ATTRIB_FAIL: a parameter of the offer is not taken",
    13804: "ERROR_IPSEC_IKE_GENERAL_PROCESSING_ERROR: Windows gave up, without a reason",
    13805: "ERROR_IPSEC_IKE_TIMED_OUT: no answer came in time",
    13806: "ERROR_IPSEC_IKE_NO_CERT: Windows has no machine certificate (with its key) below a CA that we name",
    13807: "ERROR_IPSEC_IKE_SA_DELETED: the IKE SA was deleted before it was ready",
    13808: "ERROR_IPSEC_IKE_SA_REAPED: the IKE SA was given up before it was ready",
    13816: "ERROR_IPSEC_IKE_ERROR: Windows does not take the message; of a child rekey: its offer had a key exchange, and "
    "the client was set up without -PfsGroup",
    13817: "ERROR_IPSEC_IKE_CRL_FAILED: whether our certificate is revoked could not be found out",
    13818: "ERROR_IPSEC_IKE_INVALID_KEY_USAGE: our certificate's keyUsage has no digitalSignature",
    13819: "ERROR_IPSEC_IKE_INVALID_CERT_TYPE: our certificate has a kind of key that Windows does not take: use RSA or P-256",
    13821: "ERROR_IPSEC_IKE_SIMULTANEOUS_REKEY: both sides rekeyed at once",
    13822: "ERROR_IPSEC_IKE_DH_FAIL: the key exchange failed",
    13825: "ERROR_IPSEC_IKE_NO_POLICY: Windows has no policy for this",
    13826: "ERROR_IPSEC_IKE_INVALID_SIGNATURE: our signature does not verify",
    13843: "ERROR_IPSEC_IKE_INVALID_PAYLOAD: a payload that Windows does not take",
    13863: "ERROR_IPSEC_IKE_INVALID_SITUATION: Windows does not let the gateway begin this rekey; it begins its own",
    13868: "ERROR_IPSEC_IKE_POLICY_MATCH: no proposal in common; see Set-VpnConnectionIPsecConfiguration on the client, and "
    "`proposals` and `esp_proposals` here",
    13869: "ERROR_IPSEC_IKE_UNSUPPORTED_ID: an identity of a type that Windows does not know",
    13881: "ERROR_IPSEC_IKE_INVALID_CERT_KEYLEN: the key of our certificate is too short, or too long",
    13888: "ERROR_IPSEC_IKE_UNEXPECTED_MESSAGE_ID: a message ID that Windows did not expect",
    13889: "ERROR_IPSEC_IKE_INVALID_AUTH_PAYLOAD: our AUTH is not right",
    13899: "ERROR_IPSEC_IKE_INNER_IP_ASSIGNMENT_FAILURE: we gave it no address",
    13900: "ERROR_IPSEC_IKE_REQUIRE_CP_PAYLOAD_MISSING: our answer has no configuration payload",
    13904: "ERROR_IPSEC_IKE_PEER_DOESNT_SUPPORT_MOBIKE: set `mobike = true`, or take it off the client",
    13905: "ERROR_IPSEC_IKE_AUTHORIZATION_FAILURE: the user or the machine may not do this",
    13909: "ERROR_IPSEC_BAD_SPI: an ESP packet of an SA that Windows has not",
}
"Numbers of winerror.h and raserror.h, with what an administrator of the gateway can make of them."


def describe_ms_status(octets: bytes) -> str:
    """What Windows says by a notify of type MS_NOTIFY_STATUS; `octets` are its data, of any length.

    The number stands in network order; where that makes no sense and the other order does, it is taken from there.
    """
    if len(octets) != _OCTETS:
        return f"Windows says {_shown(octets)}, which is no error number"
    numbers = [_win32(int.from_bytes(octets, "big")), _win32(int.from_bytes(octets, "little"))]
    known = next((number for number in numbers if number in _WORDS), None)
    if known is None:
        return f"Windows says {numbers[0]}, an error number of Win32; `net helpmsg {numbers[0]}` there explains it"
    return f"Windows says {known} ({_WORDS[known]})"


def _win32(number: int) -> int:
    """The Win32 error inside an HRESULT; any other number as it is."""
    return number & 0xFFFF if number >> 16 == _HRESULT_OF_WIN32 else number


def _shown(octets: bytes) -> str:
    if not octets:
        return "nothing"
    more = "..." if len(octets) > _SHOWN_OCTETS else ""
    return f"{octets[:_SHOWN_OCTETS].hex()}{more} ({len(octets)} octets)"
