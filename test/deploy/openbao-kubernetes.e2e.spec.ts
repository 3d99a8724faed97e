import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import {
  DevelopmentCa,
  openBaoMissing,
  openBaoProgram,
  type OpenBaoServer,
  startOpenBao,
} from '#dev/devstack';
import { describeWith, kubeMissing, MtlsClient, withCluster, workTree } from '#dev/testing';
import { until } from '../faults/until';
import { CHART, RELEASE, valuesOf } from './chart-release';

const NAMESPACE = 'illuvrse-kernel-production';
const MAKE_ROLES = join(workTree(), 'k8s/examples/openbao/make-roles.sh');
/** `signingProxy.keys` of the chart's values for production. */
const SIGNING_KEYS = [
  'kernel-audit-ed25519-v1',
  'kernel-manifest-ed25519-v1',
  'kernel-checkpoint-ed25519-v1',
];
/** Reviews tokens for OpenBao, and may do nothing else. */
const REVIEWER = 'openbao';

/** A SecretProviderClass, as far as the CSI driver and Vault's provider read it. */
interface SecretClass {
  readonly account: string;
  readonly role: string;
  readonly audience: string;
  readonly mount: string;
  readonly objects: readonly { objectName: string; secretPath: string; secretKey: string }[];
}

describeWith(
  { missing: kubeMissing() ?? openBaoMissing() },
  "secrets of the chart in OpenBao, read with tokens of the API server's",
  () => {
    const cluster = withCluster();
    let bao: OpenBaoServer;
    let anybody: MtlsClient;
    let classes: SecretClass[] = [];
    beforeAll(async () => {
      const ca = await DevelopmentCa.open(join(cluster().dir, 'openbao-ca'));
      bao = await startOpenBao({
        dir: join(cluster().dir, 'openbao'),
        ca,
        restart: false,
        throwaway: true,
      });
      anybody = new MtlsClient(bao.address, { ca: bao.caFile, identity: undefined });
      await cluster().addNamespace(NAMESPACE);
      await cluster().addNamespace('elsewhere');
      classes = await readClasses();
      await cluster().client.apply(
        ...classes.map(({ account }) => accountOf(account, NAMESPACE)),
        accountOf(REVIEWER, 'kube-system'),
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: REVIEWER },
          roleRef: {
            apiGroup: 'rbac.authorization.k8s.io',
            kind: 'ClusterRole',
            name: 'system:auth-delegator',
          },
          subjects: [{ kind: 'ServiceAccount', name: REVIEWER, namespace: 'kube-system' }],
        },
      );
      await provision();
    }, 120_000);
    afterAll(async () => {
      await anybody?.close();
      await bao?.stop();
    }, 60_000);

    /** The SecretProviderClasses of the chart, each with the account of the pods that mount it. */
    async function readClasses(): Promise<SecretClass[]> {
      const rendered = await cluster().client.helm([
        'template',
        RELEASE,
        CHART,
        `--namespace=${NAMESPACE}`,
        ...valuesOf('production'),
      ]);
      const objects = parseAllDocuments(rendered).map((document) => document.toJS());
      return objects
        .filter((object) => object?.kind === 'SecretProviderClass')
        .map(({ metadata, spec: { parameters } }) => {
          const mounting = objects
            .map((object) => object?.spec?.template?.spec ?? object?.spec)
            .filter((spec) =>
              (spec?.volumes ?? []).some(
                (volume: { csi?: { volumeAttributes: { secretProviderClass: string } } }) =>
                  volume.csi?.volumeAttributes.secretProviderClass === metadata.name,
              ),
            );
          expect({ name: metadata.name, mounted: mounting.length }).toEqual({
            name: metadata.name,
            mounted: 1,
          });
          return {
            account: mounting[0].serviceAccountName,
            role: parameters.roleName,
            audience: parameters.audience,
            mount: parameters.vaultAuthMountPath,
            objects: parse(parameters.objects),
          };
        });
    }

    async function provision(): Promise<void> {
      const { client, plane } = cluster();
      const reviewer = await client.kubectl(['--namespace=kube-system', 'create', 'token', REVIEWER]);
      await bao.ask('POST', 'sys/auth/kubernetes', { type: 'kubernetes' });
      await bao.ask('POST', 'auth/kubernetes/config', {
        kubernetes_host: plane.url,
        kubernetes_ca_cert: await readFile(plane.credentials.caFile, 'utf8'),
        token_reviewer_jwt: reviewer.trim(),
        disable_local_ca_jwt: true,
      });
      await bao.ask('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
      await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' });
      for (const key of SIGNING_KEYS) await bao.ask('POST', `transit/keys/${key}`, { type: 'ed25519' });
      await makeRoles();
      for (const { role, objects } of classes) {
        for (const path of new Set(objects.map(({ secretPath }) => secretPath))) {
          const keys = objects.filter(({ secretPath }) => secretPath === path);
          await bao.ask('POST', path, {
            data: Object.fromEntries(keys.map(({ secretKey }) => [secretKey, `${role}/${secretKey}`])),
          });
        }
      }
    }

    /** As the operator does: policies and roles by the script of the examples, with the program `bao`. */
    async function makeRoles(): Promise<void> {
      const { auth } = (await bao.ask('POST', 'auth/token/create', { ttl: '10m' })) as {
        auth: { client_token: string };
      };
      await promisify(execFile)(MAKE_ROLES, [RELEASE, NAMESPACE], {
        env: {
          PATH: `${dirname(openBaoProgram())}:/usr/bin:/bin`,
          BAO_ADDR: bao.address,
          BAO_CACERT: bao.caFile,
          BAO_TOKEN: auth.client_token,
        },
      });
    }

    const tokenOf = async (account: string, audience: string, namespace = NAMESPACE): Promise<string> =>
      (
        await cluster().client.kubectl([
          `--namespace=${namespace}`,
          'create',
          'token',
          account,
          `--audience=${audience}`,
        ])
      ).trim();
    const login = (mount: string, role: string, jwt: string) =>
      anybody.post(`/v1/auth/${mount}/login`, { role, jwt });
    const read = (path: string, token: string) =>
      anybody.get(`/v1/${path}`, { headers: { 'x-vault-token': token } });
    const loggedIn = async ({ account, role, audience, mount }: SecretClass): Promise<string> => {
      const answer = await login(mount, role, await tokenOf(account, audience));
      expect({ role, status: answer.status }).toEqual({ role, status: 200 });
      return answer.json.auth.client_token;
    };

    it('are there for each process, and for the migration', () => {
      expect(classes.map(({ account }) => account.replace(`${RELEASE}-`, '')).sort()).toEqual([
        'archiver',
        'auditor',
        'indexer',
        'kernel',
        'log-publisher',
        'migrate',
        'outbox-relay',
        'signing-proxy',
      ]);
      expect(classes.every(({ objects }) => objects.length > 0)).toBe(true);
    });

    it('are read by their own ServiceAccount, and by no other', async () => {
      const read200: string[] = [];
      const expected: string[] = [];
      for (const reader of classes) {
        const token = await loggedIn(reader);
        for (const { role, objects } of classes) {
          for (const { secretPath, secretKey } of objects) {
            const { status, json } = await read(secretPath, token);
            if (status === 200 && json.data.data[secretKey] === `${role}/${secretKey}`) {
              read200.push(`${reader.role} reads ${secretPath}#${secretKey}`);
            } else {
              expect({ reader: reader.role, secretPath, status }).toMatchObject({ status: 403 });
            }
            if (role === reader.role) expected.push(`${role} reads ${secretPath}#${secretKey}`);
          }
        }
      }
      expect(read200).toEqual(expected);
    }, 120_000);

    it('are not read with the role of another', async () => {
      for (const own of classes) {
        const jwt = await tokenOf(own.account, own.audience);
        for (const { role, mount } of classes.filter(({ role: other }) => other !== own.role)) {
          const { status, text } = await login(mount, role, jwt);
          expect({ role, status, text }).toEqual({
            role,
            status: 403,
            text: expect.stringContaining('service account name not authorized'),
          });
        }
      }
    }, 120_000);

    it('and the keys of the transit engine sign for the signing proxy alone, who can do nothing else with them', async () => {
      const signing = classes.filter(({ account }) => account === `${RELEASE}-signing-proxy`);
      expect(signing).toHaveLength(1);
      const input = { input: Buffer.from('manifest').toString('base64') };
      for (const own of classes) {
        const token = await loggedIn(own);
        const asked = { headers: { 'x-vault-token': token } };
        const expected = signing.includes(own) ? 200 : 403;
        for (const key of SIGNING_KEYS) {
          const signed = await anybody.post(`/v1/transit/sign/${key}`, input, asked);
          const shown = await anybody.get(`/v1/transit/keys/${key}`, asked);
          expect({ role: own.role, key, signed: signed.status, shown: shown.status }).toEqual({
            role: own.role,
            key,
            signed: expected,
            shown: expected,
          });
          const exported = await anybody.get(`/v1/transit/export/signing-key/${key}`, asked);
          const rotated = await anybody.post(`/v1/transit/keys/${key}/rotate`, {}, asked);
          expect({ role: own.role, exported: exported.status, rotated: rotated.status }).toEqual({
            role: own.role,
            exported: 403,
            rotated: 403,
          });
        }
      }
    }, 120_000);

    it('are not read with a token for another audience, nor of another namespace', async () => {
      const { account, role, audience, mount } = classes[0] as SecretClass;
      for (const other of ['https://kubernetes.default.svc', 'elsewhere']) {
        const { status, text } = await login(mount, role, await tokenOf(account, other));
        expect({ status, text }).toEqual({ status: 403, text: expect.stringMatching(/audience|permission/) });
      }
      await cluster().client.apply(accountOf(account, 'elsewhere'));
      const { status, text } = await login(mount, role, await tokenOf(account, audience, 'elsewhere'));
      expect({ status, text }).toEqual({
        status: 403,
        text: expect.stringContaining('namespace not authorized'),
      });
    });

    it('are not read with a token whose ServiceAccount is gone, even when it is made again', async () => {
      const { account, role, audience, mount } = classes[0] as SecretClass;
      const jwt = await tokenOf(account, audience);
      expect((await login(mount, role, jwt)).status).toBe(200);
      const { client } = cluster();
      await client.kubectl([`--namespace=${NAMESPACE}`, 'delete', 'serviceaccount', account]);
      await cluster().until(
        'the account is gone',
        `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}`,
        (found) => found === undefined,
      );
      // The API server keeps what it has found out about a token for ten seconds.
      await until('the token is refused', async () => (await login(mount, role, jwt)).status === 403);
      await client.apply(accountOf(account, NAMESPACE));
      expect((await login(mount, role, jwt)).status).toBe(403);
      expect((await login(mount, role, await tokenOf(account, audience))).status).toBe(200);
    });
  },
);

function accountOf(name: string, namespace: string): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
}
