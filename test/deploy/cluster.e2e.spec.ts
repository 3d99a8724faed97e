import { FAILING_DIGEST, describeWithKube, NEVER_READY_DIGEST, withCluster } from '#dev/testing';
import { until } from '../faults/until';
import {
  ChartRelease,
  type Component,
  COMPONENTS,
  GOOD_IMAGE,
  image,
  prepareCluster,
  RELEASE,
  REPLICAS,
  SIGNING_NODE,
} from './chart-release';

describeWithKube('the chart on a control plane', () => {
  const cluster = withCluster();
  let release: ChartRelease;
  beforeAll(async () => {
    const namespace = await prepareCluster(cluster(), 'staging');
    release = new ChartRelease(cluster(), namespace, 'staging');
  }, 60_000);

  const readyPods = async (): Promise<Record<string, string[]>> =>
    Object.fromEntries(
      await Promise.all(COMPONENTS.map(async (name) => [name, await release.ready(name)] as const)),
    );
  const counts = (pods: Record<string, string[]>) =>
    Object.fromEntries(Object.entries(pods).map(([name, { length }]) => [name, length]));
  const imageOf = async (component: Component): Promise<string> =>
    (await release.deployment(component)).spec.template.spec.containers[0].image;
  const untilWhole = () =>
    until(
      'every component has its pods',
      async () => JSON.stringify(counts(await readyPods())) === JSON.stringify(REPLICAS),
    );

  it('is installed whole into a restricted namespace, without a warning', async () => {
    const { code, stdout, stderr } = await release.install();
    expect({ code, said: `${stdout}${stderr}` }).toEqual({
      code: 0,
      said: expect.not.stringMatching(/warning|would violate/i),
    });
    // An exit code says little: a Deployment whose pods are refused is accepted.
    expect(counts(await readyPods())).toEqual(REPLICAS);
    const deployments = await cluster().list(`/apis/apps/v1/namespaces/${release.namespace}/deployments`);
    expect(deployments.map(({ metadata }) => metadata.name).sort()).toEqual(
      COMPONENTS.map((name) => `${RELEASE}-${name}`).sort(),
    );
  }, 180_000);

  it('is placed as it asks: the proxy on its node, kernels apart', async () => {
    const nodesOf = async (component: Component) =>
      (await cluster().list(release.podsOf(component))).map(({ spec }) => spec.nodeName);
    expect(await nodesOf('signing-proxy')).toEqual([SIGNING_NODE, SIGNING_NODE]);
    expect(new Set(await nodesOf('kernel')).size).toBe(3);
  });

  it('is in the cluster exactly as it was rendered', async () => {
    const manifest = await release.kept('manifest');
    expect(manifest).toContain('kind: Deployment');
    const diff = (input: string) =>
      cluster().client.run('kubectl', [`--namespace=${release.namespace}`, 'diff', '--filename=-'], {
        input,
      });
    expect(await diff(manifest)).toMatchObject({ code: 0, stdout: '' });
    expect(await diff(manifest.replaceAll('maxUnavailable: 0', 'maxUnavailable: 1'))).toMatchObject({
      code: 1,
    });
  }, 120_000);

  it('stays as it is when the migration of an upgrade fails', async () => {
    const before = await readyPods();
    const { code, stderr } = await release.upgrade(
      image(FAILING_DIGEST),
      '--set=migration.backoffLimit=0',
      '--wait',
      '--timeout=60s',
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/pre-upgrade hooks failed/);
    const job = await cluster().get(`/apis/batch/v1/namespaces/${release.namespace}/jobs/${RELEASE}-migrate`);
    expect(job.status.conditions).toContainEqual(expect.objectContaining({ type: 'Failed', status: 'True' }));
    expect(await readyPods()).toEqual(before);
    expect(await imageOf('kernel')).toBe(GOOD_IMAGE);
  }, 120_000);

  it('goes back from an image that never becomes ready, and has three kernels all the while', async () => {
    const before = await release.ready('kernel');
    let isOver = false;
    let least = before.length;
    const watch = until(
      'the upgrade is over',
      async () => {
        least = Math.min(least, (await release.ready('kernel')).length);
        return isOver;
      },
      240_000,
    );
    const { code, stderr } = await release.upgrade(
      image(NEVER_READY_DIGEST),
      '--rollback-on-failure',
      '--wait',
      '--timeout=30s',
    );
    isOver = true;
    await watch;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/rolled back|rollback/i);
    expect(least).toBe(3);
    await untilWhole();
    expect(await release.ready('kernel')).toEqual(before);
    expect(await imageOf('kernel')).toBe(GOOD_IMAGE);
  }, 240_000);

  it('gives up one kernel at a time', async () => {
    const nodes = (await cluster().list('/api/v1/nodes')).map(({ metadata }) => metadata.name as string);
    // So that no other pod takes the place of the first one meanwhile.
    await cluster().client.kubectl(['cordon', ...nodes]);
    const [first = '', second = '', third = ''] = await release.ready('kernel');
    expect((await release.evict(first)).status).toBe(201);
    expect(await release.evict(second)).toEqual({
      status: 429,
      message: expect.stringContaining('disruption budget'),
    });
    expect((await release.evict(third)).status).toBe(429);
    await cluster().client.kubectl(['uncordon', ...nodes]);
    await untilWhole();
  }, 120_000);

  it('leaves a node that is drained', async () => {
    const [{ spec }] = await cluster().list(release.podsOf('kernel'));
    const node = spec.nodeName as string;
    await cluster().client.kubectl([
      'drain',
      node,
      '--ignore-daemonsets',
      '--delete-emptydir-data',
      '--timeout=90s',
    ]);
    await untilWhole();
    const there = await cluster().list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`);
    expect(there.filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toEqual([]);
    await cluster().client.kubectl(['uncordon', node]);
  }, 180_000);

  it('takes an upgrade, and goes when it is uninstalled', async () => {
    const other = image(`sha256:${'c'.repeat(64)}`);
    expect(await release.upgrade(other, '--wait', '--timeout=120s')).toMatchObject({ code: 0 });
    expect(await imageOf('kernel')).toBe(other);
    expect(counts(await readyPods())).toEqual(REPLICAS);
    expect(await release.helm('uninstall', '--wait', '--timeout=60s')).toMatchObject({ code: 0 });
    expect(await cluster().list(`/apis/apps/v1/namespaces/${release.namespace}/deployments`)).toEqual([]);
  }, 240_000);
});
