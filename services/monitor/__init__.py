"""How the house is: probes of every service, the queue, memory, and one score of them.

It owns nothing and stands in nobody's way: no message passes through it.
"""
