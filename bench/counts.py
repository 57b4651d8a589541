"""Instructions, where the processor's counters can be read: many virtual machines have none."""
import re
import shutil
import signal
import subprocess

from programs import die_with_parent

EVENT = "instructions"


def parse(text, event=EVENT):
    """The count in what `perf stat -x,` wrote; None when it was not supported, not counted, or is not there."""
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and re.fullmatch(re.escape(event) + r"(:[a-zA-Z]+)*", fields[2]):
            return float(fields[0]) if re.fullmatch(r"[0-9.]+", fields[0]) else None
    return None


def available(event=EVENT):
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", event, "true"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and parse(done.stderr, event) is not None


def count(pids, action, event=EVENT):
    """Runs `action` and says how many of the event these processes had meanwhile, and what the action returned."""
    command = ["perf", "stat", "-x,", "-e", event, "-p", ",".join(map(str, pids))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, preexec_fn=die_with_parent) as perf:
        try:
            result = action()
        finally:
            perf.send_signal(signal.SIGINT)
            said = perf.communicate(timeout=10)[1]
    return parse(said, event), result
