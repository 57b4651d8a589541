// routing.shadow_percent: a better model is asked too, after the answer; what both say is compared, and what it costs is told apart.
import assert from "node:assert/strict";
import { MASTER_KEY, PATIENT, eventually, openWorld, post, sse } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const EASY = "Thanks!";
const HARD = "Design and implement a distributed scheduler in Rust, prove that its invariants hold under a network partition, " +
  "derive the worst-case latency and justify each trade-off of the architecture against two alternatives.";

const model = (name, { price, quality, upstream = "mock" }) =>
  `  - { id: auto/${name}, provider: mock, upstream_model: ${upstream}, price: { input: ${price}, output: ${price} }, quality: ${quality}, context_window: 128000 }\n`;

const get = async (world, path) => (await fetch(`${world.base}${path}`, admin)).json();
const told = (world) => get(world, "/admin/routing/shadow");

async function ask(world, content, { wanted = "auto", key, path = "/v1/chat/completions", ...more } = {}) {
  const answer = await post(world, path, { model: wanted, max_tokens: 8, messages: [{ role: "user", content }], ...more }, { key });
  if (more.stream) await sse(answer);
  return { status: answer.status, id: answer.headers.get("x-request-id"), served: answer.headers.get("x-gateway-decision"),
    body: more.stream ? null : await answer.json() };
}

// One shadow has to come of this call; those of earlier ones are waited for before.
async function compared(world, count) {
  await eventually(async () => { const now = await told(world); return now.compared + now.failed >= count; }, "the better model answered");
  const now = await told(world);
  assert.equal(now.compared + now.failed, count, JSON.stringify(now));
  return now;
}

const shadows = {
  async "a simple request's answer is compared, with a receipt and a tag of its own"(world) {
    assert.deepEqual(await told(world), { shadow_percent: 100, compared: 0, agreed: 0, agreement: null, failed: 0, left_out: 0 });
    const { status, served, id } = await ask(world, EASY);
    assert.deepEqual([status, served], [200, "auto/small"]);
    const now = await compared(world, 1);
    assert.deepEqual([now.agreed, now.agreement], [1, 1]);
    const [shadow, first] = (await get(world, "/admin/receipts?limit=2")).data;
    assert.equal(first.request_id, id);
    assert.deepEqual(first.tags, {});
    assert.equal(shadow.routing.strategy, "shadow");
    assert.equal(shadow.routing.winner, "auto/large");
    assert.equal(shadow.routing.reason, `the better model, for comparison with ${id}`);
    assert.deepEqual(shadow.tags, { shadow: "true" });
    assert.equal(shadow.status, 200);
    assert.equal(shadow.key_id, first.key_id);
    const [row] = (await get(world, "/admin/spend?by=tag")).data;
    assert.deepEqual([row.tag, row.requests, row.spend_usd], ["shadow", 1, shadow.cost.total_usd]);
  },

  async "messages as well; streams, hard requests and named models are not"(world) {
    const { compared: before } = await told(world);
    await ask(world, EASY, { stream: true });
    await ask(world, HARD);
    await ask(world, EASY, { wanted: "auto/small" });
    assert.equal((await ask(world, EASY, { path: "/v1/messages" })).status, 200);
    await compared(world, before + 1);
    const [shadow] = (await get(world, "/admin/receipts?limit=1")).data;
    assert.deepEqual([shadow.api, shadow.routing.strategy], ["messages", "shadow"]);
  },

  async "never above a budget"(world) {
    const { compared: before } = await told(world);
    assert.equal((await ask(world, EASY, { key: "poor-key" })).status, 200);
    const now = await compared(world, before + 1);
    assert.equal(now.failed, 1);
    const [shadow] = (await get(world, "/admin/receipts?limit=1")).data;
    assert.deepEqual([shadow.status, shadow.cost.total_usd, shadow.tags.shadow], [402, 0, "true"]);
  },

  async "no client is counted, and metrics tell the sums"(world) {
    const text = await (await fetch(`${world.base}/metrics`)).text();
    const value = (name) => Number(text.match(new RegExp(`^tollgate_${name} (\\d+)`, "m"))[1]);
    assert.equal(value("shadows_compared_total"), 2);
    assert.equal(value("shadow_agreement_permille_total"), 2000);
    assert.equal(value("shadows_failed_total"), 1);
  },
};

export const suites = [
  {
    name: "shadow",
    open: (build) => openWorld(build, {
      extra: `  - { name: poor, secret: poor-key, budget: { monthly_usd: 0.0005 } }
routing: { allowed_models: ["auto/*"], shadow_percent: 100, ${PATIENT} }
`,
      extraModels: model("small", { price: 0.1, quality: 0.5 }) + model("large", { price: 10, quality: 0.9 }),
    }),
    tests: shadows,
  },
  {
    name: "shadow, another answer",
    open: (build) => openWorld(build, {
      extra: `routing: { allowed_models: ["auto/*"], shadow_percent: 100, ${PATIENT} }\n`,
      extraModels: model("small", { price: 0.1, quality: 0.5 }) + model("large", { price: 10, quality: 0.9, upstream: "mock-large-300" }),
    }),
    tests: {
      async "is compared, and changes nothing for the client"(world) {
        const alone = await ask(world, EASY, { wanted: "auto/small" });
        const { body } = await ask(world, EASY);
        assert.equal(body.choices[0].message.content, alone.body.choices[0].message.content);
        const { agreed, agreement } = await compared(world, 1);
        assert.equal(agreed, 0);
        assert.ok(agreement < 0.8, agreement);
      },
    },
  },
  {
    name: "shadow, failing",
    open: (build) => openWorld(build, {
      extra: `routing: { allowed_models: ["auto/*"], shadow_percent: 100, ${PATIENT} }\n`,
      extraModels: model("small", { price: 0.1, quality: 0.5 }) + model("large", { price: 10, quality: 0.9, upstream: "mock-status-500" }),
    }),
    tests: {
      async "a better model that fails is counted, and asked nothing in its place"(world) {
        assert.equal((await ask(world, EASY)).status, 200);
        assert.equal((await compared(world, 1)).failed, 1);
        const [shadow] = (await get(world, "/admin/receipts?limit=1")).data;
        assert.ok(shadow.status >= 500);
        assert.deepEqual(shadow.routing.candidates, [{ model: "auto/large", verdict: "failed" }]);
      },
    },
  },
];
