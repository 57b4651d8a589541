// What testssl.sh finds of a listener with the default settings, and of one that takes TLS 1.2: nothing above its level LOW in
// protocols, ciphers, forward secrecy and vulnerabilities. The two scans, half a minute each, run beside each other.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { issue } from "./certificates.mjs";
import { configuration, freePort, run, startGateway, temporaryFolder } from "./harness.mjs";

const HARMLESS = ["OK", "INFO", "LOW"];
const SCANNED = ["SSLv2", "SSLv3", "TLS1", "TLS1_1", "cipherlist_NULL", "cipherlist_STRONG", "PFS", "heartbleed", "CCS", "ROBOT", "secure_renego",
  "secure_client_renego", "POODLE_SSL", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"];

// Its findings, or why there are none. No name is looked up, and nothing is asked of other hosts.
async function scan(folder, port) {
  const file = path.join(folder, `${port}.json`);
  const { stdout, stderr } = await run("testssl", ["--add-ca", path.join(folder, "issuer.pem"), "-p", "-s", "-f", "-U", "--jsonfile", file, "--warnings", "off",
    "--quiet", "--color", "0", "--nodns", "none", "--ip", "127.0.0.1", `localhost:${port}`]);
  assert.ok(fs.existsSync(file), `testssl said nothing: ${stdout}${stderr}`);
  return JSON.parse(fs.readFileSync(file, "utf8"));
}

async function open(build) {
  const folder = temporaryFolder();
  const at = (name) => path.join(folder, name);
  issue(folder, "localhost", { names: "DNS:localhost,IP:127.0.0.1" });
  issue(folder, "rsa.test", { rsa: true, names: "DNS:localhost" });
  const [port, port13, port12] = [await freePort(), await freePort(), await freePort()];
  const listener = (own, more) => `  - address: 127.0.0.1:${own}
    tls: { cert: ${at("localhost.pem")}, key: ${at("localhost.key")}, certificates: [{ cert: ${at("rsa.test.pem")}, key: ${at("rsa.test.key")} }]${more} }\n`;
  const config = configuration({ port, mockPort: 1, dataDir: at("data") }).replace("listen:\n", `listen:\n${listener(port13, "")}${listener(port12, ', min_version: "1.2"')}`);
  const gateway = await startGateway(build, { dataDir: folder, config });
  const scans = [scan(folder, port13), scan(folder, port12)];
  for (const one of scans) one.catch(() => {}); // told by the test that waits for it
  return {
    scans,
    close: async () => {
      await Promise.allSettled(scans);
      const { code, signal } = await gateway.stop();
      assert.equal(code, 0, `the gateway ended with ${code ?? signal}`);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

function judge(findings, expected) {
  const found = Object.fromEntries(findings.map((one) => [one.id, one.finding]));
  const ofListener = findings.filter((one) => one.id !== "engine_problem"); // which is the scanner's own openssl
  assert.deepEqual(ofListener.filter((one) => !HARMLESS.includes(one.severity)).map((one) => `${one.id}: ${one.severity}: ${one.finding}`), []);
  assert.deepEqual(SCANNED.filter((id) => !(id in found)), [], "not looked at");
  for (const [id, finding] of Object.entries(expected)) assert.match(found[id] ?? "", finding, id);
}

const tests = {
  async "a listener with the default settings"(world) {
    judge(await world.scans[0], { TLS1_2: /^not offered/, TLS1_3: /^offered/, TLS1_1: /^not offered/ });
  },

  async "a listener that takes TLS 1.2"(world) {
    judge(await world.scans[1], { TLS1_2: /^offered/, TLS1_3: /^offered/, TLS1_1: /^not offered/, secure_client_renego: /^not vulnerable/ });
  },
};

const built = fs.readFileSync(path.join(process.argv[2], "include/generated/autoconf.h"), "utf8").includes("CONFIG_TLS 1");

export const suites = built ? [{ name: "tls scan", open, tests }] : [];
