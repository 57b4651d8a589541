"""Receipts: what one costs to store, and how long a look-up by id takes among millions of them (bench/lookup/).

A process of its own appends them to a store as fast as that takes them, waits until compaction is done, and asks for
random ones by id the way GET /v1/receipts/{id} does: with the store idle, with receipts appended before each question,
and with none of the database's files in memory any more. Processor time is that of all threads, from append to
compaction, less what making the receipts took.
"""
import json
import os
import subprocess

from programs import die_with_parent, say

SECONDS_MAX = 600
STATES = {"idle": "store idle", "appending": "while receipts are appended", "cold": "files not in memory"}


def measure(build, directory, receipts):
    os.mkdir(f"{directory}/lookup")
    say(f"receipts: {receipts}, then look-ups")
    done = subprocess.run([f"{os.path.abspath(build)}/lookup", "--dir", f"{directory}/lookup", "--receipts", str(receipts)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX, check=False,
                          preexec_fn=die_with_parent)
    if done.returncode not in (0, 1):
        raise SystemExit(f"bench: lookup ended with status {done.returncode}")
    return json.loads(done.stdout)


def failed(report):
    return any(report[state]["missed"] for state in STATES)


def print_table(report):
    print(f"\n{report['receipts'] / 1e6:.1f} million receipts of {report['bytes_a_receipt']:.0f} bytes, {report['keys']} keys,"
          f" {report['per_second']} a second by their ids; stored in {report['fill_s']:.1f} s")
    threads = ", ".join(f"{name} {us:.2f}" for name, us in report["threads_us"].items() if us >= 0.005)
    print(f"processor time a receipt: {report['processor_us']:.2f} us ({threads}; making it, taken off, {report['making_us']:.2f})")
    print(f"{'look-up by id':32}" + "".join(f"{title:>11}" for title in ("p50 us", "p99 us", "p99.9 us", "max us", "missed")))
    for state, title in STATES.items():
        row = report[state]
        print(f"{title:32}" + "".join(f"{row[c]:>11.0f}" for c in ("p50_us", "p99_us", "p999_us", "max_us", "missed")))
    if report["receipts"] < report["wanted"]:
        print(f"time was up before all {report['wanted']} were stored")
