// Runs the cases of table.mjs: each in a world of its own, what was seen against what must be.
//
// usage: node main.mjs BUILD quick|full [NAME-PART]
import assert from "node:assert/strict";
import * as clients from "./clients.mjs";
import * as host from "./host.mjs";
import { freePort, run } from "../e2e/harness.mjs";
import { CASES, HOME, UPSTREAM } from "./table.mjs";
import { observe, options as upstreamOptions } from "./upstream.mjs";
import { abandonWorld, closeWorld, openWorld, parallel } from "./world.mjs";

const [build, extent, part = ""] = process.argv.slice(2);
const full = extent === "full", WIDTH = full ? 1 : 2;
// A sanitizer's memory is not the gateway's. It also wants its library to be the first, and descriptors for its own checks.
const sanitized = /SANITIZE +y/.test((await run(`${build}/tollgate`, ["features"])).stdout);
const CASE_TIMEOUT_MS = full ? 300000 : 120000;
const counts = { PASS: 0, FAIL: 0, SKIP: 0 };

// A sentence for each fact that is not as it must be.
function differences(expected, seen, where = "") {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(seen)])];
  return names.flatMap((name) => {
    const must = expected[name], is = seen[name];
    if (sanitized && /Mb$/.test(name)) return [];
    if (must?.holds) return must.holds(is) ? [] : [`${where}${name}: ${JSON.stringify(is)}, must be ${must.what}`];
    try {
      assert.deepEqual(is, must);
      return [];
    } catch {
      return [`${where}${name}: ${JSON.stringify(is)}, must be ${JSON.stringify(must)}`];
    }
  });
}

async function actUpstream(world) {
  const seen = await observe(world, UPSTREAM);
  return UPSTREAM.flatMap(({ fault, upstream, patient, ...expected }) => differences(expected, seen[fault], `${fault}, `));
}

async function act(world, one) {
  if (one.act === "upstream") return actUpstream(world);
  const seen = await (clients[one.act] ?? host[one.act])(world, (full && one.more) || one.with);
  return differences((full && one.seenMore) || one.seen, seen);
}

// What a case needs of the machine, or why it cannot be had here.
async function prepare(one) {
  const world = { args: one.args, options: one.act === "upstream" ? upstreamOptions(UPSTREAM) : { ...one.options } };
  const needs = { world, close: () => {} };
  if (sanitized && one.plain) return { why: "not with a sanitizer", close: () => {} };
  if (one.disk) {
    const disk = await host.smallDisk(one.disk);
    needs.close = disk.close;
    if (!disk.path) return { why: disk.why, close: disk.close };
    needs.disk = world.dataDir = disk.path;
  }
  if (one.clock) {
    needs.clock = host.ownClock();
    if (needs.clock.why) return { why: needs.clock.why, close: () => {} };
    needs.close = needs.clock.close;
    world.env = needs.clock.env;
  }
  if (one.extraProvider) {
    needs.extraPort = await freePort();
    world.options.extraProviders = `  - { name: trickle, kind: openai_compatible, base_url: "http://127.0.0.1:${needs.extraPort}/v1",
      timeouts: { connect_ms: 500, head_ms: 1500, idle_ms: 1500, total_ms: 3000 } }\n`;
    world.options.extraModels = ["slow-head", "slow-body"].map((name) =>
      `  - { id: trickle/${name}, provider: trickle, upstream_model: ${name}, price: { input: 1, output: 1 } }\n`).join("");
  }
  return needs;
}

async function runCase(one) {
  const needs = await prepare(one);
  let world, timer;
  if (needs.why !== undefined) {
    needs.close();
    return { skipped: needs.why || "not possible here" };
  }
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_TIMEOUT_MS} ms`)), CASE_TIMEOUT_MS);
  });
  const work = async () => {
    world = Object.assign(await openWorld(build, needs.world), { disk: needs.disk, clock: needs.clock, extraPort: needs.extraPort });
    const problems = await act(world, one), home = await closeWorld(world);
    if (home.socketsLeft === undefined) home.socketsLeft = 0; // counted otherwise: see wayBack
    return [...problems, ...differences({ ...HOME, ...one.home }, home)];
  };
  try {
    return { problems: await Promise.race([work(), late]) };
  } catch (error) {
    const said = world?.gateway.child.output().slice(-1500) ?? "";
    if (world) await abandonWorld(world);
    return { problems: [`${error.stack ?? error}\n${said}`] };
  } finally {
    clearTimeout(timer);
    needs.close();
  }
}

const chosen = CASES.filter((each) => (full || each.quick) && each.name.includes(part));

await parallel(chosen.map((one) => async () => {
  const began = Date.now();
  const { problems = [], skipped } = await runCase(one);
  const word = skipped ? "SKIP" : problems.length ? "FAIL" : "PASS";
  counts[word]++;
  console.log(`  ${word.padEnd(8)}${one.name} (${((Date.now() - began) / 1000).toFixed(1)} s)${skipped ? `: ${skipped}` : ""}`);
  for (const problem of problems) console.log(String(problem).replace(/^/gm, "          "));
}), WIDTH);
console.log(`${counts.PASS} passed, ${counts.FAIL} failed`);
process.exit(counts.FAIL ? 1 : 0);
