"""EAP methods, both ends, without I/O (RFC 3748)."""
