import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { probe as ask } from '#dev/devstack';
import { until } from '../../faults/until';
import { Container } from '../containers';
import { type PodBridge, type PodNamespace } from './pod-bridge';
import { containerOf, podmanArguments, type PodSpec, portOf, type Probe } from './pod-spec';
import { type VolumeSources, writeVolumes } from './pod-volumes';

/** Starting a process on a machine that does many other things. */
const READY_MS = 180_000;
/** A pod that ends again and again is broken; the kubelet would wait longer each time. */
const MOST_RESTARTS = 10;

export interface PodNode {
  readonly bridge: PodBridge;
  readonly dir: string;
  readonly sources: VolumeSources;
  /** Addresses by name, as DNS would have them. */
  readonly hosts: ReadonlyMap<string, string>;
  /** Environment of a container: its ConfigMaps and its own. */
  readonly environmentOf: (spec: PodSpec) => Readonly<Record<string, string>>;
}

/**
 * A pod whose container podman runs, and this class what the kubelet does beside it: volumes, probes, restarts, and the end with
 * preStop and its grace.
 */
export class RunningPod {
  /** Times that its container was started again. */
  restarts = 0;
  /** What the liveness probe had to end. */
  endedByLiveness = 0;
  private container: Container | undefined;
  private hasStarted = false;
  private passes = false;
  private isLeaving = false;
  private readonly gone = new AbortController();
  private trouble: Error | undefined;
  private running: Promise<number | null> = Promise.resolve(null);

  private constructor(
    readonly name: string,
    readonly spec: PodSpec,
    private readonly image: string,
    private readonly node: PodNode,
    private readonly network: PodNamespace,
  ) {}

  /** Starts it, without waiting until it is ready. @param image runs in place of the one that the chart names */
  static async start(spec: PodSpec, image: string, node: PodNode): Promise<RunningPod> {
    const name = `kernel-pod-${containerOf(spec).name}-${randomBytes(4).toString('hex')}`;
    const pod = new RunningPod(name, spec, image, node, await node.bridge.attach());
    pod.running = pod.keepRunning().catch((error: Error) => {
      pod.trouble = error;
      return null;
    });
    void pod.probeReadiness();
    void pod.probeLiveness();
    return pod;
  }

  get address(): string {
    return this.network.address;
  }

  /** Whether Services send connections to it. */
  get isReady(): boolean {
    return this.passes && !this.isLeaving;
  }

  async whenReady(timeoutMs = READY_MS): Promise<void> {
    await until(
      `${this.name} is ready`,
      () => {
        if (this.trouble !== undefined) throw this.trouble;
        return this.isReady;
      },
      timeoutMs,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it said: ${this.said()}`, { cause: error });
    });
  }

  /** Waits for the end of a pod that is not restarted. @returns the exit code */
  async ended(): Promise<number | null> {
    const code = await this.running;
    if (this.trouble !== undefined) throw this.trouble;
    await this.cleanUp();
    return code;
  }

  /** What its container has written. */
  said(): string {
    return this.container?.said() ?? '';
  }

  /** As when the memory of its node ends: SIGKILL, and it is started again. */
  async kill(): Promise<void> {
    const before = this.restarts;
    this.passes = false;
    await this.container?.kill();
    await until(`${this.name} is started again`, () => this.restarts > before);
  }

  /**
   * As when the pod is deleted: Services leave it at once, its preStop runs, then SIGTERM; SIGKILL when the grace is over, of which
   * preStop is a part.
   * @returns the exit code
   */
  async terminate(): Promise<number | null> {
    this.isLeaving = true;
    const grace = new AbortController();
    const kill = delay(this.spec.terminationGracePeriodSeconds * 1_000, undefined, {
      signal: grace.signal,
    }).then(
      () => this.container?.kill(),
      () => undefined,
    );
    const sleep = containerOf(this.spec).lifecycle?.preStop.sleep.seconds ?? 0;
    await delay(sleep * 1_000);
    const code = (await this.container?.stop()) ?? null;
    grace.abort();
    await kill;
    await this.running;
    await this.cleanUp();
    return code;
  }

  /** At the end of a test: whatever state it is in. */
  async remove(): Promise<void> {
    this.isLeaving = true;
    await this.container?.remove();
    await this.running;
    await this.cleanUp();
  }

  private async cleanUp(): Promise<void> {
    this.gone.abort();
    await this.network.release();
  }

  private async keepRunning(): Promise<number | null> {
    const { spec, node } = this;
    const folders = await writeVolumes(spec, join(node.dir, this.name), node.sources);
    for (;;) {
      const container = await Container.ofPod({
        name: `${this.name}-${this.restarts}`,
        image: this.image,
        args: containerOf(spec).args,
        env: node.environmentOf(spec),
        dir: join(node.dir, 'containers'),
        podman: [
          `--network=ns:${this.network.path}`,
          ...[...node.hosts].map(([host, address]) => `--add-host=${host}:${address}`),
          ...podmanArguments(spec, folders),
        ],
      });
      this.container = container;
      const { code } = await container.exited();
      this.passes = false;
      this.hasStarted = false;
      if (this.isLeaving || spec.restartPolicy === 'Never') return code;
      this.restarts += 1;
      if (this.restarts > MOST_RESTARTS) {
        throw new Error(
          `${this.name} ended ${this.restarts} times, at last with ${code}: ${container.said()}`,
        );
      }
    }
  }

  private async probeReadiness(): Promise<void> {
    const { startupProbe, readinessProbe } = containerOf(this.spec);
    if (readinessProbe === undefined) return;
    for (let failures = 0; !this.gone.signal.aborted;) {
      // Asked for the first time when it has started.
      this.hasStarted ||= startupProbe === undefined || (await this.answers(startupProbe));
      const passed = this.hasStarted && (await this.answers(readinessProbe));
      failures = passed ? 0 : failures + 1;
      if (passed) this.passes = true;
      else if (failures >= readinessProbe.failureThreshold) this.passes = false;
      await this.pause(this.hasStarted ? readinessProbe : (startupProbe ?? readinessProbe));
    }
  }

  private async probeLiveness(): Promise<void> {
    const { livenessProbe } = containerOf(this.spec);
    if (livenessProbe === undefined) return;
    let failures = 0;
    while (!this.gone.signal.aborted) {
      await this.pause(livenessProbe);
      if (!this.passes || this.isLeaving) continue;
      failures = (await this.answers(livenessProbe)) ? 0 : failures + 1;
      if (failures < livenessProbe.failureThreshold) continue;
      failures = 0;
      this.endedByLiveness += 1;
      await this.container?.kill();
    }
  }

  private async answers({ httpGet: { path, port }, timeoutSeconds }: Probe): Promise<boolean> {
    const url = `http://${this.address}:${portOf(this.spec, port)}${path}`;
    const { status } = await ask(url, timeoutSeconds * 1_000);
    return status >= 200 && status < 400;
  }

  private async pause({ periodSeconds }: Probe): Promise<void> {
    await delay(periodSeconds * 1_000, undefined, { signal: this.gone.signal }).catch(() => undefined);
  }
}
