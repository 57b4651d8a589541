"""What is measured: which request, on how many connections, for how long, and what is counted."""
from dataclasses import dataclass

import bodies

REQUEST, EVENT = "request", "event"


@dataclass
class Scenario:
    body: str
    connections: int
    options: list  # loadgen's own
    unit: str = REQUEST
    warm_up: bool = True  # streams at a pace of their own have nothing to warm up


def scenarios(seconds):
    timed = ["--duration", str(seconds)]
    return {
        "unary-1": Scenario(bodies.SMALL, 1, timed),
        "unary-64": Scenario(bodies.SMALL, 64, timed),
        "unary-256": Scenario(bodies.SMALL, 256, timed),
        "prompt-200k-16": Scenario(bodies.PROMPT, 16, timed),
        "embeddings-64": Scenario(bodies.EMBEDDINGS, 64, timed),
        "events-unpaced-64": Scenario(bodies.EVENTS_UNPACED, 64, timed + ["--sse"], EVENT),
        # A stream of 100 events lasts two seconds, and these are two rounds of them; five seconds, and one round.
        "events-paced-64": Scenario(bodies.EVENTS_20MS, 64, ["--requests", "128", "--sse"], EVENT, warm_up=False),
        "events-paced-1000": Scenario(bodies.EVENTS_50MS, 1000, ["--requests", "1000", "--sse"], EVENT, warm_up=False),
    }
