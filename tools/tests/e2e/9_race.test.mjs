// Races: 64 connections against one key that has a limit of requests, one of tokens and a budget, counted at the provider;
// another of the three is the first to refuse in each round. Sizes are drawn; a failure names its seed (RACE_SEED=N again).
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { MASTER_KEY, chat, configuration, eventually, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const RACERS = 64, SHARDS = 4, WINDOW_MS = 60000, PLENTY = 1000000;
const SEED = Number(process.env.RACE_SEED ?? Date.now() % 1000000);
const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const nusd = (usd) => Math.round(usd * 1e9);

// mulberry32
let state = SEED;
function draw(least, most) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return least + (((t ^ (t >>> 14)) >>> 0) % (most - least + 1));
}

// What a key has of each; one of them is little.
const rounds = [];
for (let n = 0; n < 3; n++)
  for (const bound of ["rpm", "tpm", "budget"]) {
    const calls = draw(40, 400);
    rounds.push({
      bound, calls, key: `race-${n}-${bound}`, output: draw(1, 60), shareOfStreams: draw(0, 2),
      rpm: bound === "rpm" ? calls : PLENTY, tpm: bound === "tpm" ? calls * 60 : PLENTY * 1000, nusd: bound === "budget" ? calls * 20000 : PLENTY * 1e9,
    });
  }
const usd = (amount) => (amount / 1e9).toFixed(9);
const keys = rounds.map((r) =>
  `  - { name: ${r.key}, secret: ${r.key}-key, limits: { rpm: ${r.rpm}, tpm: ${r.tpm} }, budget: { monthly_usd: ${usd(r.nusd)} } }\n`).join("");
const DAY_CALLS = 300, CRASH_NUSD = 3000000;
const crashKeys = `  - { name: survivor, secret: survivor-key, limits: { rpm: ${PLENTY}, tpm: ${PLENTY * 1000} }, budget: { monthly_usd: ${usd(CRASH_NUSD)} } }
  - { name: daily, secret: daily-key, limits: { rpd: ${DAY_CALLS} } }
`;

async function call(world, key, model, more) {
  const sent = performance.now();
  const answer = await post(world, "/v1/chat/completions", chat(model, more), { key: `${key}-key` });
  const text = await answer.text();
  const usage = answer.status === 200 ? JSON.parse(more.stream ? text.match(/^data: (\{.*"usage":\{.*)$/m)[1] : text).usage : null;
  return {
    status: answer.status, text, tokens: usage?.total_tokens, sent, ended: performance.now(), id: answer.headers.get("x-request-id"),
    reason: answer.status === 429 ? answer.headers.get("x-gateway-limit-kind") : answer.status === 402 ? "budget" : null,
  };
}

// Until each has been refused, or the gateway is gone. The answers.
async function racers(world, key, model, body, count = RACERS) {
  const answers = [];
  const one = async () => {
    try {
      for (let last; last?.status === 200 || !last;) answers.push(last = await call(world, key, model, body(answers.length)));
    } catch {
      // the gateway is gone
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  return answers;
}

async function receiptsOf(world, key) {
  const { data } = await (await fetch(`${world.base}/admin/keys`, admin)).json();
  const { id } = data.find(({ name }) => name === key), kept = [];
  let cursor = "";
  do {
    const page = await (await fetch(`${world.base}/admin/receipts?limit=1000&key=${id}${cursor}`, admin)).json();
    kept.push(...page.data);
    cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
  } while (cursor);
  return kept;
}
const total = (receipts) => receipts.reduce((sum, one) => sum + nusd(one.cost.total_usd), 0);
const served = (answers) => answers.filter(({ status }) => status === 200);

async function check(r, world) {
  const before = (await world.mock.stats()).requests;
  const streams = (n) => (n % 3 < r.shareOfStreams ? { stream: true, stream_options: { include_usage: true } } : {});
  const answers = await racers(world, r.key, "test/mock", (n) => ({ max_tokens: r.output, ...streams(n) }));
  for (const one of answers) assert.ok(one.status === 200 || one.reason === r.bound, `${one.status}: ${one.text}`);
  const began = Math.min(...answers.map(({ sent }) => sent));
  const inWindow = () => served(answers).filter(({ ended }) => ended <= began + WINDOW_MS);
  // What others held when they were refused has come back: one after the other uses up the rest.
  const largest = Math.max(...served(answers).map(({ tokens }) => tokens)) + 400;
  const tokens = () => inWindow().reduce((sum, one) => sum + one.tokens, 0);
  const met = { rpm: () => inWindow().length === r.rpm, tpm: () => tokens() > r.tpm - largest, budget: () => true }[r.bound];
  await eventually(async () => {
    answers.push(...await racers(world, r.key, "test/mock", () => ({ max_tokens: r.output }), 1));
    return met();
  }, `${r.bound} is used up: ${inWindow().length} calls, ${tokens()} tokens`, 30000);

  assert.ok(inWindow().length <= r.rpm, `${inWindow().length} calls`);
  assert.ok(tokens() <= r.tpm, `${tokens()} tokens`);
  assert.equal((await world.mock.stats()).requests - before, served(answers).length, "at the provider");
  const receipts = (await receiptsOf(world, r.key)).filter(({ status }) => status === 200);
  assert.equal(receipts.length, served(answers).length);
  assert.ok(total(receipts) <= r.nusd, `${total(receipts)} of ${r.nusd}`);
  const dearest = Math.max(...receipts.map(({ cost }) => nusd(cost.total_usd)));
  if (r.bound === "budget") assert.ok(total(receipts) > r.nusd - dearest - 60000, `${total(receipts)} of ${r.nusd}`);
}

async function open(build, extra) {
  const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
  const config = configuration({ port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: SHARDS, extra });
  const world = { build, mock, dataDir, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }) };
  world.gateway = await world.start();
  return Object.assign(world, {
    close: async () => {
      await world.gateway.stop();
      await mock.stop();
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  });
}

const tests = {};
for (const r of rounds)
  tests[`${r.key}, seed ${SEED}: never more than there is, and all of it`] = (world) => check(r, world);
tests["no reservation is left"] = async (world) => {
  const metrics = await (await fetch(`${world.base}/metrics`)).text();
  assert.match(metrics, /^tollgate_budget_overruns_total 0$/m);
  await world.gateway.stop();
  const sound = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", path.join(world.dataDir, "data")]);
  assert.equal(sound.code, 0, sound.stdout);
  world.gateway = await world.start();
  assert.match(await (await fetch(`${world.base}/metrics`)).text(), /^tollgate_budget_unaccounted_usd\{scope="key"\} 0$/m);
};

const unaccounted = async (world) =>
  nusd((await (await fetch(`${world.base}/metrics`)).text()).match(/^tollgate_budget_unaccounted_usd\{scope="key"\} (\S+)$/m)[1]);

const crash = {
  name: "races over SIGKILL",
  open: (build) => open(build, crashKeys),
  tests: {
    async "a budget holds at the provider, and what was cut off is unaccounted"(world) {
      const body = () => ({ max_tokens: 50 });
      const answers = racers(world, "survivor", "test/mock-slow-150", body);
      await eventually(async () => (await world.mock.stats()).requests > RACERS + 10, "calls are under way");
      await world.gateway.kill();
      await answers;
      world.gateway = await world.start();
      const lost = await unaccounted(world);
      assert.ok(lost > 0, "calls were under way");
      assert.ok(lost < CRASH_NUSD, `${lost}`);
      const refused = (await racers(world, "survivor", "test/mock", body)).find(({ status }) => status !== 200);
      assert.equal(refused.status, 402, refused.text);
      assert.match(refused.text, /are unaccounted, of calls that the gateway's end cut off/);

      const receipts = (await receiptsOf(world, "survivor")).filter(({ status }) => status === 200);
      const each = nusd(receipts[0].cost.total_usd), asked = (await world.mock.stats()).requests;
      assert.ok(receipts.every(({ cost }) => nusd(cost.total_usd) === each));
      assert.ok(asked > receipts.length, `${asked} at the provider, ${receipts.length} receipts`);
      assert.ok(asked * each <= CRASH_NUSD, `${asked} calls of ${each} at the provider`);
      const spent = await (await fetch(`${world.base}/admin/spend?by=key`, admin)).json();
      assert.equal(nusd(spent.total.spend_usd), total(receipts));
      assert.ok(total(receipts) + lost <= CRASH_NUSD);
    },

    async "what is unaccounted stays so over a start that lost nothing"(world) {
      const lost = await unaccounted(world);
      await world.gateway.stop();
      world.gateway = await world.start();
      assert.equal(await unaccounted(world), lost);
    },

    async "a day's limit goes on where it was"(world) {
      const body = () => ({ max_tokens: 1 });
      const answers = racers(world, "daily", "test/mock", body);
      const before = (await world.mock.stats()).requests;
      await eventually(async () => (await world.mock.stats()).requests > before + 50, "calls are under way");
      await world.gateway.kill();
      await answers;
      world.gateway = await world.start();
      const refused = (await racers(world, "daily", "test/mock", body)).find(({ status }) => status !== 200);
      assert.equal(refused.reason, "rpd", refused.text);
      const receipts = (await receiptsOf(world, "daily")).filter(({ status }) => status === 200);
      assert.equal(receipts.length, DAY_CALLS);
    },

    async "offline, the receipts and the ledger are sound"(world) {
      await world.gateway.stop();
      for (const what of ["--receipts", "--ledger"]) {
        const sound = await run(`${world.build}/tollgate`, ["check", what, "-d", path.join(world.dataDir, "data")]);
        assert.equal(sound.code, 0, sound.stdout);
      }
      world.gateway = await world.start();
    },
  },
};

export const suites = [{ name: "races", open: (build) => open(build, keys), tests }, crash];
