// Free allowances: so many tokens of a hosted model a month and workspace before the balance pays, exact over shards and SIGKILL.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { MASTER_KEY, chat, configuration, eventually, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" } };
const nusd = (usd) => Math.round(usd * 1e9);
const FREE = 1500, STREAM_FREE = 600;

async function call(world, model, more = {}, key = "tenant") {
  const answer = await post(world, "/v1/chat/completions", chat(model, { max_tokens: 10, ...more }), { key: `${key}-key` });
  return { status: answer.status, text: await answer.text(), cost: nusd(answer.headers.get("x-gateway-cost-usd")), id: answer.headers.get("x-request-id") };
}
const balance = async (world, workspace = "tenant") => (await fetch(`${world.base}/admin/workspaces/${workspace}/balance`, admin)).json();
const allowance = async (world, model, workspace) => (await balance(world, workspace)).free_allowances.find((one) => one.model === model);
const deposit = async (world, amount_usd) => assert.equal((await fetch(`${world.base}/admin/workspaces/tenant/deposits`,
  { method: "POST", ...admin, body: JSON.stringify({ amount_usd }) })).status, 200);

async function receipts(world) {
  const kept = [];
  let cursor = "";
  do {
    const page = await (await fetch(`${world.base}/admin/receipts?limit=1000${cursor}`, admin)).json();
    kept.push(...page.data);
    cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
  } while (cursor);
  return kept.filter(({ status }) => status === 200);
}
const drawn = (list, model, workspace = "tenant") => list.filter((one) => one.execution.model === model && one.workspace === workspace)
  .reduce((sum, { cost }) => sum + cost.free_allowance_used_tokens, 0);

const suite = {
  name: "free allowances",
  async open(build) {
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const price = "price: { input: 1, output: 10 }";
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extraModels: `  - { id: own/free, provider: mock, upstream_model: mock, hosted: true, free_tokens_per_month: ${FREE}, ${price} }
  - { id: own/slow, provider: mock, upstream_model: mock-slow-150, hosted: true, free_tokens_per_month: ${FREE}, ${price} }
  - { id: own/streamed, provider: mock, upstream_model: mock-events-300, hosted: true, free_tokens_per_month: ${STREAM_FREE}, ${price} }
`,
      extra: `  - { name: tenant, secret: tenant-key, workspace: tenant }
  - { name: mate, secret: mate-key, workspace: tenant, budget: { monthly_usd: 1 } }
  - { name: other, secret: other-key, workspace: other }
workspaces: [{ id: tenant, platform_fee_percent: 10, budget: { reserve_output_tokens: 100 } }, { id: other }]
`,
    });
    const world = { build, mock, dataDir, config, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }) };
    world.gateway = await world.start();
    return Object.assign(world, {
      close: async () => {
        await world.gateway.stop();
        await mock.stop();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    });
  },
  tests: {
    async "without a balance there is the allowance, and the receipt says what it covered"(world) {
      const answer = await call(world, "own/free");
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.cost, 0);
      const { usage } = JSON.parse(answer.text);
      const receipt = await (await fetch(`${world.base}/admin/receipts/${answer.id}`, admin)).json();
      assert.equal(receipt.cost.free_allowance_used_tokens, usage.total_tokens);
      assert.equal(receipt.cost.total_usd, 0);
      const own = await (await fetch(`${world.base}/v1/balance`, { headers: { authorization: "Bearer tenant-key" } })).json();
      assert.deepEqual(own.free_allowances.find(({ model }) => model === "own/free"),
        { model: "own/free", tokens_per_month: FREE, used_tokens: usage.total_tokens, left_tokens: FREE - usage.total_tokens });
      assert.deepEqual([own.balance_usd, own.used_usd], [0, 0]);
    },

    async "each workspace and model has its own"(world) {
      assert.equal((await call(world, "pr/free", {}, "other")).status, 200);
      assert.ok((await allowance(world, "own/free", "other")).used_tokens > 0);
      assert.equal((await allowance(world, "own/slow")).used_tokens, 0);
    },

    async "a stream draws on as it goes, then the balance has to pay"(world) {
      const cut = await call(world, "own/streamed", { max_tokens: undefined, stream: true });
      assert.match(cut.text, /"finish_reason":"length"/);
      const receipt = await (await fetch(`${world.base}/admin/receipts/${cut.id}`, admin)).json();
      assert.equal(receipt.cost.total_usd, 0);
      assert.ok(receipt.cost.free_allowance_used_tokens > 50, JSON.stringify(receipt.cost));
      await deposit(world, 1);
      const paid = await call(world, "own/streamed", { max_tokens: undefined, stream: true });
      assert.match(paid.text.slice(-600), /"finish_reason":"stop"/);
      const { left_tokens } = await allowance(world, "own/streamed");
      assert.ok(left_tokens > 0 && left_tokens < 300, "the next one needs more");
      const last = await call(world, "own/streamed", { max_tokens: undefined, stream: true });
      assert.equal((await allowance(world, "own/streamed")).left_tokens, 0);
      const { cost } = await (await fetch(`${world.base}/admin/receipts/${last.id}`, admin)).json();
      assert.ok(cost.total_usd > 0 && cost.free_allowance_used_tokens > 0, JSON.stringify(cost));
    },

    async "at once, over SIGKILL: all of it and no more, then the balance"(world) {
      let answered = 0, refused = null;
      const racer = async (key) => {
        try {
          for (; answered < 400; answered++) {
            const answer = await call(world, "own/slow", {}, key);
            if (answer.status !== 200) return void (refused = answer.text);
          }
        } catch {
          // the gateway is gone
        }
      };
      let racers = Array.from({ length: 32 }, (_, i) => racer(i % 2 ? "tenant" : "mate"));
      await eventually(() => answered > 40, "some were answered");
      await world.gateway.kill();
      await Promise.all(racers);
      world.gateway = await world.start();
      const after = await allowance(world, "own/slow");
      assert.equal(after.used_tokens, drawn(await receipts(world), "own/slow"));
      assert.ok(after.used_tokens > 0);
      racers = Array.from({ length: 32 }, (_, i) => racer(i % 2 ? "tenant" : "mate"));
      await Promise.all(racers);
      assert.equal(refused, null);
      // Where one holds what is left, others pay: alone a call gets it.
      for (let calls = 0; (await allowance(world, "own/slow")).left_tokens; calls++) {
        assert.ok(calls < FREE);
        assert.equal((await call(world, "own/slow")).status, 200);
      }
      const list = await receipts(world), slow = list.filter((one) => one.execution.model === "own/slow");
      assert.equal(drawn(list, "own/slow"), FREE);
      for (const { cost, execution: { tokens } } of slow) {
        const whole = (tokens.prompt * 1000 + tokens.completion * 10000) * 11 / 10;
        assert.equal(nusd(cost.total_usd), Math.ceil(whole * (tokens.total - cost.free_allowance_used_tokens) / tokens.total));
      }
      const { left_tokens } = await allowance(world, "own/slow");
      assert.equal(left_tokens, 0);
      const used = list.filter((one) => one.execution.model?.startsWith("own/") && one.workspace === "tenant").reduce((sum, { cost }) => sum + nusd(cost.total_usd), 0);
      assert.equal(nusd((await balance(world)).used_usd), used);
    },

    async "offline, all is sound; and check knows the setting"(world) {
      await world.gateway.stop();
      for (const what of ["--receipts", "--ledger"]) {
        const sound = await run(`${world.build}/tollgate`, ["check", what, "-d", path.join(world.dataDir, "data")]);
        assert.equal(sound.code, 0, sound.stdout);
      }
      const file = path.join(world.dataDir, "tollgate.yaml");
      const check = await run(`${world.build}/tollgate`, ["check", "-c", file]);
      assert.equal(check.code, 0, check.stdout + check.stderr);
      assert.doesNotMatch(check.stdout + check.stderr, /free_tokens_per_month/);
      fs.writeFileSync(file, world.config.replace("hosted: true, free", "hosted: false, free"));
      const wrong = await run(`${world.build}/tollgate`, ["check", "-c", file]);
      assert.notEqual(wrong.code, 0);
      assert.match(wrong.stdout + wrong.stderr, /'free_tokens_per_month' is of hosted models alone \(expected hosted: true\)/);
      world.gateway = await world.start();
      assert.equal((await allowance(world, "own/slow")).used_tokens, FREE);
    },
  },
};

export const suites = [suite];
