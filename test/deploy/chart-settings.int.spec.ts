import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { describeWith, kubeClientMissing, TestCa, type TestCertificate } from '#dev/testing';
import { peopleOptions } from '#modules/people';
import { loadConfig, type MemberDefinitions } from '#platform/process';
import { archiverConfig } from '../../apps/archiver/archiver.config';
import { auditorConfig } from '../../apps/auditor/auditor.config';
import { indexerConfig } from '../../apps/indexer/indexer.config';
import { assertGovernanceSettings } from '../../apps/kernel/governance-settings';
import { kernelConfig } from '../../apps/kernel/kernel.config';
import { logPublisherConfig } from '../../apps/log-publisher/log-publisher.config';
import { migrateConfig } from '../../apps/migrate/migrate.config';
import { outboxRelayConfig } from '../../apps/outbox-relay/outbox-relay.config';
import { signingProxyConfig } from '../../apps/signing-proxy/signing-proxy.config';
import { ENVIRONMENTS, type PodSpec, RenderedChart } from './rendered-chart';

interface Definition {
  readonly members: MemberDefinitions;
}
const CONFIGS: Readonly<Record<string, Definition>> = {
  kernel: kernelConfig,
  'signing-proxy': signingProxyConfig,
  'outbox-relay': outboxRelayConfig,
  indexer: indexerConfig,
  archiver: archiverConfig,
  'log-publisher': logPublisherConfig,
  auditor: auditorConfig,
  migrate: migrateConfig,
};
const SECRETS = new Set(
  Object.values(CONFIGS).flatMap(({ members }) =>
    Object.entries(members).flatMap(([name, { secret }]) => (secret === true ? name : [])),
  ),
);
/** Mounts of the chart; everything else is the image's. */
const MOUNTED = /^\/etc\/kernel\//;

type Volume = PodSpec['volumes'][number];
type Item = { readonly key: string; readonly path: string };

/** Names of the files of a volume, as the node would mount them, with what the chart itself puts in. */
function filesOf(volume: Volume, chart: RenderedChart): ReadonlyMap<string, string | null> {
  const inMap = (name: string, items?: readonly Item[]): [string, string | null][] => {
    const own = chart.of('ConfigMap').find(({ metadata }) => metadata.name === name)?.['data'] as
      Record<string, string> | undefined;
    if (items === undefined) return Object.entries(own ?? {});
    return items.map(({ key, path }) => [path, own?.[key] ?? null]);
  };
  if ('projected' in volume) {
    const { sources } = volume['projected'] as {
      sources: {
        configMap?: { name: string; items?: Item[] };
        serviceAccountToken?: { path: string };
      }[];
    };
    return new Map(
      sources.flatMap(({ configMap, serviceAccountToken }) =>
        configMap === undefined
          ? [[serviceAccountToken?.path ?? '', null] as [string, null]]
          : inMap(configMap.name, configMap.items),
      ),
    );
  }
  if ('csi' in volume) {
    const { secretProviderClass } = (volume['csi'] as { volumeAttributes: { secretProviderClass: string } })
      .volumeAttributes;
    const provider = chart
      .of('SecretProviderClass')
      .find(({ metadata }) => metadata.name === secretProviderClass);
    const { objects } = (provider?.['spec'] as { parameters: { objects: string } }).parameters;
    return new Map((parse(objects) as { objectName: string }[]).map(({ objectName }) => [objectName, null]));
  }
  if ('secret' in volume) {
    const { items } = volume['secret'] as { items?: Item[] };
    const names = items?.map(({ path }) => path) ?? ['tls.crt', 'tls.key', 'ca.crt'];
    return new Map(names.map((name) => [name, null]));
  }
  return new Map();
}

describeWith({ missing: kubeClientMissing() }, "settings in the chart's pods", () => {
  let dir: string;
  let ca: TestCa;
  let certificate: TestCertificate;
  let revocationList: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'chart settings '));
    ca = await TestCa.create();
    certificate = await ca.issueServer();
    revocationList = await ca.revocationList([]);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  /** What the platform would put into a file. */
  const faked = (name: string): string => {
    if (name === 'tls.crt') return certificate.cert;
    if (name === 'tls.key') return certificate.key;
    if (name.endsWith('.crt')) return ca.cert;
    if (name.endsWith('.crl')) return revocationList;
    return /_URL$/.test(name) ? 'postgresql://someone@postgres.example.com/kernel' : 'x'.repeat(32);
  };

  /** Writes everything that a component's pod mounts; returns where each mount is. */
  const mount = async (chart: RenderedChart, component: string): Promise<string> => {
    const root = await mkdtemp(join(dir, component));
    const pod = chart.pods().get(component);
    for (const { name, mountPath } of pod?.containers[0].volumeMounts ?? []) {
      const volume = pod?.volumes.find((one) => one.name === name);
      for (const [file, content] of filesOf(volume as Volume, chart)) {
        const path = join(root, mountPath, file);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, content ?? faked(file));
      }
    }
    return root;
  };

  /** The environment of a component, with the paths of its mounts as they are in this test. */
  const environment = (chart: RenderedChart, component: string, root: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(chart.environmentOf(component)).map(([name, value]) => [
        name,
        MOUNTED.test(value) ? join(root, value) : value,
      ]),
    );

  describe.each(ENVIRONMENTS)('for %s', (name) => {
    let chart: RenderedChart;
    beforeAll(() => {
      chart = RenderedChart.of(name);
    });

    it.each(Object.keys(CONFIGS))('are known to %s, and it takes them', async (component) => {
      const { members } = CONFIGS[component] as Definition;
      const given = chart.environmentOf(component);
      const known = new Set(['NODE_ENV', ...Object.keys(members)]);
      for (const [variable, { secret, fromFile }] of Object.entries(members)) {
        if (secret === true || fromFile === true) known.add(`${variable}_FILE`);
      }
      expect(Object.keys(given).filter((variable) => !known.has(variable))).toEqual([]);
      expect(Object.keys(given).filter((variable) => SECRETS.has(variable))).toEqual([]);

      const root = await mount(chart, component);
      const config = loadConfig(CONFIGS[component] as Definition, environment(chart, component, root));
      expect(config).toMatchObject({ origin: `kernel.example.com/${name}`, isProduction: name !== 'dev' });
    });

    it('start the kernel: roles, governance, sign-in', async () => {
      const root = await mount(chart, 'kernel');
      const config = loadConfig(kernelConfig, environment(chart, 'kernel', root));
      expect(() => assertGovernanceSettings(config)).not.toThrow();
      expect(config.roleBindings).toContainEqual(
        expect.objectContaining({ cn: `smoke.illuvrse-kernel-${name}`, division: 'smoke-test' }),
      );
      const people = peopleOptions(config);
      expect(people?.origin).toBe(name === 'dev' ? undefined : config.webOrigin);
    });

    it('let the proxy sign for each process what that process asks for', async () => {
      const root = await mount(chart, 'signing-proxy');
      const { signingClients } = loadConfig(signingProxyConfig, environment(chart, 'signing-proxy', root));
      const cn = (component: string): string => `${component}.illuvrse-kernel-${name}`;
      const certificates = chart.of('Certificate').flatMap(({ spec }) => {
        const { commonName } = spec as { commonName?: string };
        return commonName ?? [];
      });
      const allowed = JSON.parse(JSON.stringify(signingClients)) as { cn: string; purposes: string[] }[];
      expect(Object.fromEntries(allowed.map((client) => [client.cn, client.purposes]))).toEqual({
        [cn('kernel')]: ['audit-event', 'manifest', 'signer-possession'],
        [cn('archiver')]: ['archive-day'],
        [cn('auditor')]: ['audit-report'],
        [cn('log-publisher')]: ['log-checkpoint'],
      });
      expect(certificates).toEqual(expect.arrayContaining(allowed.map((client) => client.cn)));
    });
  });

  it('of webhooks, an approver pool, a log policy, static keys and Kafka by certificate reach their processes', async () => {
    const chart = RenderedChart.of('production', {
      notifications: [{ name: 'on-call', url: 'https://hooks.example.com/kernel' }],
      log: { policy: 'log example.com+1+a\nquorum none\n' },
      archive: { accessKeyId: 'kernel' },
      stream: { clientCertificates: true, sasl: { mechanism: 'none' } },
      web: { tls: 'pod' },
      traces: { endpoint: 'https://otel.example.com:4318', share: '0.5' },
      authorities: { otlp: { configMap: 'platform-authorities' } },
      connections: { otlp: { to: [{ ipBlock: { cidr: '10.2.0.0/16' } }] } },
      trustRoot: { configMap: '', signersJson: '{"signers":[]}' },
    });
    for (const [component, definition] of Object.entries(CONFIGS)) {
      const root = await mount(chart, component);
      expect(() => loadConfig(definition, environment(chart, component, root))).not.toThrow();
    }
    const root = await mount(chart, 'kernel');
    const config = loadConfig(kernelConfig, environment(chart, 'kernel', root));
    expect(config.webhooks).toMatchObject([
      { name: 'on-call', secretFile: '/etc/kernel/secrets/webhook-on-call' },
    ]);
    expect([
      ...filesOf(
        chart
          .pods()
          .get('kernel')
          ?.volumes.find((one) => one.name === 'secrets') as Volume,
        chart,
      ),
    ]).toContainEqual(['webhook-on-call', null]);
    expect(
      chart
        .pods()
        .get('indexer')
        ?.volumes.map((one) => one.name),
    ).toContain('client');
    expect(config.webTlsCertFile).toBe(join(root, '/etc/kernel/tls/tls.crt'));
  });

  it('of each way to hold the keys reach the proxy', async () => {
    for (const values of [
      { signer: 'aws-kms', awsKms: { region: 'eu-central-1' } },
      { signer: 'proxy', upstream: 'https://hsm.example.com:8445' },
    ]) {
      const peers = { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] };
      const chart = RenderedChart.of('production', {
        signingProxy: values,
        connections: { kms: peers, 'upstream-proxy': peers },
      });
      const root = await mount(chart, 'signing-proxy');
      const config = loadConfig(signingProxyConfig, environment(chart, 'signing-proxy', root));
      expect(config.signer).toBe(values.signer);
      expect(
        chart
          .pods()
          .get('signing-proxy')
          ?.volumes.map((one) => one.name),
      ).not.toContain('vault-token');
    }
  });

  it("leaves the only token of a ServiceAccount to the proxy, for Vault's eyes", () => {
    const chart = RenderedChart.of('production');
    const tokens = [...chart.pods()].flatMap(([component, { volumes }]) =>
      JSON.stringify(volumes).includes('serviceAccountToken') ? component : [],
    );
    expect(tokens).toEqual(['signing-proxy']);
    const { KERNEL_VAULT_JWT_FILE: path } = chart.environmentOf('signing-proxy');
    const pod = chart.pods().get('signing-proxy');
    const token = pod?.volumes.find(({ name }) => name === 'vault-token') as Volume;
    const mounted = pod?.containers[0].volumeMounts.find(({ name }) => name === 'vault-token')?.mountPath;
    expect(path).toBe(join(mounted ?? '', [...filesOf(token, chart).keys()][0] ?? ''));
    expect(JSON.stringify(token)).toContain('"audience":"vault"');
  });
});
