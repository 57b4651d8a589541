// Malformed requests on raw sockets: each gets its contract error, and the next good request is served.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, openWorld, raw } from "./harness.mjs";

const body = (text, more = "", target = "/v1/chat/completions") =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
const get = (lines, start = "GET /healthz HTTP/1.1") => `${start}\r\nHost: x\r\n${lines}\r\n`;
const head = (lines, start = "POST /v1/chat/completions HTTP/1.1") => `${start}\r\n${lines}\r\n`;
const messages = '"messages":[{"role":"user","content":"x"}]';

// name, bytes, expected status and code, and `param` or a part of the message where there is one.
const HTTP = [
  ["an empty request line", "\r\n\r\nnonsense\r\n\r\n", 501, "method_unknown"],
  ["no version", "GET /healthz\r\n\r\n", 400, "request_line_invalid"],
  ["version 0.9", "GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", 400, "request_line_invalid"],
  ["version 2.0", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505, "version_unsupported"],
  ["version 9.9", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 505, "version_unsupported"],
  ["the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http2_unsupported"],
  ["a TLS hello", Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), 400, "request_line_invalid"],
  ["an unknown method", "FROB /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method_unknown"],
  ["a lower-case method", "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method_unknown"],
  ["a space in the target", "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request_line_invalid"],
  ["a control character in the target", "GET /heal\x01thz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target_invalid"],
  ["a byte above ASCII in the target", "GET /h\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "target_invalid"],
  ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400, "host_missing"],
  ["two Hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host_repeated"],
  ["a space before the colon", get("Name : v\r\n"), 400, "header_invalid"],
  ["a header without a colon", get("nonsense\r\n"), 400, "header_invalid"],
  ["an empty header name", get(": v\r\n"), 400, "header_invalid"],
  ["a folded header", get("Name: a\r\n b\r\n"), 400, "header_folded"],
  ["a tab-folded header", get("Name: a\r\n\tb\r\n"), 400, "header_folded"],
  ["a NUL in a value", get("Name: a\0b\r\n"), 400, "header_invalid"],
  ["a bare CR in a value", get("Name: a\rb\r\n"), 400, "header_invalid"],
  ["a bare LF after a value", "GET /healthz HTTP/1.1\nHost: x\n\n", 400, "header_invalid"],
  ["a control character in a name", get("Na\x02me: v\r\n"), 400, "header_invalid"],
  ["too long a target", `GET /${"a".repeat(70000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, "head_too_large"],
  ["too long a header", get(`Name: ${"a".repeat(70000)}\r\n`), 431, "head_too_large"],
  ["too many headers", get("N: v\r\n".repeat(200)), 431, "headers_too_many"],
  ["both framings", head("Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400, "framing_ambiguous"],
  ["both framings, the other order", head("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", 400, "framing_ambiguous"],
  ["two lengths that differ", head("Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n") + "abcdef", 400, "content_length_repeated"],
  ["a list of lengths", head("Host: x\r\nContent-Length: 5, 6\r\n") + "abcdef", 400, "content_length_invalid"],
  ["a signed length", head("Host: x\r\nContent-Length: +5\r\n") + "abcde", 400, "content_length_invalid"],
  ["a negative length", head("Host: x\r\nContent-Length: -1\r\n"), 400, "content_length_invalid"],
  ["a length in words", head("Host: x\r\nContent-Length: five\r\n"), 400, "content_length_invalid"],
  ["a length beyond 64 bits", head("Host: x\r\nContent-Length: 99999999999999999999999\r\n"), 400, "content_length_invalid"],
  ["a body beyond the limit", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n`), 413, "body_too_large"],
  ["an unknown coding", head("Host: x\r\nTransfer-Encoding: gzip\r\n"), 501, "transfer_encoding_unsupported"],
  ["chunked not last", head("Host: x\r\nTransfer-Encoding: chunked, identity\r\n") + "0\r\n\r\n", 400, "framing_ambiguous"],
  ["a chunk size that is no number", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "zz\r\n", 400, "chunk_invalid"],
  ["a chunk size beyond 64 bits", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "fffffffffffffffff\r\n", 400, "chunk_invalid"],
  ["a chunk beyond the limit", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "7fffffff\r\n", 413, "body_too_large"],
  ["a chunk that does not end", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "3\r\nabcdef\r\n", 400, "chunk_invalid"],
  ["an expectation that nobody knows", head("Host: x\r\nExpect: wonders\r\nContent-Length: 2\r\n") + "{}", 417, "expectation_unknown"],
];

const API = [
  ["no key", body("{}").replace(/Authorization.*?\r\n/, ""), 401, "invalid_api_key"],
  ["a wrong key", body("{}").replace(KEY, "wrong"), 401, "invalid_api_key"],
  ["another scheme", body("{}").replace("Bearer", "Basic"), 401, "invalid_api_key"],
  ["an empty key", body("{}").replace(KEY, ""), 401, "invalid_api_key"],
  ["an unknown path", body("{}", "", "/v1/nothing"), 404, "unknown_path"],
  ["the wrong method", get(`Authorization: Bearer ${KEY}\r\n`, "GET /v1/chat/completions HTTP/1.1"), 405, "method_not_allowed"],
  ["another media type", body("{}").replace("application/json", "text/xml"), 415, "unsupported_media_type"],
  ["an empty body", body(""), 400, "invalid_json"],
  ["white space", body("   "), 400, "invalid_json"],
  ["half an object", body('{"model":"test/mock"'), 400, "invalid_json", /byte/],
  ["an array", body("[]"), 400, "invalid_type"],
  ["a string", body('"x"'), 400, "invalid_type"],
  ["two documents", body("{}{}"), 400, "invalid_json", /byte/],
  ["a comma too many", body(`{"model":"test/mock",${messages},}`), 400, "invalid_json", /byte/],
  ["a comma missing", body(`{"model":"test/mock" ${messages}}`), 400, "invalid_json", /byte/],
  ["single quotes", body("{'model':'x'}"), 400, "invalid_json", /byte/],
  ["a bare word", body('{"model":tru}'), 400, "invalid_json", /byte/],
  ["a bad number", body('{"model":01}'), 400, "invalid_json", /byte/],
  ["a number beyond the range", body(`{"model":"test/mock",${messages},"seed":1e999}`), 400, "invalid_json"],
  ["a bad escape", body('{"model":"\\q"}'), 400, "invalid_json", /byte/],
  ["a lone surrogate", body('{"model":"\\ud800"}'), 400, "invalid_json"],
  ["a control character in a string", body('{"model":"a\nb"}'), 400, "invalid_json", /byte/],
  ["bytes that are not UTF-8", Buffer.concat([Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"model":"`), Buffer.from([0xff, 0x22, 0x7d])]), 400, "invalid_json"],
  ["too deep", body(`{"model":"test/mock",${messages},"x":${"[".repeat(2000)}${"]".repeat(2000)}}`), 400, "invalid_json"],
  ["model missing where auto cannot choose", body('{"input":"x"}', "", "/v1/embeddings"), 400, "missing_required_parameter", "model"],
  ["model null where auto cannot choose", body('{"model":null,"input":"x"}', "", "/v1/embeddings"), 400, "missing_required_parameter", "model"],
  ["model a number", body(`{"model":7,${messages}}`), 400, "invalid_type", "model"],
  ["model empty", body(`{"model":"",${messages}}`), 400, "missing_required_parameter", "model"],
  ["model twice", body(`{"model":"test/mock","model":"test/unpriced",${messages}}`), 400, "duplicate_field", "model"],
  ["model twice, escaped", body(`{"model":"test/mock","mod\\u0065l":"test/unpriced",${messages}}`), 400, "duplicate_field", "model"],
  ["model unknown", body(`{"model":"nobody/knows",${messages}}`), 404, "model_not_found", "model"],
  ["messages missing", body('{"model":"test/mock"}'), 400, "missing_required_parameter", "messages"],
  ["messages a string", body('{"model":"test/mock","messages":"x"}'), 400, "invalid_type", "messages"],
  ["messages empty", body('{"model":"test/mock","messages":[]}'), 400, "invalid_value", "messages"],
  ["stream a string", body(`{"model":"test/mock",${messages},"stream":"yes"}`), 400, "invalid_type", "stream"],
  ["stream_options without stream", body(`{"model":"test/mock",${messages},"stream_options":{}}`), 400, "invalid_value", "stream_options"],
  ["stream_options a number", body(`{"model":"test/mock",${messages},"stream":true,"stream_options":3}`), 400, "invalid_type", "stream_options"],
  ["input missing", body('{"model":"test/mock"}', "", "/v1/embeddings"), 400, "missing_required_parameter", "input"],
  ["prompt missing", body('{"model":"test/mock"}', "", "/v1/completions"), 400, "missing_required_parameter", "prompt"],
  ["an admin page with a virtual key", get(`Authorization: Bearer ${KEY}\r\n`, "GET /admin/receipts HTTP/1.1"), 401, "invalid_api_key"],
  ["an admin filter that is no number", get(`Authorization: Bearer ${MASTER_KEY}\r\n`, "GET /admin/receipts?limit=x HTTP/1.1"), 400, "invalid_query", "limit"],
  ["a receipt's id that is none", get(`Authorization: Bearer ${KEY}\r\n`, "GET /v1/receipts/nonsense HTTP/1.1"), 404, "receipt_not_found"],
];

function answers(text) {
  const [top, ...rest] = text.split("\r\n\r\n");
  const status = Number(top.match(/^HTTP\/1\.1 (\d{3}) /)?.[1]);
  return { status, top, body: rest.join("\r\n\r\n") };
}

const TYPES = { 401: "authentication_error", 404: "not_found_error" };

async function check(world, [name, bytes, status, code, detail], mustClose) {
  const whole = (text) => {
    const match = text.match(/\r\ncontent-length: (\d+)/i);
    return Boolean(match) && text.length >= text.indexOf("\r\n\r\n") + 4 + Number(match[1]);
  };
  const text = await raw(world.port, bytes, mustClose ? null : { test: whole });
  const answer = answers(text);
  assert.equal(answer.status, status, `${name}: ${text.slice(0, 400)}`);
  assert.equal((text.match(/HTTP\/1\.1 \d/g) ?? []).length, 1, `${name}: one answer`);
  const { error } = JSON.parse(answer.body);
  assert.equal(error.type, TYPES[status] ?? "invalid_request_error", name);
  assert.equal(error.code, code, name);
  assert.equal(error.param, typeof detail === "string" ? detail : null, name);
  assert.ok(error.message.length > 10, name);
  assert.match(error.request_id, /^req_[0-9A-Z]{26}$/, name);
  assert.match(answer.top, /content-type: application\/json/i, name);
  if (mustClose) assert.match(answer.top, /connection: close/i, name);
  if (detail instanceof RegExp) assert.match(error.message, detail, name);
  await good(world, name);
}

// The next good request, on a connection of its own.
async function good(world, name) {
  const text = await raw(world.port, body(`{"model":"test/mock",${messages}}`, "Connection: close\r\n"));
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/, `${name}: the next request`);
  assert.equal(JSON.parse(answers(text).body).model, "test/mock", `${name}: the next request`);
}

const tests = {
  async "malformed HTTP is refused and the connection closed"(world) {
    for (const row of HTTP) await check(world, row, true);
  },

  async "malformed HTTP byte by byte gets the same answer"(world) {
    for (const row of HTTP.filter(([, bytes]) => bytes.length < 300)) {
      const bytes = Buffer.from(row[1], "latin1");
      await check(world, [`${row[0]}, in pieces`, [...bytes].map((byte) => Buffer.from([byte])), ...row.slice(2)], true);
    }
  },

  async "malformed requests are refused by name"(world) {
    for (const row of API) await check(world, row, false);
  },

  async "a good request follows a refused one on the same connection"(world) {
    const good = body(`{"model":"test/mock",${messages}}`);
    const text = await raw(world.port, [body('{"model":7}'), good], /200 OK[\s\S]*"x-llm-gateway"[\s\S]*\}$/);
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.match(text, /HTTP\/1\.1 200 OK/);
  },

  async "pipelined requests are answered in order"(world) {
    const ask = (model) => body(`{"model":"${model}",${messages}}`);
    const text = await raw(world.port, ask("test/mock-slow-150") + ask("test/mock") + get("Connection: close\r\n"));
    const decisions = [...text.matchAll(/x-gateway-decision: (\S+)/gi)].map((match) => match[1]);
    assert.deepEqual(decisions, ["test/mock-slow-150", "test/mock"]);
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g).length, 3);
  },

  async "Expect: 100-continue, chunked bodies and HEAD"(world) {
    const text = `{"model":"test/mock",${messages}}`;
    const expect = await raw(world.port, body(text, "Expect: 100-continue\r\nConnection: close\r\n"));
    assert.match(expect, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK|^HTTP\/1\.1 200 OK/);
    const pieces = [...text].map((c) => `1;ext=1\r\n${c}\r\n`).join("");
    const chunked = await raw(world.port, head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n`) + `${pieces}0\r\nTrailer: t\r\n\r\n`);
    assert.match(chunked, /^HTTP\/1\.1 200 OK/);
    const bare = await raw(world.port, get("Connection: close\r\n", "HEAD /healthz HTTP/1.1"));
    assert.match(bare, /^HTTP\/1\.1 200 OK/);
    assert.match(bare, /\r\n\r\n$/);
  },
};

export const suites = [{ name: "malformed", open: (build) => openWorld(build), tests }];
