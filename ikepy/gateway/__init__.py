"""What this host does as a gateway beside IPsec itself: nftables, done and undone."""
