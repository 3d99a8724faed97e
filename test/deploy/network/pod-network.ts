import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoundedLog, type RunningChild, startChild } from '#dev/devstack';
import { kubeProgram, type TestCluster, workTree } from '#dev/testing';
import { until } from '../../faults/until';
import { type Target } from './stand-in';

const HERE = 'test/deploy/network';
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** In the node's namespace, where nothing else listens. */
const API_PORT = 6443;
/** Each pod's way out, on the node's end of its cable. */
const GATEWAY = '169.254.1.1';
const QUEUE = 100;
const TOOLS = ['ip', 'iptables', 'mount', 'nsenter', 'unshare'];

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Why pods cannot have networks of their own here; null when they can. */
export function podNetworkMissing(): string | null {
  if (!isRoot()) return 'network namespaces need root, and this user is another';
  const isMissing = (tool: string): boolean => {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { env: { PATH } });
      return false;
    } catch {
      return true;
    }
  };
  const missing = TOOLS.filter(isMissing);
  if (missing.length > 0) {
    return `there is no ${missing.join(', ')} (Debian: apt-get install iproute2 iptables util-linux)`;
  }
  try {
    execFileSync('unshare', ['--net', 'true'], { env: { PATH }, stdio: 'pipe' });
    return null;
  } catch (error) {
    return `this system gives no network namespace (${(error as Error).message.trim()})`;
  }
}

/**
 * The networks of a cluster's pods on one node: a namespace each, with a cable to the node's, which forwards. Namespaces are held
 * by processes alone, so that none outlives the test, however it ends.
 */
export class PodNetwork {
  private readonly pods = new Map<string, RunningChild>();
  private readonly others: RunningChild[] = [];
  private readonly logs: BoundedLog[] = [];
  private upstream: Server | undefined;

  private constructor(
    private readonly cluster: TestCluster,
    private readonly dir: string,
    private readonly node: RunningChild,
  ) {}

  static async open(cluster: TestCluster): Promise<PodNetwork> {
    const dir = join(cluster.dir, 'network');
    await mkdir(dir);
    const relay = join(dir, 'api.sock');
    const control = join(dir, 'node.sock');
    const log = new BoundedLog(join(dir, 'node.log'));
    const node = await inOwnNamespace('api-relay.ts', [String(API_PORT), relay, control], dir, log);
    const network = new PodNetwork(cluster, dir, node);
    network.logs.push(log);
    network.upstream = createServer((socket) => {
      const onward = connect(cluster.plane.port, '127.0.0.1');
      socket.on('error', () => onward.destroy());
      onward.on('error', () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    }).listen(relay);
    await until('the node has a network', () => existsSync(control));
    await within(node, 'ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward');
    return network;
  }

  /** Gives a pod its address and servers on these ports (`8443/TCP`). */
  async attach(name: string, address: string, ports: readonly string[]): Promise<void> {
    const log = new BoundedLog(join(this.dir, `${name}.log`));
    this.logs.push(log);
    const pod = await inOwnNamespace('stand-in.ts', [this.controlOf(name), ...ports], this.dir, log);
    this.pods.set(name, pod);
    await until(`${name} has a network`, () => existsSync(this.controlOf(name)));
    const cable = `pod${this.pods.size}`;
    await within(
      this.node,
      `ip link add ${cable} type veth peer name eth0 netns ${pod.pid} &&
       ip addr add ${GATEWAY}/32 dev ${cable} && ip link set ${cable} up && ip route add ${address}/32 dev ${cable}`,
    );
    await within(
      pod,
      `ip link set lo up && ip addr add ${address}/32 dev eth0 && ip link set eth0 up &&
       ip route add ${GATEWAY} dev eth0 && ip route add default via ${GATEWAY}`,
    );
  }

  /**
   * From now on the cluster's NetworkPolicies hold: each first packet of a connection waits in a queue for the verdict of
   * kube-network-policies.
   * @param token of a ServiceAccount that may read pods, namespaces and policies
   */
  async enforce(token: string): Promise<void> {
    const account = join(this.dir, 'account');
    await mkdir(account);
    await writeFile(join(account, 'token'), token, { mode: 0o600 });
    await promisify(execFile)('cp', [this.cluster.plane.credentials.caFile, join(account, 'ca.crt')]);
    // The rules of the program itself ask for a part of nftables that not every Linux has; these do the same.
    await within(
      this.node,
      `iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT &&
       iptables -A FORWARD -j NFQUEUE --queue-num ${QUEUE}`,
    );
    const log = new BoundedLog(join(this.dir, 'kube-network-policies.log'));
    this.logs.push(log);
    // It looks for its account where a pod has it; a mount that only it sees puts it there.
    const script = `mount --make-rprivate / && mount -t tmpfs tmpfs /run &&
      mkdir -p /run/secrets/kubernetes.io/serviceaccount && cp "$1"/* /run/secrets/kubernetes.io/serviceaccount &&
      exec "$2" --disable-nri --nfqueue-id ${QUEUE} --metrics-bind-address 127.0.0.1:9080`;
    const agent = await startChild({
      command: 'nsenter',
      args: [
        `--net=/proc/${this.node.pid}/ns/net`,
        'unshare',
        '--mount',
        'sh',
        '-c',
        script,
        'sh',
        account,
        kubeProgram('kube-network-policies'),
      ],
      env: { PATH, KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(API_PORT) },
      cwd: this.dir,
      log,
    });
    this.others.push(agent);
    await until('kube-network-policies takes packets', async () => {
      if (agent.exit !== undefined)
        throw new Error(`kube-network-policies ended: ${log.tail(3).join(' | ')}`);
      return (await within(this.node, 'cat /proc/net/netfilter/nfnetlink_queue')).trim() !== '';
    });
  }

  /** What becomes of connections from a pod, all tried at once. */
  connect(from: string, targets: readonly Target[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.controlOf(from));
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('end', () => resolve(JSON.parse(answer) as string[]));
      socket.on('error', reject);
      socket.write(`${JSON.stringify(targets)}\n`);
    });
  }

  async close(): Promise<void> {
    for (const child of [...this.others, ...this.pods.values(), this.node]) await child.stop(0);
    for (const log of this.logs) log.close();
    this.upstream?.close();
  }

  private controlOf(name: string): string {
    return join(this.dir, `${name}.sock`);
  }
}

function inOwnNamespace(
  program: string,
  args: readonly string[],
  cwd: string,
  log: BoundedLog,
): Promise<RunningChild> {
  return startChild({
    command: 'unshare',
    args: ['--net', process.execPath, join(workTree(), HERE, program), ...args],
    env: { PATH, NODE_NO_WARNINGS: '1' },
    cwd,
    log,
  });
}

/** Runs a line of shell in the network namespace of a process. */
async function within({ pid }: RunningChild, script: string): Promise<string> {
  const args = [`--net=/proc/${pid}/ns/net`, 'sh', '-c', script];
  const { stdout } = await promisify(execFile)('nsenter', args, { env: { PATH } });
  return stdout;
}
