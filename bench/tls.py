"""TLS: what a handshake costs, full and resumed, and a call on connections that stand; beside nginx (OpenSSL).

Processor time of the whole process. A handshake is a connection of its own with one small page on it, one after the other; calls
come on many connections at once, as fast as they are answered. P-256 certificate, TLS 1.3; loadgen (wolfSSL, as the gateway has
it) runs on the processors that the targets do not have.
"""
import json
import os
import statistics
import subprocess

import peers
from field import KEY
from programs import children, free_port, processor_all_ns, say, wait_ready

HANDSHAKES = 1000
CALLS = 20000
CONNECTIONS = 64

NGINX = """
{user}daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream simulator {{ server 127.0.0.1:{mock}; keepalive 64; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    ssl_certificate {dir}/server.pem; ssl_certificate_key {dir}/server.key; ssl_protocols TLSv1.3;
    server {{ listen 127.0.0.1:{plain}; location / {{ return 200 "ok"; }} }}
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        location /healthz {{ return 200 "ok"; }}
        location / {{ proxy_pass http://simulator; }}
    }}
}}
"""

GATEWAY = """
listen:
  - address: 127.0.0.1:{plain}
  - address: 127.0.0.1:{port}
    tls: {{ cert: {dir}/server.pem, key: {dir}/server.key }}
admin: {{ master_key: bench-master-key-0123456789abcdef }}
data_dir: {dir}/data
shards: 1
log: {{ access: false }}
http: {{ max_tls_handshakes_per_second: 1000000, max_tls_handshakes_per_second_per_ip: 1000000 }}
providers:
  - name: simulator
    kind: openai
    base_url: http://127.0.0.1:{mock}/v1
    credentials: [{{ name: primary, api_key: sk-simulated }}]
models:
  - {{ id: openai/mock, provider: simulator, upstream_model: mock, aliases: [mock], price: {{ input: 0.15, output: 0.60 }} }}
keys:
  - {{ name: bench, secret: {key} }}
"""

CALL = '{"model":"mock","messages":[{"role":"user","content":"' + "word " * 300 + '"}]}'


def make_certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out",
                    "server.pem"], cwd=directory, check=True, capture_output=True)


class Client:
    def __init__(self, build, directory, cpus):
        self.command = [f"{build}/loadgen", "--json", "--ca", f"{directory}/server.pem", "--header", f"Authorization: Bearer {KEY}",
                        "--header", "Content-Type: application/json"]
        self.cpus = cpus

    def load(self, count, url, *options):
        done = subprocess.run([*self.command, "--requests", str(count), *options, url], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=600, check=False, preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))
        result = json.loads(done.stdout) if done.returncode == 0 else {"requests": 0}
        if result["requests"] != count or result["statuses"] != {"200": count}:
            raise SystemExit(f"bench: {url}: {done.stdout}{done.stderr}")
        return result["handshakes"]

    def handshakes(self, port, resumed):
        options = [] if resumed else ["--full-handshakes"]
        made = self.load(HANDSHAKES, f"https://127.0.0.1:{port}/healthz", "--header", "Connection: close", *options)
        if made["resumed"] < (HANDSHAKES - 1 if resumed else 0) or (not resumed and made["resumed"]):
            raise SystemExit(f"bench: handshakes were not as asked for: {made}")
        return HANDSHAKES

    def calls(self, port):
        self.load(CALLS, f"https://127.0.0.1:{port}/v1/chat/completions", "--connections", str(CONNECTIONS), "--data", CALL)
        return CALLS


SCENARIOS = {
    "full": ("a connection with a full handshake", lambda client, port: client.handshakes(port, False)),
    "resumed": ("a connection with a resumed one", lambda client, port: client.handshakes(port, True)),
    "call": (f"a call, {CONNECTIONS} connections", lambda client, port: client.calls(port)),
}


def start(build, programs, directory, targets, cpus):
    """Their processes and TLS ports by name."""
    found, mock_port = {}, free_port()
    mock = programs.start("mockllm", [f"{build}/mockllm", "--listen", f"127.0.0.1:{mock_port}"], set(cpus[1:]) or set(cpus), directory)
    wait_ready("mockllm", mock, mock_port, "/mock/stats", directory)
    for target in targets:
        plain, port = free_port(), free_port()
        user = "user root; " if os.geteuid() == 0 else ""
        text = (GATEWAY if target == "tollgate" else NGINX).format(dir=directory, mock=mock_port, plain=plain, port=port, key=KEY,
                                                                   user=user)
        with open(f"{directory}/{target}.conf", "w", encoding="ascii") as file:
            file.write(text)
        command = ([f"{build}/tollgate", "run", "-c"] if target == "tollgate" else [peers.program("nginx"), "-c"])
        program = programs.start(target, [*command, f"{directory}/{target}.conf"], {cpus[0]}, directory)
        wait_ready(target, program, plain, "/healthz", directory)
        found[target] = ([program.pid] if target == "tollgate" else children(program.pid) or [program.pid], port)
    return found


def measure(build, programs, directory, targets, passes):
    directory = f"{directory}/tls"
    os.mkdir(directory)
    make_certificate(directory)
    targets = [target for target in targets if target != "haproxy"]
    cpus = sorted(os.sched_getaffinity(0))
    found = start(os.path.abspath(build), programs, directory, targets, cpus)
    client = Client(os.path.abspath(build), directory, set(cpus[1:]) or set(cpus))
    samples = {name: {target: [] for target in targets} for name in SCENARIOS}
    for number in range(passes + 1):  # the first warms
        for name, (_, run) in SCENARIOS.items():
            for target in targets if number % 2 else reversed(targets):
                pids, port = found[target]
                before = processor_all_ns(pids)
                count = run(client, port)
                if number:
                    samples[name][target].append((processor_all_ns(pids) - before) / count / 1000)
        say(f"tls: pass {number} of {passes}")
    return {name: {target: statistics.median(values) for target, values in row.items()} for name, row in samples.items()}


def failed(_report):
    return False  # what goes wrong ends the run


def print_table(report):
    print("\nTLS 1.3, processor time in us:")
    for name, row in report.items():
        ratio = f"{row['tollgate'] / row['nginx']:8.2f}" if len(row) == 2 else ""
        print(f"{SCENARIOS[name][0]:44}" + "".join(f"{target:>10} {value:7.1f}" for target, value in row.items()) + ratio)
