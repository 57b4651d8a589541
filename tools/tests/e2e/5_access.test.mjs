// Who gets in, by which door and from where: the admin API's own listener, expiry, address ranges, proxies, reload.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { KEY, MASTER_KEY, OTHER_KEY, chat, eventually, freePort, openWorld, post, raw, run } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

async function status(base, target, options) {
  const answer = await fetch(`${base}${target}`, options);
  await answer.text();
  return answer.status;
}

const ownListener = {
  name: "admin.address",
  async open(build) {
    const adminPort = await freePort();
    const world = await openWorld(build, { admin: `  address: 127.0.0.1:${adminPort}\n`, shards: 2 });
    return { ...world, adminBase: `http://127.0.0.1:${adminPort}` };
  },
  tests: {
    async "the admin API is on its own listener alone"(world) {
      for (const target of ["/admin/status", "/admin/receipts", "/admin/receipts/req_01M7ZBMTR23M8R86A5EV85SPTE", "/admin"]) {
        const refused = await fetch(`${world.base}${target}`, admin);
        assert.equal(refused.status, 404, target);
        assert.equal((await refused.json()).error.code, "unknown_path", target);
      }
      assert.equal(await status(world.base, "/admin/receipts", { ...admin, method: "DELETE" }), 404);
      assert.equal(await status(world.adminBase, "/admin/status", admin), 200);
      assert.equal(await status(world.adminBase, "/admin/receipts", admin), 200);
      assert.equal(await status(world.adminBase, "/admin/status"), 401);
      assert.equal(await status(world.adminBase, "/admin/receipts", { ...admin, method: "DELETE" }), 405);
    },

    async "clients' APIs are not on it, the pages open to all are on both"(world) {
      const refused = await post({ base: world.adminBase }, "/v1/chat/completions", chat("test/mock"));
      assert.equal(refused.status, 404);
      await refused.text();
      assert.equal(await status(world.adminBase, "/v1/models", { headers: { authorization: `Bearer ${KEY}` } }), 404);
      for (const base of [world.base, world.adminBase])
        for (const target of ["/healthz", "/readyz", "/metrics"]) assert.equal(await status(base, target), 200, `${base}${target}`);
    },

    async "the client commands find it"(world) {
      const asked = await run(`${world.build}/tollgate`, ["status", "--url", world.adminBase], { TOLLGATE_MASTER_KEY: MASTER_KEY });
      assert.equal(asked.code, 0, asked.stderr);
      assert.match(asked.stdout, /serving/);
    },
  },
};

// Asks from one of the loopback addresses, on a connection of its own.
function from(address, world, target, { method = "GET", key = KEY, headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      port: world.port, host: "127.0.0.1", localAddress: address, agent: false, path: target, method,
      headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body ? { "content-type": "application/json" } : {}), ...headers },
    }, (answer) => {
      let text = "";
      answer.on("data", (data) => (text += data));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text, error: JSON.parse(text || "{}").error }));
    });
    request.on("error", reject);
    request.end(body && JSON.stringify(body));
  });
}

const call = (address, world, key, headers) =>
  from(address, world, "/v1/chat/completions", { method: "POST", key, headers, body: chat("test/mock") });

const logged = (world, id) => eventually(() => {
  const line = world.gateway.child.output().split("\n").find((one) => one.startsWith("{") && one.includes(id));
  return line && JSON.parse(line);
}, `the log line of ${id}`);

const keys = `  - { name: expired, secret: expired-key, expires_at: 2026-01-01T00:00:00Z }
  - { name: lasting, secret: lasting-key, expires_at: 2199-01-01T00:00:00Z }
  - { name: near, secret: near-key, allow_ips: [127.0.0.1, 127.0.1.0/24, "2001:db8::/32"] }
  - { name: guest, secret: guest-key, workspace: guarded }
workspaces:
  - { id: guarded, allow_ips: [127.0.0.3/32] }
`;

async function expectForbidden(answer, name) {
  assert.equal(answer.status, 403, name);
  assert.equal(answer.error.type, "permission_error", name);
  assert.equal(answer.error.code, "ip_not_allowed", name);
}

const limits = {
  async "a key ends when it expires"(world) {
    const expired = await call("127.0.0.1", world, "expired-key");
    assert.equal(expired.status, 401);
    assert.equal(expired.error.type, "authentication_error");
    assert.equal(expired.error.code, "expired_api_key");
    assert.equal((await from("127.0.0.1", world, "/v1/models", { key: "expired-key" })).status, 401);
    assert.equal((await call("127.0.0.1", world, "lasting-key")).status, 200);
  },

  async "allow_ips of a key and of its workspace"(world) {
    for (const address of ["127.0.0.1", "127.0.1.200"]) assert.equal((await call(address, world, "near-key")).status, 200, address);
    for (const address of ["127.0.0.2", "127.0.2.1"]) await expectForbidden(await call(address, world, "near-key"), address);
    assert.equal((await call("127.0.0.3", world, "guest-key")).status, 200);
    await expectForbidden(await call("127.0.0.1", world, "guest-key"), "workspace");
    assert.equal((await call("127.0.2.1", world, KEY)).status, 200, "a key without a list");
  },

  async "admin.allow_ips"(world) {
    assert.equal((await from("127.0.0.1", world, "/admin/status", { key: MASTER_KEY })).status, 200);
    await expectForbidden(await from("127.0.0.2", world, "/admin/status", { key: MASTER_KEY }), "admin");
    assert.equal((await from("127.0.0.2", world, "/admin/status", { key: "wrong" })).status, 401, "the key is looked at first");
  },

  async "X-Forwarded-For counts from trusted proxies alone"(world) {
    const by = (address, forwarded, key = "near-key") => call(address, world, key, { "x-forwarded-for": forwarded });
    // 127.0.0.9 is a proxy, 127.0.0.8 is not.
    assert.equal((await by("127.0.0.9", "127.0.0.1")).status, 200);
    assert.equal((await by("127.0.0.9", "2001:db8::7")).status, 200);
    assert.equal((await by("127.0.0.9", "198.51.100.7, 127.0.0.1")).status, 200);
    assert.equal((await by("127.0.0.9", "127.0.0.1, 127.0.0.9")).status, 200);
    await expectForbidden(await by("127.0.0.9", "198.51.100.7"), "a client that may not");
    await expectForbidden(await by("127.0.0.9", "127.0.0.1, 198.51.100.7"), "a client that invents an address");
    await expectForbidden(await by("127.0.0.9", "nonsense"), "no address");
    await expectForbidden(await by("127.0.0.8", "127.0.0.1"), "who is not trusted");
    assert.equal((await by("127.0.0.1", "198.51.100.7")).status, 200, "who is not trusted speaks for itself");
    await expectForbidden(await from("127.0.0.9", world, "/admin/status", { key: MASTER_KEY, headers: { "x-forwarded-for": "127.0.0.2" } }), "admin");
  },

  async "the access log names the client"(world) {
    for (const [address, forwarded, client] of [["127.0.0.9", "198.51.100.7", "198.51.100.7"], ["127.0.0.9", "2001:db8::7", "2001:db8::7"],
      ["127.0.0.8", "198.51.100.7", "127.0.0.8"]]) {
      const answer = await call(address, world, KEY, { "x-forwarded-for": forwarded });
      assert.equal(answer.status, 200);
      assert.equal((await logged(world, answer.headers["x-request-id"])).client, client);
    }
  },
};

function reload(world, config) {
  const before = world.gateway.child.output().length;
  fs.writeFileSync(world.gateway.file, config, { mode: 0o600 });
  world.gateway.child.kill("SIGHUP");
  return eventually(() => {
    const said = world.gateway.child.output().slice(before);
    return /reloaded|was not changed/.test(said) && said;
  }, "an answer to SIGHUP");
}

const reloading = {
  async "SIGHUP: a new key works, a removed one is 401, connections stay"(world) {
    const config = fs.readFileSync(world.gateway.file, "utf8");
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const models = () => new Promise((resolve, reject) => {
      http.get({ port: world.port, host: "127.0.0.1", path: "/v1/models", agent, headers: { authorization: `Bearer ${KEY}` } }, (answer) => {
        answer.resume().on("end", () => resolve({ status: answer.statusCode, port: answer.req.socket?.localPort ?? answer.socket.localPort }));
      }).on("error", reject);
    });
    const before = await models();
    assert.equal(before.status, 200);
    assert.equal((await call("127.0.0.1", world, "fresh-key")).status, 401);
    { const a = await call("127.0.0.1", world, OTHER_KEY); assert.equal(a.status, 200, a.text); }
    const said = await reload(world, config.replace(/^ {2}- \{ name: narrow.*$/m, "  - { name: fresh, secret: fresh-key }"));
    assert.match(said, /configuration reloaded/);
    { const a = await call("127.0.0.1", world, "fresh-key"); assert.equal(a.status, 200, a.text); }
    assert.equal((await call("127.0.0.1", world, OTHER_KEY)).status, 401);
    assert.deepEqual(await models(), before, "the same connection");
    agent.destroy();
    assert.match(await reload(world, config), /configuration reloaded/);
    assert.equal((await call("127.0.0.1", world, "fresh-key")).status, 401);
    { const a = await call("127.0.0.1", world, OTHER_KEY); assert.equal(a.status, 200, a.text); }
  },

  async "SIGHUP: a call in flight ends by the configuration it began with"(world) {
    const config = fs.readFileSync(world.gateway.file, "utf8");
    const attempts = (await world.mock.stats()).requests;
    const answering = call("127.0.0.1", world, KEY, {});
    const slow = post(world, "/v1/chat/completions", chat("test/mock-slow-150"));
    assert.equal((await answering).status, 200);
    await eventually(async () => (await world.mock.stats()).requests >= attempts + 2, "the slow call at the provider");
    assert.match(await reload(world, config.replace(/^.*id: test\/mock-slow-150,.*\n/m, "")), /configuration reloaded/);
    assert.equal((await slow).status, 200);
    assert.equal((await post(world, "/v1/chat/completions", chat("test/mock-slow-150"))).status, 404);
    await reload(world, config);
  },

  async "SIGHUP: a broken file keeps the old configuration"(world) {
    const config = fs.readFileSync(world.gateway.file, "utf8");
    for (const broken of ["", "keys: [", `${config}colour: red\n`, config.replace(MASTER_KEY, "short"), config.replace("  - name: mock\n", "  - name: mick\n")]) {
      const said = await reload(world, broken);
      assert.match(said, /was not changed/);
      assert.match(said, /tollgate\.yaml/);
      assert.equal((await call("127.0.0.1", world, KEY)).status, 200);
      { const a = await call("127.0.0.1", world, OTHER_KEY); assert.equal(a.status, 200, a.text); }
    }
    assert.match(await reload(world, config), /configuration reloaded/);
  },

  async "SIGHUP: what needs a restart is told"(world) {
    const config = fs.readFileSync(world.gateway.file, "utf8");
    const said = await reload(world, config.replace(/^durability: process/m, "durability: relaxed").replace(/^shards: 1/m, "shards: 2"));
    assert.match(said, /durability changed, which needs a restart/);
    assert.match(said, /shards changed, which needs a restart/);
    assert.doesNotMatch(said, /listen|data_dir changed/);
    await reload(world, config);
  },
};

// A stream that lives for some seconds; the caller ends it.
async function openStream(world) {
  const stop = new AbortController();
  const answer = await post(world, "/v1/chat/completions", chat("test/mock-events-1000-paced-20", { stream: true }), { signal: stop.signal });
  assert.equal(answer.status, 200);
  const reader = answer.body.getReader();
  await reader.read();
  return { stop, reader };
}

async function drained(build, shards) {
  const world = await openWorld(build, { shards, drainMs: 60000 });
  const { stop, reader } = await openStream(world);
  const ending = world.gateway.stop();
  await eventually(() => /draining/.test(world.gateway.child.output()), "the drain");
  // By turns to each shard: all of them go on answering.
  for (let i = 0; i < 8; i++) {
    const ready = await eventually(async () => {
      const answer = await from("127.0.0.1", world, "/readyz", { key: null });
      return answer.status === 503 && answer;
    }, "readiness to end");
    assert.equal(JSON.parse(ready.text).status, "draining");
    assert.equal(ready.headers.connection, "close");
    assert.equal((await from("127.0.0.1", world, "/healthz", { key: null })).status, 200);
    const refused = await call("127.0.0.1", world, KEY);
    assert.equal(refused.status, 503);
    assert.equal(refused.error.type, "overloaded");
    assert.equal(refused.error.code, "draining");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
  }
  assert.equal((await reader.read()).done, false, "the stream goes on");
  stop.abort();
  assert.equal((await ending).code, 0);
  await world.close();
}

const draining = {
  name: "draining",
  open: async (build) => ({ build, close: async () => {} }),
  tests: {
    "/readyz is 503 and calls are refused while a stream is finished": (world) => drained(world.build, 1),
    "the same on two shards": (world) => drained(world.build, 2),
  },
};

const unnamed = `  - name: unnamed
    kind: openai_compatible
    base_url: http://no-such-name.invalid:81/v1
    credentials: [{ api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 3000 }
  - name: byname
    kind: openai_compatible
    base_url: http://localhost:MOCK/v1
    credentials: [{ api_key: upstream-secret }]
`;

const names = {
  name: "names",
  open: (build) => openWorld(build, {
    durability: "relaxed",
    extraProviders: unnamed,
    extraModels: `  - { id: test/unnamed, provider: unnamed, upstream_model: mock, price: { input: 1, output: 1 } }
  - { id: test/byname, provider: byname, upstream_model: mock, price: { input: 1, output: 1 } }
  - { id: test/renamed, provider: unnamed, upstream_model: mock, fallback: [test/mock], price: { input: 1, output: 1 } }
`,
  }),
  tests: {
    async "a provider whose name has no address is 502, and a fallback takes over"(world) {
      for (const stream of [false, true]) {
        const answer = await post(world, "/v1/chat/completions", chat("test/unnamed", { stream }));
        assert.equal(answer.status, 502);
        assert.equal((await answer.json()).error.type, "upstream_error");
      }
      const rescued = await post(world, "/v1/chat/completions", chat("test/renamed"));
      assert.equal(rescued.status, 200);
      assert.equal((await rescued.json()).model, "test/mock");
    },

    async "localhost is found"(world) {
      const answer = await post(world, "/v1/chat/completions", chat("test/byname"));
      assert.equal(answer.status, 200);
      await answer.text();
    },

    async "durability relaxed: answers come, and receipts stay over an orderly end"(world) {
      const ids = [];
      for (let i = 0; i < 20; i++) {
        const answer = await post(world, "/v1/chat/completions", chat("test/mock", { stream: i % 2 === 1 }));
        assert.equal(answer.status, 200);
        const text = await answer.text();
        if (i % 2) assert.ok(text.endsWith("data: [DONE]\n\n"));
        ids.push(answer.headers.get("x-request-id"));
      }
      const listed = (await (await fetch(`${world.base}/admin/receipts?limit=20`, admin)).json()).data.map((receipt) => receipt.request_id);
      assert.deepEqual(listed.reverse(), ids);
      assert.equal((await world.gateway.stop()).code, 0);
      const checked = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", `${world.dataDir}/data`]);
      assert.equal(checked.code, 0, checked.stdout + checked.stderr);
      assert.match(checked.stdout, /24 receipts/); // with three calls by name and one by localhost
    },
  },
};

const framing = {
  async "HEAD goes where GET goes, without a body"(world) {
    const targets = ["/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/test/mock", "/v1/models/none", "/v1/receipts/none", "/none"];
    for (const target of [...targets, "/admin/status", "/admin/receipts"]) {
      const key = target.startsWith("/admin") ? MASTER_KEY : KEY;
      const [got, headed] = await Promise.all(["GET", "HEAD"].map((method) =>
        raw(world.port, `${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`)));
      const top = (text) => text.slice(0, text.indexOf("\r\n\r\n") + 4);
      const lines = (text) => top(text).split("\r\n").map((line) => line.split(":")[0].toLowerCase()).sort();
      assert.equal(headed, top(headed), `${target}: no body`);
      assert.ok(got.length > top(got).length, `${target}: GET has one`);
      assert.equal(headed.split("\r\n")[0], got.split("\r\n")[0], target);
      assert.deepEqual(lines(headed), lines(got), target);
    }
  },

  async "a chunked body is the same request however it is cut"(world) {
    const text = JSON.stringify(chat("test/mock", { user: "x".repeat(40000) }));
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    for (const size of [1, 7, 4096, 16384, 100000]) {
      const chunks = [];
      for (let at = 0; at < text.length; at += size) {
        const piece = text.slice(at, at + size);
        chunks.push(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      }
      const answer = await raw(world.port, [head, chunks.join(""), "0\r\n\r\n"]);
      assert.match(answer, /^HTTP\/1\.1 200 OK/, `chunks of ${size}`);
      assert.ok((await world.mock.last()).includes("x".repeat(40000)), `chunks of ${size}`);
    }
  },
};

export const suites = [
  ownListener,
  {
    name: "access",
    open: (build) => openWorld(build, {
      admin: "  allow_ips: [127.0.0.1]\n", http: ", trusted_proxies: [127.0.0.9]", extra: keys,
    }),
    tests: limits,
  },
  { name: "reload", open: (build) => openWorld(build), tests: reloading },
  draining, names,
  { name: "framing", open: (build) => openWorld(build), tests: framing },
];

// Each test comes from addresses and with keys of its own, since what it fails with stays counted.
const lockout = {
  async "an address that guesses is locked out for a while, and no other"(world) {
    for (let i = 0; i < 5; i++) assert.equal((await call("127.0.0.20", world, `guess-${i}`)).status, 401);
    const refused = await call("127.0.0.20", world, KEY);
    assert.deepEqual([refused.status, refused.error.type, refused.error.code], [429, "rate_limit_exceeded", "locked_out"]);
    assert.ok(Number(refused.headers["retry-after"]) >= 1 && Number(refused.headers["retry-after"]) <= 3);
    assert.equal((await from("127.0.0.20", world, "/admin/status", { key: MASTER_KEY })).status, 429, "the admin API is behind it too");
    assert.equal((await from("127.0.0.20", world, "/healthz", { key: null })).status, 200, "what is open to all is not");
    assert.equal((await call("127.0.0.21", world, KEY)).status, 200);
    await eventually(async () => (await call("127.0.0.20", world, KEY)).status === 200, "it ends");
  },

  async "a key that is none is locked out wherever it comes from, and no other"(world) {
    for (let i = 0; i < 5; i++) assert.equal((await call(`127.0.1.${i + 1}`, world, "same-guess")).status, 401);
    assert.equal((await call("127.0.1.77", world, "same-guess")).error.code, "locked_out");
    assert.equal((await call("127.0.1.77", world, "same-guess-2")).status, 401);
    assert.equal((await call("127.0.1.77", world, KEY)).status, 200);
  },

  async "the wrong master key counts, a key that exists does not"(world) {
    for (let i = 0; i < 5; i++) assert.equal((await from("127.0.0.30", world, "/admin/status", { key: `wrong-${i}` })).status, 401);
    assert.equal((await from("127.0.0.30", world, "/admin/status", { key: MASTER_KEY })).error.code, "locked_out");
    for (let i = 0; i < 8; i++) assert.equal((await call("127.0.0.31", world, "expired-key")).status, 401);
    for (let i = 0; i < 8; i++) assert.equal((await call("127.0.0.31", world, null)).status, 401);
    assert.equal((await call("127.0.0.31", world, KEY)).status, 200);
  },

  async "behind a trusted proxy it is the client that is counted"(world) {
    const by = (client, key) => call("127.0.0.9", world, key, { "x-forwarded-for": client });
    for (let i = 0; i < 5; i++) assert.equal((await by("198.51.100.1", `proxied-${i}`)).status, 401);
    assert.equal((await by("198.51.100.1", KEY)).status, 429);
    assert.equal((await by("198.51.100.2", KEY)).status, 200);
    for (let i = 0; i < 5; i++) assert.equal((await call("127.0.0.40", world, `direct-${i}`, { "x-forwarded-for": `198.51.100.${i}` })).status, 401);
    assert.equal((await call("127.0.0.40", world, KEY, { "x-forwarded-for": "198.51.100.9" })).status, 429, "whom nobody trusts speaks for nobody");
  },

  async "metrics count it"(world) {
    const text = await (await fetch(`${world.base}/metrics`)).text();
    for (const name of ["lockouts_total", "lockout_refusals_total"]) assert.match(text, new RegExp(`^tollgate_${name} [1-9]`, "m"));
  },
};

suites.push({
  name: "lockout",
  open: (build) => openWorld(build, { shards: 4, http: ", trusted_proxies: [127.0.0.9]", extra: `  - { name: expired, secret: expired-key, expires_at: 2026-01-01T00:00:00Z }
lockout: { failures: 5, window_s: 600, lock_s: 3 }
` }),
  tests: lockout,
});
