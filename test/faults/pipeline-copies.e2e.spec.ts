import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeWithKafka, describeWithS3, withStack, workTree } from '#dev/testing';
import { type AppendAnswer, type Head } from '#openapi/kernel';
import { Copies, expectEqualCopies } from './copies';

describeWithS3('with an S3 server', () => {
  describeWithKafka('and Kafka', () => {
    const stack = withStack({
      workers: ['outbox-relay', 'indexer', 'archiver'],
      stream: 'kafka',
      archive: 's3',
    });

    it('brings one event to topic, index and archive as the same bytes', async () => {
      const copies = await Copies.open(stack());
      try {
        const operator = stack().client('OPERATOR');
        const written = await operator.post('/kernel/audit', {
          type: 'deployment.finished',
          stream: 'deployment/d-1',
          payload: { service: 'checkout', text: 'grüße \u0000 \u{1f600}', build: 1e21 },
        });
        expect(written.status).toBe(201);
        const { events, position } = written.json as AppendAnswer;
        const id = events[0]?.id ?? '';
        const store = await expectEqualCopies(copies);
        const bytes = store.get(id);
        expect(JSON.parse(bytes ?? '{}')).toMatchObject({ id, hash: events[0]?.hash });
        expect((await copies.topic()).flat()).toContain(bytes);

        const byId = await operator.get(`/kernel/audit/${id}`);
        expect(byId.text).toBe(bytes);
        const listed = await operator.get('/kernel/audit?stream=deployment/d-1', {
          headers: { 'kernel-min-position': position },
        });
        expect(listed.text).toBe(`{"events":[${bytes}],"nextCursor":null}`);
      } finally {
        await copies.close();
      }
    });

    it('lets an outsider verify the chain from the archive alone', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'kernel-outsider-'));
      const copies = await Copies.open(stack());
      try {
        await copies.caughtUp('archiver');
        const auditor = stack().client('AUDITOR');
        const signers = join(dir, 'signers.json');
        await writeFile(signers, (await auditor.get('/kernel/keys/signers.json')).bytes);
        const [head] = (await auditor.get('/kernel/audit/head')).json as Head[];
        const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } =
          stack().archive.environment;
        const { stdout } = await promisify(execFile)(
          process.execPath,
          [
            join(workTree(), 'tools', 'audit-verify.js'),
            ...['--signers', signers, '--origin', stack().origin, '--s3', `${S3_ENDPOINT}/${S3_BUCKET}`],
          ],
          {
            env: {
              AWS_ACCESS_KEY_ID: S3_ACCESS_KEY_ID,
              AWS_SECRET_ACCESS_KEY: S3_SECRET_ACCESS_KEY,
              AWS_REGION: 'us-east-1',
            },
          },
        );
        expect(stdout).toContain(`Audit chain verified. Head hash: ${head?.hash}`);
      } finally {
        await copies.close();
        await rm(dir, { recursive: true, force: true });
      }
    });
  });
});
