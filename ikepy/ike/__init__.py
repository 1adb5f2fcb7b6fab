"""The IKEv2 protocol without I/O: datagrams, timeouts and answers in, actions out."""
