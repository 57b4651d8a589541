"""Tables that are kept in bench/results/, and what a later run is by them.

A call's figure is the gateway's processor time by nginx's in the same run, a step's (bench/micro/) its time by the
yardstick's: both go with the machine far less than microseconds do. Something became slower when the middle of its
passes is above the kept one by more than the tolerance and no pass was as good as the kept middle. Steps are compared
on the same processor model alone: other processors parse and hash at other ratios.
"""
import re
from dataclasses import dataclass

CALL_TOLERANCE = 0.10
BUSY_TOLERANCE = 0.20  # of calls, when other programs kept the machine busy in one of the two runs
STEP_TOLERANCE = 0.30
NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-(\d+))?\.json")


@dataclass
class Change:
    name: str
    kept: float
    now: float
    slower: bool
    faster: bool


def make(calls, steps, machine, date, commit):
    """What is kept of bench/run's report and micro's: small, and the same from one day to the next."""
    rows = {}
    for name, row in calls["rows"].items():
        kept = {"unit": row["unit"]}
        for target, figures in row["targets"].items():
            kept[f"{target}_us"] = round(figures["processor_us"], 3)
        for peer, ratio in row["ratios"].items():
            kept[f"by_{peer}"] = round(ratio["median"], 4)
            kept[f"by_{peer}_least"] = round(min(ratio["passes"]), 4)
        kept["errors"] = sum(figures["errors"] for figures in row["targets"].values())
        rows[name] = kept
    return {"date": date, "commit": commit, "machine": machine, "passes": calls["passes"], "calls": rows,
            "steps": {name: {"ns": step["ns"], "by_yardstick": step["ratio"], "by_yardstick_least": step["least_ratio"]}
                      for name, step in steps["steps"].items()}}


def change(name, kept, now, least, tolerance):
    slower = now > kept * (1 + tolerance) and least > kept
    return Change(name, kept, now, slower, faster=now < kept * (1 - tolerance))


def busy(table):
    return table["machine"]["load"] > table["machine"]["cores"] / 2


def call_tolerance(kept, now):
    return BUSY_TOLERANCE if busy(kept) or busy(now) else CALL_TOLERANCE


def compare(kept, now):
    """Changes of what both tables hold, in their order."""
    found = []
    tolerance = call_tolerance(kept, now)
    for name, row in now["calls"].items():
        if name in kept["calls"]:
            then = kept["calls"][name]["by_nginx"]
            found.append(change(name, then, row["by_nginx"], row["by_nginx_least"], tolerance))
    if kept["machine"]["processor"] != now["machine"]["processor"]:
        return found
    for name, row in now["steps"].items():
        if name in kept["steps"] and name != "yardstick":
            then = kept["steps"][name]["by_yardstick"]
            found.append(change(name, then, row["by_yardstick"], row["by_yardstick_least"], STEP_TOLERANCE))
    return found


def order(name):
    """Sorts file names by day and, within it, by number; None for what is no table."""
    match = NAME.fullmatch(name)
    return (match.group(1), int(match.group(2) or 1)) if match else None


def last(names):
    tables = [name for name in names if order(name)]
    return max(tables, key=order) if tables else None


def next_name(names, date):
    numbers = [order(name)[1] for name in names if order(name) and order(name)[0] == date]
    return f"{date}-{max(numbers) + 1}.json" if numbers else f"{date}.json"
