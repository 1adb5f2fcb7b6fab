"""Where trio meets the protocol: sockets, timers, workers."""
