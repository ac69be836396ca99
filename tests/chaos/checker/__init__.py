"""Judges what a chaos run recorded: did the relay keep its promises?

It reads a history (docs/chaos-history.md) and shares no code with the daemons, the clients or the
workload: what they believe does not count, only what was written down.
"""
