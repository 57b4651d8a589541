// Databases as earlier programs left them when they were killed: store/tests/schemas/ has one of each schema, written by the
// program of its time (a dozen calls of two keys, a pause, three more, SIGKILL), and in `said.json` what its clients were told.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { KEY, MASTER_KEY, chat, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(here, "../../../store/tests/schemas");
const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const nusd = (usd) => Math.round(usd * 1e9);

const configuration = (port, mockPort, dataDir) => `listen: [{ address: 127.0.0.1:${port} }]
admin: { master_key: ${MASTER_KEY} }
data_dir: ${dataDir}
shards: 2
providers:
  - { name: mock, kind: openai_compatible, base_url: "http://127.0.0.1:${mockPort}/v1", credentials: [{ name: primary, api_key: upstream-secret }] }
models:
  - { id: test/mock, provider: mock, upstream_model: mock, price: { input: 0.15, cached_input: 0.075, output: 0.60 } }
  - { id: own/hosted, provider: mock, upstream_model: mock, hosted: true, price: { input: 0.15, cached_input: 0.075, output: 0.60 } }
keys:
  - { name: demo, secret: ${KEY} }
  - { name: other, secret: other-key, budget: { monthly_usd: 10 } }
`;

async function open(build, schema) {
  const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
  assert.equal((await run("tar", ["-xzf", path.join(folder, `schema-${schema}.tar.gz`), "-C", dataDir])).code, 0);
  const data = path.join(dataDir, "data"), config = configuration(port, mock.port, data);
  const told = JSON.parse(fs.readFileSync(path.join(data, "said.json"), "utf8"));
  fs.rmSync(path.join(data, "said.json"));
  const world = {
    build, data, base: `http://127.0.0.1:${port}`, calls: told.filter(([status]) => status === 200), made: told.find(([what]) => what === "made"),
    start: () => startGateway(build, { dataDir, config }),
    check: (what) => run(`${build}/tollgate`, ["check", what, "-d", data]),
    close: async () => {
      await world.gateway?.stop();
      await mock.stop();
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return world;
}

const sum = (calls) => calls.reduce((all, [, , cost]) => all + nusd(cost), 0);

function testsOf(schema) {
  const tests = {
    async "check asks for a start, and changes nothing"(world) {
      const early = await world.check("--receipts");
      assert.notEqual(early.code, 0);
      assert.match(early.stdout + early.stderr, schema < 5 ? /an older schema: start the gateway once/ // it has no records yet
        : new RegExp(`schema version ${schema}: start the gateway once`));
      world.gateway = await world.start();
    },

    async "every answer has its receipt, and all is in the totals"(world) {
      for (const [, id, cost] of world.calls) {
        const answer = await fetch(`${world.base}/admin/receipts/${id}`, admin);
        assert.equal(answer.status, 200, id);
        const receipt = await answer.json();
        if (cost !== null) assert.equal(nusd(receipt.cost.total_usd), nusd(cost));
        assert.equal(receipt.execution.tokens.completion, 5);
      }
      const unary = world.calls.filter(([, , cost]) => cost !== null), each = nusd(unary[0][2]);
      const spent = await (await fetch(`${world.base}/admin/spend?by=key`, admin)).json();
      assert.equal(spent.total.requests, world.calls.length);
      assert.equal(nusd(spent.total.spend_usd), sum(unary) + each * (world.calls.length - unary.length));
      const days = await (await fetch(`${world.base}/admin/spend?by=day&from=2026-01-01&to=2030-01-01`, admin)).json();
      assert.deepEqual(days.total, spent.total);
    },

    async "it goes on, and is sound offline"(world) {
      assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"))).status, 200);
      await world.gateway.stop();
      world.gateway = null;
      for (const what of ["--receipts", "--ledger"]) {
        const sound = await world.check(what);
        assert.equal(sound.code, 0, sound.stdout + sound.stderr);
        assert.match(sound.stdout, /sound/);
      }
    },
  };
  if (schema >= 6)
    tests["keys that were made and what was paid in are there"] = async (world) => {
      world.gateway = await world.start();
      const [, id, secret] = world.made;
      const key = await (await fetch(`${world.base}/admin/keys/${id}`, admin)).json();
      assert.deepEqual([key.name, key.tags], ["made", { team: "old" }]);
      assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"), { key: secret })).status, 200);
      const balance = await (await fetch(`${world.base}/admin/workspaces/default/balance`, admin)).json();
      const hosted = world.calls.filter(([, , , name]) => name === "other-key");
      assert.equal(nusd(balance.credited_usd), 50000000);
      assert.equal(nusd(balance.used_usd), sum(hosted));
    };
  return tests;
}

export const suites = fs.readdirSync(folder).sort().map((name) => Number(name.match(/\d+/)[0])).map((schema) =>
  ({ name: `a store of schema ${schema}`, open: (build) => open(build, schema), tests: testsOf(schema) }));
