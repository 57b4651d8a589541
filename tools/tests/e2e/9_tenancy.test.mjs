// Keys, teams, workspaces and admin tokens while the gateway runs: each change is in force on every shard before its answer, and
// outlives a kill right after it.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
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

const nested = (levels) => (levels ? { x: nested(levels - 1) } : {});

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

// What each field refuses, and the member that the error names. Each row stands alone, in what else is right.
const refusals = {
  keys: [
    [{ name: "" }, "name"], [{ name: 5 }, "name"], [{ name: null }, "name", "missing_field"], [{ name: "x".repeat(129) }, "name"], [{ name: "a\u0000b" }, "name"],
    [{ workspace: "nowhere" }, "workspace"], [{ workspace: "no such name" }, "workspace"], [{ workspace: 1 }, "workspace"],
    [{ team: "nowhere" }, "team"], [{ team: "elsewhere" }, "team"], [{ team: [] }, "team"],
    [{ environment: "staging" }, "environment"], [{ environment: true }, "environment"],
    [{ models: "*" }, "models"], [{ models: [1] }, "models"], [{ models: [""] }, "models"], [{ models: [null] }, "models"], [{ models: ["x".repeat(257)] }, "models"],
    [{ endpoints: {} }, "endpoints"], [{ endpoints: [[]] }, "endpoints"],
    [{ scopes: ["chats"] }, "scopes"], [{ scopes: "chat" }, "scopes"], [{ scopes: [true] }, "scopes"],
    [{ limits: { rpm: -1 } }, "limits.rpm"], [{ limits: { rpm: "1" } }, "limits.rpm"], [{ limits: { rph: 1.5 } }, "limits.rph"], [{ limits: { rpd: 1e300 } }, "limits.rpd"],
    [{ limits: { tpm: true } }, "limits.tpm"], [{ limits: { concurrency: 1e13 } }, "limits.concurrency"], [{ limits: { smooth: 1 } }, "limits.smooth"],
    [{ limits: [] }, "limits"], [{ limits: { rpmm: 1 } }, "limits.rpmm", "unknown_field"],
    [{ budget: { daily_usd: -1 } }, "budget.daily_usd"], [{ budget: { weekly_usd: "1" } }, "budget.weekly_usd"], [{ budget: { monthly_usd: 0.0000000001 } }, "budget.monthly_usd"],
    [{ budget: { per_request_usd: 1e19 } }, "budget.per_request_usd"], [{ budget: { reserve_output_tokens: 0 } }, "budget.reserve_output_tokens"],
    [{ budget: 5 }, "budget"], [{ budget: { yearly_usd: 5 } }, "budget.yearly_usd", "unknown_field"],
    [{ limits: { daily_usd: -1 } }, "limits.daily_usd"], [{ limits: { monthly_usd: 1 }, budget: { monthly_usd: 1 } }, "limits.monthly_usd"],
    [{ allow_ips: ["10.0.0.0/33"] }, "allow_ips"], [{ allow_ips: ["localhost"] }, "allow_ips"], [{ allow_ips: "10.0.0.1" }, "allow_ips"], [{ allow_ips: ["::1/129"] }, "allow_ips"],
    [{ expires_at: "tomorrow" }, "expires_at"], [{ expires_at: 1799999999 }, "expires_at"], [{ expires_at: "2020-01-01T00:00:00Z" }, "expires_at"],
    [{ tags: ["a"] }, "tags"], [{ tags: { a: 1 } }, "tags.a"], [{ tags: { a: { b: "c" } } }, "tags.a"],
    [{ disabled: "true" }, "disabled"], [{ disabled: 1 }, "disabled"],
    [{ secret: "mine" }, "secret", "unknown_field"], [{ secret_sha256: "00" }, "secret_sha256", "unknown_field"], [{ id: "vk_1" }, "id", "unknown_field"],
    [nested(40), [..."x".repeat(32)].join(".")],
  ],
  teams: [
    [{ id: "" }, "id"], [{ id: "a b" }, "id"], [{ id: 7 }, "id"], [{ id: null }, "id", "missing_field"], [{ id: "x".repeat(65) }, "id"],
    [{ workspace: "nowhere" }, "workspace"], [{ limits: { rpm: -1 } }, "limits.rpm"], [{ budget: { daily_usd: "x" } }, "budget.daily_usd"], [{ models: [] }, "models", "unknown_field"],
  ],
  workspaces: [
    [{ id: "a/b" }, "id"], [{ id: null }, "id", "missing_field"], [{ plan: "gold" }, "plan"], [{ plan: 1 }, "plan"],
    [{ budget: { monthly_usd: true } }, "budget.monthly_usd"], [{ limits: { rpm: -1 } }, "limits.rpm"],
    [{ platform_fee_percent: 100.1 }, "platform_fee_percent"], [{ platform_fee_percent: 0.00001 }, "platform_fee_percent"], [{ platform_fee_percent: "5" }, "platform_fee_percent"],
    [{ alerts: { threshold_percent: 0 } }, "alerts.threshold_percent"], [{ alerts: { webhook_url: "ftp://x" } }, "alerts.webhook_url"], [{ alerts: { webhook_url: 1 } }, "alerts.webhook_url"],
    [{ allow_ips: ["x"] }, "allow_ips"], [{ residency: "atlantis" }, "residency"],
    [{ retention: { receipts_days: 0 } }, "retention.receipts_days"], [{ retention: { audit_days: 6 } }, "retention.audit_days"], [{ retention: { audit_days: 366 } }, "retention.audit_days"],
    [{ retention: { store_prompts: 1 } }, "retention.store_prompts"], [{ retention: { store_responses: "no" } }, "retention.store_responses"],
    [{ retention: { conversation_store: [] } }, "retention.conversation_store"], [{ retention: { responses_ttl_seconds: 0 } }, "retention.responses_ttl_seconds"],
    [{ auto_reload: { threshold_usd: -1 } }, "auto_reload.threshold_usd"], [{ auto_reload: { amount_usd: "1" } }, "auto_reload.amount_usd"], [{ auto_reload: { webhook_url: "x" } }, "auto_reload.webhook_url"],
  ],
  tokens: [
    [{ name: "" }, "name"], [{ name: null }, "name", "missing_field"], [{ role: "root" }, "role"], [{ role: 4 }, "role"], [{ role: null }, "role", "missing_field"],
    [{ allow_ips: ["x"] }, "allow_ips"], [{ expires_at: "never" }, "expires_at"], [{ expires_at: "2020-01-01T00:00:00Z" }, "expires_at"], [{ scopes: [] }, "scopes", "unknown_field"],
  ],
};

const sound = { keys: { name: "sound" }, teams: { id: "sound" }, workspaces: { id: "sound" }, tokens: { name: "sound", role: "viewer" } };

const fields = {
  async "bad input names the field, and nothing is made"(world) {
    await made(world, "/admin/workspaces", { id: "other" });
    await made(world, "/admin/teams", { id: "elsewhere", workspace: "other" });
    for (const [kind, rows] of Object.entries(refusals)) {
      const before = (await changed(world, "GET", `/admin/${kind}`)).data;
      for (const [more, param, code = "invalid_value"] of rows) {
        const refused = await admin(world, "POST", `/admin/${kind}`, { ...sound[kind], ...more });
        assert.equal(refused.status, 400, `${kind} ${JSON.stringify(more)}: ${refused.text}`);
        assert.deepEqual([refused.body.error.type, refused.body.error.code, refused.body.error.param], ["invalid_request_error", code, param], `${kind} ${JSON.stringify(more)}: ${refused.text}`);
        assert.ok(/expected|there is no|no provider|unknown field|missing|too/.test(refused.body.error.message), refused.text);
      }
      assert.deepEqual((await changed(world, "GET", `/admin/${kind}`)).data, before);
    }
  },

  async "nor is anything changed"(world) {
    const ids = { keys: (await made(world, "/admin/keys", sound.keys)).id, teams: "changing", workspaces: "changing" };
    await made(world, "/admin/workspaces", { id: "changing" });
    await made(world, "/admin/teams", { id: "changing" });
    const audit = (await changed(world, "GET", "/admin/audit")).data.length;
    for (const kind of ["keys", "teams", "workspaces"]) {
      const target = `/admin/${kind}/${ids[kind]}`, before = await changed(world, "GET", target);
      for (const [more, param, code] of refusals[kind]) {
        const refused = await admin(world, "PATCH", target, more);
        const immutable = ["id", "workspace", "environment"].includes(param) && refused.body.error.code === "immutable_field";
        assert.equal(refused.status, 400, `${kind} ${JSON.stringify(more)}: ${refused.text}`);
        assert.ok(refused.body.error.param === param && (immutable || refused.body.error.code === (code ?? "invalid_value")), `${kind} ${JSON.stringify(more)}: ${refused.text}`);
        assert.deepEqual(await changed(world, "GET", target), before);
      }
    }
    for (const [target, more, param] of [[`keys/${ids.keys}`, { workspace: "other" }, "workspace"], [`keys/${ids.keys}`, { environment: "dev" }, "environment"],
      ["teams/changing", { id: "x" }, "id"], ["teams/changing", { workspace: "other" }, "workspace"], ["workspaces/changing", { id: "x" }, "id"]]) {
      const refused = await admin(world, "PATCH", `/admin/${target}`, more);
      assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.param], [400, "immutable_field", param]);
    }
    assert.equal((await changed(world, "GET", "/admin/audit")).data.length, audit, "what was refused is not in the audit log");
  },

  async "bodies that are no object, and rotations"(world) {
    const { id } = await made(world, "/admin/keys", sound.keys);
    for (const body of ["", "{", "[]", "null", "\"x\"", "{\"name\":\"a\",\"name\":\"b\"}", `{"x":"${"y".repeat(70000)}"}`]) {
      const refused = await admin(world, "POST", "/admin/keys", body);
      assert.ok([400, 413].includes(refused.status) && refused.body.error.message, `${body.slice(0, 40)}: ${refused.text}`);
    }
    for (const [body, param] of [[{ overlap_seconds: -1 }, "overlap_seconds"], [{ overlap_seconds: "1" }, "overlap_seconds"], [{ overlap_seconds: 2592001 }, "overlap_seconds"], [{ overlap: 1 }, "overlap"]]) {
      const refused = await admin(world, "POST", `/admin/keys/${id}/rotate`, body);
      assert.deepEqual([refused.status, refused.body.error.param], [400, param], refused.text);
    }
    for (const [method, target] of [["GET", "/admin/keys/vk_1"], ["PATCH", "/admin/keys/vk_1"], ["DELETE", "/admin/keys/vk_1"], ["POST", "/admin/keys/vk_1/rotate"],
      ["GET", "/admin/tokens/tok_1"], ["DELETE", "/admin/tokens/tok_1"], ["PATCH", "/admin/teams/t"], ["DELETE", "/admin/workspaces/w"]]) {
      const refused = await admin(world, method, target, /PATCH|POST/.test(method) ? {} : undefined);
      assert.deepEqual([refused.status, refused.body.error.type], [404, "not_found_error"], `${method} ${target}: ${refused.text}`);
    }
  },
};

// A line for each thing that the admin API does, a column for each role: owner, admin, developer, billing, viewer.
const ROLES = ["owner", "admin", "developer", "billing", "viewer"];
const cells = [
  ["GET", "/admin/status", "yyyyy"], ["GET", "/admin/deployments", "yyyyy"], ["GET", "/admin/receipts", "yyyyy"],
  ["GET", "/admin/keys", "yyyyy"], ["GET", "/admin/teams", "yyyyy"], ["GET", "/admin/workspaces", "yyyyy"], ["GET", "/admin/keys/vk_1", "yyyyy"],
  ["GET", "/admin/tokens", "yy..."], ["GET", "/admin/audit", "yy..."], ["GET", "/admin/receipts/req_1/content", "yyy.."],
  ["POST", "/admin/keys", "yyy.."], ["PATCH", "/admin/keys/vk_1", "yyy.."], ["DELETE", "/admin/keys/vk_1", "yyy.."], ["POST", "/admin/keys/vk_1/rotate", "yyy.."],
  ["POST", "/admin/teams", "yy..."], ["PATCH", "/admin/teams/t", "yy..."], ["DELETE", "/admin/teams/t", "yy..."],
  ["POST", "/admin/workspaces", "yy..."], ["PATCH", "/admin/workspaces/w", "yy..."], ["DELETE", "/admin/workspaces/w", "yy..."],
  ["GET", "/admin/connections", "yyyyy"], ["POST", "/admin/connections", "yy..."], ["PATCH", "/admin/connections/c", "yy..."], ["DELETE", "/admin/connections/c", "yy..."], ["POST", "/admin/connections/c/test", "yy..."],
  ["GET", "/admin/projects", "yyyyy"], ["GET", "/admin/projects/p/endpoints/e", "yyyyy"], ["POST", "/admin/projects", "yyy.."], ["PUT", "/admin/projects/p", "yyy.."],
  ["PATCH", "/admin/projects/p", "yyy.."], ["DELETE", "/admin/projects/p", "yyy.."], ["PUT", "/admin/projects/p/endpoints/e", "yyy.."], ["DELETE", "/admin/projects/p/endpoints/e", "yyy.."],
  ["POST", "/admin/tokens", "y...."], ["DELETE", "/admin/tokens/tok_1", "y...."],
  ["GET", "/admin/routing", "yyyyy"], ["PATCH", "/admin/routing", "yy..."],
  ["POST", "/admin/deployments/disable", "yy..."], ["POST", "/admin/deployments/enable", "yy..."],
];

const roles = {
  async "what each role may do, cell by cell"(world) {
    for (const [column, role] of ROLES.entries()) {
      const { secret, id } = await made(world, "/admin/tokens", { name: `a ${role}`, role });
      assert.match(id, /^tok_/);
      for (const [method, target, allowed] of cells) {
        const answer = await admin(world, method, target, /GET|DELETE/.test(method) ? undefined : {}, secret);
        const forbidden = answer.status === 403 && answer.body.error.code === "role_missing";
        assert.equal(!forbidden, allowed[column] === "y", `${role}: ${method} ${target}: ${answer.text}`);
        assert.notEqual(answer.status, 401);
      }
    }
  },

  async "a token ends: removed, expired, or from elsewhere"(world) {
    const { id, secret } = await made(world, "/admin/tokens", { name: "brief", role: "owner", expires_at: new Date(Date.now() + 3600e3).toISOString() });
    assert.equal((await admin(world, "GET", "/admin/keys", undefined, secret)).status, 200);
    assert.equal((await admin(world, "GET", `/admin/tokens/${id}`)).body.secret, undefined);
    await changed(world, "DELETE", `/admin/tokens/${id}`);
    assert.equal((await admin(world, "GET", "/admin/keys", undefined, secret)).status, 401);
    const brief = await made(world, "/admin/tokens", { name: "very brief", role: "owner", expires_at: new Date(Date.now() + 4000).toISOString() });
    await eventually(async () => (await admin(world, "GET", "/admin/keys", undefined, brief.secret)).body.error?.code === "expired_api_key", "it expires");
    const far = await made(world, "/admin/tokens", { name: "far", role: "owner", allow_ips: ["192.0.2.1"] });
    assert.equal((await admin(world, "GET", "/admin/keys", undefined, far.secret)).body.error.code, "ip_not_allowed");
    assert.deepEqual(await ask(world, far.secret), ["401 invalid_api_key"], "a token is no key");
  },

  async "the audit log says who changed what"(world) {
    const developer = await made(world, "/admin/tokens", { name: "=dev \"1\"", role: "developer" });
    const key = await made(world, "/admin/keys", { name: "audited" }, developer.secret);
    await admin(world, "PATCH", `/admin/keys/${key.id}`, { limits: { rpm: 7 } }, developer.secret);
    await changed(world, "DELETE", `/admin/keys/${key.id}`);
    const { data } = await changed(world, "GET", `/admin/audit?object=${key.id}`);
    assert.deepEqual(data.map(({ action }) => action), ["key.revoke", "key.update", "key.create"]);
    const [revoked, updated, created] = data;
    assert.deepEqual([created.before, created.after.name, created.after.secret], [null, "audited", undefined]);
    assert.deepEqual([updated.before.limits.rpm, updated.after.limits.rpm, updated.workspace], [0, 7, "default"]);
    assert.deepEqual([revoked.before.status, revoked.after.status], ["active", "revoked"]);
    assert.deepEqual(updated.actor, { kind: "token", id: developer.id, name: "=dev \"1\"", role: "developer" });
    assert.deepEqual(revoked.actor, { kind: "master_key", id: null, name: null, role: "owner" });
    assert.equal(revoked.address, "127.0.0.1");
    assert.match(revoked.request_id, /^req_/);
    assert.ok(Math.abs(new Date(revoked.timestamp) - Date.now()) < 60e3);
    const csv = await admin(world, "GET", `/admin/audit?format=csv&object=${key.id}`);
    assert.match(csv.headers.get("content-type"), /^text\/csv/);
    const lines = csv.text.split("\r\n");
    assert.equal(lines.length, 5);
    assert.match(lines[0], /^id,timestamp,actor,/);
    assert.ok(lines[2].includes(`"'=dev ""1"""`), lines[2]);
    const paged = [];
    let cursor = "";
    do {
      const page = await changed(world, "GET", `/admin/audit?limit=2${cursor && `&cursor=${cursor}`}`);
      paged.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor);
    const all = (await changed(world, "GET", "/admin/audit?limit=1000")).data.map(({ id }) => id);
    assert.deepEqual(paged, all);
    assert.deepEqual(all, [...all].sort().reverse());
    assert.equal(JSON.stringify(await changed(world, "GET", "/admin/audit?limit=1000")).includes(developer.secret), false);
    assert.equal((await admin(world, "GET", "/admin/audit?format=xml")).body.error.code, "invalid_query");
    for (const verb of ["disable", "enable"]) {
      await changed(world, "POST", `/admin/deployments/${verb}`, { deployment: "nowhere/primary/mock" });
      const [note] = (await changed(world, "GET", "/admin/audit?limit=1")).data;
      assert.deepEqual([note.action, note.object, note.before, note.after],
        [`deployment.${verb}`, "nowhere/primary/mock", { disabled: verb === "enable" }, { disabled: verb === "disable" }]);
    }
  },
};

const permits = {
  async "what a key may do: models, scopes, addresses, expiry"(world) {
    const { id, secret } = await made(world, "/admin/keys", { name: "permitted", models: ["test/mock", "test/mock-t*"], scopes: ["chat"] });
    const rows = [["test/mock", "200"], ["mock", "200"], ["test/mock-tool", "200"], ["test/mock-split", "403 model_not_allowed"], ["nowhere/at-all", "404 model_not_found"]];
    for (const [model, expected] of rows) assert.deepEqual(await ask(world, secret, { model, count: 4 }), [expected], model);
    const embed = async () => (await (await post(world, "/v1/embeddings", { model: "test/mock", input: "a" }, { key: secret })).json()).error?.code ?? 200;
    assert.equal(await embed(), "scope_missing");
    await changed(world, "PATCH", `/admin/keys/${id}`, { scopes: ["chat", "embeddings"] });
    assert.equal(await embed(), 200);
    for (const [allow_ips, expected] of [[["10.0.0.0/8", "2001:db8::/32"], "403 ip_not_allowed"], [["127.0.0.0/8"], "200"], [["::ffff:127.0.0.1"], "200"], [["127.0.0.2"], "403 ip_not_allowed"], [[], "200"]]) {
      await changed(world, "PATCH", `/admin/keys/${id}`, { allow_ips });
      assert.deepEqual(await ask(world, secret, { count: 6 }), [expected], `${allow_ips}`);
    }
    await changed(world, "PATCH", `/admin/keys/${id}`, { expires_at: new Date(Date.now() + 4000).toISOString() });
    await eventually(async () => (await ask(world, secret, { count: 2 })).join() === "401 expired_api_key", "it expires");
    assert.equal((await changed(world, "GET", `/admin/keys/${id}`)).status, "expired");
    await changed(world, "PATCH", `/admin/keys/${id}`, { expires_at: null });
    assert.deepEqual(await ask(world, secret, { count: 6 }), ["200"]);
  },

  async "a key's workspace, team and tags are on its receipts, and its limits hold from the next call on"(world) {
    await made(world, "/admin/workspaces", { id: "tagged" });
    await made(world, "/admin/teams", { id: "blue", workspace: "tagged" });
    const { id, secret } = await made(world, "/admin/keys", { name: "tagged", workspace: "tagged", team: "blue", tags: { project: "x" }, limits: { rpm: 2 } });
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await post(world, "/v1/chat/completions", chat("test/mock"), { key: secret }));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 429]);
    const receipt = (await changed(world, "GET", `/admin/receipts/${answers[0].headers.get("x-request-id")}`));
    assert.deepEqual([receipt.workspace, receipt.team, receipt.key_id, receipt.tags.project], ["tagged", "blue", id, "x"]);
    await changed(world, "PATCH", `/admin/keys/${id}`, { limits: { rpm: 0 } });
    assert.deepEqual(await ask(world, secret, { count: 12 }), ["200"]);
    assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"), { key: secret, headers: { "x-workspace-id": "default" } })).status, 403);
  },
};

// The credentials that the last calls of a key were served with, by its receipts.
async function credentials(world, key, model = "test/mock", count = 6) {
  const used = new Set();
  for (let i = 0; i < count; i++) {
    const answer = await post(world, "/v1/chat/completions", chat(model), { key, headers: { connection: "close" } });
    await answer.text();
    assert.equal(answer.status, 200);
    used.add((await changed(world, "GET", `/admin/receipts/${answer.headers.get("x-request-id")}`)).execution.credential);
  }
  return [...used];
}

const OWN_KEY = "sk-own-0123456789";

// A provider that only remembers which key it was shown.
function startWitness() {
  return new Promise((resolve) => {
    const witness = { seen: null };
    witness.server = http.createServer((request, response) => {
      witness.seen = request.headers.authorization;
      request.resume().on("end", () => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({
          id: "c", object: "chat.completion", created: 1, model: "m", usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
          choices: [{ index: 0, message: { role: "assistant", content: "Seen." }, finish_reason: "stop" }],
        }));
      });
    }).listen(0, "127.0.0.1", () => resolve(Object.assign(witness, { port: witness.server.address().port })));
  });
}

async function openWithWitness(build) {
  const witness = await startWitness();
  const world = await openToRestart(build, {
    extraProviders: `  - { name: witness, kind: openai_compatible, base_url: "http://127.0.0.1:${witness.port}/v1", credentials: [{ name: primary, api_key: of-the-appliance }] }\n`,
    extraModels: `  - { id: test/bound, deployments: [{ provider: mock, credential: primary, upstream_model: mock }], price: { input: 1, output: 1 } }
  - { id: test/witness, provider: witness, upstream_model: m, price: { input: 1, output: 1 } }
`,
  });
  const { close } = world;
  return Object.assign(world, {
    witness,
    close: async () => {
      await close();
      witness.server.closeAllConnections();
      witness.server.close();
    },
  });
}

const connections = {
  async "a workspace's own key goes before the appliance's, for it alone"(world) {
    await made(world, "/admin/workspaces", { id: "own" });
    const key = await made(world, "/admin/keys", { name: "own", workspace: "own" });
    assert.deepEqual(await credentials(world, key.secret), ["primary"]);
    const connection = await made(world, "/admin/connections", { name: "ours", workspace: "own", provider: "mock", api_key: OWN_KEY });
    assert.match(connection.id, /^conn_/);
    assert.equal(JSON.stringify(connection).includes(OWN_KEY), false);
    assert.deepEqual(await credentials(world, key.secret), [connection.id]);
    const atWitness = await made(world, "/admin/connections", { name: "ours", workspace: "own", provider: "witness", api_key: OWN_KEY });
    assert.deepEqual(await credentials(world, key.secret, "test/witness", 2), [atWitness.id]);
    assert.equal(world.witness.seen, `Bearer ${OWN_KEY}`);
    assert.deepEqual(await credentials(world, KEY, "test/witness", 2), ["primary"]);
    assert.equal(world.witness.seen, "Bearer of-the-appliance");
    assert.deepEqual(await credentials(world, KEY), ["primary"], "nobody else's");
    assert.deepEqual(await credentials(world, key.secret, "test/bound"), [connection.id], "also where a deployment names a credential");
    await changed(world, "PATCH", `/admin/connections/${connection.id}`, { disabled: true });
    assert.deepEqual(await credentials(world, key.secret), ["primary"]);
    await changed(world, "PATCH", `/admin/connections/${connection.id}`, { disabled: false, name: "still ours" });
    assert.deepEqual(await credentials(world, key.secret), [connection.id], "what was not changed stays");
    await changed(world, "PATCH", `/admin/connections/${atWitness.id}`, { name: "renamed" });
    await credentials(world, key.secret, "test/witness", 1);
    assert.equal(world.witness.seen, `Bearer ${OWN_KEY}`, "a change of the name leaves the key");
    await changed(world, "PATCH", `/admin/connections/${atWitness.id}`, { api_key: `${OWN_KEY}-2` });
    await credentials(world, key.secret, "test/witness", 1);
    assert.equal(world.witness.seen, `Bearer ${OWN_KEY}-2`);
    await changed(world, "DELETE", `/admin/connections/${atWitness.id}`);
    world.gateway.child.kill("SIGHUP");
    await eventually(() => world.gateway.child.output().includes("configuration reloaded"), "reload");
    assert.deepEqual(await credentials(world, key.secret), [connection.id], "a reload keeps it");
    assert.equal((await admin(world, "DELETE", "/admin/workspaces/own")).body.error.code, "in_use");
  },

  async "it outlives a kill, and lies sealed"(world) {
    const key = (await made(world, "/admin/keys", { name: "again", workspace: "own" })).secret;
    await reopen(world);
    const [{ id }] = (await changed(world, "GET", "/admin/connections")).data;
    assert.deepEqual(await credentials(world, key), [id]);
    for (const target of ["/admin/connections", `/admin/connections/${id}`, "/admin/audit?limit=1000", "/admin/deployments"])
      assert.equal((await admin(world, "GET", target)).text.includes(OWN_KEY), false, target);
    const stored = fs.readdirSync(world.dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      .filter((entry) => fs.readFileSync(path.join(entry.parentPath ?? entry.path, entry.name)).includes(OWN_KEY));
    assert.deepEqual(stored.map(({ name }) => name), [], "in no file");
    await changed(world, "DELETE", `/admin/connections/${id}`);
    assert.deepEqual(await credentials(world, key), ["primary"]);
    await reopen(world);
    assert.deepEqual(await credentials(world, key), ["primary"]);
  },

  async "bad input names the field"(world) {
    const good = { name: "n", provider: "mock", api_key: "k" };
    for (const [more, param, code = "invalid_value"] of [[{ provider: "nowhere-known" }, "provider"], [{ provider: null }, "provider", "missing_field"],
      [{ api_key: null }, "api_key", "missing_field"], [{ api_key: "" }, "api_key"], [{ api_key: "a b" }, "api_key"], [{ api_key: 5 }, "api_key"], [{ workspace: "nowhere" }, "workspace"],
      [{ name: "" }, "name"], [{ disabled: "no" }, "disabled"], [{ weight: 1 }, "weight", "unknown_field"]]) {
      const refused = await admin(world, "POST", "/admin/connections", { ...good, ...more });
      assert.deepEqual([refused.status, refused.body.error.code, refused.body.error.param], [400, code, param], refused.text);
      assert.equal(/a b/.test(refused.text), false, "what may be a secret is not told");
    }
    const { id } = await made(world, "/admin/connections", good);
    for (const [more, param] of [[{ provider: "nowhere" }, "provider"], [{ workspace: "own" }, "workspace"]])
      assert.deepEqual([(await admin(world, "PATCH", `/admin/connections/${id}`, more)).body.error.code, param], ["immutable_field", param]);
    await changed(world, "DELETE", `/admin/connections/${id}`);
    assert.equal((await admin(world, "GET", `/admin/connections/${id}`)).body.error.code, "connection_not_found");
  },
};

const command = {
  async "tollgate keys makes, shows, changes, rotates, lists and revokes"(world) {
    const keys = (...args) => run(`${world.build}/tollgate`, ["keys", ...args, "--url", world.base], { TOLLGATE_MASTER_KEY: MASTER_KEY });
    const json = async (...args) => {
      const { code, stdout, stderr } = await keys(...args, "--json");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const key = await json("create", "--name", "by hand", "--model", "test/*", "--model", "other", "--rpm", "50", "--monthly-usd", "2.5", "--tag", "a=b=c", "--scope", "chat", "--expires", "2199-01-01T00:00:00Z");
    assert.deepEqual([key.models, key.limits.rpm, key.budget.monthly_usd, key.tags, key.scopes], [["test/*", "other"], 50, 2.5, { a: "b=c" }, ["chat"]]);
    const shown = await keys("show", key.id);
    assert.match(shown.stdout, /by hand/);
    assert.equal(shown.stdout.includes(key.secret), false);
    assert.deepEqual((await json("update", key.id, "--rpm", "0", "--monthly-usd", "null", "--expires", "null")).expires_at, null);
    const rotated = await json("rotate", key.id, "--overlap", "0");
    assert.deepEqual(await ask(world, rotated.secret), ["200"]);
    assert.match((await keys("list")).stdout, new RegExp(`${key.id} active +default`));
    assert.equal((await json("revoke", key.id)).status, "revoked");
    assert.match((await keys("list", "--status", "revoked")).stdout, new RegExp(key.id));
    const bad = await keys("create", "--name", "x", "--rpm", "many");
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /rpm/);
    for (const args of [[], ["make"], ["create"], ["show"], ["show", "../x"], ["revoke", key.id, "--rpm", "1"], ["update", key.id], ["list", "--rpm", "1"]]) {
      const wrong = await keys(...args);
      assert.deepEqual([wrong.code, /usage:/.test(wrong.stderr)], [2, true], args.join(" "));
    }
  },
};

// A gateway of its own for each test, that is killed and started again over the same store.
async function reopen(world) {
  await world.gateway.kill();
  world.gateway = await startGateway(world.build, { dataDir: world.dataDir, config: world.config });
}

const restarts = {
  async "what was answered is there after a kill"(world) {
    const kept = [], revoked = [];
    for (let round = 0; round < 4; round++) {
      const key = await made(world, "/admin/keys", { name: `kept ${round}`, tags: { round: `${round}` } });
      const other = await made(world, "/admin/keys", { name: `revoked ${round}` });
      await made(world, "/admin/workspaces", { id: `w${round}`, plan: "pro" });
      await made(world, "/admin/teams", { id: `t${round}`, workspace: `w${round}` });
      await changed(world, "PATCH", `/admin/keys/${key.id}`, { limits: { rpm: 500 + round } });
      await changed(world, "DELETE", `/admin/keys/${other.id}`);
      kept.push(key);
      revoked.push(other);
      await reopen(world);
      for (const [i, { id, secret }] of kept.entries()) {
        assert.equal((await changed(world, "GET", `/admin/keys/${id}`)).limits.rpm, 500 + i);
        assert.deepEqual(await ask(world, secret, { count: 4 }), ["200"]);
      }
      for (const { secret } of revoked) assert.deepEqual(await ask(world, secret, { count: 4 }), ["401 revoked_api_key"]);
      assert.equal((await changed(world, "GET", `/admin/teams/t${round}`)).workspace, `w${round}`);
    }
    const { data } = await changed(world, "GET", "/admin/audit?limit=1000");
    assert.equal(data.length, 4 * 6, "each change left one record");
  },

  async "a declared key's revocation and a rotation outlive it too"(world) {
    const spare = (await changed(world, "GET", "/admin/keys?limit=1000")).data.find(({ name }) => name === "spare");
    const key = await made(world, "/admin/keys", { name: "rotated" });
    const second = await changed(world, "POST", `/admin/keys/${key.id}/rotate`, {});
    await changed(world, "DELETE", `/admin/keys/${spare.id}`);
    await reopen(world);
    assert.deepEqual(await ask(world, "spare-secret", { count: 4 }), ["401 revoked_api_key"]);
    for (const secret of [key.secret, second.secret]) assert.deepEqual(await ask(world, secret, { count: 4 }), ["200"]);
  },

  async "a deployment that an operator disabled stays so, until it is enabled"(world) {
    const { data } = await changed(world, "GET", "/admin/deployments");
    const { deployment } = data.find(({ models }) => models.includes("test/mock"));
    const state = async () => (await changed(world, "GET", "/admin/deployments")).data.find((one) => one.deployment === deployment).state;
    await changed(world, "POST", "/admin/deployments/disable", { deployment });
    await reopen(world);
    assert.equal(await state(), "disabled");
    await changed(world, "POST", "/admin/deployments/enable", { deployment });
    await reopen(world);
    assert.equal(await state(), "in_use");
  },

  async "what is declared since counts, and what was stored is there again when it is not"(world) {
    await made(world, "/admin/teams", { id: "later", limits: { rpm: 3 } });
    const { config } = world;
    world.config = config.replace("teams: [", "teams: [{ id: later, limits: { rpm: 9 } }, ");
    await reopen(world);
    const shown = await changed(world, "GET", "/admin/teams/later");
    assert.deepEqual([shown.declared, shown.limits.rpm], [true, 9]);
    for (const [method, body] of [["PATCH", { limits: { rpm: 4 } }], ["DELETE"]])
      assert.equal((await admin(world, method, "/admin/teams/later", body)).body.error.code, "declared_in_config");
    world.config = config;
    await reopen(world);
    const again = await changed(world, "GET", "/admin/teams/later");
    assert.deepEqual([again.declared, again.limits.rpm], [false, 3]);
  },

  async "a change under load and a kill: answered changes hold, and no other"(world) {
    const keys = await Promise.all(Array.from({ length: 16 }, (_, i) => made(world, "/admin/keys", { name: `loaded ${i}` })));
    const answered = new Set();
    const changes = keys.map(async ({ id }) => {
      const answer = await admin(world, "DELETE", `/admin/keys/${id}`).catch(() => null);
      if (answer?.status === 200) answered.add(id);
    });
    await Promise.race(changes);
    await reopen(world);
    await Promise.all(changes);
    assert.ok(answered.size > 0);
    const audit = (await changed(world, "GET", "/admin/audit?action=key.revoke&limit=1000")).data.map(({ object }) => object);
    for (const { id } of keys) {
      const { status } = await changed(world, "GET", `/admin/keys/${id}`);
      if (answered.has(id)) assert.equal(status, "revoked", id);
      assert.equal(audit.includes(id), status === "revoked", "a change and its audit record are there together");
    }
  },
};

export async function openToRestart(build, options = {}) {
  const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
  const config = configuration({ port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2, extra: declared, ...options });
  const world = { build, dataDir, mock, port, config, base: `http://127.0.0.1:${port}`, gateway: await startGateway(build, { dataDir, config }) };
  world.close = async () => {
    const { code } = await world.gateway.stop();
    await mock.stop();
    assert.equal(code, 0, world.gateway.child.output().slice(-4000));
    fs.rmSync(dataDir, { recursive: true, force: true });
  };
  return world;
}

const declared = `  - { name: spare, secret: spare-secret }
workspaces: [{ id: declared }]
teams: [{ id: declared, workspace: declared }]
`;

export const suites = [
  { name: "admin keys", open: (build) => openWorld(build, { shards: 4, extra: declared }), tests: keys },
  { name: "admin fields", open: (build) => openWorld(build), tests: fields },
  { name: "admin roles", open: (build) => openWorld(build, { shards: 2 }), tests: roles },
  { name: "admin permits", open: (build) => openWorld(build, { shards: 2 }), tests: permits },
  { name: "admin command", open: (build) => openWorld(build), tests: command },
  { name: "admin restarts", open: openToRestart, tests: restarts },
  {
    name: "admin connections",
    open: openWithWitness,
    tests: connections,
  },
  { name: "admin tenants", open: (build) => openWorld(build, { shards: 2 }), tests: tenants },
];
