// What clients do to a gateway: read too slowly, write too slowly, come in thousands, leave half-way.
import net from "node:net";
import { KEY, chat } from "../e2e/harness.mjs";
import { ask, eventually, inWords, metric, parallel, quiet, residentMb, send, tally } from "./world.mjs";

const EVENT_BYTES = 250; // of a content event, at least

const requestFor = (model, stream, more = "") => {
  const body = JSON.stringify(chat(model, stream ? { stream } : {}));
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n` +
    `${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

// A connection that counts what it gets. `oneByOne` reads a byte a second; `unread` never reads.
function dial(port, { bytes = "", oneByOne = false, unread = false } = {}) {
  const it = { text: "", received: 0, closed: null };
  const onread = { buffer: Buffer.alloc(1), callback: () => {
    it.received++;
    setTimeout(() => it.socket.resume(), 1000).unref();
    return false;
  } };
  it.socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true, ...(oneByOne ? { onread } : {}) });
  it.opened = new Promise((done) => it.socket.once("connect", () => done(true)).once("error", () => done(false)));
  it.over = new Promise((done) => {
    const end = (how) => done((it.closed ??= how));
    it.socket.on("end", () => end("end")).on("error", (error) => end(error.code)).on("close", () => end("close"));
  });
  if (unread) it.socket.pause();
  else if (!oneByOne) it.socket.on("data", (data) => {
    it.received += data.length;
    if (it.text.length < 4096) it.text += data.toString("latin1");
  });
  if (bytes) it.socket.write(bytes);
  return it;
}

const statusOf = (text) => text.match(/^HTTP\/1\.1 (\d+)/)?.[1] ?? "nothing";

// Clients that do not read a long stream, or a byte a second of it.
export async function slowReaders(world, { readers, events, others }) {
  const model = `patient/mock-events-${events}`;
  const before = residentMb(world.pid), began = (await world.mock.stats()).streams;
  const slow = Array.from({ length: readers }, (_, i) =>
    dial(world.port, { bytes: requestFor(model, true), oneByOne: i % 2 === 0, unread: i % 2 === 1 }));
  await eventually(async () => (await world.mock.stats()).streams === began + readers, "the long streams begin");
  const words = await Promise.all(Array.from({ length: others }, () => ask(world, "patient/mock").then(inWords)));
  const active = (await world.mock.stats()).active;
  // The gateway has what fits into its bounds and the kernel's; the rest of the stream waits with the provider.
  const sent = await metric(world, "tollgate_sent_bytes_total");
  const growth = residentMb(world.pid) - before;
  await eventually(async () => (await world.mock.stats()).active === 0, "the gateway lets go of who does not read", 30000);
  for (const one of slow) one.socket.destroy();
  return {
    others: tally(words), heldBack: active === readers, growthMb: Math.round(growth), aborted: (await world.mock.stats()).aborted_streams,
    passedOn: sent < readers * events * EVENT_BYTES / 4 ? "a part" : "all",
  };
}

// More streams at once than the shard has receive buffers.
export async function manyStreams(world, { streams }) {
  return tally(await Promise.all(Array.from({ length: streams }, () =>
    ask(world, "patient/mock-events-3-paced-600", { stream: true }).then(inWords))));
}

// Clients that send one request behind the other and wait for no answer; the first of each takes long.
export async function pipeliners(world, { clients, bytes, others }) {
  const began = (await world.mock.stats()).requests;
  const first = requestFor("patient/mock-slow-5000", false), rest = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const all = Array.from({ length: clients }, () => dial(world.port, { bytes: first }));
  await eventually(async () => (await world.mock.stats()).requests === began + clients, "their first calls reach the provider", 30000);
  await Promise.all(all.map((one) => new Promise((done) => one.socket.write(rest.repeat(bytes / rest.length), done))));
  const words = await Promise.all(Array.from({ length: others }, () => ask(world, "patient/mock").then(inWords)));
  for (const one of all) one.socket.resetAndDestroy();
  return { others: tally(words), answeredEarly: all.filter((one) => one.received).length };
}

// SIGTERM while clients do not read: the drain's time is all that they get.
export async function drainUnread(world, { readers }) {
  const began = (await world.mock.stats()).streams;
  const slow = Array.from({ length: readers }, () => dial(world.port, { bytes: requestFor("patient/mock-events-400000", true), unread: true }));
  await eventually(async () => (await world.mock.stats()).streams === began + readers, "the long streams begin");
  const { code } = await world.gateway.stop();
  for (const one of slow) one.socket.destroy();
  world.agent.destroy();
  await world.start();
  return { exit: code };
}

// Thousands that come and go: some ask and read the answer, some leave in mid-head, some at once, some by reset.
export async function crowd(world, { connections, rounds }) {
  const facts = { opened: 0, answers: {} };
  for (let round = 0; round < rounds; round++) {
    const sent = (i) => (i % 4 === 0 ? requestFor("patient/mock", false) : i % 4 === 1 ? "GET /healthz HTTP/1.1\r\nHo" : "");
    const all = Array.from({ length: connections }, (_, i) => dial(world.port, { bytes: sent(i) }));
    facts.opened += (await Promise.all(all.map((one) => one.opened))).filter(Boolean).length;
    const asked = all.filter((_, i) => i % 4 === 0);
    await eventually(() => asked.every((one) => one.text.includes("x-llm-gateway\":") || one.closed), "the answers", 60000);
    for (const one of asked) facts.answers[statusOf(one.text)] = (facts.answers[statusOf(one.text)] ?? 0) + 1;
    all.forEach((one, i) => (i % 3 === 0 ? one.socket.resetAndDestroy() : one.socket.destroy()));
    await Promise.all(all.map((one) => one.over));
  }
  return facts;
}

// Connections that have only one live direction, or none that says anything.
export async function halfOpen(world, { each }) {
  const aborted = (await world.mock.stats()).aborted, began = (await world.mock.stats()).requests;
  const leaving = Array.from({ length: each }, () => dial(world.port, { bytes: requestFor("patient/mock-stall-head", false) }));
  await eventually(async () => (await world.mock.stats()).requests === began + each, "the calls reach the provider");
  for (const one of leaving) one.socket.end(); // says that no more will come, and waits
  const silent = Array.from({ length: each }, () => dial(world.port));
  const staying = Array.from({ length: each }, () => dial(world.port, { bytes: requestFor("patient/mock", false, "Connection: close\r\n") }));
  await Promise.all([...leaving, ...silent, ...staying].map((one) => one.over));
  await eventually(async () => (await world.mock.stats()).aborted === aborted + each, "their calls are cancelled");
  const gone = async () => (await metric(world, "tollgate_connections")) <= 2; // this one, and one kept alive
  const facts = {
    answered: tally(staying.map((one) => statusOf(one.text))), silent: tally(silent.map((one) => statusOf(one.text))),
    cancelled: (await world.mock.stats()).aborted - aborted,
    gone: await eventually(gone, "connections whose clients stay are closed all the same", 15000),
  };
  for (const one of [...leaving, ...silent, ...staying]) one.socket.destroy();
  return facts;
}

// A byte at a time, each well within the timeouts, the whole far beyond them.
async function trickle(world, first, byte) {
  const one = dial(world.port, { bytes: first });
  while (!one.closed) {
    if (one.socket.writable) one.socket.write(byte);
    await Promise.race([one.over, quiet(50)]);
  }
  one.socket.destroy();
  return `${statusOf(one.text)} ${one.text.match(/"code":"(\w+)"/)?.[1]}`;
}

export async function trickles(world, { each }) {
  const head = [], body = [];
  const bodyBegin = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n` +
    "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
  const tasks = Array.from({ length: each }, () => [
    async () => head.push(await trickle(world, "GET /healthz HTTP/1.1\r\nX-Slow: ", "a")),
    async () => body.push(await trickle(world, bodyBegin, " ")),
  ]).flat();
  const others = [];
  await Promise.all([parallel(tasks, tasks.length), parallel(Array.from({ length: 20 }, () => async () =>
    others.push(inWords(await ask(world, "patient/mock")))), 2)]);
  return { head: tally(head), body: tally(body), others: tally(others) };
}

// Providers that trickle: a head that never ends, a body that goes on beyond the whole call's time.
export async function providerTrickles(world) {
  const server = net.createServer((socket) => {
    let asked = "", timer = null;
    socket.on("error", () => {}).on("close", () => clearInterval(timer));
    socket.on("data", (data) => {
      asked += data;
      if (timer || !asked.includes("\r\n\r\n")) return;
      const model = asked.match(/slow-(head|body)/)?.[1];
      if (!model) return;
      socket.write(model === "head" ? "HTTP/1.1 200 OK\r\nX-Slow: " :
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{");
      timer = setInterval(() => socket.write(model === "head" ? "a" : " "), 50);
    });
  });
  await new Promise((done) => server.listen(world.extraPort, "127.0.0.1", done));
  const [head, body] = await Promise.all([ask(world, "trickle/slow-head"), ask(world, "trickle/slow-body")]);
  server.close();
  return { head: inWords(head), body: inWords(body), others: inWords(await ask(world, "patient/mock")) };
}

export const health = async (world) => (await send(world, "GET", "/readyz", { agent: false })).status;
