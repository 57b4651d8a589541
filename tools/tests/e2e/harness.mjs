// What the end-to-end tests stand on: processes that are started on free ports and always ended, a list of tests, small helpers.
// A test is a name and an async function that gets a `world`: a gateway and a simulator of its own suite.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

export const KEY = "demo-key-for-tests-0123456789";
export const OTHER_KEY = "other-key-for-tests-0123456789";
export const MASTER_KEY = "master-key-for-tests-0123456789";

const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// Starts a program and resolves when `ready` matches what it writes; rejects with its output when it ends before.
export function start(program, args, { ready, env = {} }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.output = () => output;
    child.ended = new Promise((done) => child.once("exit", (code, signal) => {
      running.delete(child);
      done({ code, signal });
    }));
    running.add(child);
    const onData = (data) => {
      output += data;
      const match = ready && output.match(ready);
      if (match) {
        ready = null;
        resolve({ child, match });
      }
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", reject);
    child.ended.then(({ code, signal }) => reject(new Error(`${path.basename(program)} ended (${code ?? signal}):\n${output}`)));
  });
}

export function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "", stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

export async function startMock(build, port = 0) {
  const { child, match } = await start(`${build}/mockllm`, ["--listen", `127.0.0.1:${port}`], { ready: /listening on \S*:(\d+)/ });
  const base = `http://127.0.0.1:${match[1]}`;
  return {
    child, base, port: Number(match[1]),
    stats: async () => (await fetch(`${base}/mock/stats`)).json(),
    last: async () => (await fetch(`${base}/mock/last`)).text(),
    stop: async () => {
      child.kill("SIGTERM");
      await child.ended;
    },
  };
}

// Names that clients use; the simulator behaves as the upstream name says.
const FAULTS = ["mock", "mock-status-400", "mock-status-401", "mock-status-403", "mock-status-404", "mock-status-408", "mock-status-409",
  "mock-status-413", "mock-status-422", "mock-status-429", "mock-status-500", "mock-status-502", "mock-status-503", "mock-status-504",
  "mock-status-529", "mock-retry-after-7", "mock-refuse", "mock-reset", "mock-stall-head", "mock-stall-body", "mock-truncated",
  "mock-invalid-json", "mock-drip", "mock-cut", "mock-no-done", "mock-error-event", "mock-large-300", "mock-no-usage", "mock-tool",
  "mock-split", "mock-slow-150", "mock-events-100", "mock-events-1000-paced-20", "mock-events-20000", "mock-events-3-paced-600"];

// What a provider says of a credential holds for all that uses it: these have one each.
const OF_CREDENTIALS = ["mock-status-401", "mock-status-403", "mock-status-429", "mock-retry-after-7"];

// Most tests look at one failure at a time, over and over: no breaker opens, and each call may be tried again.
export const PATIENT = "retries: { budget_percent: 100 }, breaker: { consecutive_failures: 1000000, min_requests: 1000000 }";

export function configuration({ port, mockPort, dataDir, durability = "process", shards = 1, admin = "", http = "", keepaliveMs = 300, drainMs = 3000,
  extraProviders = "", extraModels = "", extra = "" }) {
  const served = (name) => (OF_CREDENTIALS.includes(name)
    ? `deployments: [{ provider: mock-credentials, credential: of-${name}, upstream_model: ${name} }]`
    : `provider: mock, upstream_model: ${name}`);
  const models = FAULTS.map((name) =>
    `  - { id: test/${name}, ${served(name)}, aliases: [${name}], price: { input: 0.15, cached_input: 0.075, output: 0.60 } }`);
  return `listen:
  - address: 127.0.0.1:${port}
admin:
  master_key: ${MASTER_KEY}
${admin}data_dir: ${dataDir}
durability: ${durability}
shards: ${shards}
log: { level: info, format: json, access: true }
${/^lockout:/m.test(extra) ? "" : "lockout: { failures: 0 }\n"}http: { keepalive_ms: ${keepaliveMs}${http} }
drain_timeout_ms: ${drainMs}
${/^routing:/m.test(extra) ? "" : `routing: { ${PATIENT} }\n`}providers:
  - name: mock
    kind: openai_compatible
    base_url: http://127.0.0.1:${mockPort}/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
  - name: mock-credentials
    kind: openai_compatible
    base_url: http://127.0.0.1:${mockPort}/v1
    credentials: [${OF_CREDENTIALS.map((name) => `{ name: of-${name}, api_key: upstream-secret }`).join(", ")}]
    timeouts: { connect_ms: 500, head_ms: 1500, first_token_ms: 1500, idle_ms: 1500, total_ms: 10000 }
  - name: nowhere
    kind: openai_compatible
    base_url: http://127.0.0.1:1/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
${extraProviders.replaceAll("MOCK", mockPort)}models:
${models.join("\n")}
  - { id: test/nowhere, provider: nowhere, upstream_model: mock, price: { input: 1, output: 1 } }
  - { id: test/rescued, provider: nowhere, upstream_model: mock, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: test/rescued-from-500, provider: mock, upstream_model: mock-status-500, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: test/rescued-from-refuse, provider: mock, upstream_model: mock-refuse, fallback: [test/mock], price: { input: 1, output: 1 } }
  - { id: test/unpriced, provider: mock, upstream_model: mock }
${extraModels}keys:
  - { name: demo, secret: ${KEY} }
  - { name: narrow, secret: ${OTHER_KEY}, models: ["test/mock"], scopes: [chat, models] }
${extra}`;
}

export async function startGateway(build, { dataDir, args = [], config, env = {} }) {
  const file = path.join(dataDir, "tollgate.yaml");
  fs.writeFileSync(file, config, { mode: 0o600 });
  const { child } = await start(`${build}/tollgate`, ["run", "-c", file, ...args], { ready: /; ready\n/, env });
  return {
    child, file,
    stop: async () => {
      child.kill("SIGTERM");
      return child.ended;
    },
    kill: async () => {
      child.kill("SIGKILL");
      return child.ended;
    },
  };
}

export function temporaryFolder() {
  return fs.mkdtempSync(path.join(os.tmpdir(), "tollgate-e2e-"));
}

export async function openWorld(build, options = {}) {
  const dataDir = temporaryFolder();
  const mock = await startMock(build);
  const port = await freePort();
  const config = configuration({ port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), ...options });
  const gateway = await startGateway(build, { dataDir, config, args: options.args });
  return {
    build, dataDir, mock, gateway, port, base: `http://127.0.0.1:${port}`,
    close: async () => {
      const { code, signal } = await gateway.stop();
      await mock.stop();
      assert.equal(code, 0, `the gateway ended with ${code ?? signal}:\n${gateway.child.output().slice(-4000)}`);
      fs.rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export function post(world, target, body, { key = KEY, headers = {}, ...rest } = {}) {
  return fetch(`${world.base}${target}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...rest,
  });
}

// Puts back into use what was learnt to be left alone, for the next call to meet the same provider as the last.
export async function forgive(world) {
  const headers = { authorization: `Bearer ${MASTER_KEY}`, "content-type": "application/json" };
  const list = async () => (await (await fetch(`${world.base}/admin/deployments`, { headers })).json()).data;
  for (const { deployment, state } of await list())
    if (state !== "in_use") await fetch(`${world.base}/admin/deployments/enable`, { method: "POST", headers, body: JSON.stringify({ deployment }) });
  await eventually(async () => (await list()).every(({ state }) => state === "in_use"), "all shards know");
}

export const chat = (model, more = {}) => ({ model, messages: [{ role: "user", content: "Say hello." }], ...more });

// Sends bytes as they are and resolves with all that came back until the peer closes, `until` matches, or 5 s have gone by.
export function raw(port, pieces, until = null) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    let text = "";
    const timer = setTimeout(() => finish(), 5000);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    socket.on("connect", async () => {
      for (const piece of [].concat(pieces)) {
        if (!socket.writable) break;
        socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
        await new Promise((next) => setImmediate(next));
      }
    });
    socket.on("data", (data) => {
      text += data.toString("latin1");
      if (until && until.test(text)) finish();
    });
    socket.on("end", finish);
    socket.on("error", (error) => (text ? finish() : (clearTimeout(timer), reject(error))));
  });
}

// Asks again until `check` is true: for what another process has to notice first.
export async function eventually(check, what, timeoutMs = 10000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`did not happen in ${timeoutMs} ms: ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}

export async function sse(response) {
  const text = await response.text();
  return { text, events: text.split("\n\n").filter(Boolean) };
}
