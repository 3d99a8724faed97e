// Signs a manifest at the kernel over mutual TLS, as a division lead of a division of its own, and verifies the answer with
// nothing but the registry's public keys: once here, by node:crypto, and once by the kernel. Run by `helm test`.
import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';

const api = process.env.SMOKE_API_URL;
const root = process.env.SMOKE_ROOT ?? '/etc/kernel';
const file = (name) => readFileSync(join(root, name));
const agent = new Agent({
  ca: file('authorities/ca.crt'),
  cert: file('client/tls.crt'),
  key: file('client/tls.key'),
});

/** Calls the service API; rejects on any answer but 200. */
function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() };
    const sent = request(new URL(path, api), { method, agent, headers, timeout: 10_000 }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else
          reject(
            new Error(`${method} ${path} was answered with ${answer.statusCode}: ${text.slice(0, 500)}`),
          );
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} was not answered within 10 s`)));
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** DSSE v1, pre-authentication encoding. */
function pae(type, payload) {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

function assert(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

// Members in the order of their names, so that JSON.stringify writes what RFC 8785 asks for.
const manifest = { division: 'smoke-test', id: `smoke-${randomUUID()}`, kind: 'smoke', version: '1' };
const { audit_id: auditId, signature_record: record } = await call('POST', '/kernel/sign', { manifest });
const { envelope } = record;
const { signers } = await call('GET', '/kernel/keys/signers.json');

const digest = createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
const payload = Buffer.from(envelope.payload, 'base64');
const statement = JSON.parse(payload.toString('utf8'));
assert(statement.subject[0].digest.sha256 === digest, 'the signed statement is about another manifest');

const [{ keyid, sig }] = envelope.signatures;
const signer = signers.find(({ signer_kid: kid }) => kid === keyid);
assert(signer !== undefined, `the registry does not have the key ${keyid}, which signed`);
const key = createPublicKey(signer.public_key_pem);
const signed = pae(envelope.payloadType, payload);
assert(verify(null, signed, key, Buffer.from(sig, 'base64')), `the signature is not by ${keyid}`);
signed[signed.length - 1] ^= 1;
assert(!verify(null, signed, key, Buffer.from(sig, 'base64')), 'an altered statement verified as well');

const verdict = await call('POST', '/kernel/verify', { manifest, envelope });
assert(verdict.valid === true, `the kernel finds its signature not valid: ${JSON.stringify(verdict)}`);
agent.destroy();
process.stdout.write(
  `signed ${manifest.id} with ${keyid}, verified here and by the kernel; recorded as ${auditId}\n`,
);
