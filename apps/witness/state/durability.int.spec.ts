import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeWith, ensureBuilt } from '#dev/testing';

/** Only the system calls themselves show what was flushed, and when. */
const missing =
  spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0 ? null : 'strace is not installed';

describeWith({ missing }, 'the order of writing and flushing in a witness', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), 'kernel-witness-durability-')));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('answers when the new state is on the disk under its name', async () => {
    const witness = join(await ensureBuilt(), 'apps/witness');
    const door = (file: string): string => JSON.stringify(join(witness, file));
    const folder = join(dir, 'w');
    const script = `(async () => {
      const { createWitness } = require(${door('create-witness.js')});
      const { loadWitnessKey } = require(${door('key/witness-key.js')});
      const { WitnessState } = require(${door('state/witness-state.js')});
      const folder = ${JSON.stringify(folder)};
      await createWitness(folder, 'witness.example.com');
      const state = await WitnessState.open(folder + '/state', await loadWitnessKey(folder + '/witness.key'));
      require('node:fs').writeFileSync(folder + '/begin', '');
      await state.put('log', { head: {}, note: 'note' });
      require('node:fs').writeFileSync(folder + '/answer', '');
      await state.close();
    })();`;
    const trace = join(dir, 'trace');
    await promisify(execFile)('strace', [
      ...['-f', '-y', '-o', trace, '-e', 'trace=openat,write,fsync,rename,renameat,renameat2'],
      ...[process.execPath, '-e', script],
    ]);
    const calls = (await readFile(trace, 'utf8'))
      .split('\n')
      // Where a call is shown in two parts, the first has the paths.
      .filter((line) => line.includes(folder) && !/ resumed>|= -1 E/.test(line))
      .map((line) => {
        const call = /([a-z0-9]+)\(/.exec(line.replace(/^\d+ +/, ''))?.[1] ?? '?';
        const paths = [...line.matchAll(/[<"](\/[^">]*)[">]/g)]
          .map(([, path]) => path ?? '')
          .filter((path) => path.startsWith(folder));
        const names = [...new Set(paths)].map((path) => path.slice(folder.length + 1) || '.');
        return `${call.replace(/at2?$/, '')} ${names.join(' ')}`;
      });
    const between = calls.slice(calls.indexOf('open begin') + 1, calls.indexOf('open answer'));
    expect(between.filter((call) => call !== 'open .')).toEqual([
      'open state.new',
      'write state.new',
      'fsync state.new',
      'rename state.new state',
      'fsync .',
    ]);
  });
});
