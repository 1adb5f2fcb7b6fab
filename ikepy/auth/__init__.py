"""Credentials, certificates and the AUTH payload; the only home of private keys."""
