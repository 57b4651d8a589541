// Recordings that pass while they come: a form whose fields name a model with one candidate goes on piece by piece, in memory that does not grow with it;
// whoever leaves, refuses or is slow, at either side, the other learns of it.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import OpenAI, { toFile } from "openai";
import { KEY, MASTER_KEY, eventually, freePort, openWorld } from "./harness.mjs";

const BOUNDARY = "an-end-of-parts";
const field = (name, value) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const fileHead = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`;
const END = `--${BOUNDARY}--\r\n`;
const SAID = { text: "the gate is open", usage: { type: "duration", seconds: 3 } };

// The bytes of a form: fields before and behind a recording of so many bytes, in which line ends and beginnings of boundaries are.
function form({ before = { model: "passing" }, behind = {}, size = 300_000, end = END } = {}) {
  const list = (fields) => Object.entries(fields).map(([name, value]) => field(name, value)).join("");
  const sound = Buffer.alloc(size, `sound\r\n--${BOUNDARY.slice(0, -1)}\r\n\r`);
  return { sound, bytes: Buffer.concat([Buffer.from(list(before) + fileHead), sound, Buffer.from(`\r\n${list(behind)}${end}`)]) };
}

const receiptOf = (world, id) => eventually(async () => {
  const answer = await fetch(`${world.base}/admin/receipts/${id}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
  return answer.ok && answer.json();
}, `a receipt of ${id}`);

// A request whose body is written by hand; `answer` resolves with the answer and its text, `gone` once its connection is.
function open(world, length, headers = {}) {
  const request = http.request(`${world.base}/v1/audio/transcriptions`, { method: "POST", agent: false, headers: { authorization: `Bearer ${KEY}`,
    "content-type": `multipart/form-data; boundary=${BOUNDARY}`, ...(length === null ? {} : { "content-length": length }), ...headers } });
  const answer = new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
  });
  answer.catch(() => {});
  return { request, answer, write: (bytes) => new Promise((next) => request.write(bytes, next)) };
}

async function ask(world, what) {
  const { bytes } = form(what);
  const { request, answer } = open(world, bytes.length);
  request.end(bytes);
  const { status, text, headers } = await answer;
  return { status, text, headers, error: status === 200 ? null : JSON.parse(text).error };
}

const forget = (world, act = null) => {
  Object.assign(world.script, { calls: 0, begun: 0, received: 0, gone: 0, body: null, act });
  return world.script;
};

const tests = {
  async "the provider has the first pieces before the last are sent, and all of them in the end"(world) {
    const script = forget(world);
    const { sound, bytes } = form({ before: { model: "passing", language: "en" }, behind: { prompt: "gates" } });
    const { request, answer, write } = open(world, bytes.length);
    await write(bytes.subarray(0, 200_000));
    await eventually(() => script.received > 150_000, "the provider has the beginning");
    request.end(bytes.subarray(200_000));
    const { status, text } = await answer;
    assert.equal(status, 200, text);
    assert.equal(JSON.parse(text).model, "passing");
    assert.equal(JSON.parse(text)["x-llm-gateway"].cost_usd, 0.0003);
    assert.deepEqual([...script.body.toString("latin1").matchAll(/[; ]name="(\w+)"/g)].map(([, name]) => name), ["model", "language", "file", "prompt"]);
    const sent = await new Response(script.body, { headers: { "content-type": script.type } }).formData();
    assert.deepEqual([sent.get("model"), sent.get("language"), sent.get("prompt")], ["up", "en", "gates"]);
    assert.deepEqual(Buffer.from(await sent.get("file").arrayBuffer()), sound);
  },

  async "however the form is cut, it arrives as it was"(world) {
    const { sound, bytes } = form({ behind: { prompt: "gates" } });
    for (const cut of [1, 7, 64, 333]) {
      const script = forget(world);
      const { request, answer, write } = open(world, bytes.length);
      request.setNoDelay(true);
      for (let at = 0; at < bytes.length;) {
        const size = at < 500 || at >= bytes.length - 500 ? cut : bytes.length - 500 - at;
        await write(bytes.subarray(at, at + size));
        at += size;
      }
      request.end();
      assert.equal((await answer).status, 200);
      const sent = await new Response(script.body, { headers: { "content-type": script.type } }).formData();
      assert.deepEqual(Buffer.from(await sent.get("file").arrayBuffer()), sound, `cut ${cut}`);
    }
  },

  async "what needs the whole form waits for it: another candidate, a key of idempotency, a length that is not told, a model behind the recording"(world) {
    const script = forget(world);
    for (const [what, told, headers] of [[{ before: { model: "rescued" } }, true], [{}, true, { "idempotency-key": "upload-1" }], [{}, false],
      [{ before: {}, behind: { model: "passing" } }, true], [{ before: { model: "passing", "x-fallback-chain": '["passing"]' } }, true]]) {
      const { bytes } = form(what), calls = script.calls;
      const { request, answer, write } = open(world, told ? bytes.length : null, headers);
      await write(bytes.subarray(0, 250_000));
      // The gateway has read that far when it has answered another request on the same shard.
      await (await fetch(`${world.base}/healthz`)).text();
      assert.equal(script.calls, calls);
      request.end(bytes.subarray(250_000));
      assert.equal((await answer).status, 200);
      assert.equal(script.calls, calls + 1);
    }
  },

  async "fields behind the recording count, but for those that come too late"(world) {
    const plain = await ask(world, { behind: { response_format: "text" }, before: { model: "plain" } });
    assert.deepEqual([plain.status, plain.text, plain.headers["content-type"]], [200, "the gate is open\n", "text/plain; charset=utf-8"]);
    for (const [behind, end, code, param] of [[{ stream: "yes" }, END, "invalid_type", "stream"], [{ "x-fallback-chain": '["plain"]' }, END, "invalid_value", "x-fallback-chain"],
      [{ model: "other" }, END, "duplicate_field", "model"], [{}, `${fileHead}more\r\n${END}`, "duplicate_field", "file"], [{}, "--another--\r\n", "invalid_multipart", null],
      [{}, `--${BOUNDARY}x`, "invalid_multipart", null], [{ prompt: "a".repeat(70_000) }, END, "body_too_large", null]]) {
      const script = forget(world);
      const { status, error } = await ask(world, { behind, end });
      assert.deepEqual([status, error.code, error.param], [400, code, param], JSON.stringify(error));
      // What the provider has is no whole request, and it learns that no more will come.
      await eventually(() => script.gone === script.calls, "its call is cancelled");
      assert.equal(script.body, null);
    }
  },

  async "a client that leaves takes its call with it"(world) {
    const script = forget(world);
    const { bytes } = form();
    const { request, answer, write } = open(world, bytes.length);
    await write(bytes.subarray(0, 200_000));
    await eventually(() => script.received > 150_000, "the provider has the beginning");
    request.destroy();
    await eventually(() => script.gone === 1, "the call is cancelled");
    assert.equal(script.body, null);
    await assert.rejects(answer);
    const list = await eventually(async () => {
      const page = await (await fetch(`${world.base}/admin/receipts?limit=1`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })).json();
      return page.data[0]?.status === 499 && page.data;
    }, "a receipt");
    assert.deepEqual([list[0].api, list[0].cost.total_usd], ["audio.transcriptions", 0]);
  },

  async "a provider that refuses early is heard, while the client still sends"(world) {
    for (const [upstream, status] of [[400, 400], [413, 413], [401, 502], [429, 429], [500, 502]]) {
      forget(world, (request, response) => {
        request.once("data", () => {
          response.writeHead(upstream, { "content-type": "application/json", connection: "close" });
          response.end(JSON.stringify({ error: { message: "Not this one.", type: "invalid_request_error", code: null, param: null } }));
        });
      });
      const { bytes } = form({ before: { model: `refused-${upstream}` }, size: 8_000_000 });
      const { request, answer } = open(world, bytes.length);
      request.end(bytes);
      const told = await answer;
      assert.equal(told.status, status, `${upstream} ${told.text}`);
      const receipt = await receiptOf(world, told.headers["x-request-id"]);
      assert.deepEqual([receipt.status, receipt.fallback.attempts.length, receipt.cost.total_usd], [status, 1, 0]);
    }
  },

  async "an answer that comes before all is sent waits for the rest"(world) {
    forget(world, (request, response) => {
      request.once("data", () => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write("{");
        request.on("data", () => {}).on("end", () => response.end(JSON.stringify(SAID).slice(1)));
      });
    });
    const { status, text } = await ask(world, { size: 2_000_000 });
    assert.equal(status, 200, text);
    assert.equal(JSON.parse(text).text, SAID.text);
  },

  async "a provider that does not read holds back its client, and one that never does is given up"(world) {
    let sockets = [];
    const script = forget(world, (request) => {
      request.pause();
      sockets.push(request.socket);
    });
    const { bytes } = form({ before: { model: "impatient" }, size: 24_000_000 });
    const { request, answer } = open(world, bytes.length);
    request.end(bytes);
    const { status, text } = await answer;
    assert.deepEqual([status, JSON.parse(text).error.type], [504, "upstream_timeout"]);
    assert.equal(request.writableFinished, false, "not all of it was taken");
    assert.equal(script.body, null);
    for (const socket of sockets) socket.destroy();
  },

  async "a body larger than the gateway takes is refused before anybody is called"(world) {
    const script = forget(world);
    const { request, answer } = open(world, 32 * 1024 * 1024 + 1);
    request.flushHeaders();
    const { status } = await answer;
    assert.equal(status, 413);
    assert.equal(script.calls, 0);
  },

  async "OpenAI's client: a recording in pieces, heard in pieces, wherever it says so"(world) {
    const client = new OpenAI({ apiKey: KEY, baseURL: `${world.base}/v1`, maxRetries: 0 });
    const file = await toFile(Buffer.alloc(2_000_000, "sound"), "a.wav");
    for (const early of [false, true])
      for (const body of [{ model: "passing", stream: true, response_format: "json", file }, { model: "passing", file, stream: true }]) {
        forget(world, (request, response) => {
          const head = () => (response.headersSent || response.writeHead(200, { "content-type": "text/event-stream" }), response.flushHeaders());
          if (early) request.once("data", head);
          request.on("data", () => {}).on("end", () => {
            head();
            for (const piece of ["the", " gate"]) response.write(`data: {"type":"transcript.text.delta","delta":"${piece}"}\n\n`);
            response.end(`data: {"type":"transcript.text.done","text":"the gate","usage":{"type":"duration","seconds":9}}\n\n`);
          });
        });
        const { data, response } = await client.audio.transcriptions.create(body).withResponse();
        const events = [];
        for await (const event of data) events.push(event.delta ?? event.text);
        assert.deepEqual(events, ["the", " gate", "the gate"]);
        const receipt = await receiptOf(world, response.headers.get("x-request-id"));
        assert.deepEqual([receipt.stream, receipt.status, receipt.cost.total_usd], [true, 200, 0.0009]);
      }
  },

  async "sixteen recordings of 25 MB at once take no memory for what they are"(world) {
    forget(world);
    const memory = () => Number(fs.readFileSync(`/proc/${world.gateway.child.pid}/status`, "latin1").match(/VmHWM:\s+(\d+) kB/)[1]) / 1024;
    fs.writeFileSync(`/proc/${world.gateway.child.pid}/clear_refs`, "5"); // the mark begins anew
    const before = memory(), { bytes } = form({ size: 25_000_000 });
    const answers = await Promise.all(Array.from({ length: 16 }, () => {
      const { request, answer } = open(world, bytes.length);
      request.end(bytes);
      return answer;
    }));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    if (process.env.UPLOAD_FIGURES) console.log(`${before} MB before, ${memory()} MB at most`);
    assert.ok(memory() - before < 40, `${before} MB before, ${memory()} MB at most`);
  },
};

const slow = {
  async "a client that is too slow is told so, and its call is cancelled"(world) {
    const script = forget(world);
    const { bytes } = form();
    const { answer, write } = open(world, bytes.length);
    await write(bytes.subarray(0, 200_000));
    const { status, text } = await answer;
    assert.deepEqual([status, JSON.parse(text).error.code], [408, "body_timeout"]);
    await eventually(() => script.gone === 1, "the call is cancelled");
  },
};

// A provider that counts what it gets; `act` takes a request over.
async function openProvider(port) {
  const script = { calls: 0 };
  const server = http.createServer((request, response) => {
    script.calls++;
    script.type = request.headers["content-type"];
    response.on("close", () => (script.gone += !response.writableFinished));
    request.on("error", () => {});
    if (script.act) return script.act(request, response);
    const parts = [], keep = Number(request.headers["content-length"]) < 1_000_000;
    request.on("data", (part) => {
      script.received += part.length;
      if (keep) parts.push(part);
    });
    request.on("end", () => {
      script.body = Buffer.concat(parts);
      const plain = script.body.includes("\r\n\r\ntext\r\n");
      response.writeHead(200, { "content-type": plain ? "text/plain" : "application/json" });
      response.end(plain ? "the gate is open\n" : JSON.stringify(SAID));
    });
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  script.close = () => new Promise((closed) => (server.close(closed), server.closeAllConnections()));
  return script;
}

async function openUploads(build, bodyMs) {
  const port = await freePort(), script = await openProvider(port);
  const provider = (name, more = "") => `  - { name: ${name}, kind: openai, base_url: "http://127.0.0.1:${port}/v1", credentials: [{ name: primary, api_key: x }]${more} }\n`;
  const model = (name, provider, more = "") => `  - { id: ${name}, provider: ${provider}, upstream_model: up, price: { per_minute: 0.006 }${more} }\n`;
  const refusals = [400, 413, 401, 429, 500];
  const world = await openWorld(build, {
    http: `, max_body_bytes: 33554432, body_timeout_ms: ${bodyMs}`,
    extraProviders: provider("script") + provider("script-impatient", ", timeouts: { idle_ms: 1000 }") + refusals.map((status) => provider(`script-${status}`)).join(""),
    extraModels: model("passing", "script") + model("plain", "script") + model("rescued", "script", ", fallback: [passing]") + model("impatient", "script-impatient") +
      refusals.map((status) => model(`refused-${status}`, `script-${status}`)).join(""),
  });
  return { ...world, script, close: async () => {
    await script.close();
    await world.close();
  } };
}

export const suites = [
  { name: "uploads", open: (build) => openUploads(build, 120000), tests },
  { name: "uploads of the slow", open: (build) => openUploads(build, 3000), tests: slow },
];
