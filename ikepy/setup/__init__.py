"""From nothing to a gateway: what is asked, and the files that come of the answers."""
