"""What is kept of a run, what is called slower, and which table is the last."""
import copy
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import calls  # noqa: E402
import tables  # noqa: E402


def measured(*processor_us):
    return [{"processor_us": us, "errors": 0, "statuses": {"200": 10}, "p50_us": us} for us in processor_us]


def kept():
    return {"machine": {"processor": "one", "cores": 2, "load": 0.4},
            "calls": {"unary": {"by_nginx": 0.80, "by_nginx_least": 0.78},
                      "gone": {"by_nginx": 1, "by_nginx_least": 1}},
            "steps": {"yardstick": {"by_yardstick": 1.0, "by_yardstick_least": 1.0},
                      "parse": {"by_yardstick": 0.20, "by_yardstick_least": 0.19}}}


def told(now):
    return {c.name: "slower" if c.slower else "faster" if c.faster else "same" for c in tables.compare(kept(), now)}


class Compare(unittest.TestCase):
    def now(self, **figures):
        table = copy.deepcopy(kept())
        table["calls"]["unary"].update(figures)
        return table

    def test_calls(self):
        rows = [
            (0.80, 0.78, "same"),
            (0.88, 0.87, "same"),      # the tolerance itself is within it
            (0.89, 0.85, "slower"),
            (0.89, 0.79, "same"),      # a pass was as good as the kept middle
            (0.73, 0.70, "same"),
            (0.71, 0.70, "faster"),
        ]
        for ratio, least, expected in rows:
            with self.subTest(ratio=ratio, least=least):
                self.assertEqual(told(self.now(by_nginx=ratio, by_nginx_least=least))["unary"], expected)

    def test_a_busy_machine_is_given_more_room(self):
        for which, load, expected in [("now", 1.0, "slower"), ("now", 1.1, "same"), ("kept", 9.0, "same")]:
            then, table = kept(), self.now(by_nginx=0.95, by_nginx_least=0.95)
            {"now": table, "kept": then}[which]["machine"]["load"] = load
            with self.subTest(which=which, load=load):
                self.assertEqual(tables.compare(then, table)[0].slower, expected == "slower")

    def test_steps_have_their_own_tolerance(self):
        for ratio, expected in [(0.25, "same"), (0.27, "slower"), (0.13, "faster")]:
            table = self.now()
            table["steps"]["parse"] = {"by_yardstick": ratio, "by_yardstick_least": ratio}
            with self.subTest(ratio=ratio):
                self.assertEqual(told(table)["parse"], expected)

    def test_steps_of_another_processor_are_not_compared(self):
        table = self.now()
        table["machine"]["processor"] = "another"
        self.assertEqual(list(told(table)), ["unary", "gone"])

    def test_only_what_both_hold_is_compared(self):
        table = self.now()
        del table["calls"]["gone"]
        table["calls"]["new"] = {"by_nginx": 9, "by_nginx_least": 9}
        self.assertEqual(list(told(table)), ["unary", "parse"])


class Make(unittest.TestCase):
    def test_a_table_holds_ratios_of_medians(self):
        passes = {"nginx": measured(20, 10, 40), "haproxy": measured(10, 10, 10), "tollgate": measured(18, 12, 20)}
        row = {"unit": "request", "ratios": calls.ratios(passes),
               "targets": {target: calls.summary(done) for target, done in passes.items()}}
        steps = {"steps": {"yardstick": {"ns": 4600.0, "ratio": 1.0, "least_ratio": 0.99}}}
        table = tables.make({"passes": 3, "rows": {"unary": row}}, steps, {"processor": "one"}, "2026-01-02", "abc")
        unary = table["calls"]["unary"]
        self.assertEqual((unary["nginx_us"], unary["haproxy_us"], unary["tollgate_us"]), (20, 10, 18))
        self.assertEqual((unary["by_nginx"], unary["by_haproxy"]), (0.9, 1.8))
        self.assertEqual(unary["by_nginx_least"], 0.5)  # of the passes: 18/20, 12/10, 20/40
        self.assertEqual(unary["errors"], 0)
        self.assertEqual(table["steps"]["yardstick"]["by_yardstick"], 1.0)

    def test_errors_of_any_pass_stay(self):
        passes = measured(1, 2, 3)
        passes[1]["errors"] = 4
        passes[1]["statuses"] = {"200": 6, "503": 4}
        row = calls.summary(passes)
        self.assertEqual(row["errors"], 4)
        self.assertEqual(row["statuses"], {"200": 26, "503": 4})
        self.assertEqual(row["processor_us"], 2)

    def test_without_the_gateway_there_are_no_ratios(self):
        self.assertEqual(calls.ratios({"nginx": measured(1)}), {})


class Names(unittest.TestCase):
    def test_the_last_table(self):
        rows = [
            ([], None),
            (["README.md", "2026-01-02.json.orig"], None),
            (["2026-01-02.json", "2025-12-31-7.json"], "2026-01-02.json"),
            (["2026-01-02-10.json", "2026-01-02-9.json", "2026-01-02.json"], "2026-01-02-10.json"),
        ]
        for names, expected in rows:
            with self.subTest(names=names):
                self.assertEqual(tables.last(names), expected)

    def test_the_next_of_a_day(self):
        self.assertEqual(tables.next_name(["2026-01-01.json"], "2026-01-02"), "2026-01-02.json")
        self.assertEqual(tables.next_name(["2026-01-02.json"], "2026-01-02"), "2026-01-02-2.json")
        self.assertEqual(tables.next_name(["2026-01-02-9.json", "2026-01-02.json"], "2026-01-02"), "2026-01-02-10.json")


if __name__ == "__main__":
    unittest.main()
