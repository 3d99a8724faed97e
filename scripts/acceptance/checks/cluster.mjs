import { execFile } from 'node:child_process';
import { expectStatus } from '../callers.mjs';
import { must, notChecked } from '../verdicts.mjs';
import { privateKeysIn, publicKeyText } from '../private-keys.mjs';

const MAX_LIST_BYTES = 256 * 1024 * 1024;
/** Whatever has a pod template, and pods themselves, which may have been made by hand. */
const WORKLOADS = 'pods,deployments,statefulsets,daemonsets,replicasets,jobs,cronjobs';

function listed({ kubectl, kubeconfig, namespace, environment }, kinds) {
  const args = ['get', kinds, '--namespace', namespace, '--output', 'json'];
  if (kubeconfig !== undefined) args.push('--kubeconfig', kubeconfig);
  return new Promise((resolve, reject) => {
    execFile(
      kubectl,
      args,
      { env: environment, maxBuffer: MAX_LIST_BYTES, timeout: 60_000 },
      (error, stdout, stderr) => {
        // Not being allowed to look is no sign that there is nothing: the check was asked for, so it fails.
        if (error)
          reject(new Error(`kubectl get ${kinds} in ${namespace}: ${stderr.trim() || error.message}`));
        else resolve(JSON.parse(stdout).items);
      },
    );
  });
}

function needCluster({ namespace, kubeconfig }) {
  if (namespace === undefined) {
    notChecked(
      kubeconfig === undefined
        ? 'no --namespace and no --kubeconfig is given'
        : 'no --namespace is given: which one is the deployment in?',
    );
  }
}

function* membersOf({ kind, data, stringData, binaryData }) {
  const decode = (value) => Buffer.from(value, 'base64');
  const isSecret = kind === 'Secret';
  for (const [name, value] of Object.entries(data ?? {}))
    yield [name, isSecret ? decode(value) : Buffer.from(value)];
  for (const [name, value] of Object.entries(stringData ?? {})) yield [name, Buffer.from(value)];
  for (const [name, value] of Object.entries(binaryData ?? {})) yield [name, decode(value)];
}

/** A key for TLS has one place: the member `tls.key` of a Secret for TLS that is named as one that may. */
function mayHoldIt({ kind, type, metadata }, member, { tlsSecrets }) {
  return (
    kind === 'Secret' &&
    type === 'kubernetes.io/tls' &&
    member === 'tls.key' &&
    tlsSecrets.includes(metadata.name)
  );
}

function* containersOf(item) {
  const spec =
    item.kind === 'Pod' ? item.spec : (item.spec?.template ?? item.spec?.jobTemplate?.spec?.template)?.spec;
  for (const list of [spec?.initContainers, spec?.containers, spec?.ephemeralContainers]) yield* list ?? [];
}

export const clusterChecks = [
  {
    criterion: 3,
    name: 'no private keys in Secrets and ConfigMaps',
    async run({ options, callers: { operator } }) {
      needCluster(options);
      const { json } = expectStatus(await operator.get('/kernel/keys'), 200, '/kernel/keys');
      const signing = new Map(json.signers.map((one) => [publicKeyText(one.public_key_pem), one.signer_kid]));
      const items = await listed(options, 'secrets,configmaps');
      const found = [];
      let forTls = 0;
      for (const item of items) {
        for (const [member, bytes] of membersOf(item)) {
          for (const key of privateKeysIn(bytes)) {
            const place = `${item.kind} ${item.metadata.name}, ${member}`;
            const kid = key.publicKey === null ? undefined : signing.get(key.publicKey);
            if (kid !== undefined) found.push(`${place}: the key ${kid}, which signs`);
            else if (mayHoldIt(item, member, options)) forTls += 1;
            else found.push(`${place}: ${key.what}`);
          }
        }
      }
      must(found.length === 0, found.join('; '));
      return `${items.length} objects of ${options.namespace}: no private key but ${forTls} for TLS in ${options.tlsSecrets.join(', ') || 'no Secret'}, none of which signs`;
    },
  },
  {
    criterion: 3,
    name: 'no private keys in the environment of pods',
    async run({ options }) {
      needCluster(options);
      const items = await listed(options, WORKLOADS);
      const found = [];
      let count = 0;
      for (const item of items) {
        for (const { name, env = [], args = [], command = [] } of containersOf(item)) {
          count += 1;
          const place = `${item.kind} ${item.metadata.name}, container ${name}`;
          const texts = [
            ...env.map((one) => [one.name, one.value ?? '']),
            ...[...command, ...args].map((one) => ['its command', one]),
          ];
          for (const [where, text] of texts) {
            for (const { what } of privateKeysIn(Buffer.from(text)))
              found.push(`${place}, ${where}: ${what}`);
            if (where === 'KERNEL_SIGNER' && text === 'software')
              found.push(`${place}: KERNEL_SIGNER=software`);
          }
        }
      }
      must(count > 0, `there is no container in ${options.namespace}: is it the right namespace?`);
      must(found.length === 0, found.join('; '));
      return `${count} containers of ${items.length} objects of ${options.namespace}`;
    },
  },
];
