// What is done to the gateway, and what must come of it: the whole of it as data. `seen` names facts as the acts observe them;
// a fact that is not named here, or named and not observed, fails the case.
//
// A case runs in a world of its own (a gateway and a simulator), and HOME holds of each world in the end. `quick` cases are part of
// `make test`; a case's `more` replaces its arguments in the full run; one that is `plain` is not for a build with sanitizers.
export const atMost = (most) => ({ what: `at most ${most}`, holds: (value) => typeof value === "number" && value <= most });
export const among = (...words) => ({
  what: `nothing but ${words.join(" | ")}`, holds: (value) => typeof value === "string" && value.split(", ").every((word) => words.includes(word)),
});

// Memory grows when it is first used, and stays: up to 32 MB of receive buffers, the database's write buffer (its own bound where a
// case fills it), freed lists. A leak would show in the repeated cases of the full run.
//
// Every world: receipts of all that was answered, once each; no call, socket or memory left behind; an orderly end.
export const HOME = {
  receiptsLost: 0, receiptsTwice: 0, spendIsTheSum: true, callsInFlight: 0, socketsLeft: 0, rssGrowthMb: atMost(48), exit: 0, receiptsCheck: 0,
};

// A provider's faults. The words: what the client got, who served it, and the attempts that failed in the receipt.
const failing = (alone, attempt) => ({ unary: `${alone} (${attempt})`, stream: `${alone} (${attempt})`, ...rescued(attempt) });
const rescued = (attempt) => ({
  unary2: `200 served by the second (${attempt})`, stream2: `200 served by the second (${attempt})`,
});
const refused = (status) => Object.fromEntries(["unary", "stream", "unary2", "stream2"].map((way) =>
  [way, `${status} invalid_request_error (refused_request)`]));
// A stream that breaks behind its first content: nobody else's words may follow.
const broken = (unary, unary2, event) => ({ unary, unary2, stream: event, stream2: event });
const SERVED = "200 served (none)";

export const UPSTREAM = [
  { fault: "nowhere", upstream: null, ...failing("502 upstream_error", "connect") },
  { fault: "refuse", ...failing("502 upstream_error", "send") },
  { fault: "reset", ...failing("502 upstream_error", "send") },
  { fault: "stall-head", ...failing("504 upstream_timeout", "head_timeout"),
    stream: "event upstream_timeout (first_token_timeout)", stream2: "200 served by the second (first_token_timeout)" },
  { fault: "stall-body", ...broken("504 upstream_timeout (idle_timeout)", "200 served by the second (idle_timeout)",
    "event upstream_timeout (idle_timeout)") },
  { fault: "truncated", ...broken("502 upstream_error (truncated)", "200 served by the second (truncated)", "event upstream_error (truncated)") },
  { fault: "cut", ...broken("502 upstream_error (truncated)", "200 served by the second (truncated)", "event upstream_error (truncated)") },
  { fault: "invalid-json", ...broken("502 upstream_error (bad_answer)", "200 served by the second (bad_answer)",
    "event upstream_error (broken_stream)") },
  { fault: "no-done", ...broken(SERVED, SERVED, "event upstream_error (broken_stream)") },
  { fault: "error-event", ...broken(SERVED, SERVED, "event upstream_error (stream_error)") },
  { fault: "drip", upstream: "mock-events-4-drip", patient: true, unary: SERVED, stream: SERVED, unary2: SERVED, stream2: SERVED },
  { fault: "split", unary: SERVED, stream: SERVED, unary2: SERVED, stream2: SERVED },
  { fault: "no-usage", unary: SERVED, stream: SERVED, unary2: SERVED, stream2: SERVED },
  { fault: "retry-after-7", ...failing("429 rate_limit_exceeded, retry after 7", "rate_limited") },
  { fault: "status-400", ...refused(400) },
  { fault: "status-401", ...failing("502 upstream_error", "credential") },
  { fault: "status-402", ...failing("502 upstream_error", "credential") },
  { fault: "status-403", ...failing("502 upstream_error", "credential") },
  { fault: "status-404", ...failing("502 upstream_error", "status") },
  { fault: "status-408", ...failing("504 upstream_timeout", "status_timeout") },
  { fault: "status-409", ...failing("502 upstream_error", "status") },
  { fault: "status-413", ...refused(413) },
  { fault: "status-418", ...failing("502 upstream_error", "status") },
  { fault: "status-422", ...refused(422) },
  { fault: "status-424", ...failing("502 upstream_error", "status") },
  { fault: "status-429", ...failing("429 rate_limit_exceeded, retry after 5", "rate_limited") },
  { fault: "status-498", ...failing("502 upstream_error", "status") },
  { fault: "status-500", ...failing("502 upstream_error", "status") },
  { fault: "status-502", ...failing("502 upstream_error", "status") },
  { fault: "status-503", ...failing("503 overloaded, retry after 5", "overloaded") },
  { fault: "status-504", ...failing("504 upstream_timeout", "status_timeout") },
  { fault: "status-529", ...failing("503 overloaded, retry after 5", "overloaded") },
].map((row) => ({ upstream: `mock-${row.fault}`, ...row }));

const MASKED = ["--ring-without", "all"];
const SHORT = ", head_timeout_ms: 1000, body_timeout_ms: 1000, write_stall_timeout_ms: 2000, keepalive_timeout_ms: 3000";
const OUTCOMES = ["200 served", "502 upstream_error", "event upstream_error", "connection: ECONNREFUSED", "connection: ECONNRESET"];
const FULL_ANSWERS = ["200 served", "503 overloaded", "event overloaded"];
const FILLED = { rssGrowthMb: atMost(160) };
const STEPS = { "an hour forward": 3600, "an hour back": -3600, "to where it was": 0 };

export const CASES = [
  { name: "a provider's faults", act: "upstream", quick: true },
  { name: "a provider's faults, kernel features masked", act: "upstream", args: MASKED },

  { name: "no descriptors left", act: "noDescriptors", quick: true, with: { streams: 8, clients: 40, spare: 4 },
    seen: { limited: 0, running: { "200 served": 8 }, coming: among("200 served", "503 overloaded"), afterwards: { "200 served": 40 } } },
  { name: "no descriptors left, kernel features masked", act: "noDescriptors", args: MASKED, with: { streams: 8, clients: 400, spare: 40 },
    seen: { limited: 0, running: { "200 served": 8 }, coming: among("200 served", "503 overloaded"), afterwards: { "200 served": 400 } } },
  { name: "a start with few descriptors", act: "startsWithFew", plain: true, with: { limits: [4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 32] },
    seen: { words: among("said why", "served", "ended with 0") } },
  { name: "nobody reads the log", act: "unreadLog", with: { calls: 10000 }, seen: { calls: { "200 served": 10000 }, exit: 0 } },

  ...["process", "power"].flatMap((durability) => [
    { name: `a full disk, durability ${durability}`, act: "fullDisk", quick: true, disk: 96, options: { durability }, home: FILLED,
      seen: { noticed: true, until: among(...FULL_ANSWERS), refused: { "503 overloaded": 20 }, providerCalls: 0, alive: 200, readyWhenFull: 503,
        afterwards: { "200 served": 60 } } },
    { name: `SIGKILL while the disk is full, durability ${durability}`, act: "killedWhenFull", disk: 96, options: { durability }, home: FILLED,
      seen: { noticed: true, ready: 200 } },
  ]),

  { name: "clock steps", act: "clockSteps", quick: true, clock: true, plain: true, with: { steps: STEPS },
    seen: {
      ...Object.fromEntries(Object.keys(STEPS).flatMap((name) => [
        [name, "200 served, 200 served, 504 upstream_timeout"], [`${name}, stream across`, "200 served"]])),
      receipts: "as the clock, latency sane", restarted: 200,
    } },

  { name: "clients that do not read", act: "slowReaders", quick: true, options: { http: SHORT },
    home: { rssGrowthMb: atMost(128) }, // a megabyte or two each, which the heap keeps
    with: { readers: 4, events: 400000, others: 100 },
    more: { readers: 32, events: 400000, others: 1000 },
    seen: { others: { "200 served": 100 }, heldBack: true, growthMb: atMost(16), aborted: 4, passedOn: "a part" },
    seenMore: { others: { "200 served": 1000 }, heldBack: true, growthMb: atMost(112), aborted: 32, passedOn: "a part" } },
  { name: "more streams at once than receive buffers", act: "manyStreams", quick: true, home: { rssGrowthMb: atMost(160) }, // 60 kB each
    with: { streams: 2600 }, seen: { "200 served": 2600 } },
  { name: "clients that pipeline and wait for no answer", act: "pipeliners", quick: true, home: { rssGrowthMb: atMost(160) },
    with: { clients: 600, bytes: 131072, others: 100 }, seen: { others: { "200 served": 100 }, answeredEarly: 0 } },
  { name: "SIGTERM while clients do not read", act: "drainUnread", with: { readers: 16 }, seen: { exit: 0 } },
  { name: "2,000 connections that come and go", act: "crowd", quick: true, options: { http: SHORT }, with: { connections: 2000, rounds: 1 },
    more: { connections: 2000, rounds: 10 },
    seen: { opened: 2000, answers: { 200: 500 } }, seenMore: { opened: 20000, answers: { 200: 5000 } } },
  { name: "half-open connections", act: "halfOpen", quick: true, options: { http: SHORT }, with: { each: 50 },
    seen: { answered: { 200: 50 }, silent: { nothing: 50 }, cancelled: 50, gone: true } },
  { name: "requests slower than their timeouts", act: "trickles", quick: true, options: { http: SHORT }, with: { each: 20 },
    seen: { head: { "408 head_timeout": 20 }, body: { "408 body_timeout": 20 }, others: { "200 served": 20 } } },
  { name: "providers slower than their timeouts", act: "providerTrickles", quick: true, extraProvider: true,
    seen: { head: "504 upstream_timeout", body: "504 upstream_timeout", others: "200 served" } },

  { name: "SIGKILL under load, 1 shard", act: "killed", quick: true, with: { rounds: 3, clients: 16, answers: 100 },
    more: { rounds: 25, clients: 16, answers: 200 }, seen: { checks: 3 }, seenMore: { checks: 25 } },
  { name: "SIGKILL under load, 2 shards", act: "killed", options: { shards: 2 }, with: { rounds: 15, clients: 32, answers: 200 }, seen: { checks: 15 } },
  { name: "SIGKILL under load, durability power", act: "killed", options: { durability: "power" }, with: { rounds: 10, clients: 32, answers: 200 },
    seen: { checks: 10 } },
  { name: "the provider's process dies under load", act: "providerDies", quick: true, with: { clients: 16, deaths: 2 },
    more: { clients: 32, deaths: 10 }, seen: { kinds: among(...OUTCOMES.slice(0, 3)), afterwards: { "200 served": 40 } } },
];
