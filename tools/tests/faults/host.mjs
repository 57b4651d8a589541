// What the machine does to a gateway: no descriptors left, no space left, a clock that jumps, SIGKILL; and a provider that dies.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { run, start, startMock } from "../e2e/harness.mjs";
import { ask, descriptors, eventually, inWords, parallel, quiet, receiptOf, send, tally } from "./world.mjs";

const ready = async (world) => (await send(world, "GET", "/readyz", { agent: false })).status;

// ---- descriptors

const softLimit = (pid, limit) => run("prlimit", ["--pid", String(pid), `--nofile=${limit}:`]);

const hardLimit = (pid) => Number(fs.readFileSync(`/proc/${pid}/limits`, "utf8").match(/^Max open files\s+\d+\s+(\d+)/m)[1]);

// Runs streams, takes the descriptors away, lets more clients come than there are left, and gives them back.
export async function noDescriptors(world, { streams, clients, spare }) {
  const begun = [];
  const running = Array.from({ length: streams }, () => new Promise((heard) => {
    begun.push(ask(world, "patient/mock-events-100-paced-20", { stream: true, onHead: heard }).then(inWords));
  }));
  await Promise.all(running);
  const before = (await softLimit(world.pid, descriptors(world.pid) + spare)).code;
  const coming = Array.from({ length: clients }, () => ask(world, "patient/mock", { agent: false }).then(inWords));
  const ran = tally(await Promise.all(begun));
  await Promise.race([Promise.all(coming), quiet(500)]);
  await softLimit(world.pid, hardLimit(world.pid));
  const words = tally(await Promise.all(coming));
  const late = tally(await Promise.all(Array.from({ length: clients }, () => ask(world, "patient/mock", { agent: false }).then(inWords))));
  return { limited: before, running: ran, coming: Object.keys(words).sort().join(", "), afterwards: late };
}

// Starts with each of these limits: either it says what is missing and ends, or it serves and ends in order.
export async function startsWithFew(world, { limits }) {
  const words = [];
  await world.gateway.stop();
  for (const limit of limits) {
    try {
      const { child } = await start("prlimit", [`--nofile=${limit}:${limit}`, `${world.build}/tollgate`, "run", "-c", world.gateway.file],
        { ready: /; ready\n/ });
      child.kill("SIGTERM");
      const { code, signal } = await child.ended;
      words.push(`served, ended with ${signal ?? code}`);
    } catch (error) {
      words.push(/ended \(1\)[^]*cannot start: [^]*too many open files/i.test(error.message) ? "said why" : error.message.slice(-300));
    }
  }
  world.agent.destroy();
  await world.start();
  return { words: Object.keys(tally(words)).sort().join(", ") };
}

// Nobody reads what the gateway logs: calls are served all the same, and it ends when it is told to.
export async function unreadLog(world, { calls }) {
  const { child } = world.gateway;
  child.stdout.pause();
  child.stderr.pause();
  const words = [];
  await parallel(Array.from({ length: calls }, () => async () => words.push(inWords(await ask(world, "patient/mock")))), 32);
  const { code, signal } = await Promise.race([world.gateway.stop(), quiet(15000).then(() => ({ code: "not ended in 15 s" }))]);
  child.stderr.resume();
  child.stdout.resume();
  if (typeof code !== "number") await world.gateway.kill();
  world.agent.destroy();
  await world.start();
  return { calls: tally(words), exit: signal ?? code };
}

// ---- a full disk

// A small file system of its own, which no other process sees and which goes with the process that holds it.
export function smallDisk(megabytes) {
  return new Promise((resolve) => {
    const where = fs.mkdtempSync(path.join(os.tmpdir(), "tollgate-disk-"));
    const script = `mount -t tmpfs -o size=${megabytes}m none "$0" && echo mounted && exec sleep 100000`;
    const child = spawn("unshare", ["--map-root-user", "--mount", "sh", "-c", script, where], { stdio: ["ignore", "pipe", "pipe"] });
    let why = "";
    const close = () => {
      child.kill("SIGKILL");
      fs.rmSync(where, { recursive: true, force: true });
    };
    process.on("exit", () => child.kill("SIGKILL"));
    child.stderr.on("data", (data) => (why += data));
    child.once("error", (error) => resolve({ why: error.message, close }));
    child.once("exit", () => resolve({ why: why.trim(), close }));
    child.stdout.once("data", () => resolve({ path: `/proc/${child.pid}/root${where}`, close }));
  });
}

function fill(disk) {
  const file = fs.openSync(path.join(disk, "filler"), "w");
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    try {
      for (;;) if (fs.writeSync(file, Buffer.alloc(size)) < size) break;
    } catch (error) {
      if (error.code !== "ENOSPC") throw error;
    }
  }
  fs.closeSync(file);
}

const free = (disk) => fs.rmSync(path.join(disk, "filler"));

// Receipts of 8 KB each, so that the space which the database has set aside is used up soon.
const TAGS = Array.from({ length: 8 }, (_, i) => `tag${i}=${"x".repeat(1000)}`).join(",");

const mixed = (world, count, words) => parallel(Array.from({ length: count }, (_, i) => async () =>
  words.push(inWords(await ask(world, "patient/mock", { stream: i % 3 === 0, headers: { "x-gateway-tags": TAGS } })))), 8);

// Calls until the store says that it is full.
async function callsUntilFull(world, words) {
  for (let round = 0; round < 200; round++) {
    await mixed(world, 200, words);
    if (await ready(world) === 503) return true;
  }
  return false;
}

export async function fullDisk(world) {
  const words = [], refused = [];
  fill(world.disk);
  const noticed = await callsUntilFull(world, words);
  const before = (await world.mock.stats()).requests;
  await mixed(world, 20, refused);
  const facts = {
    noticed, until: Object.keys(tally(words)).sort().join(", "), refused: tally(refused),
    providerCalls: (await world.mock.stats()).requests - before,
    alive: (await send(world, "GET", "/healthz")).status, readyWhenFull: await ready(world),
  };
  free(world.disk);
  await eventually(async () => (await ready(world)) === 200, "ready again once there is space", 15000);
  const after = [];
  await mixed(world, 60, after);
  return { ...facts, afterwards: tally(after) };
}

// The same, but the process is killed while the disk is full, and started again when it is not.
export async function killedWhenFull(world) {
  const words = [];
  fill(world.disk);
  const noticed = await callsUntilFull(world, words);
  await world.gateway.kill();
  free(world.disk);
  world.agent.destroy();
  await world.start();
  return { noticed, ready: await ready(world) };
}

// ---- the clock

const LIBRARY_FOLDERS = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((name) => `/usr/lib/${name}/faketime`);

// A clock for one process alone: it reads its offset from a file. The monotonic clock stays the machine's.
export function ownClock() {
  const library = LIBRARY_FOLDERS.map((folder) => `${folder}/libfaketimeMT.so.1`).find((file) => fs.existsSync(file));
  if (!library) return { why: "libfaketime is not installed" };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "tollgate-clock-"));
  const file = path.join(folder, "offset");
  const set = (seconds) => { // replaced in one step: a half-written offset would be a clock of its own
    fs.writeFileSync(`${file}.new`, `${seconds < 0 ? "" : "+"}${seconds}\n`);
    fs.renameSync(`${file}.new`, file);
  };
  set(0);
  return { set, env: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_DISABLE_SHM: "1" }, close: () => fs.rmSync(folder, { recursive: true, force: true }) };
}

const SLACK_S = 120; // between this process's reading of the clock and the gateway's

const secondsOff = (date, seconds) => Math.abs(Date.parse(date) / 1000 - (Date.now() / 1000 + seconds));

async function stepped(world, offsets, seconds) {
  world.clock.set(seconds);
  await eventually(async () => secondsOff((await send(world, "GET", "/healthz")).headers.date, seconds) < SLACK_S, "the gateway's clock steps");
  const answers = [await ask(world, "patient/mock"), await ask(world, "patient/mock", { stream: true }), await ask(world, "test/mock-stall-head")];
  for (const answer of answers) {
    const receipt = await receiptOf(world, answer.headers["x-request-id"]);
    const off = secondsOff(receipt?.timestamp, seconds);
    offsets.push(off < SLACK_S ? "as the clock" : `off by ${off} s`);
    offsets.push(receipt?.execution.latency_ms < SLACK_S * 1000 ? "latency sane" : `latency ${receipt?.execution.latency_ms}`);
  }
  return answers.map(inWords).join(", ");
}

// Steps a clock forth and back by an hour, with a paced stream and an idle connection across each step.
export async function clockSteps(world, { steps }) {
  const facts = {}, offsets = [];
  for (const [name, seconds] of Object.entries(steps)) {
    let heard;
    const begun = new Promise((done) => (heard = done));
    const across = ask(world, "patient/mock-events-100-paced-20", { stream: true, onHead: heard });
    await begun;
    facts[name] = await stepped(world, offsets, seconds);
    facts[`${name}, stream across`] = inWords(await across);
  }
  await world.gateway.stop();
  world.agent.destroy();
  await world.start();
  return { ...facts, receipts: Object.keys(tally(offsets)).sort().join(", "), restarted: await ready(world) };
}

// ---- processes that die

const LOAD = ["test/mock", "test/mock", "test/mock-events-100", "test/mock-status-500", "test/mock-cut", "test/rescued-from-500", "test/mock-slow-150"];

// Calls of all kinds until `stop.now`: whatever they end in is a result.
const load = (world, clients, stop) => Promise.all(Array.from({ length: clients }, async (_, client) => {
  for (let i = client; !stop.now; i++) {
    const answer = await ask(world, LOAD[i % LOAD.length], { stream: i % 2 === 0 });
    stop.counts.push(inWords(answer));
    if (answer.failure) await quiet(5);
  }
}));

export async function killed(world, { rounds, clients, answers }) {
  let checks = 0;
  for (let round = 0; round < rounds; round++) {
    const stop = { now: false, counts: [] }, wanted = world.answered.length + answers + round;
    const loading = load(world, clients, stop);
    await eventually(() => world.answered.length >= wanted, "answers under load", 60000);
    await world.gateway.kill();
    stop.now = true;
    await loading;
    const checked = await run(`${world.build}/tollgate`, ["check", "--receipts", "-d", world.data]);
    checks += checked.code === 0 ? 1 : 0;
    await world.start();
  }
  return { checks };
}

export async function providerDies(world, { clients, deaths }) {
  const port = world.mock.port, kinds = new Set();
  for (let i = 0; i < deaths; i++) {
    const stop = { now: false, counts: [] };
    const loading = load(world, clients, stop);
    await eventually(() => stop.counts.length > 100, "calls under load");
    world.mock.child.kill("SIGKILL");
    await world.mock.child.ended;
    const dead = stop.counts.length;
    await eventually(() => stop.counts.length > dead + 100, "calls while the provider is away", 30000);
    stop.now = true;
    await loading;
    for (const word of stop.counts) kinds.add(word);
    world.mock = await startMock(world.build, port);
  }
  const after = await Promise.all(Array.from({ length: 40 }, () => ask(world, "patient/mock").then(inWords)));
  return { kinds: [...kinds].sort().join(", "), afterwards: tally(after) };
}
