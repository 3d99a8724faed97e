import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoundedLog, startChild } from '#dev/devstack';
import { describeWith } from '#dev/testing';
import { until } from '../../faults/until';
import { podNetworkMissing } from '../network/pod-network';
import { PodBridge, type PodNamespace } from './pod-bridge';
import { type Endpoint, ServiceRelay } from './service-relay';

const run = promisify(execFile);
const SAY = (text: string) =>
  `require('net').createServer((s) => s.end(${JSON.stringify(text)})).listen(8080, '0.0.0.0')`;
const ASK = (address: string) =>
  `require('net').connect(8080, '${address}').on('error', (e) => console.log(e.code)).pipe(process.stdout)`;

describeWith({ missing: podNetworkMissing() }, 'the network of pods', () => {
  let dir: string;
  let bridge: PodBridge;
  const within = async (pod: PodNamespace, script: string): Promise<string> =>
    (await run('nsenter', [`--net=${pod.path}`, process.execPath, '-e', script])).stdout;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-test-bridge-'));
    bridge = await PodBridge.open(dir);
  });
  afterAll(async () => {
    await bridge?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('has pods with addresses of their own, which a Service reaches while they are ready, and takes in turn', async () => {
    const log = new BoundedLog(join(dir, 'servers.log'));
    const pods = [await bridge.attach(), await bridge.attach()];
    const servers = await Promise.all(
      pods.map(({ path }, n) =>
        startChild({
          command: 'nsenter',
          args: [`--net=${path}`, process.execPath, '-e', SAY(`pod ${n}`)],
          env: { PATH: '/usr/bin' },
          cwd: dir,
          log,
        }),
      ),
    );
    const endpoints: Endpoint[] = pods.map(({ address }) => ({ host: address, port: 8080 }));
    const address = await bridge.serviceAddress();
    const relay = await ServiceRelay.listen({ address, port: 8080, endpoints: () => endpoints });
    const caller = await bridge.attach();
    const ask = () => within(caller, ASK(address));
    await until(
      'both answer',
      async () => new Set([await ask(), await ask()]).size === 2 && (await ask()) !== '',
    );
    endpoints.shift();
    expect([await ask(), await ask()]).toEqual(['pod 1', 'pod 1']);
    endpoints.shift();
    expect(await ask()).not.toContain('pod');
    await relay.close();
    for (const server of servers) await server.stop(0);
    log.close();
  }, 60_000);

  it('leads nowhere else', async () => {
    const pod = await bridge.attach();
    const elsewhere = createServer().listen(0, '127.0.0.1');
    await until('it listens', () => elsewhere.listening);
    const { port } = elsewhere.address() as { port: number };
    expect(await within(pod, ASK('192.0.2.1'))).toMatch(/ENETUNREACH/);
    expect(await within(pod, ASK('127.0.0.1').replace('8080', String(port)))).toMatch(/ECONNREFUSED/);
    elsewhere.close();
  });

  it('gives each pod what is its own, and is gone with its last process', async () => {
    const pod = await bridge.attach();
    expect(await within(pod, `console.log(Object.keys(require('os').networkInterfaces()))`)).toContain(
      'eth0',
    );
    await pod.release();
    await expect(within(pod, '')).rejects.toThrow();
  });
});
