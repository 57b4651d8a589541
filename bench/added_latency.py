"""What a proxy adds to the time of an answer: requests start at a fixed rate, whether or not answers came, and each is
measured from when it should have started, so that a stall counts for all whom it would have met (coordinated omission).
The same rates go to the simulator directly, in turns with the others: what is added is a percentile's difference to
that.
"""
import statistics

from bodies import SMALL
from programs import say

RATES = [1000, 4000, 10000]
CONNECTIONS = 256
PERCENTILES = ["p50_us", "p99_us", "p999_us"]
DIRECT = "direct"


def added(rows):
    """rows: way -> percentile -> us. The same with what each way adds to the direct one."""
    return {way: {**row, **{f"added_{p}": row[p] - rows[DIRECT][p] for p in PERCENTILES}} for way, row in rows.items()}


def once(field, way, rate, seconds):
    port = field.mock_port if way == DIRECT else field.ports[way]["request"]
    result = field.loadgen(port, SMALL, CONNECTIONS, ["--rate", str(rate), "--duration", str(seconds)])
    good = result["statuses"].get("200", 0)
    return {**{p: result["latency"][p] for p in PERCENTILES}, "per_s": good / result["seconds"],
            "errors": result["requests"] - good + sum(result["errors"].values())}


def measure(field, targets, passes, seconds):
    ways = [DIRECT, *targets]
    report = {"connections": CONNECTIONS, "rates": {}}
    for rate in RATES:
        say(f"added latency: {rate} requests a second")
        samples = {way: [] for way in ways}
        for number in range(passes):
            for way in ways if number % 2 == 0 else ways[::-1]:
                samples[way].append(once(field, way, rate, seconds))
        rows = {way: {name: statistics.median(s[name] for s in done) for name in (*PERCENTILES, "per_s")}
                for way, done in samples.items()}
        for way, done in samples.items():
            rows[way]["errors"] = sum(s["errors"] for s in done)
        report["rates"][rate] = added(rows)
    return report


def failed(report):
    return any(row["errors"] for rows in report["rates"].values() for row in rows.values())


def print_table(report):
    print(f"\nLatency at fixed rates, {report['connections']} connections, from when a request was due (us):")
    titles = ["+p50", "+p99", "+p99.9", "p50", "p99", "p99.9", "per s", "errors"]
    columns = [*(f"added_{p}" for p in PERCENTILES), *PERCENTILES, "per_s", "errors"]
    print(f"{'requests/s':>10}  {'':10}" + "".join(f"{title:>10}" for title in titles))
    for rate, rows in report["rates"].items():
        for way, row in rows.items():
            shown = ["" if way == DIRECT and c.startswith("added") else f"{row[c]:.0f}" for c in columns]
            cells = "".join(f"{figure:>10}" for figure in shown)
            print(f"{rate:>10}  {way:10}{cells}")
