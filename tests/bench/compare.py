#!/usr/bin/env python3
"""Runs the bench and its peers in turn, several rounds, and puts the medians side by side.

usage: compare.py BENCH [--rounds 3] [--threads 1 2] [--workloads NAME ...] [--ops [NAME ...]] [--peer SCRIPT]
                  [--python PYTHON] [--jax PYTHON] [--compile] [--plan]

BENCH is the built program tests/bench/bench; bench_ops lies beside it. PYTHON runs the peers and has PyTorch and, if it
is to take part, JAX, unless --jax names another for it. With --compile torch.compile takes part, where peer_torch.py
has it, and with --plan each workload as a plan of ours, with both also as one whose groups are compiled. tables.py writes the tables of docs/ with it.
"""

import argparse
import collections
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def environment():
    """Settings that tune our BLAS are no concern of a peer that has its own copy of it."""
    return {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def run(command, env=None):
    """The lines of a run as {key: numbers}; the key is the name, with the size for single ops."""
    done = subprocess.run([str(c) for c in command], env=env, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        print("failed:", *command, file=sys.stderr)
    rows = {}
    for line in done.stdout.splitlines():
        name, *numbers = line.split("\t")
        if numbers and numbers[0] != "-" and not line.startswith("#"):
            size = () if len(numbers) < 3 else (int(numbers.pop(0)),)
            rows[(name, *size)] = [float(v) for v in numbers]
    return rows


def has(python, module):
    question = f"import {module}; print({module}.__version__)"
    done = subprocess.run([python, "-c", question], text=True, capture_output=True)
    return done.stdout.strip() if done.returncode == 0 else None


def sides(args, threads):
    """name -> (command, environment), in the order in which a round runs them."""
    names = args.ops if args.ops is not None else args.workloads
    if args.ops is not None:
        ours, peer = args.bench.with_name("bench_ops"), [args.peer, "--ops"]
        all_sides = {"tapegrad": ([ours, threads, *names], None)}
    else:
        peer = [args.peer]
        all_sides = {"tapegrad": ([args.bench, "--floor", threads, *names], None)}
    if args.plan and args.ops is None:
        all_sides["a plan"] = ([args.bench, "--plan", threads, *names], None)
        if args.compile:
            all_sides["a compiled plan"] = ([args.bench, "--plan", "--compile", threads, *names], None)
    all_sides["PyTorch"] = ([args.python, *peer, threads, *names], environment())
    if args.compile and args.ops is None:
        all_sides["torch.compile"] = ([args.python, args.peer, "--compile", threads, *names],
                                      {**environment(), "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"})
    if args.versions["JAX"] and args.ops is None:
        all_sides["JAX"] = ([args.jax or args.python, HERE / "peer_jax.py", threads, *names], environment())
    return all_sides


def measure(args, threads):
    """side -> key -> list over rounds of numbers."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for r in range(args.rounds):
        for side, (command, env) in sides(args, threads).items():
            print(f"threads {threads}, round {r + 1} of {args.rounds}: {side}", file=sys.stderr, flush=True)
            for key, numbers in run(command, env).items():
                found[side][key].append(numbers)
    return found


def middle(rounds, i):
    return statistics.median(r[i] for r in rounds) if rounds else None


def number(v, form="{:.0f}"):
    return "-" if v is None else form.format(v) if v >= 100 else f"{v:.3g}"


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def header(columns):
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def workload_table(found):
    peers = [s for s in found if s != "tapegrad"]
    columns = ["workload", "tapegrad", *(c for p in peers for c in (p, f"{p} / tapegrad")), "floor", "floor / tapegrad"]
    compiled = found.get("torch.compile")
    columns += ["torch.compile's first step, s"] * bool(compiled)
    lines = header(columns)
    for key, rounds in found["tapegrad"].items():
        ours, floor = middle(rounds, 0), middle(rounds, 1)
        row = f"| `{key[0]}` | {number(ours)} | "
        for p in peers:
            theirs = middle(found[p].get(key), 0)
            row += f"{number(theirs)} | {ratio(theirs, ours)} | "
        row += f"{number(floor)} | {ratio(floor, ours)} |" if floor else "- | - |"
        lines.append(row + (f" {number(middle(compiled.get(key), 1))} |" if compiled else ""))
    return lines


def op_table(found):
    """A row an op; PyTorch's time over ours, forward / backward, at each size."""
    sizes = sorted({key[1] for key in found["tapegrad"]})
    lines = header(["op", *(f"n = {n}" for n in sizes), f"ours at {sizes[-1]}, us"])
    for name in dict.fromkeys(key[0] for key in found["tapegrad"]):
        cells = []
        for n in sizes:
            ours, theirs = found["tapegrad"][(name, n)], found["PyTorch"].get((name, n))
            cells.append(" / ".join(ratio(middle(theirs, i), middle(ours, i)) for i in (0, 1)))
        last = " / ".join(number(middle(ours, i)) for i in (0, 1))
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {last} |")
    return lines


def machine():
    model = platform.machine()
    try:
        cpus = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in cpus if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores"


def report(args):
    what = "PyTorch's time over ours, forward / backward" if args.ops is not None else "microseconds a step"
    versions = ", ".join(f"{k} {v}" for k, v in args.versions.items() if v)
    lines = [f"{what}; medians of {args.rounds} rounds, run in turn. {machine()}. {versions}.", ""]
    for threads in args.threads:
        table = op_table if args.ops is not None else workload_table
        lines += [f"{threads} thread{'s' * (threads > 1)}:", "", *table(measure(args, threads)), ""]
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bench", type=pathlib.Path)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--workloads", nargs="+", default=[])
    p.add_argument("--ops", nargs="*")
    p.add_argument("--peer", type=pathlib.Path, default=HERE / "peer_torch.py")
    p.add_argument("--python", default=sys.executable)
    p.add_argument("--jax")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--plan", action="store_true")
    args = p.parse_args()
    args.bench = args.bench.resolve()
    args.versions = {"PyTorch": has(args.python, "torch"), "JAX": has(args.jax or args.python, "jax")}
    if not args.versions["PyTorch"]:
        sys.exit(f"{args.python} has no PyTorch: name one that has with --python")
    print(report(args))


if __name__ == "__main__":
    main()
