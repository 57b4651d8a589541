// The Responses API with the official SDK: bridged to providers that speak something else, passed on to those that serve it.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import fs from "node:fs";
import { KEY, MASTER_KEY, eventually, forgive, openWorld, post, run, sse, startGateway } from "./harness.mjs";

const openai = (world, key = KEY) => new OpenAI({ apiKey: key, baseURL: `${world.base}/v1`, maxRetries: 0 });
const lastTo = async (world, path) => (await fetch(`${world.mock.base}/mock/last?path=${path}`)).json();
const refusal = async (promise) => promise.then(() => assert.fail("it was not refused"), (error) => error);
const weather = { type: "function", name: "get_weather", description: "The weather.", strict: true,
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false } };
const input = "Say hello.";

const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

// Every event of a stream as the wire has it, checked for what holds of all: its name twice, its number, one more than the last.
async function events(world, body) {
  const { text } = await sse(await post(world, "/v1/responses", { ...body, stream: true }));
  const blocks = text.split("\n\n").filter((block) => block && !block.startsWith(":"));
  return blocks.map((block, i) => {
    const [, name, data] = block.match(/^event: (\S+)\ndata: (.*)$/);
    const event = JSON.parse(data);
    assert.equal(event.type, name);
    assert.equal(event.sequence_number, i, name);
    return event;
  });
}

const names = (list) => list.map((event) => event.type.replace(/^response\./, "")).filter((name, i, all) => name !== all[i - 1]);

const BRIDGED = ["gpt", "claude"];
const ALL = [...BRIDGED, "native"];

const tests = {
  async "a bridged answer"(world) {
    for (const provider of BRIDGED) {
      const { data, response } = await openai(world).responses.create({ model: `${provider}/mock`, input, instructions: "Be brief.",
        metadata: { a: "b" }, temperature: 0.5 }).withResponse();
      assert.equal(data.object, "response");
      assert.match(data.id, /^resp_[0-9A-Z]{26}$/);
      assert.equal(data.status, "completed");
      assert.equal(data.model, `${provider}/mock`);
      assert.match(data.output_text, /^(\w+ )+$/);
      assert.deepEqual(data.output.map((item) => [item.type, item.role, item.status]), [["message", "assistant", "completed"]]);
      assert.equal(data.usage.total_tokens, data.usage.input_tokens + data.usage.output_tokens);
      assert.equal(data.usage.input_tokens_details.cached_tokens, 0);
      assert.equal(data.usage.output_tokens_details.reasoning_tokens, 0);
      assert.deepEqual([data.instructions, data.metadata, data.temperature, data.tools, data.error, data.incomplete_details],
        ["Be brief.", { a: "b" }, 0.5, [], null, null]);
      assert.ok(data["x-llm-gateway"].cost_usd > 0);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.equal(receipt.api, "responses");
      assert.equal(receipt.finish_reason, "stop");
      assert.equal(receipt.execution.tokens.completion, data.usage.output_tokens);
    }
    assert.deepEqual((await lastTo(world, "/v1/chat/completions")).messages,
      [{ role: "system", content: "Be brief." }, { role: "user", content: input }]);
    assert.deepEqual((await lastTo(world, "/v1/messages")).system, [{ type: "text", text: "Be brief." }]);
  },

  async "pitfall 30: a bridged stream says what the whole answer says, in the order of events that OpenAI has"(world) {
    for (const provider of BRIDGED) {
      const whole = await openai(world).responses.create({ model: `${provider}/mock`, input });
      const list = await events(world, { model: `${provider}/mock`, input });
      assert.deepEqual(names(list), ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed"]);
      const last = list.at(-1).response;
      assert.equal(last.output[0].content[0].text, whole.output_text);
      assert.equal(list.filter((e) => e.delta).map((e) => e.delta).join(""), whole.output_text);
      assert.equal(list.at(-4).text, whole.output_text);
      assert.deepEqual(last.output, [list.at(-2).item]);
      assert.deepEqual(last.usage, whole.usage);
      const stream = openai(world).responses.stream({ model: `${provider}/mock`, input });
      const final = await stream.finalResponse();
      assert.equal(final.output_text, whole.output_text);
      assert.equal(final.status, "completed");
    }
  },

  async "the summary stands before the last event, and the end waits for the receipt"(world) {
    const { text } = await sse(await post(world, "/v1/responses", { model: "claude/mock", input, stream: true }));
    const blocks = text.split("\n\n").filter(Boolean);
    assert.match(blocks.at(-2), /^: x-llm-gateway \{/);
    assert.match(blocks.at(-1), /^event: response.completed\n/);
    assert.doesNotMatch(text, /\[DONE\]/);
  },

  async "tools, parallel, streamed or not, and their results"(world) {
    for (const provider of BRIDGED) {
      const model = `${provider}/mock-tool-parallel`;
      const first = await openai(world).responses.create({ model, input, tools: [weather], tool_choice: "required" });
      const calls = first.output.filter((item) => item.type === "function_call");
      assert.equal(calls.length, 2);
      assert.deepEqual(calls.map((call) => [call.status, call.id.startsWith("fc_")]), [["completed", true], ["completed", true]]);
      assert.deepEqual(JSON.parse(calls[0].arguments), { city: "Bern" });
      const list = await events(world, { model, input, tools: [weather], tool_choice: "required" });
      const done = list.filter((e) => e.type === "response.function_call_arguments.done");
      assert.deepEqual(done.map((e) => [e.name, JSON.parse(e.arguments || "{}")]), calls.map((call) => [call.name, JSON.parse(call.arguments || "{}")]));
      assert.deepEqual(list.at(-1).response.output.map((item) => [item.type, item.call_id?.slice(0, 5)]),
        first.output.map((item) => [item.type, item.call_id?.slice(0, 5)]));
      const stream = openai(world).responses.stream({ model, input, tools: [weather] });
      assert.equal((await stream.finalResponse()).output.length, first.output.length);
      const outputs = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "7 degrees" }));
      const second = await openai(world).responses.create({ model: `${provider}/mock`, tools: [weather],
        input: [{ role: "user", content: input }, ...first.output, ...outputs] });
      assert.equal(second.status, "completed");
    }
    const chat = await lastTo(world, "/v1/chat/completions");
    assert.deepEqual(chat.messages.map((m) => m.role), ["user", "assistant", "tool", "tool"]);
    assert.equal(chat.messages[1].tool_calls.length, 2);
    assert.equal(chat.tools[0].function.strict, true);
    const messages = await lastTo(world, "/v1/messages");
    assert.deepEqual(messages.messages.map((m) => m.role), ["user", "assistant", "user"]);
    assert.deepEqual(messages.messages[2].content.map((block) => block.type), ["tool_result", "tool_result"]);
  },

  async "structured output, images, files, limits, effort"(world) {
    const format = { type: "json_schema", name: "n", schema: { type: "object" }, strict: true };
    const content = [{ type: "input_text", text: "What is it?" }, { type: "input_image", image_url: "data:image/png;base64,AAAA" }];
    for (const provider of BRIDGED) {
      const data = await openai(world).responses.create({ model: `${provider}/mock`, input: [{ role: "user", content }], text: { format },
        reasoning: { effort: "low" }, max_output_tokens: 3 });
      assert.equal(data.status, "incomplete");
      assert.deepEqual(data.incomplete_details, { reason: "max_output_tokens" });
      assert.equal(data.output[0].status, "incomplete");
      assert.deepEqual(data.text, { format });
    }
    const chat = await lastTo(world, "/v1/chat/completions");
    assert.deepEqual(chat.response_format, { type: "json_schema", json_schema: { name: "n", schema: { type: "object" }, strict: true } });
    assert.equal(chat.messages[0].content[1].image_url.url, "data:image/png;base64,AAAA");
    assert.equal(chat.reasoning_effort, "low");
    const sent = await lastTo(world, "/v1/messages");
    assert.deepEqual(sent.messages[0].content[1], { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } });
    assert.deepEqual(sent.output_config, { effort: "low", format: { type: "json_schema", schema: { type: "object" } } });
    assert.equal(sent.max_tokens, 3);
    const list = await events(world, { model: "claude/mock", input, max_output_tokens: 3 });
    assert.equal(list.at(-1).type, "response.incomplete");
    assert.equal(list.at(-1).response.incomplete_details.reason, "max_output_tokens");
  },

  async "thinking is a reasoning item, and goes back to its provider with its signature"(world) {
    const model = "claude/mock-thinking";
    const whole = await openai(world).responses.create({ model, input });
    assert.deepEqual(whole.output.map((item) => item.type), ["reasoning", "message"]);
    assert.equal(whole.output[0].summary[0].text, "I have to name lanes.");
    const list = await events(world, { model, input });
    assert.deepEqual(names(list).slice(2, 8), ["output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
      "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"]);
    const streamed = list.at(-1).response.output;
    assert.deepEqual(streamed[0].summary, whole.output[0].summary);
    assert.equal(streamed[0].encrypted_content, whole.output[0].encrypted_content);
    await openai(world).responses.create({ model: "claude/mock", input: [{ role: "user", content: input }, ...streamed, { role: "user", content: "On." }] });
    assert.deepEqual((await lastTo(world, "/v1/messages")).messages[1].content[0],
      { type: "thinking", thinking: "I have to name lanes.", signature: "c2lnbmF0dXJl" });
  },

  async "what a bridge cannot do is refused by name before a provider is called"(world) {
    const before = (await world.mock.stats()).requests;
    for (const [param, more, words] of [["tools", { tools: [{ type: "web_search" }] }, /web_search/], ["background", { background: true }, /background/],
      ["conversation", { conversation: "conv_1" }, /option/], ["input", { input: [{ type: "item_reference", id: "msg_1" }] }, /part/],
      ["include", { include: ["message.output_text.logprobs"] }, /probabilities/]]) {
      const error = await refusal(openai(world).responses.create({ model: "claude/mock", input, ...more }));
      assert.equal(error.status, 400, param);
      assert.equal(error.code, "unsupported_feature");
      assert.equal(error.param, param);
      assert.match(error.message, words);
    }
    for (const [param, body] of [["input", { model: "claude/mock" }], ["input", { model: "claude/mock", input: 5 }], ["model", { model: 7, input }],
      ["max_output_tokens", { model: "claude/mock", input, max_output_tokens: 0 }], ["stream", { model: "claude/mock", input, stream: 1 }]]) {
      const response = await post(world, "/v1/responses", body);
      assert.equal(response.status, 400, JSON.stringify(body));
      assert.equal((await response.json()).error.param, param);
    }
    assert.equal((await world.mock.stats()).requests, before);
  },

  async "pitfall 20: a stream that breaks ends as a failed response, never as a complete one"(world) {
    for (const provider of BRIDGED)
      for (const fault of ["cut", "error-event", "no-done", "truncated"]) {
        const list = await events(world, { model: `${provider}/mock-${fault}`, input });
        assert.equal(list.at(-1).type, "response.failed", `${provider} ${fault}`);
        assert.equal(list.at(-1).response.status, "failed");
        assert.ok(list.at(-1).response.error.message);
        assert.ok(list.at(-1).response.error.code);
        await forgive(world);
      }
  },

  async "errors and keys as everywhere"(world) {
    const error = await refusal(openai(world).responses.create({ model: "claude/mock-status-400", input }));
    assert.equal(error.status, 400);
    assert.equal((await refusal(openai(world).responses.create({ model: "none", input }))).code, "model_not_found");
    const narrow = await post(world, "/v1/responses", { model: "test/mock", input }, { key: "other-key-for-tests-0123456789" });
    assert.equal(narrow.status, 403);
    assert.equal((await narrow.json()).error.code, "scope_missing");
    await forgive(world);
  },

  async "a long answer is repeated whole at its end"(world) {
    const list = await events(world, { model: "claude/mock-large-300", input });
    const text = list.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join("");
    assert.ok(text.length >= 300 * 1024);
    assert.equal(list.at(-1).response.output[0].content[0].text, text);
  },
};

Object.assign(tests, {
  async "a provider that serves it gets the request as it is"(world) {
    const body = { model: "native/mock", input, instructions: "Be brief.", metadata: { a: "b" }, tools: [{ type: "web_search" }],
      prompt_cache_key: "k", reasoning: { effort: "low", summary: "auto" } };
    const { data, response } = await openai(world).responses.create({ ...body, "x-routing-hints": { priority: "cost" } }).withResponse();
    assert.equal(data.model, "native/mock");
    assert.match(data.output_text, /^(\w+ )+$/);
    assert.ok(data["x-llm-gateway"].cost_usd > 0);
    assert.equal(response.headers.get("x-gateway-dropped"), null);
    assert.deepEqual(await lastTo(world, "/v1/responses"), { ...body, model: "mock" });
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual([receipt.api, receipt.finish_reason, receipt.execution.tokens.completion, receipt.execution.tokens.estimated],
      ["responses", "stop", data.usage.output_tokens, false]);
  },

  async "a provider's own stream passes event by event"(world) {
    for (const name of ["mock", "mock-tool-parallel", "mock-thinking", "mock-cached", "mock-split"]) {
      const model = `native/${name}`;
      const whole = await openai(world).responses.create({ model, input });
      const list = await events(world, { model, input });
      const last = list.at(-1).response;
      assert.equal(list.at(-1).type, "response.completed");
      assert.deepEqual([list[0].response.model, last.model], [model, model]);
      assert.deepEqual([last.output, last.usage], [whole.output, whole.usage]);
      const stream = openai(world).responses.stream({ model, input });
      assert.deepEqual((await stream.finalResponse()).output.map((item) => item.type), whole.output.map((item) => item.type));
      const { text } = await sse(await post(world, "/v1/responses", { model, input, stream: true }));
      const blocks = text.split("\n\n").filter(Boolean);
      const summary = JSON.parse(blocks.at(-2).replace(": x-llm-gateway ", ""));
      assert.equal(summary.usage.completion_tokens, whole.usage.output_tokens);
      assert.equal(summary.usage.cached_tokens, whole.usage.input_tokens_details.cached_tokens);
      assert.match(blocks.at(-1), /^event: response.completed\n/);
    }
    const cut = await openai(world).responses.create({ model: "native/mock-events-1000", input });
    assert.equal(cut.status, "completed");
  },

  async "a provider that serves it and fails in mid-stream ends as a failed response; before that, another takes over"(world) {
    for (const fault of ["cut", "error-event", "no-done", "truncated"]) {
      const list = await events(world, { model: `native/mock-${fault}`, input });
      assert.equal(list.at(-1).type, "response.failed", fault);
      assert.match(list.at(-1).response.id, /^resp_/);
      assert.equal(list.at(-1).response.id, list[0].response.id);
      await forgive(world);
    }
    const rescued = await events(world, { model: "native/rescued", input });
    assert.equal(rescued.at(-1).type, "response.completed");
    assert.equal(rescued.at(-1).response.model, "claude/mock");
    await forgive(world);
  },

  async "the simulator refuses what OpenAI refuses"(world) {
    for (const [param, more] of [["max_output_tokens", { max_output_tokens: 3 }], ["tools[].name", { tools: [{ type: "function", function: { name: "f" } }] }],
      ["input", { input: [{ type: "function_call_output", call_id: "call_9", output: "x" }] }]]) {
      const error = await refusal(openai(world).responses.create({ model: "native/mock", input, ...more }));
      assert.equal(error.status, 400);
      assert.equal(error.param, param);
    }
  },

  async "Azure serves it on its newer surface, and on the other from a version on; older ones are bridged"(world) {
    const body = { input, instructions: "Be brief.", text: { verbosity: "low" } };
    for (const [name, path] of [["azure-v1", "/openai/v1/responses"], ["azure-dated", "/openai/responses"]]) {
      const model = `${name}/mock`;
      const data = await openai(world).responses.create({ ...body, model });
      assert.equal(data.model, model);
      assert.match(data.output_text, /^(\w+ )+$/);
      assert.deepEqual(await lastTo(world, path), { ...body, model: "mock" });
      const list = await events(world, { ...body, model });
      assert.deepEqual([list.at(-1).type, list.at(-1).response.model, list.at(-1).response.output], ["response.completed", model, data.output]);
    }
    const bridged = await openai(world).responses.create({ ...body, model: "azure-older/mock" });
    assert.match(bridged.output_text, /^(\w+ )+$/);
    const sent = await lastTo(world, "/openai/deployments/mock/chat/completions");
    assert.deepEqual([sent.messages, sent.verbosity], [[{ role: "system", content: "Be brief." }, { role: "user", content: input }], "low"]);
  },

  async "a model whose list says no responses is bridged"(world) {
    const data = await openai(world).responses.create({ model: "native/chat-only", input });
    assert.match(data.output_text, /^(\w+ )+$/);
    assert.deepEqual((await lastTo(world, "/v1/chat/completions")).messages, [{ role: "user", content: input }]);
  },
});

// How many tokens a request of Messages has: counted by the provider where it can, else estimated and said so.
Object.assign(tests, {
  async "tokens are counted by Anthropic's providers, and estimated for others"(world) {
    const client = new Anthropic({ apiKey: KEY, authToken: null, baseURL: world.base, maxRetries: 0 });
    const body = { system: "Be brief.", messages: [{ role: "user", content: "Say hello." }], tools: [{ name: "f", input_schema: { type: "object" } }] };
    const { data, response } = await client.messages.countTokens({ model: "claude/mock", ...body }).withResponse();
    assert.deepEqual(await lastTo(world, "/v1/messages/count_tokens"), { model: "mock", ...body });
    assert.ok(data.input_tokens > 0);
    const receipt = await receiptOf(world, response.headers.get("request-id"));
    assert.deepEqual([receipt.api, receipt.status, receipt.execution.tokens.total, receipt.cost.total_usd], ["messages.count_tokens", 200, 0, 0]);
    const before = (await world.mock.stats()).requests;
    const about = await client.messages.countTokens({ model: "gpt/mock", ...body });
    assert.equal((await world.mock.stats()).requests, before);
    assert.ok(Math.abs(about.input_tokens - JSON.stringify({ model: "gpt/mock", ...body }).length / 4) < 2);
    assert.equal(about["x-llm-gateway"].estimated, true);
    const image = { role: "user", content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: "A".repeat(40000) } }] };
    assert.ok((await client.messages.countTokens({ model: "gpt/mock", messages: [image] })).input_tokens < 5000);
    for (const bad of [{ model: "claude/mock" }, { model: "claude/mock", messages: [] }, { messages: body.messages }]) {
      const error = await refusal(client.messages.countTokens(bad));
      assert.equal(error.status, 400);
      assert.equal(error.error.type, "error");
    }
  },
});

// What continues a conversation is kept by the gateway: any provider can go on with what another began.
Object.assign(tests, {
  async "a conversation goes on from a response, at any provider"(world) {
    for (const first of ALL)
      for (const second of ALL) {
        const begun = await openai(world).responses.create({ model: `${first}/mock`, input: "One.", instructions: "Be brief." });
        assert.equal(begun.store, true);
        const next = await openai(world).responses.create({ model: `${second}/mock`, input: [{ role: "user", content: "Two." }], previous_response_id: begun.id });
        assert.equal(next.previous_response_id, begun.id);
        const third = await openai(world).responses.create({ model: `${second}/mock`, input: "Three.", previous_response_id: next.id });
        assert.equal(third.previous_response_id, next.id);
      }
    const sent = await lastTo(world, "/v1/responses");
    assert.equal(sent.previous_response_id, undefined);
    assert.deepEqual(sent.input.map((item) => item.role), ["user", "assistant", "user", "assistant", "user"]);
    assert.deepEqual([sent.input[0].content, sent.input[2].content, sent.input[4].content], ["One.", "Two.", "Three."]);
    assert.equal(sent.instructions, undefined); // not inherited
    assert.ok(sent.input.every((item) => item.id === undefined));
    assert.deepEqual((await lastTo(world, "/v1/messages")).messages.map((m) => m.role), ["user", "assistant", "user", "assistant", "user"]);
  },

  async "a streamed response is kept as well, with its calls and its thinking"(world) {
    for (const provider of ALL) {
      const stream = openai(world).responses.stream({ model: `${provider}/mock-tool-parallel`, input: "One.", tools: [weather] });
      const begun = await stream.finalResponse();
      const outputs = begun.output.filter((item) => item.type === "function_call")
        .map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "7 degrees" }));
      const list = await events(world, { model: `${provider}/mock`, input: outputs, previous_response_id: begun.id, tools: [weather] });
      assert.equal(list.at(-1).type, "response.completed");
      assert.deepEqual([list[0].response.previous_response_id, list.at(-1).response.previous_response_id], [begun.id, begun.id]);
    }
    const thought = await openai(world).responses.create({ model: "claude/mock-thinking", input: "One." });
    const { data, response } = await openai(world).responses.create({ model: "native/mock", input: "Two.", previous_response_id: thought.id }).withResponse();
    assert.equal(data.status, "completed"); // without the other's reasoning, which it would refuse
    assert.equal(response.headers.get("x-gateway-dropped"), "reasoning_items");
    assert.deepEqual((await lastTo(world, "/v1/responses")).input.map((item) => item.type ?? item.role), ["user", "message", "user"]);
    await openai(world).responses.create({ model: "claude/mock", input: "Two.", previous_response_id: thought.id });
    assert.equal((await lastTo(world, "/v1/messages")).messages[1].content[0].type, "thinking");
  },

  async "items of kept responses are named by their ids, several of them, at any provider"(world) {
    const reference = ({ id }) => ({ type: "item_reference", id });
    for (const first of BRIDGED) {
      const one = await openai(world).responses.create({ model: `${first}/mock-tool-parallel`, input: "One.", tools: [weather] });
      const callsOf = ({ output }) => output.filter((item) => item.type === "function_call");
      const results = (response) => callsOf(response).map(({ call_id }) => ({ type: "function_call_output", call_id, output: "7 degrees" }));
      const input = [{ role: "user", content: "One." }, ...one.output.map(reference), ...results(one)];
      const two = await openai(world).responses.stream({ model: `${first}/mock-tool-parallel`, input, tools: [weather] }).finalResponse();
      for (const second of ALL) {
        await openai(world).responses.create({ model: `${second}/mock`, tools: [weather],
          input: [...input, ...two.output.map(reference), ...results(two), { role: "user", content: "Two." }] });
        if (second !== "native") continue;
        const sent = (await lastTo(world, "/v1/responses")).input;
        const named = [...callsOf(one), ...callsOf(two)].map(({ call_id: id }) => [undefined, id]);
        assert.equal(named.length, 4);
        assert.deepEqual(callsOf({ output: sent }).map((item) => [item.id, item.call_id]), named);
        assert.ok(sent.every((item) => item.type !== "item_reference"));
      }
      const other = openai(world, THIRD_KEY), [call] = callsOf(one);
      for (const [client, id] of [[other, call.id], [openai(world), `${call.id}9`], [openai(world), `fc_${"0".repeat(26)}_0`]]) {
        const error = await refusal(client.responses.create({ model: `${first}/mock`, input: [{ type: "item_reference", id }] }));
        assert.deepEqual([error.status, error.code, error.param], [404, "item_not_found", "input"], id);
      }
      const foreign = await refusal(openai(world).responses.create({ model: `${first}/mock`, input: [{ type: "item_reference", id: "fc_of_somebody_else" }] }));
      assert.deepEqual([foreign.status, foreign.code], [400, "unsupported_feature"]);
    }
  },

  async "a response can be fetched, its input listed, and removed, by its own key alone"(world) {
    const client = openai(world);
    for (const provider of ALL) {
      const made = await client.responses.create({ model: `${provider}/mock`, input: "One." });
      const found = await client.responses.retrieve(made.id);
      assert.deepEqual(found.output, made.output);
      assert.equal(found.output_text, made.output_text);
      const items = await client.responses.inputItems.list(made.id);
      assert.deepEqual(items.data, [{ role: "user", content: "One." }]);
      const other = openai(world, THIRD_KEY);
      assert.equal((await refusal(other.responses.retrieve(made.id))).status, 404);
      const foreign = await refusal(other.responses.create({ model: `${provider}/mock`, input: "Two.", previous_response_id: made.id }));
      assert.deepEqual([foreign.status, foreign.code, foreign.param], [404, "previous_response_not_found", "previous_response_id"]);
      assert.equal((await refusal(other.responses.delete(made.id))).status, 404);
      await client.responses.delete(made.id);
      assert.equal((await refusal(client.responses.retrieve(made.id))).status, 404);
      assert.equal((await refusal(client.responses.create({ model: `${provider}/mock`, input: "Two.", previous_response_id: made.id }))).status, 404);
    }
    assert.equal((await refusal(client.responses.retrieve("resp_none"))).status, 404);
    const resumed = await refusal(client.responses.retrieve("resp_none", { stream: true }));
    assert.deepEqual([resumed.status, resumed.code, resumed.param], [400, "unsupported_feature", "stream"]);
  },

  async "what is not to be stored is not"(world) {
    const client = openai(world);
    for (const provider of ALL) {
      const made = await client.responses.create({ model: `${provider}/mock`, input: "One.", store: false });
      assert.equal((await refusal(client.responses.retrieve(made.id))).status, 404);
    }
    const forgetful = openai(world, FORGETFUL_KEY);
    const made = await forgetful.responses.create({ model: "native/mock", input: "One." });
    assert.equal((await lastTo(world, "/v1/responses")).store, false);
    assert.equal((await refusal(forgetful.responses.retrieve(made.id))).status, 404);
    const refused = await refusal(forgetful.responses.create({ model: "native/mock", input: "Two.", previous_response_id: made.id }));
    assert.deepEqual([refused.status, refused.code, refused.param], [400, "conversation_store", "previous_response_id"]);
  },

  async "a key with a budget sends the reserved output as its cap"(world) {
    const client = openai(world, BUDGET_KEY);
    for (const stream of [false, true]) {
      const response = await post(world, "/v1/responses", { model: "native/mock", input: "One.", stream, store: false }, { key: BUDGET_KEY });
      assert.equal(response.status, 200);
      await response.text();
      assert.deepEqual(await lastTo(world, "/v1/responses"), { model: "mock", input: "One.", stream, store: false, max_output_tokens: 1024 });
    }
    const forgetful = await client.responses.create({ model: "native/mock", input: "One.", max_output_tokens: 20 });
    assert.equal((await lastTo(world, "/v1/responses")).max_output_tokens, 20);
    assert.ok(forgetful.id);
    const search = await refusal(client.responses.create({ model: "native/mock", input: "One.", tools: [{ type: "web_search" }] }));
    assert.equal(search.code, "unbounded_input");
  },

  async "a conversation's time ends"(world) {
    const client = openai(world, BRIEF_KEY);
    const made = await client.responses.create({ model: "claude/mock", input: "One." });
    assert.equal((await client.responses.retrieve(made.id)).id, made.id);
    await eventually(async () => (await client.responses.retrieve(made.id).then(() => 200, (error) => error.status)) === 404, "it ends");
  },

  async "nothing of a conversation stands readable in the data folder"(world) {
    const secret = "Kowloon-Walled-City-1898";
    await openai(world).responses.create({ model: "claude/mock", input: secret, metadata: { secret } });
    const found = await run("grep", ["-rl", secret, world.dataDir]);
    assert.equal(found.stdout, "");
  },

  async "a conversation survives the gateway's death"(world) {
    const made = await openai(world).responses.create({ model: "claude/mock", input: "One." });
    await world.gateway.kill();
    Object.assign(world.gateway, await startGateway(world.build, { dataDir: world.dataDir, config: fs.readFileSync(world.gateway.file, "utf8") }));
    assert.equal((await openai(world).responses.retrieve(made.id)).id, made.id);
    const next = await openai(world).responses.create({ model: "gpt/mock", input: "Two.", previous_response_id: made.id });
    assert.equal(next.status, "completed");
  },
});

const THIRD_KEY = "third-key-for-tests-0123456789";
const FORGETFUL_KEY = "forgetful-key-for-tests-0123456789";
const BUDGET_KEY = "budget-key-for-tests-0123456789";
const BRIEF_KEY = "brief-key-for-tests-0123456789";

const model = (id, provider, upstream, more = "") => `  - { id: ${id}, provider: ${provider}, upstream_model: ${upstream}${more}, price: { input: 1, output: 2 } }\n`;
const BEHAVIOURS = ["mock", "mock-tool-parallel", "mock-thinking", "mock-cut", "mock-error-event", "mock-no-done", "mock-truncated", "mock-status-400",
  "mock-large-300", "mock-cached", "mock-split", "mock-events-1000"];
const AZURE = { "azure-v1": "/openai/v1", "azure-dated": "/\n    api_version: 2025-04-01-preview", "azure-older": "" };
const options = {
  extraProviders: `  - name: claude
    kind: anthropic
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
  - name: openai
    kind: openai
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
` + Object.entries(AZURE).map(([name, where]) => `  - name: ${name}
    kind: azure
    base_url: http://127.0.0.1:MOCK${where}
    credentials: [{ name: primary, api_key: upstream-secret }]
`).join(""),
  extraModels: Object.keys(AZURE).map((name) => model(`${name}/mock`, name, "mock")).join("") + BEHAVIOURS.map((name) => model(`claude/${name}`, "claude", name) + model(`gpt/${name}`, "mock", name) +
    model(`native/${name}`, "openai", name)).join("") + model("native/rescued", "openai", "mock-error-first", ", fallback: [claude/mock]") +
    model("native/chat-only", "openai", "mock", ", capabilities: [chat, streaming]"),
  extra: `  - { name: third, secret: ${THIRD_KEY} }
  - { name: forgetful, secret: ${FORGETFUL_KEY}, workspace: forgetful }
  - { name: budget, secret: ${BUDGET_KEY}, budget: { daily_usd: 100 } }
  - { name: brief, secret: ${BRIEF_KEY}, workspace: brief }
workspaces:
  - { id: forgetful, retention: { conversation_store: false } }
  - { id: brief, retention: { responses_ttl_seconds: 2 } }
`,
};

export const suites = [{ name: "responses", open: (build) => openWorld(build, options), tests }];
