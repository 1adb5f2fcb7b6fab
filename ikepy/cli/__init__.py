"""The program `ikepy`."""
