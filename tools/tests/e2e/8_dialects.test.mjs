// Both dialects on both sides, with the official SDKs: what a client asks in its own reaches a provider in that one's, and comes back.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { KEY, MASTER_KEY, eventually, forgive, openWorld, post, sse } from "./harness.mjs";

const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const anthropic = (world) => new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const lastTo = async (world, path) => (await fetch(`${world.mock.base}/mock/last?path=${path}`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const weather = { name: "get_weather", description: "The weather.", parameters: { type: "object", properties: { city: { type: "string" } } } };

// Where a dialect is translated, and where it stays as it is: clients must not see which.
const ANTHROPIC_CLIENT_MODELS = ["claude", "gpt"];

const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

const tests = {
  async "OpenAI's client, Anthropic's provider: an answer"(world) {
    const { data, response } = await openai(world).chat.completions.create({
      model: "claude/mock", seed: 4, logit_bias: { 5: 1 },
      messages: [{ role: "system", content: "Be brief." }, ...messages, { role: "user", content: [{ type: "text", text: "Now." }] }],
    }).withResponse();
    assert.equal(data.object, "chat.completion");
    assert.equal(data.model, "claude/mock");
    assert.match(data.id, /^msg_/);
    assert.match(data.choices[0].message.content, /^(\w+ )+$/);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.equal(response.headers.get("x-gateway-dropped"), "logit_bias,seed");
    assert.deepEqual(await lastTo(world, "/v1/messages"), {
      model: "mock", max_tokens: 4096, system: [{ type: "text", text: "Be brief." }],
      messages: [{ role: "user", content: [{ type: "text", text: "Say hello." }, { type: "text", text: "Now." }] }],
    });
    const cost = (data.usage.prompt_tokens * 1 + data.usage.completion_tokens * 2) / 1e6;
    assert.ok(Math.abs(data["x-llm-gateway"].cost_usd - cost) < 2e-9);
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.equal(receipt.api, "chat.completions");
    assert.equal(receipt.finish_reason, "stop");
    assert.equal(receipt.execution.tokens.completion, data.usage.completion_tokens);
    assert.equal(receipt.execution.tokens.estimated, false);
  },

  async "OpenAI's client, Anthropic's provider: a stream says what the whole answer says"(world) {
    for (const model of ["claude/mock", "claude/mock-tool-parallel", "claude/mock-tool-empty-input", "claude/mock-thinking", "claude/mock-split"]) {
      const whole = await openai(world).chat.completions.create({ model, messages });
      const stream = openai(world).chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
      let reasoning = "", usage = null;
      for await (const chunk of stream) {
        assert.equal(chunk.model, model);
        reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
        usage = chunk.usage ?? usage;
      }
      const choice = (await stream.finalChatCompletion()).choices[0];
      assert.equal(choice.message.content || null, whole.choices[0].message.content);
      assert.equal(choice.finish_reason, whole.choices[0].finish_reason);
      assert.equal(reasoning, whole.choices[0].message.reasoning_content ?? "");
      const calls = (message) => (message.tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]);
      assert.deepEqual(calls(choice.message), calls(whole.choices[0].message));
      assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
      assert.equal(usage.prompt_tokens, whole.usage.prompt_tokens);
    }
  },

  async "OpenAI's client, Anthropic's provider: a turn of tools, parallel and with results"(world) {
    const tools = [{ type: "function", function: weather }];
    const first = await openai(world).chat.completions.create({
      model: "claude/mock-tool-parallel", messages, tools, tool_choice: "required", parallel_tool_calls: false });
    const message = first.choices[0].message;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments)), [{ city: "Bern" }, { city: "Bern" }]);
    assert.deepEqual((await lastTo(world, "/v1/messages")).tool_choice, { type: "any", disable_parallel_tool_use: true });
    const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "7 degrees" }));
    const second = await openai(world).chat.completions.create({ model: "claude/mock", tools, messages: [...messages, message, ...results] });
    assert.equal(second.choices[0].finish_reason, "stop");
    const sent = await lastTo(world, "/v1/messages");
    assert.deepEqual(sent.messages.map((m) => m.role), ["user", "assistant", "user"]);
    assert.deepEqual(sent.messages[2].content.map((block) => block.type), ["tool_result", "tool_result"]);
    assert.deepEqual(sent.tools[0].input_schema, weather.parameters);
  },

  async "OpenAI's client, Anthropic's provider: images, a schema, thinking that goes back"(world) {
    const response_format = { type: "json_schema", json_schema: { name: "n", schema: { type: "object" } } };
    await openai(world).chat.completions.create({ model: "claude/mock", response_format, messages: [{ role: "user", content: [
      { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }, { type: "text", text: "What is it?" }] }] });
    const sent = await lastTo(world, "/v1/messages");
    assert.deepEqual(sent.messages[0].content[0], { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } });
    assert.deepEqual(sent.output_config, { format: { type: "json_schema", schema: { type: "object" } } });
    const thought = await openai(world).chat.completions.create({ model: "claude/mock-thinking", messages });
    await openai(world).chat.completions.create({ model: "claude/mock", messages: [...messages, thought.choices[0].message, ...messages] });
    assert.deepEqual((await lastTo(world, "/v1/messages")).messages[1].content[0],
      { type: "thinking", thinking: "I have to name lanes.", signature: "c2lnbmF0dXJl" });
  },

  async "OpenAI's client, Anthropic's provider: what is cached counts once"(world) {
    for (const stream of [false, true]) {
      const response = await post(world, "/v1/chat/completions", { model: "claude/mock-cached", messages, stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}) });
      const text = await response.text();
      const usage = JSON.parse(text.match(/"usage":(\{"prompt_tokens":\d+,.*?\}\})/)[1]);
      assert.equal(usage.prompt_tokens_details.cached_tokens, 100);
      assert.equal(usage.prompt_tokens_details.cache_write_tokens, 20);
      assert.ok(usage.prompt_tokens > 120);
      assert.equal(usage.prompt_tokens + usage.completion_tokens, usage.total_tokens);
    }
  },

  async "what a provider cannot do is refused by name before it is called"(world) {
    const before = (await world.mock.stats()).requests;
    for (const [param, more] of [["n", { n: 2 }], ["logprobs", { logprobs: true }], ["response_format", { response_format: { type: "json_object" } }],
      ["tools", { tools: [{ type: "custom", custom: { name: "c" } }] }]]) {
      const error = await refusal(openai(world).chat.completions.create({ model: "claude/mock", messages, ...more }));
      assert.equal(error.status, 400);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, param);
    }
    // A model's own list counts wherever its provider speaks the client's dialect, too.
    const tools = [{ type: "function", function: weather }];
    for (const [param, more] of [["tools", { tools }], ["response_format", { response_format: { type: "json_object" } }]]) {
      const error = await refusal(openai(world).chat.completions.create({ model: "gpt/plain", messages, ...more }));
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, param);
    }
    const error = await refusal(anthropic(world).messages.create({ model: "gpt/mock", max_tokens: 5, messages,
      tools: [{ type: "web_search_20260209", name: "web_search" }] }));
    assert.equal(error.status, 400);
    assert.equal(error.error.type, "error");
    assert.equal(error.error.error.code, "unsupported_feature");
    assert.equal((await world.mock.stats()).requests, before);
    // Of several candidates those that can are left.
    const rescued = await openai(world).chat.completions.create({ model: "claude/with-fallback", messages, n: 2 });
    assert.equal(rescued.model, "gpt/mock");
    assert.equal(rescued.choices.length, 2);
  },

  async "sampling that a model does not take is left out, and said"(world) {
    const { response } = await openai(world).chat.completions.create({ model: "claude/plain", messages, temperature: 0.5, top_p: 0.5 }).withResponse();
    assert.equal(response.headers.get("x-gateway-dropped"), "temperature,top_p");
    assert.equal((await lastTo(world, "/v1/messages")).temperature, undefined);
  },

  async "Anthropic's client: an answer from either provider"(world) {
    for (const name of ANTHROPIC_CLIENT_MODELS) {
      const { data, response } = await anthropic(world).messages.create({
        model: `${name}/mock`, max_tokens: 3, system: "Be brief.", messages }).withResponse();
      assert.equal(data.type, "message");
      assert.equal(data.model, `${name}/mock`);
      assert.equal(data.stop_reason, "max_tokens");
      assert.equal(data.content.length, 1);
      assert.match(data.content[0].text, /^(\w+ ){3}$/);
      assert.equal(data.usage.output_tokens, 3);
      assert.ok(data.usage.input_tokens > 0);
      assert.match(response.headers.get("request-id"), /^req_/);
      assert.equal(data["x-llm-gateway"].request_id, response.headers.get("request-id"));
      const receipt = await receiptOf(world, response.headers.get("request-id"));
      assert.equal(receipt.api, "messages");
      assert.equal(receipt.finish_reason, "length");
    }
    assert.deepEqual(await lastTo(world, "/v1/chat/completions"), {
      model: "mock", messages: [{ role: "system", content: "Be brief." }, ...messages], max_tokens: 3 });
  },

  async "Anthropic's client: a stream from either provider says what the whole answer says"(world) {
    for (const name of ANTHROPIC_CLIENT_MODELS)
      for (const model of [`${name}/mock`, `${name}/mock-tool-parallel`, `${name}/mock-split`]) {
        const whole = await anthropic(world).messages.create({ model, max_tokens: 50, messages });
        const stream = anthropic(world).messages.stream({ model, max_tokens: 50, messages });
        const streamed = await stream.finalMessage();
        assert.equal(streamed.model, model);
        assert.equal(streamed.stop_reason, whole.stop_reason);
        const seen = (content) => content.map((block) => [block.type, block.text ?? block.input, block.name]);
        assert.deepEqual(seen(streamed.content), seen(whole.content));
        assert.ok(streamed.usage.input_tokens > 0);
        if (!model.includes("tool")) assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
      }
  },

  async "Anthropic's client, stream: events in order, the summary before the last"(world) {
    for (const name of ANTHROPIC_CLIENT_MODELS) {
      const { text, events } = await sse(await post(world, "/v1/messages", { model: `${name}/mock`, max_tokens: 3, stream: true, messages }));
      const names = events.filter((event) => !event.startsWith(":")).map((event) => event.match(/^event: (\w+)\ndata: \{"type":"(\w+)"/));
      for (const [, line, type] of names) assert.equal(line, type);
      assert.deepEqual(names.map(([, line]) => line).filter((line) => line !== "ping"),
        ["message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_delta", "content_block_stop",
          "message_delta", "message_stop"]);
      assert.match(text, /: x-llm-gateway \{.*\}\n\nevent: message_stop\ndata: \{"type":"message_stop"\}\n\n$/);
      assert.ok(JSON.parse(events[0].match(/data: (.*)/)[1]).message.usage.input_tokens > 0);
    }
  },

  async "Anthropic's client, OpenAI's provider: tools and images there and back"(world) {
    const tools = [{ name: weather.name, description: weather.description, input_schema: weather.parameters }];
    const first = await anthropic(world).messages.create({ model: "gpt/mock-tool-parallel", max_tokens: 50, messages, tools, tool_choice: { type: "any" } });
    assert.equal(first.stop_reason, "tool_use");
    assert.deepEqual(first.content.map((block) => block.input), [{ city: "Bern" }, {}]);
    await anthropic(world).messages.create({ model: "gpt/mock", max_tokens: 50, tools, messages: [...messages, { role: "assistant", content: first.content },
      { role: "user", content: [...first.content.map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "7 degrees" })),
        { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }] }] });
    const sent = await lastTo(world, "/v1/chat/completions");
    assert.deepEqual(sent.messages.map((m) => m.role), ["user", "assistant", "tool", "tool", "user"]);
    assert.equal(sent.messages[1].content, null);
    assert.deepEqual(sent.messages[4].content, [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }]);
  },

  async "Anthropic's client, Anthropic's provider: the body stays as it is"(world) {
    const body = `{ "max_tokens" : 3, "model":"claude/mock",  "messages": [ {"role":"user","content":"\\u0048i"} ], "top_k": 7 }`;
    const response = await post(world, "/v1/messages", body);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-gateway-dropped"), null);
    const sent = await (await fetch(`${world.mock.base}/mock/last?path=/v1/messages`)).text();
    assert.equal(sent, body.replace('"claude/mock"', '"mock"'));
  },

  async "errors are in the client's dialect"(world) {
    const cases = [[400, 400, "invalid_request_error"], [401, 502, "api_error"], [429, 429, "rate_limit_error"], [500, 502, "api_error"],
      [529, 503, "overloaded_error"], [504, 504, "timeout_error"]];
    for (const [status, expected, type] of cases)
      for (const name of ANTHROPIC_CLIENT_MODELS) {
        await forgive(world);
        const error = await refusal(anthropic(world).messages.create({ model: `${name}/mock-status-${status}`, max_tokens: 5, messages }));
        assert.equal(error.status, expected);
        assert.equal(error.error.type, "error");
        assert.equal(error.error.error.type, type);
        assert.match(error.error.request_id, /^req_/);
      }
    for (const [status, expected] of cases) {
      await forgive(world);
      const error = await refusal(openai(world).chat.completions.create({ model: `claude/mock-status-${status}`, messages }));
      assert.equal(error.status, expected);
      if (status !== 401) assert.equal(typeof error.error.upstream.type, "string");
    }
    await forgive(world);
    const limited = await refusal(openai(world).chat.completions.create({ model: "claude/mock-retry-after-7", messages }));
    assert.equal(limited.headers.get("retry-after"), "7");
    await forgive(world);
    const unknown = await refusal(anthropic(world).messages.create({ model: "none", max_tokens: 5, messages }));
    assert.equal(unknown.status, 404);
    assert.equal(unknown.error.error.type, "not_found_error");
    const stranger = await post(world, "/v1/messages", { model: "claude/mock", max_tokens: 5, messages }, { key: "no-such-key" });
    assert.equal(stranger.status, 401);
    assert.equal((await stranger.json()).error.type, "authentication_error");
    const unlimited = await post(world, "/v1/messages", { model: "claude/mock", messages });
    assert.equal(unlimited.status, 400);
    assert.equal((await unlimited.json()).error.param, "max_tokens");
  },

  async "a stream that breaks never ends like a whole one"(world) {
    for (const fault of ["cut", "truncated", "no-done", "error-event", "invalid-json"]) {
      const { text } = await sse(await post(world, "/v1/chat/completions", { model: `claude/mock-${fault}`, messages, stream: true }));
      assert.doesNotMatch(text, /\[DONE\]/, fault);
      assert.match(text, /^data: \{"error":\{/m, fault);
      for (const name of ANTHROPIC_CLIENT_MODELS) {
        const told = await sse(await post(world, "/v1/messages", { model: `${name}/mock-${fault}`, max_tokens: 50, messages, stream: true }));
        assert.doesNotMatch(told.text, /message_stop/, `${name} ${fault}`);
        assert.match(told.text, /^event: error\ndata: \{"type":"error","error":\{/m, `${name} ${fault}`);
      }
    }
  },

  async "an overload as a stream's first event is an overload, and the next candidate's turn"(world) {
    const error = await refusal(openai(world).chat.completions.create({ model: "claude/mock-error-first", messages, stream: true }));
    assert.equal(error.status, 503);
    const stream = await openai(world).chat.completions.create({ model: "claude/rescued", messages, stream: true });
    for await (const chunk of stream) assert.equal(chunk.model, "gpt/mock");
    const back = await anthropic(world).messages.create({ model: "gpt/rescued", max_tokens: 5, messages });
    assert.equal(back.model, "claude/mock");
  },

  // What the tests above rest on: a translation that the real API would refuse does not pass here either.
  async "the simulator refuses what Anthropic refuses"(world) {
    const ask = (body, headers = {}) => fetch(`${world.mock.base}/v1/messages`, { method: "POST", body: JSON.stringify({
      model: "mock", max_tokens: 5, messages, ...body }), headers: { "x-api-key": "k", "anthropic-version": "2023-06-01", ...headers } });
    const user = (...content) => ({ messages: [{ role: "user", content }] });
    const call = { role: "assistant", content: [{ type: "tool_use", id: "1", name: "f", input: {} }] };
    const text = { type: "text", text: "x" };
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({}, { "x-api-key": "" })).status, 401);
    for (const [body, headers] of [[{}, { "anthropic-version": "" }], [{ max_tokens: undefined }], [{ max_tokens: -1 }], [{ seed: 1 }], [{ n: 1 }],
      [{ temperature: 1.5 }], [{ output_config: { effort: "minimal" } }], [{ messages: [] }], [{ messages: [{ role: "system", content: "x" }] }],
      [{ messages: [{ role: "user", content: "" }] }], [{ messages: [{ role: "user", content: [] }] }], [user({ type: "text", text: "" })],
      [user({ type: "image_url" })], [user({ type: "image", source: { type: "base64", data: "AAAA" } })], [user({ ...call.content[0] })],
      [{ messages: [{ role: "assistant", content: [{ ...call.content[0], input: "{}" }] }] }],
      [{ messages: [{ role: "assistant", content: [{ type: "thinking", thinking: "x" }] }] }],
      [{ messages: [...messages, call, ...messages.map((m) => ({ ...m, content: [text] }))] }],
      [{ messages: [...messages, call, { role: "user", content: [text, { type: "tool_result", tool_use_id: "1" }] }] }],
      [{ tools: [{ name: "f" }] }], [{ tools: [{ name: "f", input_schema: {} }] }], [{ tool_choice: { type: "auto" } }],
      [{ tools: [{ name: "f", input_schema: { type: "object" } }], tool_choice: { type: "required" } }]]) {
      const response = await ask(body, headers);
      const answer = await response.json();
      assert.equal(response.status, 400, JSON.stringify(body));
      assert.equal(answer.type, "error");
      assert.equal(answer.error.type, "invalid_request_error");
    }
  },

  async "a provider without usage is estimated"(world) {
    const answer = await openai(world).chat.completions.create({ model: "claude/mock-no-usage", messages });
    assert.ok(answer.usage.completion_tokens > 0);
    const receipt = await receiptOf(world, answer["x-llm-gateway"].request_id);
    assert.equal(receipt.execution.tokens.estimated, true);
  },
};

const BEHAVIOURS = ["mock", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cached", "mock-cut", "mock-truncated",
  "mock-no-done", "mock-error-event", "mock-invalid-json", "mock-error-first", "mock-no-usage", "mock-status-400", "mock-status-401",
  "mock-status-429", "mock-status-500", "mock-status-504", "mock-status-529", "mock-retry-after-7"];
const model = (name, provider, upstream, more = "") =>
  `  - { id: ${name}, provider: ${provider}, upstream_model: ${upstream}, price: { input: 1, output: 2 }${more} }\n`;
const options = {
  extraProviders: `  - name: claude
    kind: anthropic
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
`,
  extraModels: BEHAVIOURS.map((name) => model(`claude/${name}`, "claude", name) + model(`gpt/${name}`, "mock", name)).join("") +
    model("claude/plain", "claude", "mock", ", capabilities: [chat, streaming]") +
    model("gpt/plain", "mock", "mock", ", capabilities: [chat, streaming]") +
    model("claude/with-fallback", "claude", "mock", ", fallback: [gpt/mock]") +
    model("claude/rescued", "claude", "mock-error-first", ", fallback: [gpt/mock]") +
    model("gpt/rescued", "mock", "mock-status-500", ", fallback: [claude/mock]"),
};

export const suites = [{ name: "dialects", open: (build) => openWorld(build, options), tests }];
