// The promise of the receipts: whatever answer a client holds whole, its receipt is there, once, after SIGKILL in the middle of load.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { MASTER_KEY, chat, configuration, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const ROUNDS = 10, CLIENTS = 16, ROUND_REQUESTS = 400;

async function load(world, answered, count) {
  let left = count;
  const one = async () => {
    while (left-- > 0) {
      try {
        const stream = left % 3 === 0;
        if (left % 5 === 1) {
          const spoken = await post(world, "/v1/audio/speech", { model: "test/mock", voice: "alloy", input: "Hello." });
          await spoken.arrayBuffer();
          if (spoken.status === 200) answered.push(spoken.headers.get("x-request-id"));
          continue;
        }
        const answer = await post(world, "/v1/chat/completions", chat("test/mock", { stream }));
        const text = await answer.text();
        if (answer.status === 200 && (!stream || text.endsWith("data: [DONE]\n\n"))) answered.push(answer.headers.get("x-request-id"));
      } catch {
        return; // the gateway is gone
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, one));
}

async function allReceipts(world) {
  const seen = new Map();
  const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
  let cursor = "";
  do {
    const page = await (await fetch(`${world.base}/admin/receipts?limit=1000${cursor}`, admin)).json();
    for (const receipt of page.data) seen.set(receipt.request_id, (seen.get(receipt.request_id) ?? 0) + 1);
    cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
  } while (cursor);
  return seen;
}

function suite(durability, shards) {
  return {
    name: `durability ${durability}, ${shards} shard${shards > 1 ? "s" : ""}`,
    async open(build) {
      const dataDir = temporaryFolder();
      const mock = await startMock(build);
      const port = await freePort();
      const data = path.join(dataDir, "data");
      const config = configuration({ port, mockPort: mock.port, dataDir: data, durability, shards });
      return {
        build, mock, port, data, base: `http://127.0.0.1:${port}`,
        start: (own = config) => startGateway(build, { dataDir, config: own }),
        close: async () => {
          await mock.stop();
          fs.rmSync(dataDir, { recursive: true, force: true });
        },
      };
    },
    tests: {
      async "SIGKILL under load, ten times: no answered request without its receipt, none twice"(world) {
        const answered = [];
        for (let round = 0; round < ROUNDS; round++) {
          const gateway = await world.start();
          const before = answered.length;
          const loading = load(world, answered, ROUND_REQUESTS);
          while (answered.length < before + 40 + round * 20) await new Promise((next) => setTimeout(next, 2));
          await gateway.kill();
          await loading;
          const checked = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.data]);
          assert.equal(checked.code, 0, `round ${round}: ${checked.stdout}${checked.stderr}`);
        }
        const gateway = await world.start();
        const seen = await allReceipts(world);
        for (const id of answered) assert.equal(seen.get(id), 1, `receipt of ${id}`);
        for (const [id, count] of seen) assert.equal(count, 1, id);
        const { code } = await gateway.stop();
        assert.equal(code, 0);
        const checked = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.data]);
        assert.equal(checked.code, 0, checked.stdout + checked.stderr);
      },

      async "two gateways cannot share a folder"(world) {
        const gateway = await world.start();
        const elsewhere = configuration({ port: await freePort(), mockPort: world.mock.port, dataDir: world.data, durability, shards });
        await assert.rejects(world.start(elsewhere), /in use by another process|lock/i);
        await gateway.stop();
      },

      async "two gateways cannot share an address"(world) {
        const gateway = await world.start();
        const folder = path.join(world.data, "..", "other");
        const same = configuration({ port: world.port, mockPort: world.mock.port, dataDir: folder, durability, shards });
        await assert.rejects(world.start(same), new RegExp(`ended \\(1\\)[^]*127\\.0\\.0\\.1:${world.port} is in use by another process`));
        assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"))).status, 200); // the first serves on
        await gateway.stop();
      },

      async "a drain finishes what is in flight"(world) {
        const gateway = await world.start();
        const answering = post(world, "/v1/chat/completions", chat("test/mock-slow-150"));
        await new Promise((next) => setTimeout(next, 50));
        const stopping = gateway.stop();
        assert.equal((await answering).status, 200);
        assert.equal((await stopping).code, 0);
      },
    },
  };
}

export const suites = [suite("process", 1), suite("process", 2), suite("power", 1)];
