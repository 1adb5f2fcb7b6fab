"""Certificates for everybody: a CA in a directory, what it issues, what it has revoked."""
