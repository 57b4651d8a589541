"""Programs that are started and ended here, and what the kernel says of them."""
import contextlib
import ctypes
import glob
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request

SPARE_FILES = 200


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def allow_files(connections):
    """So many sockets, and what else a program has open; for this process and those it starts."""
    count = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    if hard < count and os.geteuid() == 0:
        hard = count
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"bench: {count} open files are needed, {hard} are allowed (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Programs:
    """What was started here, by its id; ended in reverse order."""

    def __init__(self):
        self.running = []

    def start(self, name, command, cpus, directory):
        with open(f"{directory}/{name}.out", "wb") as out:
            program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=directory,
                                       preexec_fn=lambda: (die_with_parent(), os.sched_setaffinity(0, cpus)))
        self.running.append(program)
        return program

    def stop(self):
        for program in reversed(self.running):
            if program.poll() is None:
                program.terminate()
            try:
                program.wait(timeout=5)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        self.running.clear()


def wait_ready(name, program, port, path, directory):
    end = time.monotonic() + 15
    why = "no answer"
    while time.monotonic() < end and program.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError as error:
            why = str(error)
        time.sleep(0.05)
    with open(f"{directory}/{name}.out", encoding="utf-8", errors="replace") as out:
        raise SystemExit(f"bench: {name} is not ready: {why}\n{out.read()[-2000:]}")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def processor_ns(pid):
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError):
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total


def processor_all_ns(pids):
    return sum(map(processor_ns, pids))


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def rss_all_kib(pids):
    return sum(map(rss_kib, pids))
