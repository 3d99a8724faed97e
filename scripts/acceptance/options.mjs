import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const USAGE = `usage: scripts/acceptance.sh URL [options]

Asks a running kernel whether it meets the criteria of its acceptance (docs/acceptance.md), and prints a table of them with the
evidence. What an option is missing for is "not checked", with its reason. The run appends events (type "acceptance.run") and one
signature of a manifest to the chain, and with approvers one upgrade that changes nothing.

  URL                     the service API, https (KERNEL_API_URL)
  --ca FILE               authority of its certificate, PEM (KERNEL_CA_CERT; default: those of the system)
  --server-name NAME      the name in its certificate, where URL has another (a forwarded port)
  --management URL        /health and /ready of one process; may be repeated (KERNEL_MANAGEMENT_URL)

Callers, each a client certificate and its key, PEM files (KERNEL_<NAME>_CERT, KERNEL_<NAME>_KEY):
  --operator-cert FILE --operator-key FILE              has to be given: it writes, signs and reads
  --superadmin-..., --division-lead-..., --auditor-...  for the table of roles
  --norole-cert FILE --norole-key FILE                  a certificate of the same authority that has no role
  --approvers FILE        JSON: [{ "id", "cert", "key", "approvalKey" }], file names relative to it; as many as a quorum needs
                          (KERNEL_APPROVER_<N>_ID, _CERT, _TLS_KEY, _KEY)

Evidence:
  --signers FILE          the trust root to verify by, from another place (default: the kernel's own registry)
  --from SEQ              verify each shard from this position on (default 1: all of it)
  --archive-dir DIR | --s3 URL
                          verify what is in the archive, too (KERNEL_ARCHIVE_DIR; for S3 the variables of tools/audit-verify.js)
  --wait SECONDS          how long an event may take into the archive (default 30)

Keys:
  --signing-proxy URL     asked by ci/require_kms_check.sh, whose variables name the client certificate (KMS_ENDPOINT,
                          KERNEL_SIGNING_PROXY_URL)
  --allow-softhsm         take SoftHSM for an HSM: for staging (KERNEL_ALLOW_SOFTHSM=true)
  --namespace NAME        look for private keys in this namespace, by kubectl
  --kubeconfig FILE       (KUBECONFIG)   --kubectl PROGRAM   (default: kubectl)
  --tls-secret NAME       a Secret that holds a private key for TLS, and may; may be repeated

People:
  --web URL               their listener (KERNEL_WEB_URL)   --web-ca FILE   (default: as --ca)
  --oidc-issuer URL       where sign-in has to lead (KERNEL_OIDC_ISSUER)
  --person NAME           a test user, who signs in through the form of the provider (ACCEPTANCE_PERSON)
  --person-password-file FILE

  --strict                what was not checked counts as failed
  --json                  one JSON object instead of the table
  --help                  this text

Exit status: 0 everything that was checked is met, 1 something is not, 2 wrong use.
`;

export class WrongUse extends Error {}

const FILE_OPTIONS = ['ca', 'signers', 'kubeconfig', 'web-ca', 'person-password-file'];
const ROLES = ['operator', 'superadmin', 'division-lead', 'auditor', 'norole'];
const DEFAULT_WAIT_SECONDS = 30;

/** Options of the command line, over those of the environment (the variables of `.kernel/kernel.env`, among others). */
export function readOptions(args, environment) {
  const text = { type: 'string' };
  const several = { type: 'string', multiple: true };
  const flag = { type: 'boolean' };
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...Object.fromEntries(FILE_OPTIONS.map((name) => [name, text])),
        ...Object.fromEntries(
          ROLES.flatMap((role) => [`${role}-cert`, `${role}-key`]).map((name) => [name, text]),
        ),
        'server-name': text,
        management: several,
        approvers: text,
        from: text,
        'archive-dir': text,
        s3: text,
        wait: text,
        'signing-proxy': text,
        'allow-softhsm': flag,
        namespace: text,
        kubectl: text,
        'tls-secret': several,
        web: text,
        'oidc-issuer': text,
        person: text,
        strict: flag,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new WrongUse(`${error.message}; --help says what there is`);
  }
  const { values, positionals } = parsed;
  if (values.help) return { help: true };
  if (positionals.length > 1)
    throw new WrongUse(`one URL, not ${positionals.length}: ${positionals.join(' ')}`);
  const set = (name, variable) => values[name] ?? (environment[variable] || undefined);
  const url = positionals[0] ?? environment.KERNEL_API_URL;
  if (!url) throw new WrongUse('name the service API: scripts/acceptance.sh https://kernel.example.com:8443');
  const options = {
    url: urlOf(url, 'URL', ['https:']),
    ca: set('ca', 'KERNEL_CA_CERT'),
    serverName: values['server-name'],
    management: (values.management ?? listOf(environment.KERNEL_MANAGEMENT_URL)).map((one) =>
      urlOf(one, '--management'),
    ),
    roles: Object.fromEntries(ROLES.map((role) => [role, certificateOf(role, values, environment)])),
    approvers: approversOf(values.approvers, environment),
    signers: values.signers,
    from: positiveOf(values.from ?? '1', '--from'),
    archive: archiveOf(values, environment),
    waitSeconds: positiveOf(values.wait ?? String(DEFAULT_WAIT_SECONDS), '--wait'),
    signingProxy:
      values['signing-proxy'] ??
      (environment.KMS_ENDPOINT || environment.KERNEL_SIGNING_PROXY_URL || undefined),
    allowSoftHsm: values['allow-softhsm'] === true || environment.KERNEL_ALLOW_SOFTHSM === 'true',
    namespace: values.namespace,
    kubeconfig: set('kubeconfig', 'KUBECONFIG'),
    kubectl: values.kubectl ?? 'kubectl',
    tlsSecrets: values['tls-secret'] ?? [],
    web: webOf(set('web', 'KERNEL_WEB_URL')),
    webCa: values['web-ca'] ?? set('ca', 'KERNEL_CA_CERT'),
    issuer: set('oidc-issuer', 'KERNEL_OIDC_ISSUER'),
    person: set('person', 'ACCEPTANCE_PERSON'),
    personPasswordFile: values['person-password-file'],
    strict: values.strict === true,
    json: values.json === true,
    environment,
  };
  for (const file of filesOf(options)) {
    if (!existsSync(file)) throw new WrongUse(`there is no file ${file}`);
  }
  if (options.roles.operator === undefined) {
    throw new WrongUse(
      '--operator-cert and --operator-key have to be given: the run writes, signs and reads as an Operator',
    );
  }
  return options;
}

function urlOf(text, what, protocols = ['https:', 'http:']) {
  if (!URL.canParse(text)) throw new WrongUse(`${what} is no URL: ${text}`);
  const url = new URL(text);
  if (!protocols.includes(url.protocol))
    throw new WrongUse(`${what} has to begin with ${protocols.join(' or ')}//: ${text}`);
  if (url.username !== '' || url.password !== '')
    throw new WrongUse(`${what} must not have a password in it`);
  return url.href.replace(/\/$/, '');
}

function webOf(text) {
  return text === undefined ? undefined : urlOf(text, '--web');
}

function listOf(value) {
  return value ? [value] : [];
}

function positiveOf(text, what) {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new WrongUse(`${what} has to be a whole number from 1 on, not ${text}`);
  return Number(text);
}

/** Both or neither: half an identity is a mistake, not a caller less. */
function certificateOf(role, values, environment) {
  const name = role.toUpperCase().replace('-', '_');
  const cert = values[`${role}-cert`] ?? (environment[`KERNEL_${name}_CERT`] || undefined);
  const key = values[`${role}-key`] ?? (environment[`KERNEL_${name}_KEY`] || undefined);
  if ((cert === undefined) !== (key === undefined)) {
    throw new WrongUse(`--${role}-cert and --${role}-key belong together: one of them is missing`);
  }
  return cert === undefined ? undefined : { cert, key };
}

function approversOf(file, environment) {
  if (file !== undefined) {
    let list;
    try {
      list = JSON.parse(readFileSync(file, 'utf8'));
    } catch (error) {
      throw new WrongUse(`--approvers ${file} cannot be read: ${error.message}`);
    }
    const members = ['id', 'cert', 'key', 'approvalKey'];
    const isList =
      Array.isArray(list) && list.every((one) => members.every((name) => typeof one?.[name] === 'string'));
    if (!isList) throw new WrongUse(`--approvers ${file} is not a list of { ${members.join(', ')} }`);
    const at = (name) => resolve(dirname(file), name);
    return list.map(({ id, cert, key, approvalKey }) => ({
      id,
      cert: at(cert),
      key: at(key),
      approvalKey: at(approvalKey),
    }));
  }
  const found = [];
  for (let n = 1; environment[`KERNEL_APPROVER_${n}_ID`]; n += 1) {
    const member = (name) => environment[`KERNEL_APPROVER_${n}_${name}`] ?? '';
    found.push({
      id: member('ID'),
      cert: member('CERT'),
      key: member('TLS_KEY'),
      approvalKey: member('KEY'),
    });
  }
  return found;
}

function archiveOf(values, environment) {
  if (values['archive-dir'] !== undefined && values.s3 !== undefined) {
    throw new WrongUse('--archive-dir or --s3, not both: a deployment has one archive');
  }
  if (values.s3 !== undefined) return ['--s3', values.s3];
  const folder = values['archive-dir'] ?? (environment.KERNEL_ARCHIVE_DIR || undefined);
  return folder === undefined ? undefined : ['--dir', folder];
}

function* filesOf({ ca, signers, kubeconfig, webCa, personPasswordFile, roles, approvers }) {
  for (const file of [ca, signers, webCa, personPasswordFile]) if (file !== undefined) yield file;
  // KUBECONFIG may be a list; kubectl says which of them is missing.
  if (kubeconfig !== undefined && !kubeconfig.includes(':')) yield kubeconfig;
  for (const caller of Object.values(roles)) if (caller !== undefined) yield* [caller.cert, caller.key];
  for (const { cert, key, approvalKey } of approvers) yield* [cert, key, approvalKey];
}
