// The access log under load: a line for each call, or a count of the lines that are missing; never silence.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { KEY, chat, eventually, openWorld, run } from "./harness.mjs";

const REQUESTS = 30000;

async function metric(world, name) {
  const page = await (await fetch(`${world.base}/metrics`)).text();
  const line = page.split("\n").find((text) => text.startsWith(`${name} `));
  assert.ok(line, `${name} is in /metrics`);
  return Number(line.split(" ")[1]);
}

// What the log has told so far: calls with a line, and lines that it says are missing.
function told(world) {
  let calls = 0, dropped = 0;
  for (const line of world.gateway.child.output().split("\n")) {
    if (line.includes('"path":"/v1/chat/completions"')) calls++;
    const match = line.match(/log records were dropped.*"dropped":(\d+)/);
    if (match) dropped += Number(match[1]);
  }
  return { calls, dropped };
}

const accessLog = {
  name: "access log",
  open: (build) => openWorld(build),
  tests: {
    async "at full speed each call has its line, or is counted as missing"(world) {
      const body = path.join(world.dataDir, "body.json");
      fs.writeFileSync(body, JSON.stringify(chat("test/mock")));
      const load = await run(`${world.build}/loadgen`, ["--json", "--connections", "64", "--requests", String(REQUESTS),
        "--header", `Authorization: Bearer ${KEY}`, "--header", "Content-Type: application/json", "--body", body,
        `${world.base}/v1/chat/completions`]);
      assert.equal(load.code, 0, load.stderr);
      assert.equal(JSON.parse(load.stdout).statuses["200"], REQUESTS);
      const seen = await eventually(() => {
        const now = told(world);
        return now.calls + now.dropped >= REQUESTS ? now : null;
      }, "a line or a count for each call");
      const dropped = await metric(world, "tollgate_log_records_dropped_total");
      assert.equal(seen.dropped, dropped, "what the log says is missing is what /metrics says");
      assert.equal(seen.calls + dropped, REQUESTS);
    },
  },
};

export const suites = [accessLog];
