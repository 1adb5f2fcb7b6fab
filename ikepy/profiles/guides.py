"""What to tap on each platform, and what the words mean that its client shows when something is wrong.

Rule 1: plain words for somebody who has never set up a VPN; the names of menus are those of the platform.
Rule 2: an error is what the client shows, what it means, and what to do about it.
Not here: how it looks (page.py), which files there are (bundle.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

_ASK = "ask whoever gave you this page"


class Platform(Enum):
    """What clients are set up for, by the words of --for."""

    APPLE = "apple"
    WINDOWS = "windows"
    SSWAN = "android-strongswan"
    ANDROID = "android"
    NETWORKMANAGER = "networkmanager"
    STRONGSWAN = "strongswan"
    IKEPY = "ikepy"


@dataclass(frozen=True, slots=True)
class Guide:
    """One platform's part of the page.

    steps    in their order; `{slug}` stands for what the names of the files begin with
    errors   what the client shows, and what that means
    """

    title: str
    steps: tuple[str, ...]
    errors: tuple[tuple[str, str], ...]


GUIDES: Mapping[Platform, Guide] = {
    Platform.APPLE: Guide(
        "iPhone, iPad, Mac",
        (
            "Open {slug}.mobileconfig on the device: by AirDrop, from a mail, or from Files.",
            "iPhone and iPad: Settings, Profile Downloaded, Install.",
            "Mac: System Settings, General, Device Management; open the profile there and choose Install.",
            "It may be called not verified: that is so unless it was signed.",
            "Connect under Settings, VPN; it asks for the password where one is needed.",
        ),
        (
            ("User Authentication failed", "The user name or the password is wrong, or the user may not come in."),
            (
                "The VPN server did not respond",
                f"UDP ports 500 and 4500 do not get through: try another network, or {_ASK}.",
            ),
            ("Negotiation with the VPN server failed", f"The gateway was changed since: {_ASK} for a new profile."),
            (
                "The server certificate is not valid",
                "The gateway's certificate has expired, or the profile is an old one.",
            ),
        ),
    ),
    Platform.WINDOWS: Guide(
        "Windows 10 and 11",
        (
            "Open the start menu, type PowerShell, right-click it and choose Run as administrator.",
            "Type: powershell -ExecutionPolicy Bypass -File {slug}-windows.ps1 - with the folder before the file's name.",
            "Connect under Settings, Network & internet, VPN; it asks for user name and password the first time.",
            "To take it away again, run the same with -Undo behind it.",
        ),
        (
            ("809", "No answer: UDP ports 500 and 4500 do not get through. Try another network."),
            ("691", "The user name or the password is wrong, or the user may not come in."),
            ("13801", "The gateway's certificate is not believed: run the script again as administrator."),
            ("13806", "The certificate of this computer is missing: run the script again and type its password."),
            ("13868", f"Algorithms do not fit: run the script again; if that does not help, {_ASK} for a new one."),
            ("13816", f"The gateway refused it: {_ASK}, and say when it was."),
            ("13863, 87", "Windows is confused: restart the computer, and run the script again."),
        ),
    ),
    Platform.SSWAN: Guide(
        "Android, with strongSwan's app",
        (
            "Install strongSwan VPN Client from the app store.",
            "In the app: the menu (three dots), Import VPN profile, {slug}.sswan; then Import.",
            "Tap the profile to connect; it asks for the password where one is needed.",
        ),
        (
            ("User authentication failed", "The user name or the password is wrong, or the user may not come in."),
            (
                "Verifying server authentication failed",
                f"The gateway's certificate does not fit: {_ASK} for a new profile.",
            ),
            ("Server is unreachable", "UDP ports 500 and 4500 do not get through: try another network."),
            ("Server address lookup failed", "There is no internet, or the gateway's name is not known there."),
        ),
    ),
    Platform.ANDROID: Guide(
        "Android, without an app",
        ("Android 11 and later: what goes where stands in {slug}-android.txt, and here:",),
        (
            (
                "Unsuccessful",
                "The password is wrong, a field differs, or the network lets nothing through: look at each field.",
            ),
        ),
    ),
    Platform.NETWORKMANAGER: Guide(
        "Linux desktop, with NetworkManager",
        (
            "Install strongSwan's plugin. Debian, Ubuntu: network-manager-strongswan; Fedora: NetworkManager-strongswan-gnome.",
            "In a terminal: sh {slug}-networkmanager.sh",
            "Connect in the menu of the network, or by the command that the script says. With --undo it is taken away.",
        ),
        (
            ("Activation of network connection failed", "See why: journalctl -u NetworkManager, the last lines."),
            (
                "AUTHENTICATION_FAILED, in those lines",
                "The user name or the password is wrong, or the user may not come in.",
            ),
        ),
    ),
    Platform.STRONGSWAN: Guide(
        "Linux, with strongSwan",
        (
            "Copy the files to where the first lines of {slug}-swanctl.conf say.",
            "As root: swanctl --load-all && swanctl --initiate --child vpn",
        ),
        (
            ("received AUTHENTICATION_FAILED", "The user name or the password is wrong, or the user may not come in."),
            ("received NO_PROPOSAL_CHOSEN", f"The gateway was changed since: {_ASK} for new files."),
            ("no trusted RSA public key found", "The CA is not in /etc/swanctl/x509ca: copy it there and load again."),
        ),
    ),
    Platform.IKEPY: Guide(
        "Linux, with ikepy",
        ("Keep the files together in one directory. As root: ikepy --conf {slug}-laptop.conf",),
        (
            ("AUTHENTICATION_FAILED", "The user name or the password is wrong, or the user may not come in."),
            ("no answer", "UDP ports 500 and 4500 do not get through: try another network."),
        ),
    ),
}
"Each platform's part."
