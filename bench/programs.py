"""What the measurements share: the programs measured, how they are set up, and what the kernel says of them."""
import contextlib
import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

KEY = "gw_virt_bench"
EVENTS = 100

NGINX = """
{user}daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream simulator {{ server 127.0.0.1:{mock}; keepalive 64; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{ listen 127.0.0.1:{unary} backlog=4096; location / {{ proxy_pass http://simulator; }} }}
    server {{ listen 127.0.0.1:{stream} backlog=4096; location / {{ proxy_pass http://simulator; proxy_buffering off; }} }}
}}
"""

GATEWAY = """
listen:
  - address: 127.0.0.1:{port}
admin:
  master_key: bench-master-key-0123456789abcdef
data_dir: {dir}/data
durability: process
shards: 1
log: {{ access: {access} }}
providers:
  - name: simulator
    kind: openai
    base_url: http://127.0.0.1:{mock}/v1
    credentials:
      - name: primary
        api_key: sk-simulated
models:
{models}keys:
  - name: bench
    secret: {key}
    workspace: default
"""

MODEL = """  - id: openai/{name}
    provider: simulator
    upstream_model: {name}
    aliases: [{name}]
    price: {{ input: 0.15, output: 0.60 }}
"""

MODELS = ["mock", f"mock-events-{EVENTS}", f"mock-events-{EVENTS}-paced-20"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def rss_all_kib(pids):
    return sum(map(rss_kib, pids))


def request_body(model):
    """About 1.5 kB, as a short conversation."""
    stream = model != "mock"
    text = "The quick brown fox jumps over the lazy dog, and the dog, being lazy, lets it pass without a word. "
    body = {"model": model, "temperature": 0.7, "max_tokens": 4096, "user": "bench",
            "messages": [{"role": "system", "content": "You are a helpful assistant. " + text}]}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    while len(json.dumps(body)) < 1350:
        body["messages"].append({"role": "user", "content": text})
    body["messages"][-1]["content"] += "x" * (1500 - len(json.dumps(body)))
    return json.dumps(body)


class Field:
    """A simulator, and in front of it each of the targets, all in `directory`; `connections`: how many nginx is set up for."""

    def __init__(self, build, programs, directory, connections=4096):
        self.build = os.path.abspath(build)
        self.programs = programs
        self.directory = directory
        self.connections = connections
        cpus = sorted(os.sched_getaffinity(0))
        self.all_cpus = set(cpus)
        self.nginx_cpus = {cpus[0]}
        self.load_cpus = set(cpus[1:]) or {cpus[0]}
        self.pids = {}
        self.ports = {}
        self.mock_port = free_port()
        for model in MODELS:
            with open(f"{directory}/{model}.json", "w", encoding="ascii") as file:
                file.write(request_body(model))

    def start(self, targets, access_log=False):
        mock = self.programs.start("mockllm", [f"{self.build}/mockllm", "--listen", f"127.0.0.1:{self.mock_port}",
                                               "--shards", "1"], self.load_cpus, self.directory)
        wait_ready("mockllm", mock, self.mock_port, "/mock/stats", self.directory)
        if "nginx" in targets:
            self.start_nginx()
        if "tollgate" in targets:
            self.start_gateway(access_log)

    def start_nginx(self):
        unary, stream = free_port(), free_port()
        with open(f"{self.directory}/nginx.conf", "w", encoding="ascii") as file:
            file.write(NGINX.format(dir=self.directory, mock=self.mock_port, unary=unary, stream=stream,
                                    connections=self.connections, user="user root; " if os.geteuid() == 0 else ""))
        nginx = self.programs.start("nginx", [shutil.which("nginx"), "-c", f"{self.directory}/nginx.conf"],
                                    self.nginx_cpus, self.directory)
        wait_ready("nginx", nginx, unary, "/mock/stats", self.directory)
        self.pids["nginx"] = children(nginx.pid)
        self.ports["nginx"] = {"request": unary, "event": stream}

    def start_gateway(self, access_log):
        port = free_port()
        models = "".join(MODEL.format(name=name) for name in MODELS)
        with open(f"{self.directory}/tollgate.yaml", "w", encoding="ascii") as file:
            file.write(GATEWAY.format(dir=self.directory, port=port, mock=self.mock_port, models=models, key=KEY,
                                      access="true" if access_log else "false"))
        gateway = self.programs.start("tollgate", [f"{self.build}/tollgate", "run", "-c",
                                                   f"{self.directory}/tollgate.yaml"],
                                      self.nginx_cpus, self.directory)
        wait_ready("tollgate", gateway, port, "/readyz", self.directory)
        self.pids["tollgate"] = [gateway.pid]
        self.ports["tollgate"] = {"request": port, "event": port}

    def loadgen(self, port, model, connections, options):
        command = [f"{self.build}/loadgen", "--json", "--connections", str(connections), "--header",
                   f"Authorization: Bearer {KEY}", "--header", "Content-Type: application/json",
                   "--body", f"{self.directory}/{model}.json"] + options
        command.append(f"http://127.0.0.1:{port}/v1/chat/completions")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
                              preexec_fn=lambda: (die_with_parent(), os.sched_setaffinity(0, self.load_cpus)))
        if done.returncode > 1:
            raise SystemExit(f"bench: loadgen: {done.stderr}")
        return json.loads(done.stdout)

    def metric(self, name):
        """A plain sample of the gateway's /metrics."""
        port = self.ports["tollgate"]["request"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(line.split()[1])
        raise SystemExit(f"bench: no {name} in /metrics")
