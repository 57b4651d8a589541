// Defined endpoints: what a call of one becomes, who may call it, what its receipt says.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, OTHER_KEY, PATIENT, openWorld, post, sse } from "./harness.mjs";

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

const open = (build) => openWorld(build, { shards: 2, extraProviders, extraModels, extra: keys + setup });

export const suites = [
  { name: "endpoints", open, tests: calls },
  { name: "endpoints, who may call", open, tests: access },
];
