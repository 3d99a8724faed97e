import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { noteKeyText, signersJson } from '#evidence';
import { guardFolder, releaseFolder } from '#dev/devstack';
import { fakesOfReceipt, LoggedKernel, workTree } from '#dev/testing';
import { describeWithTlogTools, runTool, type ToolResult } from './tlog-tools';

const VERIFIER = join(workTree(), 'tools', 'audit-verify.js');

/** Two programs without a line in common check the same files. */
describeWithTlogTools('one event by its receipt', () => {
  const kernel = new LoggedKernel();
  const { log, chain, c2, witnesses } = kernel;
  const trust = kernel.trust();
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-offline-receipt-'));
    guardFolder(dir);
    const { origin, shards } = chain;
    const known = { ...(shards === undefined ? {} : { shards }), ...(trust.log && { log: trust.log }) };
    await writeFile(
      join(dir, 'signers.json'),
      signersJson(trust.signers, origin, { approverPool: null, ...known }),
    );
  });
  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  });

  async function both(event: Uint8Array, receipt: string): Promise<{ ours: number; theirs: ToolResult }> {
    const files = ['--event', join(dir, 'event.json'), '--receipt', join(dir, 'receipt')];
    await writeFile(join(dir, 'event.json'), event);
    await writeFile(join(dir, 'receipt'), receipt);
    const ours = await new Promise<number>((resolve) => {
      const args = [VERIFIER, '--signers', join(dir, 'signers.json'), ...files];
      execFile(process.execPath, args, { env: {} }, (error) =>
        resolve(error === null ? 0 : Number(error.code ?? 1)),
      );
    });
    const theirs = await runTool('receipt', [
      ...['-log', noteKeyText({ name: log.name, type: 'ed25519', raw: c2.rawPublicKey })],
      ...witnesses.flatMap(({ vkey }) => ['-witness', vkey]),
      ...['-quorum', '2'],
      ...files.map((argument) => argument.replace('--', '-')),
    ]);
    return { ours, theirs };
  }

  it.each([1, 2, 8, 20, 21, 22])('is verified by audit-verify.js and by Go libraries: 0:%d', async (seq) => {
    const { ours, theirs } = await both(kernel.at(seq), log.receipt(seq));
    expect({ ours, theirs: theirs.code }).toEqual({ ours: 0, theirs: 0 });
    expect(theirs.output).toContain(`in ${log.name} at index ${seq - 1} of 22, cosigned by 2`);
  });

  /** What the log can say is asked of both; whose event it is, and whether its key signs there, only of ours. */
  const ofLog = new Set(['proof', 'quorum', 'signature', 'invalid_log_proof', 'invalid_checkpoint']);
  /** Where the Go libraries read more than c2sp.org says, and nothing else is claimed by it. */
  const readByGo = new Set([
    'with an index of leading zeros',
    'without its last line feed',
    'with line ends of another system',
    'whose checkpoint has a wrong signature beside the right one',
  ]);
  const fakes = fakesOfReceipt(kernel).filter(
    ({ name, cause, policy, event, trust: root }) =>
      ofLog.has(cause) &&
      policy === undefined &&
      root.log?.quorum === 2 &&
      event === kernel.at(20) &&
      !readByGo.has(name),
  );

  it('is refused by both in many ways', () => expect(fakes.length).toBeGreaterThanOrEqual(25));

  it.each(fakes.map((fake) => [fake.name, fake] as const))(
    'is refused by both when it is one %s',
    async (_name, { event, receipt }) => {
      const { ours, theirs } = await both(event, receipt);
      expect({ ours, theirs: theirs.code }).toEqual({ ours: 1, theirs: 1 });
    },
  );
});
