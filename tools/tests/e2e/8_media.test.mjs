// Images and sound, with OpenAI's client: what passes, what it costs, what is refused, and what breaks in the middle.
import assert from "node:assert/strict";
import net from "node:net";
import OpenAI, { toFile } from "openai";
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

// What the simulator says: every byte there is, over and over.
const isSound = (bytes) => bytes.every((byte, at) => byte === at % 256);

const speech = {
  async "speech passes as it comes, whole, with its type and its price"(world) {
    for (const [format, type] of [[undefined, "audio/mpeg"], ["wav", "audio/wav"], ["pcm", "audio/pcm"]]) {
      const response = await client(world).audio.speech.create({ model: "speech/piece", voice: "alloy", input: "Grüße!", response_format: format });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(bytes.length, 8000);
      assert.ok(isSound(bytes));
      assert.equal(Number(response.headers.get("x-gateway-cost-usd")), 0.00009);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.deepEqual([receipt.api, receipt.status, receipt.cost.total_usd, receipt.execution.tokens.estimated], ["audio.speech", 200, 0.00009, false]);
      assert.notEqual(receipt.execution.ttft_ms, null);
    }
    assert.equal(JSON.parse(await world.mock.last()).model, "mock");
  },

  async "speech of every length is whole, in whatever pieces it came"(world) {
    for (const [model, size] of [["speech/1", 1024 + 2], ["speech/3000", 3000 * 1024 + 4], ["speech/split", 2052]]) {
      const response = await client(world).audio.speech.create({ model, voice: "alloy", input: "a" });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.ok(Math.abs(bytes.length - size) < 8, `${model}: ${bytes.length}`);
      assert.ok(isSound(bytes), model);
    }
  },

  async "speech without a price by the piece is estimated in tokens"(world) {
    const response = await client(world).audio.speech.create({ model: "speech/tokens", voice: "alloy", input: "a".repeat(100) });
    await response.arrayBuffer();
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual(receipt.execution.tokens, { prompt: 26, completion: 140, total: 166, cached: 0, reasoning: 0, estimated: true });
    assert.equal(receipt.cost.total_usd, 0.0016956); // 26 x 0.6 and 140 x 12 USD a million
  },

  async "what breaks off in the middle is broken off for the client, and paid"(world) {
    for (const [model, error] of [["speech/truncated", "truncated"], ["speech/stall", "idle_timeout"], ["speech/bad", "protocol"]]) {
      const response = await post(world, "/v1/audio/speech", { model, voice: "alloy", input: "a".repeat(100) });
      assert.equal(response.status, 200);
      await assert.rejects(response.arrayBuffer(), model);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.ok(receipt.status >= 500, model);
      assert.equal(receipt.fallback.attempts.at(-1).error, error);
      assert.equal(receipt.cost.total_usd, 0.0015);
    }
  },

  async "what fails before the first byte is tried elsewhere"(world) {
    for (const model of ["speech/rescued", "speech/rescued-from-json"]) {
      const response = await client(world).audio.speech.create({ model, voice: "alloy", input: "a" });
      assert.equal((await response.arrayBuffer()).byteLength, 1000, model);
      assert.equal(response.headers.get("x-gateway-decision"), "speech/piece");
      assert.equal(response.headers.get("x-gateway-retries"), "1");
    }
    for (const [model, message] of [["speech/refused", /a document instead of sound/], ["speech/endless", /does not say where it ends/]]) {
      const error = await refusal(client(world).audio.speech.create({ model, voice: "alloy", input: "a" }));
      assert.equal(error.status, 502);
      assert.match(error.message, message);
    }
  },

  async "what is wrong with a request for speech is told by name"(world) {
    for (const [body, param, code] of [
      [{ model: "speech/piece", voice: "alloy" }, "input", "missing_required_parameter"],
      [{ model: "speech/piece", input: "a" }, "voice", "missing_required_parameter"],
      [{ model: "speech/piece", voice: "alloy", input: 7 }, "input", "invalid_type"],
      [{ model: "speech/piece", voice: "alloy", input: "a", response_format: "midi" }, "response_format", null],
      [{ model: "claude", voice: "alloy", input: "a" }, "model", "unsupported_feature"],
    ]) {
      const answer = await post(world, "/v1/audio/speech", body);
      const { error } = await answer.json();
      assert.equal(answer.status, 400, JSON.stringify(body));
      assert.deepEqual([error.param, error.code], [param, code], JSON.stringify(body));
    }
  },

  async "a budget reserves what is to be spoken"(world) {
    const poor = client(world, "poor-key");
    assert.equal((await refusal(poor.audio.speech.create({ model: "speech/dear", voice: "alloy", input: "a".repeat(101) }))).status, 402);
    await (await poor.audio.speech.create({ model: "speech/dear", voice: "alloy", input: "a".repeat(60) })).arrayBuffer();
    assert.equal((await refusal(poor.audio.speech.create({ model: "speech/dear", voice: "alloy", input: "a".repeat(60) }))).status, 402);
  },

  async "a client that leaves ends the call, and it is on the receipt"(world) {
    const controller = new AbortController();
    const response = await post(world, "/v1/audio/speech", { model: "speech/stall", voice: "alloy", input: "a".repeat(100) }, { signal: controller.signal });
    const before = (await world.mock.stats()).aborted;
    controller.abort();
    await eventually(async () => (await world.mock.stats()).aborted > before, "the call ends");
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual([receipt.status, receipt.cost.total_usd], [499, 0.0015]);
  },
};

const send = (world, body) => fetch(`${world.base}/v1/audio/transcriptions`, { method: "POST", headers: { authorization: `Bearer ${KEY}` }, body });
const recording = (size = 2500) => toFile(Buffer.from(Array.from({ length: size }, (_, at) => at % 256)), "gate \"1\".wav", { type: "audio/wav" });
const said = "the gate is open";

// What the provider got, as another reader of forms reads it.
async function formSent(world) {
  const body = Buffer.from(await (await fetch(`${world.mock.base}/mock/last`)).arrayBuffer());
  const boundary = body.subarray(2, body.indexOf("\r\n")).toString("latin1");
  return new Response(body, { headers: { "content-type": `multipart/form-data; boundary=${boundary}` } }).formData();
}

const transcription = {
  async "a recording passes, with the provider's name of the model, and costs its seconds"(world) {
    const file = await recording();
    const { data, response } = await client(world).audio.transcriptions.create({ model: "heard", file, language: "en",
      timestamp_granularities: ["word", "segment"], temperature: 0 }).withResponse();
    assert.equal(data.text, said);
    assert.equal(data.usage.seconds, 3);
    assert.equal(data.model, "heard");
    assert.equal(data["x-llm-gateway"].cost_usd, 0.0003);
    const sent = await formSent(world);
    assert.equal(sent.get("model"), "mock");
    assert.equal(sent.get("language"), "en");
    assert.deepEqual(sent.getAll("timestamp_granularities[]"), ["word", "segment"]);
    assert.deepEqual(Buffer.from(await sent.get("file").arrayBuffer()), Buffer.from(await file.arrayBuffer()));
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual([receipt.api, receipt.cost.total_usd, receipt.execution.tokens.estimated], ["audio.transcriptions", 0.0003, false]);
  },

  async "every format passes; what tells no length is estimated by its bytes"(world) {
    for (const [response_format, cost, estimated] of [["json", 0.0003, false], ["verbose_json", 0.00025, false], ["text", 0.0000626, true],
      ["srt", 0.0000626, true], ["vtt", 0.0000626, true]]) {
      const { data, response } = await client(world).audio.transcriptions.create({ model: "heard", file: await recording(), response_format }).withResponse();
      assert.match(typeof data === "string" ? data : data.text, /the gate is open/);
      assert.equal(response.headers.get("content-type"), response_format.includes("json") ? "application/json" : "text/plain; charset=utf-8");
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.deepEqual([receipt.cost.total_usd, receipt.execution.tokens.estimated], [cost, estimated], response_format);
      assert.equal(Number(response.headers.get("x-gateway-cost-usd")), cost);
    }
  },

  async "a model with a price for tokens costs those that the provider counted"(world) {
    const { response } = await client(world).audio.transcriptions.create({ model: "heard/tokens", file: await recording() }).withResponse();
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual(receipt.execution.tokens, { prompt: 14, completion: 45, total: 59, cached: 0, reasoning: 0, estimated: false });
    assert.equal(receipt.cost.total_usd, 0.000485);
  },

  async "a length that the recording cannot have is not believed"(world) {
    const { data, response } = await client(world).audio.transcriptions.create({ model: "heard/a-day", file: await recording() }).withResponse();
    assert.equal(data.usage.seconds, 86400);
    const receipt = await receiptOf(world, response.headers.get("x-request-id"));
    assert.deepEqual([receipt.cost.total_usd, receipt.execution.tokens.estimated], [0.0000626, true]);
  },

  async "a stream of what is heard: pieces, the whole at its end, and what it cost"(world) {
    for (const [model, usage, cost, estimated] of [["heard", { type: "duration", seconds: 3 }, 0.0003, false], ["heard/untold", undefined, 0.0000626, true],
      ["heard/tokens", { total_tokens: 59 }, 0.000485, false]]) {
      const { data: stream, response } = await client(world).audio.transcriptions.create({ model, file: await recording(), stream: true }).withResponse();
      let text = "", done = null;
      for await (const event of stream) {
        if (event.type === "transcript.text.delta") text += event.delta;
        else done = event;
      }
      assert.deepEqual([text, done.type, done.text], [said, "transcript.text.done", said], model);
      assert.equal(done.usage?.seconds ?? done.usage?.total_tokens, usage?.seconds ?? usage?.total_tokens, model);
      assert.match(response.headers.get("content-type"), /^text\/event-stream/);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.deepEqual([receipt.stream, receipt.status, receipt.cost.total_usd, receipt.execution.tokens.estimated], [true, 200, cost, estimated], model);
    }
    const form = new FormData();
    for (const [name, value] of [["model", "heard"], ["stream", "true"], ["file", await recording()]]) form.append(name, value);
    const wire = (await (await send(world, form)).text()).split("\n\n").filter(Boolean);
    assert.match(wire.at(-2), /^: x-llm-gateway \{"request_id":.*"cost_usd":0\.0003/);
    assert.match(wire.at(-1), /^data: \{"type":"transcript\.text\.done"/);
    assert.equal((await formSent(world)).get("stream"), "true");
  },

  async "a stream that breaks is an error, or another candidate's before it has begun; a model that does not stream says it whole"(world) {
    const ask = async (model) => client(world).audio.transcriptions.create({ model, file: await recording(), stream: true }).withResponse();
    for (const model of ["heard/cut", "heard/error", "heard/endless"]) {
      const { data, response } = await ask(model);
      const error = await refusal((async () => {
        for await (const event of data) assert.equal(event.type, "transcript.text.delta", model);
      })());
      assert.ok(error instanceof OpenAI.APIError, `${model} ${error.stack}`);
      const receipt = await receiptOf(world, response.headers.get("x-request-id"));
      assert.deepEqual([receipt.status, receipt.cost.total_usd], [502, 0.0000626], model);
    }
    const { data, response } = await ask("heard/rescued");
    assert.equal((await data[Symbol.asyncIterator]().next()).value.type, "transcript.text.delta");
    assert.equal(response.headers.get("x-gateway-retries"), "1");
    const form = new FormData();
    for (const [name, value] of [["model", "heard/whole"], ["stream", "true"], ["file", await recording()]]) form.append(name, value);
    const whole = await send(world, form);
    assert.equal(whole.headers.get("content-type"), "application/json");
    assert.equal((await whole.json()).text, said);
  },

  async "a large recording passes whole, by way of a provider that fails"(world) {
    const file = await recording(3_000_000);
    const { data, response } = await client(world).audio.transcriptions.create({ model: "heard/rescued", file }).withResponse();
    assert.equal(data.usage.seconds, 3000);
    assert.equal(response.headers.get("x-gateway-retries"), "1");
    assert.deepEqual(Buffer.from(await (await formSent(world)).get("file").arrayBuffer()), Buffer.from(await file.arrayBuffer()));
  },

  async "hints in the form are obeyed, and go no further"(world) {
    const form = new FormData();
    form.append("file", await recording());
    form.append("model", "heard/refused");
    form.append("x-fallback-chain", '["heard"]');
    const answer = await send(world, form);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("x-gateway-decision"), "heard");
  },

  async "a form with an Idempotency-Key is transcribed once, whatever boundary it is sent with; a text is not kept"(world) {
    const ask = async (idempotency, response_format, size) => (await client(world).audio.transcriptions.create(
      { model: "heard", file: await recording(size), response_format }, { headers: { "Idempotency-Key": idempotency } }).withResponse());
    const first = await ask("once", "json"), again = await ask("once", "json");
    assert.equal(first.response.headers.get("idempotent-replayed"), null);
    assert.equal(again.response.headers.get("idempotent-replayed"), "true");
    assert.deepEqual(again.data, first.data);
    assert.equal((await refusal(ask("once", "json", 2600))).code, "idempotency_conflict");
    for (let i = 0; i < 2; i++) {
      const { data, response } = await ask("text", "text");
      assert.equal(data, `${said}\n`);
      assert.equal(response.headers.get("idempotent-replayed"), null);
    }
  },

  async "what is wrong with a form is told by name"(world) {
    const file = await recording();
    for (const [fields, param, code] of [
      [[["file", file]], "model", "missing_required_parameter"],
      [[["model", "heard"]], "file", "missing_required_parameter"],
      [[["model", "heard"], ["file", "text"]], "file", "invalid_type"],
      [[["model", "heard"], ["model", "other"], ["file", file]], "model", "duplicate_field"],
      [[["model", "heard"], ["file", file], ["file", file]], "file", "duplicate_field"],
      [[["model", "heard"], ["file", file], ["stream", "yes"]], "stream", "invalid_type"],
      [[["model", "heard"], ["file", file], ["x-routing-hints", "{"]], "x-routing-hints", "invalid_json"],
      [[["model", "heard"], ["file", file], ["prompt", "a".repeat(70000)]], null, "body_too_large"],
      [[["model", "claude"], ["file", file]], "model", "unsupported_feature"],
      [[["model", "heard"], ["file", file], ["response_format", "midi"]], "response_format", null],
    ]) {
      const form = new FormData();
      for (const [name, value] of fields) form.append(name, value);
      const answer = await send(world, form);
      const { error } = await answer.json();
      assert.equal(answer.status, 400, JSON.stringify(fields));
      assert.deepEqual([error.param, error.code], [param, code], JSON.stringify(fields));
    }
    const malformed = await post(world, "/v1/audio/transcriptions", "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nheard",
      { headers: { "content-type": "multipart/form-data; boundary=b" } });
    assert.equal(malformed.status, 400);
    assert.match((await malformed.json()).error.message, /byte 53: expected the boundary/);
    assert.equal((await post(world, "/v1/audio/transcriptions", {})).status, 415);
    assert.equal((await post(world, "/v1/audio/transcriptions", "", { headers: { "content-type": "multipart/form-data" } })).status, 415);
  },

  async "a budget reserves the longest that a recording can be"(world) {
    const poor = client(world, "poor-key"); // a megabyte may be 22 minutes, at 0.006 each
    assert.equal((await refusal(poor.audio.transcriptions.create({ model: "heard", file: await recording(1_000_000) }))).status, 402);
    const { data } = await poor.audio.transcriptions.create({ model: "heard", file: await recording(500_000) }).withResponse();
    assert.equal(data["x-llm-gateway"].cost_usd, 0.05);
  },
};

const options = {
  http: ", max_body_bytes: 4000000",
  extraProviders: `  - { name: strict, kind: openai, base_url: "http://127.0.0.1:MOCK/v1", timeouts: { idle_ms: 1000 }, credentials: [{ name: primary, api_key: upstream-secret }] }
  - { name: anthropic, kind: anthropic, base_url: "http://127.0.0.1:MOCK/v1", credentials: [{ name: primary, api_key: upstream-secret }] }
`,
  extraModels: `  - { id: image/tokens, provider: strict, upstream_model: mock, price: { input: 5, output: 40 } }
  - { id: image/piece, provider: strict, upstream_model: mock-no-usage, price: { image: 0.04 } }
  - { id: image/large, provider: strict, upstream_model: mock-large-900, price: { image: 0.04 } }
  - { id: speech/piece, provider: strict, upstream_model: mock, price: { per_million_chars: 15 } }
  - { id: speech/dear, provider: strict, upstream_model: mock, price: { per_million_chars: 1000 } }
  - { id: speech/tokens, provider: strict, upstream_model: mock, price: { input: 0.6, output: 12 } }
  - { id: speech/1, provider: strict, upstream_model: mock-large-1 }
  - { id: speech/3000, provider: strict, upstream_model: mock-large-3000 }
  - { id: speech/split, provider: strict, upstream_model: mock-split-large-2 }
  - { id: speech/truncated, provider: strict, upstream_model: mock-truncated, price: { per_million_chars: 15 } }
  - { id: speech/stall, provider: strict, upstream_model: mock-stall-body, price: { per_million_chars: 15 } }
  - { id: speech/bad, provider: strict, upstream_model: mock-invalid-json, price: { per_million_chars: 15 } }
  - { id: speech/rescued, provider: nowhere, upstream_model: mock, fallback: [speech/piece] }
  - { id: speech/rescued-from-json, provider: strict, upstream_model: mock-json, fallback: [speech/piece] }
  - { id: speech/refused, provider: strict, upstream_model: mock-json }
  - { id: heard, provider: strict, upstream_model: mock, price: { per_minute: 0.006 } }
  - { id: heard/tokens, provider: strict, upstream_model: mock-cached, price: { input: 2.5, output: 10 } }
  - { id: heard/untold, provider: strict, upstream_model: mock-no-usage, price: { per_minute: 0.006 } }
  - { id: heard/cut, provider: strict, upstream_model: mock-cut, price: { per_minute: 0.006 } }
  - { id: heard/error, provider: strict, upstream_model: mock-error-event, price: { per_minute: 0.006 } }
  - { id: heard/endless, provider: strict, upstream_model: mock-no-done, price: { per_minute: 0.006 } }
  - { id: heard/whole, provider: strict, upstream_model: mock-json, price: { per_minute: 0.006 } }
  - { id: heard/a-day, provider: strict, upstream_model: mock-tool, price: { per_minute: 0.006 } }
  - { id: heard/rescued, provider: strict, upstream_model: mock-status-500, fallback: [heard] }
  - { id: heard/refused, provider: strict, upstream_model: mock-status-500 }
  - { id: claude, provider: anthropic, upstream_model: mock }
  - { id: chat, provider: strict, upstream_model: mock, capabilities: [chat] }
`,
  extra: `  - { name: poor, secret: poor-key, budget: { daily_usd: 0.1 } }
  - { name: chats, secret: chat-key, scopes: [chat] }
`,
};

// A provider whose answer ends with its connection: nothing tells whether that was all of it.
async function openSpeechWorld(build) {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nConnection: close\r\n\r\nsound"));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const world = await openWorld(build, {
    ...options,
    extraProviders: `${options.extraProviders}  - { name: endless, kind: openai, base_url: "http://127.0.0.1:${server.address().port}/v1", credentials: [{ name: primary, api_key: x }] }
`,
    extraModels: `${options.extraModels}  - { id: speech/endless, provider: endless, upstream_model: mock }
`,
  });
  const close = () => world.close().finally(() => server.close());
  return { ...world, close };
}

export const suites = [
  { name: "images", open: (build) => openWorld(build, options), tests: image },
  { name: "speech", open: openSpeechWorld, tests: speech },
  { name: "transcriptions", open: (build) => openWorld(build, options), tests: transcription },
];
