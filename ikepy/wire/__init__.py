"""The wire: octets to frozen dataclasses and back (RFC 7296 §3)."""
