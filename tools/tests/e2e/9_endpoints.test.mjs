// Defined endpoints: what a call of one becomes, who may call it, what its receipt says.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import {
  KEY, MASTER_KEY, OTHER_KEY, PATIENT, configuration, freePort, eventually, openWorld, post, sse, startGateway, startMock, temporaryFolder,
} from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const PROJECT = "7d0f2f7e-8a53-4e0c-9a6e-1f7b7f5a2c11";

const setup = `workspaces:
  - { id: default }
  - { id: elsewhere }
routing: { ${PATIENT} }
projects:
  - id: ${PROJECT}
    endpoints:
      - slug: summarize
        model: test/mock
        system_prompt: "You summarise."
        user_template: "Summarise in {{input.words}} words: {{ input.text }}"
      - { slug: plain, model: mock }
      - { slug: whole, model: test/mock, user_template: "<{{input}}>", streaming_enabled: false }
      - { slug: deep, model: test/mock, system_prompt: "For {{input.user.name}}.", user_template: "{{input.question}}" }
      - { slug: picked, model: auto }
      - { slug: broken, model: test/mock-status-500 }
      - { slug: claude, model: other/claude }
      - { slug: gemini, model: other/gemini }
  - id: foreign
    workspace: elsewhere
    endpoints: [{ slug: own, model: test/mock }]
`;
const keys = `  - { name: app, secret: pg_live_app, scopes: [endpoints] }
  - { name: part, secret: pg_live_part, scopes: [endpoints], endpoints: ["${PROJECT}/s*", "*/picked"], models: [test/mock] }
  - { name: visitor, secret: pg_live_visitor, workspace: elsewhere, scopes: [endpoints] }
  - { name: chooser, secret: pg_live_chooser, scopes: [endpoints], models: ["test/rescued"] }
`;
const extraProviders = `  - name: claude
    kind: anthropic
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
  - name: gemini
    kind: gemini
    base_url: http://127.0.0.1:MOCK/v1beta
    credentials: [{ name: primary, api_key: upstream-secret }]
`;
const extraModels = `  - { id: other/claude, provider: claude, upstream_model: mock, price: { input: 1, output: 1 } }
  - { id: other/gemini, provider: gemini, upstream_model: mock, price: { input: 1, output: 1 } }
`;

async function call(world, slug, body, { key = "pg_live_app", project = PROJECT, headers = {} } = {}) {
  const answer = await post(world, `/api/${project}/${slug}`, body, { key, headers });
  const text = await answer.text();
  const json = text.startsWith("{") ? JSON.parse(text) : null;
  return { status: answer.status, headers: answer.headers, text, body: json, error: json?.error, id: answer.headers.get("x-request-id") };
}

const receiptOf = async (world, id) => (await fetch(`${world.base}/admin/receipts/${id}`, admin)).json();

// What the provider got, as JSON.
async function sent(world) {
  const text = await world.mock.last();
  return JSON.parse(text.slice(text.indexOf("{")));
}

async function filled(world, slug, body) {
  const answer = await call(world, slug, body);
  assert.equal(answer.status, 200, answer.text);
  return (await sent(world)).messages;
}

function expectRefused(answer, status, code, param, message) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.error.code, code, answer.text);
  assert.equal(answer.error.param, param, answer.text);
  assert.match(answer.error.message, message);
}

const calls = {
  async "a call is a chat with the endpoint's model and prompts, and its receipt names it"(world) {
    const answer = await call(world, "summarize", { input: { words: 20, text: "A \"quote\",\na line, ünïcode 𝄞." } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.object, "chat.completion");
    assert.equal(answer.body.model, "test/mock");
    assert.equal(answer.headers.get("x-gateway-decision"), "test/mock");
    assert.ok(Number(answer.headers.get("x-gateway-cost-usd")) > 0);
    const { messages } = await sent(world);
    assert.deepEqual(messages, [
      { role: "system", content: "You summarise." },
      { role: "user", content: "Summarise in 20 words: A \"quote\",\na line, ünïcode 𝄞." },
    ]);
    const receipt = await receiptOf(world, answer.id);
    assert.equal(receipt.endpoint, `${PROJECT}/summarize`);
    assert.equal(receipt.api, "endpoint");
    assert.equal(receipt.status, 200);
    assert.equal(receipt.routing.requested_model, "test/mock");
    assert.equal(receipt.execution.tokens.total, answer.body.usage.total_tokens);
  },

  async "input is a text or an object; without a template it is what the user says"(world) {
    const user = (content) => [{ role: "user", content }];
    assert.deepEqual(await filled(world, "plain", { input: "Hello \\ \u0001 there" }), user("Hello \\ \u0001 there"));
    const objects = await filled(world, "plain", { input: { a: [1, "x\"y"], b: null } });
    assert.deepEqual(JSON.parse(objects[0].content), { a: [1, "x\"y"], b: null });
    assert.deepEqual(await filled(world, "whole", { input: "text" }), user("<text>"));
    assert.deepEqual(await filled(world, "whole", { input: { n: 1.5 } }), user("<{\"n\":1.5}>"));
    assert.deepEqual(await filled(world, "deep", { input: { user: { name: "Ada" }, question: ["why", true] } }),
      [{ role: "system", content: "For Ada." }, { role: "user", content: "[\"why\",true]" }]);
  },

  async "messages stay as they are, behind the system prompt; so does what else the caller sends"(world) {
    const messages = [{ role: "user", content: [{ type: "text", text: "Hi {{input}}" }] }, { role: "assistant", content: "Yes?" }, { role: "user", content: "Go on." }];
    const answer = await call(world, "summarize", { messages, temperature: 0.5, max_tokens: 7, seed: 3 });
    assert.equal(answer.status, 200, answer.text);
    const body = await sent(world);
    assert.deepEqual(body.messages, [{ role: "system", content: "You summarise." }, ...messages]);
    assert.deepEqual([body.temperature, body.max_tokens, body.seed, body.input], [0.5, 7, 3, undefined]);
  },

  async "a stream is a stream of chat chunks"(world) {
    const answer = await post(world, `/api/${PROJECT}/summarize`, { input: { words: 2, text: "t" }, stream: true }, { key: "pg_live_app" });
    assert.equal(answer.status, 200);
    const { events, text } = await sse(answer);
    assert.equal(events[events.length - 1], "data: [DONE]");
    assert.match(text, /^: x-llm-gateway \{/m);
    const receipt = await receiptOf(world, answer.headers.get("x-request-id"));
    assert.deepEqual([receipt.api, receipt.stream, receipt.endpoint], ["endpoint", true, `${PROJECT}/summarize`]);
    expectRefused(await call(world, "whole", { input: "x", stream: true }), 400, "streaming_disabled", "stream", /does not stream/);
  },

  async "auto, an alias and other dialects' providers serve as they do everywhere"(world) {
    const picked = await call(world, "picked", { input: "Thanks!" }, { key: "pg_live_part" });
    assert.equal(picked.status, 200, picked.text);
    assert.equal((await receiptOf(world, picked.id)).routing.requested_model, "auto");
    for (const slug of ["claude", "gemini"]) {
      const answer = await call(world, slug, { input: "Hello" });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.body.model, `other/${slug}`);
      assert.equal((await receiptOf(world, answer.id)).endpoint, `${PROJECT}/${slug}`);
      const streamed = await post(world, `/api/${PROJECT}/${slug}`, { input: "Hello", stream: true }, { key: "pg_live_app" });
      const text = await streamed.text();
      assert.equal(streamed.status, 200, text);
      assert.match(text, /data: \[DONE\]\n\n$/);
    }
  },

  async "what is wrong with a call is said, with the field's name"(world) {
    const refused = async (slug, body, ...expected) => expectRefused(await call(world, slug, body), 400, ...expected);
    await refused("summarize", { input: { words: 1 } }, "missing_required_parameter", "input.text", /needs 'input\.text'/);
    await refused("deep", { input: { user: "Ada", question: "?" } }, "missing_required_parameter", "input.user.name", /input\.user\.name/);
    await refused("deep", { messages: [{ role: "user", content: "x" }] }, "missing_required_parameter", "input.user.name", /input\.user\.name/);
    await refused("summarize", { input: "text" }, "missing_required_parameter", "input.words", /input\.words/);
    await refused("plain", {}, "missing_required_parameter", "input", /Send 'input'/);
    await refused("plain", { input: 3 }, "invalid_type", "input", /a string or an object/);
    await refused("plain", { input: "x", messages: [{ role: "user", content: "x" }] }, "invalid_value", "input", /one of the two/);
    await refused("plain", { messages: [] }, "invalid_type", "messages", /at least one/);
    await refused("plain", { messages: [3] }, "invalid_type", "messages", /object/);
    await refused("plain", { input: "x", model: "test/mock" }, "invalid_value", "model", /chooses its model/);
    await refused("plain", { input: "x", stream: 1 }, "invalid_type", "stream", /true or false/);
    await refused("plain", "{\"input\":\"x\",\"input\":\"y\"}", "invalid_value", "input", /twice/);
    await refused("plain", "[]", "invalid_type", null, /JSON object/);
    await refused("plain", "{\"input\":", "invalid_json", null, /at byte/);
  },

  async "a provider's failure is what it is everywhere, and its receipt names the endpoint"(world) {
    const answer = await call(world, "broken", { input: "x" });
    assert.equal(answer.status, 502, answer.text);
    assert.equal((await receiptOf(world, answer.id)).endpoint, `${PROJECT}/broken`);
  },

  async "an Idempotency-Key holds for the call"(world) {
    const headers = { "idempotency-key": "once" };
    const first = await call(world, "plain", { input: "x" }, { headers });
    const again = await call(world, "plain", { input: "x" }, { headers });
    assert.equal(again.headers.get("idempotent-replayed"), "true");
    assert.equal(again.text, first.text);
    assert.equal((await call(world, "whole", { input: "x" }, { headers })).status, 409);
  },
};

const access = {
  async "the scope, the key's globs and its workspace decide"(world) {
    expectRefused(await call(world, "plain", { input: "x" }, { key: OTHER_KEY }), 403, "scope_missing", null, /scopes/);
    assert.equal((await call(world, "plain", { input: "x" }, { key: KEY })).status, 200);
    expectRefused(await call(world, "plain", { input: "x" }, { key: "pg_live_part" }), 403, "endpoint_not_allowed", null, /may not call/);
    assert.equal((await call(world, "summarize", { messages: [{ role: "user", content: "x" }] }, { key: "pg_live_part" })).status, 200);
    expectRefused(await call(world, "own", { input: "x" }, { project: "foreign" }), 404, "endpoint_not_found", null, /no endpoint/);
    assert.equal((await call(world, "own", { input: "x" }, { project: "foreign", key: "pg_live_visitor" })).status, 200);
    const chat = await post(world, "/v1/chat/completions", { model: "test/mock", messages: [{ role: "user", content: "x" }] }, { key: "pg_live_app" });
    assert.equal(chat.status, 403);
    expectRefused(await call(world, "plain", { input: "x" }, { key: "pg_live_chooser" }), 403, "model_not_allowed", "model", /model/);
  },

  async "a name that is nearly right is told, of those that the key may call alone"(world) {
    expectRefused(await call(world, "sumarize", { input: "x" }), 404, "endpoint_not_found", null, new RegExp(`Did you mean /api/${PROJECT}/summarize\\?`));
    expectRefused(await call(world, "plian", { input: "x" }, { key: "pg_live_part" }), 404, "endpoint_not_found", null, /^(?!.*plain)/);
    expectRefused(await call(world, "own", { input: "x" }, { project: "forein" }), 404, "endpoint_not_found", null, /^(?!.*foreign)/);
    for (const path of ["/api/", "/api/x", `/api/${PROJECT}`, `/api/${PROJECT}/`, `/api/${PROJECT}/plain/more`, "/api//plain"]) {
      const answer = await post(world, path, { input: "x" }, { key: "pg_live_app" });
      assert.equal(answer.status, 404, path);
      await answer.text();
    }
    const get = await fetch(`${world.base}/api/${PROJECT}/plain`, { headers: { authorization: "Bearer pg_live_app" } });
    assert.equal(get.status, 405);
    assert.equal(get.headers.get("allow"), "POST");
  },

  async "spend is told by endpoint and by project"(world) {
    const answer = await call(world, "plain", { input: "x" });
    assert.equal(answer.status, 200);
    const rows = async (by) => (await (await fetch(`${world.base}/admin/spend?by=${by}`, admin)).json()).data;
    const receipts = (await (await fetch(`${world.base}/admin/receipts?limit=1000`, admin)).json()).data;
    const nusd = (usd) => Math.round(usd * 1e9);
    for (const [by, keep, name] of [["endpoint", (r) => r.endpoint === `${PROJECT}/plain`, `${PROJECT}/plain`],
      ["project", (r) => r.endpoint?.startsWith(`${PROJECT}/`), PROJECT]]) {
      const row = (await rows(by)).find((one) => one[by] === name);
      assert.ok(row, JSON.stringify(await rows(by)));
      assert.equal(nusd(row.spend_usd), receipts.filter(keep).reduce((sum, r) => sum + nusd(r.cost.total_usd), 0));
    }
  },
};

const bounded = `workspaces: [{ id: default, budget: { monthly_usd: 1000 } }]
routing: { ${PATIENT}, rules: [{ when: { model: "test/dear" }, use: { model: test/mock } }] }
projects:
  - id: p
    endpoints:
      - { slug: minute, model: test/mock, limits: { rpm: 30 } }
      - { slug: hour, model: test/mock, limits: { rph: 5 } }
      - { slug: poor, model: test/mock, budget: { monthly_usd: 0.001 } }
      - { slug: day, model: test/mock, budget: { daily_usd: 0.001 } }
      - { slug: careful, model: test/mock, budget: { per_request_usd: 0.0001 } }
      - { slug: brief, model: test/mock, budget: { max_tokens_per_request: 50 } }
      - { slug: short, model: test/short, budget: { max_tokens_per_request: 5000 } }
      - { slug: free, model: test/mock }
      - { slug: unpriced, model: test/unpriced, budget: { monthly_usd: 1 } }
      - { slug: ruled, model: auto, rules: [{ when: { has_tools: true }, use: { model: test/dear } }, { when: { model: auto }, use: { model: test/mock } }] }
      - { slug: outer, model: test/dear, rules: [{ when: { has_tools: true }, use: { model: test/short } }] }
      - { slug: backed, model: test/backed, failover: [mock/primary, other/second, other/first] }
`;
const boundedKeys = `  - { name: app, secret: pg_live_app, scopes: [endpoints] }
  - { name: second, secret: pg_live_second, scopes: [endpoints], limits: { rpm: 3 } }
  - { name: poor, secret: pg_live_poor, scopes: [endpoints], budget: { monthly_usd: 0.001 } }
`;
const boundedModels = `  - { id: test/dear, provider: mock, upstream_model: mock, price: { input: 10, output: 20 } }
  - { id: test/short, provider: mock, upstream_model: mock, max_output_tokens: 9, price: { input: 1, output: 1 } }
  - id: test/backed
    deployments:
      - { provider: other, credential: first, upstream_model: mock }
      - { provider: mock, credential: primary, upstream_model: mock }
      - { provider: other, credential: second, upstream_model: mock-status-500 }
      - { provider: other, credential: main, upstream_model: mock-refuse }
    price: { input: 1, output: 1 }
`;
const other = `  - name: other
    kind: openai_compatible
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: first, api_key: a }, { name: second, api_key: b }, { name: main, api_key: c }]
`;

const inProject = (world, slug, more = {}, key = "pg_live_app") => call(world, slug, { input: "Say hello.", ...more }, { project: "p", key });

// As many at once as there are connections, over both shards.
async function race(world, slug, count, more) {
  const answers = [];
  let left = count;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (left-- > 0) answers.push(await inProject(world, slug, more));
  }));
  return answers;
}

const limits = {
  async "an endpoint's limits hold for all keys and shards together"(world) {
    const before = (await world.mock.stats()).requests;
    const answers = await race(world, "minute", 60, { max_tokens: 2 });
    const good = answers.filter(({ status }) => status === 200).length;
    assert.equal((await world.mock.stats()).requests - before, good);
    assert.equal(good, 30);
    const [refused] = answers.filter(({ status }) => status !== 200);
    assert.equal(refused.status, 429, refused.text);
    assert.match(refused.error.message, /^The limit of this endpoint is reached: 30 requests a minute/);
    assert.equal(refused.headers.get("x-gateway-limit-kind"), "rpm");
    assert.equal(refused.headers.get("x-ratelimit-limit"), "30");
    assert.equal((await inProject(world, "free")).status, 200);
  },

  async "the tightest of the key's and the endpoint's answers, and a refusal leaves no trace in the others"(world) {
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await inProject(world, "hour", {}, "pg_live_second")).status);
    assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
    assert.equal((await inProject(world, "hour")).status, 200);
    assert.equal((await inProject(world, "hour")).status, 200);
    const last = await inProject(world, "hour");
    assert.equal(last.status, 429);
    assert.equal(last.error.kind, "rph");
  },
};

function expectOver(answer, kind, message, status = 422) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.error.type, "budget_exceeded");
  assert.equal(answer.error.kind, kind);
  assert.match(answer.error.message, message);
}

const budgets = {
  async "an endpoint's budget is never overspent"(world) {
    const answers = await race(world, "day", 200, { max_tokens: 500 });
    const spent = () => answers.reduce((sum, answer) => sum + Math.round(1e9 * Number(answer.headers.get("x-gateway-cost-usd") ?? 0)), 0);
    const good = answers.filter(({ status }) => status === 200);
    assert.ok(good.length > 20 && good.length < 200, `${good.length}`);
    assert.ok(spent() <= 1000000 && spent() > 500000, `${spent()}`);
    expectOver(answers.find(({ status }) => status !== 200), "daily", /^The daily budget of this endpoint has no room/);
    for (;;) {
      const answer = await inProject(world, "poor", { max_tokens: 500 });
      if (answer.status === 200) continue;
      expectOver(answer, "monthly", /^The monthly budget of this endpoint has no room for this request, which may cost up to 0\.000\d+ USD: of 0\.001 USD/);
      break;
    }
  },

  async "one request's price and tokens have bounds"(world) {
    assert.equal((await inProject(world, "careful", { max_tokens: 50 })).status, 200);
    expectOver(await inProject(world, "careful", { max_tokens: 500 }), "per_request", /one request of this endpoint may cost 0\.0001 USD/);
    const capped = await inProject(world, "brief");
    assert.equal(capped.status, 200, capped.text);
    assert.ok((await sent(world)).max_tokens > 10);
    assert.ok(capped.body.usage.completion_tokens < 50);
    assert.equal((await inProject(world, "brief", { max_tokens: 5 })).status, 200);
    expectOver(await inProject(world, "brief", { max_tokens: 50 }), "max_tokens_per_request", /may use 50 tokens, and this one needs about \d+ for its prompt and 50 for its answer/);
    expectOver(await inProject(world, "brief", { input: "long ".repeat(100) }), "max_tokens_per_request", /for its prompt\. Send less/);
    assert.equal((await inProject(world, "short")).status, 200);
    assert.equal((await sent(world)).max_tokens, 9);
    const streamed = await post(world, "/api/p/brief", { input: "Say hello.", stream: true }, { key: "pg_live_app" });
    assert.match(await streamed.text(), /data: \[DONE\]/);
    assert.ok((await sent(world)).max_tokens > 10);
  },

  async "a key's own budget is 402 here as everywhere, and without a price nothing is called"(world) {
    let answer;
    do answer = await inProject(world, "free", { max_tokens: 500 }, "pg_live_poor"); while (answer.status === 200);
    expectOver(answer, "monthly", /budget of this API key/, 402);
    answer = await inProject(world, "unpriced");
    assert.deepEqual([answer.status, answer.error.code], [400, "price_unknown"]);
  },
};

const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];

const routes = {
  async "an endpoint's rules come before those of routing, the first that matches"(world) {
    const served = async (slug, more) => (await inProject(world, slug, { max_tokens: 3, ...more })).headers.get("x-gateway-decision");
    assert.equal(await served("ruled"), "test/mock");
    assert.equal(await served("ruled", { tools }), "test/dear");
    assert.equal(await served("outer", { tools }), "test/short");
    assert.equal(await served("outer"), "test/mock");
  },

  async "failover says which credentials are tried, and in what order, when the others fail"(world) {
    const answer = await inProject(world, "backed");
    assert.equal(answer.status, 200, answer.text);
    const { fallback, execution } = await receiptOf(world, answer.id);
    assert.deepEqual(fallback.attempts.map(({ provider, credential }) => `${provider}/${credential}`), ["other/main"]);
    assert.equal(`${execution.provider}/${execution.credential}`, "mock/primary");
  },
};

async function ask(world, method, target, body, key = MASTER_KEY) {
  const answer = await fetch(`${world.base}/admin/projects${target}`, {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, text, body: JSON.parse(text), error: JSON.parse(text).error };
}

async function done(world, status, ...rest) {
  const answer = await ask(world, ...rest);
  assert.equal(answer.status, status, answer.text);
  return answer.body;
}

// The statuses of calls on many connections, so that every shard is asked.
async function everywhere(world, project, slug, more = {}) {
  const answers = await Promise.all(Array.from({ length: 16 }, () => call(world, slug, { input: "x", ...more }, { project, headers: { connection: "close" } })));
  return [...new Set(answers.map(({ status }) => status))];
}

const person = { type: "object", required: ["name"], additionalProperties: false, properties: { name: { type: "string", maxLength: 9 }, age: { type: "integer", minimum: 0 } } };

const whole = {
  model: "test/mock", system_prompt: "Be {{input.how}}.", user_template: "{{input.what}}", streaming_enabled: false,
  input_schema: person, output_schema: { $defs: { text: { type: "string" } }, anyOf: [{ type: "null" }, { items: { $ref: "#/$defs/text" }, type: "array", default: [null, true, 1.5, "1.5"] }] },
  failover: ["mock/primary"], limits: { rpm: 1000, rph: 5000 },
  budget: { max_tokens_per_request: 900, daily_usd: 1.5, weekly_usd: null, monthly_usd: 20, per_request_usd: 0.25, reserve_output_tokens: 64 },
  rules: [{ when: { input_tokens: { gte: 4000 }, has_tools: true, time_of_day: "22:00-06:30", key_tag: { team: "search" }, bucket: "simple" }, use: { model: "test/dear", priority: "cost" } },
    { when: { time_of_day: "08:00-09:00 Europe/Berlin" }, use: { model: "test/mock" } }],
};

const refusals = [
  [{ model: "no/such" }, "model"], [{ model: 3 }, "model"], [{ system_prompt: "{{x}}" }, "system_prompt"], [{ user_template: "{{input" }, "user_template"],
  [{ user_template: [] }, "user_template"], [{ streaming_enabled: "yes" }, "streaming_enabled"], [{ failover: ["no/one"] }, "failover"], [{ failover: "mock/primary" }, "failover"],
  [{ limits: { rpm: -1 } }, "limits.rpm"], [{ limits: { rph: "9" } }, "limits.rph"], [{ limits: { rpx: 1 } }, "limits.rpx", "unknown_field"], [{ limits: [] }, "limits"],
  [{ budget: { monthly_usd: -1 } }, "budget.monthly_usd"], [{ budget: { max_tokens_per_request: 0 } }, "budget.max_tokens_per_request"],
  [{ budget: { daily_usd: "1" } }, "budget.daily_usd"], [{ rules: {} }, "rules"], [{ rules: [{ when: {} }] }, "rules"], [{ rules: [{ use: { model: "no/such" } }] }, "rules"],
  [{ rules: [{ use: { priority: "cheap" } }] }, "rules.use.priority"], [{ sessions: { ttl_seconds: 0 } }, "sessions.ttl_seconds"],
  [{ input_schema: { pattern: "x" } }, "input_schema"], [{ output_schema: { type: "text" } }, "output_schema"], [{ input_schema: "file.json" }, "input_schema"], [{ output_schema: { $ref: "#" } }, "output_schema"],
  [{ slug: "another" }, "slug"], [{ template: "x" }, "template", "unknown_field"],
];

const managed = {
  async "a project and its endpoints are made, changed and removed, in force on every shard before the answer"(world) {
    assert.deepEqual(await everywhere(world, "made", "e"), [404]);
    const project = await done(world, 201, "PUT", "/made", {});
    assert.deepEqual([project.id, project.workspace, project.declared, project.endpoints], ["made", "default", false, []]);
    const made = await done(world, 200, "PUT", "/made/endpoints/e", { model: "test/mock" });
    assert.deepEqual([made.object, made.project, made.slug, made.model], ["endpoint", "made", "e", "test/mock"]);
    assert.deepEqual(await everywhere(world, "made", "e"), [200]);
    await done(world, 200, "PUT", "/made/endpoints/e", { model: "test/mock-status-400" });
    assert.deepEqual(await everywhere(world, "made", "e"), [400]);
    await done(world, 200, "PATCH", "/made/endpoints/e", { model: "test/mock", streaming_enabled: false });
    assert.deepEqual(await everywhere(world, "made", "e"), [200]);
    assert.deepEqual(await everywhere(world, "made", "e", { stream: true }), [400]);
    await done(world, 200, "PUT", "/made/endpoints/f", {});
    assert.deepEqual((await done(world, 200, "GET", "/made/endpoints")).data.map(({ slug }) => slug), ["e", "f"]);
    assert.equal((await done(world, 200, "DELETE", "/made/endpoints/e")).deleted, true);
    assert.deepEqual(await everywhere(world, "made", "e"), [404]);
    assert.equal((await ask(world, "GET", "/made/endpoints/e")).error.code, "endpoint_not_found");
    assert.equal((await ask(world, "DELETE", "/made/endpoints/e")).status, 404);
    assert.equal((await ask(world, "PATCH", "/made/endpoints/e", {})).status, 404);
    await done(world, 200, "DELETE", "/made");
    assert.equal((await ask(world, "GET", "/made")).error.code, "project_not_found");
    assert.equal((await ask(world, "PUT", "/made/endpoints/e", {})).error.code, "project_not_found");
    const audit = (await (await fetch(`${world.base}/admin/audit?limit=20`, admin)).json()).data.filter(({ object }) => JSON.stringify(object).includes("made"));
    assert.deepEqual(audit.map(({ action }) => action).reverse(), ["project.create", "project.put endpoint", "project.put endpoint", "project.put endpoint",
      "project.put endpoint", "project.delete endpoint", "project.delete"]);
  },

  async "all that an endpoint says comes back as it was said, after a crash as well"(world) {
    await done(world, 201, "PUT", "/kept", { endpoints: [{ slug: "first", ...whole }] });
    const shown = await done(world, 200, "GET", "/kept/endpoints/first");
    for (const [name, value] of Object.entries(whole)) {
      if (name === "rules") continue;
      assert.deepEqual(shown[name], value, name);
    }
    assert.deepEqual(shown.rules.map(({ when, use }) => [when.time_of_day, when.key_tag, when.bucket, when.has_tools, when.has_schema, when.input_tokens.gte, use]),
      [["22:00-06:30", { team: "search" }, "simple", true, null, 4000, { model: "test/dear", priority: "cost" }],
        ["08:00-09:00 Europe/Berlin", {}, null, null, null, null, { model: "test/mock", priority: null }]]);
    await done(world, 200, "PUT", "/kept/endpoints/second", { model: "test/mock" });
    const before = await done(world, 200, "GET", "/kept");
    await world.restart();
    assert.deepEqual(await done(world, 200, "GET", "/kept"), before);
    assert.deepEqual(await everywhere(world, "kept", "second"), [200]);
    await done(world, 200, "PATCH", "/kept", { endpoints: before.endpoints });
    assert.deepEqual((await done(world, 200, "GET", "/kept")).endpoints, before.endpoints);
  },

  async "what is wrong is said with the field's name, and nothing is changed"(world) {
    await done(world, 201, "PUT", "/sound", { endpoints: [{ slug: "e", model: "test/mock" }] });
    const before = await done(world, 200, "GET", "/sound");
    for (const [body, param, code = "invalid_value"] of refusals)
      for (const method of ["PUT", "PATCH"]) {
        const refused = await ask(world, method, "/sound/endpoints/e", body);
        assert.deepEqual([refused.status, refused.error.code, refused.error.param], [400, code, param], `${method} ${JSON.stringify(body)}: ${refused.text}`);
      }
    for (const [target, body, param] of [["/bad", { workspace: "nowhere" }, "workspace"], ["/bad", { id: "other" }, "id"], ["/b%20ad", {}, "id"],
      ["/bad", { endpoints: [{ slug: "a" }, { slug: "a" }] }, "endpoints"], ["/bad", { endpoints: [{}] }, "endpoints"], ["/sound/endpoints/b%20ad", {}, "endpoints.slug"]]) {
      const refused = await ask(world, "PUT", target, body);
      assert.equal(refused.status, 400, `${target} ${JSON.stringify(body)}: ${refused.text}`);
      assert.ok([param, "slug"].includes(refused.error.param), refused.text);
    }
    assert.deepEqual(await done(world, 200, "GET", "/sound"), before);
    assert.equal((await ask(world, "PUT", "/sound/endpoints", {})).status, 405);
  },

  async "what the configuration declares is read only"(world) {
    const declared = await done(world, 200, "GET", "/p");
    assert.equal(declared.declared, true);
    assert.equal((await done(world, 200, "GET", "/p/endpoints/minute")).limits.rpm, 30);
    for (const [method, target] of [["PUT", "/p"], ["PATCH", "/p"], ["DELETE", "/p"], ["PUT", "/p/endpoints/minute"], ["PUT", "/p/endpoints/new"], ["DELETE", "/p/endpoints/minute"]]) {
      const refused = await ask(world, method, target, method === "DELETE" ? undefined : {});
      assert.deepEqual([refused.status, refused.error.code], [409, "declared_in_config"], `${method} ${target}: ${refused.text}`);
    }
  },

  async "a limit that is set while it runs holds, and what was used is not forgotten when it changes"(world) {
    await done(world, 201, "PUT", "/limited", { endpoints: [{ slug: "e", model: "test/mock", limits: { rpm: 5 } }] });
    const count = async () => (await Promise.all(Array.from({ length: 12 }, () => call(world, "e", { input: "x" }, { project: "limited" })))).filter(({ status }) => status === 200).length;
    assert.equal(await count(), 5);
    await done(world, 200, "PATCH", "/limited/endpoints/e", { limits: { rpm: 8 } });
    assert.equal(await count(), 3);
    await done(world, 200, "PATCH", "/limited/endpoints/e", { limits: { rpm: null } });
    assert.equal(await count(), 12);
  },
};

const crashed = {
  async "what an hour and a month have used is not forgotten by a crash"(world) {
    while ((await inProject(world, "hour")).status === 200);
    while ((await inProject(world, "poor", { max_tokens: 500 })).status === 200);
    await world.restart();
    assert.equal((await inProject(world, "hour")).error.kind, "rph");
    expectOver(await inProject(world, "poor", { max_tokens: 500 }), "monthly", /of this endpoint/);
    assert.equal((await inProject(world, "free")).status, 200);
  },
};

// One that may be killed, and goes on with what it left.
async function openCrashing(build, options = { extraProviders: other, extraModels: boundedModels, extra: boundedKeys + bounded }) {
  const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
  const config = configuration({ port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2, ...options });
  let gateway = await startGateway(build, { dataDir, config });
  return {
    mock, base: `http://127.0.0.1:${port}`,
    restart: async () => {
      await gateway.kill();
      gateway = await startGateway(build, { dataDir, config });
    },
    close: async () => {
      await gateway.stop();
      await mock.stop();
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const anything = { type: "object" };
const schemas = (folder) => `routing: { ${PATIENT} }
projects:
  - id: p
    endpoints:
      - slug: asks
        model: test/mock
        user_template: "{{input.name}}"
        input_schema: { type: object, required: [name], additionalProperties: false, properties: { name: { type: string, maxLength: 9 }, age: { type: integer, minimum: 0 } } }
      - { slug: file, model: test/mock, input_schema: ${folder}/person.json }
      - { slug: says, model: test/json, output_schema: ${JSON.stringify(anything)} }
      - { slug: lies, model: test/json, output_schema: { type: object, required: [no such member] } }
      - { slug: talks, model: test/mock, output_schema: { type: object } }
      - { slug: tools, model: test/mock-tool, output_schema: { type: object } }
      - { slug: translated, model: other/claude, output_schema: { type: object } }
      - { slug: unable, model: test/unable, output_schema: { type: object } }
`;
const jsonModels = `  - { id: test/json, provider: mock, upstream_model: mock-json, price: { input: 1, output: 1 } }
  - { id: test/unable, provider: mock, upstream_model: mock-json, capabilities: [chat], price: { input: 1, output: 1 } }
`;

const schemaTests = {
  async "input that is not as the schema says is a 422 that says where, and nothing is called"(world) {
    const before = (await world.mock.stats()).requests;
    let first;
    for (const [input, param, message] of [[{}, "input", /lacks a member "name"/], [{ name: 3 }, "input.name", /at \.name: it has to be of type string/],
      [{ name: "Ada", age: -1 }, "input.age", /less than 0/], [{ name: "Ada", x: 1 }, "input", /may not have a member "x"/], ["Ada", "input", /of type object/],
      [{ name: "much too long" }, "input.name", /more than 9/]])
      for (const slug of ["asks", "file"]) {
        const answer = await inProject(world, slug, { input });
        expectRefused(answer, 422, "schema_violation", param, message);
        assert.deepEqual([answer.error.type, answer.error.kind], ["schema_violation", "input"]);
        first ??= answer;
      }
    assert.equal((await receiptOf(world, first.id)).status, 422);
    assert.equal((await world.mock.stats()).requests, before);
    assert.equal((await inProject(world, "asks", { input: { name: "Ada", age: 36 } })).status, 200);
    expectRefused(await call(world, "asks", { messages: [{ role: "user", content: "x" }] }, { project: "p" }), 400, "invalid_value", "messages", /takes 'input'/);
  },

  async "an answer that is not as the schema says is a 422, and is paid for"(world) {
    const good = await inProject(world, "says");
    assert.equal(good.status, 200, good.text);
    assert.equal(typeof JSON.parse(good.body.choices[0].message.content), "object");
    assert.deepEqual((await sent(world)).response_format, { type: "json_schema", json_schema: { name: "output", schema: anything } });
    for (const [slug, message] of [["lies", /lacks a member "no such member"/], ["talks", /it is not JSON/], ["translated", /it is not JSON/]]) {
      const answer = await inProject(world, slug);
      expectRefused(answer, 422, "schema_violation", null, message);
      assert.equal(answer.error.kind, "output");
      const receipt = await receiptOf(world, answer.id);
      assert.equal(receipt.status, 422);
      assert.ok(receipt.cost.total_usd > 0);
    }
    assert.equal((await inProject(world, "tools", { tools })).body.choices[0].finish_reason, "tool_calls");
    expectRefused(await inProject(world, "says", { stream: true }), 400, "streaming_disabled", "stream", /checked as a whole/);
    expectRefused(await inProject(world, "says", { response_format: { type: "text" } }), 400, "invalid_value", "response_format", /Leave/);
  },

  async "a model that has no such format is not asked for it, and its answer is checked all the same"(world) {
    const answer = await inProject(world, "unable");
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await sent(world)).response_format, undefined);
  },
};

async function openSchemas(build) {
  const folder = temporaryFolder();
  fs.writeFileSync(path.join(folder, "person.json"), JSON.stringify(person));
  const world = await openWorld(build, { shards: 2, extraProviders, extraModels: extraModels + jsonModels, extra: boundedKeys + schemas(folder) });
  return { ...world, close: () => world.close().finally(() => fs.rmSync(folder, { recursive: true, force: true })) };
}

const sessionSetup = `workspaces:
  - { id: default }
  - { id: forgetful, retention: { conversation_store: false } }
routing: { ${PATIENT} }
projects:
  - id: p
    endpoints:
      - { slug: talk, model: test/mock, system_prompt: "Be brief.", user_template: "<{{input}}>", sessions: { enabled: true } }
      - { slug: other, model: test/mock, sessions: { enabled: true } }
      - { slug: short, model: test/mock, sessions: { enabled: true, max_messages: 4 } }
      - { slug: small, model: test/mock, sessions: { enabled: true, max_tokens: 60 } }
      - { slug: brief, model: test/mock, sessions: { enabled: true, ttl_seconds: 1 } }
      - { slug: without, model: test/mock }
      - { slug: broken, model: test/mock-status-500, sessions: { enabled: true } }
      - { slug: tools, model: test/mock-tool, sessions: { enabled: true } }
      - { slug: translated, model: other/claude, sessions: { enabled: true } }
  - id: f
    workspace: forgetful
    endpoints: [{ slug: talk, model: test/mock, sessions: { enabled: true } }]
`;
const sessionKeys = boundedKeys + `  - { name: forgetful, secret: pg_live_forgetful, workspace: forgetful, scopes: [endpoints] }
`;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function say(world, slug, input, session, { stream = false, key = "pg_live_app", project = "p", ...more } = {}) {
  const answer = await post(world, `/api/${project}/${slug}`, { input, stream, max_tokens: 5, ...more }, { key, headers: session ? { "x-session-id": session } : {} });
  const text = await answer.text();
  const events = stream && answer.status === 200 ? text.split("\n\n").filter((e) => e.startsWith("data: {")).map((e) => JSON.parse(e.slice(6))) : [];
  const json = text.startsWith("{") ? JSON.parse(text) : null;
  return {
    status: answer.status, text, error: json?.error, session: answer.headers.get("x-session-id"),
    said: stream ? events.map(({ choices: [choice] }) => choice?.delta?.content ?? "").join("") : json?.choices?.[0].message.content,
  };
}

const sessionTests = {
  async "what was said goes in front of what is said, whole answers and streams alike"(world) {
    const system = { role: "system", content: "Be brief." }, expected = [];
    let session = null;
    for (const [i, stream] of [false, true, true, false].entries()) {
      const answer = await say(world, "talk", `turn ${i}`, session, { stream });
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.session, UUID);
      assert.equal(answer.session, session ?? answer.session);
      session = answer.session;
      expected.push({ role: "user", content: `<turn ${i}>` });
      assert.deepEqual((await sent(world)).messages, [system, ...expected]);
      assert.ok(answer.said.length > 0);
      expected.push({ role: "assistant", content: answer.said });
    }
    await world.restart();
    assert.equal((await say(world, "talk", "again", session)).status, 200);
    assert.deepEqual((await sent(world)).messages, [system, ...expected, { role: "user", content: "<again>" }]);
  },

  async "another dialect's provider, messages and tool calls"(world) {
    const first = await say(world, "translated", "one", null, { stream: true });
    const second = await say(world, "translated", "two", first.session);
    assert.equal(second.status, 200, second.text);
    assert.match(await world.mock.last(), new RegExp(`one[^]*${first.said.trim().split(" ")[0]}[^]*two`));
    const called = await call(world, "tools", { input: "x", tools }, { project: "p" });
    const { session } = { session: called.headers.get("x-session-id") };
    const [toolCall] = called.body.choices[0].message.tool_calls;
    const answered = await call(world, "tools", { messages: [{ role: "tool", tool_call_id: toolCall.id, content: "done" }], tools }, { project: "p", headers: { "x-session-id": session } });
    assert.equal(answered.status, 200, answered.text);
    const { messages } = await sent(world);
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "tool"]);
    assert.deepEqual(messages[1].tool_calls.map(({ id }) => id), [toolCall.id]);
  },

  async "its bounds leave the newest, from one of the user's on"(world) {
    const lengths = { short: [1, 3, 5, 5, 5], small: [1, 3, 5, 5, 5] };
    for (const slug of Object.keys(lengths)) {
      let session = null;
      const seen = [];
      for (let i = 0; i < 5; i++) {
        session = (await say(world, slug, `turn ${i}`, session)).session;
        const { messages } = await sent(world);
        seen.push(messages.length);
        assert.equal(messages[0].role, "user");
        assert.equal(messages[messages.length - 1].content, `turn ${i}`);
      }
      if (slug === "short") assert.deepEqual(seen, lengths.short);
      else assert.ok(Math.max(...seen) < 9, `${seen}`);
    }
  },

  async "a session is its key's and its endpoint's alone, and ends with its time"(world) {
    const { session } = await say(world, "talk", "x", null);
    for (const [slug, options] of [["talk", { key: "pg_live_second" }], ["other", {}]]) {
      const answer = await say(world, slug, "x", session, options);
      assert.deepEqual([answer.status, answer.error.code, answer.error.param], [404, "session_not_found", "X-Session-ID"], answer.text);
    }
    assert.equal((await say(world, "talk", "x", session)).status, 200);
    assert.equal((await say(world, "talk", "x", "00000000-0000-4000-8000-000000000000")).status, 404);
    assert.deepEqual([(await say(world, "talk", "x", "mine")).status, (await say(world, "talk", "x", "x".repeat(36))).status], [400, 400]);
    // An answer puts its end off; a call that is refused once its session was found does not.
    const brief = await say(world, "brief", "x", null);
    const look = () => call(world, "brief", { messages: [3] }, { project: "p", headers: { "x-session-id": brief.session } });
    assert.equal((await look()).status, 400);
    await eventually(async () => (await look()).status === 404, "the session's time is over");
  },

  async "what fails opens no session, and an endpoint without sessions has none"(world) {
    const failed = await say(world, "broken", "x", null);
    assert.deepEqual([failed.status, failed.session], [502, null]);
    const without = await say(world, "without", "x", null);
    assert.deepEqual([without.status, without.session], [200, null]);
    const forgetful = await say(world, "talk", "x", null, { key: "pg_live_forgetful", project: "f" });
    assert.deepEqual([forgetful.status, forgetful.session], [200, null], forgetful.text);
    const refused = await say(world, "talk", "x", "00000000-0000-4000-8000-000000000000", { key: "pg_live_forgetful", project: "f" });
    assert.deepEqual([refused.status, refused.error.code], [400, "conversation_store"]);
  },
};

const openBounded = (build) =>
  openWorld(build, { shards: 2, extraProviders: other, extraModels: boundedModels, extra: boundedKeys + bounded });

const open = (build) => openWorld(build, { shards: 2, extraProviders, extraModels, extra: keys + setup });

export const suites = [
  { name: "endpoints", open, tests: calls },
  { name: "endpoints, who may call", open, tests: access },
  { name: "endpoints, limits", open: openBounded, tests: limits },
  { name: "endpoints, budgets", open: openBounded, tests: budgets },
  { name: "endpoints, after a crash", open: openCrashing, tests: crashed },
  { name: "endpoints, managed", open: openCrashing, tests: managed },
  { name: "endpoints, schemas", open: openSchemas, tests: schemaTests },
  {
    name: "endpoints, sessions",
    open: (build) => openCrashing(build, { extraProviders, extraModels, extra: sessionKeys + sessionSetup }),
    tests: sessionTests,
  },
  { name: "endpoints, routes", open: openBounded, tests: routes },
];
