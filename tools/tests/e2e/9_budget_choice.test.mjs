// What a budget leaves room for: a candidate that is too dear is left aside for one that fits, before the first call and after a failure.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, chat, openWorld, post } from "./harness.mjs";

const admin = { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" };

const call = async (world, key, model, more = {}) => {
  const answer = await post(world, "/v1/chat/completions", chat(model, { max_tokens: 5, ...more }), { key });
  const text = await answer.text();
  const id = answer.headers.get("x-request-id");
  const receipt = async () => (await fetch(`${world.base}/admin/receipts/${id}`, { headers: admin })).json();
  return {
    status: answer.status, text, error: answer.status === 200 ? null : JSON.parse(text).error, receipt,
    model: answer.headers.get("x-gateway-decision"), cost: Number(answer.headers.get("x-gateway-cost-usd")),
  };
};

const verdicts = async (answer) => (await answer.receipt()).routing.candidates.map(({ model, verdict }) => `${model} ${verdict}`);

const tests = {
  async "a direct model that does not fit stays 402; with a cheaper fallback that fits, that serves"(world) {
    const direct = await call(world, "little-key", "test/dear");
    assert.equal(direct.status, 402, direct.text);
    assert.equal(direct.error.kind, "monthly");
    assert.match(direct.error.message, /may cost up to 0\.00\d+ USD: of 0\.0005 USD/);
    const answer = await call(world, "little-key", "test/dear-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/mock"], answer.text);
    assert.deepEqual(await verdicts(answer), ["test/dear-first over_budget", "test/mock chosen"]);
    const streamed = await post(world, "/v1/chat/completions", chat("test/dear-first", { max_tokens: 5, stream: true }), { key: "little-key" });
    assert.match(await streamed.text(), /data: \[DONE\]/);
    assert.equal(streamed.headers.get("x-gateway-decision"), "test/mock");
  },

  async "who has the money gets what was asked for"(world) {
    const answer = await call(world, "rich-key", "test/dear-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/dear-first"]);
  },

  async "after a failure: one that is too dear is left aside, one that fits is reserved for and tried"(world) {
    const answer = await call(world, "little-key", "test/broken-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/mock"], answer.text);
    assert.deepEqual(await verdicts(answer), ["test/broken-first failed", "test/dear over_budget", "test/mock chosen"]);
    const rich = await call(world, "rich-key", "test/broken-first");
    assert.deepEqual([rich.status, rich.model], [200, "test/dear"], rich.text);
    const none = await call(world, "little-key", "test/broken-dear");
    assert.equal(none.status, 502, none.text);
    assert.deepEqual(await verdicts(none), ["test/broken-dear failed", "test/dear over_budget"]);
  },

  async "without a price: left aside for one that has one"(world) {
    const answer = await call(world, "little-key", "test/unpriced-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/mock"], answer.text);
    assert.deepEqual(await verdicts(answer), ["test/unpriced-first price_unknown", "test/mock chosen"]);
  },

  async "too dear for one request: left aside likewise"(world) {
    const answer = await call(world, "careful-key", "test/dear-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/mock"], answer.text);
    assert.equal((await call(world, "careful-key", "test/dear")).status, 402);
  },

  async "no balance: a hosted model is left aside, first and after a failure"(world) {
    const answer = await call(world, KEY, "test/hosted-first");
    assert.deepEqual([answer.status, answer.model], [200, "test/mock"], answer.text);
    assert.deepEqual(await verdicts(answer), ["test/hosted-first over_budget", "test/mock chosen"]);
    const failed = await call(world, KEY, "test/broken-hosted");
    assert.equal(failed.status, 502, failed.text);
    assert.deepEqual(await verdicts(failed), ["test/broken-hosted failed", "test/hosted-first over_budget"]);
    assert.equal((await call(world, KEY, "test/hosted")).status, 402);
    const deposit = { amount_usd: 0.005, reference: "one" };
    await fetch(`${world.base}/admin/workspaces/default/deposits`, { method: "POST", headers: admin, body: JSON.stringify(deposit) });
    assert.equal((await call(world, KEY, "test/hosted-first")).model, "test/hosted-first");
    const rescued = await call(world, KEY, "test/broken-hosted");
    assert.equal(rescued.model, "test/hosted-first", "the balance is reserved after the failure");
    const { balance_usd } = await (await fetch(`${world.base}/admin/workspaces/default/balance`, { headers: admin })).json();
    assert.ok(Math.abs(balance_usd - 0.005 + 2 * rescued.cost) < 1e-9, `${balance_usd}, ${rescued.cost}`);
    for (let i = 0; i < 20; i++) assert.equal((await call(world, KEY, "test/broken-hosted")).status === 200, true, "nothing stays reserved");
  },

  async "many at once: dear while there is room for it, then cheap, never more than the budget"(world) {
    let spent = 0, refused = 0, left = 600;
    const by = new Map();
    await Promise.all(Array.from({ length: 48 }, async () => {
      while (left-- > 0) {
        const answer = await call(world, "racer-key", left % 2 ? "test/dear-first" : "test/broken-first");
        if (answer.status === 200) {
          spent += Math.round(answer.cost * 1e9);
          by.set(answer.model, (by.get(answer.model) ?? 0) + 1);
        } else {
          assert.ok(answer.status === 402 || answer.status === 502, answer.text);
          refused++;
        }
      }
    }));
    assert.ok(spent <= 0.01e9, `${spent}`);
    assert.ok(by.get("test/mock") > 0 && by.get("test/dear-first") + by.get("test/dear") > 0, JSON.stringify([...by]));
    assert.ok(spent > 0.0085e9 || refused === 0, `${spent} of the budget, ${refused} refused`);
    if (spent + 40000 <= 0.01e9) assert.equal((await call(world, "racer-key", "test/mock")).status, 200, "what was reserved is free again");
  },
};

const mock = (id, price, more = "") => `  - { id: test/${id}, provider: mock, upstream_model: mock, price: { ${price} }${more} }\n`;
const broken = (id, fallback) =>
  `  - { id: test/${id}, provider: nowhere, upstream_model: mock, price: { input: 0.15, output: 0.60 }, fallback: [${fallback}] }\n`;
const dear = "input: 10, output: 20";
const options = {
  extraModels: mock("dear", dear) + mock("dear-first", dear, ", fallback: [test/mock]")
    + broken("broken-first", "test/dear, test/mock") + broken("broken-dear", "test/dear")
    + mock("hosted", "input: 1, output: 1", ", hosted: true") + mock("hosted-first", "input: 1, output: 1", ", hosted: true, fallback: [test/mock]")
    + broken("broken-hosted", "test/hosted-first")
    + "  - { id: test/unpriced-first, provider: mock, upstream_model: mock, fallback: [test/mock] }\n",
  extra: `  - { name: little, secret: little-key, budget: { monthly_usd: 0.0005 } }
  - { name: rich, secret: rich-key, budget: { daily_usd: 1000, weekly_usd: 5000 } }
  - { name: careful, secret: careful-key, budget: { per_request_usd: 0.0001 } }
  - { name: racer, secret: racer-key, budget: { daily_usd: 0.01 } }
`,
};

export const suites = [1, 3].map((shards) => (
  { name: `budgets' choice, ${shards} shards`, open: (build) => openWorld(build, { shards, ...options }), tests }));
