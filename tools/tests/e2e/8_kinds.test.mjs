// Providers that speak nearly as OpenAI does (azure, groq, together), and those with a dialect of their own (mistral, cohere), each simulated as strictly as
// the real one: the official SDKs reach all of them in their own dialect.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { KEY, MASTER_KEY, eventually, forgive, openWorld, post, sse } from "./harness.mjs";

// `path`: where its chats go, as the simulator names it; `own`: what it gives only in its own way.
export const KINDS = {
  azure: { base: "", path: "/openai/deployments/mock/chat/completions", id: /^chatcmpl-/ },
  "azure-v1": { kind: "azure", base: "/openai/v1", path: "/openai/v1/chat/completions", id: /^chatcmpl-/ },
  groq: { base: "/groq/openai/v1", path: "/groq/openai/v1/chat/completions", id: /^chatcmpl-/ },
  together: { base: "/together/v1", path: "/together/v1/chat/completions", id: /^o/ },
  mistral: { base: "/mistral/v1", path: "/mistral/v1/chat/completions", id: /^[0-9a-f]/ },
  cohere: { base: "/v2", path: "/v2/chat", id: /^[0-9a-f-]+$/ },
};
const names = Object.keys(KINDS);
const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const anthropic = (world) => new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const lastTo = async (world, name) => (await fetch(`${world.mock.base}/mock/last?path=${KINDS[name].path}`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", function: { name: "get_weather", description: "The weather.", parameters } },
  { type: "function", function: { name: "get_time" } }];
const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

// A stream put together, as accumulating clients do it.
async function assemble(stream) {
  const all = { id: null, content: "", reasoning: "", calls: [], finish: null, usage: null, chunks: 0 };
  for await (const chunk of stream) {
    all.chunks++;
    assert.ok(chunk.id, "each chunk has the answer's id");
    all.id ??= chunk.id;
    assert.equal(chunk.id, all.id);
    if (chunk.usage) {
      assert.equal(all.usage, null, "usage comes once");
      assert.deepEqual(chunk.choices, []);
      all.usage = chunk.usage;
    }
    for (const { delta, finish_reason: finish } of chunk.choices) {
      assert.ok(delta, "each choice has a delta");
      all.content += delta.content ?? "";
      all.reasoning += delta.reasoning_content ?? delta.reasoning ?? "";
      for (const call of delta.tool_calls ?? []) {
        const known = (all.calls[call.index] ??= { id: call.id, name: call.function.name, arguments: "" });
        known.arguments += call.function.arguments ?? "";
      }
      all.finish = finish ?? all.finish;
    }
  }
  return all;
}

const tests = {
  async "OpenAI's client: an answer, and its receipt"(world) {
    for (const name of names) {
      const { data, response } = await openai(world).chat.completions.create({ model: `${name}/mock`, max_tokens: 3,
        messages: [{ role: "developer", content: "Be brief." }, ...messages] }).withResponse();
      assert.equal(data.object, "chat.completion", name);
      assert.equal(data.model, `${name}/mock`);
      assert.match(data.id, KINDS[name].id, name);
      assert.match(data.choices[0].message.content, /^(\w+ ){3}$/, name);
      assert.equal(data.choices[0].finish_reason, "length");
      assert.equal(data.usage.completion_tokens, 3);
      assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
      assert.equal(response.headers.get("x-gateway-dropped"), null);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.equal(receipt.execution.provider, name);
      assert.equal(receipt.finish_reason, "length");
      assert.equal(receipt.execution.tokens.estimated, false);
      assert.equal(receipt.execution.tokens.completion, 3);
      const whole = await openai(world).chat.completions.create({ model: `${name}/mock`, messages });
      assert.equal(whole.choices[0].finish_reason, "stop", name);
    }
  },

  async "OpenAI's client: a stream says what the whole answer says"(world) {
    for (const name of names)
      for (const behaviour of ["mock", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split"]) {
        const body = { model: `${name}/${behaviour}`, messages, tools };
        const whole = await openai(world).chat.completions.create(body);
        const { message, finish_reason: finish } = whole.choices[0];
        const all = await assemble(await openai(world).chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }));
        const what = `${name} ${behaviour}`;
        assert.equal(all.content, message.content ?? "", what);
        assert.equal(all.reasoning, message.reasoning_content ?? message.reasoning ?? "", what);
        assert.deepEqual(all.calls, (message.tool_calls ?? []).map(({ id, function: f }) => ({ id, name: f.name, arguments: f.arguments })), what);
        assert.equal(all.finish, finish, what);
        assert.equal(all.usage?.completion_tokens, whole.usage.completion_tokens, what);
        const plain = await assemble(await openai(world).chat.completions.create({ ...body, stream: true }));
        assert.equal(plain.usage, null, what);
      }
  },

  async "OpenAI's client: tools and their results, there and back"(world) {
    for (const name of names) {
      const first = await openai(world).chat.completions.create({ model: `${name}/mock-tool-parallel`, messages, tools, tool_choice: "required",
        parallel_tool_calls: true });
      const { message, finish_reason: finish } = first.choices[0];
      assert.equal(finish, "tool_calls");
      assert.deepEqual(message.tool_calls.map((call) => call.function.name), ["get_weather", "get_time"]);
      assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Bern" });
      const second = await openai(world).chat.completions.create({ model: `${name}/mock`, tools, messages: [...messages, message,
        ...message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "7 degrees" })), { role: "user", content: "Thanks." }] });
      assert.equal(second.choices[0].finish_reason, "stop");
      // A history that began elsewhere has ids of any shape.
      const call = { id: "call_of_another_provider_0123", type: "function", function: { name: "get_weather", arguments: "{}" } };
      await openai(world).chat.completions.create({ model: `${name}/mock`, tools, tool_choice: { type: "function", function: { name: "get_weather" } },
        messages: [...messages, { role: "assistant", content: null, tool_calls: [call] }, { role: "tool", tool_call_id: call.id, content: "" }] });
      const sent = await lastTo(world, name);
      assert.equal(sent.messages[1].tool_calls[0].id, sent.messages[2].tool_call_id, name);
    }
  },

  async "OpenAI's client: structured output is asked for in the provider's words"(world) {
    const json_schema = { name: "weather", schema: parameters, strict: true };
    for (const name of names) {
      await openai(world).chat.completions.create({ model: `${name}/mock`, messages, response_format: { type: "json_schema", json_schema } });
      const { response_format: asked } = await lastTo(world, name);
      if (name === "cohere") assert.deepEqual(asked, { type: "json_object", json_schema: parameters });
      else assert.deepEqual(asked, { type: "json_schema", json_schema });
    }
  },

  async "Anthropic's client: answers, streams and tools from each of them"(world) {
    const own = tools.map(({ function: f }) => ({ name: f.name, input_schema: f.parameters ?? { type: "object" } }));
    for (const name of names)
      for (const behaviour of ["mock", "mock-tool-parallel", "mock-thinking"]) {
        const body = { model: `${name}/${behaviour}`, max_tokens: 50, system: "Be brief.", messages, tools: own };
        const whole = await anthropic(world).messages.create(body);
        assert.equal(whole.stop_reason, behaviour.includes("tool") ? "tool_use" : "end_turn", name);
        assert.ok(whole.usage.input_tokens > 0);
        const streamed = await anthropic(world).messages.stream(body).finalMessage();
        const seen = (content) => content.map((block) => [block.type, block.text ?? block.thinking ?? block.input, block.name]);
        assert.deepEqual(seen(streamed.content), seen(whole.content), `${name} ${behaviour}`);
        assert.equal(streamed.stop_reason, whole.stop_reason);
        assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
      }
    for (const name of names) {
      const first = await anthropic(world).messages.create({ model: `${name}/mock-tool`, max_tokens: 50, messages, tools: own, tool_choice: { type: "any" } });
      const call = first.content.find((block) => block.type === "tool_use");
      await anthropic(world).messages.create({ model: `${name}/mock`, max_tokens: 50, tools: own, stop_sequences: ["END"], messages: [...messages,
        { role: "assistant", content: first.content }, { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "7 degrees" }] }] });
      const sent = await lastTo(world, name);
      assert.deepEqual(sent.messages.map((m) => m.role), ["user", "assistant", "tool"]);
    }
  },

  async "fields that a kind refuses are left out by name, or refused before the call"(world) {
    const ask = (name, more) => openai(world).chat.completions.create({ model: `${name}/mock`, messages, ...more }).withResponse();
    const dropped = async (name, more) => (await ask(name, more)).response.headers.get("x-gateway-dropped");
    assert.equal(await dropped("groq", { logit_bias: { 5: 1 }, logprobs: false, messages: [{ role: "user", name: "bo", content: "x" }] }), "logit_bias,name");
    assert.equal(await dropped("together", { stop: "END", logprobs: false }), null);
    assert.deepEqual((await lastTo(world, "together")).stop, ["END"]);
    assert.equal(await dropped("mistral", { seed: 4, logit_bias: { 5: 1 }, store: true, user: "u", max_completion_tokens: 9 }), "logit_bias,store,user");
    assert.deepEqual(await lastTo(world, "mistral"), { model: "mock", messages, max_tokens: 9, random_seed: 4 });
    assert.equal(await dropped("cohere", { top_p: 1, presence_penalty: -1, seed: 4, logit_bias: { 5: 1 } }), "logit_bias,presence_penalty");
    assert.deepEqual(await lastTo(world, "cohere"), { model: "mock", messages, p: 0.99, seed: 4 });
    assert.equal(await dropped("azure", { seed: 4, logit_bias: { 5: 1 }, unknown_field: true }), null);
    for (const [name, more, param] of [["groq", { n: 2 }, "n"], ["groq", { logprobs: true }, "logprobs"], ["together", { logprobs: true }, "logprobs"],
      ["cohere", { n: 2 }, "n"], ["cohere", { modalities: ["text", "audio"] }, "modalities"], ["mistral", { logprobs: true }, "logprobs"],
      ["mistral", { web_search_options: {} }, "web_search_options"]]) {
      const { requests } = await world.mock.stats();
      const error = await refusal(ask(name, more));
      assert.equal(error.status, 400, `${name} ${param}`);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, param);
      assert.equal((await world.mock.stats()).requests, requests);
    }
  },

  async "several answers, whole and in a stream"(world) {
    for (const name of ["mistral", "azure", "together"]) {
      const ask = { model: `${name}/mock`, messages, n: 3 };
      const whole = await openai(world).chat.completions.create(ask);
      const texts = whole.choices.map((choice) => choice.message.content);
      assert.deepEqual(whole.choices.map((choice) => [choice.index, choice.finish_reason]), [[0, "stop"], [1, "stop"], [2, "stop"]]);
      assert.equal(new Set(texts).size, 3);
      const stream = openai(world).chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
      const streamed = await stream.finalChatCompletion();
      assert.deepEqual(streamed.choices.map((choice) => choice.message.content), texts);
      assert.deepEqual(streamed.choices.map((choice) => choice.finish_reason), ["stop", "stop", "stop"]);
      assert.equal(streamed.usage.completion_tokens, whole.usage.completion_tokens);
      assert.equal((await lastTo(world, name)).n, 3);
    }
    const error = await refusal(openai(world).chat.completions.create({ model: "mistral/mock", messages, n: 17 }));
    assert.equal(error.code, "unsupported_feature");
    assert.equal(error.param, "n");
  },

  async "names in more messages than edits hold are left out as well"(world) {
    const many = Array.from({ length: 60 }, (_, i) => ({ role: "user", name: "bo", content: `line ${i}` }));
    const { response } = await openai(world).chat.completions.create({ model: "groq/mock", messages: many, logit_bias: { 5: 1 } }).withResponse();
    assert.equal(response.headers.get("x-gateway-dropped"), "name,logit_bias");
    const sent = await lastTo(world, "groq");
    assert.equal(sent.messages.length, 60);
    assert.ok(sent.messages.every((message) => !("name" in message)));
  },

  async "what passes as it is keeps its bytes"(world) {
    for (const name of ["azure", "azure-v1", "groq", "together"]) {
      const body = `{ "messages" : [ {"role":"user","content":"\\u0048i"} ],  "model":"${name}/mock", "unknown": [1, 2 ] }`;
      assert.equal((await post(world, "/v1/chat/completions", body)).status, 200);
      const sent = await (await fetch(`${world.mock.base}/mock/last?path=${KINDS[name].path}`)).text();
      assert.equal(sent, body.replace(`"${name}/mock"`, '"mock"'));
    }
  },

  async "errors are in the client's dialect, with the provider's own words behind them"(world) {
    const cases = [[400, 400], [401, 502], [403, 502], [404, 502], [413, 413], [422, 422], [429, 429], [500, 502], [503, 503], [504, 504]];
    for (const name of names)
      for (const [status, expected] of cases) {
        await forgive(world);
        const error = await refusal(openai(world).chat.completions.create({ model: `${name}/mock-status-${status}`, messages }));
        assert.equal(error.status, expected, `${name} ${status}`);
        assert.equal(typeof error.error.message, "string");
        if (status !== 401 && status !== 403) assert.ok(error.error.upstream, `${name} ${status}`);
        const told = await refusal(anthropic(world).messages.create({ model: `${name}/mock-status-${status}`, max_tokens: 5, messages }));
        assert.equal(told.error.type, "error");
      }
    for (const name of names) {
      await forgive(world);
      const limited = await refusal(openai(world).chat.completions.create({ model: `${name}/mock-retry-after-7`, messages }));
      assert.equal(limited.headers.get("retry-after"), "7", name);
    }
    await forgive(world);
    const blocked = await refusal(openai(world).chat.completions.create({ model: "azure/mock", messages: [{ role: "user", content: "kill" }] }));
    assert.equal(blocked.status, 400);
    assert.equal(blocked.code, "content_filter");
    assert.equal(blocked.error.upstream.innererror.code, "ResponsibleAIPolicyViolation");
    const missing = await refusal(openai(world).chat.completions.create({ model: "azure/gone", messages }));
    assert.equal(missing.status, 502);
    assert.equal(missing.error.upstream.code, "DeploymentNotFound");
  },

  async "a stream that breaks never ends like a whole one"(world) {
    for (const name of names)
      for (const fault of ["cut", "truncated", "no-done", "error-event", "invalid-json", "error-first"]) {
        const { text } = await sse(await post(world, "/v1/chat/completions", { model: `${name}/mock-${fault}`, messages, stream: true }));
        const what = `${name} ${fault}`;
        assert.doesNotMatch(text, /\[DONE\]/, what);
        assert.match(text, fault === "error-first" ? /^\{"error":\{/ : /^data: \{"error":\{/m, what);
        const told = await sse(await post(world, "/v1/messages", { model: `${name}/mock-${fault}`, max_tokens: 50, messages, stream: true }));
        assert.doesNotMatch(told.text, /message_stop/, what);
      }
  },

  async "a provider without usage is estimated"(world) {
    for (const name of names)
      for (const stream of [false, true]) {
        const response = await post(world, "/v1/chat/completions", { model: `${name}/mock-no-usage`, messages, stream });
        await response.text();
        const receipt = await receiptOf(world, response.headers.get("x-request-id"));
        assert.equal(receipt.execution.tokens.estimated, true, `${name} ${stream}`);
        assert.ok(receipt.execution.tokens.completion > 0);
        assert.equal(receipt.execution.tokens.prompt, 9, `${name} ${stream}`); // its words, and their frame
      }
  },

  async "embeddings: numbers and base64 are the same vectors, whatever the provider knows"(world) {
    for (const name of ["mistral", "together", "cohere"]) {
      const ask = (more) => openai(world).embeddings.create({ model: `${name}/mock`, input: ["one", "two"], ...more });
      const plain = await ask({ encoding_format: "float" });
      assert.equal(plain.object, "list");
      assert.equal(plain.model, `${name}/mock`);
      assert.deepEqual(plain.data.map((entry) => [entry.index, entry.embedding.length]), [[0, 64], [1, 64]], name);
      const raw = await (await post(world, "/v1/embeddings", { model: `${name}/mock`, input: ["one", "two"], encoding_format: "base64" })).json();
      for (const [i, { embedding }] of raw.data.entries()) {
        const bytes = Buffer.from(embedding, "base64");
        assert.deepEqual([...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))], plain.data[i].embedding, name);
      }
      const short = await ask({ dimensions: 7, user: "u" });
      assert.equal(short.data[0].embedding.length, 7, name);
      assert.ok(short["x-llm-gateway"].cost_usd > 0, name);
    }
    const query = await openai(world).embeddings.create({ model: "cohere/mock", input: "one", input_type: "search_query" });
    assert.ok(query.usage.prompt_tokens > 0);
    const sent = await (await fetch(`${world.mock.base}/mock/last?path=/v2/embed`)).json();
    assert.deepEqual(sent, { model: "mock", texts: ["one"], embedding_types: ["float"], input_type: "search_query" });
    const tokens = await refusal(openai(world).embeddings.create({ model: "cohere/mock", input: [1, 2] }));
    assert.equal(tokens.code, "unsupported_feature");
  },

  // What the tests above rest on: what the real API would refuse does not pass here either.
  async "the simulator refuses what these providers refuse"(world) {
    const ask = (path, body, headers = { authorization: "Bearer k" }) => fetch(`${world.mock.base}${path}`, { method: "POST",
      body: JSON.stringify({ model: "mock", messages, ...body }), headers });
    const call = (id) => ({ messages: [...messages, { role: "assistant", content: "", tool_calls: [{ id, function: { name: "f", arguments: "{}" } }] }] });
    const azure = `${KINDS.azure.path}?api-version=2024-10-21`, key = { "api-key": "k" };
    for (const [path, body, status, headers] of [
      [KINDS.mistral.path, {}, 200], [KINDS.mistral.path, { seed: 1 }, 422], [KINDS.mistral.path, { max_completion_tokens: 1 }, 422],
      [KINDS.mistral.path, { stream: true, stream_options: {} }, 422], [KINDS.mistral.path, { tool_choice: "forced" }, 422],
      [KINDS.mistral.path, { messages: [{ ...messages[0], name: "x" }] }, 422], [KINDS.mistral.path, call("call_1"), 400], [KINDS.mistral.path, call("D681PevKs"), 200],
      [KINDS.mistral.path, {}, 401, {}],
      [KINDS.groq.path, {}, 200], [KINDS.groq.path, { logit_bias: {} }, 400], [KINDS.groq.path, { n: 2 }, 400], [KINDS.groq.path, { logprobs: false }, 400],
      [KINDS.groq.path, { messages: [{ ...messages[0], name: "x" }] }, 400],
      [KINDS.together.path, {}, 200], [KINDS.together.path, { stop: "x" }, 400], [KINDS.together.path, { logprobs: true }, 400],
      [azure, {}, 200, key], [azure, {}, 401, {}], [KINDS.azure.path, {}, 404, key], [azure.replace("mock", "none"), {}, 404, key],
      [KINDS["azure-v1"].path, {}, 200, key],
      [KINDS.cohere.path, {}, 200], [KINDS.cohere.path, { tool_choice: "required" }, 422], [KINDS.cohere.path, { p: 1 }, 400], [KINDS.cohere.path, { top_p: 0.5 }, 422],
      [KINDS.cohere.path, { response_format: { type: "json_schema" } }, 422], [KINDS.cohere.path, { frequency_penalty: -1 }, 400],
      [KINDS.cohere.path, { messages: [{ role: "developer", content: "x" }] }, 400],
      ["/v2/embed", { messages: undefined, texts: ["x"], input_type: "search_query" }, 200], ["/v2/embed", { messages: undefined, texts: ["x"] }, 400],
    ]) {
      const response = await ask(path, body, headers);
      assert.equal(response.status, status, `${path} ${JSON.stringify(body)} ${await response.text()}`);
    }
  },
};

const BEHAVIOURS = ["mock", "mock-tool", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cut", "mock-truncated", "mock-no-done",
  "mock-error-event", "mock-invalid-json", "mock-error-first", "mock-no-usage", "mock-retry-after-7", "gone",
  ...[400, 401, 403, 404, 413, 422, 429, 500, 503, 504].map((status) => `mock-status-${status}`)];

export const kindOptions = {
  extraProviders: names.map((name) => `  - name: ${name}
    kind: ${KINDS[name].kind ?? name}
    base_url: http://127.0.0.1:MOCK${KINDS[name].base}
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
`).join(""),
  extraModels: names.flatMap((name) => BEHAVIOURS.map((behaviour) =>
    `  - { id: ${name}/${behaviour}, provider: ${name}, upstream_model: ${behaviour}, price: { input: 1, output: 2 } }\n`)).join(""),
};

export const suites = [{ name: "kinds", open: (build) => openWorld(build, kindOptions), tests }];
