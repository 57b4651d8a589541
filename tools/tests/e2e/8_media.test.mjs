// Images and sound, with OpenAI's client: what passes, what it costs, what is refused, and what breaks in the middle.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { KEY, MASTER_KEY, eventually, openWorld, post } from "./harness.mjs";

const client = (world, apiKey = KEY) => new OpenAI({ apiKey, baseURL: `${world.base}/v1`, maxRetries: 0 });
const refusal = (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

const image = {
  async "an image passes both ways, and costs its tokens"(world) {
    const { data, response } = await client(world).images.generate({ model: "image/tokens", prompt: "a gate at dawn", n: 2, quality: "high" }).withResponse();
    assert.equal(data.data.length, 2);
    assert.match(data.data[0].b64_json, /^(aGF0)+$/);
    assert.equal(data.usage.output_tokens, 2112);
    assert.equal(response.headers.get("x-gateway-decision"), "image/tokens");
    const sent = JSON.parse(await world.mock.last());
    assert.deepEqual(sent, { model: "mock", prompt: "a gate at dawn", n: 2, quality: "high" });
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.equal(receipt.api, "images.generations");
    assert.deepEqual([receipt.execution.tokens.prompt, receipt.execution.tokens.completion], [4, 2112]);
    assert.equal(receipt.execution.tokens.estimated, false);
    assert.equal(receipt.cost.total_usd, 0.0845); // 4 x 5 and 2112 x 40 USD a million
    assert.equal(Number(response.headers.get("x-gateway-cost-usd")), 0.0845);
    assert.equal(data["x-llm-gateway"].cost_usd, 0.0845);
  },

  async "an image costs its own price where no tokens are counted"(world) {
    const { data, response } = await client(world).images.generate({ model: "image/piece", prompt: "a gate", n: 3, response_format: "url" }).withResponse();
    assert.match(data.data[2].url, /^https:/);
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.equal(receipt.cost.total_usd, 0.12);
    assert.deepEqual([receipt.execution.tokens.prompt, receipt.execution.tokens.estimated], [0, false]);
  },

  async "what is wrong with a request for an image is told by name"(world) {
    for (const [body, param, code] of [
      [{ model: "image/piece" }, "prompt", "missing_required_parameter"],
      [{ model: "image/piece", prompt: "" }, "prompt", "missing_required_parameter"],
      [{ model: "image/piece", prompt: ["a"] }, "prompt", "invalid_type"],
      [{ model: "image/piece", prompt: "a", n: 11 }, "n", "invalid_value"],
      [{ model: "image/piece", prompt: "a", stream: true }, "stream", "unsupported_feature"],
      [{ prompt: "a" }, "model", "missing_required_parameter"],
      [{ model: "claude", prompt: "a" }, "model", "unsupported_feature"],
      [{ model: "chat", prompt: "a" }, "model", "unsupported_feature"],
      [{ model: "image/piece", prompt: "a", quality: "x", unknown: 1 }, null, null],
    ]) {
      const answer = await post(world, "/v1/images/generations", body);
      const { error } = await answer.json();
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.deepEqual([error.param, error.code], [param, code], JSON.stringify(body));
    }
    const error = await refusal(client(world, "chat-key").images.generate({ model: "image/piece", prompt: "a" }));
    assert.equal(error.status, 403);
  },

  async "a budget reserves all images of a request before the call"(world) {
    const poor = client(world, "poor-key");
    const error = await refusal(poor.images.generate({ model: "image/piece", prompt: "a", n: 3 }));
    assert.equal(error.status, 402);
    assert.equal(error.type, "budget_exceeded");
    await poor.images.generate({ model: "image/piece", prompt: "a", n: 2 });
    assert.equal((await refusal(poor.images.generate({ model: "image/piece", prompt: "a" }))).status, 402);
  },

  async "a large answer passes, and one beyond the limit is an error"(world) {
    const large = await client(world).images.generate({ model: "image/large", prompt: "a" });
    assert.ok(large.data[0].b64_json.length > 900_000);
    const error = await refusal(client(world).images.generate({ model: "image/large", prompt: "a", n: 5 }));
    assert.equal(error.status, 502);
    assert.match(error.message, /too large/);
  },
};

const options = {
  http: ", max_body_bytes: 4000000",
  extraProviders: `  - { name: strict, kind: openai, base_url: "http://127.0.0.1:MOCK/v1", credentials: [{ name: primary, api_key: upstream-secret }] }
  - { name: anthropic, kind: anthropic, base_url: "http://127.0.0.1:MOCK/v1", credentials: [{ name: primary, api_key: upstream-secret }] }
`,
  extraModels: `  - { id: image/tokens, provider: strict, upstream_model: mock, price: { input: 5, output: 40 } }
  - { id: image/piece, provider: strict, upstream_model: mock-no-usage, price: { image: 0.04 } }
  - { id: image/large, provider: strict, upstream_model: mock-large-900, price: { image: 0.04 } }
  - { id: claude, provider: anthropic, upstream_model: mock }
  - { id: chat, provider: strict, upstream_model: mock, capabilities: [chat] }
`,
  extra: `  - { name: poor, secret: poor-key, budget: { daily_usd: 0.1 } }
  - { name: chats, secret: chat-key, scopes: [chat] }
`,
};

export const suites = [
  { name: "images", open: (build) => openWorld(build, options), tests: image },
];
