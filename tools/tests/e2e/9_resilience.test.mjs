// What clients see of providers that fail: each fault in each place of the chain, for each client, unary and streaming.
import assert from "node:assert/strict";
import http from "node:http";
import { KEY, MASTER_KEY, PATIENT, chat, forgive, openWorld, post } from "./harness.mjs";

// What a chain of providers that all fail like this ends with. `error` is the last attempt's in the receipt; `refused`: the request is to
// blame, so that no other provider is asked; `late`: of a stream some content is out by then; `unary`, `stream`: only there it is a fault.
const TYPES = { 429: "rate_limit_exceeded", 502: "upstream_error", 503: "overloaded", 504: "upstream_timeout" };
const FAULTS = [
  { fault: "status-400", status: 400, error: "refused_request", refused: true },
  { fault: "status-413", status: 413, error: "refused_request", refused: true },
  { fault: "status-422", status: 422, error: "refused_request", refused: true },
  { fault: "status-401", status: 502, error: "credential" },
  { fault: "status-402", status: 502, error: "credential" },
  { fault: "status-403", status: 502, error: "credential" },
  { fault: "status-404", status: 502, error: "status" },
  { fault: "status-408", status: 504, error: "status_timeout" },
  { fault: "status-409", status: 502, error: "status" },
  { fault: "status-424", status: 502, error: "status" },
  { fault: "status-429", status: 429, error: "rate_limited" },
  { fault: "retry-after-7", status: 429, error: "rate_limited" },
  { fault: "status-500", status: 502, error: "status" },
  { fault: "status-502", status: 502, error: "status" },
  { fault: "status-503", status: 503, error: "overloaded" },
  { fault: "status-504", status: 504, error: "status_timeout" },
  { fault: "status-529", status: 503, error: "overloaded" },
  { fault: "refuse", status: 502, error: "send" },
  { fault: "reset", status: 502, error: "send" },
  { fault: "stall-head", status: 504, error: { unary: "head_timeout", stream: "first_token_timeout" } },
  { fault: "stall-body", status: 504, error: "idle_timeout", late: true },
  { fault: "truncated", status: 502, error: "truncated", late: true },
  { fault: "cut", status: 502, error: "truncated", late: true },
  { fault: "invalid-json", status: 502, error: { unary: "bad_answer", stream: "broken_stream" }, late: true },
  { fault: "error-event", status: 502, error: "stream_error", late: true, only: "stream" },
  { fault: "no-done", status: 502, error: "broken_stream", late: true, only: "stream" },
];

// Which of the three candidates fail.
const PLACES = { first: [1, 0, 0], middle: [0, 1, 0], last: [0, 0, 1], "first two": [1, 1, 0], "first and last": [1, 0, 1], all: [1, 1, 1] };

// The second provider speaks Anthropic's dialect, so that each client has a neighbour that speaks its own and one that does not.
const KINDS = ["openai_compatible", "anthropic", "openai_compatible"];
const PRICE = "price: { input: 1, output: 2 }";

const CLIENTS = {
  openai: {
    target: "/v1/chat/completions",
    body: (model, more) => chat(model, more),
    text: (answer) => answer.choices[0].message.content,
    error: (answer) => answer.error,
    ends: (text) => text.endsWith("data: [DONE]\n\n"),
  },
  anthropic: {
    target: "/v1/messages",
    body: (model, more) => ({ ...chat(model, more), max_tokens: 100 }),
    text: (answer) => answer.content[0].text,
    error: (answer) => (assert.equal(answer.type, "error"), answer.error),
    ends: (text) => text.includes("event: message_stop"),
  },
};

const CELLS = FAULTS.flatMap((row) => ["unary", "stream"].filter((how) => (row.only ?? how) === how)
  .flatMap((how) => Object.keys(CLIENTS).map((client) => ({ ...row, how, client, name: `${row.fault}-${how}-${client}` }))));

// Each cell has a credential of its own at each provider, since what a provider says of one holds for all that uses it.
function openMatrix(build) {
  const provider = (kind, index) => `  - name: place-${index}
    kind: ${kind}
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [${CELLS.map(({ name }) => `{ name: ${name}, api_key: upstream-secret }`).join(", ")}]
    timeouts: { connect_ms: 1500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 20000 }
`;
  const model = (id, index, name, upstream) =>
    `  - { id: ${id}, deployments: [{ provider: place-${index}, credential: ${name}, upstream_model: ${upstream} }], ${PRICE} }\n`;
  return openWorld(build, {
    keepaliveMs: 15000,
    extraProviders: KINDS.map(provider).join(""),
    extraModels: CELLS.flatMap(({ fault, name }) => KINDS.flatMap((_, index) =>
      [model(`good/${name}-${index}`, index, name, "mock"), model(`bad/${name}-${index}`, index, name, `mock-${fault}`)])).join(""),
    extra: `routing: { ${PATIENT} }\n`,
  });
}

async function ask(world, { how, client, name }, mask) {
  const { target, body } = CLIENTS[client], models = mask.map((bad, index) => `${bad ? "bad" : "good"}/${name}-${index}`);
  const answer = await post(world, target, body(models[0], { stream: how === "stream", "x-fallback-chain": models.slice(1) }));
  const text = await answer.text(), id = answer.headers.get("x-request-id");
  const receipt = await (await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })).json();
  return { status: answer.status, retries: answer.headers.get("x-gateway-retries"), text, receipt, models };
}

function expectServed(cell, { status, text, retries, receipt, models }, failures) {
  const client = CLIENTS[cell.client];
  assert.equal(status, 200, text);
  if (cell.how === "unary") assert.ok(client.text(JSON.parse(text)).length > 0);
  else assert.ok(client.ends(text) && !text.includes("\"error\""), text);
  assert.equal(retries, String(failures));
  assert.equal(receipt.status, 200);
  assert.equal(receipt.routing.winner, models[failures]);
  assert.equal(receipt.fallback.used, failures > 0);
}

// Behind its first content a stream's failure is an event; its status is the receipt's.
function expectFailed(cell, { status, text, receipt }, begun) {
  const client = CLIENTS[cell.client];
  assert.equal(status, begun ? 200 : cell.status, text);
  assert.equal(receipt.status, cell.status);
  const last = begun ? text.split("\n").filter((line) => line.startsWith("data: ")).at(-1).slice(6) : text;
  const error = client.error(JSON.parse(last));
  assert.ok(error.message.length > 0 && !text.includes("upstream-secret"), text);
  if (cell.client === "openai") assert.equal(error.type, TYPES[cell.status] ?? "invalid_request_error");
  if (begun) assert.ok(!client.ends(text), text);
}

async function check(world, cell, mask) {
  const result = await ask(world, cell, mask);
  const begun = cell.late && cell.how === "stream", stops = begun || cell.refused;
  const good = mask.indexOf(0), failures = mask[0] === 0 ? 0 : stops ? 1 : good < 0 ? 3 : good;
  if (mask[0] && (stops || good < 0)) expectFailed(cell, result, begun);
  else expectServed(cell, result, failures);
  const { attempts } = result.receipt.fallback, error = cell.error[cell.how] ?? cell.error;
  assert.deepEqual(attempts.map(({ model, credential, error: own }) => [model, credential, own]),
    result.models.slice(0, failures).map((model) => [model, cell.name, error]));
}

const matrix = Object.fromEntries(Object.entries(PLACES).map(([place, mask]) => [`every fault, of ${place}`, async (world) => {
  const problems = [];
  await Promise.all(CELLS.map((cell) => check(world, cell, mask).catch((error) => problems.push(`${cell.name}: ${error.message}`))));
  assert.equal(problems.length, 0, problems.join("\n"));
  await forgive(world);
}]));

// A call that names no model.
const messages = [{ role: "user", content: "Say hello." }];
const RULES = 'rules: [{ when: { input_tokens: { gte: 1000000 }, key_tag: { a: b }, time_of_day: "22:00-06:00" }, use: { priority: cost } }]';
const UNNAMED = [
  ["/v1/chat/completions", { messages }], ["/v1/chat/completions", { model: null, messages }], ["/v1/chat/completions", { messages, stream: true }],
  ["/v1/messages", { messages, max_tokens: 10 }], ["/v1/responses", { input: "Say hello." }],
  ["/v1/completions", { prompt: "Say" }], ["/v1/embeddings", { input: "hello" }],
];

const unnamed = {
  async "a call without a model is one for the default model, in each dialect"(world) {
    for (const [target, body] of UNNAMED) {
      const answer = await post(world, target, body), text = await answer.text();
      assert.equal(answer.status, 200, `${target}: ${text}`);
      assert.equal(answer.headers.get("x-gateway-decision"), "test/mock", target);
      assert.equal(JSON.parse(await world.mock.last()).model, "mock", target);
    }
  },

  async "the admin sees how requests are routed"(world) {
    const headers = { authorization: `Bearer ${MASTER_KEY}` };
    const answer = await fetch(`${world.base}/admin/routing`, { headers }), routing = await answer.json();
    assert.equal(answer.status, 200);
    assert.deepEqual([routing.object, routing.default_model, routing.stream_recovery, routing.hedge], ["routing", "test/mock", "none", { enabled: false, after_percentile: 95 }]);
    assert.deepEqual(routing.retries, { max_attempts: 3, budget_percent: 100 });
    const [{ when, use }] = routing.rules;
    assert.deepEqual([when.input_tokens.gte, when.key_tag, when.time_of_day, when.has_tools, use], [1000000, { a: "b" }, "22:00-06:00", null, { model: null, priority: "cost" }]);
    assert.equal((await fetch(`${world.base}/admin/routing`, { headers: { authorization: `Bearer ${KEY}` } })).status, 401);
    assert.equal((await fetch(`${world.base}/admin/routing`, { method: "PUT", headers, body: "{}" })).status, 405);
  },

  async "moderations have a default of their own, and an empty name is none"(world) {
    assert.equal((await post(world, "/v1/moderations", { input: "x" })).status, 404);
    assert.equal((await post(world, "/v1/chat/completions", { model: "", messages })).status, 400);
  },
};

const unnamedAuto = {
  async "without a word of the configuration it is auto, for chats"(world) {
    for (const [target, body] of UNNAMED.slice(0, -2)) {
      const answer = await post(world, target, body), text = await answer.text();
      assert.equal(answer.status, 200, `${target}: ${text}`);
      assert.notEqual(answer.headers.get("x-gateway-route-bucket"), "direct", target);
    }
    assert.equal((await post(world, "/v1/embeddings", { input: "hello" })).status, 400);
  },
};

// stream_recovery: continue. Providers of the test's own: what each is asked is kept, and each says its part of one sentence.
const PARTS = { broken: ["The quick ", "brown "], able: ["fox ", "jumps."], deaf: ["(from the beginning)"] };

function startParts() {
  const state = { asked: [], refuses: [] };
  const server = http.createServer((request, response) => {
    const name = request.url.split("/")[1], anthropic = request.url.endsWith("/messages");
    let text = "";
    request.on("data", (data) => (text += data));
    request.on("end", () => {
      state.asked.push({ name, ...JSON.parse(text) });
      if (state.refuses.includes(name)) {
        response.writeHead(500, { "content-type": "application/json" });
        response.end("{}");
        return;
      }
      const breaks = name.startsWith("broken"), parts = PARTS[name.replace(/\d/, "")];
      response.writeHead(200, { "content-type": "text/event-stream" });
      (anthropic ? sayAnthropic : sayOpenai)(response, parts, breaks);
      if (breaks) response.socket.end();
      else response.end();
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(Object.assign(state, {
    port: server.address().port,
    close: () => (server.closeAllConnections(), new Promise((done) => server.close(done))),
  }))));
}

function sayOpenai(response, parts, breaks) {
  const chunk = (delta, more = {}) => response.write(`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m",
    choices: [{ index: 0, delta, finish_reason: null, ...more }] })}\n\n`);
  chunk({ role: "assistant", content: "" });
  for (const content of parts) chunk({ content });
  if (breaks) return;
  chunk({}, { finish_reason: "stop" });
  const usage = { prompt_tokens: 30, completion_tokens: 2, total_tokens: 32 };
  response.write(`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "m", choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

function sayAnthropic(response, parts, breaks) {
  const say = (type, more = {}) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`);
  say("message_start", { message: { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null, stop_sequence: null,
    usage: { input_tokens: 30, output_tokens: 1 } } });
  say("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
  for (const text of parts) say("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
  if (breaks) return;
  say("content_block_stop", { index: 0 });
  say("message_delta", { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } });
  say("message_stop");
}

async function openParts(build) {
  const parts = await startParts();
  const names = ["broken1", "broken2", "able1", "able2", "deaf1"];
  const kind = (name) => (name.endsWith("2") ? "anthropic" : "openai_compatible");
  const provider = (name) => `  - { name: ${name}, kind: ${kind(name)}, base_url: "http://127.0.0.1:${parts.port}/${name}/v1", credentials: [{ api_key: k }] }\n`;
  const model = (name) => `  - { id: p/${name}, provider: ${name}, upstream_model: m, ${PRICE}, max_output_tokens: 100${name === "able1" ? ", capabilities: [chat, streaming, prefill, tools]" : ""} }\n`;
  const world = await openWorld(build, { extraProviders: names.map(provider).join(""), extraModels: names.map(model).join(""),
    extra: `routing: { stream_recovery: continue, ${PATIENT} }\n` });
  const { close } = world;
  return Object.assign(world, { parts, close: async () => {
    await close();
    await parts.close();
  } });
}

// Calls that need no second attempt, so that there is retry budget for those that do.
async function save(world) {
  for (let i = 0; i < 10; i++) await (await post(world, "/v1/chat/completions", chat("p/broken1"))).text();
}

async function askParts(world, client, names, more = {}) {
  Object.assign(world.parts, { asked: [], refuses: [], ...more.state });
  const models = names.map((name) => `p/${name}`);
  const answer = await post(world, CLIENTS[client].target, { ...CLIENTS[client].body(models[0], { stream: true, "x-fallback-chain": models.slice(1) }), ...more.body });
  const text = await answer.text();
  const receipt = await (await fetch(`${world.base}/admin/receipts/${answer.headers.get("x-request-id")}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })).json();
  const events = text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)));
  const said = events.map((event) => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? "").join("");
  return { text, events, said, receipt };
}

const recovery = {
  async "twice broken, twice continued"(world) {
    const { said, receipt } = await askParts(world, "openai", ["broken1", "broken2", "able1"]);
    assert.equal(said, "The quick brown The quick brown fox jumps.");
    assert.equal(receipt.fallback.attempts.length, 2);
    assert.equal(world.parts.asked[2].messages.at(-1).content, "The quick brown The quick brown");
  },

  async "a text that breaks off goes on at the next candidate that takes a begin, in one stream"(world) {
    for (const client of Object.keys(CLIENTS)) for (const broken of ["broken1", "broken2"]) for (const able of ["able1", "able2"]) {
      const name = `${client} ${broken} ${able}`;
      const { text, events, said, receipt } = await askParts(world, client, [broken, "deaf1", able]);
      assert.equal(said, "The quick brown fox jumps.", `${name}: ${text}`);
      assert.ok(CLIENTS[client].ends(text) && !text.includes("\"error\""), text);
      const begins = client === "openai" ? events.filter((event) => event.choices?.[0]?.delta?.role) : events.filter(({ type }) => type === "message_start");
      const ends = client === "openai" ? events.filter((event) => event.choices?.[0]?.finish_reason) : events.filter(({ type }) => type === "message_delta");
      assert.deepEqual([begins.length, ends.length], [1, 1], text);
      if (client === "anthropic") assert.equal(events.filter(({ type }) => type === "content_block_start").length, 1, text);
      // The white space at its end is not sent.
      assert.deepEqual(world.parts.asked.map(({ name: own }) => own), [broken, able]);
      const { role, content } = world.parts.asked[1].messages.at(-1);
      assert.deepEqual([role, typeof content === "string" ? content : content[0].text], ["assistant", "The quick brown"]);
      assert.equal(receipt.status, 200);
      assert.equal(receipt.routing.winner, `p/${able}`);
      assert.equal(receipt.routing.reason, "the next candidate continued a broken stream");
      assert.deepEqual(receipt.fallback.attempts.map(({ model, error }) => [model, error]), [[`p/${broken}`, "truncated"]]);
      // What the second told, and what is estimated of the first, or was told by it.
      const { prompt, completion, estimated } = receipt.execution.tokens;
      assert.ok(estimated && prompt > 30 && completion >= 2 + 4, JSON.stringify(receipt.execution.tokens));
      assert.ok(Math.abs(receipt.cost.total_usd - prompt * 1e-6 - completion * 2e-6) < 3e-9, JSON.stringify(receipt.cost));
    }
  },

  async "one that fails before it goes on is passed by, and when none is left the client is told of the break"(world) {
    for (const client of Object.keys(CLIENTS)) {
      await save(world);
      const served = await askParts(world, client, ["broken1", "able1", "able2"], { state: { refuses: ["able1"] } });
      assert.equal(served.said, "The quick brown fox jumps.", served.text);
      assert.deepEqual(served.receipt.fallback.attempts.map(({ error }) => error), ["truncated", "status"]);
      for (const names of [["broken1", "deaf1"], ["broken1", "able1"]]) {
        const { text, said, receipt } = await askParts(world, client, names, { state: { refuses: ["able1"] } });
        assert.equal(said, "The quick brown ", text);
        assert.ok(!CLIENTS[client].ends(text) && text.includes("\"error\""), text);
        assert.equal(receipt.status, 502);
        assert.ok(receipt.execution.tokens.completion >= 4 && receipt.cost.total_usd > 0);
      }
    }
  },

  async "what the gateway cannot say in its own words breaks as before"(world) {
    for (const body of [{ n: 2 }, { logprobs: true }, { tools: [] , n: 3 }]) {
      const { text } = await askParts(world, "openai", ["broken1", "able1"], { body });
      assert.ok(!text.includes("fox") && text.includes("\"error\""), text);
    }
  },

  async "streams that do not break are as they were"(world) {
    for (const client of Object.keys(CLIENTS)) for (const name of ["able1", "able2"]) {
      const { text, said } = await askParts(world, client, [name]);
      assert.equal(said, "fox jumps.");
      assert.ok(CLIENTS[client].ends(text));
    }
  },
};

export const suites = [
  { name: "fault matrix", open: openMatrix, tests: matrix },
  { name: "stream recovery", open: openParts, tests: recovery },
  { name: "default model", open: (build) => openWorld(build, { extra: `routing: { default_model: test/mock, ${PATIENT}, ${RULES} }\n` }), tests: unnamed },
  {
    name: "default model, auto",
    open: (build) => openWorld(build, { extraModels: `  - { id: fit, provider: mock, upstream_model: mock, ${PRICE}, quality: 0.99, context_window: 128000 }\n`,
      extra: `routing: { allowed_models: [fit], ${PATIENT} }\n` }),
    tests: unnamedAuto,
  },
];
