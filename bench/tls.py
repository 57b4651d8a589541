"""TLS: what a handshake costs, full and resumed, and a call on a connection that stands; beside nginx (OpenSSL).

Processor time of the whole process. A handshake is a connection of its own with one small page on it, one after the other; calls go
over some connections at once. P-256 certificate, TLS 1.3, the client is Python's (OpenSSL), on the processors that the
targets do not have: its own slowness bounds the rate, so that this compares what each handshake and call costs, not how many
there can be. A target runs with many connections a turn only in the last row.
"""
import os
import socket
import ssl
import statistics
import subprocess

import peers
from field import KEY
from programs import children, free_port, processor_all_ns, say, wait_ready

HANDSHAKES = 400
CALLS = 4000
CONNECTIONS = 16

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


def request(method, path, body=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


PAGE = request("GET", "/healthz")
CHAT = request("POST", "/v1/chat/completions", CALL)


def make_certificate(directory):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out",
                    "server.pem"], cwd=directory, check=True, capture_output=True)


def receive_answer(client):
    """Its bytes are told by Content-Length, with both."""
    answer = b""
    while True:
        part = client.recv(65536)
        if not part:
            raise SystemExit("bench: a connection was closed")
        answer += part
        head, end, body = answer.partition(b"\r\n\r\n")
        if not end:
            continue
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"bench: {head.decode(errors='replace')} {body.decode(errors='replace')}")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
        if (length is not None and len(body) >= length) or (length is None and body.endswith(b"0\r\n\r\n")):
            return


class Client:
    def __init__(self, directory):
        self.context = ssl.create_default_context(cafile=f"{directory}/server.pem")
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3

    def connect(self, port, session=None):
        below = socket.create_connection(("127.0.0.1", port), timeout=10)
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(below, server_hostname="localhost", session=session)

    def handshakes(self, port, resumed):
        session = None
        for _ in range(HANDSHAKES):
            with self.connect(port, session) as client:
                if session and not client.session_reused:
                    raise SystemExit("bench: a session was not resumed")
                client.sendall(PAGE)
                receive_answer(client)
                session = client.session if resumed else None
        return HANDSHAKES

    def calls(self, port):
        clients = [self.connect(port) for _ in range(CONNECTIONS)]
        for _ in range(CALLS // CONNECTIONS):
            for client in clients:
                client.sendall(CHAT)
            for client in clients:
                receive_answer(client)
        for client in clients:
            client.close()
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
    os.sched_setaffinity(0, set(cpus[1:]) or set(cpus))
    client, samples = Client(directory), {name: {target: [] for target in targets} for name in SCENARIOS}
    for number in range(passes + 1):  # the first warms
        for name, (_, run) in SCENARIOS.items():
            for target in targets if number % 2 else reversed(targets):
                pids, port = found[target]
                before = processor_all_ns(pids)
                count = run(client, port)
                if number:
                    samples[name][target].append((processor_all_ns(pids) - before) / count / 1000)
        say(f"tls: pass {number} of {passes}")
    os.sched_setaffinity(0, set(cpus))
    return {name: {target: statistics.median(values) for target, values in row.items()} for name, row in samples.items()}


def failed(_report):
    return False  # what goes wrong ends the run


def print_table(report):
    print("\nTLS 1.3, processor time in us:")
    for name, row in report.items():
        ratio = f"{row['tollgate'] / row['nginx']:8.2f}" if len(row) == 2 else ""
        print(f"{SCENARIOS[name][0]:44}" + "".join(f"{target:>10} {value:7.1f}" for target, value in row.items()) + ratio)
