"""Addresses lent to clients: who has which, for how long, and across restarts."""
