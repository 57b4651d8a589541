"""Folding of what perf prints, and the flame graph made of it."""
import sys
import unittest
import xml.etree.ElementTree
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import flames  # noqa: E402
import folding  # noqa: E402

PRINTED = """\
shard/0     250000 
\tffffffff81a0b1c2 tcp_ack ([kernel.kallsyms])
\tffffffff81a0b1c3 tcp_v4_rcv ([kernel.kallsyms])
\t    55d0c0ffee00 shard_run (/opt/tollgate)

rocksdb:high     100 
\t    7f0000000001 rocksdb::DB::Put(rocksdb::Slice const&, int) (/usr/lib/librocksdb.so.7.8.3)
\t    7f0000000002 [unknown] (/usr/lib/libstdc++.so.6)

shard/0     50000 
\tffffffff81a0b1c9 tcp_ack ([kernel.kallsyms])
\tffffffff81a0b1c3 tcp_v4_rcv ([kernel.kallsyms])
\t    55d0c0ffee00 shard_run (/opt/tollgate)

shard/0     7 
\t    55d0c0ffee11 recurse (/opt/tollgate)
\t    55d0c0ffee11 recurse (/opt/tollgate)
\t    55d0c0ffee00 shard_run (/opt/tollgate)

shard/0     9 

"""
ACK, RECEIVE, RUN = "tcp_ack [kernel]", "tcp_v4_rcv [kernel]", "shard_run"


class Folding(unittest.TestCase):
    def setUp(self):
        self.chains = folding.fold(PRINTED.splitlines())

    def test_equal_chains_are_added_up_and_turned_round(self):
        self.assertEqual(dict(self.chains), {
            ("shard/0", RUN, RECEIVE, ACK): 300000,
            ("rocksdb:high", "[libstdc++.so.6]", "rocksdb::DB::Put"): 100,
            ("shard/0", RUN, "recurse", "recurse"): 7,
        })

    def test_the_last_sample_needs_no_empty_line(self):
        self.assertEqual(folding.fold(PRINTED.rstrip().splitlines()), self.chains)

    def test_own_is_the_innermost(self):
        self.assertEqual(dict(folding.own(self.chains)), {ACK: 300000, "rocksdb::DB::Put": 100, "recurse": 7})

    def test_within_counts_a_chain_once_and_no_thread(self):
        self.assertEqual(folding.within(self.chains)["recurse"], 7)
        self.assertEqual(folding.within(self.chains)[RUN], 300007)
        self.assertNotIn("shard/0", folding.within(self.chains))

    def test_text_has_a_chain_a_line(self):
        self.assertEqual(folding.text(self.chains).splitlines()[-1], f"shard/0;{RUN};{RECEIVE};{ACK} 300000")

    def test_nothing_is_nothing(self):
        self.assertEqual(dict(folding.fold([])), {})


class Flames(unittest.TestCase):
    def boxes(self, chains):
        """title -> (x, y, width)"""
        svg = xml.etree.ElementTree.fromstring(flames.svg(chains, "a <title> & more"))
        space = "{http://www.w3.org/2000/svg}"
        found = {}
        for group in svg.iter(f"{space}g"):
            rect = group.find(f"{space}rect")
            title = group.find(f"{space}title").text.split(":")[0]
            found[title] = tuple(float(rect.get(a)) for a in ("x", "y", "width"))
        return found

    def test_boxes_stand_on_their_callers(self):
        boxes = self.boxes({("t", "outer", "left"): 30, ("t", "outer", "right"): 60, ("t", "other<int>"): 10})
        whole = flames.WIDTH - 2 * flames.MARGIN
        self.assertAlmostEqual(boxes["all"][2], whole, places=1)
        self.assertAlmostEqual(boxes["outer"][2], whole * 0.9, places=1)
        self.assertAlmostEqual(boxes["left"][0], boxes["outer"][0], places=1)
        self.assertAlmostEqual(boxes["right"][0], boxes["left"][0] + boxes["left"][2], places=1)
        self.assertEqual(boxes["left"][1], boxes["outer"][1] - flames.ROW)
        self.assertIn("other<int>", boxes)

    def test_what_is_too_narrow_is_left_out(self):
        boxes = self.boxes({("t", "wide"): 10 ** 9, ("t", "narrow", "on it"): 1})
        self.assertIn("wide", boxes)
        self.assertNotIn("narrow", boxes)
        self.assertNotIn("on it", boxes)

    def test_no_samples_draw_an_empty_graph(self):
        self.assertEqual(list(self.boxes({})), ["all"])


if __name__ == "__main__":
    unittest.main()
