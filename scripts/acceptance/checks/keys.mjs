import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expectStatus } from '../callers.mjs';
import { must, notChecked } from '../verdicts.mjs';
import { signedOf } from './signing.mjs';

const GATE = fileURLToPath(new URL('../../../ci/require_kms_check.sh', import.meta.url));

async function registryOf({ callers: { operator }, shown }) {
  shown.keys ??= expectStatus(await operator.get('/kernel/keys'), 200, '/kernel/keys').json.signers;
  return shown.keys;
}

/** Runs ci/require_kms_check.sh; its variables are those of the environment, but for what is given. */
export function runGate(environment) {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', [GATE], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const said = Buffer.concat(chunks)
        .toString('utf8')
        .trim()
        .replaceAll(/\s*\n\s*/g, '; ');
      resolve({ code: code ?? 1, said });
    });
  });
}

export const keyChecks = [
  {
    criterion: 3,
    name: 'keys are in the registry',
    async run(context) {
      const { signer } = signedOf(context);
      const keys = await registryOf(context);
      const active = keys.filter(({ status }) => status === 'active');
      for (const purpose of ['audit', 'manifest']) {
        must(
          active.some(({ purposes }) => purposes.includes(purpose)),
          `no key for ${purpose} is active in the registry`,
        );
      }
      must(
        active.some(({ signer_kid: kid }) => kid === signer),
        `${signer}, which signed, is not an active key of the registry`,
      );
      return active.map(({ signer_kid: kid, purposes }) => `${kid} (${purposes.join(', ')})`).join('; ');
    },
  },
  {
    criterion: 3,
    name: 'keys are not in software',
    async run(context) {
      const soft = (await registryOf(context)).filter(
        ({ status, description }) => status === 'active' && /^software\b/.test(description),
      );
      must(
        soft.length === 0,
        `registered as ${soft.map(({ signer_kid: kid, description }) => `"${kid}: ${description}"`).join(', ')}`,
      );
      return `no active key is registered as one of the software backend`;
    },
  },
  {
    criterion: 3,
    name: 'keys are in an HSM or KMS',
    async run({ options }) {
      const { signingProxy, allowSoftHsm, environment, ca, roles } = options;
      if (signingProxy === undefined)
        notChecked('no --signing-proxy is given, which says how its keys are kept');
      const { code, said } = await runGate({
        ...(ca !== undefined && { KERNEL_CA_CERT: ca }),
        KERNEL_OPERATOR_CERT: roles.operator.cert,
        KERNEL_OPERATOR_KEY: roles.operator.key,
        // KMS_CA_FILE and its like come first for the gate: where the proxy has clients of its own.
        ...environment,
        REQUIRE_KMS: 'true',
        KMS_ENDPOINT: signingProxy,
        SIGNING_PROXY_URL: signingProxy,
        KERNEL_ALLOW_SOFTHSM: String(allowSoftHsm),
      });
      must(code === 0, said);
      return said;
    },
  },
];
