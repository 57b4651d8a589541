// Every fault of a provider, unary and streaming: the client gets the contract's error, and the next good call is served.
import assert from "node:assert/strict";
import { KEY, chat, openWorld, post, raw, sse } from "./harness.mjs";

// model, expected status, expected error type; for streams `event` is what a stream that has begun ends with.
const UNARY = [
  ["mock-status-400", 400, "invalid_request_error"],
  ["mock-status-413", 413, "invalid_request_error"],
  ["mock-status-422", 422],
  ["mock-status-401", 502, "upstream_error"],
  ["mock-status-403", 502, "upstream_error"],
  ["mock-status-404", 502, "upstream_error"],
  ["mock-status-409", 502, "upstream_error"],
  ["mock-status-429", 429, "rate_limit_exceeded"],
  ["mock-retry-after-7", 429, "rate_limit_exceeded"],
  ["mock-status-500", 502, "upstream_error"],
  ["mock-status-502", 502, "upstream_error"],
  ["mock-status-503", [502, 503]],
  ["mock-status-504", [502, 504]],
  ["mock-status-529", [502, 503]],
  ["mock-refuse", 502, "upstream_error"],
  ["mock-reset", 502, "upstream_error"],
  ["mock-stall-head", 504, "upstream_timeout"],
  ["mock-stall-body", 504, "upstream_timeout"],
  ["mock-truncated", 502, "upstream_error"],
  ["mock-invalid-json", 502, "upstream_error"],
  ["nowhere", 502, "upstream_error"],
];

// A head that stalls fails after keepalive_ms, when the client's head has left with the first comment.
const BROKEN_STREAMS = ["mock-cut", "mock-no-done", "mock-stall-body", "mock-error-event", "mock-stall-head"];
const REFUSED_STREAMS = ["mock-status-400", "mock-status-401", "mock-status-429", "mock-status-500", "mock-refuse", "mock-reset",
  "nowhere"];

async function served(world) {
  const answer = await post(world, "/v1/chat/completions", chat("test/mock"));
  assert.equal(answer.status, 200);
  await answer.json();
}

async function expectError(answer, status, type, name) {
  const text = await answer.text();
  const statuses = [].concat(status);
  assert.ok(statuses.includes(answer.status), `${name}: ${answer.status}, not ${statuses}: ${text}`);
  const { error } = JSON.parse(text);
  for (const field of ["type", "message", "code", "param"]) assert.ok(field in error, `${name}: ${field}`);
  if (type) assert.equal(error.type, type, name);
  assert.equal(error.request_id, answer.headers.get("x-request-id"), name);
  assert.doesNotMatch(text, /upstream-secret/);
  return error;
}

const tests = {
  async "unary faults"(world) {
    for (const [model, status, type] of UNARY) {
      const answer = await post(world, "/v1/chat/completions", chat(`test/${model}`));
      const error = await expectError(answer, status, type, model);
      if (model === "mock-retry-after-7") {
        assert.equal(answer.headers.get("retry-after"), "7");
        assert.equal(error.retry_after_seconds, 7);
      }
      if (answer.status >= 502 && type) assert.equal(answer.headers.get("x-should-retry"), "false", model);
      await served(world);
    }
  },

  async "streams that fail before their first content are plain errors"(world) {
    for (const model of REFUSED_STREAMS) {
      const [, status, type] = UNARY.find(([name]) => name === model);
      await expectError(await post(world, "/v1/chat/completions", chat(`test/${model}`, { stream: true })), status, type, model);
      await served(world);
    }
  },

  async "streams that break after their head has left end with an error event and no [DONE]"(world) {
    for (const model of BROKEN_STREAMS) {
      const answer = await post(world, "/v1/chat/completions", chat(`test/${model}`, { stream: true }));
      assert.equal(answer.status, 200, model);
      const { text, events } = await sse(answer);
      assert.doesNotMatch(text, /\[DONE\]/, model);
      const last = events.filter((event) => event.startsWith("data: ")).at(-1);
      assert.ok(JSON.parse(last.slice(6)).error.message, model);
      await served(world);
    }
  },

  async "a connection whose answer did not say close serves the next request, also after a stream that broke"(world) {
    for (const model of BROKEN_STREAMS) {
      const body = JSON.stringify(chat(`test/${model}`, { stream: true }));
      const request = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
      const text = await raw(world.port, [request, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]);
      const [stream, next] = text.split("\r\n0\r\n\r\n");
      assert.doesNotMatch(stream.split("\r\n\r\n")[0], /^connection: close/im, model);
      assert.match(next ?? "", /^HTTP\/1\.1 200 /, `${model}: what follows the stream`);
    }
  },

  async "a slow drip is served whole"(world) {
    const answer = await post(world, "/v1/chat/completions", chat("test/mock-drip"));
    assert.equal(answer.status, 200);
    assert.equal((await answer.json()).model, "test/mock-drip");
  },

  async "large answers are served whole"(world) {
    const answer = await post(world, "/v1/chat/completions", chat("test/mock-large-300"));
    assert.equal(answer.status, 200);
    assert.ok((await answer.json()).choices[0].message.content.length > 250 * 1024);
  },

  async "large requests arrive whole"(world) {
    const content = "x".repeat(3 * 1024 * 1024);
    const answer = await post(world, "/v1/chat/completions", { model: "test/mock", messages: [{ role: "user", content }] });
    assert.equal(answer.status, 200);
    await answer.json();
    assert.ok((await world.mock.last()).length > content.length);
  },

  async "answers without usage are estimated and say so"(world) {
    const answer = await post(world, "/v1/chat/completions", chat("test/mock-no-usage"));
    assert.equal(answer.status, 200);
    const own = (await answer.json())["x-llm-gateway"];
    assert.ok(own.cost_usd > 0);
  },

  async "a client that reads slowly gets everything in order"(world) {
    const answer = await post(world, "/v1/chat/completions", chat("test/mock-events-20000", { stream: true }));
    let text = "", pieces = 0;
    const decoder = new TextDecoder();
    for await (const piece of answer.body) {
      text += decoder.decode(piece, { stream: true });
      if (pieces++ < 20) await new Promise((next) => setTimeout(next, 20));
    }
    assert.equal(text.split("\n\n").filter((event) => event.startsWith("data: {")).length >= 20000, true);
    assert.ok(text.endsWith("data: [DONE]\n\n"));
  },
};

export const suites = [
  { name: "faults", open: (build) => openWorld(build), tests },
  { name: "faults, kernel features masked", open: (build) => openWorld(build, { args: ["--ring-without", "all"] }), tests },
];
