"""How the Python sides of the bench take time; the same as timing.c."""

import statistics
import time


def seconds_a_step(step, seconds=1.5, rounds=9):
    """The median over the rounds, after three steps to warm up."""
    for _ in range(3):
        step()
    start = time.perf_counter()
    step()
    once = time.perf_counter() - start
    n = max(1, int(seconds / rounds / max(once, 1e-7)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(n):
            step()
        times.append((time.perf_counter() - start) / n)
    return statistics.median(times)
