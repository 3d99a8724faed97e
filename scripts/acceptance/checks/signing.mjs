import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectStatus } from '../callers.mjs';
import { verifyOffline } from '../verifier.mjs';
import { must } from '../verdicts.mjs';

/** What other checks need of the first signature. */
function signedOf({ shown }) {
  must(shown.signed !== undefined, 'there is no signature to look at: see POST /kernel/sign');
  return shown.signed;
}

/** What nobody signed, and a verifier therefore has to refuse. */
const changed = (manifest) => ({ ...manifest, version: `${manifest.version}-changed` });

function written(folder, name, value) {
  const file = join(folder, name);
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value), { mode: 0o600 });
  return file;
}

/** The trust root: the one that is given, or what the kernel says itself. */
async function trustRoot({ options, callers: { operator }, folder, shown }) {
  if (options.signers !== undefined) return { file: options.signers, whose: `${options.signers}` };
  if (shown.registry === undefined) {
    const answer = expectStatus(
      await operator.get('/kernel/keys/signers.json'),
      200,
      '/kernel/keys/signers.json',
    );
    shown.registry = written(folder, 'signers.json', answer.text);
  }
  return { file: shown.registry, whose: "the kernel's registry" };
}

export const signingChecks = [
  {
    criterion: 1,
    name: 'POST /kernel/sign',
    async run({ callers: { operator }, shown }) {
      const manifest = { id: 'acceptance', version: randomUUID(), kind: 'acceptance' };
      const answer = expectStatus(await operator.post('/kernel/sign', { manifest }), 200, '/kernel/sign');
      const { signature_record: record, audit_id: auditId, position } = answer.json;
      shown.signed = { manifest, envelope: record.envelope, signer: record.signer_id, auditId };
      return `signed by ${record.signer_id}, recorded as ${auditId} at ${position}`;
    },
  },
  {
    criterion: 1,
    name: 'signature verifies offline',
    async run(context) {
      const { manifest, envelope, signer } = signedOf(context);
      const { folder, options } = context;
      const { file, whose } = await trustRoot(context);
      const verify = (name, what) =>
        verifyOffline(
          [
            '--signers',
            file,
            '--manifest',
            written(folder, name, what),
            '--envelope',
            written(folder, 'envelope.json', envelope),
          ],
          options.environment,
        );
      const { code, said } = await verify('manifest.json', manifest);
      must(code === 0, `tools/audit-verify.js by ${whose}: ${said}`);
      const control = await verify('changed.json', changed(manifest));
      must(control.code === 1, `tools/audit-verify.js takes a changed manifest, too: ${control.said}`);
      return `tools/audit-verify.js by ${whose}, key ${signer}: verified; a changed manifest is refused`;
    },
  },
  {
    criterion: 1,
    name: 'POST /kernel/verify',
    async run(context) {
      const { manifest, envelope } = signedOf(context);
      const ask = async (body) =>
        expectStatus(await context.callers.operator.post('/kernel/verify', body), 200, '/kernel/verify').json;
      const { valid, reasons } = await ask({ manifest, envelope });
      must(valid, `the kernel calls its own signature not valid: ${reasons.join(', ')}`);
      const control = await ask({ manifest: changed(manifest), envelope });
      must(!control.valid, 'the kernel calls the signature valid for a changed manifest');
      return `valid; not for a changed manifest (${control.reasons.join(', ')})`;
    },
  },
];

export { signedOf, trustRoot, written };
