"""Addresses lent to clients: who has which, across restarts."""

from __future__ import annotations

from ikepy.ike.admission import Lease
from ikepy.leases.book import Leases, PoolUse
from ikepy.leases.errors import LeaseRefused, LeaseStoreError, NoSuchFamily, PoolExhausted

__all__ = ["Lease", "LeaseRefused", "LeaseStoreError", "Leases", "NoSuchFamily", "PoolExhausted", "PoolUse"]
