"""What `perf script` prints, folded: each call chain once, with the weight of all samples that had it.

A sample is a line "COMM PERIOD", then its frames from the innermost out, "ADDRESS SYMBOL (MODULE)", then an empty line.
"""
import re
from collections import Counter

FIELDS = "comm,period,ip,sym,dso"  # perf script -F
KERNEL = " [kernel]"

SAMPLE = re.compile(r"^(\S.*?)\s+(\d+)\s*$")
FRAME = re.compile(r"^\s+[0-9a-f]+\s+(.*)\s\((.*)\)$")


def frame_name(symbol, module):
    in_kernel = module.startswith("[kernel") or module.endswith(".ko")
    if symbol == "[unknown]":
        symbol = f"[{module.rsplit('/', 1)[-1].strip('[]')}]"
    # C++ names carry arguments that say nothing here: "rocksdb::DB::Write(...)".
    symbol = re.sub(r"(?<=\w)\(.*$", "", symbol.replace("(anonymous namespace)::", ""))
    return symbol + KERNEL if in_kernel else symbol


def fold(lines):
    """Counter of chains, tuples from the thread's name in to the innermost frame."""
    chains = Counter()
    comm, weight, frames = None, 0, []
    for line in [*lines, ""]:
        frame = FRAME.match(line)
        if frame:
            frames.append(frame_name(*frame.groups()))
            continue
        if comm is not None and frames:
            chains[(comm, *reversed(frames))] += weight
        sample = SAMPLE.match(line)
        comm, weight = (sample.group(1), int(sample.group(2))) if sample else (None, 0)
        frames = []
    return chains


def own(chains):
    """function -> the weight of samples in which it was innermost."""
    found = Counter()
    for chain, weight in chains.items():
        found[chain[-1]] += weight
    return found


def within(chains):
    """function -> the weight of samples with it anywhere; once, however often it calls itself."""
    found = Counter()
    for chain, weight in chains.items():
        for function in set(chain[1:]):
            found[function] += weight
    return found


def text(chains):
    """As other tools read it: "thread;outer;inner weight"."""
    return "".join(f"{';'.join(chain)} {weight}\n" for chain, weight in sorted(chains.items()))
