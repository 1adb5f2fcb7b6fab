"""docs/configuration.md, made from the model and the schema.

Made again by: python -m ikepy.config.reference > docs/configuration.md

Rule 1: what a key means is the sentence below its field in model.py; nothing is said twice.
Not here: the keys themselves (schema.py).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from collections.abc import Iterator
from enum import Enum
from textwrap import fill

from ikepy.config.algorithms import DEFAULT_ESP_WORDS, DEFAULT_IKE_WORDS, WORDS, legacy_words
from ikepy.config.schema import INCLUDE, SECTIONS
from ikepy.config.sections import Key, Section
from ikepy.crypto.suites import is_supported
from ikepy.wire.registry import ProtocolId, TransformType
from ikepy.wire.sa import Proposal

_HEAD = """\
# Configuration

This file is generated from `ikepy/config/model.py` by `python -m ikepy.config.reference`; a test fails when it is
stale.

ikepy reads one file in TOML, called `.conf`: `ikepy --conf site.conf`. The words are those of strongSwan's
swanctl.conf. `ikepy --conf site.conf --check` reads it, says what is wrong, and opens nothing. A key that is not listed
here is an error.

```toml
{example}```

- A list with one entry needs no brackets; addresses, selectors and proposals may also stand in one text with commas.
- Files are relative to the file they are named in. A file with a secret must be readable by its owner only (mode 0600),
  and so must a `.conf` that holds one.
- Times are written `"30s"`, `"5m"`, `"1h"`, `"1d"`, or as a number of seconds; octets as a number, or as `"500M"` or
  `"1G"` (K, M, G and T are powers of 1024).
- Identities: `gw.example.com`, `alice@example.com`, `192.0.2.1`, `2001:db8::1`, `C=DE, O=Example, CN=gw`; with the type
  before it where it is not the obvious one, `fqdn:`, `email:`, `ipv4:`, `ipv6:`, `asn1dn:`, `keyid:`; `@#0a0b0c` is a
  key ID in hexadecimal. Patterns: `*.example.com`, and `%any` for all.
- Selectors: `10.1.0.0/16`, `10.1.0.1-10.1.0.9`, `2001:db8::/64[tcp/443]`, `10.1.0.0/16[udp/5000-5010]`,
  `10.1.0.0/16[icmp/8]` (an ICMP type, or `type:code`), `10.1.0.0/16[tcp/opaque]` (ports that cannot be seen);
  `dynamic` is the address of that side.
- A child with `mode = "pass"` or `"drop"` is a shunt: it needs `remote_ts`, and takes `local_ts`, `start_action`, `mark`
  and `if_id` besides. It may stand in any connection, whose peer and secrets do not concern it: the shortest way is to
  put it among the children of a connection that is there anyway.
- `include` stands at the top, before the first table. A name that is there twice, in whichever file, is an error.

"""
_EXAMPLE = """\
[connections.site]
remote_addrs = ["203.0.113.2"]
local = { auth = "psk", id = "left.example.com" }
remote = { auth = "psk", id = "right.example.com" }
[connections.site.children.net]
local_ts = ["10.1.0.0/16"]
remote_ts = ["10.2.0.0/16"]
start_action = "start"
[secrets.site]
file = "site.secret"
"""
_SELECTION = """\
## Which connection and which secret apply

When a peer comes, a connection is selected by addresses, then by the identity it asks for, its own identity, how it
authenticates, and the CA of its certificates; in each the most specific goes first. Two that fit equally well are
refused, and the log names both: set `remote_addrs`, `local.id` or `remote.id` so that one fits better.

A pre-shared key is looked for by its owners (`id`, `ids`). A key whose owners name the peer's identity goes before one
that names the peer's address, then one that names only us, then one without owners; of two that are equal in this, the
one that names our identity too goes first. Different keys that fit equally well are refused. A key that names other
peers only is never used.

"""
_TYPES = (
    (TransformType.ENCR, "Ciphers"),
    (TransformType.INTEG, "Integrity"),
    (TransformType.PRF, "Pseudorandom functions (IKE only)"),
    (TransformType.KE, "Key exchange"),
    (TransformType.ESN, "Sequence numbers (ESP only)"),
)
_PROPOSALS = (
    "A proposal is words with dashes between: `aes256gcm16-prfsha256-x25519`. Several words of a kind leave the choice "
    "to the peer, the first is liked best. Ciphers that protect integrity themselves (gcm, ccm, chacha20poly1305) and "
    "others stand in proposals of their own. IKE without a PRF takes that of its integrity words, else `prfsha256`. "
    "ESP without `esn` or `noesn` offers both. A group in an ESP proposal makes each child after the first exchange "
    "keys of its own, and so does each rekeying; `none` beside it leaves that to the peer "
    "(libreswan refuses it when asked: write a second proposal without a group for such)."
)
WIDTH = 120


def build_reference() -> str:
    """Build the whole of docs/configuration.md."""
    parts = [_HEAD.format(example=_EXAMPLE), _build_top()]
    parts += [_build_section(section) for section in SECTIONS]
    return "".join([*parts, _build_algorithms(), _SELECTION]).rstrip("\n") + "\n"


def field_sentences(model: type) -> dict[str, str]:
    """The sentence below each field of a dataclass, from its source."""
    tree = ast.parse(inspect.getsource(model)).body[0]
    sentences: dict[str, str] = {}
    name = ""
    for statement in tree.body if isinstance(tree, ast.ClassDef) else ():
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            sentences[name] = str(statement.value.value)
            name = ""
        else:
            name = ""
    return sentences


def sentence_of(section: Section[object], key: Key) -> str:
    """What a key means."""
    return key.sentence or field_sentences(section.model).get(key.name, "")


def _build_top() -> str:
    return f"## Outside tables\n\n{_table_head()}{_row(INCLUDE, INCLUDE.sentence, 'none')}\n"


def _build_section(section: Section[object]) -> str:
    first_line = section.opening or (inspect.getdoc(section.model) or "").split("\n", 1)[0]
    rows = "".join(_row(key, sentence_of(section, key), _default_of(section, key)) for key in section.keys)
    inner = [f"`[{other.path}]`" for _, other in section.tables]
    inner += [f"`[connections.NAME.{word}]` (where wanted, as `{word[:-1]}`)" for word, _ in section.optional]
    inner += [f"`[{other.path}]` (any number)" for _, other in section.named]
    tail = f"Inside it: {', '.join(inner)}.\n\n" if inner else ""
    return f"## `[{section.path}]`\n\n{first_line}\n\n{_table_head()}{rows}\n{tail}"


def _table_head() -> str:
    return "| Key | Takes | Default | Meaning |\n| --- | --- | --- | --- |\n"


def _row(key: Key, sentence: str, default: str) -> str:
    return f"| `{key.name}` | {_cell(key.kind.wording)} | {_cell(default)} | {_cell(sentence)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default_of(section: Section[object], key: Key) -> str:
    if key.required:
        return "must be there"
    if key.default_text:
        return key.default_text
    for field in dataclasses.fields(section.model):
        if field.name == key.name and field.default is not dataclasses.MISSING:
            return _default_words(field.default)
    return "none"


def _default_words(default: object) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Enum):
        return f"`{default.value}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if default not in (None, ()) else "none"


def _build_algorithms() -> str:
    lines = ["## Algorithms\n"]
    lines += [
        fill(_PROPOSALS, WIDTH, break_on_hyphens=False) + "\n",
        "`default` for IKE:\n",
        *(f"    {words}" for words in DEFAULT_IKE_WORDS),
        "\n`default` for ESP:\n",
        *(f"    {words}" for words in DEFAULT_ESP_WORDS),
        "",
    ]
    for kind, heading in _TYPES:
        lines.append(
            fill(f"- {heading}: {', '.join(_words_of(kind))}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        )
    lines.append(
        "\nWords in parentheses are weak: they work where they are named, with a warning, for old peers only.\n\n"
    )
    return "\n".join(lines)


def _words_of(kind: TransformType) -> Iterator[str]:
    for word, transform in WORDS.items():
        uses = [protocol for protocol in (ProtocolId.IKE, ProtocolId.ESP) if is_supported(transform, protocol)]
        if transform.type == kind and uses:
            only = "" if len(uses) > 1 or kind in (TransformType.PRF, TransformType.ESN) else f" ({uses[0]} only)"
            weak = legacy_words((Proposal(1, uses[0], b"", (transform,)),))
            yield f"(`{word}`{only})" if weak else f"`{word}`{only}"


if __name__ == "__main__":
    sys.stdout.write(build_reference())
