// Idempotency-Key: the same key with the same request gets the first answer, and nothing is bought twice.
import assert from "node:assert/strict";
import fs from "node:fs";
import { KEY, MASTER_KEY, chat, eventually, openWorld, post, startGateway } from "./harness.mjs";

const THIRD_KEY = "third-key-for-tests-0123456789";
const requests = async (world) => (await world.mock.stats()).requests;
const ask = (world, key, body = chat("mock"), more = {}) => post(world, "/v1/chat/completions", body, { headers: { "idempotency-key": key }, ...more });
const settled = async (world, key, body, more) => eventually(async () => {
  const answer = await ask(world, key, body, more);
  if (answer.status !== 409 || (await answer.clone().json()).error.code !== "idempotency_in_progress") return answer;
}, "the first is done");

const tests = {
  async "the first answer comes again, and the provider is not called"(world) {
    const before = await requests(world);
    const first = await ask(world, "a-1");
    const text = await first.text();
    assert.equal(first.status, 200);
    assert.equal(first.headers.get("idempotent-replayed"), null);
    const again = await ask(world, "a-1");
    assert.equal(again.status, 200);
    assert.equal(again.headers.get("idempotent-replayed"), "true");
    assert.match(again.headers.get("content-type"), /^application\/json/);
    assert.notEqual(again.headers.get("x-request-id"), first.headers.get("x-request-id"));
    assert.equal(await again.text(), text);
    assert.equal(await requests(world), before + 1);
    const headers = { authorization: `Bearer ${MASTER_KEY}` };
    const receipt = await eventually(async () => {
      const answer = await fetch(`${world.base}/admin/receipts/${again.headers.get("x-request-id")}`, { headers });
      return answer.ok && answer.json();
    }, "its receipt");
    assert.deepEqual([receipt.status, receipt.cost.total_usd], [200, 0]);
  },

  async "a stream comes again as it was"(world) {
    const body = chat("mock", { stream: true });
    const first = await (await ask(world, "s-1", body)).text();
    const before = await requests(world);
    const again = await ask(world, "s-1", body);
    assert.match(again.headers.get("content-type"), /^text\/event-stream/);
    assert.equal(await again.text(), first);
    assert.match(first, /data: \[DONE\]\n\n$/);
    assert.equal(await requests(world), before);
  },

  async "another request with the key is a conflict, another key or caller is not"(world) {
    await (await ask(world, "c-1")).text();
    const other = await ask(world, "c-1", chat("mock", { temperature: 1 }));
    assert.equal(other.status, 409);
    assert.equal((await other.json()).error.code, "idempotency_conflict");
    const before = await requests(world);
    assert.equal((await ask(world, "c-2")).status, 200);
    assert.equal((await ask(world, "c-1", chat("mock", { temperature: 1 }), { key: THIRD_KEY })).status, 200);
    assert.equal(await requests(world), before + 2);
    for (const bad of ["", "x".repeat(256)]) assert.equal((await ask(world, bad)).status, 400);
  },

  async "of many at once one is made"(world) {
    const before = await requests(world);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(world, "m-1", chat("mock-slow-150"))));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))].sort(), [200, 409]);
    assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
    const refused = answers.find((answer) => answer.status === 409);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal((await settled(world, "m-1", chat("mock-slow-150"))).status, 200);
    assert.equal(await requests(world), before + 1);
  },

  async "an error, or a client that leaves, frees the key"(world) {
    const failed = await ask(world, "e-1", chat("mock-status-400"));
    assert.equal(failed.status, 400);
    await failed.text();
    const before = await requests(world);
    assert.equal((await settled(world, "e-1", chat("mock"))).status, 200);
    const controller = new AbortController();
    const gone = ask(world, "e-2", chat("mock-slow-150"), { signal: controller.signal }).catch(() => null);
    await eventually(async () => (await requests(world)) >= before + 2, "the provider has it");
    controller.abort();
    await gone;
    assert.equal((await settled(world, "e-2", chat("mock"))).status, 200);
  },

  async "it holds over the gateway's death, which frees what was under way"(world) {
    const text = await (await ask(world, "k-1")).text();
    const dying = ask(world, "k-2", chat("mock-stall-head")).catch(() => null);
    const before = await requests(world);
    await eventually(async () => (await ask(world, "k-2", chat("mock-stall-head"))).status === 409, "it is claimed");
    await world.gateway.kill();
    await dying;
    Object.assign(world.gateway, await startGateway(world.build, { dataDir: world.dataDir, config: fs.readFileSync(world.gateway.file, "utf8") }));
    assert.equal(await (await ask(world, "k-1")).text(), text);
    assert.equal((await ask(world, "k-2", chat("mock"))).status, 200);
    assert.ok((await requests(world)) >= before);
  },

  async "other APIs have it as well"(world) {
    for (const [path, body] of [["/v1/embeddings", { model: "mock", input: "One." }], ["/v1/responses", { model: "mock", input: "One." }],
      ["/v1/messages", { model: "mock", max_tokens: 5, messages: [{ role: "user", content: "One." }] }]]) {
      const first = await (await post(world, path, body, { headers: { "idempotency-key": `p-${path}` } })).text();
      const before = await requests(world);
      assert.equal(await (await post(world, path, body, { headers: { "idempotency-key": `p-${path}` } })).text(), first);
      assert.equal(await requests(world), before);
    }
    assert.equal((await ask(world, "p-/v1/embeddings")).status, 409);
  },
};

export const suites = [{ name: "idempotency", open: (build) => openWorld(build, { extra: `  - { name: third, secret: ${THIRD_KEY} }\n` }), tests }];
