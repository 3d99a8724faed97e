import { existsSync } from 'node:fs';
import { processStart } from '#dev/devstack';
import { FAILING_DIGEST, NEVER_READY_DIGEST } from './fake-kubelet';
import { describeWithKube } from './kube-programs';
import { startTestCluster, type TestCluster } from './test-cluster';

const NAMESPACE = 'fakes';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const GOOD_DIGEST = `sha256:${'a'.repeat(64)}`;

describeWithKube('a cluster for tests', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster();
    await cluster.addNode('node-1');
    await cluster.addNamespace(NAMESPACE);
  }, 120_000);
  afterAll(() => cluster.stop(), 60_000);

  const template = (digest: string, restartPolicy: string) => ({
    metadata: { labels: { app: digest.slice(-4) } },
    spec: { restartPolicy, containers: [{ name: 'main', image: `example.test/app@${digest}` }] },
  });
  const deployment = (name: string, digest: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: digest.slice(-4) } },
      template: template(digest, 'Always'),
    },
  });
  const job = (name: string, digest: string) => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: NAMESPACE },
    spec: { backoffLimit: 0, template: template(digest, 'Never') },
  });
  const wait = (condition: string, object: string, timeout = '30s') =>
    cluster.client.run('kubectl', [
      `--namespace=${NAMESPACE}`,
      'wait',
      `--for=${condition}`,
      object,
      `--timeout=${timeout}`,
    ]);

  it('has pods that are ready on nodes, each with an address of its own', async () => {
    await cluster.client.apply(deployment('well', GOOD_DIGEST));
    expect(await wait('condition=Available', 'deployment/well')).toMatchObject({ code: 0 });
    const pods = await cluster.list(PODS);
    expect(pods.map(({ status }) => status.phase)).toEqual(['Running', 'Running']);
    expect(new Set(pods.map(({ status }) => status.podIP)).size).toBe(2);
  });

  it('has Jobs that are done, and fail where their image says so', async () => {
    await cluster.client.apply(job('done', GOOD_DIGEST), job('failing', FAILING_DIGEST));
    expect(await wait('condition=Complete', 'job/done')).toMatchObject({ code: 0 });
    expect(await wait('condition=Failed', 'job/failing')).toMatchObject({ code: 0 });
  });

  it('has pods that are never ready where their image says so', async () => {
    await cluster.client.apply(deployment('unwell', NEVER_READY_DIGEST));
    const pods = await cluster.until(
      'they run',
      `${PODS}?labelSelector=app%3D${NEVER_READY_DIGEST.slice(-4)}`,
      ({ items }) =>
        items.length === 2 &&
        items.every(({ status }: { status: { phase: string } }) => status.phase === 'Running'),
    );
    for (const { status } of pods.items) {
      expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False' }));
    }
    expect(await wait('condition=Available', 'deployment/unwell', '1s')).toMatchObject({ code: 1 });
  });

  it('has pods that are gone when they are deleted', async () => {
    await cluster.client.kubectl([`--namespace=${NAMESPACE}`, 'delete', 'deployment,job', '--all']);
    await cluster.until('they are gone', PODS, ({ items }) => items.length === 0);
  });

  it('leaves neither processes nor files', async () => {
    const another = await startTestCluster();
    const { dir, plane } = another;
    await another.stop();
    expect(existsSync(dir)).toBe(false);
    expect(plane.pids.map(processStart)).toEqual(plane.pids.map(() => undefined));
  });
});
