// Limits of what is not a key: a provider's credential, a client's address, a workspace besides its plan.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, chat, openWorld, post } from "./harness.mjs";

const provider = (name, credentials, more = "") => `  - name: ${name}
    kind: openai_compatible
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [${credentials}]${more}
`;
const model = (id, more) => `  - { id: test/${id}, upstream_model: mock, price: { input: 1, output: 1 }, ${more} }\n`;

const call = async (world, model, { key = KEY, from = null, ...more } = {}) => {
  const headers = from ? { "x-forwarded-for": from } : {};
  const answer = await post(world, "/v1/chat/completions", chat(model, { max_tokens: 5, ...more }), { key, headers });
  const text = await answer.text();
  return {
    status: answer.status, text, error: answer.status === 200 ? null : JSON.parse(text).error,
    header: (name) => answer.headers.get(name),
    number: (name) => Number(answer.headers.get(name)),
  };
};

async function receiptOf(world, answer) {
  const id = answer.header("x-request-id");
  return (await fetch(`${world.base}/v1/receipts/${id}`, { headers: { authorization: `Bearer ${KEY}` } })).json();
}

async function metric(world, name) {
  const text = await (await fetch(`${world.base}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name} (\\d+)`, "m"))[1]);
}

// How many of `count` calls, many at a time, are answered; all others have to be refused as `check` says.
async function race(count, one, check) {
  let left = count, admitted = 0;
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) {
      const answer = await one();
      if (answer.status === 200) admitted++;
      else check(answer);
    }
  }));
  return admitted;
}

const credentials = {
  async "what one credential may not send goes with the next, and 429 when none is left"(world) {
    const used = [];
    for (let i = 0; i < 5; i++) {
      const answer = await call(world, "test/two");
      assert.equal(answer.status, 200, answer.text);
      used.push((await receiptOf(world, answer)).execution.credential);
    }
    assert.deepEqual([used.filter((name) => name === "three").length, used.filter((name) => name === "two").length], [3, 2]);
    const refused = await call(world, "test/two");
    assert.equal(refused.status, 429, refused.text);
    assert.equal(refused.error.type, "rate_limit_exceeded");
    assert.equal(refused.error.code, "upstream_rate_limited");
    assert.equal(refused.number("retry-after"), refused.error.retry_after_seconds);
    assert.ok(refused.error.retry_after_seconds >= 55 && refused.error.retry_after_seconds <= 62, refused.text);
    const receipt = await receiptOf(world, refused);
    assert.deepEqual(receipt.routing.candidates.map((one) => one.verdict), ["limited", "limited"]);
    assert.equal(receipt.fallback.attempts.length, 0);
  },

  async "a candidate whose credential is used up is left aside for the model's fallback"(world) {
    const first = await call(world, "test/falls-back"), second = await call(world, "test/falls-back");
    assert.deepEqual([first.header("x-gateway-decision"), second.header("x-gateway-decision")], ["test/falls-back", "test/mock"]);
    const { routing } = await receiptOf(world, second);
    assert.deepEqual(routing.candidates, [{ model: "test/falls-back", verdict: "limited" }, { model: "test/mock", verdict: "chosen" }]);
    const streamed = await post(world, "/v1/chat/completions", chat("test/falls-back", { stream: true }));
    assert.match(await streamed.text(), /data: \[DONE\]/);
    assert.equal(streamed.headers.get("x-gateway-decision"), "test/mock");
  },

  async "tokens of a credential: reserved, settled, and free again when a call fails"(world) {
    const body = chat("test/tokens", { max_tokens: 40 });
    const asked = Math.ceil(JSON.stringify(body).length / 4) + 40;
    const ask = () => call(world, "test/tokens", { max_tokens: 40 });
    assert.equal((await call(world, "test/tokens-broken", { max_tokens: 40 })).status, 502, "what failed used no tokens");
    let used = 0, answers = 0;
    for (;;) {
      const answer = await ask();
      if (answer.status !== 200) {
        assert.equal(answer.status, 429, answer.text);
        break;
      }
      used += JSON.parse(answer.text).usage.total_tokens;
      answers++;
    }
    assert.ok(answers > 1 && used <= 300 && used + asked > 300, `${answers} answers, ${used} of 300 tokens`);
  },

  async "many connections, all shards: exactly the limit reaches the provider"(world) {
    const before = (await world.mock.stats()).requests;
    const admitted = await race(900, () => call(world, "test/racing"), (answer) => {
      assert.equal(answer.status, 429, answer.text);
      assert.equal(answer.error.code, "upstream_rate_limited");
    });
    assert.equal(admitted, 300);
    assert.equal((await world.mock.stats()).requests - before, 300);
    assert.ok(await metric(world, "tollgate_credentials_limited_total") >= 600);
  },
};

const addresses = {
  async "each address has its own limit, whatever key it uses"(world) {
    for (let left = 2; left >= 0; left--) {
      const answer = await call(world, "test/mock", { from: "10.0.0.1", key: left ? KEY : "own-key" });
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual([answer.header("x-ratelimit-limit"), answer.number("x-ratelimit-remaining")], ["3", left]);
    }
    const refused = await call(world, "test/mock", { from: "10.0.0.1" });
    assert.equal(refused.status, 429, refused.text);
    assert.equal(refused.header("x-gateway-limit-kind"), "rpm");
    assert.match(refused.error.message, /limit of your address is reached: 3 requests a minute/);
    assert.ok(refused.number("retry-after") >= 55 && refused.number("retry-after") <= 62);
    const other = await call(world, "test/mock", { from: "10.0.0.2" });
    assert.deepEqual([other.status, other.number("x-ratelimit-remaining")], [200, 2]);
  },

  async "the tighter of address and key is told, and who the key refuses costs the address nothing"(world) {
    const first = await call(world, "test/mock", { from: "10.0.0.3", key: "single-key" });
    assert.deepEqual([first.status, first.header("x-ratelimit-limit"), first.number("x-ratelimit-remaining")], [200, "1", 0]);
    for (let i = 0; i < 4; i++) {
      const refused = await call(world, "test/mock", { from: "10.0.0.3", key: "single-key" });
      assert.equal(refused.status, 429);
      assert.match(refused.error.message, /limit of this API key/);
    }
    const answer = await call(world, "test/mock", { from: "10.0.0.3" });
    assert.deepEqual([answer.status, answer.number("x-ratelimit-remaining")], [200, 1]);
  },

  async "an IPv6 address counts with its /64, and only a trusted proxy says who it is"(world) {
    for (const from of ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"])
      assert.equal((await call(world, "test/mock", { from })).status, 200);
    assert.equal((await call(world, "test/mock", { from: "2001:db8::4" })).status, 429);
    assert.equal((await call(world, "test/mock", { from: "2001:db8:0:1::1" })).status, 200);
    // What stands before the proxy's own word is the client's invention.
    assert.equal((await call(world, "test/mock", { from: "9.9.9.9, 10.0.0.1" })).status, 429);
  },

  async "many connections, all shards: exactly as many as each address may"(world) {
    let turn = 0;
    const perAddress = new Map();
    const admitted = await race(200, async () => {
      const from = `10.1.0.${turn++ % 10}`, answer = await call(world, "test/mock", { from });
      if (answer.status === 200) perAddress.set(from, (perAddress.get(from) ?? 0) + 1);
      return answer;
    }, (answer) => assert.equal(answer.header("x-gateway-limit-kind"), "rpm", answer.text));
    assert.equal(admitted, 30);
    assert.deepEqual([...perAddress.values()], Array(10).fill(3));
  },
};

const concurrency = {
  async "an address's requests at once: the place is free again when the answer is there"(world) {
    const from = "10.0.0.9";
    const answers = await Promise.all(Array.from({ length: 12 }, () => call(world, "test/mock-slow-150", { from })));
    assert.ok(answers.filter(({ status }) => status === 200).length >= 2);
    for (const answer of answers)
      if (answer.status !== 200) assert.equal(answer.header("x-gateway-limit-kind"), "concurrency", answer.text);
    const again = await Promise.all([1, 2].map(() => call(world, "test/mock", { from })));
    assert.deepEqual(again.map(({ status }) => status), [200, 200]);
  },
};

const workspaces = {
  async "a workspace's own limit and its plan's are counted apart, and the tightest answers"(world) {
    const seen = [];
    for (let i = 0; i < 3; i++) {
      const answer = await call(world, "test/mock", { key: i % 2 ? "guest-key" : "other-guest-key" });
      seen.push([answer.status, answer.header("x-ratelimit-limit"), answer.number("x-ratelimit-remaining")]);
    }
    assert.deepEqual(seen, [[200, "3", 2], [200, "3", 1], [200, "3", 0]]);
    const refused = await call(world, "test/mock", { key: "guest-key" });
    assert.equal(refused.status, 429);
    assert.match(refused.error.message, /limit of this workspace is reached: 3 requests a minute/);
    const planned = [];
    for (let i = 0; i < 3; i++) planned.push(await call(world, "test/mock", { key: "planned-key" }));
    assert.deepEqual(planned.map(({ status }) => status), [200, 200, 429]);
    assert.match(planned[2].error.message, /limit of this workspace's plan is reached: 2 requests a minute/);
  },

  async "the admin API sets them"(world) {
    const admin = (method, path, body) => fetch(`${world.base}${path}`, {
      method, body: JSON.stringify(body), headers: { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" },
    });
    assert.equal((await admin("POST", "/admin/workspaces", { id: "made", limits: { rpm: 1 } })).status, 201);
    const key = await (await admin("POST", "/admin/keys", { name: "in", workspace: "made" })).json();
    const ask = async () => (await call(world, "test/mock", { key: key.secret ?? key.key })).status;
    assert.deepEqual([await ask(), await ask()], [200, 429]);
    const patched = await admin("PATCH", "/admin/workspaces/made", { limits: { rpm: 2 } });
    assert.equal(patched.status, 200);
    assert.equal((await patched.json()).limits.rpm, 2);
    assert.deepEqual([await ask(), await ask()], [200, 429], "what was used stays used");
    const wrong = await admin("PATCH", "/admin/workspaces/made", { limits: { rpm: -1 } });
    assert.equal(wrong.status, 400);
    assert.equal((await wrong.json()).error.param, "limits.rpm");
  },
};

const upstreams = {
  extraProviders: provider("mock-two", "{ name: three, api_key: upstream-secret, limits: { rpm: 3 } }, { name: two, api_key: upstream-secret, limits: { rpm: 2 } }")
    + provider("mock-one", "{ name: one, api_key: upstream-secret, limits: { rpm: 1 } }")
    + provider("mock-tokens", "{ name: some, api_key: upstream-secret, limits: { tpm: 300 } }")
    + provider("mock-racing", "{ name: many, api_key: upstream-secret, limits: { rpm: 300 } }"),
  extraModels: model("two", "provider: mock-two") + model("falls-back", "provider: mock-one, fallback: [test/mock]")
    + model("tokens", "provider: mock-tokens") + model("racing", "provider: mock-racing")
    + "  - { id: test/tokens-broken, provider: mock-tokens, upstream_model: mock-refuse, price: { input: 1, output: 1 } }\n",
};
const trusted = (limits) => ({
  http: `, trusted_proxies: [127.0.0.1], limits_per_ip: { ${limits} }`,
  extra: "  - { name: own, secret: own-key }\n  - { name: single, secret: single-key, limits: { rpm: 1 } }\n",
});
const tenants = {
  extra: `  - { name: guest, secret: guest-key, workspace: wide }
  - { name: other-guest, secret: other-guest-key, workspace: wide }
  - { name: planned, secret: planned-key, workspace: narrow }
plans:
  four: { rpm: 4 }
  two: { rpm: 2 }
workspaces:
  - { id: wide, plan: four, limits: { rpm: 3 } }
  - { id: narrow, plan: two, limits: { rpm: 3, rpd: 1000 } }
`,
};

export const suites = [1, 3].flatMap((shards) => [
  { name: `limits of credentials, ${shards} shards`, open: (build) => openWorld(build, { shards, ...upstreams }), tests: credentials },
  { name: `limits of addresses, ${shards} shards`, open: (build) => openWorld(build, { shards, ...trusted("rpm: 3") }), tests: addresses },
  { name: `limits of addresses at once, ${shards} shards`, open: (build) => openWorld(build, { shards, ...trusted("concurrency: 2") }), tests: concurrency },
  { name: `limits of workspaces, ${shards} shards`, open: (build) => openWorld(build, { shards, ...tenants }), tests: workspaces },
]);
