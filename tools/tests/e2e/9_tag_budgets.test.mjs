// Budgets of tags: of keys that carry them, of requests that say them, over shards, restarts, alerts and the admin API.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import {
  KEY, MASTER_KEY, chat, configuration, eventually, freePort, openWorld, post, run, startGateway, startMock, temporaryFolder,
} from "./harness.mjs";

const admin = { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" };

const call = async (world, key, tags, more = {}) => {
  const headers = tags ? { "x-gateway-tags": tags } : {};
  const answer = await post(world, "/v1/chat/completions", chat("test/dear", { max_tokens: 5, ...more }), { key, headers });
  const text = await answer.text();
  return {
    status: answer.status, text, error: answer.status === 200 ? null : JSON.parse(text).error,
    cost: Math.round(Number(answer.headers.get("x-gateway-cost-usd")) * 1e9),
  };
};

const spendOf = async (world, name) => {
  const { data } = await (await fetch(`${world.base}/admin/spend?by=tag`, { headers: admin })).json();
  return data.filter((row) => JSON.stringify(row).includes(name)).reduce((sum, row) => sum + Math.round(Number(row.spend_usd) * 1e9), 0);
};

async function spendAll(world, key, tags, atOnce = 1) {
  let spent = 0, calls = 0, refused = null;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (!refused) {
      const answer = await call(world, key, tags);
      if (answer.status !== 200) {
        assert.equal(answer.status, 402, answer.text);
        refused = answer;
        return;
      }
      spent += answer.cost;
      calls++;
    }
  }));
  return { spent, calls, refused };
}

const models = `  - { id: test/dear, provider: mock, upstream_model: mock, price: { input: 10, output: 20 } }\n`;
const keys = `  - { name: searcher, secret: searcher-key, tags: { team: search } }
  - { name: other, secret: other-key, workspace: other, tags: { team: search } }
`;
const workspaces = (more = "") => `workspaces:
  - id: default
    tag_budgets:
      - { tag: team=search, budget: { monthly_usd: 0.01 } }
      - { tag: "job=nightly", budget: { daily_usd: 0.004 } }
      - { tag: "one=call", budget: { per_request_usd: 0.0001 } }
${more}  - { id: other }
`;

const tests = {
  async "a request's tag: held against its budget from any key, and nobody else is"(world) {
    const { spent, calls, refused } = await spendAll(world, KEY, "job=nightly, x=y");
    assert.ok(calls > 0 && spent <= 0.004e9, `${spent}`);
    assert.equal(refused.error.type, "budget_exceeded");
    assert.equal(refused.error.kind, "daily");
    assert.match(refused.error.message, /daily budget of the tag job=nightly has no room/);
    assert.equal((await call(world, KEY, "job=daily")).status, 200);
    assert.equal((await call(world, KEY, null)).status, 200);
    assert.equal((await call(world, "searcher-key", "job=nightly")).status, 402);
    assert.equal(await spendOf(world, "nightly"), spent);
  },

  async "a tag that is too dear for one request"(world) {
    const refused = await call(world, KEY, "one=call");
    assert.deepEqual([refused.status, refused.error.kind], [402, "per_request"]);
    assert.match(refused.error.message, /one request of the tag/);
  },

  async "a key's tag and a request's are one budget, exact with many at once"(world) {
    const first = await call(world, KEY, "team=search");
    assert.equal(first.status, 200);
    const [a, b] = await Promise.all([spendAll(world, "searcher-key", null, 24), spendAll(world, KEY, "team=search", 24)]);
    const rest = await spendAll(world, KEY, "team=search"); // what was reserved by those that ran together is free again
    const spent = first.cost + a.spent + b.spent + rest.spent;
    assert.ok(spent <= 0.01e9 && spent > 0.0085e9, `${spent}`);
    assert.match(rest.refused.error.message, /monthly budget of the tag team=search/);
    assert.equal(await spendOf(world, "search"), spent);
    assert.equal((await call(world, "other-key", null)).status, 200, "another workspace's tag is another one");
  },

  async "the admin API takes and shows them, and names what is wrong"(world) {
    const ask = (method, target, body) => fetch(`${world.base}${target}`, { method, headers: admin, body: JSON.stringify(body) });
    const budget = (monthly_usd) => ({ monthly_usd });
    assert.equal((await ask("POST", "/admin/workspaces", { id: "made", tag_budgets: [{ tag: "a=b", budget: budget(0.003) }] })).status, 201);
    const { secret, key } = await (await ask("POST", "/admin/keys", { name: "in", workspace: "made" })).json();
    const { refused } = await spendAll(world, secret ?? key, "a=b");
    assert.match(refused.error.message, /the tag a=b/);
    const patched = await ask("PATCH", "/admin/workspaces/made", { tag_budgets: [{ tag: "a=b", budget: budget(0.03) }, { tag: "c=d", budget: budget(1) }] });
    assert.equal(patched.status, 200);
    const shown = await patched.json();
    assert.deepEqual(shown.tag_budgets.map((one) => [one.tag, one.budget.monthly_usd]), [["a=b", 0.03], ["c=d", 1]]);
    assert.equal((await call(world, secret ?? key, "a=b")).status, 200);
    for (const [tag_budgets, param] of [
      [[{ tag: "nothing" }], "tag_budgets.tag"], [[{ tag: "=b" }], "tag_budgets.tag"], [[{ tag: "a=b,c=d" }], "tag_budgets.tag"],
      [[{ budget: budget(1) }], "tag_budgets"], [[{ tag: "a=b", budget: budget(-1) }], "tag_budgets.budget.monthly_usd"],
      [Array(9).fill({ tag: "a=b" }), "tag_budgets"], [{}, "tag_budgets"],
    ]) {
      const answer = await ask("PATCH", "/admin/workspaces/made", { tag_budgets });
      const { error } = await answer.json();
      assert.equal(answer.status, 400, JSON.stringify([tag_budgets, error]));
      assert.ok(error.param.replace(/\[\d+\]|\.\d+/g, "") === param, JSON.stringify([tag_budgets, error]));
    }
  },
};

const restarting = {
  name: "tag budgets: restart and alerts",
  async open(build) {
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort(), alerts = [];
    const hook = http.createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part));
      request.on("end", () => {
        alerts.push(JSON.parse(Buffer.concat(parts)));
        response.end();
      });
    });
    await new Promise((resolve) => hook.listen(0, "127.0.0.1", resolve));
    const alert = `    alerts: { threshold_percent: 50, webhook_url: "http://127.0.0.1:${hook.address().port}/hook" }\n`;
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2, extraModels: models, extra: keys + workspaces(alert),
    });
    return {
      build, dataDir, alerts, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }),
      close: async () => {
        await mock.stop();
        await new Promise((resolve) => hook.close(resolve));
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    };
  },
  tests: {
    async "what a tag has spent is the sum of its receipts, also after SIGKILL; its alerts come once"(world) {
      let gateway = await world.start();
      const before = [await call(world, "searcher-key", null), await call(world, KEY, "team=search")];
      assert.deepEqual(before.map(({ status }) => status), [200, 200]);
      await gateway.kill();
      gateway = await world.start();
      const { spent, refused } = await spendAll(world, KEY, "team=search");
      assert.ok(refused && before[0].cost + before[1].cost + spent <= 0.01e9);
      assert.equal(await spendOf(world, "search"), before[0].cost + before[1].cost + spent);
      await eventually(() => world.alerts.length >= 2, "both were told");
      assert.deepEqual(world.alerts.map(({ type, scope, scope_id, window }) => [type, scope, scope_id, window]).sort(), [
        ["budget.exceeded", "tag", "team=search", "monthly"], ["budget.threshold", "tag", "team=search", "monthly"]]);
      await gateway.stop();
    },

    async "check says what is wrong, where, and what was expected"(world) {
      const file = path.join(world.dataDir, "wrong.yaml");
      fs.writeFileSync(file, `admin: { master_key: 0123456789abcdef }
workspaces:
  - id: default
    tag_budgets: [{ tag: nothing }]
`);
      const { code, stdout, stderr } = await run(`${world.build}/tollgate`, ["check", "-c", file]);
      assert.equal(code, 1);
      assert.match(stdout + stderr, /wrong\.yaml:4:26: tag: "?nothing"? will not do \(expected name=value, as in X-Gateway-Tags/);
    },
  },
};

export const suites = [
  ...[1, 3].map((shards) => (
    { name: `tag budgets, ${shards} shards`, open: (build) => openWorld(build, { shards, extraModels: models, extra: keys + workspaces() }), tests })),
  restarting,
];
