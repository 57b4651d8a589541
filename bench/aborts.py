"""A client that leaves in mid-stream: how long until the provider knows."""
import json
import socket
import statistics
import time
import urllib.request

import bodies
from field import KEY

TIMES = 10


def mock_stats(field):
    with urllib.request.urlopen(f"http://127.0.0.1:{field.mock_port}/mock/stats", timeout=2) as answer:
        return json.load(answer)


def measure(field):
    """From the client's close in mid-stream to the moment at which the simulator saw its own connection close; ms."""
    body = bodies.body(bodies.EVENTS_20MS)
    head = (f"POST {bodies.CHAT} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
    return [once(field, (head + body).encode()) for _ in range(TIMES)]


def once(field, request):
    seen = mock_stats(field)["aborted"]
    received = b""
    with socket.create_connection(("127.0.0.1", field.ports["tollgate"]["event"]), timeout=5) as client:
        client.sendall(request)
        while received.count(b"data: ") < 3:
            part = client.recv(65536)
            if not part:
                raise SystemExit(f"bench: the stream ended early: {received[:400]!r}")
            received += part
        closed_ns = time.time_ns()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        stats = mock_stats(field)
        if stats["aborted"] > seen:
            return (stats["last_abort_unix_ns"] - closed_ns) / 1e6
        time.sleep(0.005)
    raise SystemExit("bench: the simulator saw no abort within two seconds")


def print_line(delays):
    print(f"client's abort in mid-stream seen by the simulator after {statistics.median(delays):.2f} ms"
          f" (at most {max(delays):.2f}, {len(delays)} times)")
