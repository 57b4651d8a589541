"""Memory: what an idle client connection costs, and whether a million requests make the gateway larger; what a rush of long
prompts leaves, and what a stream costs whose client does not read.

Resident memory of the whole process (of nginx its one worker); what the kernel keeps for a socket is not in it. Each
idle connection has served one request, GET /v1/models: it is authenticated and answered like a call, but leaves no
receipt, so that the database's write buffers do not grow between the two looks. Before the first look calls have filled
what any load fills.
"""
import contextlib
import os
import socket
import time

import bodies
from bodies import SMALL
from field import KEY, Field
from programs import allow_files, rss_all_kib, say

IDLE_CONNECTIONS = 10000
SOURCES = 10         # addresses 127.0.0.2 and on: no client comes near http.max_connections_per_ip
WARM_REQUESTS = 50000
CONNECTIONS = 64
GROWTH_AT = [100_000, 500_000, 1_000_000]
# nginx closes idle connections once fewer than a sixteenth of its connections are free.
PEER_CONNECTIONS = IDLE_CONNECTIONS + IDLE_CONNECTIONS // 8 + 200

RUSH_CONNECTIONS, RUSH_REQUESTS = 1000, 3000
STALLED_STREAMS = 50
STALLED_S = 3        # until they have all that is coming

REQUEST = (f"GET /v1/models HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n\r\n").encode()


def exchange(client):
    client.sendall(REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += receive(client)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 200"):
        raise SystemExit(f"bench: {lines[0].decode()}")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    missing = length - len(body)
    while missing > 0:
        missing -= len(receive(client))


def receive(client):
    part = client.recv(65536)
    if not part:
        raise SystemExit("bench: an idle connection was closed")
    return part


@contextlib.contextmanager
def idle_connections(port, count):
    clients = []
    try:
        for number in range(count):
            source = f"127.0.0.{2 + number % SOURCES}"
            client = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
            clients.append(client)
            exchange(client)
        yield clients
    finally:
        for client in clients:
            client.close()


def settle(field, target):
    """Until the receipts are where they stay."""
    end = time.monotonic() + 10
    while target == "tollgate" and field.metric("tollgate_store_journal_bytes") > 0 and time.monotonic() < end:
        time.sleep(0.05)


def idle(field, target):
    say(f"memory: {target}, {IDLE_CONNECTIONS} idle connections")
    pids, port = field.pids[target], field.ports[target]["request"]
    row = {"started_kib": rss_all_kib(pids)}
    field.loadgen(port, SMALL, CONNECTIONS, ["--requests", str(WARM_REQUESTS)])
    settle(field, target)
    row["warm_kib"] = rss_all_kib(pids)
    with idle_connections(port, IDLE_CONNECTIONS) as clients:
        row["connected_kib"] = rss_all_kib(pids)
        exchange(clients[0])  # still served
        exchange(clients[-1])
    row["bytes_per_connection"] = (row["connected_kib"] - row["warm_kib"]) * 1024 / IDLE_CONNECTIONS
    return row


def growth(field):
    pids, port = field.pids["tollgate"], field.ports["tollgate"]["request"]
    rows, done = [], 0
    for count in GROWTH_AT:
        result = field.loadgen(port, SMALL, CONNECTIONS, ["--requests", str(count - done)])
        done = count
        settle(field, "tollgate")
        rows.append({"requests": count, "rss_kib": rss_all_kib(pids), "statuses": result["statuses"],
                     "errors": result["requests"] - result["statuses"].get("200", 0) + sum(result["errors"].values()),
                     "connection_errors": result["errors"]})
    return rows


def rush(field):
    """Of long prompts, all connections at once; then what is left of it."""
    pids, port = field.pids["tollgate"], field.ports["tollgate"]["request"]
    before = rss_all_kib(pids)
    result = field.loadgen(port, bodies.PROMPT, RUSH_CONNECTIONS, ["--requests", str(RUSH_REQUESTS)])
    settle(field, "tollgate")
    return {"before_kib": before, "after_kib": rss_all_kib(pids),
            "errors": result["requests"] - result["statuses"].get("200", 0)}


def stalled(field):
    """Streams of 20 MB each, of which nobody reads a byte."""
    pids, port = field.pids["tollgate"], field.ports["tollgate"]["event"]
    body = bodies.body(bodies.EVENTS_LONG).encode()
    head = (f"POST {bodies.CHAT} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    before = rss_all_kib(pids)
    with contextlib.ExitStack() as clients:
        for _ in range(STALLED_STREAMS):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(head + body)
        time.sleep(STALLED_S)
        after = rss_all_kib(pids)
    return {"streams": STALLED_STREAMS, "bytes_per_stream": (after - before) * 1024 / STALLED_STREAMS}


def measure(build, programs, directory, targets):
    allow_files(IDLE_CONNECTIONS)
    report = {"idle_connections": IDLE_CONNECTIONS, "idle": {}, "growth": []}
    os.mkdir(f"{directory}/memory")
    field = Field(build, programs, f"{directory}/memory", connections=PEER_CONNECTIONS)
    field.start(targets)
    for target in targets:
        report["idle"][target] = idle(field, target)
    if "tollgate" in targets:
        say(f"memory: tollgate, {GROWTH_AT[-1]} requests")
        report["growth"] = growth(field)
        say("memory: tollgate, long prompts at once, streams that nobody reads")
        report["rush"] = rush(field)
        report["stalled"] = stalled(field)
    return report


def failed(report):
    return any(row["errors"] for row in report["growth"])


def print_table(report):
    print(f"\nMemory, {report['idle_connections']} idle connections:")
    print(f"{'':12}{'started KiB':>13}{'warm KiB':>13}{'connected KiB':>15}{'bytes/connection':>18}")
    for target, row in report["idle"].items():
        print(f"{target:12}{row['started_kib']:>13}{row['warm_kib']:>13}{row['connected_kib']:>15}"
              f"{row['bytes_per_connection']:>18.0f}")
    for row in report["growth"]:
        grown = row["rss_kib"] - report["growth"][0]["rss_kib"]
        print(f"tollgate after {row['requests']:>9} requests: {row['rss_kib']} KiB ({grown:+d}), {row['errors']} errors")
        if row["errors"]:
            print(f"not all went well: by status {row['statuses']}, connections {row['connection_errors']}")
    if "rush" in report:
        print(f"tollgate before and after {RUSH_REQUESTS} prompts of {bodies.PROMPT_BYTES} bytes on {RUSH_CONNECTIONS} "
              f"connections: {report['rush']['before_kib']}, {report['rush']['after_kib']} KiB, "
              f"{report['rush']['errors']} errors (a busy machine connects too late)")
        print(f"tollgate, a stream that nobody reads, of {report['stalled']['streams']}: "
              f"{report['stalled']['bytes_per_stream']:.0f} bytes")
