"""Peers of ``make bench-local``: each trains one task in a process of its own.

A peer is started as ``python -m tests.benchmarks.local.<peer> TASK.json`` and prints one JSON line.
"""
