"""The keys of a configuration file, as data: reading, suggestions and docs/configuration.md all come from here.

Rule 1: a key is named like the field of the model it fills; what it means is said once, in model.py.
Rule 2: a key that is not in its table is an error.
Not here: pools, users and groups (access_schema.py), this host (host_schema.py), what a table is made of (sections.py), what a kind of value takes
(values.py), files and includes (load.py), what fits together (checks.py).
"""

from __future__ import annotations

from ikepy.config.access_schema import GROUP, POOL, USER
from ikepy.config.algorithms import default_proposals
from ikepy.config.auth_sections import LOCAL, REMOTE
from ikepy.config.host_schema import CLIENT_TABLE, GATEWAY_TABLE, INTERFACE_TABLE
from ikepy.config.host_values import HW_OFFLOAD, INTERFACE, TFC_PADDING
from ikepy.config.legacy import make_connection
from ikepy.config.model import (
    ChildConfig,
    Childless,
    CloseAction,
    ConnectionConfig,
    DaemonConfig,
    DpdAction,
    FollowRedirects,
    Fragmentation,
    PskConfig,
    QuirksChoice,
    RedirectAt,
    RetransmissionConfig,
    StartAction,
    Unique,
)
from ikepy.config.sections import Key, Section
from ikepy.config.shared_secrets import PASSPHRASE, PEM, SECRET, SECRET_FILE, make_secret
from ikepy.config.values import (
    ADDRESS_PATTERNS,
    ADDRESSES,
    ESP_PROPOSALS,
    FLAG,
    GATEWAY,
    IDENTITY_PATTERN,
    IKE_PROPOSALS,
    MARK,
    MOST_MTU,
    MOST_OCTETS,
    MSS_CLAMP,
    NEW_FILE,
    OWN_ADDRESS_PATTERNS,
    PORT,
    PRIVATE_FILE,
    PROGRAM,
    SELECTORS,
    TEXT,
    factor,
    list_of,
    number,
    octet_count,
    one_of,
    span,
    word_of,
)
from ikepy.config.written import (
    DPD_DELAY,
    check_child,
    default_child_rekey_time,
    default_child_start,
    default_esp_proposals,
    default_ike_rekey_time,
    default_local_ts,
)
from ikepy.ipsec import CopyDscp, Mode
from ikepy.wire.registry import ProtocolId

REQID_SPAN = 65536
"Request IDs from reqid_base on are ours."


CHILD = Section(
    "connections.NAME.children.CHILD",
    ChildConfig,
    ChildConfig,
    (
        Key("local_ts", SELECTORS, fallback=default_local_ts, default_text="`dynamic`; of a shunt any"),
        Key("remote_ts", SELECTORS, default_text="`dynamic`; a shunt must have it"),
        Key(
            "esp_proposals",
            ESP_PROPOSALS,
            fallback=default_esp_proposals,
            default_text="`default`, see Algorithms",
        ),
        Key("mode", one_of(Mode, later=("beet", "transport_proxy"))),
        Key(
            "start_action",
            one_of(StartAction, also={"route": StartAction.TRAP}),
            fallback=default_child_start,
            default_text="`none`; of a shunt `trap`",
        ),
        Key("dpd_action", one_of(DpdAction, also={"start": DpdAction.RESTART}), default_text="by start_action"),
        Key("close_action", one_of(CloseAction), default_text="by start_action"),
        Key("rekey_time", span(), fallback=default_child_rekey_time, default_text="`1h`, or life_time / 1.1"),
        Key("life_time", span(), default_text="1.1 x rekey_time"),
        Key("rand_time", span(), default_text="life_time - rekey_time"),
        Key("rekey_bytes", octet_count()),
        Key("life_bytes", octet_count(), default_text="1.1 x rekey_bytes"),
        Key("rand_bytes", octet_count(), default_text="life_bytes - rekey_bytes"),
        Key("rekey_packets", number(0, MOST_OCTETS, "number")),
        Key("life_packets", number(0, MOST_OCTETS, "number"), default_text="1.1 x rekey_packets"),
        Key("rand_packets", number(0, MOST_OCTETS, "number"), default_text="life_packets - rekey_packets"),
        Key("replay_window", number(0, 4096, "packets: 0, or 32 to 4096")),
        Key("install_routes", FLAG),
        Key("mtu", number(0, MOST_MTU, "octets: 0, or 576 to 65535")),
        Key("mss_clamp", MSS_CLAMP, default_text="`false`"),
        Key("interface", INTERFACE),
        Key("policies", FLAG),
        Key("mark", MARK),
        Key("mark_in", MARK, default_text="mark"),
        Key("mark_out", MARK, default_text="mark"),
        Key("if_id", number(1, 0xFFFFFFFF)),
        Key("if_id_in", number(1, 0xFFFFFFFF), default_text="if_id"),
        Key("if_id_out", number(1, 0xFFFFFFFF), default_text="if_id"),
        Key("set_mark_in", MARK),
        Key("set_mark_out", MARK),
        Key("copy_df", FLAG),
        Key("copy_ecn", FLAG),
        Key("copy_dscp", one_of(CopyDscp)),
        Key("tfc_padding", TFC_PADDING, default_text="none"),
        Key("hw_offload", HW_OFFLOAD, default_text="`no`"),
        Key("updown", PROGRAM),
    ),
    check=check_child,
    later=frozenset(
        {"ah_proposals", "sha256_96", "reqid", "hostaccess", "policies_fwd_out"}
        | {"ipcomp", "inactivity", "priority", "mark_in_sa", "label", "label_mode", "per_cpu_sas"}
    ),
)

CONNECTION = Section(
    "connections.NAME",
    make_connection,
    ConnectionConfig,
    (
        Key("local_addrs", OWN_ADDRESS_PATTERNS, default_text="`%any`"),
        Key("remote_addrs", ADDRESS_PATTERNS, default_text="`%any`"),
        Key("local_port", PORT),
        Key("remote_port", PORT),
        Key("remote_port_nat_t", PORT),
        Key(
            "proposals",
            IKE_PROPOSALS,
            fallback=lambda _written: default_proposals(ProtocolId.IKE),
            default_text="`default`, see Algorithms",
        ),
        Key("pools", list_of(TEXT, "list: name of a pool")),
        Key("vips", ADDRESSES),
        Key("eap_only", FLAG),
        Key("encap", FLAG),
        Key("mobike", FLAG, fallback=lambda _written: True, default_text="`true`"),
        Key("nat_detection", FLAG),
        Key("dpd_delay", span(), fallback=lambda _written: DPD_DELAY, default_text="`30s`"),
        Key("send_certreq", FLAG),
        Key("rekey_time", span(), fallback=default_ike_rekey_time, default_text="`4h`; `0` beside reauth_time"),
        Key("reauth_time", span()),
        Key("over_time", span(), default_text="a tenth"),
        Key("rand_time", span(), default_text="over_time"),
        Key("make_before_break", FLAG),
        Key("keyingtries", number(0, 1_000_000)),
        Key("unique", one_of(Unique)),
        Key("childless", one_of(Childless)),
        Key("fragmentation", one_of(Fragmentation)),
        Key("follow_redirects", one_of(FollowRedirects)),
        Key("redirect_to", GATEWAY),
        Key("redirect_at", one_of(RedirectAt)),
        Key("quirks", one_of(QuirksChoice)),
        Key("legacy_windows", FLAG),
        Key("hold_early", FLAG),
    ),
    tables=(("local", LOCAL), ("remote", REMOTE)),
    optional=(("local2", LOCAL), ("remote2", REMOTE)),
    named=(("children", CHILD),),
    later=frozenset(
        {"version", "aggressive", "pull", "dscp", "dpd_timeout"}
        | {"send_cert", "ppk_id", "ppk_required", "if_id_in", "if_id_out", "ocsp"}
        | {"mediation", "mediated_by", "mediation_peer", "cacert", "mark_in", "mark_out"}
    ),
)

SECRET_TABLE = Section(
    "secrets.NAME",
    make_secret,
    PskConfig,
    (
        Key("id", IDENTITY_PATTERN, sentence="Whose pre-shared key it is: an identity or an address."),
        Key(
            "ids",
            list_of(IDENTITY_PATTERN),
            default_text="everybody's",
            sentence="The same for several, such as both ends.",
        ),
        Key("secret", SECRET, sentence="A pre-shared key.", is_secret=True),
        Key("file", SECRET_FILE, sentence="File that holds a pre-shared key and nothing else."),
        Key("key", PRIVATE_FILE, sentence="File that holds a private key, PEM or DER."),
        Key("password", PASSPHRASE, sentence="Our password for EAP; `id` names whose, as in eap_id.", is_secret=True),
        Key("password_file", SECRET_FILE, sentence="File that holds such a password and nothing else."),
        Key("pem", PEM, sentence="A private key itself.", is_secret=True),
        Key("passphrase", PASSPHRASE, sentence="What opens the private key, where it is encrypted.", is_secret=True),
    ),
    opening="One pre-shared key (`secret` or `file`), one private key (`key` or `pem`), or one password of ours for EAP.",
)

DAEMON = Section(
    "daemon",
    DaemonConfig,
    DaemonConfig,
    (
        Key("listen", ADDRESSES, default_text="all"),
        Key("interfaces_use", list_of(TEXT, "list: interface, `*` and `?` as in a shell"), default_text="all"),
        Key("interfaces_ignore", list_of(TEXT, "list: interface, `*` and `?` as in a shell"), default_text="none"),
        Key("port", PORT),
        Key("port_nat_t", PORT),
        Key("log_level", word_of("error", "warning", "info", "debug")),
        Key("keylog", NEW_FILE),
        Key("cookie_threshold", number(0, 1_000_000)),
        Key("half_open_limit", number(1, 1_000_000)),
        Key("half_open_per_source", number(1, 1_000_000)),
        Key("keep_alive", span(0, 3600)),
        Key("half_open_timeout", span(1, 3600)),
        Key("reqid_base", number(1, 0xFFFFFFFF - REQID_SPAN)),
        Key("fragment_size", number(256, 65535)),
        Key("fragment_size6", number(576, 65535)),
        Key("users_file", NEW_FILE),
        Key("audit_log", NEW_FILE),
        Key("audit_log_size", octet_count()),
        Key("hook_timeout", span(1, 600)),
    ),
)

RETRANSMISSION = Section(
    "retransmission",
    RetransmissionConfig,
    RetransmissionConfig,
    (
        Key("timeout", span(0.1, 600)),
        Key("base", factor(1, 10)),
        Key("limit", span(0.1, 3600)),
        Key("tries", number(0, 100)),
    ),
)

INCLUDE_FILES = list_of(TEXT, "list: file, `*` and `?` as in a shell")
INCLUDE = Key(
    "include",
    INCLUDE_FILES,
    sentence="Files that are read as if they stood here, relative to this one.",
)

SECTIONS: tuple[Section[object], ...] = (
    *(CONNECTION, LOCAL, REMOTE, CHILD, POOL),
    *(SECRET_TABLE, USER, GROUP, INTERFACE_TABLE, GATEWAY_TABLE, CLIENT_TABLE, DAEMON, RETRANSMISSION),
)
"All tables, in the order of the documentation."

TOP_WORDS = (
    *("include", "connections", "pools", "secrets", "users", "groups"),
    *("interfaces", "gateway", "client", "daemon", "retransmission"),
)
"What may stand outside tables, and how their headers begin."
TOP_LATER = frozenset({"authorities"})
