// Connections of every kind of provider: what each takes, the request that tests one, and another TOLLGATE_KEK over a restart.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { MASTER_KEY, configuration, freePort, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const SECRET = "a-secret-of-the-workspace-0123456789", AKID = "AKIDEXAMPLE0123456789", TOKEN = "session-token-0123456789";

// Says what it was asked; knows one secret in each way of telling it.
function startProvider() {
  const provider = { asked: [], status: 0, body: null };
  const told = ({ headers }) => headers.authorization === `Bearer ${SECRET}` || headers["x-api-key"] === SECRET || headers["api-key"] === SECRET ||
    headers["x-goog-api-key"] === SECRET || (headers.authorization ?? "").startsWith(`AWS4-HMAC-SHA256 Credential=${AKID}/`);
  provider.server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => {
      provider.asked.push({ method: request.method, url: request.url, headers: request.headers, body });
      const status = provider.status || (told(request) ? 200 : 401);
      response.writeHead(status, { "content-type": "application/json" });
      response.end(provider.body ?? (status === 200 ? "{\"data\":[]}" : JSON.stringify({ error: { message: "Incorrect key.", type: "invalid_request_error", code: "invalid_api_key" } })));
    });
  });
  return new Promise((resolve) => provider.server.listen(0, "127.0.0.1", () => resolve(Object.assign(provider, { port: provider.server.address().port }))));
}

const KINDS = [
  ["openai", "/v1", {}, ["GET", "/v1/models"]],
  ["openai_compatible", "/v1", {}, ["GET", "/v1/models"]],
  ["groq", "/openai/v1", {}, ["GET", "/openai/v1/models"]],
  ["together", "/v1", {}, ["GET", "/v1/models"]],
  ["mistral", "/v1", {}, ["GET", "/v1/models"]],
  ["anthropic", "/v1", {}, ["GET", "/v1/models"]],
  ["gemini", "/v1beta", {}, ["GET", "/v1beta/models"]],
  ["cohere", "/v2", {}, ["GET", "/v1/models"]],
  ["azure", "", { api_version: "2025-01-01" }, ["GET", "/openai/models?api-version=2025-01-01"]],
  ["bedrock", "", { api_key: undefined, access_key_id: AKID, secret_access_key: SECRET, session_token: TOKEN, region: "eu-west-1" }, ["POST", "/model/m/converse"]],
];

async function open(build) {
  const dataDir = temporaryFolder(), provider = await startProvider(), mock = await startMock(build), port = await freePort();
  const config = configuration({ port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
    extraProviders: KINDS.map(([kind, base]) => `  - { name: at-${kind}, kind: ${kind}, base_url: "http://127.0.0.1:${provider.port}${base}", credentials: [{ api_key: of-the-appliance }] }\n`).join("") +
      "  - { name: closed, kind: openai_compatible, base_url: \"http://127.0.0.1:1/v1\" }\n",
    extraModels: KINDS.map(([kind]) => `  - { id: at/${kind}, provider: at-${kind}, upstream_model: m, price: { input: 1, output: 1 } }\n`).join(""),
    extra: "workspaces: [{ id: own }]\n" });
  const world = { build, dataDir, config, provider, base: `http://127.0.0.1:${port}` };
  world.start = async (env = {}) => (world.gateway = await startGateway(build, { dataDir, config, env }));
  world.close = async () => {
    await mock.stop();
    provider.server.close();
    fs.rmSync(dataDir, { recursive: true, force: true });
  };
  return world;
}

async function admin(world, method, target, body) {
  const answer = await fetch(`${world.base}${target}`, { method, body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${MASTER_KEY}`, ...(body ? { "content-type": "application/json" } : {}) } });
  const text = await answer.text();
  return { status: answer.status, text, body: JSON.parse(text) };
}

async function made(world, body) {
  const answer = await admin(world, "POST", "/admin/connections", body);
  assert.equal(answer.status, 201, answer.text);
  for (const secret of [SECRET, AKID, TOKEN]) assert.ok(!answer.text.includes(secret), answer.text);
  return answer.body;
}

const test = async (world, { id }) => {
  const { status, text, body } = await admin(world, "POST", `/admin/connections/${id}/test`);
  assert.equal(status, 200, text);
  for (const secret of [SECRET, AKID, TOKEN]) assert.ok(!text.includes(secret), text);
  return body;
};

const tests = {
  async "each kind is asked what costs least, as a call of it would be"(world) {
    await world.start();
    for (const [kind, , more, [method, url]] of KINDS) {
      const connection = await made(world, { name: kind, workspace: "own", provider: `at-${kind}`, api_key: SECRET, ...more });
      assert.deepEqual([connection.region, connection.api_version], [more.region ?? null, more.api_version ?? null]);
      const result = await test(world, connection);
      assert.deepEqual([result.id, result.provider, result.ok, result.status, result.error], [connection.id, `at-${kind}`, true, 200, null]);
      assert.ok(result.latency_ms > 0 && result.latency_ms < 15000);
      const asked = world.provider.asked.pop();
      assert.deepEqual([asked.method, asked.url], [method, url], kind);
      if (kind === "bedrock") {
        assert.match(asked.headers.authorization, new RegExp(`Credential=${AKID}/\\d{8}/eu-west-1/bedrock/aws4_request`));
        assert.equal(asked.headers["x-amz-security-token"], TOKEN);
        assert.equal(JSON.parse(asked.body).inferenceConfig.maxTokens, 1);
      }
    }
  },

  async "a key that does not work: whose fault it is, without the key"(world) {
    const wrong = await made(world, { name: "wrong", provider: "at-openai", api_key: "sk-wrong-one-0123456789" });
    assert.deepEqual((await test(world, wrong)).error, { kind: "credential", message: "Incorrect key." });
    const { provider } = world;
    for (const [status, body, error] of [
      [401, JSON.stringify({ error: { message: `Incorrect key: ${SECRET}` } }), { kind: "credential", message: null }],
      [429, JSON.stringify({ error: { message: "Slow down." } }), { kind: "rate_limited", message: "Slow down." }],
      [500, "<html>no</html>", { kind: "status", message: null }]]) {
      Object.assign(provider, { status, body });
      const connection = await made(world, { name: "n", provider: "at-openai", api_key: SECRET });
      const result = await test(world, connection);
      assert.deepEqual([result.ok, result.status, result.error], [false, status, error]);
    }
    Object.assign(provider, { status: 0, body: null });
    const closed = await test(world, await made(world, { name: "n", provider: "closed", api_key: SECRET }));
    assert.deepEqual([closed.ok, closed.status, closed.error.kind], [false, null, "connect"]);
    assert.equal((await admin(world, "POST", "/admin/connections/conn_0/test")).body.error.code, "connection_not_found");
  },

  async "bad input names the field, for each kind its own"(world) {
    const aws = { access_key_id: AKID, secret_access_key: SECRET };
    for (const [kind, fields, param, code = "invalid_value"] of [
      ["bedrock", {}, "access_key_id", "missing_field"], ["bedrock", { access_key_id: AKID }, "secret_access_key", "missing_field"],
      ["bedrock", { ...aws, api_key: SECRET }, "access_key_id"], ["bedrock", { api_key: SECRET, session_token: TOKEN }, "session_token"],
      ["bedrock", { ...aws, region: "no region" }, "region"], ["bedrock", { ...aws, session_token: "a b" }, "session_token"],
      ["bedrock", { ...aws, api_version: "2025-01-01" }, "api_version"], ["openai", { ...aws }, "access_key_id"],
      ["openai", { api_key: SECRET, secret_access_key: SECRET }, "secret_access_key"], ["openai", { api_key: SECRET, session_token: TOKEN }, "session_token"],
      ["openai", { api_key: SECRET, region: "eu" }, "region"], ["azure", {}, "api_key", "missing_field"], ["azure", { api_key: SECRET, api_version: "a b" }, "api_version"],
      ["openai", { api_key: SECRET, api_version: "1" }, "api_version"]]) {
      const refused = await admin(world, "POST", "/admin/connections", { name: "n", provider: `at-${kind}`, ...fields });
      assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.param], [400, code, param], `${kind} ${refused.text}`);
      for (const secret of [SECRET, AKID, TOKEN]) assert.ok(!refused.text.includes(secret), refused.text);
    }
  },

  async "a change keeps what it does not name, and no more"(world) {
    const { id } = await made(world, { name: "aws", provider: "at-bedrock", access_key_id: AKID, secret_access_key: SECRET, session_token: TOKEN });
    const patch = async (fields) => (await admin(world, "PATCH", `/admin/connections/${id}`, fields)).status;
    const seen = async () => {
      await test(world, { id });
      return world.provider.asked.pop().headers;
    };
    assert.equal(await patch({ name: "renamed", region: "eu-west-3" }), 200);
    assert.match((await seen()).authorization, new RegExp(`${AKID}/\\d+/eu-west-3/`));
    assert.equal((await seen())["x-amz-security-token"], TOKEN);
    assert.equal(await patch({ session_token: "another-token" }), 200);
    assert.equal((await seen())["x-amz-security-token"], "another-token");
    assert.equal(await patch({ access_key_id: AKID }), 400, "another id without its secret");
    assert.equal(await patch({ access_key_id: AKID, secret_access_key: SECRET }), 200);
    assert.equal((await seen())["x-amz-security-token"], undefined);
    assert.equal(await patch({ api_key: SECRET }), 200);
    assert.equal((await seen()).authorization, `Bearer ${SECRET}`);
    assert.equal((await world.gateway.stop()).code, 0);
  },

  async "another TOLLGATE_KEK opens what the one before sealed, as long as it is named"(world) {
    const first = "1".repeat(40), second = "2".repeat(40);
    // What was sealed under the file of data_dir opens in any case.
    await world.start({ TOLLGATE_KEK: first });
    const one = await made(world, { name: "under the first", workspace: "own", provider: "at-openai", api_key: SECRET });
    const aws = await made(world, { name: "aws", workspace: "own", provider: "at-bedrock", access_key_id: AKID, secret_access_key: SECRET });
    await world.gateway.kill();
    await world.start({ TOLLGATE_KEK: second, TOLLGATE_KEK_PREVIOUS: first });
    for (const connection of [one, aws]) assert.equal((await test(world, connection)).ok, true);
    assert.equal((await world.gateway.stop()).code, 0);
    await assert.rejects(world.start({ TOLLGATE_KEK: second }), /connection conn_\w+ cannot be opened: is TOLLGATE_KEK the one/);
    await world.start({ TOLLGATE_KEK: second, TOLLGATE_KEK_PREVIOUS: first });
    assert.equal((await world.gateway.stop()).code, 0);
  },
};

export const suites = [{ name: "connections", open, tests }];
