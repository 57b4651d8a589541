// Clients of OpenAI and Anthropic over AWS Bedrock, with the official SDKs: what they ask reaches it as Converse, signed, and comes
// back in their own dialect, whole or from a stream of binary messages.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { KEY, forgive, openWorld, post, sse } from "./harness.mjs";

const openai = (world) => new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
const anthropic = (world) => new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello." }];
const lastSent = async (world) => (await fetch(`${world.mock.base}/mock/last?path=/model/m/converse`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = { type: "function", function: { name: "get_weather", description: "The weather.", parameters: schema } };

const tests = {
  async "OpenAI's client: an answer"(world) {
    const { data, response } = await openai(world).chat.completions.create({
      model: "bedrock/mock", seed: 4, temperature: 1.5, top_p: 0.5, max_completion_tokens: 3, stop: ["END", " "],
      messages: [{ role: "system", content: "Be brief." }, ...messages, { role: "user", content: "" }],
    }).withResponse();
    assert.equal(data.model, "bedrock/mock");
    assert.match(data.choices[0].message.content, /^(\w+ ){3}$/);
    assert.equal(data.choices[0].finish_reason, "length");
    assert.equal(data.usage.completion_tokens, 3);
    assert.ok(data.id.length > 8);
    assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
    assert.equal(response.headers.get("x-gateway-dropped"), "temperature,stop,seed");
    assert.deepEqual(await lastSent(world), {
      messages: [{ role: "user", content: [{ text: "Say hello." }] }], system: [{ text: "Be brief." }],
      inferenceConfig: { maxTokens: 3, temperature: 1, topP: 0.5, stopSequences: ["END"] },
    });
  },

  async "pitfall 18: a model whose name has colons and slashes is one segment, signed as AWS wants it"(world) {
    for (const model of ["bedrock/arn", "bedrock/version", "bedrock/session"]) {
      const answer = await openai(world).chat.completions.create({ model, messages });
      assert.equal(answer.choices[0].finish_reason, "stop");
    }
  },

  async "a signature with the wrong key is the gateway's failure, told without the key"(world) {
    const error = await refusal(openai(world).chat.completions.create({ model: "forged/mock", messages }));
    assert.equal(error.status, 502);
    assert.equal(JSON.stringify(error.error).includes("not-the-secret"), false);
  },

  async "a stream says what the whole answer says, to either client"(world) {
    for (const name of ["mock", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cached", "mock-json"]) {
      const model = `bedrock/${name}`;
      const whole = await openai(world).chat.completions.create({ model, messages });
      const stream = openai(world).chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
      let reasoning = "", usage = null;
      for await (const chunk of stream) {
        assert.equal(chunk.model, model);
        assert.ok(chunk.id.length > 8);
        reasoning += chunk.choices[0]?.delta.reasoning_content ?? "";
        usage = chunk.usage ?? usage;
      }
      const choice = (await stream.finalChatCompletion()).choices[0];
      assert.equal(choice.message.content || null, whole.choices[0].message.content);
      assert.equal(choice.finish_reason, whole.choices[0].finish_reason);
      const calls = (message) => (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
      assert.deepEqual(calls(choice.message), calls(whole.choices[0].message));
      assert.equal(calls(choice.message).length, name.includes("parallel") ? 2 : name.includes("tool") ? 1 : 0);
      assert.equal(reasoning, whole.choices[0].message.reasoning_content ?? "");
      assert.deepEqual(usage, whole.usage);
      const message = await anthropic(world).messages.create({ model, max_tokens: 50, messages });
      const streamed = await anthropic(world).messages.stream({ model, max_tokens: 50, messages }).finalMessage();
      assert.equal(streamed.stop_reason, message.stop_reason);
      const seen = (content) => content.map((block) => [block.type, block.text ?? block.thinking ?? block.input, block.name, block.signature]);
      assert.deepEqual(seen(streamed.content), seen(message.content));
      assert.equal(streamed.usage.output_tokens, message.usage.output_tokens);
      assert.equal(streamed.usage.cache_read_input_tokens, message.usage.cache_read_input_tokens);
    }
  },

  async "pitfall 6: tokens of a cache are counted once"(world) {
    const { usage } = await openai(world).chat.completions.create({ model: "bedrock/mock-cached", messages });
    const plain = await openai(world).chat.completions.create({ model: "bedrock/mock", messages });
    assert.equal(usage.prompt_tokens_details.cached_tokens, 100);
    assert.equal(usage.prompt_tokens, plain.usage.prompt_tokens + 120);
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  },

  async "pitfalls 15 and 17: a turn of tools: results are one turn, and none is blank"(world) {
    const ask = (model, more) => openai(world).chat.completions.create({ model, ...more });
    const first = await ask("bedrock/mock-tool-parallel", { messages, tools: [weather], tool_choice: "required" });
    const message = first.choices[0].message;
    assert.equal(first.choices[0].finish_reason, "tool_calls");
    assert.deepEqual((await lastSent(world)).toolConfig, { tools: [{ toolSpec: { name: "get_weather", description: "The weather.", inputSchema: { json: schema } } }],
      toolChoice: { any: {} } });
    const results = message.tool_calls.map((call, i) => ({ role: "tool", tool_call_id: call.id, content: i ? "" : "7 degrees" }));
    await ask("bedrock/mock", { messages: [...messages, message, ...results, { role: "user", content: "And now?" }], tools: [weather] });
    const sent = await lastSent(world);
    assert.deepEqual(sent.messages.map((turn) => turn.role), ["user", "assistant", "user"]);
    assert.deepEqual(sent.messages[2].content.map((block) => block.toolResult?.content ?? block.text), [[{ text: "7 degrees" }], [{ text: "(empty)" }], "And now?"]);
    // Pitfall 16: calls in the conversation, and no tools any more.
    await ask("bedrock/mock", { messages: [...messages, message, ...results] });
    assert.deepEqual((await lastSent(world)).toolConfig.tools.map((tool) => tool.toolSpec.name), ["get_weather", "get_time"]);
  },

  async "Anthropic's client: thinking comes back, an image and a document go with it"(world) {
    const tools = [{ name: "get_weather", input_schema: schema, cache_control: { type: "ephemeral", ttl: "1h" } }];
    const first = await anthropic(world).messages.create({ model: "bedrock/mock-thinking", max_tokens: 50, messages, tools });
    await anthropic(world).messages.create({ model: "bedrock/mock", max_tokens: 50, tools, tool_choice: { type: "tool", name: "get_weather" },
      messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: [
        { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
        { type: "document", source: { type: "base64", media_type: "application/pdf", data: "BBBB" }, title: "x" },
        { type: "text", text: "And this?", cache_control: { type: "ephemeral" } }] }] });
    const sent = await lastSent(world);
    assert.deepEqual(sent.messages[1].content[0], { reasoningContent: { reasoningText: { text: "I have to name lanes.", signature: "c2ln" } } });
    assert.deepEqual(sent.messages[2].content, [{ image: { format: "png", source: { bytes: "AAAA" } } },
      { document: { format: "pdf", name: "Document 1", source: { bytes: "BBBB" } } }, { text: "And this?" }, { cachePoint: { type: "default" } }]);
    assert.deepEqual(sent.toolConfig.tools[1], { cachePoint: { type: "default", ttl: "1h" } });
    assert.deepEqual(sent.toolConfig.toolChoice, { tool: { name: "get_weather" } });
  },

  async "a schema goes as a text; what it cannot do is refused before the call"(world) {
    await openai(world).chat.completions.create({ model: "bedrock/mock-json", messages, response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema } } });
    const { textFormat } = (await lastSent(world)).outputConfig;
    assert.equal(textFormat.type, "json_schema");
    assert.deepEqual(JSON.parse(textFormat.structure.jsonSchema.schema), schema);
    const image = [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://h/x.png" } }] }];
    for (const [more, param] of [[{ n: 2 }, "n"], [{ logprobs: true }, "logprobs"], [{ messages: image }, "messages"]]) {
      const error = await refusal(openai(world).chat.completions.create({ model: "bedrock/mock", messages, ...more }));
      assert.deepEqual([error.status, error.code, error.param], [400, "unsupported_feature", param]);
    }
  },

  async "pitfall 28: embeddings of Titan and of Cohere, as numbers and in base64, of as many dimensions as asked for"(world) {
    for (const [name, dimensions, own] of [["titan", 256, 1024], ["cohere", 512, 64]]) {
      const ask = (more) => openai(world).embeddings.create({ model: `bedrock/${name}`, input: ["one", "two", "three"], ...more }).withResponse();
      const { data, response } = await ask({ encoding_format: "float", user: "u", input_type: "search_query" });
      assert.deepEqual(data.data.map((vector) => [vector.index, vector.embedding.length]), [[0, own], [1, own], [2, own]]);
      assert.equal(new Set(data.data.map((vector) => String(vector.embedding))).size, 3);
      assert.ok(data.usage.prompt_tokens >= 3);
      assert.equal(data.model, `bedrock/${name}`);
      assert.equal(response.headers.get("x-gateway-dropped"), name === "titan" ? "user,input_type" : "user");
      const encoded = await post(world, "/v1/embeddings", { model: `bedrock/${name}`, input: ["one", "two", "three"], encoding_format: "base64" });
      const vectors = (await encoded.json()).data.map(({ embedding }) => new Float32Array(Uint8Array.from(Buffer.from(embedding, "base64")).buffer));
      assert.deepEqual(vectors.map((vector) => [...vector]), data.data.map((vector) => vector.embedding));
      assert.equal((await ask({ dimensions })).data.data[2].embedding.length, dimensions);
    }
    const sent = await (await fetch(`${world.mock.base}/mock/last?path=/model/cohere.embed-v4%3A0/invoke`)).json();
    assert.deepEqual(sent, { texts: ["one", "two", "three"], embedding_types: ["float"], input_type: "search_document", output_dimension: 512 });
  },

  async "more texts than a call takes are sent in several, one after the other, and counted together"(world) {
    const input = Array.from({ length: 100 }, (_, i) => `text ${i}`);
    for (const [name, calls] of [["titan", 100], ["cohere", 2]]) {
      const before = (await world.mock.stats()).requests;
      const response = await post(world, "/v1/embeddings", { model: `bedrock/${name}`, input });
      const answer = await response.json();
      assert.equal(response.status, 200);
      assert.equal((await world.mock.stats()).requests - before, calls);
      assert.deepEqual(answer.data.map(({ index }) => index), [...input.keys()]);
      assert.equal(new Set(answer.data.map(({ embedding }) => String(embedding))).size, 100);
      const single = name === "titan" && await (await post(world, "/v1/embeddings", { model: "bedrock/titan", input: "text 7" })).json();
      if (single) {
        assert.deepEqual(single.data[0].embedding, answer.data[7].embedding);
        assert.equal(answer.usage.prompt_tokens, 100 * single.usage.prompt_tokens);
      }
      assert.equal(response.headers.get("x-gateway-retries"), "0");
    }
    const many = await post(world, "/v1/embeddings", { model: "bedrock/titan", input: Array.from({ length: 257 }, () => "x") });
    assert.equal(many.status, 400);
    assert.equal((await many.json()).error.param, "input");
  },

  async "embeddings: what a model lacks is refused by name, and a failure has its status"(world) {
    for (const name of ["titan-older", "cohere-older"]) {
      const error = await refusal(openai(world).embeddings.create({ model: `bedrock/${name}`, input: "x", dimensions: 256 }));
      assert.deepEqual([error.status, error.code, error.param], [400, "unsupported_feature", "dimensions"]);
      assert.equal((await openai(world).embeddings.create({ model: `bedrock/${name}`, input: ["x"] })).data.length, 1);
    }
    const size = await refusal(openai(world).embeddings.create({ model: "bedrock/titan", input: "x", dimensions: 7 }));
    assert.equal(size.status, 400);
    const empty = await refusal(openai(world).embeddings.create({ model: "bedrock/titan", input: ["x", "", "y"] })); // its second call fails
    assert.equal(empty.status, 400);
    const late = await refusal(openai(world).embeddings.create({ model: "bedrock/titan-429", input: ["x", "y"] }));
    assert.equal(late.status, 429);
    await forgive(world);
  },

  async "an API key instead of a signature"(world) {
    const answer = await openai(world).chat.completions.create({ model: "keyed/mock", messages });
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal((await openai(world).embeddings.create({ model: "keyed/titan", input: ["x", "y"] })).data.length, 2);
  },

  async "errors are told in the client's own dialect; a quota, told as a bad request, is a rate limit"(world) {
    for (const [name, status] of [["mock-status-400", 400], ["mock-status-400-quota", 429], ["mock-status-429", 429], ["mock-status-403", 502], ["mock-status-424", 502], ["mock-status-408", 504]]) {
      const error = await refusal(openai(world).chat.completions.create({ model: `bedrock/${name}`, messages }));
      assert.equal(error.status, status, name);
      await forgive(world);
      assert.equal((await refusal(anthropic(world).messages.create({ model: `bedrock/${name}`, max_tokens: 5, messages }))).status, status, name);
      await forgive(world);
    }
  },

  async "pitfalls 19 and 20: a stream that breaks ends in an error of the client's dialect, and not in order"(world) {
    for (const fault of ["cut", "truncated", "no-done", "error-event", "invalid-json"]) {
      const { text } = await sse(await post(world, "/v1/chat/completions", { model: `bedrock/mock-${fault}`, messages, stream: true }));
      assert.match(text, /"error":/, fault);
      assert.doesNotMatch(text, /\[DONE\]/, fault);
      const told = await sse(await post(world, "/v1/messages", { model: `bedrock/mock-${fault}`, max_tokens: 50, messages, stream: true }));
      assert.match(told.text, /event: error/, fault);
      assert.doesNotMatch(told.text, /message_stop/, fault);
      await forgive(world);
    }
    const error = await refusal(openai(world).chat.completions.create({ model: "bedrock/mock-error-first", messages, stream: true }));
    assert.equal(error.status, 503);
    await forgive(world);
    const stream = await openai(world).chat.completions.create({ model: "bedrock/rescued", messages, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.ok(text.length > 0);
  },
};

const BEHAVIOURS = ["mock", "mock-tool-parallel", "mock-tool-empty-input", "mock-thinking", "mock-split", "mock-cached", "mock-json", "mock-cut",
  "mock-truncated", "mock-no-done", "mock-error-event", "mock-invalid-json", "mock-error-first", "mock-status-400", "mock-status-400-quota",
  "mock-status-403", "mock-status-408", "mock-status-424", "mock-status-429"];
const model = (name, provider, upstream, more = "") =>
  `  - { id: ${name}, provider: ${provider}, upstream_model: "${upstream}", price: { input: 1, output: 2 }${more} }\n`;
const provider = (name, secret, more = "") => `  - name: ${name}
    kind: bedrock
    base_url: http://127.0.0.1:MOCK
    credentials: [{ name: primary, access_key_id: AKIDEXAMPLE, secret_access_key: ${secret}, region: eu-west-1${more} }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
`;
const options = {
  extraProviders: provider("bedrock", "mock-secret/key+1") + provider("session", "mock-secret/key+1", ", session_token: tok/en+=") + provider("forged", "not-the-secret") +
    provider("keyed", "").replace(/access_key_id: .*? }/, "api_key: bedrock-api-key-mock, region: eu-west-1 }"),
  extraModels: BEHAVIOURS.map((name) => model(`bedrock/${name}`, "bedrock", name)).join("") + model("forged/mock", "forged", "mock") +
    [["titan", "amazon.titan-embed-text-v2:0"], ["titan-older", "amazon.titan-embed-text-v1"], ["titan-429", "mock-titan-embed-status-429"],
      ["cohere", "cohere.embed-v4:0"], ["cohere-older", "cohere.embed-english-v3"]].map(([name, upstream]) => model(`bedrock/${name}`, "bedrock", upstream)).join("") +
    model("keyed/mock", "keyed", "mock") + model("keyed/titan", "keyed", "amazon.titan-embed-text-v2:0") +
    model("bedrock/session", "session", "mock") + model("bedrock/version", "bedrock", "anthropic.mock-v1:0") +
    model("bedrock/arn", "bedrock", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.mock-v1:0") +
    model("bedrock/rescued", "bedrock", "mock-error-first", ", fallback: [test/mock]"),
};

export const suites = [{ name: "bedrock", open: (build) => openWorld(build, options), tests }];
