// Keys, teams, workspaces and admin tokens while the gateway runs: each change is in force on every shard before its answer, and
// outlives a kill right after it.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { KEY, MASTER_KEY, chat, configuration, eventually, freePort, openWorld, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

// Resolves with { status, body }; what is asked is JSON, and so is the answer unless it is CSV.
export async function admin(world, method, target, body, key = MASTER_KEY) {
  const answer = await fetch(`${world.base}${target}`, {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: /json/.test(answer.headers.get("content-type")) ? JSON.parse(text) : null };
}

async function made(world, target, body, key) {
  const answer = await admin(world, "POST", target, body, key);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

async function changed(world, method, target, body) {
  const answer = await admin(world, method, target, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

// The statuses of calls on many connections, so that every shard is asked.
async function ask(world, key, { model = "test/mock", count = 24, headers = {} } = {}) {
  const answers = await Promise.all(Array.from({ length: count }, async () => {
    const answer = await post(world, "/v1/chat/completions", chat(model), { key, headers: { ...headers, connection: "close" } });
    const { error } = await answer.json();
    return error ? `${answer.status} ${error.code}` : `${answer.status}`;
  }));
  return [...new Set(answers)];
}

const keys = {
  async "a key is made, used and shown without its secret"(world) {
    const key = await made(world, "/admin/keys", { name: "first" });
    assert.match(key.id, /^vk_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.match(key.secret, /^gw_virt_[A-Za-z0-9_-]{43}$/);
    assert.equal(key.secret_prefix, key.secret.slice(0, 12));
    assert.equal(key.status, "active");
    assert.equal(key.declared, false);
    assert.deepEqual(key.scopes, ["chat", "responses", "embeddings", "moderations", "images", "audio", "models", "endpoints", "receipts"]);
    assert.deepEqual(await ask(world, key.secret), ["200"]);
    const shown = (await changed(world, "GET", `/admin/keys/${key.id}`));
    assert.equal(shown.secret, undefined);
    assert.deepEqual({ ...shown, secret: key.secret }, key);
    assert.equal(JSON.stringify(await changed(world, "GET", "/admin/audit")).includes(key.secret), false);
  },

  async "its prefix tells what it is for"(world) {
    for (const [more, prefix] of [[{}, "gw_virt_"], [{ environment: "prod" }, "llm_gw_prod_"], [{ environment: "dev" }, "llm_gw_dev_"],
      [{ scopes: ["endpoints"] }, "pg_live_"], [{ scopes: ["endpoints"], environment: "prod" }, "pg_live_"]]) {
      const { secret } = await made(world, "/admin/keys", { name: "prefixed", ...more });
      assert.equal(secret.slice(0, -43), prefix);
    }
  },

  async "a revocation is in force on every shard before its answer"(world) {
    for (let round = 0; round < 5; round++) {
      const { id, secret } = await made(world, "/admin/keys", { name: `short-lived ${round}` });
      assert.deepEqual(await ask(world, secret), ["200"]);
      assert.equal((await changed(world, "DELETE", `/admin/keys/${id}`)).status, "revoked");
      assert.deepEqual(await ask(world, secret), ["401 revoked_api_key"]);
      assert.equal((await changed(world, "GET", `/admin/keys/${id}`)).status, "revoked");
      assert.equal((await admin(world, "PATCH", `/admin/keys/${id}`, { disabled: false })).body.error.code, "key_revoked");
      assert.equal((await changed(world, "DELETE", `/admin/keys/${id}`)).status, "revoked", "twice is once");
    }
  },

  async "a key changes, is disabled and enabled"(world) {
    const { id, secret } = await made(world, "/admin/keys", { name: "changing", models: ["test/mock"], tags: { a: "1", b: "2" }, limits: { rpm: 1000 } });
    assert.deepEqual(await ask(world, secret, { model: "test/mock-tool" }), ["403 model_not_allowed"]);
    const after = await changed(world, "PATCH", `/admin/keys/${id}`, { models: ["test/*"], tags: { b: null, c: "3" }, limits: { tpm: 900000 } });
    assert.deepEqual([after.models, after.tags, after.limits.rpm, after.limits.tpm, after.name], [["test/*"], { a: "1", c: "3" }, 1000, 900000, "changing"]);
    assert.deepEqual(await ask(world, secret, { model: "test/mock-tool" }), ["200"]);
    assert.equal((await changed(world, "PATCH", `/admin/keys/${id}`, { disabled: true })).status, "disabled");
    assert.deepEqual(await ask(world, secret), ["401 disabled_api_key"]);
    assert.equal((await changed(world, "PATCH", `/admin/keys/${id}`, { disabled: false })).status, "active");
    assert.deepEqual(await ask(world, secret), ["200"]);
  },

  async "a rotation leaves the old secret for a while, or not at all"(world) {
    const { id, secret } = await made(world, "/admin/keys", { name: "rotating" });
    const second = await changed(world, "POST", `/admin/keys/${id}/rotate`, { overlap_seconds: 3600 });
    assert.notEqual(second.secret, secret);
    assert.ok(new Date(second.previous_secret_until) - Date.now() > 3500e3);
    assert.deepEqual([await ask(world, secret), await ask(world, second.secret)], [["200"], ["200"]]);
    const third = await changed(world, "POST", `/admin/keys/${id}/rotate`, { overlap_seconds: 0 });
    assert.equal(third.previous_secret_until, null);
    for (const old of [secret, second.secret]) assert.deepEqual(await ask(world, old), ["401 invalid_api_key"]);
    assert.deepEqual(await ask(world, third.secret), ["200"]);
    const brief = await changed(world, "POST", `/admin/keys/${id}/rotate`, { overlap_seconds: 1 });
    await eventually(async () => (await ask(world, third.secret, { count: 2 })).join() === "401 invalid_api_key", "the overlap ends");
    assert.deepEqual(await ask(world, brief.secret), ["200"]);
  },

  async "what is declared can be disabled and revoked, and nothing else"(world) {
    const { data } = await changed(world, "GET", "/admin/keys?limit=1000");
    const demo = data.find(({ name }) => name === "demo"), spare = data.find(({ name }) => name === "spare");
    assert.ok(demo.declared && spare.declared);
    for (const [method, target, body] of [["PATCH", `/admin/keys/${demo.id}`, { name: "other" }], ["POST", `/admin/keys/${demo.id}/rotate`, {}],
      ["PATCH", "/admin/workspaces/declared", { plan: "free" }], ["DELETE", "/admin/workspaces/declared"], ["DELETE", "/admin/teams/declared"],
      ["PATCH", `/admin/keys/${demo.id}`, { disabled: true, name: "other" }], ["DELETE", "/admin/workspaces/default"]]) {
      const refused = await admin(world, method, target, body);
      assert.deepEqual([refused.status, refused.body.error.code], [409, "declared_in_config"], `${method} ${target}`);
    }
    assert.equal((await changed(world, "PATCH", `/admin/keys/${spare.id}`, { disabled: true })).status, "disabled");
    assert.deepEqual(await ask(world, "spare-secret"), ["401 disabled_api_key"]);
    await changed(world, "PATCH", `/admin/keys/${spare.id}`, { disabled: false });
    assert.deepEqual(await ask(world, "spare-secret"), ["200"]);
    await changed(world, "DELETE", `/admin/keys/${spare.id}`);
    assert.deepEqual(await ask(world, "spare-secret"), ["401 revoked_api_key"]);
    world.gateway.child.kill("SIGHUP");
    await eventually(() => world.gateway.child.output().includes("configuration reloaded"), "reload");
    await changed(world, "GET", "/admin/keys");
    assert.deepEqual(await ask(world, "spare-secret"), ["401 revoked_api_key"], "a reload does not bring it back");
    assert.deepEqual(await ask(world, KEY), ["200"]);
  },

  async "lists come in pages and by what they hold"(world) {
    await made(world, "/admin/workspaces", { id: "paged" });
    const ids = [];
    for (let i = 0; i < 7; i++) ids.push((await made(world, "/admin/keys", { name: `page ${i}`, workspace: "paged" })).id);
    await changed(world, "DELETE", `/admin/keys/${ids[3]}`);
    const seen = [];
    let cursor = "";
    do {
      const page = await changed(world, "GET", `/admin/keys?workspace=paged&limit=3${cursor && `&cursor=${cursor}`}`);
      assert.ok(page.data.length <= 3);
      seen.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor);
    assert.deepEqual(seen, [...ids].sort());
    assert.deepEqual((await changed(world, "GET", "/admin/keys?workspace=paged&status=revoked")).data.map(({ id }) => id), [ids[3]]);
    for (const query of ["limit=0", "limit=1001", "limit=x", "status_=1", "role=owner"])
      assert.equal((await admin(world, "GET", `/admin/keys?${query}`)).body.error.code, "invalid_query", query);
  },
};

const tenants = {
  async "teams and workspaces are made, changed, used and removed"(world) {
    const workspace = await made(world, "/admin/workspaces", { id: "acme", plan: "pro", limits: { monthly_usd: 12.5 }, retention: { audit_days: 30 } });
    assert.deepEqual([workspace.id, workspace.plan, workspace.budget.monthly_usd, workspace.retention.audit_days], ["acme", "pro", 12.5, 30]);
    const team = await made(world, "/admin/teams", { id: "red", workspace: "acme", limits: { rpm: 5, daily_usd: 3 } });
    assert.deepEqual([team.limits.rpm, team.budget.daily_usd], [5, 3]);
    const key = await made(world, "/admin/keys", { name: "red one", workspace: "acme", team: "red" });
    assert.equal((await post(world, "/v1/models", "", { key: key.secret })).status, 405);
    assert.equal((await admin(world, "DELETE", "/admin/teams/red")).body.error.code, "in_use");
    assert.equal((await admin(world, "DELETE", "/admin/workspaces/acme")).body.error.code, "in_use");
    assert.equal((await admin(world, "POST", "/admin/teams", { id: "red", workspace: "acme" })).body.error.code, "already_exists");
    assert.equal((await changed(world, "PATCH", "/admin/workspaces/acme", { allow_ips: ["192.0.2.0/24"] })).allow_ips[0], "192.0.2.0/24");
    assert.deepEqual(await ask(world, key.secret), ["403 ip_not_allowed"]);
    assert.deepEqual((await changed(world, "PATCH", "/admin/workspaces/acme", { allow_ips: null, budget: { monthly_usd: null } })).budget.monthly_usd, null);
    await changed(world, "DELETE", `/admin/keys/${key.id}`);
    await changed(world, "DELETE", "/admin/teams/red");
    await changed(world, "DELETE", "/admin/workspaces/acme");
    for (const target of ["/admin/teams/red", "/admin/workspaces/acme"]) {
      const gone = await admin(world, "GET", target);
      assert.deepEqual([gone.status, gone.body.error.type], [404, "not_found_error"]);
    }
  },

  async "the workspace that nobody declared takes settings"(world) {
    assert.equal((await changed(world, "PATCH", "/admin/workspaces/default", { plan: "starter" })).plan, "starter");
    assert.equal((await changed(world, "GET", "/admin/workspaces/default")).plan, "starter");
    await changed(world, "PATCH", "/admin/workspaces/default", { plan: "enterprise" });
    assert.deepEqual(await ask(world, KEY), ["200"]);
  },

  async "methods that a path does not take"(world) {
    for (const [method, target, allowed] of [["PUT", "/admin/keys", "GET, HEAD, POST"], ["POST", "/admin/keys/vk_1", "GET, HEAD, PATCH, DELETE"],
      ["PATCH", "/admin/tokens/tok_1", "GET, HEAD, DELETE"], ["GET", "/admin/keys/vk_1/rotate", "POST"]]) {
      const refused = await admin(world, method, target, method === "GET" ? undefined : "{}");
      assert.equal(refused.status, 405, `${method} ${target}`);
      assert.equal(refused.headers.get("allow"), allowed);
    }
    for (const target of ["/admin/keys/a/b", "/admin/keys/", "/admin/keys/a/rotate/b"])
      assert.equal((await admin(world, "GET", target)).body.error.code, "unknown_path", target);
  },
};

const declared = `  - { name: spare, secret: spare-secret }
workspaces: [{ id: declared }]
teams: [{ id: declared, workspace: declared }]
`;

export const suites = [
  { name: "admin keys", open: (build) => openWorld(build, { shards: 4, extra: declared }), tests: keys },
  { name: "admin tenants", open: (build) => openWorld(build, { shards: 2 }), tests: tenants },
];
