// What a workspace's webhook is told unasked: keys that expire, secrets that end after a rotation; once each, over restarts. And
// /admin/alerts, which says where.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { MASTER_KEY, chat, configuration, eventually, freePort, post, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS;
const at = (ms) => new Date(Math.floor((Date.now() + ms) / 1000) * 1000).toISOString().replace(".000Z", "Z");
const admin = { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" };
async function ask(world, method, target, body) {
  const answer = await fetch(`${world.base}${target}`, { method, headers: admin, body: body === undefined ? undefined : JSON.stringify(body) });
  return { ...(await answer.json()), http: answer.status };
}

// A server that keeps what it is told.
async function listen() {
  const calls = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      calls.push({ url: request.url, signature: request.headers["x-tollgate-signature"], ...JSON.parse(body) });
      response.end("ok");
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { calls, hook: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

const suite = {
  name: "reminders",
  async open(build) {
    const server = await listen(), { calls, hook } = server;
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const soon = at(12 * HOUR_MS), week = at(5 * DAY_MS);
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extra: `  - { name: soon, secret: soon-key, workspace: watched, expires_at: "${soon}" }
  - { name: week, secret: week-key, workspace: watched, expires_at: "${week}" }
  - { name: later, secret: later-key, workspace: watched, expires_at: "${at(9 * DAY_MS)}" }
  - { name: over, secret: over-key, workspace: watched, expires_at: "${at(-DAY_MS)}" }
workspaces:
  - { id: watched, alerts: { webhook_url: "${hook}/declared" } }
`,
    });
    const world = { build, calls, hook, soon, week, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }) };
    world.gateway = await world.start();
    return Object.assign(world, {
      close: async () => {
        await world.gateway.stop();
        await mock.stop();
        server.close();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    });
  },
  tests: {
    async "keys that expire within a week or a day are told, each once"(world) {
      await eventually(() => world.calls.length >= 2, "two reminders");
      const told = [...world.calls].sort((a, b) => (a.key_name < b.key_name ? -1 : 1));
      assert.deepEqual(told.map(({ type, workspace, key_name, expires_at }) => [type, workspace, key_name, Date.parse(expires_at)]),
        [["key.expiring", "watched", "soon", Date.parse(world.soon)], ["key.expiring", "watched", "week", Date.parse(world.week)]]);
      for (const { url, signature, key_id, id } of told) {
        assert.equal(url, "/declared");
        assert.match(signature, /^sha256=[0-9a-f]{64}$/);
        assert.match(key_id, /^vk_/);
        assert.match(id, /^alert_/);
      }
    },

    async "where a workspace is told is said and changed by /admin/alerts"(world) {
      assert.equal((await ask(world, "POST", "/admin/workspaces", { id: "made" })).http, 201);
      const changed = await ask(world, "PATCH", "/admin/alerts", { workspace: "made", threshold_percent: 70, webhook_url: `${world.hook}/made` });
      assert.equal(changed.http, 200, JSON.stringify(changed));
      const { data } = await ask(world, "GET", "/admin/alerts");
      assert.deepEqual(data.filter(({ workspace }) => workspace !== "default"), [
        { workspace: "watched", threshold_percent: 80, webhook_url: `${world.hook}/declared` },
        { workspace: "made", threshold_percent: 70, webhook_url: `${world.hook}/made` },
      ]);
      for (const [body, status, param] of [[{ threshold_percent: 1 }, 400, "workspace"], [{ workspace: "nobody", threshold_percent: 1 }, 404],
        [{ workspace: "made", threshold_percent: 200 }, 400], [{ workspace: "made", color: "red" }, 400],
        [{ workspace: "watched", threshold_percent: 60 }, 409], [[], 400]]) {
        const wrong = await ask(world, "PATCH", "/admin/alerts", body);
        assert.equal(wrong.http, status, JSON.stringify([body, wrong]));
        if (param) assert.equal(wrong.error.param, param);
      }
      assert.equal((await ask(world, "GET", "/admin/alerts")).data.find(({ workspace }) => workspace === "made").threshold_percent, 70);
    },

    async "a rotated key's old secret is told, and over a restart nothing is told again"(world) {
      const made = await ask(world, "POST", "/admin/keys", { name: "turning", workspace: "made" });
      assert.equal((await ask(world, "POST", `/admin/keys/${made.id}/rotate`, { overlap_seconds: 7200 })).http, 200);
      await world.gateway.kill();
      world.gateway = await world.start();
      await eventually(() => world.calls.length >= 3, "the old secret's end");
      const [, , secret] = world.calls;
      assert.deepEqual([secret.url, secret.type, secret.workspace, secret.key_id, secret.key_name],
        ["/made", "key.secret_expiring", "made", made.id, "turning"]);
      const left = Date.parse(secret.previous_secret_until) - Date.now();
      assert.ok(left > HOUR_MS && left <= 2 * HOUR_MS, secret.previous_secret_until);
      // One that comes later shows that what might have come before it did not.
      const last = await ask(world, "POST", "/admin/keys", { name: "last", workspace: "made", expires_at: at(2 * DAY_MS) });
      await world.gateway.kill();
      world.gateway = await world.start();
      await eventually(() => world.calls.length >= 4, "the last one");
      assert.equal(world.calls.length, 4);
      assert.equal(world.calls[3].key_id, last.id);
    },

    async "a key that is revoked is told no more"(world) {
      const gone = await ask(world, "POST", "/admin/keys", { name: "gone", workspace: "made", expires_at: at(DAY_MS) });
      assert.equal((await ask(world, "DELETE", `/admin/keys/${gone.id}`)).http, 200);
      const last = await ask(world, "POST", "/admin/keys", { name: "stays", workspace: "made", expires_at: at(DAY_MS) });
      await world.gateway.kill();
      world.gateway = await world.start();
      await eventually(() => world.calls.length >= 5, "the one that stays");
      assert.deepEqual(world.calls.slice(4).map(({ key_id }) => key_id), [last.id]);
    },
  },
};

// Yesterday is made with libfaketime, for the gateway alone.
const library = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`).find((file) => fs.existsSync(file));

const anomalies = {
  name: library ? "an hour's spend" : "an hour's spend (skipped: libfaketime is not installed)",
  async open(build) {
    const server = await listen(), dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extraModels: "  - { id: test/gold, provider: mock, upstream_model: mock, price: { input: 100000, output: 100000 } }\n",
      extra: `  - { name: spender, secret: spender-key, workspace: watched, expires_at: "${at(12 * HOUR_MS)}" }
workspaces: [{ id: watched, alerts: { webhook_url: "${server.hook}/hook" } }]
`,
    });
    const world = { base: `http://127.0.0.1:${port}`, calls: server.calls, start: (env) => startGateway(build, { dataDir, config, env }) };
    return Object.assign(world, {
      close: async () => {
        await world.gateway?.stop();
        await mock.stop();
        server.close();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    });
  },
  tests: library ? {
    async "beyond three times the usual is told"(world) {
      const spend = async () => assert.equal((await post(world, "/v1/chat/completions", chat("test/gold", { max_tokens: 5 }), { key: "spender-key" })).status, 200);
      world.gateway = await world.start({ LD_PRELOAD: library, FAKETIME: "-1d", FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_DISABLE_SHM: "1" });
      await eventually(() => world.calls.length === 1, "yesterday's first look");
      for (let i = 0; i < 3; i++) await spend();
      await world.gateway.stop();
      world.gateway = await world.start();
      await eventually(() => world.calls.length === 2, "today's first look");
      for (let i = 0; i < 3; i++) await spend();
      await eventually(() => world.calls.length === 3, "the anomaly", 30000);
      const told = world.calls[2];
      assert.deepEqual([told.type, told.workspace], ["spend.anomaly", "watched"]);
      assert.ok(told.usual_usd > 0 && told.spent_usd > 1 && told.spent_usd > 3 * told.usual_usd, JSON.stringify(told));
      assert.match(told.hour_begins, /T\d\d:00:00/);
      assert.ok(Date.now() - Date.parse(told.hour_begins) < 2 * HOUR_MS);
    },
  } : {},
};

export const suites = [suite, anomalies];
