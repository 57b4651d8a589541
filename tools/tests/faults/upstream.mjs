// A provider's fault, in four ways: a whole answer and a stream, with and without a second provider to turn to.
import { ask, inWords, parallel, receiptOf } from "./world.mjs";

const WIDTH = 16;

export const WAYS = ["unary", "stream", "unary2", "stream2"];

const provider = (name, base, patienceMs = 1500) => `  - name: ${name}
    kind: openai_compatible
    base_url: ${base}
    credentials: [{ name: primary, api_key: upstream-secret }]
    timeouts: { connect_ms: ${patienceMs}, head_ms: ${patienceMs}, first_token_ms: ${patienceMs}, idle_ms: ${patienceMs}, total_ms: 60000 }
`;
const model = (id, from, upstream, more = "") =>
  `  - { id: ${id}, provider: ${from}, upstream_model: ${upstream}, price: { input: 1, output: 2 }${more} }\n`;

// Each fault in each way is a provider of its own, so that what the gateway learns of one does not show in another's case.
export function options(rows) {
  const base = (row) => (row.upstream === null ? "http://127.0.0.1:1/v1" : "http://127.0.0.1:MOCK/v1");
  return {
    extraProviders: provider("second", "http://127.0.0.1:MOCK/v1") +
      rows.flatMap((row) => WAYS.map((way) => provider(`p-${row.fault}-${way}`, base(row), row.patient ? 30000 : 1500))).join(""),
    extraModels: model("second/mock", "second", "mock") + rows.flatMap((row) => WAYS.map((way) =>
      model(`${way}/${row.fault}`, `p-${row.fault}-${way}`, row.upstream ?? "mock", way.endsWith("2") ? ", fallback: [second/mock]" : ""))).join(""),
  };
}

const attemptsOf = (receipt) => receipt?.fallback.attempts.map((attempt) => attempt.error).join(" ") || "none";

async function one(world, row, way) {
  const answer = await ask(world, `${way}/${row.fault}`, { stream: way.startsWith("stream") });
  const words = inWords(answer);
  if (answer.failure) return words;
  const receipt = await receiptOf(world, answer.headers["x-request-id"]);
  const by = words === "200 served" && receipt?.execution.provider === "second" ? " by the second" : "";
  const retry = answer.headers["retry-after"] ? `, retry after ${answer.headers["retry-after"]}` : "";
  return `${words}${by}${retry} (${attemptsOf(receipt)})`;
}

// The rows as seen: { fault: { unary, stream, unary2, stream2 } }, and whether the gateway served well after each.
export async function observe(world, rows) {
  const seen = Object.fromEntries(rows.map((row) => [row.fault, {}]));
  await parallel(rows.flatMap((row) => WAYS.map((way) => async () => {
    seen[row.fault][way] = await one(world, row, way);
  })), WIDTH);
  return seen;
}
