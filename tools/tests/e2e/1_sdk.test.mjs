// The official OpenAI SDK against the gateway. Everything here also runs with all newer kernel features masked.
import assert from "node:assert/strict";
import OpenAI from "openai";
import { KEY, MASTER_KEY, OTHER_KEY, chat, eventually, openWorld, post, sse } from "./harness.mjs";

const client = (world, options = {}) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0, ...options });
const messages = [{ role: "user", content: "Say hello." }];

const tests = {
  async "chat, unary"(world) {
    const { data, response } = await client(world).chat.completions.create({ model: "test/mock", messages }).withResponse();
    assert.equal(data.object, "chat.completion");
    assert.equal(data.model, "test/mock");
    assert.ok(data.choices[0].message.content.length > 0);
    assert.ok(data.usage.total_tokens > 0);
    const own = data["x-llm-gateway"];
    assert.match(own.request_id, /^req_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.equal(own.request_id, response.headers.get("x-request-id"));
    assert.equal(own.fallback_used, false);
    assert.equal(response.headers.get("x-gateway-decision"), "test/mock");
    assert.equal(response.headers.get("x-gateway-route-bucket"), "direct");
    assert.equal(response.headers.get("x-gateway-retries"), "0");
    assert.match(response.headers.get("x-gateway-overhead-us"), /^\d+$/);
    const cost = (data.usage.prompt_tokens * 0.15 + data.usage.completion_tokens * 0.6) / 1e6;
    assert.ok(Math.abs(Number(response.headers.get("x-gateway-cost-usd")) - cost) < 2e-9);
    assert.ok(Math.abs(own.cost_usd - cost) < 2e-9);
  },

  async "chat by alias, provider/model and full id"(world) {
    for (const model of ["mock", "mock/mock", "test/mock"]) {
      const answer = await client(world).chat.completions.create({ model, messages });
      assert.equal(answer.model, "test/mock");
    }
  },

  async "chat, streaming"(world) {
    const stream = await client(world).chat.completions.create({ model: "test/mock-events-100", messages, stream: true });
    let text = "", chunks = 0, finish = null;
    for await (const chunk of stream) {
      assert.equal(chunk.model, "test/mock-events-100");
      assert.equal(chunk.usage ?? null, null);
      assert.equal(chunk.choices.length, 1);
      text += chunk.choices[0].delta.content ?? "";
      finish = chunk.choices[0].finish_reason ?? finish;
      chunks++;
    }
    assert.equal(finish, "stop");
    assert.ok(chunks >= 100);
    assert.ok(text.length > 0);
  },

  async "streams carry usage only for those who ask"(world) {
    const asked = await client(world).chat.completions.create(
      { model: "test/mock", messages, stream: true, stream_options: { include_usage: true } });
    let usage = null, own = null;
    for await (const chunk of asked) {
      if (!chunk.usage) continue;
      usage = chunk.usage;
      own = chunk["x-llm-gateway"];
    }
    assert.ok(usage.total_tokens > 0);
    assert.match(own.request_id, /^req_/);
    const { text } = await sse(await post(world, "/v1/chat/completions", chat("test/mock", { stream: true })));
    assert.doesNotMatch(text.replace(/^:.*$/gm, ""), /"usage"\s*:\s*\{/);
    const comment = text.match(/^: x-llm-gateway (\{.*\})\n\ndata: \[DONE\]\n\n$/m);
    assert.ok(comment, "the summary comes just before the end");
    assert.ok(JSON.parse(comment[1]).usage.total_tokens > 0);
    assert.ok(text.endsWith("data: [DONE]\n\n"));
  },

  async "streams split at odd places arrive whole"(world) {
    const stream = await client(world).chat.completions.create({ model: "test/mock-split", messages, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.ok(text.length > 0);
    assert.doesNotMatch(text, /\ufffd/);
  },

  async "tool calls pass through"(world) {
    const tools = [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }];
    const answer = await client(world).chat.completions.create({ model: "test/mock-tool", messages, tools });
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    assert.ok(answer.choices[0].message.tool_calls[0].function.name);
    const stream = client(world).chat.completions.stream({ model: "test/mock-tool", messages, tools });
    const whole = await stream.finalChatCompletion();
    assert.ok(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments));
  },

  async "embeddings, base64 by the SDK's default, and float"(world) {
    const packed = await client(world).embeddings.create({ model: "test/mock", input: ["one", "two"] });
    const plain = await client(world).embeddings.create({ model: "test/mock", input: ["one", "two"], encoding_format: "float" });
    assert.equal(packed.data.length, 2);
    assert.equal(packed.data[0].embedding.length, plain.data[0].embedding.length);
    for (let i = 0; i < plain.data[1].embedding.length; i++)
      assert.ok(Math.abs(packed.data[1].embedding[i] - plain.data[1].embedding[i]) < 1e-6);
    assert.ok(plain.usage.prompt_tokens > 0);
  },

  async "moderations"(world) {
    const answer = await client(world).moderations.create({ model: "test/mock", input: "hello" });
    assert.equal(typeof answer.results[0].flagged, "boolean");
    assert.equal(answer.model, "test/mock");
  },

  async "legacy completions, unary and streaming"(world) {
    const answer = await client(world).completions.create({ model: "test/mock", prompt: "Once" });
    assert.equal(answer.object, "text_completion");
    assert.ok(answer.choices[0].text.length > 0);
    const stream = await client(world).completions.create({ model: "test/mock", prompt: "Once", stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
    assert.ok(text.length > 0);
  },

  async "models: list and retrieve, with / and %2F in the id"(world) {
    const ids = [];
    for await (const model of client(world).models.list()) ids.push(model.id);
    assert.ok(ids.includes("test/mock"));
    const model = await client(world).models.retrieve("test/mock");
    assert.equal(model.id, "test/mock");
    const authorization = { headers: { authorization: `Bearer ${KEY}` } };
    assert.equal((await (await fetch(`${world.base}/v1/models/test/mock`, authorization)).json()).id, "test/mock");
    assert.equal((await (await fetch(`${world.base}/v1/models/test%2Fmock`, authorization)).json()).id, "test/mock");
  },

  async "a narrow key sees and uses only its models and scopes"(world) {
    const narrow = client(world, { apiKey: OTHER_KEY });
    const ids = [];
    for await (const model of narrow.models.list()) ids.push(model.id);
    assert.deepEqual(ids, ["test/mock"]);
    await narrow.chat.completions.create({ model: "test/mock", messages });
    await assert.rejects(narrow.chat.completions.create({ model: "test/mock-tool", messages }),
      (error) => error instanceof OpenAI.PermissionDeniedError && error.code === "model_not_allowed");
    await assert.rejects(narrow.embeddings.create({ model: "test/mock", input: "x" }),
      (error) => error instanceof OpenAI.PermissionDeniedError);
  },

  async "errors are the SDK's own classes"(world) {
    const good = client(world);
    await assert.rejects(client(world, { apiKey: "wrong" }).chat.completions.create({ model: "test/mock", messages }),
      (error) => error instanceof OpenAI.AuthenticationError && error.type === "authentication_error" && !/wrong/.test(error.message));
    await assert.rejects(good.chat.completions.create({ model: "test/mokc", messages }),
      (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found" && /test\/mock/.test(error.message));
    await assert.rejects(good.chat.completions.create({ model: 7, messages }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "model");
    await assert.rejects(good.chat.completions.create({ model: "test/mock" }),
      (error) => error instanceof OpenAI.BadRequestError && error.param === "messages");
    await assert.rejects(good.post("/no/such/path", { body: {} }), (error) => error instanceof OpenAI.NotFoundError);
  },

  async "extensions are removed before the provider sees the body, unknown fields stay"(world) {
    await post(world, "/v1/chat/completions", chat("test/mock", { "x-routing-hints": { priority: "cost" }, "x-fallback-chain": ["test/mock"], novel_field: { a: 1 } }));
    const seen = await world.mock.last();
    assert.match(seen, /novel_field/);
    assert.doesNotMatch(seen, /x-routing-hints|x-fallback-chain/);
  },

  async "an abort in mid-stream reaches the provider"(world) {
    const before = (await world.mock.stats()).aborted_streams;
    const stream = await client(world).chat.completions.create({ model: "test/mock-events-1000-paced-20", messages, stream: true });
    let count = 0;
    for await (const _ of stream) if (++count === 3) break;
    await eventually(async () => (await world.mock.stats()).aborted_streams > before, "the provider sees the abort");
  },

  async "a slow start is covered by comments, which the SDK ignores"(world) {
    const { text } = await sse(await post(world, "/v1/chat/completions", chat("test/mock-events-3-paced-600", { stream: true })));
    assert.match(text, /^: (?!x-llm-gateway)/m);
    assert.ok(text.endsWith("data: [DONE]\n\n"));
  },

  async "a fallback answers when the first model cannot be reached"(world) {
    for (const model of ["test/rescued", "test/rescued-from-500", "test/rescued-from-refuse"]) {
      const { data, response } = await client(world).chat.completions.create({ model, messages }).withResponse();
      assert.equal(data.model, "test/mock");
      assert.equal(data["x-llm-gateway"].fallback_used, true);
      assert.equal(response.headers.get("x-gateway-decision"), "test/mock");
      const stream = await client(world).chat.completions.create({ model, messages, stream: true });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      assert.ok(text.length > 0);
    }
  },

  async "a receipt for each call, for its own workspace and for the admin"(world) {
    const { response, data } = await client(world).chat.completions.create({ model: "test/mock", messages }).withResponse();
    const id = response.headers.get("x-request-id");
    const authorization = { headers: { authorization: `Bearer ${KEY}` } };
    const receipt = await eventually(async () => {
      const answer = await fetch(`${world.base}/v1/receipts/${id}`, authorization);
      return answer.status === 200 && answer.json();
    }, "the receipt can be read");
    assert.equal(receipt.request_id, id);
    assert.equal(receipt.status, 200);
    assert.equal(receipt.finish_reason, "stop");
    assert.equal(receipt.routing.winner, "test/mock");
    assert.deepEqual(receipt.routing.candidates, [{ model: "test/mock", verdict: "chosen" }]);
    assert.equal(receipt.execution.tokens.total, data.usage.total_tokens);
    assert.equal(receipt.cost.total_usd, data["x-llm-gateway"].cost_usd);
    const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
    const list = await (await fetch(`${world.base}/admin/receipts?limit=5`, admin)).json();
    assert.ok(list.data.some((one) => one.request_id === id));
    assert.equal((await fetch(`${world.base}/admin/receipts/${id}`, admin)).status, 200);
    assert.equal((await fetch(`${world.base}/admin/receipts`, authorization)).status, 401);
    assert.equal((await fetch(`${world.base}/v1/receipts/req_00000000000000000000000000`, authorization)).status, 404);
  },

  async "liveness, readiness, metrics"(world) {
    assert.equal((await fetch(`${world.base}/healthz`)).status, 200);
    assert.equal((await fetch(`${world.base}/readyz`)).status, 200);
    const metrics = await (await fetch(`${world.base}/metrics`)).text();
    assert.match(metrics, /^tollgate_requests_total\{.*\} \d+$/m);
    assert.match(metrics, /^# TYPE /m);
  },
};

export const suites = [
  { name: "sdk", open: (build) => openWorld(build), tests },
  { name: "sdk, two shards", open: (build) => openWorld(build, { shards: 2 }), tests },
  { name: "sdk, kernel features masked", open: (build) => openWorld(build, { args: ["--ring-without", "all"] }), tests },
  { name: "sdk, durability power", open: (build) => openWorld(build, { durability: "power" }), tests },
];
