// Plain errors of each kind of provider, as its documents have them, told to each kind of client: golden files in golden/errors, one a kind, hold status,
// retry-after and body, where the request's id is REQ. GOLDEN_WRITE=1 writes them, for a reviewer to read their difference.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { forgive, freePort, openWorld, post } from "./harness.mjs";

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), "golden", "errors");

// ---- what providers say --------------------------------------------------------------------------------------------

const openai = (message, type, code = null, param = null) => ({ error: { message, type, param, code } });
const OPENAI = {
  "bad-field": [400, openai("Invalid value: 'x'.", "invalid_request_error", "invalid_value", "messages[0].role")],
  "too-long": [400, openai("This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded", "messages")],
  "bad-key": [401, openai("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")],
  "no-model": [404, openai("The model does not exist.", "invalid_request_error", "model_not_found")],
  "rate-limit": [429, openai("Rate limit reached for requests.", "requests", "rate_limit_exceeded"), { "retry-after": "7" }],
  "quota": [429, openai("You exceeded your current quota.", "insufficient_quota", "insufficient_quota")],
  "failure": [500, openai("The server had an error.", "server_error")],
  "overload": [503, openai("The engine is currently overloaded.", "server_error"), { "retry-after-ms": "1500" }],
};
const anthropic = (type, message) => ({ type: "error", error: { type, message, details: null }, request_id: "req_1" });
const gemini = (code, status, message, details) => ({ error: { code, message, status, ...(details ? { details } : {}) } });
const aws = (type) => ({ "x-amzn-errortype": `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` });
const KINDS = {
  openai: ["/v1", OPENAI],
  openai_compatible: ["/v1", {
    "flat": [400, { object: "error", message: "max_tokens is too large", type: "BadRequestError", param: null, code: 400 }],
    "number": [400, openai("max_tokens is too large", "BadRequestError", 400)],
    "loading": [503, openai("Loading model", "unavailable_error", 503)],
    "words": [500, "upstream connect error"],
    "nothing": [502, ""],
  }],
  anthropic: ["/v1", {
    "bad-field": [400, anthropic("invalid_request_error", "messages: at least one message is required")],
    "too-long": [400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")],
    "bad-key": [401, anthropic("authentication_error", "invalid x-api-key")],
    "billing": [402, anthropic("billing_error", "Your credit balance is too low.")],
    "no-model": [404, anthropic("not_found_error", "model: up")],
    "too-large": [413, anthropic("request_too_large", "Request exceeds the maximum size")],
    "rate-limit": [429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit."), { "retry-after": "7" }],
    "failure": [500, anthropic("api_error", "Internal server error")],
    "timeout": [504, anthropic("timeout_error", "Request timed out")],
    "overload": [529, anthropic("overloaded_error", "Overloaded")],
  }],
  gemini: ["/v1beta", {
    "bad-field": [400, gemini(400, "INVALID_ARGUMENT", "Invalid JSON payload received. Unknown name \"x\".")],
    "too-long": [400, gemini(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed 1048576.")],
    "bad-key": [400, gemini(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")],
    "no-right": [403, gemini(403, "PERMISSION_DENIED", "Permission denied on resource project.")],
    "no-model": [404, gemini(404, "NOT_FOUND", "models/up is not found for API version v1beta.")],
    "rate-limit": [429, gemini(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34s" }])],
    "failure": [500, gemini(500, "INTERNAL", "An internal error has occurred.")],
    "overload": [503, gemini(503, "UNAVAILABLE", "The model is overloaded.")],
    "timeout": [504, gemini(504, "DEADLINE_EXCEEDED", "Deadline expired.")],
    "in-a-list": [429, [gemini(429, "RESOURCE_EXHAUSTED", "Quota exceeded.")]],
  }],
  mistral: ["/v1", {
    "bad-field": [422, { detail: [{ type: "extra_forbidden", loc: ["body", "store"], msg: "Extra inputs are not permitted", input: true }] }],
    "nested": [422, { object: "error", message: { detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required" }] }, type: "invalid_request_error", param: null, code: null }],
    "bad-key": [401, { message: "Unauthorized", request_id: "1" }],
    "rate-limit": [429, { object: "error", message: "Requests rate limit exceeded", type: "rate_limited", param: null, code: "1300" }],
    "failure": [500, { object: "error", message: "Service unavailable.", type: "internal_server_error", param: null, code: "1000" }],
  }],
  cohere: ["/v2", {
    "bad-field": [400, { id: "1", message: "invalid request: all elements in history must have a message." }],
    "bad-key": [401, { id: "1", message: "invalid api token" }],
    "bad-token": [498, { id: "1", message: "invalid token" }],
    "unprocessable": [422, { id: "1", message: "unsupported value for field response_format.type" }],
    "rate-limit": [429, { id: "1", message: "You are past the per minute request limit." }],
    "cancelled": [499, { id: "1", message: "request cancelled" }],
    "failure": [500, { id: "1", message: "internal server error" }],
  }],
  groq: ["/v1", {
    "bad-field": [400, openai("'messages' : minimum number of items is 1", "invalid_request_error")],
    "tool-failed": [400, { error: { ...openai("Failed to call a function.", "invalid_request_error", "tool_use_failed").error, failed_generation: "<function>" } }],
    "rate-limit": [429, openai("Rate limit reached for model.", "tokens", "rate_limit_exceeded"), { "retry-after": "2" }],
    "capacity": [498, openai("capacity exceeded", "capacity_exceeded", "capacity_exceeded")],
  }],
  together: ["/v1", { "bad-field": [400, openai("stop: Input should be a valid list", "invalid_request_error", null, "stop")], "failure": [500, openai("Internal server error", "server_error")] }],
  azure: ["", {
    "no-deployment": [404, { error: { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." } }],
    "filtered": [400, { error: { message: "The response was filtered.", type: null, param: "prompt", code: "content_filter", status: 400,
      innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: { hate: { filtered: true, severity: "high" } } } } }],
    "bad-key": [401, { error: { code: "401", message: "Access denied due to invalid subscription key." } }],
    "rate-limit": [429, { error: { code: "429", message: "Requests have exceeded the token rate limit." } }, { "retry-after": "3", "retry-after-ms": "2500" }],
  }],
  bedrock: ["", {
    "bad-field": [400, { message: "The model returned the following errors: messages: roles must alternate" }, aws("ValidationException")],
    "too-long": [400, { message: "Input is too long for requested model." }, aws("ValidationException")],
    "quota": [400, { message: "You have exceeded your quota." }, aws("ServiceQuotaExceededException")],
    "no-right": [403, { message: "You don't have access to the model with the specified model ID." }, aws("AccessDeniedException")],
    "no-model": [404, { message: "Could not resolve the foundation model from the model identifier." }, aws("ResourceNotFoundException")],
    "timeout": [408, { message: "Model processing timed out." }, aws("ModelTimeoutException")],
    "model-error": [424, { message: "The model returned an error.", originalStatusCode: 500 }, aws("ModelErrorException")],
    "rate-limit": [429, { message: "Too many requests." }, aws("ThrottlingException")],
    "not-ready": [429, { message: "The model is not ready." }, aws("ModelNotReadyException")],
    "failure": [500, { __type: "com.amazon.coral.service#InternalServerException", message: "Something went wrong." }],
    "overload": [503, { message: "Service unavailable." }, aws("ServiceUnavailableException")],
  }],
};

// ---- clients -------------------------------------------------------------------------------------------------------

const messages = [{ role: "user", content: "Hi" }];
const CLIENTS = {
  chat: ["/v1/chat/completions", { messages }],
  responses: ["/v1/responses", { input: "Hi" }],
  messages: ["/v1/messages", { max_tokens: 50, messages }],
};

async function openProvider(port) {
  const script = { answer: null };
  const server = http.createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      const [status, body, headers = {}] = script.answer;
      const text = typeof body === "string" ? body : JSON.stringify(body);
      response.writeHead(status, { "content-type": typeof body === "string" ? "text/plain" : "application/json", ...headers });
      response.end(text);
    });
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  script.close = () => new Promise((closed) => (server.close(closed), server.closeAllConnections()));
  return script;
}

async function tell(world, kind, [target, body], stream) {
  const response = await post(world, target, { model: `${kind}/m`, ...body, stream });
  const text = await response.text();
  await forgive(world);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  return { status: response.status, retry_after: response.headers.get("retry-after"), body: JSON.parse(text.replace(/req_[0-9A-Z]{26}/g, "REQ")) };
}

const tests = Object.fromEntries(Object.entries(KINDS).map(([kind, [, cases]]) => [`${kind}: its errors, in the words of each client`, async (world) => {
  const found = {}, file = path.join(FOLDER, `${kind}.json`);
  for (const [name, answer] of Object.entries(cases)) {
    world.provider.answer = answer;
    found[name] = {};
    for (const [client, request] of Object.entries(CLIENTS)) {
      found[name][client] = await tell(world, kind, request, false);
      assert.deepEqual(await tell(world, kind, request, true), found[name][client], `${name}: a stream that never began is told the same`);
    }
  }
  if (process.env.GOLDEN_WRITE) fs.writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
  assert.deepEqual(found, JSON.parse(fs.readFileSync(file, "utf8")));
}]));

async function open(build) {
  const port = await freePort(), provider = await openProvider(port);
  const world = await openWorld(build, {
    extraProviders: Object.entries(KINDS).map(([kind, [base]]) => `  - name: broken-${kind}
    kind: ${kind}
    base_url: http://127.0.0.1:${port}${base}
    credentials: [{ name: primary, api_key: upstream-secret }]
`).join(""),
    extraModels: Object.keys(KINDS).map((kind) =>
      `  - { id: ${kind}/m, provider: broken-${kind}, upstream_model: up, price: { input: 1, output: 2 } }\n`).join(""),
  });
  return { ...world, provider, close: async () => {
    await provider.close();
    await world.close();
  } };
}

export const suites = [{ name: "errors", open, tests }];
