#!/usr/bin/env python3
"""Makes the tables of docs/performance-tables.md, and the one of docs/performance.md, which says what is measured.

usage: tables.py BUILD [--only SECTION ...] [--rounds 5] [--threads 1 2] [--python PYTHON]

BUILD is a release build with -Dbench=true, and with tests for the section on accuracy. PYTHON runs the peers: compare.py
says what it needs. With --only the other sections stay as they are: workloads, ops, memory, products, accuracy.
"""

import argparse
import pathlib
import re
import subprocess
import sys

import compare

DOCS = compare.HERE.parent.parent / "docs"
PAGE, TABLES = DOCS / "performance.md", DOCS / "performance-tables.md"
MARKS = ("<!-- table: begin -->\n", "<!-- table: end -->\n")
MEMORY = ["gpt", "cnn_b64", "mlp_b1024", "lstm"]
HEAD = """# Tables of measurements

Printed by `tests/bench/tables.py`, which replaces them; [performance](performance.md) says what is measured, how, and why the numbers
are what they are. Each section names the command that measures it by itself.
"""


def output(*command, env=None):
    done = subprocess.run([str(c) for c in command], env=env, text=True, stdout=subprocess.PIPE)
    return done.stdout if done.returncode == 0 else sys.exit(f"failed: {command}")


def compared(args, threads, ops=None):
    return compare.report(argparse.Namespace(**{**vars(args), "threads": threads, "ops": ops, "workloads": [],
                                                "jax": None, "compile": False}))


def workloads(args):
    before, rest = PAGE.read_text().split(MARKS[0])
    text = compared(args, args.threads[:1]).rstrip() + "\n"
    PAGE.write_text(before + MARKS[0] + text + MARKS[1] + rest.split(MARKS[1])[1])
    return compared(args, args.threads[1:])


def ops(args):
    return compared(args, args.threads[:1], ops=[])


def memory(args):
    lines = compare.header(["workload", "tapegrad", f"PyTorch {args.versions['PyTorch']}"])
    for name in MEMORY:
        ours = output(args.bench, "--memory", 1, name)
        theirs = output(args.python, args.peer, "--memory", 1, name, env=compare.environment())
        lines.append(f"| `{name}` | " + " | ".join(f"{float(t.split()[-1]):.0f}" for t in (ours, theirs)) + " |")
    return "\n".join(lines) + "\n"


def products(args):
    lines = compare.header(["product", "tapegrad", "BLAS"])
    for line in output(args.bench.with_name("products")).splitlines()[1:]:
        name, ours, blas = re.fullmatch(r"(.*?) +([\d.]+) +([\d.]+)", line).groups()
        lines.append(f"| {name} | {ours} | {blas} |")
    return f"{compare.machine()}.\n\n" + "\n".join(lines) + "\n"


def accuracy(args):
    sweep = args.build / "tests" / "test_sweep"
    return output(sweep, "--table") if sweep.exists() else sys.exit(f"{sweep} is not built: leave -Dtests as it is")


SECTIONS = {  # name: title, the command that measures it by itself, what the numbers are, function
    "workloads": ("Steps at several threads", "python3 tests/bench/compare.py build/bench/tests/bench/bench --threads 2",
                  "The rows of the table of [performance](performance.md), which has one thread.", workloads),
    "ops": ("Single ops", "python3 tests/bench/compare.py build/bench/tests/bench/bench --ops --threads 1", "", ops),
    "memory": ("Memory of a step", "build/bench/tests/bench/bench --memory 1 gpt\npython3 tests/bench/peer_torch.py --memory 1 gpt",
               "By how much the resident memory of the process grows at its peak over five steps, in MiB, one workload a process; "
               "what PyTorch\nloads at a first training step is not counted.", memory),
    "products": ("Matrix products", "build/bench/tests/bench/products",
                 "One thread, f32, Gflop/s, the best of 40 rounds.", products),
    "accuracy": ("Accuracy", "build/tests/test_sweep --table [ISA]",
                 "The largest errors found, in units in the last place of the exact result: [performance](performance.md#accuracy) "
                 "says of which\nnumbers.", accuracy),
}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--peer", type=pathlib.Path, default=compare.HERE / "peer_torch.py")
    p.add_argument("--python", default=sys.executable)
    args = p.parse_args()
    args.build = args.build.resolve()
    args.bench = args.build / "tests" / "bench" / "bench"
    args.versions = {"PyTorch": compare.has(args.python, "torch"), "JAX": compare.has(args.python, "jax")}
    if not args.versions["PyTorch"]:
        sys.exit(f"{args.python} has no PyTorch: name one that has with --python")
    old = dict(re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", TABLES.read_text()))
    for name in args.only:
        title, command, what, measure = SECTIONS[name]
        commands = "".join(f"    {line}\n" for line in command.splitlines())
        old[title] = "\n" + (what + "\n\n" if what else "") + commands + "\n" + measure(args).rstrip() + "\n\n"
    TABLES.write_text((HEAD + "".join(f"\n## {s[0]}\n{old[s[0]].rstrip()}\n" for s in SECTIONS.values() if s[0] in old)))


if __name__ == "__main__":
    main()
