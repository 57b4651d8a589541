// Decisions explain themselves: `tollgate explain --receipt`, what it says of each candidate, and the ranking done again.
import assert from "node:assert/strict";
import { MASTER_KEY, PATIENT, openWorld, post, run } from "./harness.mjs";

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

export const suites = [
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
