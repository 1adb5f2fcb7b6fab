"""Algorithms by IANA number."""
