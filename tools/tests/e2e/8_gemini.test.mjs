// Clients of OpenAI and Anthropic over a provider that speaks Gemini, with the official SDKs: what they ask reaches it in its own
// dialect, and comes back in theirs.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { KEY, MASTER_KEY, eventually, forgive, openWorld, post, sse } from "./harness.mjs";

const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const anthropic = (world) => new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const lastSent = async (world) => (await fetch(`${world.mock.base}/mock/last?path=/v1beta/models/m:generateContent`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = { type: "function", function: { name: "get_weather", description: "The weather.", parameters: schema } };

const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

const tests = {
  async "OpenAI's client: an answer"(world) {
    const { data, response } = await openai(world).chat.completions.create({
      model: "gemini/mock", seed: 4, logit_bias: { 5: 1 }, temperature: 1.5, max_completion_tokens: 3, stop: ["END"],
      messages: [{ role: "system", content: "Be brief." }, ...messages],
    }).withResponse();
    assert.equal(data.model, "gemini/mock");
    assert.match(data.choices[0].message.content, /^(\w+ ){3}$/);
    assert.equal(data.choices[0].finish_reason, "length");
    assert.equal(data.usage.completion_tokens, 3);
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.equal(response.headers.get("x-gateway-dropped"), "logit_bias");
    assert.deepEqual(await lastSent(world), {
      contents: [{ role: "user", parts: [{ text: "Say hello." }] }], systemInstruction: { parts: [{ text: "Be brief." }] },
      generationConfig: { maxOutputTokens: 3, temperature: 1.5, seed: 4, stopSequences: ["END"] },
    });
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.equal(receipt.finish_reason, "length");
    assert.equal(receipt.execution.tokens.completion, 3);
    assert.equal(receipt.execution.tokens.estimated, false);
  },

  async "a stream says what the whole answer says, to either client"(world) {
    for (const name of ["mock", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cached", "gemini-3-mock-tool", "mock-safety", "mock-blocked"]) {
      const model = `gemini/${name}`;
      const whole = await openai(world).chat.completions.create({ model, messages });
      const stream = openai(world).chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
      let reasoning = "", usage = null;
      for await (const chunk of stream) {
        assert.equal(chunk.model, model);
        reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
        usage = chunk.usage ?? usage;
      }
      const choice = await stream.finalChatCompletion().then((final) => final.choices[0], (error) => {
        assert.equal(whole.choices[0].finish_reason, "content_filter"); // this library throws for it
        assert.match(String(error), /content filter/);
      });
      if (choice) {
        assert.equal(choice.message.content || null, whole.choices[0].message.content);
        assert.equal(choice.finish_reason, whole.choices[0].finish_reason);
        const calls = (message) => (message.tool_calls ?? []).map((call) => [call.id.length, call.function.name, call.function.arguments, call.extra_content]);
        assert.deepEqual(calls(choice.message).map((call) => call.slice(1, 3)), calls(whole.choices[0].message).map((call) => call.slice(1, 3)));
      }
      assert.equal(reasoning, whole.choices[0].message.reasoning_content ?? "");
      assert.deepEqual(usage, whole.usage);
      const message = await anthropic(world).messages.create({ model, max_tokens: 50, messages });
      const streamed = await anthropic(world).messages.stream({ model, max_tokens: 50, messages }).finalMessage();
      assert.equal(streamed.stop_reason, message.stop_reason);
      const seen = (content) => content.map((block) => [block.type, block.text ?? block.thinking ?? block.input, block.name]);
      assert.deepEqual(seen(streamed.content), seen(message.content));
      assert.equal(streamed.usage.output_tokens, message.usage.output_tokens);
      assert.equal(streamed.usage.cache_read_input_tokens, message.usage.cache_read_input_tokens);
    }
  },

  async "pitfalls 8 and 9: usage on every event counts once; a call in an early event ends as tool_calls"(world) {
    const { events } = await sse(await post(world, "/v1/chat/completions", { model: "gemini/mock-tool", messages, stream: true, stream_options: { include_usage: true } }));
    const chunks = events.filter((event) => event.startsWith("data: {")).map((event) => JSON.parse(event.slice(6)));
    assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.completion_tokens, 9);
    assert.deepEqual(chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean), ["tool_calls"]);
  },

  async "figures of caches and thoughts are counted once"(world) {
    const cached = await openai(world).chat.completions.create({ model: "gemini/mock-cached", messages });
    assert.equal(cached.usage.prompt_tokens_details.cached_tokens, 100);
    assert.ok(cached.usage.prompt_tokens > 100);
    const thought = await openai(world).chat.completions.create({ model: "gemini/mock-thinking", messages, max_tokens: 5 });
    assert.equal(thought.usage.completion_tokens_details.reasoning_tokens, 2);
    assert.equal(thought.usage.completion_tokens, 7);
    const receipt = await receiptOf(world, thought["x-llm-gateway"].request_id);
    assert.equal(receipt.execution.tokens.completion, 7);
  },

  async "pitfall 11: OpenAI's client: a turn of tools, whose signature comes back with the call"(world) {
    const ask = (model, more) => openai(world).chat.completions.create({ model, tools: [weather], ...more });
    const first = await ask("gemini/gemini-3-mock-tool-parallel", { messages, tool_choice: "required" });
    const message = first.choices[0].message;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(message.tool_calls.map((call) => JSON.parse(call.function.arguments)), [{ city: "Bern" }, { city: "Bern" }]);
    assert.equal(new Set(message.tool_calls.map((call) => call.id)).size, 2);
    assert.deepEqual(message.tool_calls[0].extra_content, { google: { thought_signature: "c2lnbmF0dXJl" } });
    assert.deepEqual((await lastSent(world)).toolConfig, { functionCallingConfig: { mode: "ANY" } });
    const results = message.tool_calls.map((call, i) => ({ role: "tool", tool_call_id: call.id, content: i ? `{"degrees":7}` : "7 degrees" }));
    await ask("gemini/gemini-3-mock", { messages: [...messages, message, ...results] });
    const sent = await lastSent(world);
    assert.deepEqual(sent.contents.map((content) => content.role), ["user", "model", "user"]);
    assert.deepEqual(sent.contents[1].parts.filter((part) => part.functionCall).map((part) => part.thoughtSignature), ["c2lnbmF0dXJl", undefined]);
    assert.deepEqual(sent.contents[2].parts.map((part) => [part.functionResponse.name, part.functionResponse.response]),
      [["get_weather", { result: "7 degrees" }], ["get_time", { degrees: 7 }]]);
    // A client that drops what it does not know.
    for (const call of message.tool_calls) delete call.extra_content;
    const forgetful = await ask("gemini/gemini-3-mock", { messages: [...messages, message, ...results] });
    assert.equal(forgetful.choices[0].finish_reason, "stop");
    assert.equal((await lastSent(world)).contents[1].parts[1].thoughtSignature, "skip_thought_signature_validator");
  },

  async "pitfall 11: the signature comes in a stream as well"(world) {
    const { events } = await sse(await post(world, "/v1/chat/completions", { model: "gemini/gemini-3-mock-tool", messages, stream: true, tools: [weather] }));
    const calls = events.filter((event) => event.startsWith("data: {")).flatMap((event) => JSON.parse(event.slice(6)).choices[0]?.delta.tool_calls ?? []);
    assert.deepEqual(calls.map((call) => call.extra_content?.google.thought_signature).filter(Boolean), ["c2lnbmF0dXJl"]);
  },

  async "Anthropic's client: a turn of tools and an image"(world) {
    const tools = [{ name: "get_weather", description: "The weather.", input_schema: schema }];
    const ask = (model, more) => anthropic(world).messages.create({ model, max_tokens: 50, tools, ...more });
    const first = await ask("gemini/gemini-3-mock-tool-parallel", { messages, tool_choice: { type: "tool", name: "get_weather" } });
    assert.equal(first.stop_reason, "tool_use");
    const calls = first.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(calls.map((block) => block.input), [{ city: "Bern" }, { city: "Bern" }]);
    assert.deepEqual((await lastSent(world)).toolConfig, { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["get_weather"] } });
    const second = await ask("gemini/gemini-3-mock", { messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: [
      ...calls.map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "7 degrees", is_error: block === calls[1] })),
      { type: "text", text: "And this?" }, { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }] }] });
    assert.equal(second.stop_reason, "end_turn");
    const sent = await lastSent(world);
    assert.deepEqual(sent.contents.map((content) => content.role), ["user", "model", "user", "user"]);
    assert.deepEqual(sent.contents[2].parts.map((part) => part.functionResponse.response), [{ result: "7 degrees" }, { error: "7 degrees" }]);
    assert.deepEqual(sent.contents[3].parts, [{ text: "And this?" }, { inlineData: { mimeType: "image/png", data: "AAAA" } }]);
  },

  async "pitfall 12: schemas keep what the provider takes; a property that is named like a keyword survives"(world) {
    const parameters = { $schema: "http://json-schema.org/draft-07/schema#", type: "object", properties: {
      uniqueItems: { type: "string", pattern: "^a", const: "a" }, list: { type: "array", items: { type: "integer", exclusiveMinimum: 0 }, uniqueItems: true } } };
    const { response } = await openai(world).chat.completions.create({ model: "gemini/mock", messages,
      tools: [{ type: "function", function: { name: "f", parameters } }],
      response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema } } }).withResponse();
    assert.equal(response.headers.get("x-gateway-dropped"), "pattern,exclusiveMinimum,uniqueItems");
    const sent = await lastSent(world);
    assert.deepEqual(sent.tools[0].functionDeclarations[0].parametersJsonSchema, { type: "object", properties: {
      uniqueItems: { type: "string", enum: ["a"] }, list: { type: "array", items: { type: "integer" } } } });
    assert.deepEqual(sent.generationConfig, { responseMimeType: "application/json", responseJsonSchema: schema });
  },

  async "OpenAI's client of Responses: an answer and a stream, with a call"(world) {
    const tools = [{ type: "function", name: "get_weather", parameters: schema, strict: false }];
    const response = await openai(world).responses.create({ model: "gemini/mock-tool", input: "Weather?", tools, store: false });
    assert.equal(response.status, "completed");
    assert.equal(response.output.find((item) => item.type === "function_call").arguments, '{"city":"Bern"}');
    assert.deepEqual((await lastSent(world)).contents, [{ role: "user", parts: [{ text: "Weather?" }] }]);
    const stream = openai(world).responses.stream({ model: "gemini/mock-thinking", input: "Say hello.", store: false });
    const final = await stream.finalResponse();
    assert.match(final.output_text, /^(\w+ )+$/);
    assert.deepEqual(final.output.map((item) => item.type), ["reasoning", "message"]);
  },

  async "images, sound, JSON, effort"(world) {
    await openai(world).chat.completions.create({ model: "gemini/gemini-3-mock", response_format: { type: "json_object" }, reasoning_effort: "low",
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }, { type: "text", text: "What is it?" }] }] });
    const sent = await lastSent(world);
    assert.deepEqual(sent.contents[0].parts, [{ inlineData: { mimeType: "image/png", data: "AAAA" } }, { text: "What is it?" }]);
    assert.deepEqual(sent.generationConfig, { responseMimeType: "application/json", thinkingConfig: { thinkingLevel: "LOW", includeThoughts: true } });
    await openai(world).chat.completions.create({ model: "gemini/mock",
      messages: [{ role: "user", content: [{ type: "input_audio", input_audio: { data: "AAAA", format: "mp3" } }] }] });
    assert.deepEqual((await lastSent(world)).contents[0].parts, [{ inlineData: { mimeType: "audio/mp3", data: "AAAA" } }]);
    await openai(world).chat.completions.create({ model: "gemini/mock", messages, reasoning_effort: "none" });
    assert.deepEqual((await lastSent(world)).generationConfig, { thinkingConfig: { thinkingBudget: 0 } });
  },

  async "what it cannot do is refused by name before it is called"(world) {
    const before = (await world.mock.stats()).requests;
    for (const [param, more] of [["n", { n: 17 }], ["logprobs", { logprobs: true }], ["stop", { stop: ["1", "2", "3", "4", "5", "6"] }],
      ["messages", { messages: [...messages, { role: "assistant", content: "Hel" }] }], ["tools", { tools: [{ type: "custom", custom: { name: "c" } }] }]]) {
      const error = await refusal(openai(world).chat.completions.create({ model: "gemini/mock", messages, ...more }));
      assert.equal(error.status, 400);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, param);
    }
    assert.equal((await world.mock.stats()).requests, before);
  },

  async "several answers: each has its number, its calls and its end, whole and in a stream; what they used is counted once"(world) {
    for (const name of ["gemini/mock", "gemini/gemini-3-mock-tool-parallel", "gemini/mock-thinking", "gemini/mock-blocked"]) {
      const n = name === "gemini/mock-blocked" ? 1 : 3; // a refused prompt has one answer, which says so
      const whole = await openai(world).chat.completions.create({ model: name, messages, n: 3 });
      assert.deepEqual(whole.choices.map((choice) => choice.index), [...Array(n).keys()]);
      if (n > 1 && !whole.choices[0].message.tool_calls)
        assert.equal(new Set(whole.choices.map((choice) => choice.message.content)).size, n);
      const calls = whole.choices.flatMap((choice) => choice.message.tool_calls ?? []);
      assert.equal(new Set(calls.map((call) => call.id)).size, calls.length);
      const pieces = whole.choices.map(() => ({ content: "", calls: [], finish: [], roles: 0 }));
      const usages = [];
      for await (const chunk of await openai(world).chat.completions.create({ model: name, messages, n: 3, stream: true, stream_options: { include_usage: true } })) {
        if (chunk.usage)
          usages.push(chunk.usage);
        for (const { index, delta, finish_reason } of chunk.choices) {
          const piece = pieces[index];
          piece.content += delta.content ?? "";
          piece.roles += delta.role === "assistant" ? 1 : 0;
          for (const call of delta.tool_calls ?? []) {
            piece.calls[call.index] ??= { id: call.id, name: call.function.name, arguments: "" };
            piece.calls[call.index].arguments += call.function.arguments ?? "";
          }
          if (finish_reason)
            piece.finish.push(finish_reason);
        }
      }
      const own = (id) => id.replace(/^call_r[0-9a-f]+/, "call"); // made of the answer's id, which differs
      whole.choices.forEach((choice, i) => {
        assert.equal(pieces[i].roles, 1);
        assert.equal(pieces[i].content || null, choice.message.content);
        assert.deepEqual(pieces[i].finish, [choice.finish_reason]);
        assert.deepEqual(pieces[i].calls.map((call) => [own(call.id), call.name, call.arguments]),
          (choice.message.tool_calls ?? []).map((call) => [own(call.id), call.function.name, call.function.arguments]));
      });
      assert.equal(usages.length, 1);
      assert.equal(usages[0].completion_tokens, whole.usage.completion_tokens);
    }
    assert.equal((await openai(world).chat.completions.create({ model: "gemini/mock", messages, n: 2 }).then(() => lastSent(world))).generationConfig.candidateCount, 2);
  },

  async "what was withheld is said"(world) {
    for (const model of ["gemini/mock-safety", "gemini/mock-blocked"]) {
      const answer = await openai(world).chat.completions.create({ model, messages });
      assert.equal(answer.choices[0].finish_reason, "content_filter");
      assert.equal(answer.choices[0].message.content, null);
      assert.equal((await anthropic(world).messages.create({ model, max_tokens: 5, messages })).stop_reason, "refusal");
    }
  },

  async "errors are in the client's dialect, a bad key is the gateway's"(world) {
    const cases = [[400, 400, "invalid_request_error"], [401, 502, "api_error"], [429, 429, "rate_limit_error"], [500, 502, "api_error"],
      [503, 503, "overloaded_error"], [504, 504, "timeout_error"]];
    for (const [status, expected, type] of cases) {
      await forgive(world);
      const error = await refusal(anthropic(world).messages.create({ model: `gemini/mock-status-${status}`, max_tokens: 5, messages }));
      assert.equal(error.status, expected);
      assert.equal(error.error.error.type, type);
      await forgive(world);
      const told = await refusal(openai(world).chat.completions.create({ model: `gemini/mock-status-${status}`, messages }));
      assert.equal(told.status, expected);
      if (status !== 401) assert.equal(told.error.upstream.code, status);
    }
    await forgive(world);
    const limited = await refusal(openai(world).chat.completions.create({ model: "gemini/mock-retry-after-7", messages }));
    assert.equal(limited.headers.get("retry-after"), "7");
    await forgive(world);
    const locked = await refusal(openai(world).chat.completions.create({ model: "locked/mock", messages }));
    assert.equal(locked.status, 502);
    assert.equal(locked.code, "upstream_auth_error");
    await forgive(world);
  },

  async "a stream that breaks never ends like a whole one"(world) {
    for (const fault of ["cut", "truncated", "no-done", "error-event", "invalid-json"]) {
      const { text } = await sse(await post(world, "/v1/chat/completions", { model: `gemini/mock-${fault}`, messages, stream: true }));
      assert.doesNotMatch(text, /\[DONE\]/, fault);
      assert.match(text, /^data: \{"error":\{/m, fault);
      const told = await sse(await post(world, "/v1/messages", { model: `gemini/mock-${fault}`, max_tokens: 50, messages, stream: true }));
      assert.doesNotMatch(told.text, /message_stop/, fault);
      assert.match(told.text, /^event: error\ndata: \{"type":"error","error":\{/m, fault);
    }
    const error = await refusal(openai(world).chat.completions.create({ model: "gemini/mock-error-first", messages, stream: true }));
    assert.equal(error.status, 503);
    await forgive(world);
    const stream = await openai(world).chat.completions.create({ model: "gemini/rescued", messages, stream: true });
    for await (const chunk of stream) assert.equal(chunk.model, "test/mock");
  },

  async "a provider without usage is estimated"(world) {
    const answer = await openai(world).chat.completions.create({ model: "gemini/mock-no-usage", messages });
    assert.ok(answer.usage.completion_tokens > 0);
    assert.equal((await receiptOf(world, answer["x-llm-gateway"].request_id)).execution.tokens.estimated, true);
  },

  async "pitfall 28: embeddings, as numbers and in base64, of as many dimensions as asked for"(world) {
    const ask = (more) => post(world, "/v1/embeddings", { model: "gemini/mock", ...more });
    const floats = await (await ask({ input: ["one", "two"], dimensions: 5 })).json();
    assert.equal(floats.object, "list");
    assert.equal(floats.model, "gemini/mock");
    assert.deepEqual(floats.data.map((entry) => [entry.object, entry.index, entry.embedding.length]), [["embedding", 0, 5], ["embedding", 1, 5]]);
    assert.ok(floats.usage.prompt_tokens > 0);
    assert.deepEqual(await (await fetch(`${world.mock.base}/mock/last?path=/v1beta/models/m:batchEmbedContents`)).json(), { requests: ["one", "two"].map((text) =>
      ({ model: "models/mock", content: { parts: [{ text }] }, outputDimensionality: 5 })) });
    const base64 = await (await ask({ input: ["one", "two"], dimensions: 5, encoding_format: "base64" })).json();
    for (const [i, entry] of base64.data.entries()) {
      const bytes = Buffer.from(entry.embedding, "base64");
      assert.deepEqual(Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at)), floats.data[i].embedding);
    }
    // The library asks for base64 unasked, and takes it apart.
    const { data, response } = await openai(world).embeddings.create({ model: "gemini/mock", input: "one", user: "u" }).withResponse();
    assert.equal(data.data[0].embedding.length, 64);
    assert.ok(data.data[0].embedding.every((value) => typeof value === "number"));
    assert.equal(response.headers.get("x-gateway-dropped"), "user");
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.equal(receipt.api, "embeddings");
    assert.equal(receipt.execution.tokens.estimated, true);
    for (const [more, code, param] of [[{ input: [1, 2] }, "unsupported_feature", "input"], [{ input: [] }, "invalid_value", "input"],
      [{ input: "x", encoding_format: "hex" }, "invalid_value", "encoding_format"], [{ input: "x", dimensions: 0 }, "invalid_value", "dimensions"]]) {
      const answer = await ask(more);
      const { error } = await answer.json();
      assert.deepEqual([answer.status, error.code, error.param], [400, code, param]);
    }
    const broken = await post(world, "/v1/embeddings", { model: "gemini/mock-truncated", input: "x" });
    assert.equal(broken.status, 502);
    await forgive(world);
  },

  // What the tests above rest on: a translation that the real API would refuse does not pass here either.
  async "the simulator refuses what Gemini refuses"(world) {
    const ask = (body, { model = "gemini-3-mock", headers = {}, method = "generateContent" } = {}) => fetch(`${world.mock.base}/v1beta/models/${model}:${method}`,
      { method: "POST", body: JSON.stringify({ contents: [user({ text: "Hi" })], ...body }), headers: { "x-goog-api-key": "k", ...headers } });
    const user = (...parts) => ({ role: "user", parts });
    const call = (more = {}, outer = { thoughtSignature: "c2lnbmF0dXJl" }) => ({ role: "model", parts: [{ functionCall: { name: "f", args: {}, ...more }, ...outer }] });
    const result = (more = {}) => ({ functionResponse: { name: "f", response: {}, ...more } });
    const turn = (...contents) => ({ contents: [user({ text: "Hi" }), ...contents] });
    assert.equal((await ask({})).status, 200);
    assert.equal((await ask({ generation_config: { max_output_tokens: 5 }, system_instruction: { parts: [{ text: "x" }] } })).status, 200);
    assert.equal((await ask(turn(call(), user(result())))).status, 200);
    assert.equal((await ask(turn(call({}, {}), user(result())), { model: "gemini-2.5-mock" })).status, 200);
    assert.equal((await ask({}, { headers: { "x-goog-api-key": "" } })).status, 401);
    assert.equal((await ask({}, { method: "countWords" })).status, 404);
    for (const body of [{ messages: [] }, { contents: [] }, { contents: [{ role: "assistant", parts: [{ text: "x" }] }] }, { contents: [{ role: "system", parts: [{ text: "x" }] }] },
      { contents: [user()] }, { contents: [user({})] }, { contents: [user({ type: "text", text: "x" })] }, { contents: [user({ inlineData: { data: "AAAA" } })] },
      turn(call({}, {}), user(result())), turn(call({}, { thoughtSignature: "Zm9yZ2Vk" }), user(result())), turn(call({ args: "{}" }), user(result())),
      turn(call(), user({ text: "x" })), turn(call(), user(result(), result())), turn(call(), user(result({ response: "x" }))),
      { generationConfig: { temperature: 3 } }, { generationConfig: { maxOutputTokens: 0 } }, { generationConfig: { stopSequences: ["1", "2", "3", "4", "5", "6"] } },
      { generationConfig: { responseJsonSchema: schema } }, { generationConfig: { max_tokens: 5 } }, { generationConfig: { thinkingConfig: { thinkingLevel: "low" } } },
      { tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: { type: "object", $schema: "x" } }] }] }, { tools: [{ type: "function" }] },
      { toolConfig: { functionCallingConfig: { mode: "required" } } }, { toolConfig: { functionCallingConfig: { mode: "AUTO", allowedFunctionNames: ["f"] } } }]) {
      const response = await ask(body);
      assert.equal(response.status, 400, JSON.stringify(body));
      assert.equal((await response.json()).error.status, "INVALID_ARGUMENT");
    }
  },
};

const BEHAVIOURS = ["mock", "mock-tool", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cached", "mock-cut", "mock-truncated",
  "mock-no-done", "mock-error-event", "mock-invalid-json", "mock-error-first", "mock-no-usage", "mock-safety", "mock-blocked", "mock-status-400",
  "mock-status-401", "mock-status-429", "mock-status-500", "mock-status-503", "mock-status-504", "mock-retry-after-7", "gemini-3-mock",
  "gemini-3-mock-tool", "gemini-3-mock-tool-parallel"];
const model = (name, provider, upstream, more = "") =>
  `  - { id: ${name}, provider: ${provider}, upstream_model: ${upstream}, price: { input: 1, output: 2 }${more} }\n`;
const provider = (name, key) => `  - name: ${name}
    kind: gemini
    base_url: http://127.0.0.1:MOCK/v1beta
    credentials: [{ name: primary, api_key: ${key} }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
`;
const options = {
  extraProviders: provider("gemini", "upstream-secret") + provider("locked", "invalid"),
  extraModels: BEHAVIOURS.map((name) => model(`gemini/${name}`, "gemini", name)).join("") + model("locked/mock", "locked", "mock") +
    model("gemini/rescued", "gemini", "mock-error-first", ", fallback: [test/mock]"),
};

export const suites = [{ name: "gemini", open: (build) => openWorld(build, options), tests }];
