// How long things are kept: receipts whose workspace's days are over, and what becomes of look-ups, sums and the chain.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { KEY, MASTER_KEY, chat, configuration, eventually, freePort, post, run, startGateway, startMock, temporaryFolder } from "./harness.mjs";

const OLD = 3000; // receipts of the first minute of 2026, which `lookup` writes
const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
const client = { headers: { authorization: `Bearer ${KEY}` } };

const ask = async (world, target, headers = admin) => {
  const answer = await fetch(`${world.base}${target}`, headers);
  return { status: answer.status, body: await answer.json() };
};

const metric = async (world, name) =>
  Number((await (await fetch(`${world.base}/metrics`)).text()).match(new RegExp(`^${name} (\\d+)`, "m"))[1]);

const spent = async (world) => (await ask(world, "/admin/spend?by=workspace")).body;

function retaining(world, retention) {
  return startGateway(world.build, { dataDir: world.dataDir, config: configuration({ ...world.options,
    extra: `workspaces: [{ id: default, retention: { ${retention} } }]\n` }) });
}

async function checked(world, expected) {
  const { code, stdout } = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.options.dataDir]);
  assert.match(stdout, expected, stdout);
  assert.equal(code, 0, stdout);
}

async function fill(world, count) {
  const { code, stderr } = await run(`${world.build}/lookup`, ["--dir", world.options.dataDir, "--receipts", String(count), "--lookups", "1",
    "--per-second", "1000"]);
  assert.equal(code, 0, stderr);
}

const receipts = {
  async "old receipts go, new ones stay; the chain verifies and spend does not change"(world) {
    await fill(world, OLD);

    let gateway = await retaining(world, "receipts_days: 3650");
    const kept = (await ask(world, "/admin/receipts?limit=1")).body.data[0].request_id;
    const before = await spent(world);
    assert.equal((await ask(world, `/v1/receipts/${kept}`, client)).status, 200);
    assert.equal((await gateway.stop()).code, 0);
    await checked(world, /: sound/);

    gateway = await retaining(world, "receipts_days: 90");
    await eventually(async () => await metric(world, "tollgate_store_receipts_expired_total") >= OLD, "old receipts expire");
    for (const headers of [admin, client]) {
      const gone = await ask(world, `${headers === admin ? "/admin" : "/v1"}/receipts/${kept}`, headers);
      assert.equal(gone.status, 404);
      assert.equal(gone.body.error.code, "receipt_expired");
      assert.match(gone.body.error.message, /kept for 90 days/);
    }
    assert.deepEqual((await ask(world, "/admin/receipts?limit=10")).body.data, []);
    assert.deepEqual(await spent(world), before);

    const answer = await post(world, "/v1/chat/completions", chat("test/mock"));
    await answer.text();
    const fresh = answer.headers.get("x-request-id");
    assert.equal((await ask(world, `/v1/receipts/${fresh}`, client)).body.request_id, fresh);
    assert.equal((await gateway.stop()).code, 0);
    await checked(world, /^\d{4} receipts have expired.*: sound$/ms);

    gateway = await retaining(world, "receipts_days: 90");
    assert.deepEqual((await ask(world, "/admin/receipts?limit=10")).body.data.map((one) => one.request_id), [fresh]);
    assert.equal((await gateway.stop()).code, 0);
  },
};

const killed = {
  async "SIGKILL while receipts expire, again and again: what is left verifies, and in the end all are gone"(world) {
    await fill(world, 200000);
    const none = async () => (await ask(world, "/admin/receipts?limit=1")).body.data.length === 0;
    for (const goal of [1, 20000, 40000]) { // of each life, or all that a life before it left
      const gateway = await retaining(world, "receipts_days: 90");
      await eventually(async () => await metric(world, "tollgate_store_receipts_expired_total") >= goal || await none(), `${goal} expire`);
      await gateway.kill();
      await checked(world, /^\d+ receipts have expired.*: sound$/ms);
    }
    const gateway = await retaining(world, "receipts_days: 90");
    await eventually(none, "all are gone", 30000);
    assert.equal((await gateway.stop()).code, 0);
    await checked(world, /^200\d+ receipts have expired.*: sound$/ms);
  },
};

const MARK = "a marker that nobody else would write 7f3a";
const KEEPING_KEY = "keeping-key-for-tests-0123456789", PROMPTS_KEY = "prompts-key-for-tests-0123456789";

// What any file of a folder holds in clear, the database's log and the journals included.
function filesWith(folder, text) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const whole = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...filesWith(whole, text));
    else if (fs.readFileSync(whole).includes(text)) found.push(whole);
  }
  return found;
}

const asked = [
  ["/v1/chat/completions", { model: "test/mock", messages: [{ role: "user", content: MARK }] }],
  ["/v1/chat/completions", { model: "test/mock", stream: true, messages: [{ role: "user", content: MARK }] }],
  ["/v1/completions", { model: "test/mock", prompt: MARK }],
  ["/v1/messages", { model: "test/mock", max_tokens: 50, stream: true, messages: [{ role: "user", content: MARK }] }],
  ["/v1/responses", { model: "test/mock", store: false, stream: true, input: MARK }],
  ["/v1/embeddings", { model: "test/mock", input: MARK }],
  ["/v1/chat/completions", { model: "test/mock-status-500", messages: [{ role: "user", content: MARK }] }],
];

// The text that a client reads off a stream of any dialect.
const streamed = (text) => text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)))
  .map((event) => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? (/text\.delta$/.test(event.type) ? event.delta : "")).join("");

async function askAll(world, key) {
  const answers = [];
  for (const [target, body] of asked) {
    const answer = await post(world, target, body, { key });
    answers.push({ id: answer.headers.get("x-request-id"), status: answer.status, body, text: await answer.text() });
  }
  return answers;
}

const content = (world, id, token = MASTER_KEY) =>
  ask(world, `/admin/receipts/${id}/content`, { headers: { authorization: `Bearer ${token}` } });

const contents = {
  async "nothing of a prompt reaches the disk unless its workspace says so"(world) {
    const gateway = await startGateway(world.build, { dataDir: world.dataDir, config: configuration(world.options) });
    const answers = await askAll(world, KEY);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200, 200, 502]);
    const none = await content(world, answers[0].id);
    assert.equal(none.status, 404);
    assert.equal(none.body.error.code, "content_not_kept");
    assert.deepEqual(filesWith(world.options.dataDir, MARK), []);
    assert.equal((await gateway.stop()).code, 0);
    assert.deepEqual(filesWith(world.options.dataDir, MARK), []);
    assert.ok(!gateway.child.output().includes(MARK));
  },

  async "a workspace keeps both, or prompts alone: sealed, for those who may look"(world) {
    const gateway = await startGateway(world.build, { dataDir: world.dataDir, config: configuration({ ...world.options,
      extra: `  - { name: keeping, secret: ${KEEPING_KEY}, workspace: keeping }
  - { name: prompts, secret: ${PROMPTS_KEY}, workspace: prompts }
workspaces:
  - { id: keeping, retention: { store_prompts: true, store_responses: true } }
  - { id: prompts, retention: { store_prompts: true } }
` }) });
    for (const { id, status, body, text } of await askAll(world, KEEPING_KEY)) {
      const kept = await eventually(async () => {
        const found = await content(world, id);
        return found.status === 200 && found.body;
      }, `the content of ${id}`);
      assert.equal(kept.workspace, "keeping");
      assert.ok(JSON.stringify(kept.request).includes(MARK), JSON.stringify(kept.request));
      assert.equal(kept.request.model, body.model);
      if (status !== 200) assert.equal(kept.response, null);
      else if (body.stream) assert.equal(kept.response, streamed(text));
      else assert.deepEqual(kept.response, JSON.parse(text));
      if (body.stream) assert.ok(kept.response.length > 0);
      assert.deepEqual([kept.request_truncated, kept.response_truncated], [false, false]);
    }
    const long = await post(world, "/v1/chat/completions", chat("test/mock", { messages: [{ role: "user", content: "x".repeat(1100000) }] }),
      { key: PROMPTS_KEY });
    await long.text();
    const cut = await eventually(async () => {
      const found = await content(world, long.headers.get("x-request-id"));
      return found.status === 200 && found.body;
    }, "the long one's content");
    assert.equal(cut.request.length, 1 << 20);
    assert.deepEqual([cut.request_truncated, cut.response, cut.response_truncated], [true, null, false]);

    const id = long.headers.get("x-request-id");
    for (const [role, status] of [["owner", 200], ["admin", 200], ["developer", 200], ["billing", 403], ["viewer", 403]]) {
      const token = await (await post(world, "/admin/tokens", { name: role, role }, { key: MASTER_KEY })).json();
      assert.equal((await content(world, id, token.secret)).status, status, role);
    }
    assert.equal((await content(world, "req_01J00000000000000000000000")).status, 404);
    const shown = await run(`${world.build}/tollgate`, ["receipts", "--url", world.base, "--json", "--id", id, "--content"],
      { TOLLGATE_MASTER_KEY: MASTER_KEY });
    assert.equal(JSON.parse(shown.stdout).request, cut.request, shown.stderr);
    assert.equal(await metric(world, "tollgate_content_lost_total"), 0);
    assert.equal((await gateway.stop()).code, 0);
    assert.deepEqual(filesWith(world.options.dataDir, MARK), []);
    assert.ok(!gateway.child.output().includes(MARK));

    const again = await startGateway(world.build, { dataDir: world.dataDir, config: configuration(world.options) });
    await eventually(async () => await metric(world, "tollgate_sealed_rows") >= asked.length, "the sealed rows are counted");
    assert.ok(await metric(world, "tollgate_sealed_bytes") > 1 << 20);
    assert.equal((await content(world, id)).body.request_truncated, true, "the content outlives a restart");
    assert.equal((await again.stop()).code, 0);
  },
};

async function open(build) {
  const dataDir = temporaryFolder();
  const mock = await startMock(build);
  const port = await freePort();
  const data = path.join(dataDir, "data");
  fs.mkdirSync(data, { mode: 0o700 });
  return {
    build, dataDir, port, base: `http://127.0.0.1:${port}`, options: { port, mockPort: mock.port, dataDir: data },
    close: async () => {
      await mock.stop();
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export const suites = [
  { name: "retention receipts", open, tests: receipts },
  { name: "retention killed", open, tests: killed },
  { name: "retention contents", open, tests: contents },
];
