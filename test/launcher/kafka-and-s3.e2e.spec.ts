import { join } from 'node:path';
import { readEnvironmentFile } from '#dev/devstack';
import { describeWithKafka, describeWithS3, MtlsClient } from '#dev/testing';
import { type Head } from '#openapi/kernel';
import { Launcher } from './launcher.driver';

const EVENTS = 40;

describeWithS3('./kernel up --archive s3', () => {
  describeWithKafka('--stream kafka', () => {
    let launcher: Launcher;
    let operator: MtlsClient;

    beforeAll(async () => {
      launcher = await Launcher.create();
      await launcher.upReady('--stream', 'kafka', '--archive', 's3');
      const variables = await readEnvironmentFile(join(launcher.state, 'kernel.env'));
      const value = (key: string): string => String(variables[`KERNEL_${key}`]);
      operator = new MtlsClient(value('API_URL'), {
        ca: value('CA_CERT'),
        identity: { cert: value('OPERATOR_CERT'), key: value('OPERATOR_KEY') },
      });
    }, 180_000);
    afterAll(async () => {
      await operator?.close();
      await launcher.stop();
    }, 60_000);

    const heads = async (): Promise<Omit<Head, 'ts'>[]> => {
      const { json } = await operator.get('/kernel/audit/head');
      return (json as Head[]).map(({ shard, seq, hash }) => ({ shard, seq, hash }));
    };

    it('runs both, and brings what is written through the topic into the bucket', async () => {
      const events = Array.from({ length: EVENTS }, (_, n) => ({ type: 'thing.changed', payload: { n } }));
      const written = await operator.post(
        '/kernel/audit',
        { events },
        { headers: { 'kernel-await': 'archived' } },
      );
      expect(written.status).toBe(201);
      const status = await launcher.on('status', '--json');
      expect(JSON.parse(status.stdout)).toMatchObject({ ready: true, stream: 'kafka', archive: 's3' });
      const { services } = JSON.parse(status.stdout) as { services: { name: string; state: string }[] };
      const running = services.filter(({ state }) => state === 'running').map(({ name }) => name);
      expect(running).toEqual(
        expect.arrayContaining(['kafka', 's3', 'outbox-relay', 'indexer', 'archiver', 'auditor']),
      );
    });

    it('rebuilds the index from the topic and from the bucket, and audits all of it', async () => {
      for (const source of ['kafka', 'archive']) {
        const replayed = await launcher.on('replay', '--from', source, '--to', 'index', '--json');
        expect([source, replayed.code]).toEqual([source, 0]);
        expect(JSON.parse(replayed.stdout)).toMatchObject({ heads: await heads() });
      }
      const safely = await launcher.on('replay', '--from', 'store', '--to', 'index', '--safe-mode');
      expect(safely).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/is in safe-mode\n.*normal again/s),
      });
      const mode = await launcher.on('mode');
      expect(mode.stdout).toMatch(/^normal since .*: The index was rebuilt and verified\./);
      const audited = await launcher.on('audit run');
      expect(audited).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Audit .*: clean, /m) });
    });
  });
});
