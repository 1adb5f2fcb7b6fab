"""`ikepy demo`: two gateways on this machine, a tunnel between them, and packets through it."""
