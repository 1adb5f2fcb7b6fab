"""The kernel's SAD and SPD, addresses and routes; pyroute2 lives here and nowhere else.

interface.py is what a kernel must do; xfrm.py does it by netlink, decoupled.py in memory.
"""
