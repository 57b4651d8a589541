// The traps that gateways are known to have fallen into, each with the threads that tell of it, and a test that this one does not. A provider that says
// exactly what the trap needs is a script here; what another suite tests as well is said there in its own words. Numbers are for reference alone.
//
//  1 BerriAI/litellm#5231, Portkey-AI/gateway#1284       21 manaflow-ai/subrouter#233, zirkelc/ai-retry#51
//  2 BerriAI/litellm#4537                                22 diegosouzapw/OmniRoute#8210
//  3 BerriAI/litellm#5064, agentgateway#3002             23 api7/aisix#111, katanemo/plano#980, praxis-proxy/praxis#739
//  4 BerriAI/litellm#28735                               24 mnfst/llm-gateway#2053, coder/coder#28185
//  5 BerriAI/litellm#25410, #36553                       25 theopenco/llmgateway#2334
//  6 Portkey-AI/gateway#1754, langwatch/langwatch#7018   26 BerriAI/litellm#30245, #31499, #37140
//  7 jeremychone/rust-genai#258                          27 AbanteAI/mentat#429, microsoft/autogen#6465
//  8 docker/docker-agent#1855                            28 garrytan/gbrain#220, openai/openai-node#2150
//  9 BerriAI/litellm#21577, envoyproxy/ai-gateway#2399   29 agentgateway#1620, envoyproxy/ai-gateway#2553
// 10 NousResearch/hermes-agent#43478                     30 BerriAI/litellm#22102, #28899
// 11 BerriAI/litellm#16893, langchain#37347              31 BerriAI/litellm#39288
// 12 CLIProxyAPI#97, theopenco/llmgateway#3464           32 vercel/ai#6577, maximhq/bifrost#3685
// 13 anomalyco/opencode#1680, langchain#24668            33 warpllm/warpllm#101, open-octo/octo-agent#74
// 14 Gitlawb/openclaude#739, OpenHands-CLI#83            34 hebo-gateway#128, api7/aisix#144, agentgateway#3329
// 15 MoonshotAI/kosong#45, rowboatlabs/rowboat#378       35 nextlevelbuilder/goclaw#211
// 17 NousResearch/hermes-agent#55092                     37 router-for-me/CLIProxyAPI#1700
// 19 envoyproxy/ai-gateway#2697, Portkey gateway#741     38 Wei-Shaw/sub2api#5567
// 20 Portkey-AI/gateway#1797, dativo-io/talon#254        39 ttlequals0/MinusPod#926
//
// 36 theopenco/llmgateway#2947                           16 vxcontrol/pentagi#196, patriceckhart/zot#18
//
// 18 is Bedrock's (how a path is signed), and tested with it.
import assert from "node:assert/strict";
import http from "node:http";
import { gzipSync } from "node:zlib";
import { MASTER_KEY, eventually, forgive, freePort, openWorld, post } from "./harness.mjs";

const KINDS = { openai: "/v1", openai_compatible: "/v1", anthropic: "/v1", gemini: "/v1beta", mistral: "/v1", cohere: "/v2", groq: "/v1", together: "/v1", azure: "", bedrock: "" };
const messages = [{ role: "user", content: "Hi" }];

// ---- what providers say ------------------------------------------------------------------------------------------

const data = (value) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta, finish = null, more = {}) => data({ id: "c1", object: "chat.completion.chunk", created: 1, model: "up",
  choices: [{ index: 0, delta, finish_reason: finish }], ...more });
const DONE = "data: [DONE]\n\n";
const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
const whole = (message, more = {}) => ({ id: "c1", object: "chat.completion", created: 1, model: "up",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi", ...message }, finish_reason: "stop" }], usage: USAGE, ...more });
const event = (type, more = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
const start = (usage = { input_tokens: 9, output_tokens: 1 }) => event("message_start", { message: { id: "msg_1", type: "message", role: "assistant", model: "up",
  content: [], stop_reason: null, usage } });
const block = (index, content_block, ...deltas) => event("content_block_start", { index, content_block }) +
  deltas.map((delta) => event("content_block_delta", { index, delta })).join("") + event("content_block_stop", { index });
const text = (index, ...pieces) => block(index, { type: "text", text: "" }, ...pieces.map((piece) => ({ type: "text_delta", text: piece })));
const call = (index, id, name, ...pieces) => block(index, { type: "tool_use", id, name, input: {} }, ...pieces.map((piece) => ({ type: "input_json_delta", partial_json: piece })));
const thinking = (index, thought, signature) => block(index, { type: "thinking", thinking: "", signature: "" }, { type: "thinking_delta", thinking: thought },
  { type: "signature_delta", signature });
const stop = (reason = "end_turn", usage = { output_tokens: 5 }) => event("message_delta", { delta: { stop_reason: reason, stop_sequence: null }, usage }) + event("message_stop");
const message = (content, more = {}) => ({ id: "msg_1", type: "message", role: "assistant", model: "up", content, stop_reason: "end_turn", stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 5 }, ...more });
const candidate = (parts, finishReason, more = {}) => ({ candidates: [{ content: { role: "model", parts }, ...(finishReason ? { finishReason } : {}), index: 0 }],
  usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 5, totalTokenCount: 14 }, responseId: "r1", ...more });

// ---- a provider that follows a script ------------------------------------------------------------------------------

// Each request takes the next of `answers`, the last of them again and again: an object is JSON; a list is written piece by piece, where a number waits
// for so many milliseconds, null breaks off, and a function is called; { status, headers, body } is all of it.
async function openScript(port) {
  const script = { requests: [], answers: [], closed: 0 };
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      script.requests.push({ url: request.url, headers: request.headers, body: JSON.parse(Buffer.concat(parts).toString() || "null") });
      const answer = script.answers.length > 1 ? script.answers.shift() : script.answers[0];
      response.on("close", () => (script.closed += !response.writableEnded));
      if (!Array.isArray(answer)) {
        const { status = 200, headers = {}, body = answer } = answer.status || answer.headers ? answer : {};
        response.writeHead(status, { "content-type": "application/json", ...headers });
        return response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      for (const piece of answer) {
        if (piece === null) return response.destroy();
        if (typeof piece === "function") await piece();
        else if (typeof piece === "number") await new Promise((next) => setTimeout(next, piece));
        else await new Promise((next) => response.write(piece, next));
      }
      response.end();
    });
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  script.close = () => new Promise((closed) => (server.close(closed), server.closeAllConnections()));
  return script;
}

const say = (world, ...answers) => {
  world.script.answers = answers;
  world.script.requests.length = 0;
  return world;
};
const last = (world) => world.script.requests.at(-1).body;
const chat = (world, kind, more = {}, signal = undefined) => post(world, "/v1/chat/completions", { model: `${kind}/m`, messages, ...more }, { signal });
const deployments = async (world) => (await (await fetch(`${world.base}/admin/deployments`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })).json()).data;
const ask = (world, kind, more = {}) => post(world, "/v1/messages", { model: `${kind}/m`, max_tokens: 50, messages, ...more });
const json = async (response) => (assert.equal(response.status, 200, await response.clone().text()), response.json());
// Data of a stream, parsed; the end marker as it is.
const parse = (body) => body.split(/\r?\n\r?\n/).flatMap((part) => part.split(/\r?\n/).filter((line) => line.startsWith("data:")))
  .map((line) => line.slice(5).trim()).map((line) => (line === "[DONE]" ? line : JSON.parse(line)));
const streamed = async (response) => (assert.equal(response.status, 200, await response.clone().text()), parse(await response.text()));
const deltas = (chunks) => chunks.filter((c) => c.choices?.length).map((c) => c.choices[0].delta);
const joined = (chunks) => deltas(chunks).map((delta) => delta.content ?? "").join("");
const receiptOf = (world, response) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${response.headers.get("x-request-id")}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, "a receipt");
const tool = (name, parameters = { type: "object", properties: {} }) => ({ type: "function", function: { name, parameters } });

const tests = {
  async "pitfall 1: calls are numbered among themselves, whatever blocks come before them"(world) {
    say(world, [start(), thinking(0, "hm", "c2ln"), text(1, "Let me look."), call(2, "toolu_1", "f", "{}"), call(3, "toolu_2", "g", "{}"), stop("tool_use")]);
    const chunks = await streamed(await chat(world, "anthropic", { stream: true, tools: [tool("f"), tool("g")] }));
    const calls = deltas(chunks).flatMap((delta) => delta.tool_calls ?? []);
    assert.deepEqual(calls.filter((c) => c.id).map((c) => [c.index, c.id, c.function.name]), [[0, "toolu_1", "f"], [1, "toolu_2", "g"]]);
    assert.deepEqual([...new Set(calls.map((c) => c.index))], [0, 1]);
  },

  async "pitfall 2: the empty input that opens a call is no piece of its arguments"(world) {
    say(world, [start(), call(0, "toolu_1", "f", "", '{"x":', "1}"), stop("tool_use")]);
    const chunks = await streamed(await chat(world, "anthropic", { stream: true, tools: [tool("f")] }));
    assert.equal(deltas(chunks).flatMap((delta) => delta.tool_calls ?? []).map((c) => c.function.arguments).join(""), '{"x":1}');
  },

  async "pitfall 3: a call without arguments is one of an empty object, in both directions"(world) {
    say(world, [start(), call(0, "toolu_1", "f", ""), stop("tool_use")]);
    const chunks = await streamed(await chat(world, "anthropic", { stream: true, tools: [tool("f")] }));
    assert.equal(deltas(chunks).flatMap((delta) => delta.tool_calls ?? []).map((c) => c.function.arguments).join(""), "{}");
    say(world, message([{ type: "text", text: "Hi" }]));
    await json(await chat(world, "anthropic", { tools: [tool("f")], messages: [...messages,
      { role: "assistant", content: null, tool_calls: [{ id: "toolu_1", type: "function", function: { name: "f", arguments: "" } }] },
      { role: "tool", tool_call_id: "toolu_1", content: "7" }] }));
    assert.deepEqual(last(world).messages[1].content, [{ type: "tool_use", id: "toolu_1", name: "f", input: {} }]);
  },

  async "pitfall 4: the chunk of usage has no choices, comes once, and before the end"(world) {
    for (const [kind, answer] of [["anthropic", [start(), text(0, "Hi"), stop()]], ["openai_compatible", [chunk({ content: "Hi" }), chunk({}, "stop"), data({ id: "c1", choices: [], usage: USAGE }), DONE]],
      ["groq", [chunk({ content: "Hi" }), chunk({}, "stop", { x_groq: { id: "r", usage: USAGE } }), DONE]], ["mistral", [chunk({ content: "Hi" }), chunk({ content: "" }, "stop", { usage: USAGE }), DONE]]]) {
      say(world, answer);
      const chunks = await streamed(await chat(world, kind, { stream: true, stream_options: { include_usage: true } }));
      assert.equal(chunks.at(-1), "[DONE]", kind);
      assert.deepEqual(chunks.at(-2).choices, [], kind);
      assert.equal(chunks.at(-2).usage.total_tokens, 14, kind);
      assert.equal(chunks.filter((c) => c.usage).length, 1, kind);
    }
  },

  async "pitfall 5: a chunk of usage without choices is read, and Messages still ends in order"(world) {
    say(world, [chunk({ role: "assistant", content: "Hi" }), chunk({}, "stop"), data({ id: "c1", choices: [], usage: USAGE }), DONE]);
    const events = await streamed(await ask(world, "openai_compatible", { stream: true }));
    assert.deepEqual(events.slice(-2).map((e) => e.type), ["message_delta", "message_stop"]);
    assert.equal(events.at(-2).usage.output_tokens, 5);
  },

  async "pitfall 6: tokens of a cache are counted once and priced once"(world) {
    const usage = { input_tokens: 10, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 5 };
    say(world, message([{ type: "text", text: "Hi" }], { usage }));
    const answer = await json(await chat(world, "anthropic"));
    assert.equal(answer.usage.prompt_tokens, 130);
    assert.equal(answer.usage.total_tokens, 135);
    assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 100);
    // 10 at 1, 100 at 0.1, 20 at 1.25, 5 at 2 USD a million.
    assert.ok(Math.abs(answer["x-llm-gateway"].cost_usd - (10 + 10 + 25 + 10) / 1e6) < 2e-9, `${answer["x-llm-gateway"].cost_usd}`);
  },

  async "pitfall 7: figures of a cache at the end of a stream stand above those of its beginning"(world) {
    say(world, [start({ input_tokens: 10, cache_read_input_tokens: 0, output_tokens: 1 }), text(0, "Hi"), stop("end_turn", { output_tokens: 5, cache_read_input_tokens: 100 })]);
    const chunks = await streamed(await chat(world, "anthropic", { stream: true, stream_options: { include_usage: true } }));
    const { usage } = chunks.at(-2);
    assert.deepEqual([usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens], [110, 100]);
  },

  async "pitfall 8: usage on every chunk counts up; the last one is recorded, once"(world) {
    const growing = (n) => ({ usage: { prompt_tokens: 9, completion_tokens: n, total_tokens: 9 + n } });
    say(world, [chunk({ content: "a" }, null, growing(1)), chunk({ content: "b" }, null, growing(2)), chunk({}, "stop", growing(2)), DONE]);
    let response = await chat(world, "openai_compatible", { stream: true });
    await response.text();
    assert.equal((await receiptOf(world, response)).execution.tokens.completion, 2);
    const part = (s, n, finish) => data(candidate([{ text: s }], finish, { usageMetadata: { promptTokenCount: 9, candidatesTokenCount: n, totalTokenCount: 9 + n } }));
    say(world, [part("a", 1), part("b", 2), part("c", 3, "STOP")]);
    response = await chat(world, "gemini", { stream: true });
    await response.text();
    assert.equal((await receiptOf(world, response)).execution.tokens.completion, 3);
  },

  async "pitfall 9: Gemini's call in an early event makes its later STOP an end for tools"(world) {
    say(world, [data(candidate([{ functionCall: { name: "f", args: { x: 1 } } }])), data(candidate([{ text: "" }], "STOP"))]);
    const chunks = await streamed(await chat(world, "gemini", { stream: true, tools: [tool("f")] }));
    assert.equal(chunks.findLast((c) => c.choices?.[0]?.finish_reason).choices[0].finish_reason, "tool_calls");
  },

  async "pitfall 10: only STOP becomes an end for tools; limits and filters stay what they are"(world) {
    for (const [reason, expected] of [["MAX_TOKENS", "length"], ["SAFETY", "content_filter"]]) {
      say(world, candidate([{ functionCall: { name: "f", args: {} } }], reason));
      assert.equal((await json(await chat(world, "gemini", { tools: [tool("f")] }))).choices[0].finish_reason, expected);
    }
  },

  async "pitfall 11: Gemini's signature of a thought comes back with the call"(world) {
    say(world, candidate([{ functionCall: { name: "f", args: {} }, thoughtSignature: "c2ln" }], "STOP"));
    const first = await json(await chat(world, "gemini", { tools: [tool("f")] }));
    say(world, candidate([{ text: "Hi" }], "STOP"));
    const reply = first.choices[0].message;
    await json(await chat(world, "gemini", { tools: [tool("f")], messages: [...messages, reply, { role: "tool", tool_call_id: reply.tool_calls[0].id, content: "7" }] }));
    const part = last(world).contents[1].parts.find((p) => p.functionCall);
    assert.equal(part.thoughtSignature, "c2ln");
  },

  async "pitfall 12: schemas go to Gemini without words that it refuses, and fields of those names stay"(world) {
    say(world, candidate([{ text: "Hi" }], "STOP"));
    const parameters = { $schema: "http://json-schema.org/draft-07/schema#", type: "object", properties: { const: { type: "string", readOnly: true }, uniqueItems: { type: "array",
      uniqueItems: true, items: { type: "number", exclusiveMinimum: 0 } } }, required: ["const"] };
    await json(await chat(world, "gemini", { tools: [tool("f", parameters)] }));
    const declaration = last(world).tools[0].functionDeclarations[0];
    const sent = declaration.parametersJsonSchema ?? declaration.parameters;
    assert.deepEqual(Object.keys(sent.properties), ["const", "uniqueItems"]);
    assert.deepEqual(sent.required, ["const"]);
    assert.doesNotMatch(JSON.stringify(sent), /\$schema|readOnly|exclusiveMinimum|"uniqueItems":true/);
  },

  async "pitfall 13: ids for Mistral are nine letters and digits, the same for a call and its result, and each time"(world) {
    say(world, whole());
    const more = { tools: [tool("f")], messages: [...messages, { role: "assistant", content: null, tool_calls: ["call_0123456789abcdef", "toolu_01", "D681PevKs"].map((id) => ({
      id, type: "function", function: { name: "f", arguments: "{}" } })) }, ...["call_0123456789abcdef", "toolu_01", "D681PevKs"].map((id) => ({ role: "tool", tool_call_id: id, content: "7" }))] };
    await json(await chat(world, "mistral", more));
    const ids = last(world).messages[1].tool_calls.map((c) => c.id);
    for (const id of ids) assert.match(id, /^[A-Za-z0-9]{9}$/);
    assert.equal(new Set(ids).size, 3);
    assert.equal(ids[2], "D681PevKs");
    assert.deepEqual(last(world).messages.slice(2).map((m) => m.tool_call_id), ids);
    await json(await chat(world, "mistral", more));
    assert.deepEqual(last(world).messages[1].tool_calls.map((c) => c.id), ids);
  },

  async "pitfall 14: Mistral is sent no field that it does not know, also in messages"(world) {
    say(world, whole());
    const response = await chat(world, "mistral", { store: true, max_completion_tokens: 7, metadata: { a: "b" }, stream: false, service_tier: "auto", prompt_cache_key: "k",
      messages: [...messages, { role: "assistant", content: "Hi", reasoning_content: "hm", refusal: null, annotations: [] }, { role: "user", name: "bo", content: "More" }] });
    await json(response);
    assert.deepEqual(last(world), { model: "up", max_tokens: 7, messages: [...messages, { role: "assistant", content: "Hi" }, { role: "user", content: "More" }] });
    for (const name of ["store", "reasoning_content", "name"]) assert.ok(response.headers.get("x-gateway-dropped").split(",").includes(name), name);
  },

  async "pitfall 15: results of one turn are one message, and come first in it"(world) {
    say(world, message([{ type: "text", text: "Hi" }]));
    await json(await chat(world, "anthropic", { tools: [tool("f")], messages: [...messages, { role: "assistant", content: null, tool_calls: ["a", "b"].map((id) => ({ id, type: "function",
      function: { name: "f", arguments: "{}" } })) }, { role: "tool", tool_call_id: "a", content: "1" }, { role: "tool", tool_call_id: "b", content: "2" }, { role: "user", content: "Sum?" }] }));
    const turn = last(world).messages[2];
    assert.equal(last(world).messages.length, 3);
    assert.deepEqual(turn.content.map((b) => b.tool_use_id ?? b.text), ["a", "b", "Sum?"]);
  },

  async "pitfall 16: a history of calls without tools goes to Bedrock with tools of their names"(world) {
    say(world, { output: { message: { role: "assistant", content: [{ text: "Hi" }] } }, stopReason: "end_turn", usage: { inputTokens: 9, outputTokens: 5, totalTokens: 14 } });
    const history = [...messages, { role: "assistant", content: null, tool_calls: ["f", "g"].map((name) => ({ id: `call_${name}`, type: "function", function: { name, arguments: "{}" } })) },
      { role: "tool", tool_call_id: "call_f", content: "1" }, { role: "tool", tool_call_id: "call_g", content: "2" }];
    const names = () => last(world).toolConfig?.tools.map(({ toolSpec }) => [toolSpec.name, toolSpec.inputSchema.json.type]);
    await json(await chat(world, "bedrock", { messages: history }));
    assert.deepEqual(names(), [["f", "object"], ["g", "object"]]);
    assert.equal(last(world).toolConfig.toolChoice, undefined);
    await json(await ask(world, "bedrock", { messages: [...messages, { role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "1" }] }] }));
    assert.deepEqual(names(), [["f", "object"]]);
    await json(await chat(world, "bedrock"));
    assert.equal(names(), undefined);
  },

  async "pitfall 17: an empty result, or an empty text, is no empty block"(world) {
    say(world, message([{ type: "text", text: "Hi" }]));
    await json(await chat(world, "anthropic", { tools: [tool("f")], messages: [{ role: "user", content: [{ type: "text", text: "" }, { type: "text", text: "Hi" }] },
      { role: "assistant", content: "", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }] }, { role: "tool", tool_call_id: "a", content: "" }] }));
    assert.doesNotMatch(JSON.stringify(last(world)), /"text":""|"content":""|"content":\[\]/);
  },

  async "pitfall 19: an error in a stream is one of the client's own dialect, counts as a failure, and nothing ends well after it"(world) {
    const overloaded = event("error", { error: { type: "overloaded_error", message: "Overloaded" } });
    const cases = [["anthropic", [start(), text(0, "Hi"), overloaded]], ["openai_compatible", [chunk({ content: "Hi" }), data({ error: { message: "no", type: "server_error", code: null, param: null } }), DONE]],
      ["gemini", [data(candidate([{ text: "Hi" }])), data({ error: { code: 503, message: "no", status: "UNAVAILABLE" } })]]];
    for (const [kind, answer] of cases) {
      await forgive(world);
      say(world, answer);
      const response = await chat(world, kind, { stream: true });
      const told = await response.text();
      assert.match(told, /^data: \{"error":\{/m, kind);
      assert.doesNotMatch(told, /\[DONE\]/, kind);
      assert.equal((await receiptOf(world, response)).fallback.attempts.length, 1, kind);
      say(world, answer);
      assert.match(await (await ask(world, kind, { stream: true })).text(), /^event: error\ndata: \{"type":"error"/m, kind);
    }
  },

  async "pitfall 20: a provider that breaks off is an error at the end, in every dialect"(world) {
    for (const [kind, answer] of [["openai_compatible", [chunk({ content: "Hi" }), null]], ["anthropic", [start(), event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "Hi" } }), null]], ["openai_compatible", [chunk({ content: "Hi" })]]]) {
      say(world, answer);
      assert.match(await (await chat(world, kind, { stream: true })).text(), /data: \{"error":\{[^\n]*\n\n(:[^\n]*\n\n)*$/);
      say(world, answer);
      assert.match(await (await ask(world, kind, { stream: true })).text(), /event: error\n/);
      say(world, answer);
      const responses = await (await post(world, "/v1/responses", { model: `${kind}/m`, input: "Hi", stream: true })).text();
      assert.match(responses, /event: response\.failed\n/);
      assert.doesNotMatch(responses, /response\.completed/);
    }
  },

  async "pitfall 21: another provider takes over before the first content alone, and a stream begins once"(world) {
    const good = [chunk({ role: "assistant", content: "" }), chunk({ content: "fine" }), chunk({}, "stop"), DONE];
    say(world, [chunk({ role: "assistant", content: "" }), null], good);
    const chunks = await streamed(await post(world, "/v1/chat/completions", { model: "rescued/m", messages, stream: true }));
    assert.equal(joined(chunks), "fine");
    assert.equal(deltas(chunks).filter((delta) => delta.role).length, 1);
    say(world, [start(), event("ping"), null], good);
    const events = await streamed(await post(world, "/v1/messages", { model: "rescued-claude/m", messages, max_tokens: 9, stream: true }));
    assert.equal(events.filter((e) => e.type === "message_start").length, 1);
    say(world, [chunk({ role: "assistant", content: "" }), chunk({ content: "half" }), null], good);
    const broken = await (await post(world, "/v1/chat/completions", { model: "rescued/m", messages, stream: true })).text();
    assert.match(broken, /half/);
    assert.doesNotMatch(broken, /fine|\[DONE\]/);
  },

  async "pitfall 22: a chunk with an error and no choices is an error"(world) {
    say(world, [chunk({ content: "Hi" }), data({ id: "c1", choices: [], error: { message: "no", code: 502 } }), DONE]);
    const told = await (await chat(world, "openai_compatible", { stream: true })).text();
    assert.match(told, /^data: \{"error":\{/m);
    assert.doesNotMatch(told, /\[DONE\]/);
  },

  async "pitfall 23: events are put together from bytes, however they are cut"(world) {
    const said = [chunk({ role: "assistant", content: "" }), chunk({ content: "Grüße 🙂" }), chunk({}, "stop"), DONE].join("");
    const bytes = (s) => [...Buffer.from(s)].map((byte) => Buffer.from([byte]));
    for (const form of [said, said.replaceAll("\n", "\r\n"), said.replaceAll("data: ", "data:"), said.replaceAll("\n", "\r")])
      for (const kind of ["openai_compatible", "mistral"]) {
        say(world, bytes(form));
        const chunks = await streamed(await chat(world, kind, { stream: true }));
        assert.equal(joined(chunks), "Grüße 🙂");
        assert.equal(chunks.at(-1), "[DONE]");
      }
  },

  async "pitfall 24: comments of a provider are never data"(world) {
    say(world, [": OPENROUTER PROCESSING\n\n", ":\n\n", chunk({ content: "Hi" }), ":\n", chunk({}, "stop"), ": x\n\n", DONE]);
    const told = await (await chat(world, "openai_compatible", { stream: true })).text();
    assert.equal(joined(parse(told)), "Hi");
    assert.doesNotMatch(told, /data: *:|data: *\n|PROCESSING/);
  },

  async "pitfall 25: what keeps a stream alive is a comment between events, without an id"(world) {
    say(world, [chunk({ content: "Hi" }), 700, chunk({ content: "!" }), chunk({}, "stop"), DONE]);
    const told = await (await chat(world, "openai_compatible", { stream: true })).text();
    const parts = told.split("\n\n").filter(Boolean);
    assert.ok(parts.some((part) => /^: keep-alive$/.test(part)));
    for (const part of parts) assert.match(part, /^(:|data: )[^\n]*$/);
  },

  async "pitfall 26: a client that leaves takes its call with it, in every phase"(world) {
    const forever = 60000;
    for (const [more, answer] of [[{}, [forever]], [{ stream: true }, [forever]], [{ stream: true }, [chunk({ content: "Hi" }), forever]]]) {
      say(world, answer);
      const before = world.script.closed, leaving = new AbortController(), delivers = answer.length > 1;
      let response = null;
      const left = chat(world, "openai_compatible", more, leaving.signal).then((begun) => (response = begun).text())
        .then(() => assert.fail("it had an answer"), () => "left");
      await eventually(() => world.script.requests.length && (response || !delivers), "the call is there");
      leaving.abort();
      assert.equal(await left, "left");
      await eventually(() => world.script.closed > before, "the provider sees it");
      await eventually(async () => (await deployments(world)).every((d) => d.in_flight === 0), "its place is free");
      if (!delivers) continue;
      const { status, execution, cost } = await receiptOf(world, response);
      assert.deepEqual([status, execution.tokens.completion, execution.tokens.estimated], [499, 1, true]);
      assert.ok(cost.total_usd > 0);
    }
  },

  async "pitfall 27: Azure's chunks that say nothing are left out, and id and model stay the same"(world) {
    const filters = data({ choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [] });
    const beside = data({ id: "", object: "", created: 0, model: "", choices: [{ index: 0, finish_reason: null, content_filter_results: {}, content_filter_offsets: {} }] });
    for (const more of [{}, { stream_options: { include_usage: true } }]) {
      say(world, [filters, chunk({ role: "assistant", content: "" }), chunk({ content: "Hi" }), beside, chunk({}, "stop"), data({ id: "c1", model: "up", choices: [], usage: USAGE }), DONE]);
      const chunks = await streamed(await chat(world, "azure", { stream: true, ...more }));
      assert.equal(joined(chunks), "Hi");
      assert.deepEqual([...new Set(chunks.slice(0, -1).map((c) => `${c.id} ${c.model}`))], ["c1 azure/m"]);
      for (const { choices } of chunks.slice(0, -1)) for (const choice of choices) assert.ok(choice.delta);
    }
  },

  async "pitfall 28: base64 is given where it is asked for, also by a provider that knows numbers alone"(world) {
    say(world, { object: "list", data: [{ object: "embedding", index: 0, embedding: [1.0, 2.0] }], model: "up", usage: { prompt_tokens: 1, total_tokens: 1 } });
    const embed = async (encoding_format) => (await json(await post(world, "/v1/embeddings", { model: "openai_compatible/m", input: "Hi", encoding_format }))).data[0].embedding;
    assert.equal(await embed("base64"), "AACAPwAAAEA=");
    assert.deepEqual(await embed("float"), [1, 2]);
  },

  async "pitfall 29: a compressed answer is never passed on as if it were plain"(world) {
    for (const status of [200, 400]) {
      await forgive(world);
      say(world, { status, headers: { "content-encoding": "gzip" }, body: gzipSync(JSON.stringify(whole())) });
      const response = await chat(world, "openai_compatible");
      assert.equal(response.headers.get("content-encoding"), null);
      assert.equal(response.status, 502);
      assert.equal(typeof (await response.json()).error.message, "string");
      assert.doesNotMatch(world.script.requests[0].headers["accept-encoding"] ?? "", /gzip|deflate|br/);
    }
  },

  async "pitfall 30: Responses over a chat announces items and parts before their text, numbers all events, details usage"(world) {
    say(world, [chunk({ role: "assistant", content: "" }), chunk({ content: "Hi" }), chunk({}, "stop"), data({ id: "c1", choices: [], usage: USAGE }), DONE]);
    const events = (await streamed(await post(world, "/v1/responses", { model: "openai_compatible/m", input: "Hi", stream: true }))).filter((e) => e !== "[DONE]");
    const at = (type) => events.findIndex((e) => e.type === type);
    assert.ok(at("response.output_item.added") >= 0 && at("response.output_item.added") < at("response.content_part.added"));
    assert.ok(at("response.content_part.added") < at("response.output_text.delta"));
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
    const { usage } = events.at(-1).response;
    assert.equal(typeof usage.input_tokens_details.cached_tokens, "number");
    assert.equal(typeof usage.output_tokens_details.reasoning_tokens, "number");
  },

  async "pitfall 31: a delta may be empty"(world) {
    for (const [kind, answer] of [["openai_compatible", [chunk({ content: "" }), chunk({ content: "Hi" }), chunk({ content: "" }), chunk({ tool_calls: [] }), chunk({}, "stop"), DONE]],
      ["anthropic", [start(), text(0, "", "Hi", ""), stop()]], ["mistral", [chunk({ content: "" }), chunk({ content: [] }), chunk({ content: "Hi" }), chunk({ content: "" }, "stop"), DONE]],
      ["gemini", [data(candidate([{ text: "" }])), data(candidate([{ text: "Hi" }])), data(candidate([], "STOP"))]]]) {
      say(world, answer);
      assert.equal(joined(await streamed(await chat(world, kind, { stream: true }))), "Hi", kind);
      say(world, answer);
      const events = await streamed(await ask(world, kind, { stream: true }));
      assert.equal(events.map((e) => e.delta?.text ?? "").join(""), "Hi", kind);
    }
  },

  async "pitfall 32: a schema is asked for as one, with no tool of the gateway's own; a call of the client's tool stays one"(world) {
    const response_format = { type: "json_schema", json_schema: { name: "o", schema: { type: "object", properties: {}, additionalProperties: false }, strict: true } };
    say(world, message([{ type: "text", text: "{}" }]));
    const answer = await json(await chat(world, "anthropic", { response_format }));
    assert.deepEqual([answer.choices[0].message.content, answer.choices[0].finish_reason], ["{}", "stop"]);
    assert.equal(last(world).tools, undefined);
    assert.equal(last(world).output_config.format.type, "json_schema");
    say(world, message([{ type: "tool_use", id: "toolu_1", name: "f", input: {} }], { stop_reason: "tool_use" }));
    const called = await json(await chat(world, "anthropic", { response_format, tools: [tool("f")] }));
    assert.equal(called.choices[0].finish_reason, "tool_calls");
  },

  async "pitfall 33: thinking that is signed goes back unchanged and first; without a signature it stays here"(world) {
    say(world, message([{ type: "thinking", thinking: "hm", signature: "c2ln" }, { type: "text", text: "Hi" }, { type: "tool_use", id: "toolu_1", name: "f", input: {} }], { stop_reason: "tool_use" }));
    const reply = (await json(await chat(world, "anthropic", { tools: [tool("f")] }))).choices[0].message;
    const go = (said) => chat(world, "anthropic", { tools: [tool("f")], messages: [...messages, said, { role: "tool", tool_call_id: "toolu_1", content: "7" }] });
    say(world, message([{ type: "text", text: "Hi" }]));
    await json(await go(reply));
    assert.deepEqual(last(world).messages[1].content[0], { type: "thinking", thinking: "hm", signature: "c2ln" });
    await json(await go({ ...reply, thinking_blocks: undefined }));
    assert.ok(last(world).messages[1].content.every((b) => b.type !== "thinking"));
  },

  async "pitfall 34: a limit keeps its status, its body is JSON, and it says when to come again"(world) {
    for (const [kind, headers, seconds] of [["openai_compatible", { "retry-after": "7" }, "7"], ["azure", { "retry-after-ms": "1500" }, "2"], ["openai_compatible", {}, "5"],
      ["cohere", { "x-ratelimit-reset": String(Math.floor(Date.now() / 1000) + 30) }, /^(29|30)$/], ["openai_compatible", { "retry-after": new Date(Date.now() + 20000).toUTCString() }, /^(19|20)$/]]) {
      await forgive(world);
      say(world, { status: 429, headers, body: { error: { message: "slow down", type: "requests", code: "rate_limit_exceeded", param: null }, message: "slow down" } });
      const response = await chat(world, kind);
      assert.equal(response.status, 429, kind);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      assert.match(response.headers.get("retry-after"), seconds instanceof RegExp ? seconds : new RegExp(`^${seconds}$`), kind);
      assert.equal(response.headers.get("x-should-retry"), "false");
      assert.equal((await response.json()).error.type, "rate_limit_exceeded");
    }
    await forgive(world);
    say(world, { status: 429, body: { error: { message: "You exceeded your current quota", type: "insufficient_quota", code: "insufficient_quota", param: null } } });
    assert.equal((await chat(world, "openai")).status, 502);
    await forgive(world);
  },

  async "pitfall 35: a model without sampling gets its limit under the name that it knows, and no temperature"(world) {
    say(world, whole());
    const response = await post(world, "/v1/chat/completions", { model: "reasoner", messages, max_tokens: 7, temperature: 0.5, top_p: 1, seed: 3 });
    await json(response);
    assert.deepEqual(last(world), { model: "up", messages, max_completion_tokens: 7, seed: 3 });
    assert.equal(response.headers.get("x-gateway-dropped"), "temperature,top_p");
  },

  async "pitfall 36: an answer that is given again keeps its reason as it was told, and is not translated once more"(world) {
    const choice = (reason, content) => whole({ content }, { choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: reason }] });
    // Who answers and how, what the client of which API is told.
    const cases = [
      ["anthropic", "/v1/chat/completions", message([{ type: "text", text: "Hi" }], { stop_reason: "max_tokens" }),
        [start(), text(0, "Hi"), stop("max_tokens")], /"finish_reason":"length"/],
      ["anthropic", "/v1/chat/completions", message([{ type: "text", text: "Hi" }], { stop_reason: "refusal" }),
        [start(), text(0, "Hi"), stop("refusal")], /"finish_reason":"content_filter"/],
      ["gemini", "/v1/chat/completions", candidate([{ functionCall: { name: "f", args: {} } }], "STOP"),
        [data(candidate([{ functionCall: { name: "f", args: {} } }], "STOP"))], /"finish_reason":"tool_calls"/],
      ["together", "/v1/chat/completions", choice("eos", "Hi"), [chunk({ content: "Hi" }), chunk({}, "eos", { usage: USAGE }), DONE], /"finish_reason":"stop"/],
      ["openai", "/v1/messages", choice("length", "Hi"), [chunk({ content: "Hi" }), chunk({}, "length"), data({ ...whole(), choices: [] }), DONE],
        /"stop_reason":"max_tokens"/],
      ["openai", "/v1/messages", choice("content_filter", "Hi"), [chunk({ content: "Hi" }), chunk({}, "content_filter"), data({ ...whole(), choices: [] }), DONE],
        /"stop_reason":"refusal"/],
      ["anthropic", "/v1/responses", message([{ type: "text", text: "Hi" }], { stop_reason: "max_tokens" }),
        [start(), text(0, "Hi"), stop("max_tokens")], /"incomplete_details":\{"reason":"max_output_tokens"\}/],
    ];
    for (const [i, [kind, path, unary, events, reason]] of cases.entries())
      for (const stream of [false, true]) {
        const body = path === "/v1/responses" ? { model: `${kind}/m`, input: "Hi", stream, store: false } : { model: `${kind}/m`, max_tokens: 50, messages, stream };
        const send = () => post(world, path, body, { headers: { "idempotency-key": `pitfall-36-${i}-${stream}` } });
        say(world, stream ? events : unary);
        const first = await send();
        const told = await first.text(), what = `${kind} ${path} ${stream} ${told}`;
        assert.equal(first.status, 200, what);
        assert.match(told, reason, what);
        const again = await send();
        assert.equal(again.headers.get("idempotent-replayed"), "true", what);
        assert.equal(await again.text(), told, what);
        assert.equal(world.script.requests.length, 1, what);
      }
  },

  async "pitfall 37: a stream of Messages opens with an estimate of its input, not with 0"(world) {
    say(world, [chunk({ role: "assistant", content: "" }), chunk({ content: "Hi" }), chunk({}, "stop"), DONE]);
    const events = await streamed(await ask(world, "openai_compatible", { stream: true }));
    assert.ok(events[0].message.usage.input_tokens > 0);
  },

  async "pitfall 38: an overload as a stream's first event is one of status 529"(world) {
    await forgive(world);
    say(world, [event("error", { error: { type: "overloaded_error", message: "Overloaded" } })]);
    const response = await chat(world, "anthropic", { stream: true });
    assert.equal(response.status, 503);
    assert.ok(response.headers.get("retry-after"));
    await forgive(world);
  },

  async "pitfall 39: a model that takes no sampling any more is asked once more without, and then at once"(world) {
    const refused = { status: 400, body: { type: "error", error: { type: "invalid_request_error", message: "temperature: Extra inputs are not permitted" } } };
    const good = message([{ type: "text", text: "Hi" }]);
    say(world, refused, good);
    const response = await post(world, "/v1/chat/completions", { model: "unsampled/m", messages, temperature: 0.5 });
    await json(response);
    assert.deepEqual(world.script.requests.map(({ body }) => body.temperature), [0.5, undefined]);
    assert.equal(response.headers.get("x-gateway-dropped"), "temperature");
    say(world, good);
    const passed = await post(world, "/v1/messages", { model: "unsampled/m", max_tokens: 9, messages, temperature: 0.5, top_k: 4 });
    await json(passed);
    assert.deepEqual(last(world), { model: "unsampled", max_tokens: 9, messages });
    assert.equal(passed.headers.get("x-gateway-dropped"), "temperature,top_k");
    // Without sampling it cannot be meant: then the client is told.
    say(world, refused);
    assert.equal((await post(world, "/v1/messages", { model: "unsampled/m", max_tokens: 9, messages })).status, 400);
    assert.equal(world.script.requests.length, 1);
  },
};

const names = Object.keys(KINDS);
const PATIENT_MS = "timeouts: { connect_ms: 500, head_ms: 20000, first_token_ms: 20000, idle_ms: 20000, total_ms: 30000 }";
const PRICE = "price: { input: 1, cached_input: 0.1, cache_write: 1.25, output: 2 }";

async function open(build) {
  const port = await freePort(), script = await openScript(port);
  const provider = (name, kind, base) => `  - name: ${name}
    kind: ${kind}
    base_url: http://127.0.0.1:${port}${base}
    credentials: [{ name: primary, api_key: upstream-secret }]
    ${PATIENT_MS}
`;
  const world = await openWorld(build, {
    extraProviders: names.map((name) => provider(`script-${name}`, name, KINDS[name])).join(""),
    extraModels: names.map((name) => `  - { id: ${name}/m, provider: script-${name}, upstream_model: up, ${PRICE} }\n`).join("") +
      `  - { id: reasoner, provider: script-openai, upstream_model: up, ${PRICE}, capabilities: [chat, streaming, tools, reasoning] }
  - { id: unsampled/m, provider: script-anthropic, upstream_model: unsampled, ${PRICE} }
  - { id: rescued/m, provider: script-openai, upstream_model: up, ${PRICE}, fallback: [openai_compatible/m] }
  - { id: rescued-claude/m, provider: script-anthropic, upstream_model: up, ${PRICE}, fallback: [openai_compatible/m] }
`,
  });
  return { ...world, script, close: async () => {
    await script.close();
    await world.close();
  } };
}

export const suites = [{ name: "pitfalls", open, tests }];
