// TLS on both sides of the gateway, with certificates that openssl makes here: curl, openssl s_client, the SDK, and a provider with
// https.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import tls from "node:tls";
import { issue } from "./certificates.mjs";
import { KEY, MASTER_KEY, chat, configuration, eventually, freePort, post, raw, run, start, startGateway, temporaryFolder } from "./harness.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const configured = fs.readFileSync(path.join(process.argv[2], "include/generated/autoconf.h"), "utf8");
const sanitized = configured.includes("CONFIG_SANITIZE 1");

async function open(build, http = ", head_timeout_ms: 1000") {
  const folder = temporaryFolder();
  const at = (file) => path.join(folder, file);
  issue(folder, "localhost", { names: "DNS:localhost,DNS:*.wild.test,IP:127.0.0.1" });
  issue(folder, "rsa.test", { rsa: true });
  issue(folder, "soon.test", { days: 10 });
  issue(folder, "client");
  const { child, match } = await start(`${build}/mockllm`, ["--listen", "127.0.0.1:0", "--cert", at("localhost.pem"), "--key", at("localhost.key")],
    { ready: /listening on \S*:(\d+)/ });
  const [port, tlsPort, strictPort] = [await freePort(), await freePort(), await freePort()];
  const trusting = (name, more) => `  - { name: ${name}, kind: openai_compatible, base_url: "https://localhost:MOCK/v1", credentials: [{ name: a, api_key: b }]${more} }\n`;
  const config = configuration({
    port, mockPort: match[1], dataDir: at("data"), http,
    extraProviders: trusting("wrong", `, tls: { ca: ${at("issuer.pem")}, server_name: other.test }`) + trusting("stranger", "") +
      trusting("anybody", ", tls: { insecure: true }") + trusting("address", `, tls: { ca: ${at("issuer.pem")} }`).replace("localhost", "127.0.0.1"),
    extraModels: ["wrong", "stranger", "anybody", "address"].map((name) =>
      `  - { id: test/${name}, provider: ${name}, upstream_model: mock, price: { input: 1, output: 1 } }\n`).join(""),
  }).replace("listen:\n", `listen:
  - address: 127.0.0.1:${tlsPort}
    tls: { cert: ${at("localhost.pem")}, key: ${at("localhost.key")}, certificates: [{ cert: ${at("rsa.test.pem")}, key: ${at("rsa.test.key")} }] }
  - address: 127.0.0.1:${strictPort}
    tls: { cert: ${at("soon.test.pem")}, key: ${at("soon.test.key")}, min_version: "1.2", client_ca: ${at("issuer.pem")} }
`).replace(`base_url: http://127.0.0.1:${match[1]}/v1`, `base_url: https://localhost:${match[1]}/v1\n    tls: { ca: ${at("issuer.pem")} }`);
  const gateway = await startGateway(build, { dataDir: folder, config });
  return {
    build, folder, at, gateway, config, port, tlsPort, strictPort, base: `http://127.0.0.1:${port}`, ca: fs.readFileSync(at("issuer.pem")),
    close: async () => {
      const { code, signal } = await gateway.stop();
      child.kill("SIGTERM");
      await child.ended;
      assert.equal(code, 0, `the gateway ended with ${code ?? signal}:\n${gateway.child.output().slice(-4000)}`);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

const curl = (world, ...args) => run("curl", ["-sS", "--max-time", "20", "--cacert", world.at("issuer.pem"), ...args]);

async function metrics(world) {
  const text = await (await fetch(`${world.base}/metrics`, { headers: { authorization: `Bearer ${MASTER_KEY}` } })).text();
  return Object.fromEntries(text.split("\n").filter((line) => line.startsWith("tollgate_tls_")).map((line) => line.split(" ")));
}

const handshakes = async (world, side, kind) => Number((await metrics(world))[`tollgate_tls_handshakes_total{side="${side}",kind="${kind}"}`]);
const failures = async (world, side, cause) => Number((await metrics(world))[`tollgate_tls_failures_total{side="${side}",cause="${cause}"}`]);

// A connection that stands; resolves with its socket.
function connect(world, options = {}, onKey = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: world.tlsPort, host: "127.0.0.1", servername: "localhost", ca: world.ca, ...options }, () => resolve(socket));
    socket.on("error", reject).on("keylog", onKey);
  });
}

function ask(socket, target = "/healthz") {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (data) => {
      text += data;
      if (!text.includes("\r\n\r\n{")) return;
      socket.off("data", onData);
      resolve(text);
    };
    socket.on("data", onData);
    socket.once("error", reject);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  });
}

// The private numbers in PEM files, as bytes in both orders: as a file has them and as they are calculated with.
function keysOf(...files) {
  const numbers = files.flatMap((file) => {
    const jwk = crypto.createPrivateKey(fs.readFileSync(file)).export({ format: "jwk" });
    return [jwk.d, jwk.p, jwk.q].filter(Boolean).map((text) => Buffer.from(text, "base64url"));
  });
  return numbers.flatMap((number) => [number, Buffer.from(number).reverse()]);
}

// How often a process has parts of them in memory that a core dump would hold, and in what is left out of it ("dd").
function findInMemory(pid, secrets) {
  const found = { dumped: 0, apart: 0 }, memory = fs.openSync(`/proc/${pid}/mem`, "r");
  const mappings = fs.readFileSync(`/proc/${pid}/smaps`, "latin1").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  for (const mapping of mappings) {
    const [, start, end] = mapping.match(/^([0-9a-f]+)-([0-9a-f]+) r/) ?? [];
    if (!start || /^Rss: +0 kB/m.test(mapping) || /\[vvar|\[vsyscall/.test(mapping)) continue;
    const bytes = Buffer.alloc(parseInt(end, 16) - parseInt(start, 16));
    try {
      fs.readSync(memory, bytes, 0, bytes.length, parseInt(start, 16));
    } catch (error) {
      if (error.code !== "EIO") throw error; // a device's mapping: no core dump has it either
      continue;
    }
    const kind = /^VmFlags:.* dd/m.test(mapping) ? "apart" : "dumped";
    for (const secret of secrets) for (const part of [secret.subarray(0, 16), secret.subarray(-16)]) found[kind] += bytes.includes(part) ? 1 : 0;
  }
  fs.closeSync(memory);
  return found;
}

async function reload(world) {
  const before = world.gateway.child.output().length;
  world.gateway.child.kill("SIGHUP");
  return eventually(() => world.gateway.child.output().slice(before).match(/configuration (reloaded|was not changed.*)/)?.[0], "an answer to SIGHUP");
}

// Answers to what is no handshake that this listener takes: the bytes sent, then how it ends.
const hostile = [
  ["plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", /^HTTP\/1\.1 400 Bad Request\r\n[^]*plain_http_to_tls_port/],
  ["garbage", "\x00\x01\x02garbage that is no record", /^\x15\x03\x03\x00\x02\x02\x0a$/],
  ["a record that is too long", "\x16\x03\x01\xff\xff\x01", /^\x15\x03\x03\x00\x02\x02\x0a$/],
  ["a hello that is too long", "\x16\x03\x01\x00\x04\x01\xff\xff\xff", /^\x15\x03\x03\x00\x02\x02\x0a$/],
  ["another message first", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", /^\x15\x03\x03\x00\x02\x02\x0a$/],
  ["application data first", "\x17\x03\x03\x00\x05hello", /^\x15\x03\x03\x00\x02\x02\x0a$/],
  ["a hello of TLS 1.0", `\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x01${"r".repeat(32)}\x00\x00\x02\x00\x2f\x01\x00`, /^\x15\x03\x03\x00\x02\x02\x46$/],
  ["a hello of TLS 1.1", `\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x02${"r".repeat(32)}\x00\x00\x02\x00\x2f\x01\x00`, /^\x15\x03\x03\x00\x02\x02\x46$/],
  ["a hello with a cut extension", `\x16\x03\x01\x00\x33\x01\x00\x00\x2f\x03\x03${"r".repeat(32)}\x00\x00\x02\x13\x01\x01\x00\x00\x04\x00\x00\x00\xff`, /^\x15\x03\x03\x00\x02\x02\x0a$/],
];

const tests = {
  async "curl: a page, a call and a large body"(world) {
    const health = await curl(world, `https://localhost:${world.tlsPort}/healthz`);
    assert.equal(health.stdout, '{"status":"ok"}\n', health.stderr);
    const body = JSON.stringify(chat("test/mock-large-300", { messages: [{ role: "user", content: "x".repeat(3000000) }] }));
    fs.writeFileSync(world.at("body.json"), body);
    const call = await curl(world, `https://localhost:${world.tlsPort}/v1/chat/completions`, "-H", `authorization: Bearer ${KEY}`,
      "-H", "content-type: application/json", "--data-binary", `@${world.at("body.json")}`);
    assert.ok(JSON.parse(call.stdout).choices[0].message.content.length > 300000, call.stderr);
  },

  async "the OpenAI SDK over https, unary and streaming"(world) {
    const script = `import OpenAI from "openai";
      const client = new OpenAI({ apiKey: "${KEY}", baseURL: "https://localhost:${world.tlsPort}/v1", maxRetries: 0 });
      const messages = [{ role: "user", content: "Say hello." }];
      const answer = await client.chat.completions.create({ model: "test/mock", messages });
      let text = "", chunks = 0;
      for await (const chunk of await client.chat.completions.create({ model: "test/mock-events-20000", messages, stream: true })) {
        chunks++;
        text += chunk.choices[0]?.delta?.content ?? "";
      }
      console.log(answer.object, chunks > 20000, text.length);`;
    const file = path.join(here, `../.tls-${process.pid}.mjs`); // where its modules are found
    fs.writeFileSync(file, script);
    try {
      const { stdout, stderr } = await run("node", ["--dns-result-order=ipv4first", file], {
        NODE_EXTRA_CA_CERTS: world.at("issuer.pem"), // ipv4first: the listener has no ::1, which node 18 takes and stays with
      });
      assert.equal(stdout, "chat.completion true 120000\n", stderr);
    } finally {
      fs.rmSync(file);
    }
  },

  async "openssl s_client: versions, protocol, certificates by name"(world) {
    const client = (...args) => run("sh", ["-c", `openssl s_client -connect 127.0.0.1:${world.tlsPort} -CAfile '${world.at("issuer.pem")}' "$@" </dev/null 2>&1`, "-", ...args]);
    const subject = async (name) => (await client("-servername", name)).stdout.match(/subject=CN = (\S+)/)?.[1];
    const plain = (await client("-servername", "localhost", "-alpn", "http/1.1", "-verify_return_error")).stdout;
    assert.match(plain, /New, TLSv1.3/);
    assert.match(plain, /ALPN protocol: http\/1.1/);
    assert.equal(await subject("rsa.test"), "rsa.test");
    assert.equal(await subject("a.wild.test"), "localhost");
    assert.equal(await subject("unheard-of.test"), "localhost");
    assert.match((await client("-alpn", "h2")).stdout, /alert no application protocol/);
    assert.match((await client("-tls1_2")).stdout, /alert protocol version/);
  },

  async "sessions are resumed, by clients and towards the provider"(world) {
    const counts = async () => [await handshakes(world, "server", "resumed"), await handshakes(world, "client", "resumed")];
    const [server, client] = await counts();
    const session = await new Promise((resolve, reject) => {
      const socket = tls.connect({ port: world.tlsPort, host: "127.0.0.1", servername: "localhost", ca: world.ca });
      socket.on("session", resolve).on("error", reject);
    });
    const again = await connect(world, { session });
    assert.ok(again.isSessionReused());
    assert.match(await ask(again), /"ok"/);
    again.destroy();
    assert.equal((await post(world, "/v1/chat/completions", chat("test/mock-refuse"))).status, 502); // its connection is gone
    assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"))).status, 200);
    await eventually(async () => (await counts())[0] > server && (await counts())[1] > client, "resumptions in the metrics");
  },

  async "what is no handshake is answered and closed"(world) {
    for (const [name, bytes, expected] of hostile) {
      const whole = await raw(world.tlsPort, bytes);
      assert.match(whole, expected, name);
      assert.match(await raw(world.tlsPort, [...bytes]), expected, `${name}, byte by byte`);
    }
    await eventually(async () => (await failures(world, "server", "plain_http")) >= 2 && (await failures(world, "server", "version")) >= 4,
      "failures by cause in the metrics");
  },

  async "a handshake that does not come on is closed after head_timeout_ms"(world) {
    const hello = await new Promise((resolve) => { // of a client that speaks to nobody
      const server = net.createServer((socket) => socket.once("data", (data) => {
        resolve(data);
        socket.destroy();
        server.close();
      })).listen(0, "127.0.0.1", () => tls.connect({ port: server.address().port, host: "127.0.0.1", ca: world.ca }).on("error", () => {}));
    });
    for (const bytes of ["", hello.subarray(0, 3), hello.subarray(0, -1), hello]) {
      const socket = net.connect(world.tlsPort, "127.0.0.1", () => socket.write(bytes));
      const closed = new Promise((done) => socket.once("close", done));
      socket.on("error", () => {}).resume();
      await closed;
    }
  },

  async "a client certificate that is asked for"(world) {
    const strict = (...args) => curl(world, "--resolve", `soon.test:${world.strictPort}:127.0.0.1`, `https://soon.test:${world.strictPort}/healthz`, ...args);
    const own = ["--cert", world.at("client.pem"), "--key", world.at("client.key")];
    assert.equal((await strict(...own)).stdout, '{"status":"ok"}\n');
    assert.equal((await strict(...own, "--tls-max", "1.2")).stdout, '{"status":"ok"}\n');
    assert.match((await strict()).stderr, /certificate required/);
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", world.at("self.key"),
      "-out", world.at("self.pem"), "-subj", "/CN=client", "-days", "10"], { stdio: "ignore" });
    assert.match((await strict("--cert", world.at("self.pem"), "--key", world.at("self.key"))).stderr, /unknown ca/);
    await eventually(async () => (await failures(world, "server", "no_certificate")) === 1 && (await failures(world, "server", "unknown_issuer")) === 1,
      "failures by cause in the metrics");
  },

  async "a client certificate's holder is on the receipt, in the access log and in the audit log"(world) {
    const who = /^Hash=[0-9a-f]{64};Subject="CN=client";DNS="client"$/;
    const call = (port, ...args) => curl(world, "--resolve", `soon.test:${port}:127.0.0.1`, "-H", `authorization: Bearer ${KEY}`, "-H", "content-type: application/json",
      "-d", JSON.stringify(chat("test/mock")), ...args);
    const receipt = async (answer) => (await fetch(`${world.base}/v1/receipts/${JSON.parse(answer.stdout)["x-llm-gateway"].request_id}`,
      { headers: { authorization: `Bearer ${KEY}` } })).json();
    const known = await receipt(await call(world.strictPort, `https://soon.test:${world.strictPort}/v1/chat/completions`,
      "--cert", world.at("client.pem"), "--key", world.at("client.key")));
    const fingerprint = execFileSync("openssl", ["x509", "-in", world.at("client.pem"), "-noout", "-fingerprint", "-sha256"], { encoding: "utf8" });
    assert.match(known.client_certificate, who);
    assert.ok(known.client_certificate.includes(fingerprint.split("=")[1].trim().replaceAll(":", "").toLowerCase()));
    const stranger = await receipt(await call(world.tlsPort, `https://localhost:${world.tlsPort}/v1/chat/completions`));
    assert.ok(!("client_certificate" in stranger));
    const line = await eventually(() => world.gateway.child.output().split("\n").find((one) => one.includes(known.request_id)), "the access log");
    assert.match(JSON.parse(line).client_certificate, who);

    const admin = ["-H", `authorization: Bearer ${MASTER_KEY}`, "-H", "content-type: application/json"];
    const made = await curl(world, "--resolve", `soon.test:${world.strictPort}:127.0.0.1`, "--cert", world.at("client.pem"), "--key", world.at("client.key"),
      ...admin, "-d", JSON.stringify({ name: "made with a certificate" }), `https://soon.test:${world.strictPort}/admin/keys`);
    const { data } = JSON.parse((await curl(world, ...admin, `http://127.0.0.1:${world.port}/admin/audit?object=${JSON.parse(made.stdout).id}`)).stdout);
    assert.equal(data.length, 1, made.stdout);
    assert.match(data[0].actor.client_certificate, who);
  },

  async "the client commands over https: who is trusted, and why not"(world) {
    const tollgate = (command, url, ...args) => run(`${world.build}/tollgate`, [command, "--url", url, ...args], { TOLLGATE_MASTER_KEY: MASTER_KEY });
    const ca = ["--ca", world.at("issuer.pem")], own = `https://localhost:${world.tlsPort}`;
    for (const args of [ca, ["--insecure"]]) {
      const status = await tollgate("status", own, ...args);
      assert.equal(status.code, 0, status.stderr);
      assert.match(status.stdout, /version/);
    }
    const receipts = await tollgate("receipts", `https://127.0.0.1:${world.tlsPort}/`, "--json", ...ca); // the certificate is for the address as well
    assert.equal(receipts.code, 0, receipts.stderr);
    assert.ok(receipts.stdout.includes('"request_id"'));
    for (const [url, args, expected] of [
      [own, [], /localhost:\d+: the peer's certificate was issued by nobody who is trusted; name its issuer with --ca/],
      [`https://localhost:${world.strictPort}`, ca, /the peer's certificate is for another host/],
      [`https://localhost:${world.port}`, ca, /localhost:\d+: the peer broke the TLS protocol/],
      [own, ["--ca", world.at("none.pem")], /none\.pem cannot be read: No such file/],
      [own, ["--ca", world.at("localhost.key")], /localhost\.key holds no certificate of an issuer/],
      [`http://localhost:${world.tlsPort}`, [], /answered 400: This port speaks TLS/],
      [`ftp://localhost`, [], /--url must be http or https/],
    ]) {
      const { code, stdout, stderr } = await tollgate("status", url, ...args);
      assert.equal(code, 1, `${url} ${args}: ${stdout}`);
      assert.match(stderr, expected);
    }
  },

  async "renegotiation is refused"(world) {
    const client = spawn("openssl", ["s_client", "-tls1_2", "-connect", `127.0.0.1:${world.strictPort}`, "-cert", world.at("client.pem"),
      "-key", world.at("client.key")], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    const timer = setTimeout(() => client.kill("SIGKILL"), 20000);
    client.stdout.on("data", (data) => {
      const stood = output.includes("Verify return code");
      output += data;
      if (!stood && output.includes("Verify return code")) client.stdin.write("R\n");
    });
    client.stderr.on("data", (data) => (output += data));
    const { code, signal } = await new Promise((done) => client.once("close", (code, signal) => done({ code, signal })));
    clearTimeout(timer);
    assert.match(output, /New, TLSv1.2/);
    assert.match(output, /RENEGOTIATING/);
    assert.equal(signal, null, "the connection was not closed");
    assert.notEqual(code, 0);
    assert.match((await curl(world, `https://localhost:${world.tlsPort}/healthz`)).stdout, /ok/);
  },

  async "a provider that is not trusted is named in error, receipt and metrics"(world) {
    for (const [model, cause, text] of [["wrong", "wrong_host", /for another host/], ["stranger", "unknown_issuer", /issued by nobody who is trusted/]]) {
      const answer = await post(world, "/v1/chat/completions", chat(`test/${model}`));
      assert.equal(answer.status, 502);
      const { error } = await answer.json();
      assert.equal(error.code, "upstream_error");
      assert.match(error.message, text);
      const receipt = await (await fetch(`${world.base}/v1/receipts/${error.request_id}`, { headers: { authorization: `Bearer ${KEY}` } })).json();
      assert.deepEqual(receipt.fallback.attempts.map((attempt) => attempt.error), [`tls_${cause}`]);
      await eventually(async () => (await failures(world, "client", cause)) >= 1, `${cause} in the metrics`);
    }
    for (const model of ["anybody", "address"]) assert.equal((await post(world, "/v1/chat/completions", chat(`test/${model}`))).status, 200, model);
  },

  async "a provider's answer that is cut off over TLS is no answer"(world) {
    for (const model of ["mock-truncated", "mock-reset", "mock-refuse"])
      assert.equal((await post(world, "/v1/chat/completions", chat(model))).status, 502, model);
    const stream = await (await post(world, "/v1/chat/completions", chat("mock-cut", { stream: true }))).text();
    assert.match(stream, /"type":"upstream_error"/);
    assert.doesNotMatch(stream, /\[DONE\]/);
  },

  async "a connection that hangs up without saying so harms nobody"(world) {
    for (const method of ["destroy", "resetAndDestroy"]) {
      const below = net.connect(world.tlsPort, "127.0.0.1");
      const socket = await connect(world, { socket: below, port: undefined, host: undefined });
      socket.on("error", () => {});
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
      below[method]();
    }
    const socket = await connect(world);
    assert.match(await ask(socket), /"ok"/);
    socket.destroy();
  },

  async "no key is in what a core dump would hold"(world) {
    if (sanitized) return; // there each allocation is the C library's
    const secrets = keysOf(world.at("localhost.key"), world.at("rsa.test.key"));
    const logged = (line) => line.toString().startsWith("CLIENT_HANDSHAKE") || secrets.push(Buffer.from(line.toString().trim().split(" ")[2], "hex"));
    const socket = await connect(world, {}, logged);
    assert.match(await ask(socket), /"ok"/);
    assert.equal((await post(world, "/v1/chat/completions", chat("test/mock"))).status, 200);
    assert.ok(secrets.length > 6, "no secret of the connection was told");
    const found = findInMemory(world.gateway.child.pid, secrets);
    assert.ok(found.apart > 0, "no key was found in the memory that is left out: it was not looked for as it lies there");
    assert.equal(found.dumped, 0);
    socket.destroy();
  },

  async "SIGHUP: new certificates, and no connection is dropped"(world) {
    const old = await connect(world);
    const before = old.getPeerCertificate().fingerprint256;
    assert.match(await ask(old), /"ok"/);
    issue(world.folder, "localhost", { names: "DNS:localhost,IP:127.0.0.1" });
    assert.equal(await reload(world), "configuration reloaded");
    const fresh = await eventually(async () => {
      const socket = await connect(world);
      if (socket.getPeerCertificate().fingerprint256 !== before) return socket;
      socket.destroy();
      return null;
    }, "the new certificate");
    assert.match(await ask(old), /"ok"/);
    assert.match(await ask(fresh), /"ok"/);
    old.destroy();
    fresh.destroy();
  },

  async "SIGHUP: a broken certificate keeps the old one and says so"(world) {
    const key = fs.readFileSync(world.at("localhost.key"));
    fs.copyFileSync(world.at("client.key"), world.at("localhost.key"));
    assert.match(await reload(world), /was not changed: tls of address 1 of 'listen': the key in \S+ does not belong to the certificate/);
    const { code, stdout } = await run(`${world.build}/tollgate`, ["check", "-c", world.gateway.file]);
    assert.equal(code, 1);
    assert.match(stdout, /does not belong to the certificate/);
    const socket = await connect(world);
    assert.match(await ask(socket), /"ok"/);
    socket.destroy();
    fs.writeFileSync(world.at("localhost.key"), key);
    assert.equal(await reload(world), "configuration reloaded");
  },

  async "a certificate that ends within 30 days is warned of"(world) {
    const { code, stderr } = await run(`${world.build}/tollgate`, ["check", "-c", world.gateway.file]);
    assert.equal(code, 0);
    assert.match(stderr, /warning: tls of address 2 of 'listen': a certificate expires in 9 days/);
    assert.match(world.gateway.child.output(), /warning: tls of address 2 of 'listen': a certificate expires in 9 days/);
    assert.equal((await metrics(world)).tollgate_tls_certificate_days_left, "9");
  },
};

// As many handshakes at once as there are addresses; how many stood, and how many were reset.
async function flood(world, addresses) {
  const ends = await Promise.all(addresses.map((localAddress) => connect(world, { localAddress }).then((socket) => {
    socket.on("error", () => {}).destroy();
    return "stood";
  }, (error) => error.code)));
  const stood = ends.filter((end) => end === "stood").length, reset = ends.filter((end) => end === "ECONNRESET").length;
  assert.equal(stood + reset, addresses.length, ends.join(" "));
  return { stood, reset };
}

const FLOOD = 150;

// A stream of which much is left to come: the first of it, and a promise of the rest.
async function beginStream(world, localAddress) {
  const socket = await connect(world, { localAddress });
  const body = JSON.stringify(chat("test/mock-events-20000", { stream: true }));
  let text = "";
  const begun = new Promise((resolve, reject) => {
    socket.on("data", (data) => {
      text += data;
      resolve();
    }).on("error", reject);
  });
  const whole = new Promise((resolve) => socket.once("close", () => resolve(text)));
  socket.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`);
  await begun;
  return whole;
}

const floods = {
  async "a flood from one address: it gets its share, the rest is refused and counted, a stream goes on"(world) {
    const whole = await beginStream(world, "127.0.0.2");
    const { stood, reset } = await flood(world, Array(FLOOD).fill("127.0.0.1"));
    assert.ok(stood > 0 && reset > 0, `${stood} stood, ${reset} were reset`);
    await eventually(async () => (await failures(world, "server", "rate_of_ip")) === reset, "refused handshakes in the metrics");
    assert.match(await whole, /data: \[DONE\]/);
  },

  async "a flood from many addresses: a second's worth begins, as many wait, the rest is refused and counted"(world) {
    const whole = await beginStream(world, "127.0.0.3");
    const { stood, reset } = await flood(world, Array.from({ length: FLOOD }, (_, i) => `127.0.1.${i + 1}`));
    assert.ok(stood >= 20 && reset > 0, `${stood} stood, ${reset} were reset`);
    await eventually(async () => (await failures(world, "server", "rate")) === reset, "refused handshakes in the metrics");
    assert.ok(Number((await metrics(world)).tollgate_tls_handshakes_delayed_total) > 0);
    assert.match(await whole, /data: \[DONE\]/);
  },

  async "SIGHUP: other limits are in force"(world) {
    const text = fs.readFileSync(world.gateway.file, "utf8");
    fs.writeFileSync(world.gateway.file, text.replace(LIMITED, LIMITED.replace(": 20,", ": 100000,").replace(": 5", ": 100000")));
    assert.equal(await reload(world), "configuration reloaded");
    await eventually(async () => (await flood(world, Array(FLOOD).fill("127.0.0.4"))).stood === FLOOD, "a flood of which nobody is refused");
  },
};

const LIMITED = ", max_tls_handshakes_per_second: 20, max_tls_handshakes_per_second_per_ip: 5";

const built = configured.includes("CONFIG_TLS 1");

export const suites = built
  ? [{ name: "tls", open, tests }, { name: "tls flood", open: (build) => open(build, LIMITED), tests: floods }]
  : [];
