"""Calls and streams through the gateway and its peers: processor time, instructions, rate and latency of each scenario.

Processor time is the nanoseconds that all threads of the gateway, or of a peer's one worker, ran
(/proc/PID/task/*/schedstat) while loadgen had its requests answered, divided by the requests, or by the events of
streams. Passes interleave the targets, in alternating order, and a row is the median of the passes; a ratio is that of
two medians. Instructions are counted after the passes, because counting costs time.
"""
import statistics

import aborts
import counts
from bodies import SMALL
from field import Field
from programs import processor_all_ns, rss_all_kib, say
from scenarios import REQUEST

OURS = "tollgate"


class Bench(Field):
    def load(self, port, scenario, seconds=None):
        options = scenario.options
        if seconds is not None:
            options = ["--duration", str(seconds)] + [o for o in options if o == "--sse"]
        return self.loadgen(port, scenario.body, scenario.connections, options)

    def measure(self, target, scenario):
        pids = self.pids[target]
        before = processor_all_ns(pids)
        result = self.load(self.ports[target][scenario.unit], scenario)
        used = processor_all_ns(pids) - before
        units = units_of(result, scenario)
        return {
            "processor_us": used / 1e3 / max(units, 1),
            "per_s": units / result["seconds"],
            "p50_us": result["latency"]["p50_us"],
            "p99_us": result["latency"]["p99_us"],
            "p999_us": result["latency"]["p999_us"],
            "first_event_p50_us": result["first_event"]["p50_us"],
            "rss_kib": rss_all_kib(pids),
            "errors": result["requests"] - result["statuses"].get("200", 0) + sum(result["errors"].values()),
            "statuses": result["statuses"],
        }

    def instructions(self, target, scenario):
        """Of one request or event; None when the counter was taken away meanwhile."""
        counted, result = counts.count(self.pids[target],
                                       lambda: self.load(self.ports[target][scenario.unit], scenario))
        return None if counted is None else counted / max(units_of(result, scenario), 1)


def units_of(result, scenario):
    """Refusals cost time and count for nothing, so they cannot flatter whoever refuses."""
    return result["statuses"].get("200", 0) if scenario.unit == REQUEST else result["events"]


def summary(passes):
    """Medians, but errors and statuses are added up: a fault in one pass must not vanish."""
    row = {name: statistics.median(p[name] for p in passes) for name in passes[0] if name not in ("errors", "statuses")}
    row["errors"] = sum(p["errors"] for p in passes)
    row["statuses"] = {}
    for p in passes:
        for status, count in p["statuses"].items():
            row["statuses"][status] = row["statuses"].get(status, 0) + count
    return row


def ratios(by_target):
    """The gateway's processor time by each peer's: of the medians, and pass by pass."""
    if OURS not in by_target:
        return {}
    ours = [p["processor_us"] for p in by_target[OURS]]
    found = {}
    for peer, passes in by_target.items():
        if peer != OURS:
            theirs = [p["processor_us"] for p in passes]
            found[peer] = {"median": statistics.median(ours) / statistics.median(theirs),
                           "passes": [a / b for a, b in zip(ours, theirs)]}
    return found


def run_passes(bench, wanted, targets, passes):
    samples = {name: {target: [] for target in targets} for name in wanted}
    for target in targets:
        for scenario in wanted.values():
            if scenario.warm_up:
                bench.load(bench.ports[target][scenario.unit], scenario, seconds=0.5)
    for number in range(passes):
        say(f"pass {number + 1} of {passes}")
        order = targets if number % 2 == 0 else targets[::-1]
        for name, scenario in wanted.items():
            for target in order:
                samples[name][target].append(bench.measure(target, scenario))
    return samples


def measure(bench, targets, wanted, passes):
    idle = {target: rss_all_kib(bench.pids[target]) for target in targets}
    direct = bench.loadgen(bench.mock_port, SMALL, 64, ["--duration", "1"])
    report = {"passes": passes, "direct_per_s": direct["requests_per_s"], "idle_rss_kib": idle, "rows": {},
              "instructions_counted": counts.available()}
    for name, by_target in run_passes(bench, wanted, targets, passes).items():
        row = {"unit": wanted[name].unit, "ratios": ratios(by_target)}
        row["targets"] = {target: summary(done) for target, done in by_target.items()}
        if report["instructions_counted"]:
            for target in targets:
                row["targets"][target]["instructions"] = bench.instructions(target, wanted[name])
        report["rows"][name] = row
    report["abort_delay_ms"] = aborts.measure(bench) if OURS in targets else []
    return report


def failed(report):
    return any(figures["errors"] for row in report["rows"].values() for figures in row["targets"].values())


def print_ratios(report):
    named = [peer for row in report["rows"].values() for peer in row["ratios"]]
    peers = list(dict.fromkeys(named))
    if not peers:
        return
    print("Processor time, the gateway's by the peer's: below 1 the gateway needs less; (least..most of the passes)")
    print(f"{'':20}" + "".join(f"{'by ' + peer:>24}" for peer in peers))
    for name, row in report["rows"].items():
        cells = (f"{r['median']:.2f} ({min(r['passes']):.2f}..{max(r['passes']):.2f})" for r in row["ratios"].values())
        print(f"{name:20}" + "".join(f"{cell:>24}" for cell in cells))
    print()


def print_table(report):
    print_ratios(report)
    columns = ["processor_us", "per_s", "p50_us", "p99_us", "p999_us", "rss_kib", "errors"]
    titles = ["us cpu", "per s", "p50 us", "p99 us", "p99.9 us", "RSS KiB", "errors"]
    counted = report["instructions_counted"]
    last = f"{'instructions':>14}" if counted else ""
    print(f"{'':20}{'':10}" + "".join(f"{title:>11}" for title in titles) + last)
    for name, row in report["rows"].items():
        for target, figures in row["targets"].items():
            cells = "".join(f"{figures[c]:>11.{2 if c == 'processor_us' else 0}f}" for c in columns)
            instructions = figures.get("instructions")
            print(f"{name:20}{target:10}{cells}" + (f"{instructions:>14.0f}" if instructions is not None else ""))
    for name, row in report["rows"].items():
        for target, figures in row["targets"].items():
            if figures["errors"]:
                print(f"{name}, {target}: not all went well; answers by status: {figures['statuses']}")
    print("\nProcessor time and rate are of requests, in the rows of events of events;"
          f" medians of {report['passes']} passes.")
    print("instructions: " + ("of a request or event, user and kernel" if counted else "not counted here"))
    print(f"simulator without a proxy, 64 connections: {report['direct_per_s']:.0f} requests/s")
    for target, kib in report["idle_rss_kib"].items():
        print(f"{target}: {kib} KiB resident when idle, before the first request")
    if report["abort_delay_ms"]:
        aborts.print_line(report["abort_delay_ms"])
