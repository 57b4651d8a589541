// Limits: every kind and scope, what a refusal and the headers say, exactness over shards, and what a restart brings back.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import OpenAI from "openai";
import {
  KEY, MASTER_KEY, chat, configuration, eventually, freePort, openWorld, post, startGateway, startMock, temporaryFolder,
} from "./harness.mjs";

const keys = `  - { name: few, secret: few-key, limits: { rpm: 5, rph: 100 } }
  - { name: sdk, secret: sdk-key, limits: { rpm: 1 } }
  - { name: hours, secret: hours-key, limits: { rph: 2 } }
  - { name: tokens, secret: tokens-key, limits: { tpm: 200 } }
  - { name: guessed, secret: guessed-key, limits: { tpm: 4000 } }
  - { name: single, secret: single-key, limits: { concurrency: 1 } }
  - { name: paced, secret: paced-key, limits: { rpm: 20, smooth: true } }
  - { name: streams, secret: streams-key, limits: { rpm: 3, concurrency: 2 } }
  - { name: mate, secret: mate-key, team: search }
  - { name: other-mate, secret: other-mate-key, team: search, limits: { rpm: 100 } }
  - { name: guest, secret: guest-key, workspace: small }
  - { name: racer, secret: racer-key, limits: { rpm: 300 } }
  - { name: token-racer, secret: token-racer-key, limits: { tpm: 5000 } }
  - { name: crowd, secret: crowd-key, limits: { concurrency: 3 } }
  - { name: ample, secret: ample-key, limits: { rpm: 100000000, tpm: 100000000000 } }
teams:
  - { id: search, limits: { rpm: 3 } }
plans:
  tiny: { rpm: 4, rpd: 2 }
workspaces:
  - { id: default }
  - { id: small, plan: tiny }
`;

const call = async (world, key, more = {}, options = {}) => {
  const answer = await post(world, "/v1/chat/completions", chat("test/mock", { max_tokens: 5, ...more }), { key, ...options });
  const text = await answer.text();
  return {
    status: answer.status, text, error: answer.status === 200 ? null : JSON.parse(text).error,
    header: (name) => answer.headers.get(name),
    number: (name) => Number(answer.headers.get(name)),
  };
};

function expectRefused(answer, kind, retryMin, retryMax) {
  assert.equal(answer.status, 429, answer.text);
  assert.equal(answer.error.type, "rate_limit_exceeded");
  assert.equal(answer.error.code, "rate_limit_exceeded");
  assert.equal(answer.error.kind, kind);
  assert.equal(answer.header("x-gateway-limit-kind"), kind);
  assert.equal(answer.number("retry-after"), answer.error.retry_after_seconds);
  assert.ok(answer.error.retry_after_seconds >= retryMin && answer.error.retry_after_seconds <= retryMax, answer.text);
  assert.match(answer.header("x-request-id"), /^req_/);
}

// How many of `count` calls, `at once` at a time, are admitted; all others have to be refused by that limit.
async function race(world, key, kind, count, atOnce, more = {}) {
  let left = count, admitted = 0;
  const one = async () => {
    while (left-- > 0) {
      const answer = await call(world, key, more);
      if (answer.status === 200) admitted++;
      else expectRefused(answer, kind, 1, 86400);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return admitted;
}

const tests = {
  async "requests a minute: each answer says what is left, then 429"(world) {
    for (let left = 4; left >= 0; left--) {
      const answer = await call(world, "few-key");
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.header("x-ratelimit-limit"), "5");
      assert.equal(answer.number("x-ratelimit-remaining"), left);
      assert.equal(answer.header("x-ratelimit-limit-requests"), "5");
      assert.equal(answer.number("x-ratelimit-remaining-requests"), left);
      assert.match(answer.header("x-ratelimit-reset-requests"), /^1m[0-2]s$/);
      const reset = answer.number("x-ratelimit-reset") - Date.now() / 1000;
      assert.ok(reset > 55 && reset < 63, `${reset}`);
      assert.equal(answer.header("x-ratelimit-limit-tokens"), null);
    }
    const refused = await call(world, "few-key");
    expectRefused(refused, "rpm", 55, 62);
    assert.match(refused.error.message, /limit of this API key is reached: 5 requests a minute/);
    assert.equal(refused.number("x-ratelimit-remaining"), 0);
    assert.equal(refused.header("x-gateway-decision"), null);
  },

  async "the official SDK sees its own error"(world) {
    const client = new OpenAI({ apiKey: "sdk-key", baseURL: `${world.base}/v1`, maxRetries: 0 });
    const ask = () => client.chat.completions.create(chat("test/mock"));
    await ask();
    await assert.rejects(ask, (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      assert.equal(error.error.kind, "rpm");
      assert.ok(Number(error.headers.get("retry-after")) >= 55);
      return true;
    });
  },

  async "requests an hour"(world) {
    assert.equal((await call(world, "hours-key")).status, 200);
    assert.match((await call(world, "hours-key")).header("x-ratelimit-reset-requests"), /^1h[01]m\d+s$/);
    expectRefused(await call(world, "hours-key"), "rph", 3500, 3661);
  },

  async "what is refused before its limits does not count"(world) {
    const before = (await call(world, "ample-key")).number("x-ratelimit-remaining");
    assert.equal((await post(world, "/v1/chat/completions", "{", { key: "ample-key" })).status, 400);
    assert.equal((await post(world, "/v1/chat/completions", chat("no-such-model"), { key: "ample-key" })).status, 404);
    assert.equal((await call(world, "ample-key")).number("x-ratelimit-remaining"), before - 1);
  },

  async "tokens: reserved, then settled by what was used"(world) {
    const body = chat("test/mock", { max_tokens: 5 });
    const prompt = Math.ceil(JSON.stringify(body).length / 4);
    const first = await call(world, "tokens-key");
    assert.equal(first.status, 200, first.text);
    assert.equal(first.header("x-ratelimit-limit-tokens"), "200");
    assert.equal(first.number("x-ratelimit-remaining-tokens"), 200 - prompt - 5);
    assert.match(first.header("x-ratelimit-reset-tokens"), /^1m[0-2]s$/);
    assert.equal(first.header("x-ratelimit-limit"), null);
    const used = JSON.parse(first.text).usage.total_tokens;
    const second = await call(world, "tokens-key");
    assert.equal(second.number("x-ratelimit-remaining-tokens"), 200 - used - prompt - 5);
    const tooMuch = await call(world, "tokens-key", { max_tokens: 500 });
    expectRefused(tooMuch, "tpm", 60, 60);
    assert.equal(tooMuch.header("x-should-retry"), "false");
    assert.match(tooMuch.error.message, /needs about \d+ tokens, more than all that this API key may use: 200 tokens a minute/);
    expectRefused(await call(world, "tokens-key", { max_tokens: 160 }), "tpm", 55, 62);
  },

  async "tokens: an answer of unknown length is guessed from those before"(world) {
    const first = await call(world, "guessed-key", { max_tokens: undefined });
    assert.equal(first.status, 200, first.text);
    const guess = 4000 - first.number("x-ratelimit-remaining-tokens");
    assert.ok(guess >= 250 && guess < 300, `${guess}`);
    const usage = JSON.parse(first.text).usage;
    // Each shard learns from its own answers.
    for (let calls = 1; ; calls++) {
      const next = await call(world, "guessed-key", { max_tokens: undefined });
      const reserved = 4000 - next.number("x-ratelimit-remaining-tokens") - calls * usage.total_tokens;
      if (reserved < usage.completion_tokens + 40) break;
      assert.ok(calls < 10, `${reserved}`);
    }
  },

  async "a failed call gives its tokens back"(world) {
    const before = (await call(world, "ample-key")).number("x-ratelimit-remaining-tokens");
    assert.equal((await call(world, "ample-key", { model: "test/mock-status-500", max_tokens: 100000 })).status, 502);
    // What is settled goes to the owner shard by letter, which a call on it may overtake.
    for (let calls = 1; ; calls++) {
      const after = (await call(world, "ample-key")).number("x-ratelimit-remaining-tokens");
      if (before - after < 10000) break;
      assert.ok(calls < 50, `${before - after}`);
    }
  },

  async "concurrency: one at a time, unary, streaming and broken off"(world) {
    for (let i = 0; i < 20; i++) assert.equal((await call(world, "single-key", { stream: i % 2 === 0 })).status, 200);
    const abort = new AbortController();
    const stream = await post(world, "/v1/chat/completions", chat("test/mock-events-1000-paced-20", { stream: true }),
      { key: "single-key", signal: abort.signal });
    expectRefused(await call(world, "single-key"), "concurrency", 1, 1);
    abort.abort();
    await stream.text().catch(() => {});
    await eventually(async () => (await call(world, "single-key")).status === 200, "the broken stream counts no more");
    assert.equal((await call(world, "single-key", { model: "test/mock-status-500" })).status, 502);
    assert.equal((await call(world, "single-key")).status, 200);
  },

  async "a stream's head has the headers"(world) {
    const answer = await call(world, "streams-key", { stream: true });
    assert.equal(answer.status, 200);
    assert.equal(answer.header("x-ratelimit-remaining"), "2");
    assert.ok(answer.text.endsWith("data: [DONE]\n\n"));
  },

  async "smooth: paced, and never many at once"(world) {
    assert.equal((await call(world, "paced-key")).status, 200);
    expectRefused(await call(world, "paced-key"), "rpm", 1, 3);
  },

  async "a team's limit holds for its keys together"(world) {
    assert.equal((await call(world, "mate-key")).header("x-ratelimit-limit"), "3");
    assert.equal((await call(world, "other-mate-key")).header("x-ratelimit-remaining"), "1");
    assert.equal((await call(world, "mate-key")).status, 200);
    const refused = await call(world, "other-mate-key");
    expectRefused(refused, "rpm", 55, 62);
    assert.match(refused.error.message, /this API key's team/);
  },

  async "a plan's limit holds for its workspace; a day ends at midnight, UTC"(world) {
    const first = await call(world, "guest-key");
    assert.equal(first.header("x-ratelimit-limit"), "2", "the day is the tightest");
    assert.equal(first.number("x-ratelimit-reset") % 86400, 0);
    assert.equal((await call(world, "guest-key")).status, 200);
    const refused = await call(world, "guest-key");
    expectRefused(refused, "rpd", 1, 86400);
    assert.match(refused.error.message, /this workspace's plan is reached: 2 requests a day/);
  },

  async "a key without limits has no such headers"(world) {
    const answer = await call(world, KEY);
    assert.equal(answer.status, 200);
    for (const name of ["x-ratelimit-limit", "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens"])
      assert.equal(answer.header(name), null);
  },

  async "many connections at once: exactly what is allowed is admitted"(world) {
    const before = (await world.mock.stats()).requests;
    assert.equal(await race(world, "racer-key", "rpm", 900, 64), 300);
    assert.equal((await world.mock.stats()).requests - before, 300);
  },

  async "many connections at once: tokens in use never exceed the limit, and reach it"(world) {
    const cost = Math.ceil(JSON.stringify(chat("test/mock", { max_tokens: 5 })).length / 4) + 5;
    const used = JSON.parse((await call(world, KEY)).text).usage.total_tokens;
    assert.ok(used <= cost);
    const admitted = await race(world, "token-racer-key", "tpm", 900, 64);
    assert.ok(admitted * used <= 5000, `${admitted} of ${used} tokens`);
    assert.ok(admitted * used > 5000 - 64 * cost, `${admitted} of ${used} tokens`);
  },

  async "many connections at once: concurrency never exceeds the limit"(world) {
    const answers = await Promise.all(Array.from({ length: 24 }, () => call(world, "crowd-key", { model: "test/mock-slow-150" })));
    const admitted = answers.filter((answer) => answer.status === 200).length;
    assert.ok(admitted >= 3, `${admitted}`);
    for (const answer of answers) if (answer.status !== 200) expectRefused(answer, "concurrency", 1, 1);
    const again = await Promise.all(Array.from({ length: 3 }, () => call(world, "crowd-key")));
    assert.deepEqual(again.map((answer) => answer.status), [200, 200, 200], "all of it is free again");
  },

  async "refusals are counted by kind"(world) {
    const metrics = await (await fetch(`${world.base}/metrics`)).text();
    for (const kind of ["rpm", "rph", "rpd", "tpm", "concurrency"]) {
      const value = Number(metrics.match(new RegExp(`tollgate_limit_refusals_total\\{kind="${kind}"\\} (\\d+)`))[1]);
      assert.ok(value > 0, kind);
    }
  },
};

// Enough at once that shards lease: then most calls need no letter.
const leasing = {
  async "a busy key asks its owner shard for few of its requests"(world) {
    const before = (await call(world, "ample-key")).number("x-ratelimit-remaining");
    assert.equal(await race(world, "ample-key", "rpm", 6000, 48), 6000);
    // An answer from a lease knows what was left when the lease was given.
    const after = (await call(world, "ample-key")).number("x-ratelimit-remaining");
    assert.ok(Math.abs(before - after - 6001) <= 64, `${before - after}`);
    const metrics = await (await fetch(`${world.base}/metrics`)).text();
    assert.ok(Number(metrics.match(/tollgate_limit_leased_total (\d+)/)[1]) > 0);
  },
};

// Restarts in mid-day: what was admitted before a SIGKILL or a stop counts after it, once.
const restarting = {
  name: "limits over restarts",
  async open(build) {
    const dataDir = temporaryFolder(), mock = await startMock(build), port = await freePort();
    const config = configuration({
      port, mockPort: mock.port, dataDir: path.join(dataDir, "data"), shards: 2,
      extra: `  - { name: daily, secret: daily-key, limits: { rpd: 40 } }
  - { name: hourly, secret: hourly-key, limits: { rph: 30 } }
  - { name: loaded, secret: loaded-key, limits: { rpd: 900 }, tags: { of: loaded } }
`,
    });
    return {
      mock, config, base: `http://127.0.0.1:${port}`, start: () => startGateway(build, { dataDir, config }),
      close: async () => {
        await mock.stop();
        fs.rmSync(dataDir, { recursive: true, force: true });
      },
    };
  },
  tests: {
    async "a day's and an hour's limit survive SIGKILL and stop, neither lost nor doubled"(world) {
      let admitted = 0;
      for (const end of ["kill", "kill", "stop", "kill"]) {
        const gateway = await world.start();
        for (let i = 0; i < 7; i++) {
          const [daily, hourly] = [await call(world, "daily-key"), await call(world, "hourly-key")];
          admitted++;
          assert.equal(daily.number("x-ratelimit-remaining"), 40 - admitted);
          assert.equal(hourly.number("x-ratelimit-remaining"), 30 - admitted);
        }
        await gateway[end]();
      }
      const gateway = await world.start();
      assert.equal(await race(world, "daily-key", "rpd", 30, 8).catch((error) => error.message), 40 - admitted);
      assert.equal(await race(world, "hourly-key", "rph", 10, 8).catch((error) => error.message), 30 - admitted);
      await gateway.stop();
    },

    async "a day's limit under load: with SIGKILL in the middle of it, exactly as many have receipts"(world) {
      let answered = 0;
      for (let round = 0; round < 3; round++) {
        const gateway = await world.start(), before = answered;
        const one = async () => {
          try {
            for (;;) if ((await call(world, "loaded-key")).status === 200) answered++;
          } catch {
            // the gateway is gone
          }
        };
        const clients = Array.from({ length: 32 }, one);
        await eventually(() => answered >= before + 150, "some were answered");
        await gateway.kill();
        await Promise.all(clients);
      }
      const gateway = await world.start();
      const { number } = await call(world, "loaded-key");
      const left = number("x-ratelimit-remaining");
      assert.ok(answered + 1 + left <= 900, `${answered} answered, ${left} left`);
      assert.equal(await race(world, "loaded-key", "rpd", left + 100, 32), left);
      const admin = { headers: { authorization: `Bearer ${MASTER_KEY}` } };
      let receipts = 0, cursor = "";
      do {
        const page = await (await fetch(`${world.base}/admin/receipts?limit=1000${cursor}`, admin)).json();
        receipts += page.data.filter((one) => one.tags.of === "loaded" && one.execution.provider).length;
        cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : "";
      } while (cursor);
      assert.equal(receipts, 900);
      await gateway.stop();
    },

    async "a reload changes a limit, and not what was used"(world) {
      const gateway = await world.start();
      const reload = (limit) => {
        fs.writeFileSync(gateway.file, `${world.config}  - { name: changing, secret: changing-key, limits: { rpm: ${limit} } }\n`);
        gateway.child.kill("SIGHUP");
      };
      reload(3);
      // Each shard takes the new configuration in its own time.
      const known = () => eventually(async () => {
        const answer = await call(world, "changing-key");
        return answer.status !== 401 && answer;
      }, "the key is known");
      for (let i = 0; i < 3; i++) assert.equal((await known()).status, 200);
      expectRefused(await known(), "rpm", 50, 62);
      reload(6);
      const more = await eventually(async () => {
        const answer = await call(world, "changing-key");
        return answer.status === 200 && answer;
      }, "the new limit is in force");
      assert.equal(more.header("x-ratelimit-limit"), "6");
      assert.equal(more.number("x-ratelimit-remaining"), 2);
      await gateway.stop();
    },
  },
};

export const suites = [
  { name: "limits, 1 shard", open: (build) => openWorld(build, { extra: keys }), tests },
  { name: "limits, 2 shards", open: (build) => openWorld(build, { extra: keys, shards: 2 }), tests },
  { name: "limits, leases", open: (build) => openWorld(build, { extra: keys, shards: 2 }), tests: leasing },
  restarting,
];
