// The built-in catalog: what a configuration leaves open about well-known models, and how either kind of client sees the list.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { KEY, OTHER_KEY, openWorld } from "./harness.mjs";

const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const anthropic = (world, key = KEY) => new Anthropic({ apiKey: key, authToken: null, baseURL: world.base, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const lastTo = async (world, path) => (await fetch(`${world.mock.base}/mock/last?path=${path}`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const schema = { type: "object", properties: { city: { type: "string" } } };

const tests = {
  async "a model without a price has the catalog's"(world) {
    const { data, response } = await openai(world).chat.completions.create({ model: "openai/gpt-4o-mini", messages }).withResponse();
    const nanos = data.usage.prompt_tokens * 150 + data.usage.completion_tokens * 600;
    assert.equal(Number(response.headers.get("x-gateway-cost-usd")), Number((nanos / 1e9).toFixed(9)));
    const own = await openai(world).chat.completions.create({ model: "mine", messages });
    assert.ok(Math.abs(own["x-llm-gateway"].cost_usd - (own.usage.prompt_tokens + own.usage.completion_tokens) / 1e6) < 2e-9);
  },

  async "pitfall 35: a model that takes no sampling: fields go by name, the limit has the name that it knows"(world) {
    const { response } = await openai(world).chat.completions.create({ model: "openai/o3", messages, temperature: 0.2, max_tokens: 7 }).withResponse();
    assert.match(response.headers.get("x-gateway-dropped"), /temperature/);
    const sent = await lastTo(world, "/v1/chat/completions");
    assert.equal(sent.temperature, undefined);
    assert.equal(sent.max_tokens, undefined);
    assert.equal(sent.max_completion_tokens, 7);
    const kept = await openai(world).chat.completions.create({ model: "openai/gpt-4o-mini", messages, temperature: 0.2 }).withResponse();
    assert.equal(kept.response.headers.get("x-gateway-dropped"), null);
    await anthropic(world).messages.create({ model: "claude/claude-opus-5-5", max_tokens: 5, messages, temperature: 1 });
    assert.equal((await lastTo(world, "/v1/messages")).temperature, undefined);
  },

  async "what a model cannot do is refused before it is called"(world) {
    const before = (await world.mock.stats()).requests;
    const tools = [{ type: "function", function: { name: "f", parameters: schema } }];
    for (const [model, more, param] of [
      ["claude/claude-opus-5-5", { tools, tool_choice: "required" }, "tool_choice"],
      ["claude/claude-opus-5-5", { messages: [...messages, { role: "assistant", content: "Hel" }] }, "messages"],
      ["openai/gpt-3.5-turbo", { response_format: { type: "json_schema", json_schema: { name: "n", schema } } }, "response_format"],
      ["openai/gpt-3.5-turbo", { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] }] }, "messages"]]) {
      const error = await refusal(openai(world).chat.completions.create({ model, messages, ...more }));
      assert.equal(error.code, "unsupported_feature", `${model} ${param}`);
      assert.equal(error.param, param);
    }
    assert.equal((await refusal(openai(world).embeddings.create({ model: "openai/gpt-4o-mini", input: "x" }))).status, 400);
    assert.equal((await world.mock.stats()).requests, before);
  },

  async "OpenAI's client: the list shows sizes and capabilities"(world) {
    const model = await openai(world).models.retrieve("openai/gpt-4o-mini");
    assert.equal(model.context_window, 128000);
    assert.equal(model.max_output_tokens, 16384);
    assert.ok(["chat", "tools", "vision", "sampling"].every((name) => model.capabilities.includes(name)));
    assert.ok(!model.capabilities.includes("embeddings"));
  },

  async "Anthropic's client: the list in its shape, page by page"(world) {
    const page = await anthropic(world).models.list({ limit: 3 });
    assert.equal(page.data.length, 3);
    assert.equal(page.has_more, true);
    const ids = [];
    for await (const model of anthropic(world).models.list({ limit: 7 })) {
      assert.equal(model.type, "model");
      assert.ok(!Number.isNaN(Date.parse(model.created_at)));
      ids.push(model.id);
    }
    const all = [];
    for await (const model of openai(world).models.list()) all.push(model.id);
    assert.deepEqual(ids, all);
    const opus = await anthropic(world).models.retrieve("claude/claude-opus-5-5");
    assert.equal(opus.max_input_tokens, 1000000);
    assert.equal(opus.max_tokens, 128000);
    const narrow = await anthropic(world, OTHER_KEY).models.list();
    assert.deepEqual(narrow.data.map((model) => model.id), ["test/mock"]);
    assert.equal(narrow.has_more, false);
    for (const query of [{ limit: 0 }, { limit: "x" }, { after_id: "nobody" }]) {
      const error = await refusal(anthropic(world).models.list(query));
      assert.equal(error.status, 400);
      assert.equal(error.error.error.param, Object.keys(query)[0]);
    }
  },
};

const provider = (name, kind) => `  - name: ${name}
    kind: ${kind}
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
`;
const options = {
  extraProviders: provider("openai", "openai") + provider("claude", "anthropic"),
  extraModels: ["openai/gpt-4o-mini", "openai/o3", "openai/gpt-3.5-turbo", "claude/claude-opus-5-5"].map((id) =>
    `  - { id: ${id}, provider: ${id.split("/")[0]} }\n`).join("") +
    "  - { id: mine, provider: openai, upstream_model: gpt-4o-mini, price: { input: 1, output: 1 } }\n",
};

export const suites = [{ name: "catalog", open: (build) => openWorld(build, options), tests }];
