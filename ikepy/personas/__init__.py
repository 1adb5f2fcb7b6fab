"""The clients people have: what each native IKEv2 client offers, does and gets wrong, as data; how to know it, what it needs.

Rule 1: values and pure functions: no I/O, no clock, nothing imported from ike/.
Rule 2: what a client does is written down once, in its own module; tests play it against the real Endpoint.
Not here: what an exchange does about a quirk (ike/), the files clients open (profiles/).
"""
