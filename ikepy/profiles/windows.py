"""Windows 10 and 11: a PowerShell script that adds the VPN, and takes it away again with -Undo.

Rule 1: run twice it leaves the same as run once; -Undo takes away what it added, and no CA that was there before.
Rule 2: every value stands in single quotes (quoting.py), where PowerShell expands nothing.
Rule 3: it never holds a password: Windows asks for it and keeps it itself.
Not here: the habits of the client (personas/windows.py), what a Windows as installed offers (personas/windows_advice.py).
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from html import escape
from textwrap import wrap

from ikepy.profiles.facts import ClientFacts, IpNetwork, NotForThisPlatform, SignIn
from ikepy.profiles.quoting import comment, powershell
from ikepy.profiles.suites import Ability, choose_esp, choose_ike

ABILITY = Ability(
    "Windows",
    ike_encr=(
        ("aes256", "sha256"),
        ("aes256", "sha384"),
        ("aes256gcm16", None),
        ("aes128", "sha256"),
        ("aes128gcm16", None),
    ),
    esp_encr=(
        ("aes256gcm16", None),
        ("aes128gcm16", None),
        ("aes256", "sha256"),
        ("aes128", "sha256"),
        ("aes256", "sha1"),
        ("aes128", "sha1"),
    ),
    prfs=("prfsha256", "prfsha384"),
    groups=("ecp256", "ecp384", "modp2048"),
    esp_groups=("ecp256", "ecp384", "modp2048"),
)
ENCRYPTION = {"aes256": "AES256", "aes128": "AES128", "aes256gcm16": "GCMAES256", "aes128gcm16": "GCMAES128"}
AUTHENTICATION = {"sha1": "SHA196", "sha256": "SHA256128"}
GROUP = {"ecp256": "ECP256", "ecp384": "ECP384", "modp2048": "Group14"}
PFS = {None: "None", "ecp256": "ECP256", "ecp384": "ECP384", "modp2048": "PFS2048"}
_EVERYTHING_V6 = "2000::/3"
"What `Add-VpnConnectionRoute` takes for all of IPv6: it refuses ::/0."
_EAP = "http://www.microsoft.com/provisioning/"
_LINE = 76

_HEAD = """\
#Requires -RunAsAdministrator
<#
.SYNOPSIS
  Adds the VPN connection {title} for {user}. With -Undo it is taken away again.
#>
param([switch]$Undo)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
"""
_FUNCTIONS = """\
function Remove-Vpn {
  if (Get-VpnConnection -Name $Name -AllUserConnection -ErrorAction SilentlyContinue) {
    & rasdial.exe $Name /disconnect | Out-Null
    Remove-VpnConnection -Name $Name -AllUserConnection -Force
  }
  foreach ($rule in @(Get-DnsClientNrptRule | Where-Object { $_.Comment -eq $Name })) {
    Remove-DnsClientNrptRule -Name $rule.Name -Force
  }
}
function Add-Mark([string]$Store, [string]$Thumbprint) {
  New-Item -Path ($Key + '\\' + $Thumbprint) -Force | Out-Null
  New-ItemProperty -Path ($Key + '\\' + $Thumbprint) -Name 'Store' -Value $Store -Force | Out-Null
}
function Add-Authority([string]$Base64) {
  $octets = [Convert]::FromBase64String($Base64)
  $ca = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList @(,$octets)
  if (Test-Path -Path ('Cert:\\LocalMachine\\Root\\' + $ca.Thumbprint)) { return }
  $file = [IO.Path]::GetTempFileName()
  try {
    [IO.File]::WriteAllBytes($file, $octets)
    $null = Import-Certificate -FilePath $file -CertStoreLocation 'Cert:\\LocalMachine\\Root'
    Add-Mark 'LocalMachine\\Root' $ca.Thumbprint
  } finally { Remove-Item -Path $file -Force }
}
function Add-UserCertificate([string]$Base64, [string]$Store) {
  $file = [IO.Path]::GetTempFileName()
  try {
    [IO.File]::WriteAllBytes($file, [Convert]::FromBase64String($Base64))
    $opening = Read-Host -AsSecureString -Prompt 'Password of the certificate'
    foreach ($own in @(Import-PfxCertificate -FilePath $file -Password $opening -CertStoreLocation ('Cert:\\' + $Store))) {
      Add-Mark $Store $own.Thumbprint
    }
  } finally { Remove-Item -Path $file -Force }
}
function Remove-Certificates {
  if (-not (Test-Path -Path $Key)) { return }
  foreach ($mark in @(Get-ChildItem -Path $Key)) {
    $stored = 'Cert:\\' + $mark.GetValue('Store') + '\\' + $mark.PSChildName
    if (Test-Path -Path $stored) { Remove-Item -Path $stored -Force }
  }
  Remove-Item -Path $Key -Recurse -Force
}
if ($Undo) {
  Remove-Vpn
  Remove-Certificates
  Write-Host ('Removed: ' + $Name)
  return
}
"""


def make(facts: ClientFacts) -> str:
    """Make the script; raises NotForThisPlatform."""
    _check(facts)
    name = powershell(facts.title)
    lines = [
        _HEAD.format(title=comment(facts.title).replace("#>", "# >"), user=comment(facts.user).replace("#>", "# >")),
        f"$Name = {name}",
        f"$Server = {powershell(facts.address)}",
        # The name of a registry key must have no backslash: it is a thumbprint of the connection's name instead.
        f"$Key = 'HKLM:\\SOFTWARE\\ikepy\\{sha1(facts.title.encode(), usedforsecurity=False).hexdigest()}'",
        "",
        _FUNCTIONS,
        *(f"Add-Authority {_base64(der)}" for der in facts.anchors),
        *_certificate_lines(facts),
        "Remove-Vpn",
        *_connection_lines(facts),
        *(
            f"Add-VpnConnectionRoute -ConnectionName $Name -DestinationPrefix {powershell(route)} -AllUserConnection"
            for route in routes(facts)
        ),
        *_dns_lines(facts),
        "Write-Host ('Added: ' + $Name + '. Connect under Settings, Network & internet, VPN.')",
    ]
    return "\ufeff" + "\n".join(lines).replace("\n", "\r\n") + "\r\n"


def routes(facts: ClientFacts) -> list[str]:
    """The prefixes that go into the tunnel beside the client's own network."""
    if not facts.is_full:
        return [_route(network) for network in facts.networks]
    return [_EVERYTHING_V6] if 6 in facts.families else []  # noqa: PLR2004 - IPv6


def ipsec_parameters(facts: ClientFacts) -> dict[str, str]:
    """The parameters of Set-VpnConnectionIPsecConfiguration; raises NotForThisPlatform."""
    ike, esp = choose_ike(facts.ike, ABILITY), choose_esp(facts.esp, ABILITY)
    cipher = ENCRYPTION[esp.encr]
    return {
        "EncryptionMethod": ENCRYPTION[ike.encr],
        "IntegrityCheckMethod": ike.prf.removeprefix("prf").upper(),
        "DHGroup": GROUP[ike.ke],
        "CipherTransformConstants": cipher,
        "AuthenticationTransformConstants": cipher if esp.integ is None else AUTHENTICATION[esp.integ],
        "PfsGroup": PFS[esp.ke],
    }


def eap_xml(facts: ClientFacts) -> str:
    """What Windows must know of EAP: its method, and for a certificate whom it believes."""
    kind = 13 if facts.sign_in is SignIn.EAP_TLS else 26
    settings = _eap_tls(facts) if facts.sign_in is SignIn.EAP_TLS else _MSCHAPV2
    common = f'xmlns="{_EAP}EapCommon"'
    return (
        f'<EapHostConfig xmlns="{_EAP}EapHostConfig"><EapMethod><Type {common}>{kind}</Type>'
        f"<VendorId {common}>0</VendorId><VendorType {common}>0</VendorType><AuthorId {common}>0</AuthorId></EapMethod>"
        f'<Config xmlns="{_EAP}EapHostConfig"><Eap xmlns="{_EAP}BaseEapConnectionPropertiesV1">'
        f"<Type>{kind}</Type>{settings}</Eap></Config></EapHostConfig>"
    )


_MSCHAPV2 = (
    f'<EapType xmlns="{_EAP}MsChapV2ConnectionPropertiesV1">'
    "<UseWinLogonCredentials>false</UseWinLogonCredentials></EapType>"
)


def _eap_tls(facts: ClientFacts) -> str:
    roots = "".join(f"<TrustedRootCA>{_thumbprint(der)}</TrustedRootCA>" for der in facts.anchors)
    newer = f'xmlns="{_EAP}EapTlsConnectionPropertiesV2"'
    return (
        f'<EapType xmlns="{_EAP}EapTlsConnectionPropertiesV1"><CredentialsSource><CertificateStore>'
        "<SimpleCertSelection>true</SimpleCertSelection></CertificateStore></CredentialsSource><ServerValidation>"
        "<DisableUserPromptForServerValidation>true</DisableUserPromptForServerValidation>"
        f"<ServerNames>{escape(facts.server_id)}</ServerNames>{roots}</ServerValidation>"
        f"<DifferentUsername>false</DifferentUsername><PerformServerValidation {newer}>true</PerformServerValidation>"
        f"<AcceptServerName {newer}>true</AcceptServerName></EapType>"
    )


def _check(facts: ClientFacts) -> None:
    match facts.sign_in:
        case SignIn.PSK:
            raise NotForThisPlatform("Windows has no pre-shared key for IKEv2: let such users come in by EAP")
        case SignIn.TOKEN:
            raise NotForThisPlatform("Windows cannot do EAP-GTC: give the user a password without --scrypt")
        case SignIn.CERTIFICATE if facts.certificate is not None and facts.certificate.kind != "RSA":
            raise NotForThisPlatform("Windows signs with RSA machine certificates only: make one, or use EAP-TLS")


def _connection_lines(facts: ClientFacts) -> list[str]:
    split = "$false" if facts.is_full else "$true"
    machine = facts.sign_in is SignIn.CERTIFICATE
    how = (
        "AuthenticationMethod = 'MachineCertificate'"
        if machine
        else "AuthenticationMethod = 'Eap'; EapConfigXmlStream = $eap"
    )
    settings = "; ".join(f"{key} = {powershell(value)}" for key, value in ipsec_parameters(facts).items())
    return [
        *([] if machine else [f"$eap = [xml]{powershell(eap_xml(facts))}"]),
        "$vpn = @{ Name = $Name; ServerAddress = $Server; TunnelType = 'Ikev2'; EncryptionLevel = 'Required' }",
        f"$vpn += @{{ SplitTunneling = {split}; RememberCredential = $true; {how} }}",
        "Add-VpnConnection @vpn -AllUserConnection -Force",
        f"$ipsec = @{{ {settings} }}",
        "Set-VpnConnectionIPsecConfiguration -ConnectionName $Name @ipsec -AllUserConnection -Force",
    ]


def _certificate_lines(facts: ClientFacts) -> list[str]:
    """Import the user's certificate: the machine's own for IKE, the user's for EAP-TLS; its password is asked for."""
    if facts.certificate is None or not facts.sign_in.by_certificate:
        return []
    store = powershell("LocalMachine\\My" if facts.sign_in is SignIn.CERTIFICATE else "CurrentUser\\My")
    return [f"Add-UserCertificate -Store {store} -Base64 {_base64(facts.certificate.pkcs12)}"]


def _dns_lines(facts: ClientFacts) -> list[str]:
    """The inner DNS servers by domain; without a domain the gateway's configuration payload is enough."""
    if not facts.dns or not facts.domains:
        return []
    servers = ", ".join(powershell(str(address)) for address in facts.dns)
    return [
        f"Add-DnsClientNrptRule -Namespace {powershell('.' + domain.strip('.'))} -NameServers {servers} -Comment $Name"
        for domain in facts.domains
    ]


def _route(network: IpNetwork) -> str:
    return _EVERYTHING_V6 if network.version == 6 and network.prefixlen == 0 else str(network)  # noqa: PLR2004 - IPv6


def _thumbprint(der: bytes) -> str:
    """A certificate's SHA-1 as Windows writes it into XML: octets with blanks between."""
    return sha1(der, usedforsecurity=False).digest().hex(" ")


def _base64(octets: bytes) -> str:
    return "@'\n" + "\n".join(wrap(b64encode(octets).decode(), _LINE)) + "\n'@"
