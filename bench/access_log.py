"""The access log at full speed: how many lines a second it writes, whether any are missing, and what a line costs.

The gateway is run twice, without and with its access log, which goes to a file. A call whose line is not there is to be
counted in tollgate_log_records_dropped_total: calls = lines + dropped, else something was lost in silence and the
measurement fails.
"""
import os
import time

from bodies import SMALL
from field import Field
from programs import processor_all_ns, say

CONNECTIONS = 64
LINE = b'"path":"/v1/chat/completions"'
SETTLE_S = 5


def count_lines(path):
    with open(path, "rb") as file:
        return sum(LINE in line for line in file)


def settled(field, path, calls):
    """Lines and drops once they add up, or after some seconds if they do not."""
    end = time.monotonic() + SETTLE_S
    while True:
        lines, dropped = count_lines(path), field.metric("tollgate_log_records_dropped_total")
        if lines + dropped >= calls or time.monotonic() > end:
            return lines, dropped
        time.sleep(0.1)


def run(build, programs, directory, seconds, access_log):
    os.mkdir(directory)
    field = Field(build, programs, directory)
    field.start(["tollgate"], access_log=access_log)
    port = field.ports["tollgate"]["request"]
    warm = field.loadgen(port, SMALL, CONNECTIONS, ["--duration", "0.5"])["requests"]
    before = processor_all_ns(field.pids["tollgate"])
    result = field.loadgen(port, SMALL, CONNECTIONS, ["--duration", str(seconds)])
    row = {"calls": result["requests"], "per_s": result["requests_per_s"]}
    if access_log:
        lines, dropped = settled(field, f"{directory}/tollgate.out", warm + result["requests"])
        row.update(lines=lines, dropped=dropped, silent=warm + result["requests"] - lines - dropped)
    row["processor_us"] = (processor_all_ns(field.pids["tollgate"]) - before) / 1e3 / max(result["requests"], 1)
    programs.stop()
    return row


def measure(build, programs, directory, seconds):
    say("access log")
    return {"off": run(build, programs, f"{directory}/log-off", seconds, False),
            "on": run(build, programs, f"{directory}/log-on", seconds, True)}


def failed(report):
    return report["on"]["silent"] != 0


def print_table(report):
    on, off = report["on"], report["off"]
    print(f"\naccess log at {on['per_s']:.0f} calls/s: {on['lines']} lines, {on['dropped']} dropped and counted,"
          f" {on['silent']} missing; {on['processor_us']:.2f} us a call, {off['processor_us']:.2f} without")
