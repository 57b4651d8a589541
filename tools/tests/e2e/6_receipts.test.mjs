// Receipts as they are asked for, and what of a call they, the access log and the metrics have to agree on.
import assert from "node:assert/strict";
import { KEY, MASTER_KEY, chat, eventually, openWorld, post, raw, run, sse } from "./harness.mjs";

const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };

const list = async (world, query) => {
  const answer = await fetch(`${world.base}/admin/receipts?${query}`, admin);
  assert.equal(answer.status, 200, query);
  return (await answer.json()).data;
};

const command = (world, ...args) =>
  run(`${world.build}/tollgate`, ["receipts", "--url", world.base, "--json", ...args], { TOLLGATE_MASTER_KEY: MASTER_KEY });

// The access log's line of a request: a JSON object among what the gateway wrote.
const logged = (world, id) => eventually(() => {
  const line = world.gateway.child.output().split("\n").find((one) => one.startsWith("{") && one.includes(id));
  return line && JSON.parse(line);
}, `the log line of ${id}`);

async function counted(world, label) {
  const text = await (await fetch(`${world.base}/metrics`)).text();
  return Number(text.match(new RegExp(`^tollgate_requests_total\\{api="chat.completions",class="${label}"\\} (\\d+)`, "m"))?.[1] ?? 0);
}

const filters = {
  async "fallback and cache filter the list and the command"(world) {
    const ids = {};
    for (const model of ["test/mock", "test/rescued-from-500", "test/mock-status-500"]) {
      const answer = await post(world, "/v1/chat/completions", chat(model));
      await answer.text();
      ids[model] = answer.headers.get("x-request-id");
    }
    const found = async (query) => (await list(world, query)).map((receipt) => receipt.request_id);
    assert.deepEqual(await found("fallback=true"), [ids["test/rescued-from-500"]]);
    assert.deepEqual(await found("fallback=false"), [ids["test/mock-status-500"], ids["test/mock"]]);
    assert.deepEqual(await found("fallback=false&status=502"), [ids["test/mock-status-500"]]);
    assert.equal((await found("cache=bypass")).length, 3);
    for (const status of ["hit", "semantic", "miss"]) assert.deepEqual(await found(`cache=${status}`), []);
    for (const receipt of await list(world, "fallback=true")) assert.equal(receipt.fallback.used, true);

    const rescued = await command(world, "--fallback", "true");
    assert.equal(rescued.code, 0, rescued.stderr);
    assert.equal(JSON.parse(rescued.stdout).request_id, ids["test/rescued-from-500"]);
    const bypassed = await command(world, "--fallback", "false", "--cache", "bypass");
    assert.deepEqual(bypassed.stdout.trim().split("\n").map((line) => JSON.parse(line).request_id),
      [ids["test/mock-status-500"], ids["test/mock"]]);
    assert.equal((await command(world, "--cache", "hit")).stdout, "");
  },

  async "a body that is refused on its way leaves a receipt under the id that its client was told"(world) {
    const text = await raw(world.port, `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n` +
      "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 413 /);
    const id = text.match(/^x-request-id: (\S+)\r$/im)[1];
    assert.ok(text.includes(`"request_id":"${id}"`), text);
    const receipt = await (await fetch(`${world.base}/admin/receipts/${id}`, admin)).json();
    assert.equal(receipt.status, 413);
  },

  async "a filter that will not do is named"(world) {
    for (const [query, param] of [["fallback=yes", "fallback"], ["fallback=", "fallback"], ["cache=warm", "cache"], ["cache=", "cache"],
      ["status=99", "status"], ["limit=0", "limit"], ["since=yesterday", "since"], ["until=2026-13-01", "until"], ["cursor=x", "cursor"],
      ["colour=red", "colour"], ["limit=5&fallback=maybe", "fallback"]]) {
      const answer = await fetch(`${world.base}/admin/receipts?${query}`, admin);
      assert.equal(answer.status, 400, query);
      const { error } = await answer.json();
      assert.equal(error.type, "invalid_request_error", query);
      assert.equal(error.param, param, query);
    }
    for (const args of [["--fallback", "yes"], ["--cache", "warm"], ["--id", "req_1", "--cache", "hit"]])
      assert.equal((await command(world, ...args)).code, 2, args.join(" "));
  },

  async "a stream that broke after its head left keeps its error's status everywhere"(world) {
    for (const [model, status] of [["test/mock-cut", 502], ["test/mock-no-done", 502], ["test/mock-error-event", 502],
      ["test/mock-stall-body", 504], ["test/mock-stall-head", 504]]) {
      const before = await counted(world, "5xx");
      const answer = await post(world, "/v1/chat/completions", chat(model, { stream: true }));
      assert.equal(answer.status, 200, model);
      const id = answer.headers.get("x-request-id");
      const { events } = await sse(answer);
      assert.ok(JSON.parse(events.filter((event) => event.startsWith("data: ")).at(-1).slice(6)).error, model);
      const receipt = (await list(world, "limit=1"))[0];
      assert.equal(receipt.request_id, id, model);
      assert.equal(receipt.status, status, model);
      assert.equal(receipt.routing.winner, null, model);
      assert.equal(receipt.fallback.attempts.length, 1, model);
      assert.equal((await logged(world, id)).status, status, model);
      assert.equal(await counted(world, "5xx"), before + 1, model);
    }
  },
};

export const suites = [{ name: "receipts", open: (build) => openWorld(build), tests: filters }];
