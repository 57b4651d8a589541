"""Percentiles added by a proxy, what perf's counters say, and the requests that are sent."""
import json
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import added_latency  # noqa: E402
import bodies  # noqa: E402
import counts  # noqa: E402


class AddedLatency(unittest.TestCase):
    def test_each_percentile_less_the_direct_one(self):
        rows = added_latency.added({"direct": {"p50_us": 100, "p99_us": 300, "p999_us": 900},
                                    "tollgate": {"p50_us": 160, "p99_us": 290, "p999_us": 1000}})
        names = ["added_p50_us", "added_p99_us", "added_p999_us"]
        self.assertEqual([rows["tollgate"][name] for name in names], [60, -10, 100])
        self.assertEqual([rows["direct"][name] for name in names], [0, 0, 0])
        self.assertEqual(rows["tollgate"]["p999_us"], 1000)


class Counts(unittest.TestCase):
    def test_what_perf_says(self):
        rows = [
            ("1234567,,instructions,1000,100.00,,", 1234567),
            ("# started\n\n77,,instructions:u,1000,100.00,1.2,insn per cycle\n", 77),
            ("<not supported>,,instructions,0,100.00,,", None),
            ("<not counted>,,instructions,0,0.00,,", None),
            ("5,,instructions-retired,1,100.00,,", None),
            ("perf: no such event", None),
            ("", None),
        ]
        for text, expected in rows:
            with self.subTest(text=text):
                self.assertEqual(counts.parse(text), expected)


class Bodies(unittest.TestCase):
    def test_sizes_and_models(self):
        for name in bodies.MODELS:
            text = bodies.body(name)
            request = json.loads(text)
            with self.subTest(name=name):
                self.assertEqual(request["model"], bodies.MODELS[name])
                self.assertEqual(request.get("stream", False), name.startswith("events"))
                if name != bodies.EMBEDDINGS:
                    self.assertEqual(len(text), bodies.PROMPT_BYTES if name == bodies.PROMPT else 1500)
                    self.assertEqual(bodies.path(name), bodies.CHAT)


if __name__ == "__main__":
    unittest.main()
