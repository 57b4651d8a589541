// Which deployments a call is given to: the request's hints and chain, what the configuration leaves in use, attempts and total time.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, PATIENT, chat, openWorld, post } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

// nowhere is always drawn first: the others have no weight.
const two = `  - { id: test/two, deployments: [{ provider: nowhere, upstream_model: mock }, { provider: mock, upstream_model: mock, weight: 0 }], price: { input: 1, output: 1 } }
  - { id: test/two-of-mock, deployments: [{ provider: mock, upstream_model: mock }, { provider: nowhere, upstream_model: mock, weight: 0 }], price: { input: 1, output: 1 } }
`;

async function ask(world, model, more = {}) {
  const answer = await post(world, "/v1/chat/completions", chat(model, more));
  const body = await answer.json();
  const [receipt] = (await (await fetch(`${world.base}/admin/receipts?limit=1`, admin)).json()).data;
  assert.equal(receipt.request_id, answer.headers.get("x-request-id"), model);
  return {
    status: answer.status, error: body.error, receipt,
    verdicts: receipt.routing.candidates.map(({ model: id, verdict }) => `${id} ${verdict}`),
    tried: receipt.fallback.attempts.map(({ provider, error }) => `${provider} ${error}`),
  };
}

const hints = {
  async "without hints the order is the configuration's"(world) {
    const { status, verdicts, tried } = await ask(world, "test/two");
    assert.equal(status, 200);
    assert.deepEqual(tried, ["nowhere connect"]);
    assert.deepEqual(verdicts, ["test/two failed", "test/two chosen"]);
  },

  async "exclude_providers leaves them out, and the receipt says so"(world) {
    const { status, receipt, verdicts, tried } = await ask(world, "test/two", { "x-routing-hints": { exclude_providers: ["nowhere", "unheard-of"] } });
    assert.equal(status, 200);
    assert.deepEqual(tried, []);
    assert.deepEqual(verdicts, ["test/two excluded", "test/two chosen"]);
    assert.equal(receipt.execution.provider, "mock");
    assert.equal((await ask(world, "test/two", { "x-routing-hints": { exclude_providers: ["mock"] } })).status, 502);
    const rescued = await ask(world, "test/rescued", { "x-routing-hints": { exclude_providers: ["nowhere"] } });
    assert.deepEqual(rescued.verdicts, ["test/rescued excluded", "test/mock chosen"]);
  },

  async "nothing left is the request's own doing"(world) {
    const { status, error, verdicts } = await ask(world, "test/two", { "x-routing-hints": { exclude_providers: ["nowhere", "mock"] } });
    assert.equal(status, 400);
    assert.equal(error.type, "invalid_request_error");
    assert.equal(error.code, "providers_excluded");
    assert.equal(error.param, "x-routing-hints.exclude_providers");
    assert.deepEqual(verdicts, ["test/two excluded", "test/two excluded"]);
  },

  async "prefer_providers come first, the others stay behind them"(world) {
    const preferred = await ask(world, "test/two", { "x-routing-hints": { prefer_providers: ["unheard-of", "mock"] } });
    assert.equal(preferred.status, 200);
    assert.deepEqual(preferred.tried, []);
    const other = await ask(world, "test/two-of-mock", { "x-routing-hints": { prefer_providers: ["nowhere"] } });
    assert.equal(other.status, 200);
    assert.deepEqual(other.tried, ["nowhere connect"]);
    const ordered = await ask(world, "test/two", { "x-routing-hints": { prefer_providers: ["mock", "nowhere"] } });
    assert.deepEqual(ordered.tried, []);
  },

  async "a preferred provider does not put a fallback before the model that was named"(world) {
    const { verdicts } = await ask(world, "test/rescued", { "x-routing-hints": { prefer_providers: ["mock"] } });
    assert.deepEqual(verdicts, ["test/rescued failed", "test/mock chosen"]);
  },

  async "hints that are no lists of names are refused by name"(world) {
    for (const name of ["exclude_providers", "prefer_providers"])
      for (const value of ["mock", 5, {}, [1], ["mock", null], true]) {
        const answer = await post(world, "/v1/chat/completions", chat("test/mock", { "x-routing-hints": { [name]: value } }));
        const { error } = await answer.json();
        assert.equal(answer.status, 400, `${name}: ${JSON.stringify(value)}`);
        assert.equal(error.param, `x-routing-hints.${name}`);
      }
    for (const value of [null, []]) assert.equal((await ask(world, "test/mock", { "x-routing-hints": { exclude_providers: value } })).status, 200);
  },

  async "x-fallback-chain takes the place of the configured fallbacks"(world) {
    const chained = await ask(world, "test/nowhere", { "x-fallback-chain": ["test/mock-status-500", "mock"] });
    assert.equal(chained.status, 200);
    assert.deepEqual(chained.verdicts, ["test/nowhere failed", "test/mock-status-500 failed", "test/mock chosen"]);
    assert.equal(chained.receipt.fallback.used, true);
    assert.equal((await ask(world, "test/rescued", { "x-fallback-chain": [] })).status, 502);
    const unknown = await ask(world, "test/nowhere", { "x-fallback-chain": ["test/unheard-of"] });
    assert.equal(unknown.status, 404);
    assert.equal(unknown.error.param, "x-fallback-chain");
  },
};

const inUse = {
  async "models and providers that the routing blocks are not used"(world) {
    const blocked = await ask(world, "test/mock-tool");
    assert.equal(blocked.status, 403);
    assert.equal(blocked.error.code, "model_not_allowed");
    const { status, verdicts } = await ask(world, "test/two");
    assert.equal(status, 200);
    assert.deepEqual(verdicts, ["test/two excluded", "test/two chosen"]);
    const none = await ask(world, "test/nowhere");
    assert.equal(none.status, 503);
    assert.equal(none.error.code, "no_deployment");
    const rescued = await ask(world, "test/rescued-by-it");
    assert.deepEqual(rescued.verdicts.slice(0, 2), ["test/rescued-by-it excluded", "test/mock-tool not_allowed"]);
  },

  async "they are not in the list of models"(world) {
    const key = { headers: { authorization: `Bearer ${KEY}` } };
    const ids = (await (await fetch(`${world.base}/v1/models`, key)).json()).data.map(({ id }) => id);
    assert.ok(ids.includes("test/mock") && !ids.includes("test/mock-tool"));
    assert.equal((await fetch(`${world.base}/v1/models/test/mock-tool`, key)).status, 404);
  },
};

const failing = (id, count, provider = "mock", upstream = "mock-status-500") =>
  `  - { id: ${id}, price: { input: 1, output: 1 }, deployments: [${Array(count).fill(`{ provider: ${provider}, upstream_model: ${upstream} }`).join(", ")}] }\n`;

async function calls(world) {
  return Number((await (await fetch(`${world.base}/metrics`)).text()).match(/^tollgate_upstream_attempts_total (\d+)/m)[1]);
}

function attempts(most) {
  return {
    name: `routing.retries.max_attempts ${most}`,
    open: (build) => openWorld(build, { extra: `routing: { ${PATIENT.replace("{ budget", `{ max_attempts: ${most}, budget`)} }\n`, extraModels: failing("test/failing", 12) }),
    tests: {
      async "bounds the calls to providers"(world) {
        const before = await calls(world);
        const { status, tried } = await ask(world, "test/failing");
        assert.equal(status, 502);
        assert.equal(await calls(world) - before, most);
        assert.equal(tried.length, Math.min(most, 8)); // the receipt names eight
      },
    },
  };
}

// Three attempts of 700 ms each would fit; a total of 1000 ms ends the second.
const slow = `  - name: slow
    kind: openai_compatible
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 700, first_token_ms: 700, idle_ms: 700, total_ms: 1000 }
`;

const total = {
  name: "timeouts.total_ms",
  open: (build) => openWorld(build, { extraProviders: slow, extraModels: failing("test/stalling", 3, "slow", "mock-stall-head") }),
  tests: {
    async "is over the whole call"(world) {
      for (const stream of [false, true]) {
        const answer = await post(world, "/v1/chat/completions", chat("test/stalling", { stream }));
        await answer.text();
        const [receipt] = (await (await fetch(`${world.base}/admin/receipts?limit=1`, admin)).json()).data;
        assert.equal(receipt.request_id, answer.headers.get("x-request-id"));
        assert.equal(receipt.status, 504, JSON.stringify(receipt.fallback));
        const [first, second, ...more] = receipt.fallback.attempts.map(({ error }) => error);
        assert.match(first, /head_timeout|first_token_timeout/);
        assert.equal(second, "total_timeout");
        assert.deepEqual(more, []);
      }
    },
  },
};

const replica = (name) => `  - { name: ${name}, kind: openai_compatible, base_url: "http://127.0.0.1:MOCK/v1", credentials: [{ api_key: upstream-secret }], gpu: { max_concurrency: 8 } }\n`;

const affinity = {
  name: "replicas of one's own",
  open: (build) => openWorld(build, {
    extraProviders: replica("gpu0") + replica("gpu1"),
    extraModels: "  - { id: test/own, deployments: [{ provider: gpu0, upstream_model: mock }, { provider: gpu1, upstream_model: mock }], price: { input: 1, output: 1 } }\n",
  }),
  tests: {
    async "a conversation stays where it began, and conversations spread"(world) {
      const turn = async (messages) => {
        const { status, error, receipt } = await ask(world, "test/own", { messages });
        assert.equal(status, 200, JSON.stringify(error));
        return receipt.execution.provider;
      };
      const homes = new Set();
      for (let i = 0; i < 16; i++) {
        const messages = [{ role: "system", content: `You are number ${i}. ${"Be brief. ".repeat(200)}` }, { role: "user", content: "Hello." }];
        const home = await turn(messages);
        homes.add(home);
        for (let more = 0; more < 3; more++) {
          messages.push({ role: "assistant", content: "Yes?" }, { role: "user", content: `Question ${more}.` });
          assert.equal(await turn(messages), home);
        }
      }
      assert.deepEqual([...homes].sort(), ["gpu0", "gpu1"]);
    },
  },
};

export const suites = [
  affinity,
  { name: "hints", open: (build) => openWorld(build, { extraModels: two }), tests: hints },
  {
    name: "routing.blocked",
    open: (build) => openWorld(build, {
      extraModels: `${two}  - { id: test/rescued-by-it, provider: nowhere, upstream_model: mock, fallback: [test/mock-tool], price: { input: 1, output: 1 } }\n`,
      extra: `routing: { ${PATIENT}, blocked_providers: [nowhere], blocked_models: ['*-tool'], allowed_models: ['test/*'] }\n`,
    }),
    tests: inUse,
  },
  attempts(2), attempts(10), total,
];
