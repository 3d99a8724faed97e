import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  BoundedLog,
  type CertificateFiles,
  DevstackError,
  freePort,
  type RunningChild,
  startChild,
} from '#dev/devstack';
import { MtlsClient } from '../mtls-client';
import { type ClusterCredentials, makeClusterCredentials } from './cluster-credentials';
import { STAGES } from './fake-kubelet';
import { type KubeProgram, kubeProgram } from './kube-programs';

const HOST = '127.0.0.1';
const READY_MS = 60_000;
const LOOK_EVERY_MS = 50;
/** Who the tokens of ServiceAccounts are from, as in a cluster that kubeadm makes. */
export const ISSUER = 'https://kubernetes.default.svc';

export interface ControlPlane {
  readonly url: string;
  readonly port: number;
  readonly credentials: ClusterCredentials;
  readonly admin: CertificateFiles;
  /** Of a member of system:masters. */
  readonly kubeconfig: string;
  /** The API, as that member. */
  readonly api: MtlsClient;
  /** Of its processes. */
  readonly pids: readonly number[];
  /** Ends all of it, without a graceful shutdown: its folder is thrown away. */
  stop(): Promise<void>;
}

/**
 * Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok on free ports of the loopback address. They
 * end with this process, however it ends.
 * @param dir an existing folder for data, keys and logs
 */
export async function startControlPlane(dir: string): Promise<ControlPlane> {
  const processes = new Processes(dir);
  try {
    return await start(dir, processes);
  } catch (error) {
    await processes.stop();
    throw error;
  }
}

async function start(dir: string, processes: Processes): Promise<ControlPlane> {
  const [port, store, peers, controllers, scheduler] = await Promise.all(Array.from({ length: 5 }, freePort));
  const url = `https://${HOST}:${port}`;
  const credentials = await makeClusterCredentials(dir);
  const { server, tokens, caFile } = credentials;
  const kubeconfig = await credentials.kubeconfig('admin', url, 'system:masters');
  const admin = { cert: join(dir, 'admin.crt'), key: join(dir, 'admin.key') };
  const storeUrl = `http://${HOST}:${store}`;
  const peerUrl = `http://${HOST}:${peers}`;
  await processes.start('etcd', {
    'data-dir': join(dir, 'etcd'),
    'listen-client-urls': storeUrl,
    'advertise-client-urls': storeUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    // Thrown away anyway, so nothing has to reach the disk.
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
  });
  const apiServer = await processes.start('kube-apiserver', {
    'bind-address': HOST,
    'advertise-address': HOST,
    'secure-port': String(port),
    'etcd-servers': storeUrl,
    'client-ca-file': caFile,
    'tls-cert-file': server.cert,
    'tls-private-key-file': server.key,
    'service-account-issuer': ISSUER,
    'service-account-key-file': tokens.publicKey,
    'service-account-signing-key-file': tokens.key,
    'service-cluster-ip-range': '10.96.0.0/16',
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction,PodSecurity',
    // No Service `kubernetes` needs endpoints: no pod runs that would call it.
    'endpoint-reconciler-type': 'none',
    profiling: 'false',
  });
  const api = new MtlsClient(url, { ca: caFile, identity: admin });
  processes.beforeStop(() => api.close());
  await untilReady(api, apiServer);

  // The two end at once when the API server is not there yet.
  const serving = {
    'bind-address': HOST,
    'leader-elect': 'false',
    'tls-cert-file': server.cert,
    'tls-private-key-file': server.key,
    profiling: 'false',
  };
  const asThemselves = async (name: string): Promise<Record<string, string>> => {
    const file = await credentials.kubeconfig(name, url);
    return { kubeconfig: file, 'authentication-kubeconfig': file, 'authorization-kubeconfig': file };
  };
  await processes.start('kube-controller-manager', {
    ...(await asThemselves('system:kube-controller-manager')),
    ...serving,
    'secure-port': String(controllers),
    'service-account-private-key-file': tokens.key,
    'root-ca-file': caFile,
    'use-service-account-credentials': 'true',
    controllers: '*,-nodeipam',
  });
  await processes.start('kube-scheduler', {
    ...(await asThemselves('system:kube-scheduler')),
    ...serving,
    'secure-port': String(scheduler),
  });
  const stages = join(dir, 'stages.yaml');
  await writeFile(stages, STAGES.map((stage) => JSON.stringify(stage)).join('\n---\n'));
  await processes.start('kwok', {
    kubeconfig,
    config: stages,
    'manage-nodes-with-annotation-selector': 'kwok.x-k8s.io/node=fake',
    cidr: '10.244.0.0/16',
    'node-ip': HOST,
    'node-lease-duration-seconds': '40',
  });
  return {
    url,
    port: port as number,
    credentials,
    admin,
    kubeconfig,
    api,
    pids: processes.pids,
    stop: () => processes.stop(),
  };
}

async function untilReady(api: MtlsClient, { child, log }: Started): Promise<void> {
  const patience = AbortSignal.timeout(READY_MS);
  for (;;) {
    const status = await api
      .get('/readyz', { signal: patience })
      .then((answer) => answer.status)
      .catch(() => 0);
    if (status === 200) return;
    if (child.exit !== undefined || patience.aborted) {
      const how = child.exit === undefined ? `was not ready within ${READY_MS} ms` : 'ended';
      throw new DevstackError(
        'process_failed',
        `kube-apiserver ${how}: ${log.tail(3).join(' | ')} (log: ${log.file}).`,
        { log: log.file },
      );
    }
    await delay(LOOK_EVERY_MS);
  }
}

interface Started {
  readonly child: RunningChild;
  readonly log: BoundedLog;
}

/** The processes of one control plane, in the order of their starts. */
class Processes {
  private readonly started: Started[] = [];
  private readonly first: (() => Promise<void>)[] = [];

  constructor(private readonly dir: string) {}

  async start(program: KubeProgram, flags: Readonly<Record<string, string>>): Promise<Started> {
    const log = new BoundedLog(join(this.dir, `${program}.log`));
    const child = await startChild({
      command: kubeProgram(program),
      args: Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
      env: { HOME: this.dir },
      cwd: this.dir,
      log,
    });
    const started = { child, log };
    this.started.push(started);
    return started;
  }

  get pids(): number[] {
    return this.started.map(({ child }) => child.pid);
  }

  beforeStop(action: () => Promise<void>): void {
    this.first.push(action);
  }

  /** The last one first: the API server would wait for its clients. */
  async stop(): Promise<void> {
    for (const action of this.first.splice(0)) await action();
    for (const { child, log } of this.started.splice(0).reverse()) {
      await child.stop(0);
      log.close();
    }
  }
}
