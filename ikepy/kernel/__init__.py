"""The kernel's XFRM and addresses, through pyroute2's codec."""
