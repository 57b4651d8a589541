// Budgets: what is reserved, refused, capped and cut short for money, exactness over shards, and what a restart brings back.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import {
  KEY, MASTER_KEY, chat, configuration, eventually, freePort, openWorld, post, run, startGateway, startMock, temporaryFolder,
} from "./harness.mjs";

const keys = `  - { name: rich, secret: rich-key, budget: { daily_usd: 1000, weekly_usd: 5000, monthly_usd: 20000 } }
  - { name: poor, secret: poor-key, budget: { monthly_usd: 0.001 } }
  - { name: careful, secret: careful-key, budget: { per_request_usd: 0.0001 } }
  - { name: brief, secret: brief-key, budget: { daily_usd: 1, reserve_output_tokens: 7 } }
  - { name: talker, secret: talker-key, budget: { daily_usd: 0.002, reserve_output_tokens: 300 } }
  - { name: long-talker, secret: long-talker-key, budget: { daily_usd: 1, reserve_output_tokens: 300 } }
  - { name: racer, secret: racer-key, budget: { daily_usd: 0.01 } }
  - { name: leaser, secret: leaser-key, budget: { monthly_usd: 100 }, limits: { rpm: 10000000, tpm: 100000000000 } }
  - { name: mate, secret: mate-key, team: search }
  - { name: other-mate, secret: other-mate-key, team: search }
  - { name: guest, secret: guest-key, workspace: small }
teams:
  - { id: search, budget: { weekly_usd: 0.0005 } }
workspaces:
  - { id: default }
  - { id: small, budget: { daily_usd: 0.0005 }, platform_fee_percent: 10 }
routing: { baseline_model: test/dear, retries: { budget_percent: 100 } }
`;
const extraModels = `  - { id: test/dear, provider: mock, upstream_model: mock, price: { input: 10, output: 20 } }\n`;

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

const call = async (world, key, more = {}, path = "/v1/chat/completions") => {
  const body = path === "/v1/chat/completions" ? chat("test/mock", { max_tokens: 5, ...more }) : more;
  const answer = await post(world, path, body, { key });
  const text = await answer.text();
  return {
    status: answer.status, text, error: answer.status === 200 ? null : JSON.parse(text).error,
    header: (name) => answer.headers.get(name), cost: Number(answer.headers.get("x-gateway-cost-usd")),
    id: answer.headers.get("x-request-id"),
  };
};

const metric = async (world, name) =>
  Number((await (await fetch(`${world.base}/metrics`)).text()).match(new RegExp(`^${name.replace(/[{}]/g, "\\$&")} (\\d+)`, "m"))[1]);

async function receiptsOf(world, keep) {
  const kept = [];
  let cursor = "";
  do {
    const page = await (await fetch(`${world.base}/admin/receipts?limit=1000${cursor}`, admin)).json();
    kept.push(...page.data.filter(keep));
    cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
  } while (cursor);
  return kept;
}

const nusd = (usd) => Math.round(usd * 1e9);
const total = (receipts) => receipts.reduce((sum, one) => sum + nusd(one.cost.total_usd), 0);

function expectOver(answer, window, who) {
  assert.equal(answer.status, 402, answer.text);
  assert.equal(answer.error.type, "budget_exceeded");
  assert.equal(answer.error.code, "budget_exceeded");
  assert.equal(answer.error.kind, window);
  assert.match(answer.error.message, who);
  assert.equal(answer.header("x-should-retry"), "false");
}

// How many of `count` calls, `atOnce` at a time, are admitted; all others have to be refused for the budget.
async function race(world, key, count, atOnce, more = {}) {
  let left = count, admitted = 0, spent = 0;
  const one = async () => {
    while (left-- > 0) {
      const answer = await call(world, key, more);
      if (answer.status === 200) {
        admitted++;
        spent += nusd(answer.cost);
      } else {
        expectOver(answer, "daily", /of this API key/);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return { admitted, spent };
}

const tests = {
  async "what is spent stays within the budget, then 402"(world) {
    let spent = 0, answer;
    for (let calls = 0; (answer = await call(world, "poor-key", { max_tokens: 500 })).status === 200; calls++) {
      spent += nusd(answer.cost);
      assert.ok(calls < 1000);
    }
    expectOver(answer, "monthly", /The monthly budget of this API key has no room for this request, which may cost up to 0\.000\d+ USD: of 0\.001 USD/);
    assert.ok(spent <= 1000000 && spent > 500000, `${spent}`);
    // What costs less at most still fits.
    assert.equal((await call(world, "poor-key", { max_tokens: 5 })).status, 200);
  },

  async "one request's price has a bound of its own"(world) {
    assert.equal((await call(world, "careful-key", { max_tokens: 50 })).status, 200);
    expectOver(await call(world, "careful-key", { max_tokens: 500 }), "per_request", /one request of this API key may cost 0\.0001 USD/);
    const long = await call(world, "careful-key", { max_tokens: 1, messages: [{ role: "user", content: "x".repeat(1000) }] });
    expectOver(long, "per_request", /may cost up to/);
  },

  async "a team's and a workspace's budget hold for their keys together, the fee included"(world) {
    let answer;
    for (let calls = 0; (answer = await call(world, calls % 2 ? "mate-key" : "other-mate-key", { max_tokens: 100 })).status === 200; calls++)
      assert.ok(calls < 100);
    expectOver(answer, "weekly", /The weekly budget of this API key's team/);
    let spent = 0;
    for (let calls = 0; (answer = await call(world, "guest-key", { max_tokens: 100 })).status === 200; calls++) spent += nusd(answer.cost);
    expectOver(answer, "daily", /The daily budget of this workspace/);
    assert.ok(spent <= 500000 && spent > 300000, `${spent}`);
  },

  async "a model without a price is refused to a key with a budget"(world) {
    const answer = await call(world, "rich-key", { model: "test/unpriced" });
    assert.equal(answer.status, 400);
    assert.equal(answer.error.code, "price_unknown");
    assert.equal(answer.error.param, "model");
    assert.equal((await call(world, KEY, { model: "test/unpriced" })).status, 200);
  },

  async "input without a bound is refused to a key with a budget"(world) {
    const messages = [{ role: "user", content: [{ type: "file", file: { file_id: "file-1" } }] }];
    const answer = await call(world, "rich-key", { messages });
    assert.equal(answer.status, 400);
    assert.equal(answer.error.code, "unbounded_input");
    assert.equal(answer.error.param, "file_id");
  },

  async "a unary call without a limit gets one, and keeps its own"(world) {
    const last = async () => JSON.parse(await world.mock.last());
    const answer = await call(world, "brief-key", { max_tokens: undefined });
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await last()).max_tokens, 7);
    await call(world, "brief-key", { max_tokens: null });
    assert.equal((await last()).max_tokens, 7);
    await call(world, "brief-key", { max_tokens: 3 });
    assert.equal((await last()).max_tokens, 3);
    await call(world, KEY, { max_tokens: undefined });
    assert.equal((await last()).max_tokens, undefined);
  },

  async "other APIs are held to the budget as well"(world) {
    const spent = async () => total(await receiptsOf(world, (one) => one.api === "embeddings" && one.status === 200));
    assert.equal((await call(world, "rich-key", { model: "test/mock", input: "hello" }, "/v1/embeddings")).status, 200);
    assert.ok((await spent()) > 0);
    assert.equal((await call(world, "rich-key", { model: "test/mock", prompt: "hello" }, "/v1/completions")).status, 200);
  },

  async "a receipt says what the baseline would have cost more"(world) {
    const { id } = await call(world, KEY);
    const [receipt] = await receiptsOf(world, (one) => one.request_id === id);
    const { prompt, completion, cached } = receipt.execution.tokens;
    assert.equal(cached, 0);
    assert.equal(nusd(receipt.cost.savings_vs_default_usd), prompt * 10000 + completion * 20000 - nusd(receipt.cost.total_usd));
  },

  async "a stream goes on for as long as there is money"(world) {
    const answer = await call(world, "long-talker-key", { model: "test/mock-events-20000", max_tokens: undefined, stream: true });
    assert.ok(answer.text.endsWith("data: [DONE]\n\n"));
    assert.match(answer.text, /"finish_reason":"stop"/);
    assert.equal(answer.text.match(/"content":"[^"]/g).length, 20000);
  },

  async "a stream whose money ends says length, is cancelled, and billed for what was delivered"(world) {
    const started = (await world.mock.stats()).requests;
    const answer = await call(world, "talker-key",
      { model: "test/mock-events-1000-paced-20", max_tokens: undefined, stream: true, stream_options: { include_usage: true } });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.text.endsWith("data: [DONE]\n\n"), answer.text.slice(-500));
    const chunks = answer.text.split("\n\n").filter((one) => one.startsWith("data: {")).map((one) => JSON.parse(one.slice(6)));
    const finished = chunks.filter((one) => one.choices.length && one.choices[0].finish_reason);
    assert.deepEqual(finished.map((one) => one.choices[0].finish_reason), ["length"]);
    assert.ok(chunks.at(-1).usage.completion_tokens > 0, "the usage chunk");
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1, "the gateway's own chunk is of the same answer");
    const [receipt] = await receiptsOf(world, (one) => one.request_id === answer.id);
    assert.equal(receipt.finish_reason, "length");
    assert.equal(receipt.routing.reason, "the budget ended the stream");
    assert.ok(receipt.cost.total_usd > 0 && receipt.cost.total_usd <= 0.002, JSON.stringify(receipt.cost));
    assert.equal((await world.mock.stats()).requests, started + 1);
    assert.equal((await call(world, "talker-key", { max_tokens: 1 })).status, 200, "what was not used is free again");
    const old = await call(world, "talker-key", { model: "test/mock-events-1000-paced-20", prompt: "hello", stream: true }, "/v1/completions");
    assert.equal(new Set([...old.text.matchAll(/"id":("[^"]*")/g)].map(([, id]) => id)).size, 1);
    assert.match(old.text, /"object":"text_completion"[^\n]*"finish_reason":"length"[^\n]*\n\n: x-llm-gateway [^\n]*\n\ndata: \[DONE\]\n\n$/);
  },

  async "many connections at once: never over the budget, and close to it"(world) {
    const before = (await world.mock.stats()).requests;
    const { admitted, spent } = await race(world, "racer-key", 3000, 64, { max_tokens: 100 });
    assert.equal((await world.mock.stats()).requests - before, admitted);
    assert.ok(spent <= 10000000, `${spent}`);
    const each = spent / admitted, worst = 200 * 150 + 100 * 600 + 40 * 150;
    assert.ok(spent > 10000000 - 64 * worst || admitted === 3000, `${spent} of ${admitted} calls, ${each} each`);
    const receipts = await receiptsOf(world, (one) => one.status === 200 && nusd(one.cost.total_usd) === Math.round(each));
    assert.ok(receipts.length >= admitted);
  },

  async "a busy key's calls are admitted from leases, money included"(world) {
    const [letters, leased] = [await metric(world, "tollgate_limit_letters_total"), await metric(world, "tollgate_limit_leased_total")];
    await race(world, "leaser-key", 3000, 48);
    if (world.shards > 1) assert.ok((await metric(world, "tollgate_limit_leased_total")) > leased);
    assert.ok((await metric(world, "tollgate_limit_letters_total")) - letters < 2 * 3000);
  },

  async "refusals are counted by window"(world) {
    for (const window of ["daily", "weekly", "monthly"])
      assert.ok((await metric(world, `tollgate_budget_refusals_total{window="${window}"}`)) > 0, window);
    assert.equal(await metric(world, "tollgate_budget_overruns_total"), 0);
  },
};

const spend = async (world, query) => {
  const answer = await fetch(`${world.base}/admin/spend?${query}`, admin);
  return { status: answer.status, ...(await answer.json()) };
};

// The totals agree with the receipts, by whatever they are asked.
const spending = {
  async "spend by each dimension is the sum of the receipts"(world) {
    for (const key of ["rich-key", "mate-key", "guest-key", KEY]) await call(world, key, { max_tokens: 3 });
    await post(world, "/v1/chat/completions", chat("test/mock"), { headers: { "x-gateway-tags": "feature=search, cost=low" } });
    const receipts = await receiptsOf(world, () => true);
    const names = {
      workspace: (one) => [one.workspace], team: (one) => [one.team], key: (one) => [one.key_id],
      model: (one) => [one.execution.model], provider: (one) => [one.execution.provider], day: (one) => [one.timestamp.slice(0, 10)],
      tag: (one) => Object.entries(one.tags).map((pair) => pair.join("=")),
    };
    for (const [by, namesOf] of Object.entries(names)) {
      const expected = {};
      for (const one of receipts) for (const name of namesOf(one)) if (name) {
        expected[name] ??= { requests: 0, spend: 0 };
        expected[name].requests++;
        expected[name].spend += nusd(one.cost.total_usd);
      }
      const today = new Date().toISOString().slice(0, 10);
      for (const range of ["", `&from=${receipts.at(-1).timestamp.slice(0, 10)}&to=${today}`]) {
        const answer = await spend(world, `by=${by}&limit=1000${range}`);
        const got = Object.fromEntries(answer.data.map((row) =>
          [by === "tag" ? `${row.tag}=${row.value}` : row[by], { requests: row.requests, spend: nusd(row.spend_usd) }]));
        assert.deepEqual(got, expected, `${by}${range}`);
        const sorted = answer.data.map((row) => nusd(row.spend_usd));
        if (by !== "day") assert.deepEqual(sorted, [...sorted].sort((a, b) => b - a));
      }
      assert.deepEqual((await spend(world, `by=${by}&from=2020-01-01&to=2020-12-31`)).data, []);
    }
  },

  async "pages, and what is wrong with a query"(world) {
    const first = await spend(world, "by=key&limit=1");
    assert.equal(first.data.length, 1);
    const second = await spend(world, `by=key&limit=1&cursor=${first.next_cursor}`);
    assert.notEqual(second.data[0].key, first.data[0].key);
    assert.deepEqual(second.total, first.total);
    for (const [query, param] of [["by=color", "by"], ["from=yesterday", "from"], ["limit=0", "limit"], ["what=1", "what"]]) {
      const wrong = await spend(world, query);
      assert.equal(wrong.status, 400, query);
      assert.equal(wrong.error.param, param);
    }
    assert.equal((await fetch(`${world.base}/admin/spend`)).status, 401);
  },

  async "the command prints a table"(world) {
    const args = ["spend", "--url", world.base, "--admin-key", MASTER_KEY];
    const table = await run(`${world.build}/tollgate`, [...args, "--by", "model", "--since", "1d"]);
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^model +requests +prompt tokens +output tokens +USD\ntest\/mock +\d+ +\d+ +\d+ +0\.\d+\n/);
    assert.match(table.stdout, /\ntotal +\d+/);
    const json = JSON.parse((await run(`${world.build}/tollgate`, [...args, "--json"])).stdout);
    assert.equal(json.by, "workspace");
    assert.equal((await run(`${world.build}/tollgate`, [...args, "--by", "color"])).code, 2);
  },
};

const pay = async (world, workspace, what, body) => {
  const answer = await fetch(`${world.base}/admin/workspaces/${workspace}/${what}`,
    { method: "POST", headers: { ...admin.headers, "content-type": "application/json" }, body: JSON.stringify(body) });
  return { status: answer.status, ...(await answer.json()) };
};
const transactions = async (world) =>
  (await (await fetch(`${world.base}/admin/workspaces/tenant/transactions?limit=1000`, admin)).json()).data;

// Hosted models: paid from the workspace's balance, which only what is paid in makes larger.
const ledger = {
  name: "balances",
  async open(build) {
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extraModels: `  - { id: own/hosted, provider: mock, upstream_model: mock, hosted: true, price: { input: 1, output: 10 } }
  - { id: own/streamed, provider: mock, upstream_model: mock-events-1000-paced-20, hosted: true, price: { input: 1, output: 10 } }
`,
      extra: `  - { name: tenant, secret: tenant-key, workspace: tenant }
  - { name: bound, secret: bound-key, workspace: tenant, budget: { daily_usd: 0.001 } }
workspaces: [{ id: tenant, platform_fee_percent: 10 }]
`,
    });
    const world = { build, mock, dataDir, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }) };
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
    async "without a balance a hosted model is refused, and others are not"(world) {
      const refused = await call(world, "tenant-key", { model: "pr/hosted" });
      assert.equal(refused.status, 402, refused.text);
      assert.equal(refused.error.type, "insufficient_balance");
      assert.match(refused.error.message, /of 0 USD paid in/);
      assert.equal((await call(world, "tenant-key")).status, 200);
    },

    async "deposits: durable, in force at once, each reference once"(world) {
      const first = await pay(world, "tenant", "deposits", { amount_usd: 0.02, reference: "inv-1", note: "first" });
      assert.equal(first.status, 200);
      assert.deepEqual([first.id, first.type, first.amount_usd, first.credited_usd], ["txn_1", "deposit", 0.02, 0.02]);
      const again = await pay(world, "tenant", "deposits", { amount_usd: 0.02, reference: "inv-1" });
      assert.deepEqual([again.status, again.id, again.repeated, again.credited_usd], [200, "txn_1", true, 0.02]);
      const refund = await pay(world, "tenant", "refunds", { amount_usd: "0.000000001" });
      assert.deepEqual([refund.status, refund.id, refund.credited_usd], [200, "txn_2", 0.020000001]);
      const { data: [change] } = await (await fetch(`${world.base}/admin/audit?limit=1`, admin)).json();
      assert.match(JSON.stringify(change), /"balance[".].*refund.*"tenant".*txn_2/);
      const answer = await call(world, "tenant-key", { model: "pr/hosted", max_tokens: 10 });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.header("x-gateway-decision"), "own/hosted");
      const balance = await (await fetch(`${world.base}/v1/balance`, { headers: { authorization: "Bearer tenant-key" } })).json();
      assert.equal(nusd(balance.used_usd), nusd(answer.cost));
      assert.equal(nusd(balance.balance_usd), 20000001 - nusd(answer.cost));
    },

    async "what is wrong with a deposit changes nothing"(world) {
      for (const [body, param] of [[{}, "amount_usd"], [{ amount_usd: -1 }, "amount_usd"], [{ amount_usd: "1e3" }, "amount_usd"],
        [{ amount_usd: 0.0000000001 }, "amount_usd"], [{ amount_usd: 1, note: 5 }, "note"], [{ amount_usd: 1, reference: "" }, "reference"],
        [{ amount_usd: 2000000000 }, "amount_usd"]]) {
        const answer = await pay(world, "tenant", "deposits", body);
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.equal(answer.error.param, param);
      }
      assert.equal((await pay(world, "nobody", "deposits", { amount_usd: 1 })).status, 404);
      assert.equal((await fetch(`${world.base}/admin/workspaces/tenant/deposits`, { method: "POST", body: "{}" })).status, 401);
      assert.equal((await transactions(world)).filter((one) => one.type !== "usage").length, 2);
    },

    async "a key's budget holds besides"(world) {
      expectOver(await call(world, "bound-key", { model: "own/hosted", max_tokens: 100 }), "daily", /of this API key/);
      assert.equal((await call(world, "bound-key", { model: "own/hosted", max_tokens: 5 })).status, 200);
    },

    async "a stream ends with length when the balance does"(world) {
      await pay(world, "tenant", "deposits", { amount_usd: 0.01 });
      const answer = await call(world, "tenant-key", { model: "own/streamed", max_tokens: undefined, stream: true });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /"finish_reason":"length"/);
      assert.ok(answer.text.endsWith("data: [DONE]\n\n"));
    },

    async "at once, over SIGKILL: never below nothing, and the sum of its transactions"(world) {
      await pay(world, "tenant", "deposits", { amount_usd: 0.02 });
      let answered = 0;
      const one = async () => {
        try {
          while ((await call(world, "tenant-key", { model: "own/hosted", max_tokens: 20 })).status === 200) answered++;
        } catch {
          // the gateway is gone
        }
      };
      let clients = Array.from({ length: 16 }, one);
      await eventually(() => answered > 10, "some were answered");
      await world.gateway.kill();
      await Promise.all(clients);
      world.gateway = await world.start();
      clients = Array.from({ length: 16 }, one);
      await Promise.all(clients);
      const balance = await (await fetch(`${world.base}/admin/workspaces/tenant/balance`, admin)).json();
      assert.ok(balance.balance_usd >= 0 && balance.balance_usd < 0.001, JSON.stringify(balance));
      const sum = (await transactions(world)).reduce((all, { amount_usd }) => all + nusd(amount_usd), 0);
      assert.equal(sum, nusd(balance.balance_usd));
      const receipts = await receiptsOf(world, (each) => each.execution.model?.startsWith("own/"));
      assert.equal(total(receipts), nusd(balance.used_usd));
    },

    async "check --ledger proves it, offline"(world) {
      await world.gateway.stop();
      const good = await run(`${world.build}/tollgate`, ["check", "--ledger", "-d", path.join(world.dataDir, "data")]);
      assert.equal(good.code, 0, good.stdout);
      assert.match(good.stdout, /workspace tenant: 4 transactions, 50000001 nano-USD credited, \d+ used, balance \d+\n4 transactions of 1 workspaces: sound/);
      world.gateway = await world.start();
    },
  },
};

// What a workspace's webhook is told: near the end, and at it, once in a window, signed, and again until it is taken.
const alerting = {
  name: "budgets' alerts",
  async open(build) {
    const calls = [];
    const answers = [];
    const server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => (body += piece));
      request.on("end", () => {
        calls.push({ url: request.url, method: request.method, signature: request.headers["x-tollgate-signature"], body });
        response.statusCode = answers.shift() ?? 200;
        response.end("ok");
      });
    });
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const extra = `  - { name: watched, secret: watched-key, workspace: watched, budget: { daily_usd: 0.001 } }
  - { name: tenant, secret: tenant-key, workspace: tenant }
workspaces:
  - { id: watched, alerts: { threshold_percent: 50, webhook_url: "http://localhost:${server.address().port}/hook?a=1" } }
  - { id: tenant, auto_reload: { threshold_usd: 0.01, amount_usd: 0.02, webhook_url: "http://127.0.0.1:${server.address().port}/charge" } }
`;
    const extraModels = "  - { id: own/hosted, provider: mock, upstream_model: mock, hosted: true, price: { input: 1, output: 10 } }\n";
    const world = await openWorld(build, { extra, extraModels, shards: 2 });
    return Object.assign({}, world, {
      calls, answers,
      close: async () => {
        await world.close();
        server.close();
      },
    });
  },
  tests: {
    async "at the threshold and at the end, once, signed, and again after a failure"(world) {
      world.answers.push(500);
      let answer;
      while ((answer = await call(world, "watched-key", { max_tokens: 50 })).status === 200);
      assert.equal(answer.status, 402);
      await eventually(() => world.calls.length >= 3, "two alerts, and one of them again");
      for (let i = 0; i < 20; i++) assert.equal((await call(world, "watched-key", { max_tokens: 500 })).status, 402);
      const told = world.calls.map(({ body }) => JSON.parse(body));
      assert.deepEqual([...new Set(told.map(({ type }) => type))].sort(), ["budget.exceeded", "budget.threshold"]);
      assert.equal(new Set(told.map(({ id }) => id)).size, 2);
      assert.equal(world.calls.length, 3);
      const near = told.find(({ type }) => type === "budget.threshold");
      assert.deepEqual([near.workspace, near.scope, near.window, near.threshold_percent, near.budget_usd, near.window_begins],
        ["watched", "key", "daily", 50, 0.001, new Date().toISOString().slice(0, 10)]);
      assert.match(near.scope_id, /^vk_/);
      assert.ok(near.spent_usd >= 0.0005 && near.spent_usd <= 0.001);
      const key = crypto.createHmac("sha256", MASTER_KEY).update("webhook\0watched").digest();
      for (const { method, url, signature, body } of world.calls) {
        assert.deepEqual([method, url], ["POST", "/hook?a=1"]);
        assert.equal(signature, `sha256=${crypto.createHmac("sha256", key).update(body).digest("hex")}`);
      }
    },

    async "a low balance is reloaded when its webhook says yes, once, under one id"(world) {
      world.calls.length = 0;
      world.answers.push(503);
      assert.equal((await call(world, "tenant-key", { model: "own/hosted" })).status, 402);
      const paid = await eventually(async () => {
        const answer = await call(world, "tenant-key", { model: "own/hosted" });
        return answer.status === 200 && answer;
      }, "it was reloaded");
      assert.ok(paid.cost > 0);
      const asked = world.calls.map(({ url, body }) => ({ url, ...JSON.parse(body) }));
      assert.deepEqual(asked.map(({ url, id, type, amount_usd }) => [url, id, type, amount_usd]),
        Array(2).fill(["/charge", "auto_reload_1", "balance.reload", 0.02]));
      const [reload] = (await transactions(world)).filter(({ type }) => type === "auto_reload");
      assert.deepEqual([reload.id, reload.reference, reload.amount_usd], ["txn_1", "auto_reload_1", 0.02]);
      while ((await transactions(world)).filter(({ type }) => type === "auto_reload").length < 2)
        assert.equal((await call(world, "tenant-key", { model: "own/hosted", max_tokens: 100 })).status, 200);
      assert.equal(JSON.parse(world.calls.at(-1).body).id, "auto_reload_2");
    },
  },
};

// A day's spend is the sum of its receipts, whatever ends the process.
const restarting = {
  name: "budgets over restarts",
  async open(build) {
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extra: `  - { name: loaded, secret: loaded-key, budget: { daily_usd: 0.01 }, tags: { of: loaded } }\n`,
    });
    return {
      mock, config, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }),
      close: async () => {
        await mock.stop();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    };
  },
  tests: {
    async "with SIGKILL under load, spend is the sum of the receipts and never over"(world) {
      let answered = 0;
      for (let round = 0; round < 3; round++) {
        const gateway = await world.start(), before = answered;
        const one = async () => {
          try {
            for (;;) {
              const { status } = await call(world, "loaded-key", { max_tokens: 20 });
              if (status === 200) answered++;
              else return;
            }
          } catch {
            // the gateway is gone
          }
        };
        const clients = Array.from({ length: 32 }, one);
        await eventually(() => answered >= before + 50, "some were answered");
        await gateway.kill();
        await Promise.all(clients);
      }
      const gateway = await world.start();
      const ofKey = (one) => one.tags.of === "loaded";
      const before = total(await receiptsOf(world, ofKey));
      const refused = await call(world, "loaded-key", { max_tokens: 1000000 });
      assert.equal(refused.status, 402, refused.text);
      const said = refused.error.message.match(/of 0\.01 USD, (0\.\d+) USD are spent/);
      assert.equal(nusd(Number(said[1])), before, refused.error.message);
      await race(world, "loaded-key", 600, 32, { max_tokens: 20 });
      const receipts = await receiptsOf(world, ofKey);
      assert.ok(total(receipts) <= 10000000, `${total(receipts)}`);
      assert.ok(total(receipts) > before);
      await gateway.stop();
    },

    async "a budget that a reload brings counts what was spent before it"(world) {
      const gateway = await world.start();
      let spent = 0;
      for (let i = 0; i < 5; i++) spent += nusd((await call(world, KEY, { max_tokens: 50 })).cost);
      const settled = () => eventually(async () => (await receiptsOf(world, (one) => one.status === 200 && !one.tags.of)).length >= 5, "stored");
      await settled();
      fs.writeFileSync(gateway.file, world.config.replace(`{ name: demo, secret: ${KEY} }`, `{ name: demo, secret: ${KEY}, budget: { daily_usd: 0.0003 } }`));
      gateway.child.kill("SIGHUP");
      const refused = await eventually(async () => {
        const answer = await call(world, KEY, { max_tokens: 450 });
        return answer.status === 402 && answer;
      }, "the budget is in force");
      expectOver(refused, "daily", /of this API key/);
      assert.ok(nusd(Number(refused.error.message.match(/USD, (0\.\d+) USD are spent/)[1])) >= spent, refused.error.message);
      await gateway.stop();
    },
  },
};

export const suites = [
  { name: "budgets, 1 shard", open: (build) => openWorld(build, { extra: keys, extraModels }), tests },
  { name: "budgets, 2 shards", open: async (build) => Object.assign(await openWorld(build, { extra: keys, extraModels, shards: 2 }), { shards: 2 }), tests },
  { name: "spend", open: (build) => openWorld(build, { extra: keys, extraModels, shards: 2 }), tests: spending },
  alerting,
  ledger,
  restarting,
];
