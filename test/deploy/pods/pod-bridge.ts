import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoundedLog, type RunningChild, startChild } from '#dev/devstack';
import { until } from '../../faults/until';

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Addresses of Services; pods have those above. */
const FIRST_POD = 100;
const LAST = 254;

/** A network namespace, held by a process that does nothing else: none outlives the test, however it ends. */
export interface PodNamespace {
  readonly address: string;
  /** Path of the namespace, as podman takes it. */
  readonly path: string;
  release(): Promise<void>;
}

/**
 * The network of pods on one node: a namespace each, cabled to a bridge in a namespace of the node's. This machine has a cable
 * to it too, on which it has the addresses of Services. Nothing leads out of it.
 */
export class PodBridge {
  private readonly pods = new Set<RunningChild>();
  private services = 0;
  private made = 0;

  private constructor(
    private readonly dir: string,
    private readonly node: RunningChild,
    private readonly uplink: string,
    private readonly subnet: string,
    private readonly log: BoundedLog,
  ) {}

  static async open(dir: string): Promise<PodBridge> {
    const log = new BoundedLog(join(dir, 'network.log'));
    const node = await namespaceHolder(dir, log);
    // Of those for measurements between networks (RFC 2544), which nothing else uses.
    const subnet = `198.${randomInt(18, 20)}.${randomInt(256)}`;
    const bridge = new PodBridge(dir, node, `pods${randomBytes(4).toString('hex')}`, subnet, log);
    await within(node, `ip link set lo up && ip link add pods type bridge && ip link set pods up`);
    await host(
      `ip link add ${bridge.uplink} type veth peer name uplink netns ${node.pid} &&
       ip addr add ${subnet}.1/24 dev ${bridge.uplink} && ip link set ${bridge.uplink} up`,
    );
    await within(node, 'ip link set uplink master pods && ip link set uplink up');
    return bridge;
  }

  /** An address of this machine that pods reach, where a Service can listen. */
  async serviceAddress(): Promise<string> {
    this.services += 1;
    const address = `${this.subnet}.${1 + this.services}`;
    await host(`ip addr add ${address}/32 dev ${this.uplink}`);
    return address;
  }

  /** A namespace with an address of its own. */
  async attach(): Promise<PodNamespace> {
    const at = FIRST_POD + this.made;
    if (at > LAST) throw new Error('no address is left for another pod');
    this.made += 1;
    const address = `${this.subnet}.${at}`;
    const pod = await namespaceHolder(this.dir, this.log);
    this.pods.add(pod);
    const cable = `pod${at}`;
    await within(
      this.node,
      `ip link add ${cable} type veth peer name eth0 netns ${pod.pid} &&
       ip link set ${cable} master pods && ip link set ${cable} up`,
    );
    await within(pod, `ip link set lo up && ip addr add ${address}/24 dev eth0 && ip link set eth0 up`);
    return {
      address,
      path: `/proc/${pod.pid}/ns/net`,
      release: async () => {
        await pod.stop(0);
        this.pods.delete(pod);
      },
    };
  }

  async close(): Promise<void> {
    for (const child of [...this.pods, this.node]) await child.stop(0);
    // The kernel takes the cable away after its last process has ended.
    await until('the cable of the pods is gone', async () =>
      host(`ip link show ${this.uplink}`).then(
        () => false,
        () => true,
      ),
    );
    this.log.close();
  }
}

async function namespaceHolder(cwd: string, log: BoundedLog): Promise<RunningChild> {
  const child = await startChild({
    command: 'unshare',
    args: ['--net', 'sleep', 'infinity'],
    env: { PATH },
    cwd,
    log,
  });
  const own = await readlink('/proc/self/ns/net');
  await until(
    'a network namespace is there',
    async () => (await readlink(`/proc/${child.pid}/ns/net`)) !== own,
  );
  return child;
}

async function host(script: string): Promise<void> {
  await promisify(execFile)('sh', ['-c', script], { env: { PATH } });
}

async function within({ pid }: RunningChild, script: string): Promise<void> {
  await promisify(execFile)('nsenter', [`--net=/proc/${pid}/ns/net`, 'sh', '-c', script], { env: { PATH } });
}
