// How long things are kept: receipts whose workspace's days are over, and what becomes of look-ups, sums and the chain.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { KEY, MASTER_KEY, chat, configuration, eventually, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const OLD = 3000; // receipts of the first minute of 2026, which `lookup` writes
const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const client = { headers: { authorization: `Bearer ${KEY}` } };

const ask = async (world, target, headers = admin) => {
  const answer = await fetch(`${world.base}${target}`, headers);
  return { status: answer.status, body: await answer.json() };
};

const metric = async (world, name) =>
  Number((await (await fetch(`${world.base}/metrics`)).text()).match(new RegExp(`^${name} (\\d+)`, "m"))[1]);

const spent = async (world) => (await ask(world, "/admin/spend?by=workspace")).body;

function retaining(world, retention) {
  return startGateway(world.build, { dataDir: world.dataDir, config: configuration({ ...world.options,
    extra: `workspaces: [{ id: default, retention: { ${retention} } }]\n` }) });
}

async function checked(world, expected) {
  const { code, stdout } = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.options.dataDir]);
  assert.match(stdout, expected, stdout);
  assert.equal(code, 0, stdout);
}

const receipts = {
  async "old receipts go, new ones stay; the chain verifies and spend does not change"(world) {
    const { code, stderr } = await run(`${world.build}/lookup`, ["--dir", world.options.dataDir, "--receipts", String(OLD), "--lookups", "1",
      "--per-second", "100"]);
    assert.equal(code, 0, stderr);

    let gateway = await retaining(world, "receipts_days: 3650");
    const kept = (await ask(world, "/admin/receipts?limit=1")).body.data[0].request_id;
    const before = await spent(world);
    assert.equal((await ask(world, `/v1/receipts/${kept}`, client)).status, 200);
    assert.equal((await gateway.stop()).code, 0);
    await checked(world, /: sound/);

    gateway = await retaining(world, "receipts_days: 90");
    await eventually(async () => await metric(world, "tollgate_store_receipts_expired_total") >= OLD, "old receipts expire");
    for (const headers of [admin, client]) {
      const gone = await ask(world, `${headers === admin ? "/admin" : "/v1"}/receipts/${kept}`, headers);
      assert.equal(gone.status, 404);
      assert.equal(gone.body.error.code, "receipt_expired");
      assert.match(gone.body.error.message, /kept for 90 days/);
    }
    assert.deepEqual((await ask(world, "/admin/receipts?limit=10")).body.data, []);
    assert.deepEqual(await spent(world), before);

    const answer = await post(world, "/v1/chat/completions", chat("test/mock"));
    await answer.text();
    const fresh = answer.headers.get("x-request-id");
    assert.equal((await ask(world, `/v1/receipts/${fresh}`, client)).body.request_id, fresh);
    assert.equal((await gateway.stop()).code, 0);
    await checked(world, /^\d{4} receipts have expired.*: sound$/ms);

    gateway = await retaining(world, "receipts_days: 90");
    assert.deepEqual((await ask(world, "/admin/receipts?limit=10")).body.data.map((one) => one.request_id), [fresh]);
    assert.equal((await gateway.stop()).code, 0);
  },
};

export const suites = [{
  name: "retention",
  async open(build) {
    const dataDir = temporaryFolder();
    const mock = await startMock(build);
    const port = await freePort();
    const data = path.join(dataDir, "data");
    fs.mkdirSync(data, { mode: 0o700 });
    return {
      build, dataDir, port, base: `http://127.0.0.1:${port}`, options: { port, mockPort: mock.port, dataDir: data },
      close: async () => {
        await mock.stop();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    };
  },
  tests: receipts,
}];
