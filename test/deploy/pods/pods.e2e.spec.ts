import { randomUUID } from 'node:crypto';
import { kafkaMissing, openBaoMissing, s3ServerMissing } from '#dev/devstack';
import { describeWith, kubeClientMissing, type MtlsClient, nightly } from '#dev/testing';
import { until } from '../../faults/until';
import { containersMissing, podman, testImage } from '../containers';
import { podNetworkMissing } from '../network/pod-network';
import { type Component, PodCluster } from './pod-cluster';
import { bytes, containerOf } from './pod-spec';

/** Builds where nothing was built before. */
const BUILD_MS = 900_000;
/** Of a test that starts many processes on two cores. */
const PATIENCE_MS = 900_000;
const missing =
  containersMissing() ??
  podNetworkMissing() ??
  kubeClientMissing() ??
  kafkaMissing() ??
  s3ServerMissing() ??
  openBaoMissing();

/** Run by node within a container. */
const LOOK_AROUND = `
  const fs = require('node:fs');
  const status = Object.fromEntries(
    fs.readFileSync('/proc/self/status', 'utf8').split('\\n').map((line) => line.split(':\\t')),
  );
  const writable = ['/tried', '/app/tried', '/etc/tried', '/etc/kernel/config/tried', '/var/tried', '/run/tried', '/tmp/tried'].filter((path) => {
    try {
      fs.writeFileSync(path, '');
      return true;
    } catch {
      return false;
    }
  });
  console.log(JSON.stringify({
    ids: [process.getuid(), process.getgid()],
    capabilities: [...new Set(['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => status[name]))],
    'no new privileges': status.NoNewPrivs,
    'system calls are filtered': status.Seccomp,
    memory: process.constrainedMemory(),
    writable,
  }));
`;

/*
 * The chart's own pods: podman runs them with the spec that Helm renders from production's values, over TLS to real servers.
 * What stands in for a cluster is named in docs/kubernetes.md.
 */
describeWith(nightly(missing), "the chart's pods, run by podman", () => {
  let cluster: PodCluster;
  let operator: MtlsClient;
  let auditor: MtlsClient;
  const shown: { what: string; evidence: string }[] = [];
  const show = (what: string, evidence: string) => shown.push({ what, evidence });
  beforeAll(async () => {
    cluster = await PodCluster.prepare(await testImage());
    operator = await cluster.client('deployer.example.com');
    auditor = await cluster.client('audit.example.com');
  }, BUILD_MS);
  afterAll(async () => {
    await cluster?.stop();
    // eslint-disable-next-line no-console -- what the run has shown, for whoever asks
    console.table(shown);
  }, 120_000);

  const signed = async (): Promise<string> => {
    const manifest = { id: randomUUID(), version: '2.1.0', kind: 'agent', image: 'billing:2.1' };
    const answer = await operator.post('/kernel/sign', { manifest }, { idempotencyKey: true });
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 200 });
    const { envelope } = answer.json.signature_record;
    const { signers } = (await auditor.get('/kernel/keys/signers.json')).json;
    const { keyid } = envelope.signatures[0] as { keyid: string };
    expect((signers as { signer_kid: string }[]).map(({ signer_kid: kid }) => kid)).toContain(keyid);
    const verdict = await operator.post('/kernel/verify', { manifest, envelope });
    expect(verdict.json).toEqual({ valid: true, reasons: [] });
    const forged = await operator.post('/kernel/verify', {
      manifest: { ...manifest, version: '6.6.6' },
      envelope,
    });
    expect(forged.json).toMatchObject({ valid: false });
    return answer.json.audit_id as string;
  };
  const recorded = async (): Promise<string> => {
    const answer = await operator.post(
      '/kernel/audit',
      { type: 'pods.told', payload: {} },
      { idempotencyKey: true },
    );
    expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 201 });
    return answer.json.events[0].id as string;
  };
  /** It has gone through Kafka: it is in the bucket, in the index, and its log proves it. */
  const arrived = async (id: string): Promise<void> => {
    await until(
      `${id} is in the bucket`,
      async () => (await cluster.platform.archived()).some((path) => path.endsWith(`${id}.json`)),
      120_000,
    );
    await until(
      `${id} is in the index`,
      async () => {
        const found = await auditor.get('/kernel/audit?type=pods.told&limit=100');
        return found.status === 200 && found.text.includes(id);
      },
      60_000,
    );
    await until(
      `${id} is in the log`,
      async () => (await auditor.get(`/kernel/audit/${id}/receipt`)).status === 200,
      120_000,
    );
  };

  it(
    'migrate an empty database by the Job, and found the kernel',
    async () => {
      expect(await cluster.migrate()).toMatchObject({ code: 0 });
      await cluster.found();
      show('migrate, kernel x3 and signing-proxy x2 ready before there is a trust root', await signed());
    },
    PATIENCE_MS,
  );

  it(
    'run all processes as the chart has them: every one is ready, and an event reaches bucket, index and log',
    async () => {
      await cluster.upgrade();
      const ready = cluster.all().filter(({ isReady }) => isReady);
      expect(ready.map(({ spec: { containers } }) => containers[0].name)).toEqual(
        cluster.all().map(({ spec: { containers } }) => containers[0].name),
      );
      const counts = cluster.components.map((name) => `${name} ${cluster.pods(name).length}`);
      show('pods ready', counts.join(', '));
      const id = await recorded();
      await arrived(id);
      show('signed, verified, in bucket, index and log over Kafka', id);
    },
    PATIENCE_MS,
  );

  it('have a root that cannot be written to, no capability, their user and their limits, as seen from within', async () => {
    for (const name of cluster.components) {
      for (const pod of cluster.pods(name)) {
        const seen = JSON.parse(
          await podman('exec', `${pod.name}-${pod.restarts}`, '/usr/local/bin/node', '-e', LOOK_AROUND),
        ) as unknown;
        expect({ name, seen }).toEqual({
          name,
          seen: {
            ids: [65_532, 65_532],
            capabilities: ['0000000000000000'],
            'no new privileges': '1',
            'system calls are filtered': '2',
            memory: bytes(containerOf(pod.spec).resources.limits.memory),
            writable: ['/tmp/tried'],
          },
        });
      }
    }
    show(
      'from within: read-only root, no capability, seccomp, 65532:65532, memory',
      cluster.components.join(', '),
    );
  }, 120_000);

  it.each<Component>([
    'signing-proxy',
    'kernel',
    'outbox-relay',
    'indexer',
    'archiver',
    'log-publisher',
    'auditor',
  ])(
    'go on after every %s was killed at once',
    async (component) => {
      const pods = cluster.pods(component);
      await Promise.all(pods.map((pod) => pod.kill()));
      await Promise.all(pods.map((pod) => pod.whenReady()));
      await signed();
      const id = await recorded();
      await arrived(id);
      show(`${component}: ${pods.length} killed and started again`, id);
    },
    PATIENCE_MS,
  );

  it('leave a chain that verifies from the bucket and from the database, with nothing but public keys', async () => {
    for (const source of ['database', 'archive'] as const) {
      const { code, stdout, stderr } = await cluster.verify(source);
      expect({ source, code, stdout, stderr }).toMatchObject({ code: 0 });
      show(`tools/audit-verify.js, ${source}`, stdout.trim().slice(0, 200));
    }
  }, 120_000);

  it('have no secret in what they write, and none was ended by its liveness probe', async () => {
    const logs = await cluster.logs();
    expect(logs).not.toBe('');
    expect([...cluster.platform.secrets].filter((secret) => logs.includes(secret))).toEqual([]);
    expect(cluster.all().filter(({ endedByLiveness }) => endedByLiveness > 0)).toEqual([]);
  });

  it('end in good order when they are told to', async () => {
    const codes = await Promise.all(cluster.all().map((pod) => pod.terminate()));
    expect(codes).toEqual(cluster.all().map(() => 0));
    show('preStop, SIGTERM, exit code 0 within the grace', `${codes.length} pods`);
  }, 120_000);
});
