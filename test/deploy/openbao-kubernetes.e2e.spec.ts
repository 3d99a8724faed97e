import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { DevelopmentCa, openBaoMissing, type OpenBaoServer, startOpenBao } from '#dev/devstack';
import { describeWith, kubeMissing, MtlsClient, withCluster } from '#dev/testing';
import { until } from '../faults/until';
import { CHART, RELEASE, valuesOf } from './chart-release';

const NAMESPACE = 'illuvrse-kernel-production';
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
      for (const { account, role, audience, objects } of classes) {
        const paths = [...new Set(objects.map(({ secretPath }) => secretPath))];
        await bao.ask('POST', `sys/policies/acl/${role}`, {
          policy: paths.map((path) => `path "${path}" { capabilities = ["read"] }`).join('\n'),
        });
        await bao.ask('POST', `auth/kubernetes/role/${role}`, {
          bound_service_account_names: [account],
          bound_service_account_namespaces: [NAMESPACE],
          audience,
          token_policies: [role],
          token_no_default_policy: true,
          token_ttl: 600,
        });
        for (const path of paths) {
          const keys = objects.filter(({ secretPath }) => secretPath === path);
          await bao.ask('POST', path, {
            data: Object.fromEntries(keys.map(({ secretKey }) => [secretKey, `${role}/${secretKey}`])),
          });
        }
      }
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
