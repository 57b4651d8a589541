// Certificates for tests, made by openssl.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

// NAME.pem and NAME.key by the issuer in `folder`.
export function issue(folder, name, { days = 90, names = `DNS:${name}`, rsa = false } = {}) {
  const at = (file) => path.join(folder, file);
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  if (!fs.existsSync(at("issuer.pem"))) {
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "issuer.key");
    openssl("req", "-x509", "-new", "-key", "issuer.key", "-subj", "/CN=issuer of the tests", "-days", "90", "-out", "issuer.pem");
  }
  if (rsa) openssl("genrsa", "-out", `${name}.key`, "2048");
  else openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
  fs.writeFileSync(at(`${name}.ext`), `subjectAltName=${names}\n`);
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "issuer.pem", "-CAkey", "issuer.key", "-CAcreateserial", "-days", String(days),
    "-extfile", `${name}.ext`, "-out", `${name}.pem`);
}
