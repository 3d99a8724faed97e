import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { guardFolder, releaseFolder } from '#dev/devstack';
import { type MtlsClient } from '../mtls-client';
import { type ControlPlane, startControlPlane } from './control-plane';
import { FAKE_NODE } from './fake-kubelet';
import { KubeClient } from './kube-client';

const APPEARS_MS = 60_000;
const LOOK_EVERY_MS = 50;
const START_MS = 120_000;
const STOP_MS = 60_000;

/** A real control plane in a temp folder, whose nodes and pods are records that nothing runs behind. */
export interface TestCluster {
  readonly dir: string;
  readonly plane: ControlPlane;
  readonly api: MtlsClient;
  readonly client: KubeClient;
  /** What is at a path of the API. @throws Error when that is not answered with 200 */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into objects of every kind
  get(path: string): Promise<any>;
  /** Items of the list at a path of the API. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into objects of every kind
  list(path: string): Promise<any[]>;
  /** Waits until what is at a path of the API, or undefined, is as it should be. @returns it */
  until(
    what: string,
    path: string,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into objects of every kind
    holds: (found: any) => boolean,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into objects of every kind
  ): Promise<any>;
  addNode(name: string, labels?: Readonly<Record<string, string>>, taints?: readonly object[]): Promise<void>;
  /** Makes a namespace and waits for its ServiceAccount `default`, without which there are no pods. */
  addNamespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

export async function startTestCluster(): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-cluster-'));
  guardFolder(dir);
  const removeDir = async (): Promise<void> => {
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  };
  try {
    const plane = await startControlPlane(dir);
    const home = join(dir, 'home');
    await mkdir(home);
    return testCluster(dir, plane, new KubeClient(plane.kubeconfig, home), removeDir);
  } catch (error) {
    await removeDir();
    throw error;
  }
}

/** One cluster for a test file, as withPostgres does it for a database. */
export function withCluster(): () => TestCluster {
  let cluster: TestCluster | undefined;
  beforeAll(async () => {
    cluster = await startTestCluster();
  }, START_MS);
  afterAll(async () => {
    await cluster?.stop();
  }, STOP_MS);
  return () => {
    if (cluster === undefined) throw new Error('withCluster: only usable inside tests and hooks');
    return cluster;
  };
}

function testCluster(
  dir: string,
  plane: ControlPlane,
  client: KubeClient,
  removeDir: () => Promise<void>,
): TestCluster {
  const { api } = plane;
  const get: TestCluster['get'] = async (path) => {
    const answer = await api.get(path);
    if (answer.status !== 200)
      throw new Error(`GET ${path} was answered with ${answer.status}: ${answer.text}`);
    return answer.json as unknown;
  };
  const create = async (path: string, object: object): Promise<void> => {
    const answer = await api.post(path, object);
    if (answer.status !== 201)
      throw new Error(`POST ${path} was answered with ${answer.status}: ${answer.text}`);
  };
  const until: TestCluster['until'] = async (what, path, holds) => {
    const deadline = performance.now() + APPEARS_MS;
    for (;;) {
      const answer = await api.get(path);
      const found: unknown = answer.status === 200 ? answer.json : undefined;
      if (holds(found)) return found;
      if (performance.now() > deadline) {
        throw new Error(`not within ${APPEARS_MS} ms: ${what}; ${path} was answered with ${answer.text}`);
      }
      await delay(LOOK_EVERY_MS);
    }
  };
  return {
    dir,
    plane,
    api,
    client,
    get,
    until,
    list: async (path) => ((await get(path)) as { items: unknown[] }).items,
    async addNode(name, labels = {}, taints = []) {
      await create('/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, annotations: FAKE_NODE, labels: { 'kubernetes.io/hostname': name, ...labels } },
        spec: { taints },
      });
    },
    async addNamespace(name, labels = {}) {
      await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      await until(
        `${name} has its ServiceAccount`,
        `/api/v1/namespaces/${name}/serviceaccounts/default`,
        (account) => account !== undefined,
      );
    },
    async stop() {
      await plane.stop();
      await removeDir();
    },
  };
}
