// Who gets in, by which door and from where: the admin API's own listener, expiry, address ranges, proxies, reload.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, chat, freePort, openWorld, post, run } from "./harness.mjs";

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

export const suites = [ownListener];
