// Runs the suites: each file exports `suites`, a list of { name, open(build), tests: { name: async (world) => ... } }.
import { File } from "node:buffer";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

globalThis.File ??= File; // SDKs want it for uploads; a global from Node 20 on, and Debian 12 has 18

const [build, part = ""] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const TEST_TIMEOUT_MS = Number(process.env.E2E_TIMEOUT_MS ?? 120000);
let passed = 0, failed = 0;

function withTimeout(promise, name) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: not done after ${TEST_TIMEOUT_MS} ms`)), TEST_TIMEOUT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function report(name, error) {
  if (!error) {
    passed++;
    console.log(`  PASS    ${name}`);
    return;
  }
  failed++;
  console.log(`  FAIL    ${name}\n${String(error.stack ?? error).replace(/^/gm, "          ")}`);
}

async function runSuite(suite) {
  let world;
  try {
    world = await suite.open(build);
  } catch (error) {
    report(`${suite.name}: start`, error);
    return;
  }
  for (const [name, test] of Object.entries(suite.tests)) {
    let problem = null;
    try {
      await withTimeout(test(world), name);
    } catch (error) {
      problem = error;
    }
    report(`${suite.name}: ${name}`, problem);
  }
  try {
    await withTimeout(world.close(), "end");
  } catch (error) {
    report(`${suite.name}: end`, error);
  }
}

for (const file of fs.readdirSync(here).filter((name) => name.endsWith(".test.mjs")).sort()) {
  const { suites } = await import(path.join(here, file));
  for (const suite of suites) if (`${file} ${suite.name}`.includes(part)) await runSuite(suite);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
