// Routing that changes while the gateway runs: each change is in force on every shard before its answer, outlives a kill and a reload,
// and leaves alone what the configuration file says.
import assert from "node:assert/strict";
import fs from "node:fs";
import { PATIENT, chat, eventually, post, startGateway } from "./harness.mjs";
import { admin, openToRestart } from "./9_tenancy.test.mjs";

const ROUTING = `routing: { ${PATIENT}, baseline_model: test/mock }\n`;

async function patched(world, patch) {
  const answer = await admin(world, "PATCH", "/admin/routing", patch);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

async function shown(world) {
  const answer = await admin(world, "GET", "/admin/routing");
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

// What calls on many connections, so that every shard is asked, say of a body: each once.
async function ask(world, body, count = 24) {
  const answers = await Promise.all(Array.from({ length: count }, async () => {
    const answer = await post(world, "/v1/chat/completions", body, { headers: { connection: "close" } });
    const { error } = await answer.json();
    return error ? `${answer.status} ${error.code}` : answer.headers.get("x-gateway-decision");
  }));
  return [...new Set(answers)];
}

const { model, ...unnamed } = chat("test/mock");

const tests = {
  async "a change is in force on every shard before its answer"(world) {
    for (let round = 0; round < 3; round++) {
      assert.equal((await patched(world, { default_model: "test/mock", blocked_models: [] })).default_model, "test/mock");
      assert.deepEqual(await ask(world, unnamed), ["test/mock"]);
      assert.equal((await patched(world, { default_model: "test/unpriced" })).default_model, "test/unpriced");
      assert.deepEqual(await ask(world, unnamed), ["test/unpriced"]);
      assert.deepEqual((await patched(world, { blocked_models: ["test/mock"] })).blocked_models, ["test/mock"]);
      const refused = await ask(world, chat("test/mock"));
      assert.equal(refused.length, 1);
      assert.match(refused[0], /^4/);
      assert.deepEqual(await ask(world, unnamed), ["test/unpriced"], "the other one stays");
    }
    await patched(world, { default_model: null, blocked_models: null });
    assert.deepEqual(await ask(world, chat("test/mock")), ["test/mock"]);
  },

  async "what is left out stays, and null is the default again"(world) {
    const before = await shown(world);
    const change = { default_priority: "latency", quality_threshold: 0.25, max_latency_ms: 700, allowed_providers: ["mock", "nowhere"],
      allowed_models: ["test/*"], fallback_enabled: false, score_always: true, stream_recovery: "continue", shadow_percent: 7, fallback_chain: ["test/mock"] };
    assert.deepEqual(await patched(world, change), { ...before, ...change });
    const hedged = await patched(world, { hedge: { enabled: true } });
    assert.deepEqual(hedged, { ...before, ...change, hedge: { enabled: true, after_percentile: 95 } });
    assert.deepEqual((await patched(world, { hedge: { after_percentile: 50 } })).hedge, { enabled: true, after_percentile: 50 });
    assert.deepEqual(await shown(world), { ...hedged, hedge: { enabled: true, after_percentile: 50 } });
    const nulls = Object.fromEntries([...Object.keys(change), "hedge"].map((name) => [name, null]));
    assert.deepEqual(await patched(world, nulls), before);
    assert.deepEqual(await shown(world), before);
  },

  async "bad fields are refused by name, and nothing changes"(world) {
    await patched(world, { quality_threshold: 0.4 });
    const before = await shown(world);
    for (const [body, param, code = "invalid_value", status = 400] of [
      [{ quality_threshold: 1.5 }, "quality_threshold"], [{ quality_threshold: "0.5" }, "quality_threshold"],
      [{ default_priority: "beauty" }, "default_priority"], [{ max_latency_ms: 0 }, "max_latency_ms"], [{ shadow_percent: 101 }, "shadow_percent"],
      [{ score_always: "true" }, "score_always"], [{ stream_recovery: "perhaps" }, "stream_recovery"],
      [{ hedge: { after_percentile: 100 } }, "hedge.after_percentile"], [{ hedge: { color: 1 } }, "hedge.color", "unknown_field"], [{ hedge: true }, "hedge"],
      [{ allowed_models: "test/*" }, "allowed_models"], [{ default_model: "test/none" }, "default_model"],
      [{ allowed_providers: ["mock", "none"] }, "allowed_providers"], [{ blocked_providers: ["none"] }, "blocked_providers"],
      [{ fallback_chain: ["auto"] }, "fallback_chain"], [{ rules: [] }, "rules"], [{ shadow_percents: 1 }, "shadow_percents", "unknown_field"],
      [{ score_always: true, quality_threshold: -1 }, "quality_threshold"],
      [[], null, "invalid_type"], ["{", null, "invalid_json"], ["", null, "invalid_json"],
      [{ baseline_model: "test/unpriced" }, "baseline_model", "declared_in_config", 409], [{ baseline_model: null }, "baseline_model", "declared_in_config", 409],
      [{ score_always: true, retries: { max_attempts: 1 } }, "retries", "declared_in_config", 409], [{ breaker: {} }, "breaker", "declared_in_config", 409],
    ]) {
      const answer = await admin(world, "PATCH", "/admin/routing", body);
      assert.deepEqual([answer.status, answer.body.error.code, answer.body.error.param], [status, code, param], `${JSON.stringify(body)}: ${answer.text}`);
      assert.deepEqual(await shown(world), before);
    }
    await patched(world, { quality_threshold: null });
  },

  async "the audit log has what was said before and after"(world) {
    await patched(world, { shadow_percent: 3 });
    await patched(world, { shadow_percent: null, max_latency_ms: 800 });
    const { data } = (await admin(world, "GET", "/admin/audit?action=routing.update&limit=1")).body;
    assert.deepEqual(data.map(({ action, object, workspace, before, after, actor }) => [action, object, workspace, before, after, actor.kind]),
      [["routing.update", "routing", null, { shadow_percent: 3 }, { max_latency_ms: 800 }, "master_key"]]);
  },

  async "the longest list that a body holds is read again"(world) {
    const allowed_models = Array.from({ length: 13000 }, () => "t*");
    assert.deepEqual((await patched(world, { allowed_models })).allowed_models, allowed_models);
    await world.gateway.kill();
    world.gateway = await startGateway(world.build, world);
    assert.deepEqual((await shown(world)).allowed_models, allowed_models);
    assert.deepEqual(await ask(world, chat("test/mock"), 4), ["test/mock"]);
    await patched(world, { allowed_models: null });
  },

  async "it outlives a kill and a reload, where the file's word counts"(world) {
    const before = await patched(world, { default_model: "test/mock", quality_threshold: 0.35, hedge: { enabled: true } });
    await world.gateway.kill();
    world.gateway = await startGateway(world.build, world);
    assert.deepEqual(await shown(world), before);
    assert.deepEqual(await ask(world, unnamed), ["test/mock"]);
    const reload = async (config, is) => {
      fs.writeFileSync(world.gateway.file, config, { mode: 0o600 });
      world.gateway.child.kill("SIGHUP");
      await eventually(async () => is(await shown(world)), "the reload");
    };
    await reload(world.config.replace("baseline_model: test/mock", "quality_threshold: 0.6"), ({ quality_threshold: is }) => is === 0.6);
    assert.deepEqual(await shown(world), { ...before, quality_threshold: 0.6, baseline_model: "openai/gpt-4o" });
    assert.deepEqual(await ask(world, unnamed), ["test/mock"]);
    const refused = await admin(world, "PATCH", "/admin/routing", { quality_threshold: 0.1 });
    assert.deepEqual([refused.status, refused.body.error.code], [409, "declared_in_config"]);
    assert.equal((await patched(world, { baseline_model: "test/unpriced" })).baseline_model, "test/unpriced");
    await reload(world.config, ({ quality_threshold: is }) => is === 0.35);
    assert.deepEqual(await shown(world), before, "what is stored is there again");
  },
};

export const suites = [{ name: "admin routing", open: (build) => openToRestart(build, { extra: ROUTING }), tests }];
