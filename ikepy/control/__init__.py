"""The control socket in VICI framing, and its client."""
