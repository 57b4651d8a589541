// `auto`: the request's score and bucket, the order of the models that fit, hints, rules, and what the receipt says of all of it.
import assert from "node:assert/strict";
import { MASTER_KEY, PATIENT, eventually, openWorld, post, sse } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

const EASY = "Thanks!";
const HARD = "Design and implement a distributed scheduler in Rust, prove that its invariants hold under a network partition, " +
  "derive the worst-case latency and justify each trade-off of the architecture against two alternatives.";

const model = (name, { input, quality, context = 128000, upstream = "mock", more = "" }) =>
  `  - { id: auto/${name}, provider: mock, upstream_model: ${upstream}, price: { input: ${input}, output: ${input} }, quality: ${quality}, context_window: ${context}${more} }\n`;
const models = model("small", { input: 0.1, quality: 0.5 }) + model("middle", { input: 1, quality: 0.7 }) +
  model("large", { input: 10, quality: 0.9 }) + model("tiny", { input: 0.05, quality: 0.49, context: 16 }) +
  model("blind", { input: 0.01, quality: 0.99, more: ", capabilities: [chat, streaming]" }) +
  "  - { id: auto/unpriced, provider: mock, upstream_model: mock, quality: 0.95, context_window: 128000 }\n";

async function ask(world, content, more = {}) {
  const answer = await post(world, "/v1/chat/completions", { model: "auto", messages: [{ role: "user", content }], tools, ...more });
  const body = await answer.json();
  const [receipt] = (await (await fetch(`${world.base}/admin/receipts?limit=1`, admin)).json()).data;
  assert.equal(receipt.request_id, answer.headers.get("x-request-id"), JSON.stringify(body));
  return {
    status: answer.status, headers: answer.headers, body, error: body.error, receipt, routing: receipt.routing,
    served: receipt.execution?.model, verdicts: receipt.routing.candidates.map(({ model: id, verdict }) => `${id} ${verdict}`),
  };
}

// What auto/blind lacks, so that it is left aside.
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];

const choosing = {
  async "an easy request goes to the cheapest model that is good enough for it"(world) {
    const { status, headers, body, served, routing, verdicts } = await ask(world, EASY);
    assert.equal(status, 200);
    assert.equal(served, "auto/small");
    assert.equal(headers.get("x-gateway-decision"), "auto/small");
    assert.equal(body.model, "auto/small");
    assert.equal(headers.get("x-gateway-route-bucket"), "simple");
    assert.equal(Number(headers.get("x-gateway-route-score")), routing.score);
    assert.ok(routing.score >= 0 && routing.score < 0.5);
    assert.equal(routing.bucket, "simple");
    assert.equal(routing.strategy, "cost_optimized");
    assert.equal(body["x-llm-gateway"].routing_decision, "cost_optimized");
    assert.equal(routing.requested_model, "auto");
    assert.match(routing.reason, /^cheapest of \d+ that fit a simple request/);
    assert.deepEqual([...verdicts].sort(), ["auto/blind no_capability", "auto/large dearer", "auto/middle dearer", "auto/small chosen",
      "auto/tiny too_small_context", "auto/unpriced dearer"]);
  },

  async "a hard one goes to a model of the quality that it needs"(world) {
    const { served, routing, verdicts } = await ask(world, HARD);
    assert.equal(routing.bucket, "complex");
    assert.equal(served, "auto/large");
    assert.ok(verdicts.includes("auto/small below_quality") && verdicts.includes("auto/middle below_quality"));
    assert.match(routing.reason, /more by /);
  },

  async "every dialect has it, whole and streamed"(world) {
    for (const stream of [false, true]) {
      const messages = await post(world, "/v1/messages", { model: "auto", max_tokens: 50, stream, messages: [{ role: "user", content: EASY }] });
      assert.equal(messages.status, 200);
      assert.equal(messages.headers.get("x-gateway-decision"), "auto/blind");
      await messages.text();
      const responses = await post(world, "/v1/responses", { model: "auto", stream, store: false, input: HARD });
      assert.equal(responses.status, 200, await responses.clone().text());
      assert.equal(responses.headers.get("x-gateway-route-bucket"), "complex");
      await responses.text();
    }
    const stream = await post(world, "/v1/chat/completions", { model: "auto", stream: true, messages: [{ role: "user", content: EASY }] });
    assert.ok((await sse(stream)).events.length > 1);
  },

  async "a named model has no score"(world) {
    const { headers, routing } = await ask(world, HARD, { model: "auto/small" });
    assert.equal(headers.get("x-gateway-route-bucket"), "direct");
    assert.equal(headers.get("x-gateway-route-score"), null);
    assert.equal(routing.strategy, "direct");
    assert.equal(routing.score, null);
  },

  async "other APIs know no auto"(world) {
    const answer = await post(world, "/v1/embeddings", { model: "auto", input: "x" });
    assert.equal(answer.status, 404);
  },
};

const hinted = {
  async "priority"(world) {
    const best = await ask(world, EASY, { "x-routing-hints": { priority: "quality" } });
    assert.equal(best.served, "auto/unpriced");
    assert.equal(best.routing.strategy, "quality_optimized");
    assert.ok(best.verdicts.includes("auto/large below_quality"));
    const fastest = await ask(world, EASY, { "x-routing-hints": { priority: "latency" } });
    assert.equal(fastest.routing.strategy, "latency_optimized");
  },

  async "min_quality_score, and no model that has it"(world) {
    assert.equal((await ask(world, EASY, { "x-routing-hints": { min_quality_score: 0.6 } })).served, "auto/middle");
    const { status, error, verdicts } = await ask(world, EASY, { "x-routing-hints": { min_quality_score: 1 } });
    assert.equal(status, 400);
    assert.equal(error.code, "no_model_fits");
    assert.equal(error.param, "x-routing-hints.min_quality_score");
    assert.ok(verdicts.includes("auto/large below_quality"));
  },

  async "bad hints are refused by name"(world) {
    for (const [name, values] of Object.entries({ priority: ["price", 1, [], {}], max_latency_ms: ["1", -1, 1e9, []], min_quality_score: [-0.1, 1.1, "x", {}] }))
      for (const value of values) {
        const answer = await post(world, "/v1/chat/completions", { model: "auto", messages: [{ role: "user", content: EASY }], "x-routing-hints": { [name]: value } });
        const { error } = await answer.json();
        assert.equal(answer.status, 400, `${name}: ${JSON.stringify(value)}`);
        assert.equal(error.param, `x-routing-hints.${name}`);
      }
    assert.equal((await ask(world, EASY, { "x-routing-hints": { priority: null, max_latency_ms: null } })).status, 200);
  },

  async "a prompt that no context holds"(world) {
    const answer = await post(world, "/v1/chat/completions", { model: "auto", messages: [{ role: "user", content: EASY }], max_tokens: 1000000 });
    const { error } = await answer.json();
    assert.equal(answer.status, 400);
    assert.equal(error.code, "context_length_exceeded");
  },
};

const explained = {
  async "a request that is not sent"(world) {
    const [{ id }] = (await (await fetch(`${world.base}/admin/keys`, admin)).json()).data.filter(({ name }) => name === "demo");
    const explain = async (query, body) => {
      const answer = await fetch(`${world.base}/admin/routing/explain?${query}`, {
        method: "POST", headers: { ...admin.headers, "content-type": "application/json" }, body: JSON.stringify(body),
      });
      return { status: answer.status, body: await answer.json() };
    };
    const calls = async () => (await (await fetch(`${world.base}/metrics`)).text()).match(/^tollgate_upstream_attempts_total (\d+)/m)[1];
    const before = await calls();
    const { status, body } = await explain(`key=${id}`, { model: "auto", tools, messages: [{ role: "user", content: HARD }] });
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.bucket, "complex");
    assert.equal(body.reasons.length, 3);
    assert.deepEqual(body.candidates.map((c) => c.model), ["auto/large", "auto/unpriced"]);
    assert.ok(body.left_aside.some(({ model: m, verdict }) => m === "auto/small" && verdict === "below_quality"));
    assert.ok(body.candidates[0].cost_usd > 0 && body.candidates[1].cost_usd === null);
    const named = await explain(`key=${id}&api=messages`, { model: "auto/small", max_tokens: 5, messages: [{ role: "user", content: "x" }] });
    assert.equal(named.body.strategy, "direct");
    assert.match(named.body.candidates[0].deployment, /^mock\//);
    const none = await explain(`key=${id}`, { model: "auto", messages: [{ role: "user", content: "x" }], max_tokens: 1000000 });
    assert.equal(none.status, 200);
    assert.deepEqual(none.body.candidates, []);
    assert.equal(await calls(), before);
    for (const [query, code] of [["", 400], ["key=vk_no", 404], [`key=${id}&api=x`, 400], [`key=${id}&y=1`, 400]])
      assert.equal((await explain(query, {})).status, code, query);
    assert.equal((await explain(`key=${id}`, { model: 5 })).status, 400);
  },
};

const failing = {
  async "the next in order serves when the first fails"(world) {
    const { status, served, receipt, verdicts } = await ask(world, EASY);
    assert.equal(status, 200);
    assert.equal(served, "auto/middle");
    assert.equal(receipt.fallback.used, true);
    assert.ok(verdicts.includes("auto/broken failed") && verdicts.includes("auto/middle chosen"), verdicts.join());
    assert.match(receipt.routing.reason, /^fallback after a failure; cheapest of /);
  },
};

const rules = {
  async "the first rule that matches names the model"(world) {
    const { served, routing } = await ask(world, "x".repeat(40000));
    assert.equal(served, "auto/large");
    assert.equal(routing.strategy, "rule");
    assert.equal(routing.requested_model, "auto");
  },

  async "a rule on the bucket, the schema and the tools"(world) {
    assert.equal((await ask(world, HARD)).served, "auto/middle");
    const response_format = { type: "json_schema", json_schema: { name: "s", schema: { type: "object" } } };
    assert.equal((await ask(world, EASY, { response_format })).served, "auto/large");
    assert.equal((await ask(world, EASY, { tools: undefined })).served, "auto/small");
  },

  async "a rule may give a priority alone, and the request's own is the last word"(world) {
    const ruled = await ask(world, EASY);
    assert.equal(ruled.routing.strategy, "quality_optimized");
    const hinted = await ask(world, EASY, { "x-routing-hints": { priority: "cost" } });
    assert.equal(hinted.routing.strategy, "cost_optimized");
  },

  async "rules do not lift what the key may not use"(world) {
    const { status, error } = await ask(world, EASY, { model: "auto/tiny" });
    assert.equal(status, 403);
    assert.equal(error.code, "model_not_allowed");
  },
};

const PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const conditions = {
  async "has_images"(world) {
    const picture = [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: PIXEL } }];
    assert.equal((await ask(world, picture, { tools: undefined })).served, "auto/large");
  },

  async "region is the node's own: the rule of another region is passed over"(world) {
    assert.equal((await ask(world, EASY)).served, "auto/middle");
  },

  async "monthly_spend_pct follows what is booked, and holds for nobody without a monthly budget"(world) {
    const messages = [{ role: "user", content: EASY }];
    const served = async () => {
      const answer = await post(world, "/v1/chat/completions", { model: "auto", messages, max_tokens: 5 }, { key: "monthly-key" });
      assert.equal(answer.status, 200, await answer.text());
      return answer.headers.get("x-gateway-decision");
    };
    assert.equal(await served(), "auto/middle");
    await eventually(async () => (await served()) === "auto/tiny", "half the budget is spent");
    assert.equal((await ask(world, EASY)).served, "auto/middle");
    const { data } = await (await fetch(`${world.base}/admin/keys`, admin)).json();
    const { id } = data.find(({ name }) => name === "monthly");
    const told = await post(world, `/admin/routing/explain?key=${id}`, { model: "auto", messages }, { key: MASTER_KEY });
    assert.equal((await told.json()).rule, 2);
  },
};

const routing = (more = "") => `routing: { allowed_models: ["auto/*"], ${PATIENT}${more} }\n`;

export const suites = [
  { name: "auto", open: (build) => openWorld(build, { extra: routing(), extraModels: models }), tests: choosing },
  { name: "auto, hints", open: (build) => openWorld(build, { extra: routing(), extraModels: models }), tests: hinted },
  { name: "auto, explained", open: (build) => openWorld(build, { extra: routing(), extraModels: models }), tests: explained },
  {
    name: "auto, failing",
    open: (build) => openWorld(build, {
      extra: routing(),
      extraModels: model("broken", { input: 0.1, quality: 0.6, upstream: "mock-status-500" }) + model("middle", { input: 1, quality: 0.6 }),
    }),
    tests: failing,
  },
  {
    name: "rules",
    open: (build) => openWorld(build, {
      extra: routing(`, rules: [
        { when: { model: auto, input_tokens: { gte: 4000 } }, use: { model: auto/large } },
        { when: { bucket: complex }, use: { model: auto/middle } },
        { when: { has_schema: true }, use: { model: auto/large } },
        { when: { model: auto/tiny }, use: { model: test/mock } },
        { when: { has_tools: false }, use: { model: auto/small } },
        { when: { key_tag: { nobody: has } }, use: { model: auto/tiny } },
        { when: { model: auto, time_of_day: "00:00-23:59" }, use: { priority: quality } },
        { when: { model: auto }, use: { priority: quality } }
      ]`),
      extraModels: models,
    }),
    tests: rules,
  },
  {
    name: "rules, more conditions",
    open: (build) => openWorld(build, {
      extra: `  - { name: monthly, secret: monthly-key, budget: { monthly_usd: 0.001 } }\nregion: eu-west\n` + routing(`, rules: [
        { when: { has_images: true }, use: { model: auto/large } },
        { when: { monthly_spend_pct: { gte: 50 } }, use: { model: auto/tiny } },
        { when: { region: us-east }, use: { model: auto/small } },
        { when: { region: eu-west, time_of_day: "00:00-24:00" }, use: { model: auto/middle } }
      ]`),
      extraModels: models,
    }),
    tests: conditions,
  },
  {
    name: "routing.score_always",
    open: (build) => openWorld(build, { extra: routing(", score_always: true"), extraModels: models }),
    tests: {
      async "scores a request for a named model as well"(world) {
        const { headers, routing: told, served } = await ask(world, HARD, { model: "auto/small" });
        assert.equal(served, "auto/small");
        assert.equal(headers.get("x-gateway-route-bucket"), "complex");
        assert.equal(told.strategy, "direct");
        assert.equal(told.bucket, "complex");
        assert.ok(told.score > 0.5);
      },
    },
  },
];
