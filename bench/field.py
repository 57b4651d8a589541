"""What the measurements share: a simulator, and in front of it the gateway and its peers, set up alike."""
import json
import os
import subprocess
import urllib.request

import bodies
import peers
from programs import children, die_with_parent, free_port, wait_ready

KEY = "gw_virt_bench"
TARGETS = [*peers.NAMES, "tollgate"]

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


class Field:
    """All in `directory`; `connections`: how many the peers are set up for. Gateway and peers share the first
    processor, and only one of them has work at a time; simulator and loadgen share the others."""

    def __init__(self, build, programs, directory, connections=4096):
        self.build = os.path.abspath(build)
        self.programs = programs
        self.directory = directory
        self.connections = connections
        cpus = sorted(os.sched_getaffinity(0))
        self.target_cpus = {cpus[0]}
        self.load_cpus = set(cpus[1:]) or {cpus[0]}
        self.pids = {}
        self.ports = {}
        self.mock_port = free_port()
        for name in bodies.MODELS:
            with open(f"{directory}/{name}.json", "w", encoding="ascii") as file:
                file.write(bodies.body(name))

    def start(self, targets, access_log=False):
        mock = self.programs.start("mockllm", [f"{self.build}/mockllm", "--listen", f"127.0.0.1:{self.mock_port}",
                                               "--shards", "1"], self.load_cpus, self.directory)
        wait_ready("mockllm", mock, self.mock_port, "/mock/stats", self.directory)
        for target in targets:
            if target == "tollgate":
                self.start_gateway(access_log)
            else:
                self.start_peer(target)

    def start_peer(self, name):
        unary, stream = free_port(), free_port()
        command = peers.command(name, self.directory, mock=self.mock_port, unary=unary, stream=stream,
                                connections=self.connections)
        peer = self.programs.start(name, command, self.target_cpus, self.directory)
        wait_ready(name, peer, unary, "/mock/stats", self.directory)
        self.pids[name] = children(peer.pid) or [peer.pid]  # nginx: its worker
        self.ports[name] = {"request": unary, "event": stream}

    def start_gateway(self, access_log):
        port = free_port()
        models = "".join(MODEL.format(name=name) for name in sorted(set(bodies.MODELS.values())))
        with open(f"{self.directory}/tollgate.yaml", "w", encoding="ascii") as file:
            file.write(GATEWAY.format(dir=self.directory, port=port, mock=self.mock_port, models=models, key=KEY,
                                      access="true" if access_log else "false"))
        gateway = self.programs.start("tollgate", [f"{self.build}/tollgate", "run", "-c",
                                                   f"{self.directory}/tollgate.yaml"],
                                      self.target_cpus, self.directory)
        wait_ready("tollgate", gateway, port, "/readyz", self.directory)
        self.pids["tollgate"] = [gateway.pid]
        self.ports["tollgate"] = {"request": port, "event": port}

    def loadgen(self, port, body, connections, options):
        command = [f"{self.build}/loadgen", "--json", "--connections", str(connections), "--header",
                   f"Authorization: Bearer {KEY}", "--header", "Content-Type: application/json",
                   "--body", f"{self.directory}/{body}.json"] + options
        command.append(f"http://127.0.0.1:{port}{bodies.path(body)}")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
                              check=False,
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
