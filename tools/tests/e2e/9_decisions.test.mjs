// Decisions explain themselves: `tollgate explain --receipt`, what it says of each candidate, and the ranking done again.
import assert from "node:assert/strict";
import { MASTER_KEY, PATIENT, eventually, openWorld, post, run } from "./harness.mjs";

const model = (name, { input, quality, context = 128000, upstream = "mock" }) =>
  `  - { id: auto/${name}, provider: mock, upstream_model: ${upstream}, price: { input: ${input}, output: ${input} }, quality: ${quality}, context_window: ${context} }\n`;
const models = model("small", { input: 0.1, quality: 0.5 }) + model("middle", { input: 1, quality: 0.7 }) +
  model("large", { input: 10, quality: 0.9 }) + model("tiny", { input: 0.05, quality: 0.49, context: 16 }) +
  model("weak", { input: 0.01, quality: 0.2 }) + model("broken", { input: 0.02, quality: 0.6, upstream: "mock-status-500" });

const EASY = "Thanks!";

async function ask(world, wanted, more = {}) {
  const answer = await post(world, "/v1/chat/completions", { model: wanted, messages: [{ role: "user", content: EASY }], ...more });
  await answer.text();
  return { status: answer.status, id: answer.headers.get("x-request-id"), served: answer.headers.get("x-gateway-decision") };
}

const tollgate = (world, ...args) =>
  run(`${world.build}/tollgate`, ["explain", "--url", world.base, ...args], { TOLLGATE_MASTER_KEY: MASTER_KEY });

async function explain(world, id) {
  const { code, stdout, stderr } = await tollgate(world, "--json", "--receipt", id);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const tests = {
  async "an automatic decision: figures, verdicts, and the same order again"(world) {
    const { id, served } = await ask(world, "auto");
    assert.equal(served, "auto/small");
    const told = await explain(world, id);
    assert.equal(told.request_id, id);
    assert.equal(told.requested_model, "auto");
    assert.equal(told.winner, "auto/small");
    assert.equal(told.priority, "cost");
    assert.equal(told.bucket, "simple");
    assert.equal(told.quality_needed, 0.48);
    assert.equal(told.rule, null);
    assert.match(told.reason, /^fallback after a failure; cheapest of 5 that fit a simple request: /);
    const candidates = Object.fromEntries(told.candidates.map((one) => [one.model, one]));
    assert.equal(candidates["auto/broken"].verdict, "failed");
    assert.equal(candidates["auto/broken"].place, 1);
    assert.equal(candidates["auto/small"].verdict, "chosen");
    assert.equal(candidates["auto/small"].place, 2);
    assert.equal(candidates["auto/middle"].verdict, "dearer");
    assert.ok(candidates["auto/middle"].cost_usd > candidates["auto/small"].cost_usd);
    assert.equal(candidates["auto/weak"].verdict, "below_quality");
    assert.equal(candidates["auto/weak"].place, null);
    assert.equal(candidates["auto/weak"].quality, 0.2);
    assert.equal(candidates["auto/tiny"].verdict, "too_small_context");
    assert.equal(candidates["auto/tiny"].context_window, 16);
    for (const one of told.candidates) assert.ok(one.why, one.verdict);
    assert.deepEqual(told.replay, { order: ["auto/broken", "auto/small", "test/mock", "auto/middle", "auto/large"], agrees: true });
  },

  async "every priority and every hint, again and again, in the same order"(world) {
    for (const priority of ["cost", "latency", "quality"])
      for (const min_quality_score of [0, 0.7, 0.9, 1])
        for (const max_latency_ms of [0, 1, 3600000]) {
          const { id } = await ask(world, "auto", { "x-routing-hints": { priority, min_quality_score, max_latency_ms } });
          const told = await explain(world, id);
          assert.equal(told.priority, priority);
          assert.equal(told.quality_asked, true);
          assert.equal(told.replay.agrees, true, JSON.stringify(told));
          if (min_quality_score === 1) assert.equal(told.winner, null);
        }
  },

  async "a model by name, and one that a rule names"(world) {
    const named = await explain(world, (await ask(world, "auto/large")).id);
    assert.deepEqual([named.winner, named.rule, named.priority, named.replay], ["auto/large", null, null, null]);
    const ruled = await explain(world, (await ask(world, "auto/tiny")).id);
    assert.deepEqual([ruled.winner, ruled.rule, ruled.replay], ["test/mock", 1, null]);
  },

  async "for people"(world) {
    const { id } = await ask(world, "auto");
    const { code, stdout } = await tollgate(world, "--receipt", id);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${id} `));
    assert.match(stdout, /asked for auto, served by auto\/small \(cost_optimized\)/);
    assert.match(stdout, /ranked by cost: quality at least 0\.480, first token within ms 3000, tokens \d+/);
    assert.match(stdout, /^ 2 auto\/small +chosen +0\.500 +0\.0000\d+ /m);
    assert.match(stdout, /its quality is lower/);
    assert.match(stdout, /Ranked again from these figures: the same order\./);
    const named = await tollgate(world, "--receipt", (await ask(world, "auto/large")).id);
    assert.match(named.stdout, /Nothing was ranked/);
  },

  async "what there is not, and a wrong command line"(world) {
    const unknown = await tollgate(world, "--receipt", "req_01J00000000000000000000000");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no receipt of this id/);
    for (const args of [[], ["--receipt", "../keys"], ["--receipt", ""]]) assert.equal((await tollgate(world, ...args)).code, 2);
    const answer = await fetch(`${world.base}/admin/receipts/req_01J00000000000000000000000/explain`);
    assert.equal(answer.status, 401);
  },
};

// ---- every verdict in a receipt ----

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" } };

async function candidates(world, wanted, more = {}, key = undefined) {
  const answer = await post(world, "/v1/chat/completions", { model: wanted, max_tokens: 5, messages: [{ role: "user", content: EASY }], ...more }, { key });
  await answer.text();
  const id = answer.headers.get("x-request-id");
  return (await (await fetch(`${world.base}/admin/receipts/${id}`, admin)).json()).routing.candidates;
}

const hints = (own) => ({ "x-routing-hints": own });
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
const twice = async (world, wanted) => (await candidates(world, wanted), candidates(world, wanted));

// What is asked, and of which model the receipt says what: each model is one row's own, so that none disturbs another.
const verdicts = [
  ["chosen", "test/mock", (world) => candidates(world, "test/mock")],
  ["failed", "v/failing", (world) => candidates(world, "v/failing")],
  ["dearer", "auto/middle", (world) => candidates(world, "auto", hints({ priority: "cost" }), "auto-key")],
  ["slower", "auto/middle", (world) => candidates(world, "auto", hints({ priority: "latency" }), "auto-key")],
  ["below_quality", "auto/weak", (world) => candidates(world, "auto", {}, "auto-key")],
  ["breaker_open", "v/breaking", (world) => twice(world, "v/breaking")],
  ["cooling", "v/cooling", (world) => twice(world, "v/cooling")],
  ["limited", "v/narrow", async (world) => {
    const held = new AbortController();
    const first = post(world, "/v1/chat/completions", { model: "v/narrow", messages: [{ role: "user", content: EASY }] }, { signal: held.signal }).catch(() => {});
    await eventually(async () => (await (await fetch(`${world.base}/admin/deployments`, admin)).json()).data
      .some(({ deployment, in_flight }) => deployment.startsWith("narrow/") && in_flight === 1), "the first call is under way");
    const told = await candidates(world, "v/narrow");
    held.abort();
    await first;
    return told;
  }],
  ["over_budget", "v/dear", (world) => candidates(world, "v/dear", {}, "careful-key")],
  ["price_unknown", "v/unpriced", (world) => candidates(world, "v/unpriced", {}, "careful-key")],
  ["disabled", "v/disabled", async (world) => {
    const body = JSON.stringify({ deployment: "mock/primary/mock-tool" });
    assert.equal((await fetch(`${world.base}/admin/deployments/disable`, { ...admin, method: "POST", body })).status, 200);
    return candidates(world, "v/disabled");
  }],
  ["excluded", "v/narrow", (world) => candidates(world, "v/narrow", hints({ exclude_providers: ["narrow"] }))],
  ["not_allowed", "test/mock", (world) => candidates(world, "v/failing", {}, "narrow-key")],
  ["no_capability", "v/plain", (world) => candidates(world, "v/plain", { tools })],
  ["too_small_context", "auto/tiny", (world) => candidates(world, "auto", {}, "auto-key")],
  ["no_credential", "v/rejected", (world) => twice(world, "v/rejected")],
  ["residency", "v/narrow", (world) => candidates(world, "v/narrow", {}, "resident-key")],
];

const every = {
  ...Object.fromEntries(verdicts.map(([verdict, model, told]) => [verdict, async (world) => {
    const all = await told(world);
    assert.ok(all.some((one) => one.model === model && one.verdict === verdict), JSON.stringify(all));
  }])),

  async "the table has every verdict that there is"() {
    const named = "chosen failed dearer slower below_quality breaker_open cooling limited over_budget price_unknown disabled excluded not_allowed " +
      "no_capability too_small_context no_credential residency";
    assert.deepEqual(verdicts.map(([verdict]) => verdict), named.split(" "));
  },
};

const credential = (name) => `  - name: ${name}
    kind: openai_compatible
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: only, api_key: upstream-secret }]
`;

export const suites = [
  {
    name: "verdicts",
    open: (build) => openWorld(build, {
      extraProviders: credential("cooled") + credential("rejecting") + credential("breaking") + credential("narrow") + "    max_concurrency: 1\n",
      extraModels: models +
        `  - { id: v/failing, provider: mock, upstream_model: mock-status-502, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/breaking, provider: breaking, upstream_model: mock-status-500, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/cooling, provider: cooled, upstream_model: mock-retry-after-7, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/rejected, provider: rejecting, upstream_model: mock-status-401, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/narrow, provider: narrow, upstream_model: mock-stall-head, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/dear, provider: mock, upstream_model: mock, fallback: [v/cheap], price: { input: 1000, output: 1000 } }
  - { id: v/unpriced, provider: mock, upstream_model: mock, fallback: [v/cheap] }
  - { id: v/cheap, provider: mock, upstream_model: mock, price: { input: 0.01, output: 0.01 } }
  - { id: v/disabled, provider: mock, upstream_model: mock-tool, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: v/plain, provider: mock, upstream_model: mock, capabilities: [chat], fallback: [test/mock], price: { input: 1, output: 1 } }
`,
      extra: `  - { name: careful, secret: careful-key, budget: { per_request_usd: 0.001 } }
  - { name: automatic, secret: auto-key, models: ["auto/*"] }
  - { name: narrowed, secret: narrow-key, models: ["v/*"] }
  - { name: resident, secret: resident-key, workspace: resident }
workspaces: [{ id: default }, { id: resident, residency: nowhere-else }]
routing: { breaker: { consecutive_failures: 1, min_requests: 1000000 }, retries: { budget_percent: 100 } }
`,
    }),
    tests: every,
  },
  {
    name: "explain",
    open: (build) => openWorld(build, {
      extra: `routing: { blocked_models: ["test/mock-*", "test/resc*", "test/unpriced", "test/nowhere"], quality_threshold: 0.8, ${PATIENT}, rules: [
        { when: { model: auto/tiny }, use: { model: test/mock } } ] }\n`,
      extraModels: models,
    }),
    tests,
  },
];
