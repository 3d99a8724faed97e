import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ruleGroups } from '#dev/monitoring';
import { describeWith, kubeClientMissing, workTree } from '#dev/testing';
import { PROCESSES } from './connections';
import { ENVIRONMENTS, IMAGE, refusalOf, RELEASE, RenderedChart } from './rendered-chart';

/** The longest that Helm takes. */
const LONG_RELEASE = 'a-release-whose-name-is-as-long-as-helm-lets-names-be';
const read = (file: string): string => readFileSync(join(workTree(), file), 'utf8');

interface Replicated {
  readonly replicas: number;
  readonly template: { readonly metadata: { readonly annotations: Readonly<Record<string, string>> } };
}

describeWith({ missing: kubeClientMissing() }, 'the chart', () => {
  describe.each(ENVIRONMENTS)('for %s', (environment) => {
    let chart: RenderedChart;
    beforeAll(() => {
      chart = RenderedChart.of(environment);
    });

    it('has a Deployment and a ServiceAccount for each process', () => {
      const names = PROCESSES.map((process) => `${RELEASE}-${process}`).sort();
      expect(
        chart
          .of('Deployment')
          .map(({ metadata }) => metadata.name)
          .sort(),
      ).toEqual(names);
      const accounts = [...chart.pods().values()].map(({ serviceAccountName }) => serviceAccountName);
      expect(new Set(accounts).size).toBe(PROCESSES.length + 2);
      expect(
        chart
          .of('ServiceAccount')
          .map(({ metadata }) => metadata.name)
          .sort(),
      ).toEqual(accounts.sort());
      expect(
        chart.of('ServiceAccount').filter((account) => account['automountServiceAccountToken'] !== false),
      ).toEqual([]);
    });

    it('has pods that Pod Security "restricted" admits, and more', () => {
      expect([...chart.pods().keys()].sort()).toEqual([...PROCESSES, 'migrate', 'smoke'].sort());
      for (const pod of chart.pods().values()) {
        expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
        expect(pod.initContainers).toBeUndefined();
        expect(pod.securityContext).toEqual({
          runAsNonRoot: true,
          runAsUser: 65532,
          runAsGroup: 65532,
          fsGroup: 65532,
          fsGroupChangePolicy: 'OnRootMismatch',
          seccompProfile: { type: 'RuntimeDefault' },
        });
        const [container] = pod.containers;
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          runAsUser: 65532,
          runAsGroup: 65532,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(container.image).toBe(IMAGE);
        const quantities = { cpu: expect.any(String) as string, memory: expect.any(String) as string };
        expect(container.resources).toEqual({ requests: quantities, limits: quantities });
        expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(
          pod.volumes.map(({ name }) => name).sort(),
        );
        for (const volume of pod.volumes) {
          const kinds = Object.keys(volume).filter((member) => member !== 'name');
          expect(['emptyDir', 'projected', 'secret', 'configMap', 'csi']).toEqual(
            expect.arrayContaining(kinds),
          );
          if ('emptyDir' in volume) expect(volume['emptyDir']).toHaveProperty('sizeLimit');
        }
      }
    });

    it('probes and drains: live while the process is, ready when it can work', () => {
      for (const { metadata, spec } of chart.of('Deployment')) {
        const { template } = spec as { template: { spec: object } };
        const probe = (path: string): object => ({ httpGet: { path, port: 'management' } });
        expect({ metadata, ...template.spec }).toMatchObject({
          terminationGracePeriodSeconds: 45,
          containers: [
            {
              startupProbe: probe('/health'),
              livenessProbe: probe('/health'),
              readinessProbe: probe('/ready'),
            },
          ],
        });
      }
      const [kernel] = chart.pods().get('kernel')?.containers ?? [];
      expect(kernel).toMatchObject({ lifecycle: { preStop: { sleep: { seconds: 10 } } } });
      expect(chart.one('Deployment', 'kernel')['spec']).toMatchObject({
        replicas: 3,
        strategy: { rollingUpdate: { maxUnavailable: 0 } },
      });
    });

    it('lets one replica at a time be evicted, and any that is not ready', () => {
      const replicated = chart
        .of('Deployment')
        .filter(({ spec }) => (spec as Replicated).replicas > 1)
        .map(({ metadata }) => metadata.name);
      expect(replicated).toContain(`${RELEASE}-kernel`);
      const budgets = chart.of('PodDisruptionBudget');
      expect(budgets.map(({ metadata }) => metadata.name).sort()).toEqual(replicated.sort());
      for (const { spec } of budgets) {
        expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
      }
    });

    it('holds no Secret', () => {
      expect(chart.of('Secret')).toEqual([]);
      expect(JSON.stringify(chart.objects)).not.toMatch(/PRIVATE KEY|postgres(ql)?:\/\//);
    });

    it('has names that a label may hold', () => {
      for (const { objects } of [chart, RenderedChart.of(environment, {}, LONG_RELEASE)]) {
        const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
        expect(new Set(names).size).toBe(names.length);
        const tooLong = objects.map(({ metadata }) => metadata.name).filter((name) => name.length > 63);
        expect(tooLong).toEqual([]);
      }
    });
  });

  it.each([
    ['an unknown member', { replicas: 3 }, 'replicas'],
    ['an unknown member of a component', { components: { kernel: { replica: 3 } } }, 'replica'],
    ['an unknown component', { components: { relay: { replicas: 1 } } }, 'relay'],
    ['an image by its tag', { image: 'registry.example.com/illuvrse/kernel:1.0' }, 'image'],
    ['no image', { image: '' }, 'image'],
    [
      'a secret among the settings',
      { components: { kernel: { settings: { DATABASE_URL: 'x' } } } },
      "invalid propertyName 'DATABASE_URL'",
    ],
    ['no trust root', { trustRoot: { configMap: '' } }, 'trustRoot is missing'],
    ['two trust roots', { trustRoot: { configMap: 'a', signersJson: '{}' } }, 'exclude each other'],
    ['a stream that production refuses', { stream: { transport: 'postgres' } }, 'refuses any but kafka'],
    [
      'a store that is everywhere',
      { connections: { postgres: { to: [] } } },
      'connections.postgres.to is empty',
    ],
    [
      'traces to nowhere',
      { traces: { endpoint: 'https://otel.example.com' } },
      'connections.otlp.to is empty',
    ],
    ['an empty peer', { connections: { callers: { from: [{}] } } }, 'from'],
    ['a ceiling below the floor', { autoscaling: { maxReplicas: 2 } }, 'autoscaling.maxReplicas'],
    ['Ingress and Gateway at once', { web: { exposure: 'both' } }, 'exposure'],
  ])('refuses %s', (_, values, named) => {
    expect(refusalOf('production', values)).toContain(named);
  });

  it('lets only the kernel and the signing proxy run before there is a trust root', () => {
    const chart = RenderedChart.of('production', { founding: true, trustRoot: {} });
    const running = chart.of('Deployment').filter(({ spec }) => (spec as Replicated).replicas > 0);
    expect(running.map(({ metadata }) => metadata.name).sort()).toEqual([
      `${RELEASE}-kernel`,
      `${RELEASE}-signing-proxy`,
    ]);
  });

  it('starts new pods of the processes whose settings changed, and of no other', () => {
    const sums = (values: object): ReadonlyMap<string, string> => {
      const deployments = RenderedChart.of('production', values).of('Deployment');
      return new Map(
        deployments.map(({ metadata, spec }) => [
          metadata.name.slice(RELEASE.length + 1),
          JSON.stringify((spec as Replicated).template.metadata.annotations),
        ]),
      );
    };
    const before = sums({});
    const changed = (values: object): string[] =>
      [...sums(values)].filter(([name, sum]) => sum !== before.get(name)).map(([name]) => name);
    expect(changed({})).toEqual([]);
    expect(changed({ api: { roleBindings: [] } })).toEqual(['kernel']);
    expect(changed({ components: { indexer: { settings: { KERNEL_LOG_LEVEL: 'debug' } } } })).toEqual([
      'indexer',
    ]);
    expect(changed({ logLevel: 'warn' }).sort()).toEqual([...PROCESSES].sort());
  });

  it('gives each process the same secrets from each of the three providers', () => {
    const objects = (values: object) => RenderedChart.of('production', { secrets: values });
    const csi = objects({ provider: 'csi' });
    const external = objects({ provider: 'external-secrets', externalSecrets: { store: { name: 'vault' } } });
    const existing = objects({ provider: 'existing' });
    for (const component of [...PROCESSES, 'migrate']) {
      const { parameters } = csi.one('SecretProviderClass', component)['spec'] as {
        parameters: { objects: string; roleName: string };
      };
      expect(parameters.roleName).toBe(`${RELEASE}-${component}`);
      const read = parse(parameters.objects) as { objectName: string; secretPath: string }[];
      const names = read.map(({ objectName }) => objectName);
      expect(new Set(read.map(({ secretPath }) => secretPath))).toEqual(
        new Set([`kv/data/illuvrse-kernel-production/${component}`]),
      );
      const { data } = external.one('ExternalSecret', component)['spec'] as { data: { secretKey: string }[] };
      expect(data.map(({ secretKey }) => secretKey)).toEqual(names);
      const volume = existing
        .pods()
        .get(component)
        ?.volumes.find(({ name }) => name === 'secrets');
      expect(volume?.['secret']).toMatchObject({
        secretName: `${RELEASE}-${component}`,
        items: names.map((name) => ({ key: name, path: name })),
      });
    }
    expect(existing.of('SecretProviderClass')).toEqual([]);
  });

  it('migrates before anything else, once, with what it needs made before', () => {
    const chart = RenderedChart.of('production');
    const hooks = chart.objects.filter(
      ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'migrate',
    );
    expect(hooks.map(({ kind }) => kind).sort()).toEqual([
      'Job',
      'NetworkPolicy',
      'SecretProviderClass',
      'ServiceAccount',
    ]);
    for (const { kind, metadata } of hooks) {
      expect(metadata.annotations).toMatchObject({
        'helm.sh/hook': 'pre-install,pre-upgrade',
        'helm.sh/hook-weight': kind === 'Job' ? '0' : '-10',
      });
    }
    // Of nothing that is made after it.
    expect(chart.pods().get('migrate')).not.toHaveProperty('priorityClassName');
    expect(JSON.stringify(chart.pods().get('migrate'))).not.toContain('configMapRef');
    expect(chart.one('Job', 'migrate')['spec']).toMatchObject({
      backoffLimit: 1,
      activeDeadlineSeconds: 600,
    });
  });

  it('has the rules of libs/dev/monitoring, for its namespace', () => {
    const runbooks = 'https://runbooks.example.com/kernel';
    const rendered = (base: string) =>
      RenderedChart.of('production', { monitoring: { rules: { enabled: true, runbooks: base } } }).one(
        'PrometheusRule',
        'rules',
      )['spec'] as object;
    const namespace = 'illuvrse-kernel-production';
    expect(rendered(`${runbooks}/`)).toEqual({ groups: ruleGroups({ namespace, runbooks }) });
    expect(JSON.stringify(rendered(''))).not.toContain('runbook_url');
  });
});

describeWith({ missing: kubeClientMissing() }, 'the examples for OpenBao', () => {
  it('let each ServiceAccount read the secrets that the chart names for it, and no others', () => {
    const chart = RenderedChart.of('production');
    const folder = 'k8s/examples/openbao';
    const policies = readdirSync(join(workTree(), folder)).filter((file) => file.endsWith('.hcl'));
    expect(policies.sort()).toEqual([...PROCESSES, 'migrate'].map((one) => `${one}.hcl`).sort());
    for (const file of policies) {
      const component = file.replace('.hcl', '');
      const paths = [...read(`${folder}/${file}`).matchAll(/^path "(kv\/[^"]+)" /gm)].map(([, path]) => path);
      const { parameters } = chart.one('SecretProviderClass', component)['spec'] as {
        parameters: { objects: string };
      };
      const named = (parse(parameters.objects) as { secretPath: string }[]).map(
        ({ secretPath }) => secretPath,
      );
      expect(paths).toEqual([...new Set(named)]);
    }
  });
});
