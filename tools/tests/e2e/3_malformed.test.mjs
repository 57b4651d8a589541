// Malformed requests on raw sockets: each gets its contract error, and the next good request is served.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, openWorld, raw } from "./harness.mjs";

const body = (text, more = "", target = "/v1/chat/completions") =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
const get = (lines, start = "GET /healthz HTTP/1.1") => `${start}\r\nHost: x\r\n${lines}\r\n`;
const head = (lines, start = "POST /v1/chat/completions HTTP/1.1") => `${start}\r\n${lines}\r\n`;
const messages = '"messages":[{"role":"user","content":"x"}]';

// name, bytes, expected status (or a list), and for JSON errors the `param` or a part of the message.
const HTTP = [
  ["an empty request line", "\r\n\r\nnonsense\r\n\r\n", [400, 501]],
  ["no version", "GET /healthz\r\n\r\n", 400],
  ["version 0.9", "GET /healthz HTTP/0.9\r\nHost: x\r\n\r\n", [400, 505]],
  ["version 2.0", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", [400, 505]],
  ["version 9.9", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", [400, 505]],
  ["the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400, 505]],
  ["a TLS hello", Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), 400],
  ["an unknown method", "FROB /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [400, 405, 501]],
  ["a lower-case method", "get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [400, 405, 501]],
  ["a space in the target", "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  ["a control character in the target", "GET /heal\x01thz HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  ["a byte above ASCII in the target", "GET /h\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
  ["two Hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["a space before the colon", get("Name : v\r\n"), 400],
  ["a header without a colon", get("nonsense\r\n"), 400],
  ["an empty header name", get(": v\r\n"), 400],
  ["a folded header", get("Name: a\r\n b\r\n"), 400],
  ["a tab-folded header", get("Name: a\r\n\tb\r\n"), 400],
  ["a NUL in a value", get("Name: a\0b\r\n"), 400],
  ["a bare CR in a value", get("Name: a\rb\r\n"), 400],
  ["a bare LF after a value", "GET /healthz HTTP/1.1\nHost: x\n\n", 400],
  ["a control character in a name", get("Na\x02me: v\r\n"), 400],
  ["too long a target", `GET /${"a".repeat(70000)} HTTP/1.1\r\nHost: x\r\n\r\n`, [400, 414, 431]],
  ["too long a header", get(`Name: ${"a".repeat(70000)}\r\n`), 431],
  ["too many headers", get("N: v\r\n".repeat(200)), 431],
  ["both framings", head("Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400],
  ["both framings, the other order", head("Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", 400],
  ["two lengths that differ", head("Host: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n") + "abcdef", 400],
  ["a list of lengths", head("Host: x\r\nContent-Length: 5, 6\r\n") + "abcdef", 400],
  ["a signed length", head("Host: x\r\nContent-Length: +5\r\n") + "abcde", 400],
  ["a negative length", head("Host: x\r\nContent-Length: -1\r\n"), 400],
  ["a length in words", head("Host: x\r\nContent-Length: five\r\n"), 400],
  ["a length beyond 64 bits", head("Host: x\r\nContent-Length: 99999999999999999999999\r\n"), [400, 413]],
  ["a body beyond the limit", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n`), 413],
  ["an unknown coding", head("Host: x\r\nTransfer-Encoding: gzip\r\n"), [400, 501]],
  ["chunked not last", head("Host: x\r\nTransfer-Encoding: chunked, identity\r\n") + "0\r\n\r\n", [400, 501]],
  ["a chunk size that is no number", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "zz\r\n", 400],
  ["a chunk size beyond 64 bits", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "fffffffffffffffff\r\n", [400, 413]],
  ["a chunk beyond the limit", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "7fffffff\r\n", [400, 413]],
  ["a chunk that does not end", head(`Host: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n`) + "3\r\nabcdef\r\n", 400],
  ["an expectation that nobody knows", head("Host: x\r\nExpect: wonders\r\nContent-Length: 2\r\n") + "{}", [400, 401, 417]],
];

const API = [
  ["no key", body("{}").replace(/Authorization.*?\r\n/, ""), 401],
  ["a wrong key", body("{}").replace(KEY, "wrong"), 401],
  ["another scheme", body("{}").replace("Bearer", "Basic"), 401],
  ["an empty key", body("{}").replace(KEY, ""), 401],
  ["an unknown path", body("{}", "", "/v1/nothing"), 404],
  ["the wrong method", get(`Authorization: Bearer ${KEY}\r\n`, "GET /v1/chat/completions HTTP/1.1"), 405],
  ["another media type", body("{}").replace("application/json", "text/xml"), 415],
  ["an empty body", body(""), 400],
  ["white space", body("   "), 400],
  ["half an object", body('{"model":"test/mock"'), 400, /byte/],
  ["an array", body("[]"), 400],
  ["a string", body('"x"'), 400],
  ["two documents", body("{}{}"), 400, /byte/],
  ["a comma too many", body(`{"model":"test/mock",${messages},}`), 400, /byte/],
  ["a comma missing", body(`{"model":"test/mock" ${messages}}`), 400, /byte/],
  ["single quotes", body("{'model':'x'}"), 400, /byte/],
  ["a bare word", body('{"model":tru}'), 400, /byte/],
  ["a bad number", body('{"model":01}'), 400, /byte/],
  ["a number beyond the range", body(`{"model":"test/mock",${messages},"seed":1e999}`), 400],
  ["a bad escape", body('{"model":"\\q"}'), 400, /byte/],
  ["a lone surrogate", body('{"model":"\\ud800"}'), 400],
  ["a control character in a string", body('{"model":"a\nb"}'), 400, /byte/],
  ["bytes that are not UTF-8", Buffer.concat([Buffer.from(`POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"model":"`), Buffer.from([0xff, 0x22, 0x7d])]), 400],
  ["too deep", body(`{"model":"test/mock",${messages},"x":${"[".repeat(2000)}${"]".repeat(2000)}}`), 400],
  ["model missing", body(`{${messages}}`), 400, "model"],
  ["model null", body(`{"model":null,${messages}}`), 400, "model"],
  ["model a number", body(`{"model":7,${messages}}`), 400, "model"],
  ["model empty", body(`{"model":"",${messages}}`), [400, 404]],
  ["model twice", body(`{"model":"test/mock","model":"test/unpriced",${messages}}`), 400, "model"],
  ["model twice, escaped", body(`{"model":"test/mock","mod\\u0065l":"test/unpriced",${messages}}`), 400, "model"],
  ["model unknown", body(`{"model":"nobody/knows",${messages}}`), 404],
  ["messages missing", body('{"model":"test/mock"}'), 400, "messages"],
  ["messages a string", body('{"model":"test/mock","messages":"x"}'), 400, "messages"],
  ["messages empty", body('{"model":"test/mock","messages":[]}'), 400, "messages"],
  ["stream a string", body(`{"model":"test/mock",${messages},"stream":"yes"}`), 400, "stream"],
  ["stream_options without stream", body(`{"model":"test/mock",${messages},"stream_options":{}}`), 400, "stream_options"],
  ["stream_options a number", body(`{"model":"test/mock",${messages},"stream":true,"stream_options":3}`), 400, "stream_options"],
  ["input missing", body('{"model":"test/mock"}', "", "/v1/embeddings"), 400, "input"],
  ["prompt missing", body('{"model":"test/mock"}', "", "/v1/completions"), 400, "prompt"],
  ["an admin page with a virtual key", get(`Authorization: Bearer ${KEY}\r\n`, "GET /admin/receipts HTTP/1.1"), 401],
  ["an admin filter that is no number", get(`Authorization: Bearer ${MASTER_KEY}\r\n`, "GET /admin/receipts?limit=x HTTP/1.1"), 400],
  ["a receipt's id that is none", get(`Authorization: Bearer ${KEY}\r\n`, "GET /v1/receipts/nonsense HTTP/1.1"), [400, 404]],
];

function answers(text) {
  const [top, ...rest] = text.split("\r\n\r\n");
  const status = Number(top.match(/^HTTP\/1\.1 (\d{3}) /)?.[1]);
  return { status, top, body: rest.join("\r\n\r\n") };
}

async function check(world, [name, bytes, status, detail], mustClose) {
  const whole = (text) => {
    const match = text.match(/\r\ncontent-length: (\d+)/i);
    return Boolean(match) && text.length >= text.indexOf("\r\n\r\n") + 4 + Number(match[1]);
  };
  const text = await raw(world.port, bytes, mustClose ? null : { test: whole });
  const answer = answers(text);
  const statuses = [].concat(status);
  assert.ok(statuses.includes(answer.status), `${name}: ${answer.status}, not ${statuses}: ${text.slice(0, 400)}`);
  assert.equal((text.match(/HTTP\/1\.1 \d/g) ?? []).length, 1, `${name}: one answer`);
  const { error } = JSON.parse(answer.body);
  for (const field of ["type", "message", "code", "param"]) assert.ok(field in error, `${name}: ${field}`);
  assert.ok(["invalid_request_error", "authentication_error", "not_found_error"].includes(error.type), `${name}: ${error.type}`);
  assert.match(answer.top, /content-type: application\/json/i, name);
  if (detail instanceof RegExp) assert.match(error.message, detail, name);
  else if (detail) assert.equal(error.param, detail, name);
  const next = await fetch(`${world.base}/healthz`);
  assert.equal(next.status, 200, `${name}: the next request`);
  await next.text();
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
