import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { describeWithKube, withCluster, workTree } from '#dev/testing';
import {
  addDefinitions,
  CHART,
  ENVIRONMENTS,
  type Environment,
  image,
  RELEASE,
  RESTRICTED,
  valuesOf,
} from './chart-release';
import { writeKubeconformSchemas } from './kubeconform-schemas';

const EXAMPLES = ['argo-cd.yaml', 'argo-rollouts.yaml', 'kafka.yaml', 'namespace.yaml', 'postgres.yaml'];
/** Kinds of Strimzi and CloudNativePG. No Go module that can be fetched has their definitions, so they are only read as YAML. */
const NOT_TO_BE_HAD = ['kafka.strimzi.io/v1', 'postgresql.cnpg.io/v1'];

/** An object of Kubernetes, of which tests know the kind. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- objects of Kubernetes have no types here
type KubeObject = any;

describeWithKube('an API server that looks at the chart', () => {
  const cluster = withCluster();
  beforeAll(async () => {
    await cluster().addNode('node-1');
    await addDefinitions(cluster());
    for (const environment of ENVIRONMENTS) {
      await cluster().addNamespace(`illuvrse-kernel-${environment}`, RESTRICTED);
    }
  }, 60_000);

  const render = async (environment: Environment, ...args: readonly string[]): Promise<KubeObject[]> => {
    const rendered = await cluster().client.helm([
      'template',
      RELEASE,
      CHART,
      `--namespace=illuvrse-kernel-${environment}`,
      ...valuesOf(environment),
      ...args,
    ]);
    return objectsOf(rendered);
  };
  const applyStrictly = (objects: readonly KubeObject[]) =>
    cluster().client.run(
      'kubectl',
      ['apply', '--server-side', '--validate=strict', '--dry-run=server', '--filename=-'],
      { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) },
    );

  it.each(ENVIRONMENTS)('takes every object of %s, and warns of none', async (environment) => {
    const objects = await render(environment);
    // A pod, such as that of `helm test`, is refused where its account is not there.
    await cluster().client.apply(...objects.filter(({ kind }) => kind === 'ServiceAccount'));
    const { code, stdout, stderr } = await applyStrictly(objects);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(objects.length);
  });

  it('takes every kind of custom resource that the chart can make', async () => {
    const kinds = new Set<string>();
    for (const environment of ENVIRONMENTS) {
      for (const { apiVersion, kind } of await render(environment)) {
        if (apiVersion.includes('.') && !apiVersion.includes('.k8s.io/')) kinds.add(kind);
        if (apiVersion.includes('.x-k8s.io/') || apiVersion.startsWith('gateway.')) kinds.add(kind);
      }
    }
    expect([...kinds].sort()).toEqual([
      'Certificate',
      'ExternalSecret',
      'HTTPRoute',
      'PrometheusRule',
      'SecretProviderClass',
      'ServiceMonitor',
    ]);
  });

  it('takes the examples for the platform, of the operators whose definitions are to be had', async () => {
    await cluster().addNamespace('argocd');
    await cluster().addNamespace('postgres');
    const objects = (await Promise.all(EXAMPLES.map(readObjects))).flat();
    const known = objects.filter(({ apiVersion }) => !NOT_TO_BE_HAD.includes(apiVersion));
    expect(known.map(({ kind }) => kind).sort()).toEqual([
      'AnalysisTemplate',
      'Application',
      'Namespace',
      'ObjectStore',
      'Rollout',
    ]);
    const { code, stderr } = await applyStrictly(known);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('refuses a member that a kind does not have', async () => {
    const objects = await render('production');
    for (const kind of ['Deployment', 'Certificate', 'SecretProviderClass', 'ServiceMonitor']) {
      const object = structuredClone(objects.find((found) => found.kind === kind));
      object.spec.notAMember = true;
      const { code, stderr } = await applyStrictly([object]);
      expect({ kind, code, stderr }).toEqual({
        kind,
        code: 1,
        stderr: expect.stringContaining('notAMember'),
      });
    }
  });

  it('lets no pod in that is less than restricted, whatever the Deployment that asks for it', async () => {
    const deployment = (await render('staging')).find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === `${RELEASE}-auditor`,
    );
    deployment.metadata.name = 'unrestricted';
    deployment.spec.template.spec.serviceAccountName = 'default';
    delete deployment.spec.template.spec.priorityClassName;
    deployment.spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation = true;
    const { code, stderr } = await cluster().client.run(
      'kubectl',
      ['apply', '--server-side', '--filename=-'],
      { input: JSON.stringify(deployment) },
    );
    // It is accepted, with no more than a warning.
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('allowPrivilegeEscalation'),
    });
    const found = await cluster().until(
      'its pods are refused',
      '/apis/apps/v1/namespaces/illuvrse-kernel-staging/replicasets',
      (sets) =>
        sets.items.some(({ status }: KubeObject) =>
          (status.conditions ?? []).some(({ type }: KubeObject) => type === 'ReplicaFailure'),
        ),
    );
    expect(JSON.stringify(found.items)).toContain('violates PodSecurity');
    expect(await cluster().list('/api/v1/namespaces/illuvrse-kernel-staging/pods')).toEqual([]);
  });

  it('is asked for no image without a digest, since the chart renders none', async () => {
    for (const wrong of ['registry.example.com/illuvrse/kernel:1.0', image('sha256:abc'), '']) {
      const { code, stderr } = await cluster().client.run('helm', [
        'template',
        RELEASE,
        CHART,
        ...valuesOf('production', wrong),
      ]);
      expect({ wrong, code, stderr }).toEqual({ wrong, code: 1, stderr: expect.stringContaining('image') });
    }
  });

  it('has schemas by which kubeconform finds nothing wrong, and finds what is wrong', async () => {
    const openApi = await cluster().get('/openapi/v2');
    const schemas = `${cluster().dir}/schemas`;
    await writeKubeconformSchemas(openApi, schemas);
    const kubeconform = (objects: readonly KubeObject[]) =>
      cluster().client.run(
        'kubeconform',
        ['-strict', '-summary', `-schema-location=${schemas}/{{ .ResourceKind }}{{ .KindSuffix }}.json`, '-'],
        { input: objects.map((object) => JSON.stringify(object)).join('\n---\n') },
      );
    // All at once: it reads each schema once for all objects of a kind.
    const objects = (await Promise.all(ENVIRONMENTS.map((environment) => render(environment)))).flat();
    expect(await kubeconform(objects)).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`Valid: ${objects.length}, Invalid: 0, Errors: 0, Skipped: 0`),
    });
    const [policy] = (await render('staging')).filter(({ kind }) => kind === 'NetworkPolicy');
    const [certificate] = (await render('staging')).filter(({ kind }) => kind === 'Certificate');
    policy.spec.notAMember = true;
    certificate.spec.duration = 5;
    expect(await kubeconform([policy, certificate])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('Valid: 0, Invalid: 2'),
    });
  });

  it('lets no ServiceAccount of the chart do anything', async () => {
    const accounts = (await render('production')).filter(({ kind }) => kind === 'ServiceAccount');
    expect(accounts.length).toBeGreaterThan(7);
    // What anybody may: ask what one may oneself, and read the authorities of the cluster.
    const nobody = await rightsOf('illuvrse-kernel-production', 'of-nobody');
    expect(nobody).toEqual([
      'create selfsubjectaccessreviews',
      'create selfsubjectreviews',
      'create selfsubjectrulesreviews',
      'get,list,watch clustertrustbundles',
    ]);
    for (const { metadata } of accounts) {
      expect(await rightsOf(metadata.namespace, metadata.name)).toEqual(nobody);
    }
    expect((await render('production')).map(({ kind }) => kind)).not.toContain('RoleBinding');
  });

  async function rightsOf(namespace: string, account: string): Promise<string[]> {
    const { json } = await cluster().api.post(
      '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace },
      },
      { headers: { 'impersonate-user': `system:serviceaccount:${namespace}:${account}` } },
    );
    // Their order is another each time.
    return (json.status.resourceRules as { verbs: string[]; resources: string[] }[])
      .flatMap(({ verbs, resources }) => resources.map((resource) => `${verbs.join()} ${resource}`))
      .sort();
  }
});

async function readObjects(file: string): Promise<KubeObject[]> {
  return objectsOf(await readFile(join(workTree(), 'k8s/examples', file), 'utf8'));
}

function objectsOf(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS())
    .filter((object) => object !== null);
}
