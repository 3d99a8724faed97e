import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkpointKey, logName, noteKeyText, parseSigners } from '#evidence';
import { withStack } from '#dev/testing';
import { defineConfig, flag, loadConfig, wholeNumber } from '#platform/process';
import { seedEvents } from '../bench/seed/seed-events';
import { until } from '../faults/until';
import { describeWithTlogTools, fsck, runTool, type ToolResult } from './tlog-tools';

const settings = defineConfig({
  NIGHTLY: { schema: flag(), description: 'A log of 100,000 events.', default: false },
  LOG_EVENTS: {
    schema: wholeNumber({ min: 300, max: 10_000_000 }).optional(),
    description: 'Events in the log that the programs of others read.',
  },
});
const { nightly, logEvents = nightly ? 100_000 : 3_000 } = loadConfig(settings);

describeWithTlogTools('the published log, read by the programs of others', () => {
  const stack = withStack({ workers: ['outbox-relay', 'log-publisher'] });
  let scratch: string;
  let vkey: string;
  let size: number;

  const folder = (): string => join(stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '', 'log/0');
  const check = (): Promise<ToolResult> => fsck(`file://${folder()}/`, vkey, scratch);
  const follow = (): Promise<ToolResult> => {
    const { caCert, callers } = stack().identities;
    return runTool('follow', [
      ...['-url', `${stack().worker('log-publisher').listenUrl}/log/0`, '-log', vkey],
      ...['-entries', `${stack().kernels[0]?.apiUrl}/log/0`, '-ca', caCert],
      ...['-cert', callers.AUDITOR.cert, '-key', callers.AUDITOR.key],
    ]);
  };

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kernel-published-'));
    const signers = parseSigners((await stack().client('AUDITOR').get('/kernel/keys/signers.json')).text);
    const pem = signers.find(({ purposes }) => purposes.includes('checkpoint'))?.public_key_pem ?? '';
    vkey = noteKeyText(checkpointKey({ origin: stack().origin, shard: 0 }, pem));
    await seedEvents(stack(), logEvents);
    const [head] = (await stack().client('AUDITOR').get('/kernel/audit/head')).json as { seq: number }[];
    size = head?.seq ?? 0;
    const published = async (): Promise<boolean> =>
      Number((await readFile(join(folder(), 'checkpoint'), 'utf8').catch(() => '')).split('\n')[1]) === size;
    await until(`${size} events are published`, published, 300_000);
  }, 600_000);
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  it("is accepted by Tessera's fsck, and by torchwood's client over the network", async () => {
    expect(await check()).toMatchObject({ code: 0 });
    expect(await follow()).toEqual({ code: 0, output: `${logName(stack().origin, 0)}: ${size} entries\n` });
  }, 300_000);

  it.each([
    ['an entry', 'tile/entries/001', 300],
    ['a hash', 'tile/0/001', 40],
    ['the root', 'checkpoint', 45],
  ])(
    'is refused by both when %s is changed',
    async (_, path, at) => {
      const file = join(folder(), path);
      const bytes = await readFile(file);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await chmod(file, 0o600);
      await writeFile(file, changed);
      try {
        expect(await check()).toMatchObject({ code: 1 });
        expect(await follow()).toMatchObject({ code: 1 });
      } finally {
        await writeFile(file, bytes);
      }
    },
    300_000,
  );
});
