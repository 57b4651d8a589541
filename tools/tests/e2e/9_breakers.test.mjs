// Breakers, cooldowns, credentials, the retry budget, bounds and balance, against a provider that does what the test tells it from one call to the next.
import assert from "node:assert/strict";
import http from "node:http";
import { KEY, MASTER_KEY, chat, eventually, forgive, openWorld, post, sse } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

// A provider under each path /NAME/v1. `behave(name, key, body)` gives { status, headers, hold }: hold is a promise to wait for.
function startProvider() {
  const state = { behave: () => ({}), calls: [], most: {}, now: {} };
  const server = http.createServer((request, response) => {
    const name = request.url.split("/")[1], key = request.headers.authorization?.slice(7);
    let text = "";
    request.on("data", (data) => (text += data));
    request.on("end", async () => {
      const body = JSON.parse(text);
      state.calls.push({ name, key, model: body.model });
      state.now[name] = (state.now[name] ?? 0) + 1;
      state.most[name] = Math.max(state.most[name] ?? 0, state.now[name]);
      const { status = 200, headers = {}, hold } = state.behave(name, key, body);
      await hold;
      state.now[name]--;
      const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
      const common = { id: "chatcmpl-1", created: 1, model: body.model };
      if (status === 200 && body.stream) {
        response.writeHead(200, { "content-type": "text/event-stream", ...headers });
        const choice = { index: 0, delta: { content: "hello" }, finish_reason: "stop" };
        response.end(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [choice], usage })}\n\ndata: [DONE]\n\n`);
        return;
      }
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(status === 200
        ? { ...common, object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }], usage }
        : { error: { message: "told to", type: "error", code: null, param: null } }));
    });
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => {
    state.port = server.address().port;
    state.close = () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    };
    resolve(state);
  }));
}

const PROVIDERS = ["one", "two", "three", "keys", "bounded", "gpu", "timed"];
const CREDENTIALS = { keys: "[{ name: first, api_key: first }, { name: second, api_key: second, weight: 0 }]" };
const MORE = { bounded: "max_concurrency: 2, ", gpu: "gpu: { max_concurrency: 1 }, ", timed: "timeouts: { head_ms: 500, first_token_ms: 500 }, " };

const MODELS = `
  - { id: t/one, provider: one, upstream_model: m }
  - { id: t/both, deployments: [{ provider: one, upstream_model: m }, { provider: two, upstream_model: m, weight: 0 }] }
  - { id: t/even, deployments: [{ provider: one, upstream_model: m }, { provider: two, upstream_model: m }] }
  - { id: t/keys, provider: keys, upstream_model: m }
  - { id: t/first, deployments: [{ provider: keys, credential: first, upstream_model: m }] }
  - { id: t/other, provider: keys, upstream_model: other }
  - { id: t/bounded, provider: bounded, upstream_model: m }
  - { id: t/gpu, deployments: [{ provider: two, upstream_model: m, weight: 100 }, { provider: gpu, upstream_model: m }] }
  - { id: t/two, provider: two, upstream_model: m }
  - { id: t/three, provider: three, upstream_model: m }
  - { id: t/rather-two, provider: three, upstream_model: m, fallback: [t/two] }
  - { id: t/hedged, provider: one, upstream_model: m, price: { input: 1, output: 1 }, fallback: [t/hedge-two, t/three] }
  - { id: t/hedge-two, provider: two, upstream_model: m, price: { input: 1, output: 1 } }
  - { id: t/chain, provider: timed, upstream_model: m, fallback: [t/two, t/three] }
  - { id: t/balanced, deployments: [{ provider: timed, upstream_model: m }, { provider: two, upstream_model: m }, { provider: three, upstream_model: m }] }
`;

function world(routing, shards = 1) {
  return async (build) => {
    const provider = await startProvider();
    const extraProviders = PROVIDERS.map((name) => `  - { name: ${name}, kind: openai_compatible, base_url: "http://127.0.0.1:${provider.port}/${name}/v1", `
      + `${MORE[name] ?? ""}credentials: ${CREDENTIALS[name] ?? "[{ api_key: k }]"} }\n`).join("");
    const opened = await openWorld(build, { shards, extraProviders, extraModels: MODELS.slice(1), extra: `routing: ${routing}\n` });
    const { close } = opened;
    return Object.assign(opened, {
      provider,
      close: async () => {
        await close();
        await provider.close();
      },
    });
  };
}

// Each test begins with a provider that does well and deployments with nothing against them.
async function fresh(world) {
  world.provider.behave = () => ({});
  await forgive(world);
  Object.assign(world.provider, { calls: [], most: {}, now: {} });
}

async function deployments(world) {
  return (await (await fetch(`${world.base}/admin/deployments`, admin)).json()).data;
}

const deployment = async (world, name) => (await deployments(world)).find(({ deployment: own }) => own === name);

function act(world, action, name, body = JSON.stringify({ deployment: name })) {
  return fetch(`${world.base}/admin/deployments/${action}`, { method: "POST", headers: { ...admin.headers, "content-type": "application/json" }, body });
}

async function ask(world, model, more = {}) {
  const answer = await post(world, "/v1/chat/completions", chat(model, more));
  const text = more.stream ? (await sse(answer)).text : await answer.text();
  return { status: answer.status, error: text.startsWith("{") ? JSON.parse(text).error : undefined, headers: answer.headers, text };
}

async function receipt(world, { headers }) {
  const own = await (await fetch(`${world.base}/admin/receipts/${headers.get("x-request-id")}`, admin)).json();
  return { ...own, verdicts: own.routing.candidates.map(({ model, verdict }) => `${model} ${verdict}`) };
}

// On a connection of its own, so that one call after the other comes to every shard.
function apart(world, model) {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const request = http.request(`${world.base}/v1/chat/completions`, { method: "POST", agent: false, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject);
    request.end(JSON.stringify(chat(model)));
  });
}

const times = async (count, call) => {
  const results = [];
  for (let i = 0; i < count; i++) results.push(await call());
  return results;
};

const failing = (...names) => (name) => (names.includes(name) ? { status: 500 } : {});

const breakers = {
  async "opens at failures in a row, is left alone, probes, and closes"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    for (const answer of await times(3, () => ask(world, "t/one"))) assert.equal(answer.status, 502);
    assert.equal((await deployment(world, "one/default/m")).breaker, "open");
    const refused = await ask(world, "t/one");
    assert.equal(refused.status, 503);
    assert.equal(refused.error.code, "no_deployment");
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    assert.deepEqual((await receipt(world, refused)).verdicts, ["t/one breaker_open"]);
    assert.equal(world.provider.calls.length, 3);
    // It fails its probe, and is open again; then it is well, and two probes close it.
    await eventually(async () => (await ask(world, "t/one")).status === 502, "a probe that fails");
    assert.equal((await ask(world, "t/one")).status, 503);
    world.provider.behave = () => ({});
    await eventually(async () => (await ask(world, "t/one")).status === 200, "a probe that succeeds");
    assert.equal((await deployment(world, "one/default/m")).breaker, "half_open");
    assert.equal((await ask(world, "t/one")).status, 200);
    assert.equal((await deployment(world, "one/default/m")).breaker, "closed");
    const metrics = await (await fetch(`${world.base}/metrics`)).text();
    assert.match(metrics, /^tollgate_deployment_breaker\{deployment="one\/default\/m"\} 0$/m);
    assert.match(metrics, /^tollgate_deployment_breaker_openings_total\{deployment="one\/default\/m"\} 2$/m);
  },

  async "half open, one probe goes at a time"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    await times(3, () => ask(world, "t/one"));
    let release, reached;
    const hold = new Promise((resolve) => (release = resolve)), there = new Promise((resolve) => (reached = resolve));
    world.provider.behave = () => {
      reached();
      return { hold };
    };
    const answers = [];
    const asking = eventually(async () => {
      answers.push(await ask(world, "t/one"));
      return answers.at(-1).status === 200;
    }, "the probe");
    await there;
    const before = world.provider.calls.length;
    for (const { status } of await times(4, () => ask(world, "t/one"))) assert.equal(status, 503);
    assert.equal(world.provider.calls.length, before);
    release();
    await asking;
  },

  async "with another deployment no client sees a failure, and none is tried once the breaker is open"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    for (const stream of [false, true]) for (const { status } of await times(5, () => ask(world, "t/both", { stream }))) assert.equal(status, 200);
    const answer = await ask(world, "t/both");
    const { verdicts, fallback, execution } = await receipt(world, answer);
    if (fallback.attempts.length === 0) assert.deepEqual(verdicts, ["t/both breaker_open", "t/both chosen"]);
    assert.equal(execution.provider, "two");
    assert.equal((await deployment(world, "two/default/m")).failures, 0);
  },

  async "requests that a provider refuses are no failures"(world) {
    await fresh(world);
    for (const status of [400, 413, 422, 404]) {
      world.provider.behave = () => ({ status });
      await times(4, () => ask(world, "t/one"));
    }
    assert.equal((await deployment(world, "one/default/m")).breaker, "closed");
  },

  async "a client that leaves is no failure, and gives its place back"(world) {
    await fresh(world);
    let reached, release;
    for (let i = 0; i < 4; i++) {
      const there = new Promise((resolve) => (reached = resolve)), hold = new Promise((resolve) => (release = resolve));
      world.provider.behave = () => {
        reached();
        return { hold };
      };
      const abort = new AbortController();
      const call = post(world, "/v1/chat/completions", chat("t/bounded"), { signal: abort.signal }).catch(() => null);
      await there;
      abort.abort();
      await call;
      await eventually(async () => (await deployment(world, "bounded/default/m")).in_flight === 0, "its call ended");
      release();
    }
    assert.equal((await deployment(world, "bounded/default/m")).failures, 0);
    world.provider.behave = () => ({});
    assert.equal((await ask(world, "t/bounded")).status, 200);
  },
};

const credentials = {
  async "429 with Retry-After cools the credential; the next one serves; it is no failure"(world) {
    await fresh(world);
    world.provider.behave = (name, key) => (key === "first" ? { status: 429, headers: { "retry-after": "60" } } : {});
    const answer = await ask(world, "t/keys");
    assert.equal(answer.status, 200);
    assert.equal((await receipt(world, answer)).execution.credential, "second");
    assert.deepEqual((await receipt(world, await ask(world, "t/keys"))).verdicts, ["t/keys cooling", "t/keys chosen"]);
    // All models of the credential cool.
    assert.deepEqual((await receipt(world, await ask(world, "t/other"))).verdicts, ["t/other cooling", "t/other chosen"]);
    assert.equal(world.provider.calls.filter(({ key }) => key === "first").length, 1);
    const alone = await ask(world, "t/first");
    assert.equal(alone.status, 429);
    assert.equal(alone.error.code, "upstream_rate_limited");
    assert.ok(Number(alone.headers.get("retry-after")) > 30);
    const own = await deployment(world, "keys/first/m");
    assert.equal(own.state, "cooling");
    assert.equal(own.breaker, "closed");
    assert.equal(own.failures, 0);
  },

  async "401 and 403 fail over to the next credential, and leave the first alone"(world) {
    for (const status of [401, 403]) {
      await fresh(world);
      world.provider.behave = (name, key) => (key === "first" ? { status } : {});
      for (const { status: own } of await times(3, () => ask(world, "t/keys"))) assert.equal(own, 200);
      assert.deepEqual(world.provider.calls.map(({ key }) => key), ["first", "second", "second", "second"], status);
      const alone = await ask(world, "t/first");
      assert.equal(alone.status, 502);
      assert.equal(alone.error.code, "upstream_auth_error");
      assert.deepEqual((await receipt(world, alone)).verdicts, ["t/first no_credential"]);
      // 401 is about the credential, 403 about this model.
      const [{ key }] = (world.provider.calls.length = 0, await ask(world, "t/other"), world.provider.calls);
      assert.equal(key, status === 401 ? "second" : "first");
    }
  },

  async "what a provider says is left keeps a call from a 429"(world) {
    await fresh(world);
    const headers = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "30s" };
    world.provider.behave = (name, key) => (key === "first" ? { headers } : {});
    assert.equal((await ask(world, "t/keys")).status, 200);
    const second = await ask(world, "t/keys");
    assert.equal((await receipt(world, second)).execution.credential, "second");
    assert.deepEqual((await receipt(world, second)).verdicts, ["t/keys limited", "t/keys chosen"]);
    assert.equal((await ask(world, "t/first")).status, 429);
  },
};

const balance = {
  async "two deployments share the load"(world) {
    await fresh(world);
    for (let round = 0; round < 20; round++) {
      const stream = round % 2 === 1;
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(world, "t/even", { stream })));
      for (const { status } of answers) assert.equal(status, 200);
    }
    const share = world.provider.calls.filter(({ name }) => name === "one").length;
    assert.ok(share >= 20 && share <= 180, `${share} of 200`);
  },

  async "max_concurrency bounds a provider's calls over all shards"(world) {
    await fresh(world);
    let release;
    const hold = new Promise((resolve) => (release = resolve));
    world.provider.behave = () => ({ hold });
    const refused = [];
    const calls = Array.from({ length: 6 }, async () => {
      const answer = await ask(world, "t/bounded");
      if (answer.status === 503) refused.push(answer);
      return answer;
    });
    await eventually(() => world.provider.calls.length === 2 && refused.length === 4, "two calls, and four that are refused");
    assert.deepEqual((await receipt(world, refused[0])).verdicts, ["t/bounded limited"]);
    release();
    const statuses = (await Promise.all(calls)).map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 200, 503, 503, 503, 503]);
    assert.equal(world.provider.most.bounded, 2);
  },

  async "own hardware is filled first, and flows over"(world) {
    await fresh(world);
    await times(3, () => ask(world, "t/gpu"));
    assert.deepEqual(world.provider.calls.map(({ name }) => name), ["gpu", "gpu", "gpu"]);
    let release;
    const hold = new Promise((resolve) => (release = resolve));
    world.provider.behave = (name) => (name === "gpu" ? { hold } : {});
    const held = ask(world, "t/gpu");
    await eventually(() => world.provider.calls.length === 4, "the first is there");
    assert.equal((await receipt(world, await ask(world, "t/gpu"))).execution.provider, "two");
    release();
    assert.equal((await held).status, 200);
  },
};

const operators = {
  async "a deployment that an operator disables is not called, until it is enabled"(world) {
    await fresh(world);
    const disabled = await act(world, "disable", "one/default/m");
    assert.equal(disabled.status, 200);
    assert.equal((await disabled.json()).state, "disabled");
    const answer = await ask(world, "t/both");
    assert.equal(answer.status, 200);
    assert.deepEqual((await receipt(world, answer)).verdicts, ["t/both disabled", "t/both chosen"]);
    assert.equal((await ask(world, "t/one")).status, 503);
    assert.equal((await act(world, "enable", "one/default/m")).status, 200);
    assert.equal((await ask(world, "t/one")).status, 200);
  },

  async "enabling forgets what is held against it"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    await eventually(async () => (await ask(world, "t/one")).status === 503, "a breaker that is open");
    world.provider.behave = () => ({});
    assert.equal((await act(world, "enable", "one/default/m")).status, 200);
    await eventually(async () => (await deployment(world, "one/default/m")).breaker === "closed", "closed on both shards");
    assert.equal((await ask(world, "t/one")).status, 200);
  },

  async "a reset forgets it too, leaves what is disabled disabled, and is in the audit log"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    await eventually(async () => (await ask(world, "t/one")).status === 503, "a breaker that is open");
    world.provider.behave = () => ({});
    assert.equal((await act(world, "disable", "one/default/m")).status, 200);
    assert.equal((await act(world, "reset", "one/default/m")).status, 200);
    await eventually(async () => (await deployment(world, "one/default/m")).breaker === "closed", "closed on both shards");
    assert.equal((await deployment(world, "one/default/m")).state, "disabled");
    assert.equal((await act(world, "enable", "one/default/m")).status, 200);
    assert.equal((await ask(world, "t/one")).status, 200);
    const { data } = await (await fetch(`${world.base}/admin/audit?object=one/default/m`, admin)).json();
    const { before, after } = data.find(({ action }) => action === "deployment.reset");
    assert.deepEqual([before, after], [{ breaker: "open" }, { breaker: "closed" }]);
  },

  async "the list shows models, times and counts"(world) {
    await fresh(world);
    await ask(world, "t/one");
    await ask(world, "t/one", { stream: true });
    const own = await deployment(world, "one/default/m");
    assert.deepEqual(own.models, ["t/one", "t/both", "t/even", "t/hedged"]);
    assert.equal(own.state, "in_use");
    assert.equal(own.in_flight, 0);
    assert.ok(own.ewma_ms.unary > 0 && own.ewma_ms.first_token > 0);
  },

  async "names that are none, bodies that are none, callers that may not"(world) {
    for (const action of ["disable", "enable", "reset"]) {
      assert.equal((await act(world, action, "one/default/other")).status, 404);
      for (const body of ["", "[]", "{}", "{\"deployment\":5}", "{", "\"one\""]) assert.equal((await act(world, action, "", body)).status, 400, body);
      assert.equal((await fetch(`${world.base}/admin/deployments/${action}`, { method: "POST", body: "{}" })).status, 401);
      assert.equal((await fetch(`${world.base}/admin/deployments/${action}`, admin)).status, 405);
    }
    assert.equal((await fetch(`${world.base}/admin/deployments`)).status, 401);
  },
};

// From some moment on one of three providers does not answer any more, or in vain.
const waves = async (count, call) => (await times(count, () => Promise.all(Array.from({ length: 10 }, call)))).flat();
const OUTAGES = { "fails": { status: 500 }, "is silent": { hold: new Promise(() => {}) }, "has lost its credential": { status: 401 } };

const outage = Object.fromEntries(Object.entries(OUTAGES).flatMap(([how, behaviour]) => [
  [`one of three ${how}: its failures in a row are all that goes there, and no client sees one`, async (world) => {
    await fresh(world);
    for (const { status } of await times(6, () => ask(world, "t/chain"))) assert.equal(status, 200);
    assert.deepEqual(new Set(world.provider.calls.map(({ name }) => name)), new Set(["timed"]));
    Object.assign(world.provider, { calls: [], behave: (name) => (name === "timed" ? behaviour : {}) });
    // Each call waits for it once at most: what is added to its time is one timeout, and nothing once the breaker is open.
    const most = behaviour.status === 401 ? 1 : 3, attempts = [];
    for (let i = 0; i < 12; i++) {
      const answer = await ask(world, "t/chain", { stream: i % 2 === 1 });
      assert.equal(answer.status, 200, answer.text);
      attempts.push((await receipt(world, answer)).fallback.attempts.length);
    }
    assert.deepEqual(attempts, Array.from({ length: 12 }, (_, i) => (i < most ? 1 : 0)));
    assert.equal(world.provider.calls.filter(({ name }) => name === "timed").length, most);
  }],
  [`one of three ${how}, where all share the load: what is under way comes to it, then nothing`, async (world) => {
    await fresh(world);
    for (const { status } of await waves(3, () => ask(world, "t/balanced"))) assert.equal(status, 200);
    Object.assign(world.provider, { calls: [], behave: (name) => (name === "timed" ? behaviour : {}) });
    for (const answer of await waves(12, () => ask(world, "t/balanced", { stream: world.provider.calls.length % 2 === 1 }))) {
      assert.equal(answer.status, 200, answer.text);
      assert.ok((await receipt(world, answer)).fallback.attempts.length <= 1);
    }
    // A wave comes before its first failure is known; then it counts as slow, and soon as broken.
    const there = world.provider.calls.filter(({ name }) => name === "timed").length;
    assert.ok(there <= 10 + 3, `${there} calls`);
  }],
]));

const probes = {
  async "what is open is called again by probes alone, one for each time that it opens"(world) {
    await fresh(world);
    world.provider.behave = failing("timed");
    const openings = async () => (await deployment(world, "timed/default/m")).breaker_openings;
    const before = await openings();
    await eventually(async () => {
      assert.equal((await ask(world, "t/chain")).status, 200);
      return (await openings()) >= before + 3;
    }, "two probes that fail");
    const calls = world.provider.calls.filter(({ name }) => name === "timed").length;
    assert.equal(calls, 3 + (await openings()) - before - 1);
  },
};

const storm = {
  async "under total failure providers get a fifth more than clients send, once the first few retries are spent"(world) {
    await fresh(world);
    world.provider.behave = () => ({ status: 500 });
    await waves(10, () => ask(world, "t/even"));
    world.provider.calls.length = 0;
    await waves(30, () => ask(world, "t/even"));
    const calls = world.provider.calls.length, metrics = await (await fetch(`${world.base}/metrics`)).text();
    // The second in which it began may have had more than its share, or less.
    assert.ok(calls >= 300 * 1.1 && calls <= 300 * 1.2 + 10, `${calls} calls for 300`);
    assert.match(metrics, /^tollgate_retries_refused_total [1-9]/m);
  },
};

const unbound = {
  async "without a budget that binds, the same count shows it"(world) {
    await fresh(world);
    world.provider.behave = () => ({ status: 500 });
    await waves(10, () => ask(world, "t/even"));
    assert.equal(world.provider.calls.length, 200);
  },
};

const told = {
  async "a breaker that opened on one shard is open on the others"(world) {
    await fresh(world);
    world.provider.behave = failing("one");
    let failed = 0;
    const statuses = await times(40, async () => {
      const status = await apart(world, "t/one");
      failed += status === 502;
      return status;
    });
    assert.ok(failed <= 6, `${failed} calls failed`);
    assert.ok(statuses.slice(-10).every((status) => status === 503));
  },
};

const shared = {
  async "a share of failures that no shard sees enough of by itself opens the breaker on all"(world) {
    await fresh(world);
    let calls = 0;
    world.provider.behave = () => (calls++ % 2 ? { status: 500 } : {});
    // Twenty are enough, and what each shard has seen reaches the one that decides a little later.
    await times(24, () => apart(world, "t/three"));
    await eventually(async () => (await deployment(world, "three/default/m")).breaker === "open", "the share is known");
    // What fails only too often is a last resort: the call after next would be a probe of either shard.
    const { headers } = await ask(world, "t/rather-two");
    assert.deepEqual((await receipt(world, { headers })).verdicts, ["t/rather-two breaker_open", "t/two chosen"]);
    assert.equal((await deployment(world, "three/default/m")).breaker_openings, 1);
  },
};

const QUICK = "{ breaker: { consecutive_failures: 3, open_ms: 300 } }";
// The first of two is slow from some moment on: with hedging the second is asked beside it, seldom.
const metric = async (world, name) =>
  Number((await (await fetch(`${world.base}/metrics`)).text()).match(new RegExp(`^${name} (\\d+)$`, "m"))[1]);

// Until its times are known so well that calls leave some of what may be hedged: a twentieth of 40 is two.
async function learn(world, model, more) {
  for (let hedged = 2; hedged > 1;) {
    const before = await metric(world, "tollgate_hedges_total");
    for (const answer of await waves(4, () => ask(world, model, more))) assert.equal(answer.status, 200);
    hedged = (await metric(world, "tollgate_hedges_total")) - before;
  }
  world.provider.calls.length = 0;
}

const hedging = Object.fromEntries(["unary", "stream"].flatMap((how) => {
  const more = { stream: how === "stream" };
  return [
    [`${how}: a second attempt answers where the first is slow; both are on the receipt and the bill`, async (world) => {
      await fresh(world);
      let plain;
      do plain = await receipt(world, await ask(world, "t/hedged", more)); while (plain.fallback.attempts.length);
      await learn(world, "t/hedged", more);
      const won = await metric(world, "tollgate_hedges_won_total"), { failures } = await deployment(world, "one/default/m");
      let release;
      const hold = new Promise((resolve) => (release = resolve));
      world.provider.behave = (name) => (name === "one" ? { hold } : {});
      const answer = await ask(world, "t/hedged", more), own = await receipt(world, answer);
      release();
      assert.equal(answer.status, 200, answer.text);
      assert.equal(own.execution.provider, "two");
      assert.deepEqual(own.fallback.attempts.map(({ provider, error, status }) => [provider, error, status]), [["one", "outrun", null]]);
      assert.deepEqual(own.verdicts, ["t/hedged slower", "t/hedge-two chosen"]);
      assert.equal(await metric(world, "tollgate_hedges_won_total"), won + 1);
      // The first prompt's tokens are estimated, and cost what the answer's do.
      const estimated = own.execution.tokens.prompt - plain.execution.tokens.prompt;
      assert.ok(estimated > 0 && own.execution.tokens.estimated);
      assert.ok(Math.abs(own.cost.total_usd - plain.cost.total_usd - estimated * 1e-6) < 2e-9, JSON.stringify(own.cost));
      await eventually(async () => (await deployment(world, "one/default/m")).in_flight === 0, "the loser is broken off");
      assert.equal((await deployment(world, "one/default/m")).failures, failures);
    }],
    [`${how}: the first answers after all, and has the client`, async (world) => {
      await fresh(world);
      await learn(world, "t/hedged", more);
      let release, reached;
      const hold = new Promise((resolve) => (release = resolve)), there = new Promise((resolve) => (reached = resolve));
      const never = new Promise(() => {});
      world.provider.behave = (name) => (name === "one" ? { hold } : (reached(), { hold: never }));
      const asking = ask(world, "t/hedged", more);
      await there;
      release();
      const answer = await asking, own = await receipt(world, answer);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(own.execution.provider, "one");
      assert.deepEqual(own.fallback.attempts.map(({ provider, error }) => [provider, error]), [["two", "outrun"]]);
    }],
    [`${how}: where one of both fails the other goes on, where both do the next is tried`, async (world) => {
      for (const [failing, served] of [[["one"], "two"], [["two"], "one"], [["one", "two"], "three"]]) {
        await fresh(world);
        await learn(world, "t/hedged", more);
        let fail, serve, reached;
        const failed = new Promise((resolve) => (fail = resolve)), free = new Promise((resolve) => (serve = resolve));
        const there = new Promise((resolve) => (reached = resolve));
        world.provider.behave = (name) => {
          if (name === "two") reached();
          return failing.includes(name) ? { hold: failed, status: 500 } : { hold: free };
        };
        const asking = ask(world, "t/hedged", more);
        await there;
        fail();
        for (const name of failing) await eventually(async () => (await deployment(world, `${name}/default/m`)).in_flight === 0, "it failed");
        serve();
        const answer = await asking, own = await receipt(world, answer);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(own.execution.provider, served);
        assert.deepEqual(own.fallback.attempts.map(({ provider, error }) => [provider, error]).sort(), failing.map((name) => [name, "status"]));
      }
    }],
    [`${how}: a client that leaves ends both`, async (world) => {
      await fresh(world);
      await learn(world, "t/hedged", more);
      let reached;
      const there = new Promise((resolve) => (reached = resolve)), never = new Promise(() => {});
      world.provider.behave = (name) => (name === "two" && reached(), { hold: never });
      const abort = new AbortController();
      const call = post(world, "/v1/chat/completions", chat("t/hedged", more), { signal: abort.signal }).catch(() => null);
      await there;
      abort.abort();
      await call;
      for (const name of ["one", "two"]) await eventually(async () => (await deployment(world, `${name}/default/m`)).in_flight === 0, "its call ended");
    }],
  ];
}));

Object.assign(hedging, {
  async "one of twenty at most is hedged"(world) {
    await fresh(world);
    await learn(world, "t/hedged");
    const before = await metric(world, "tollgate_hedges_total");
    world.provider.behave = (name) => (name === "one" ? { hold: new Promise((resolve) => setTimeout(resolve, 300)) } : {});
    for (const { status } of await waves(10, () => ask(world, "t/hedged"))) assert.equal(status, 200);
    // What was saved before counts: ten at most. What is broken off early may not have come.
    const hedges = (await metric(world, "tollgate_hedges_total")) - before;
    assert.ok(hedges <= 10 + 5, `${hedges} of 100`);
    assert.ok(world.provider.calls.length <= 100 + hedges);
  },
});

const unhedged = {
  async "unless it is switched on there is one attempt"(world) {
    await fresh(world);
    await learn(world, "t/hedged");
    world.provider.behave = (name) => (name === "one" ? { hold: new Promise((resolve) => setTimeout(resolve, 100)) } : {});
    for (const { status } of await waves(2, () => ask(world, "t/hedged"))) assert.equal(status, 200);
    assert.equal(world.provider.calls.length, 20);
  },
};

const RATE = "{ breaker: { consecutive_failures: 1000000, window_ms: 600000, open_ms: 600000 } }";
const NEVER = "breaker: { consecutive_failures: 1000000, min_requests: 1000000 }";
const SLOW = "{ breaker: { consecutive_failures: 3, open_ms: 60000 } }";

export const suites = [
  { name: "breakers", open: world(QUICK), tests: breakers },
  { name: "breakers' credentials", open: world(SLOW), tests: credentials },
  { name: "breakers' balance, 2 shards", open: world(SLOW, 2), tests: balance },
  { name: "breakers' operators", open: world(SLOW, 2), tests: operators },
  { name: "breakers, one of three", open: world(SLOW), tests: outage },
  { name: "hedging", open: world("{ hedge: { enabled: true, after_percentile: 99 }, breaker: { consecutive_failures: 1000000 }, retries: { budget_percent: 100 } }"), tests: hedging },
  { name: "no hedging", open: world(SLOW), tests: unhedged },
  { name: "breakers' probes", open: world(QUICK), tests: probes },
  { name: "breakers' retry budget", open: world(`{ ${NEVER} }`), tests: storm },
  { name: "breakers without a retry budget", open: world(`{ ${NEVER}, retries: { budget_percent: 100 } }`), tests: unbound },
  { name: "breakers over shards", open: world(SLOW, 2), tests: told },
  { name: "breakers over shards, by share", open: world(RATE, 2), tests: shared },
];
