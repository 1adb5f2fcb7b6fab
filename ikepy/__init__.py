"""ikepy: an IKEv2/IPsec daemon. Python negotiates, the kernel's XFRM moves the packets."""

__version__ = "0.1.0"
