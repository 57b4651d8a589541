// A gateway and a simulator under watch: calls that never throw, what the gateway holds (descriptors, memory, receipts), and the
// way back to the start that every world has to find in the end.
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { KEY, MASTER_KEY, chat, configuration, eventually, freePort, run, startGateway, startMock, temporaryFolder } from "../e2e/harness.mjs";

// Of a provider that is given time, for cases in which many calls at once or a busy machine are not what is tried.
const PATIENT = ["mock", "mock-events-100-paced-20", "mock-events-400000", "mock-events-3-paced-600", "mock-stall-head", "mock-slow-5000"];
const PROVIDER = `  - name: patient
    kind: openai_compatible
    base_url: http://127.0.0.1:MOCK/v1
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: 30000, head_ms: 30000, first_token_ms: 30000, idle_ms: 30000, total_ms: 60000 }
`;
const WARM_UP_CALLS = 300, BACK_MS = 20000, CALL_MS = 60000;

export const quiet = (ms) => new Promise((next) => setTimeout(next, ms));

// At most `width` of `tasks` at a time, all of them in the end.
export async function parallel(tasks, width) {
  const left = [...tasks];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let task; (task = left.shift());) await task();
  }));
}

// Resolves with { status, headers, text, whole } or, without a status, with { failure }: a refused or broken connection is a result.
export function send(world, method, target, { body, headers = {}, agent = world.agent, onHead } = {}) {
  return new Promise((resolve) => {
    const request = http.request({ host: "127.0.0.1", port: world.port, method, path: target, agent, headers: {
      authorization: `Bearer ${target.startsWith("/admin") ? MASTER_KEY : KEY}`,
      ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }), ...headers,
    } });
    const timer = setTimeout(() => request.destroy(new Error(`no answer in ${CALL_MS} ms`)), CALL_MS);
    const done = (result) => {
      clearTimeout(timer);
      resolve(result);
    };
    request.on("error", (error) => done({ failure: error.code ?? error.message }));
    request.on("response", (answer) => {
      let text = "";
      onHead?.(answer);
      answer.setEncoding("utf8");
      answer.on("data", (data) => (text += data));
      answer.on("error", () => {});
      answer.on("close", () => {
        const result = { status: answer.statusCode, headers: answer.headers, text, whole: answer.complete };
        if (method === "POST" && result.status === 200 && result.whole && isWhole(result)) world.answered.push(answer.headers["x-request-id"]);
        done(result);
      });
    });
    request.end(body);
  });
}

const isWhole = ({ headers, text }) => !headers["content-type"]?.startsWith("text/event-stream") || text.endsWith("data: [DONE]\n\n");

export const ask = (world, model, { stream = false, ...rest } = {}) =>
  send(world, "POST", "/v1/chat/completions", { body: JSON.stringify(chat(model, stream ? { stream } : {})), ...rest });

// An answer in a few words: what the table is written in.
export function inWords(answer) {
  if (answer.failure) return `connection: ${answer.failure}`;
  if (answer.headers["content-type"]?.startsWith("text/event-stream")) {
    const last = answer.text.split("\n\n").filter((event) => event.startsWith("data: ")).at(-1)?.slice(6);
    if (!answer.whole) return "stream cut";
    if (last === "[DONE]") return `${answer.status} served`;
    return `event ${JSON.parse(last ?? "{}").error?.type ?? "none"}`;
  }
  if (answer.status === 200) return answer.whole ? "200 served" : "answer cut";
  return `${answer.status} ${JSON.parse(answer.text).error.type}`;
}

// How many of each: { "200 served": 40 }.
export function tally(words) {
  const counts = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

async function allReceipts(world) {
  const receipts = [];
  for (let cursor = ""; ;) {
    const page = JSON.parse((await send(world, "GET", `/admin/receipts?limit=1000${cursor}`)).text);
    receipts.push(...page.data);
    if (!page.next_cursor) return receipts;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

// Exact: a JSON number's digits as they stand would be better still, but nine places of small sums survive the double.
const nanoUsd = (usd) => BigInt(Math.round(usd * 1e9));

async function spendOf(world) {
  return nanoUsd(JSON.parse((await send(world, "GET", "/admin/status")).text).store.spend_usd);
}

export async function receiptOf(world, id) {
  const answer = await send(world, "GET", `/admin/receipts/${id}`);
  return answer.status === 200 ? JSON.parse(answer.text) : null;
}

export async function metric(world, name) {
  const { text = "" } = await send(world, "GET", "/metrics", { agent: false });
  return Number(text.match(new RegExp(`^${name} (\\S+)`, "m"))?.[1]);
}

// Sockets the process holds; null where /proc does not tell (only root may look into a process that may not be dumped).
function sockets(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).filter((fd) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
      } catch {
        return false; // closed meanwhile
      }
    }).length;
  } catch {
    return null;
  }
}

export const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

export const residentMb = (pid) =>
  Number(fs.readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m)[1]) / 1024;

export async function openWorld(build, { dataDir = null, options = {}, args = [], env = {} } = {}) {
  const folder = temporaryFolder();
  const world = {
    build, folder, args, env, answered: [], agent: new http.Agent({ keepAlive: true, maxSockets: Infinity }),
    data: path.join(dataDir ?? folder, "data"), port: await freePort(), mock: await startMock(build),
  };
  world.config = configuration({ port: world.port, mockPort: world.mock.port, dataDir: world.data, ...options,
    extraProviders: PROVIDER + (options.extraProviders ?? ""),
    extraModels: PATIENT.map((name) => `  - { id: patient/${name}, provider: patient, upstream_model: ${name}, price: { input: 1, output: 2 } }\n`)
      .join("") + (options.extraModels ?? "") });
  world.start = async () => {
    world.gateway = await startGateway(build, { dataDir: folder, config: world.config, args, env });
    world.pid = world.gateway.child.pid;
    world.socketsAtStart = sockets(world.pid);
    await parallel(Array.from({ length: WARM_UP_CALLS }, (_, i) => () => ask(world, "patient/mock", { stream: i % 2 === 1 })), 16);
    world.rssAtStart = residentMb(world.pid);
  };
  await world.start();
  return world;
}

// Everything that was lent comes back: clients leave, then the simulator, and the gateway has the sockets that it began with.
async function wayBack(world, facts) {
  world.agent.destroy();
  await world.mock.stop();
  facts.rssGrowthMb = Math.round(residentMb(world.pid) - world.rssAtStart);
  if (world.socketsAtStart === null) {
    await eventually(async () => (await metric(world, "tollgate_connections")) === 1 &&
      (await metric(world, "tollgate_upstream_connections")) === 0, "connections back to the start", BACK_MS);
  } else {
    await eventually(() => sockets(world.pid) === world.socketsAtStart, "sockets back to the start", BACK_MS).catch(() => {});
    facts.socketsLeft = sockets(world.pid) - world.socketsAtStart;
  }
}

// What holds of every world in the end, whatever was done to it. Closes it.
export async function closeWorld(world) {
  const facts = {};
  const receipts = await allReceipts(world);
  const seen = new Map();
  for (const { request_id: id } of receipts) seen.set(id, (seen.get(id) ?? 0) + 1);
  facts.receiptsLost = world.answered.filter((id) => !seen.has(id)).length;
  facts.receiptsTwice = [...seen.values()].filter((count) => count > 1).length;
  facts.spendIsTheSum = await spendOf(world) === receipts.reduce((sum, receipt) => sum + nanoUsd(receipt.cost.total_usd), 0n);
  const inFlight = async () => (facts.callsInFlight = await metric(world, "tollgate_requests_in_flight") - 1); // but for this one
  await eventually(async () => await inFlight() === 0, "calls end", BACK_MS).catch(() => {});
  await wayBack(world, facts);
  const { code, signal } = await world.gateway.stop();
  facts.exit = signal ?? code;
  if (facts.exit !== 0) console.log(world.gateway.child.output().slice(-3000));
  const checked = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.data]);
  facts.receiptsCheck = checked.code;
  if (checked.code !== 0) console.log(checked.stdout + checked.stderr);
  fs.rmSync(world.folder, { recursive: true, force: true });
  return facts;
}

export async function abandonWorld(world) {
  world.agent.destroy();
  await world.gateway.kill();
  await world.mock.stop().catch(() => {});
  fs.rmSync(world.folder, { recursive: true, force: true });
}

export { assert, eventually };
