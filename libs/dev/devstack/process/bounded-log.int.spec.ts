import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoundedLog } from './bounded-log';

describe('BoundedLog', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'bounded-log-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('never takes more than two files of the given size and loses no recent line', async () => {
    const file = join(dir, 'logs', 'app.log');
    const log = new BoundedLog(file, 1_000);
    for (let n = 0; n < 500; n += 1) log.write(`line ${n}\n`);
    log.close();
    expect(await readdir(join(dir, 'logs'))).toEqual(['app.log', 'app.log.1']);
    expect((await stat(file)).size).toBeLessThanOrEqual(1_000);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const both = `${await readFile(`${file}.1`, 'utf8')}${await readFile(file, 'utf8')}`;
    expect(both.trimEnd().split('\n').slice(-100)).toEqual(
      Array.from({ length: 100 }, (_, n) => `line ${n + 400}`),
    );
    // Writing continues where it was, and is not an error once it is closed.
    new BoundedLog(file, 1_000).write('after a restart\n');
    log.write('too late\n');
    expect(await readFile(file, 'utf8')).toMatch(/line 499\nafter a restart\n$/);
  });

  it('remembers the last lines of the process that writes, also split and unfinished ones', () => {
    const log = new BoundedLog(join(dir, 'app.log'));
    log.write('of an earlier process\n');
    log.startAnew();
    log.write('first\nsec');
    log.write(Buffer.from('ond\nunfinished'));
    expect(log.tail()).toEqual(['first', 'second', 'unfinished']);
    expect(log.tail(1)).toEqual(['unfinished']);
    log.close();
  });

  it('keeps little of much, and never half a line of it', () => {
    const log = new BoundedLog(join(dir, 'app.log'));
    const long = 'ü'.repeat(5_000);
    for (let n = 0; n < 100; n += 1) {
      const bytes = Buffer.from(`${n} ${long}\n`);
      // Cut in the middle of a letter.
      log.write(bytes.subarray(0, 1_001));
      log.write(bytes.subarray(1_001));
    }
    const tail = log.tail();
    expect(tail.length).toBeGreaterThanOrEqual(5);
    expect(tail).toEqual(Array.from(tail, (_, n) => `${100 - tail.length + n} ${long}`));
    log.close();
  });

  /** Stands for a full disk that one can make and take away: a link to the device whose writes are all ENOSPC. */
  const onFullDisk = existsSync('/dev/full') ? it : it.skip;

  onFullDisk('counts what a full disk did not take, says so when there is room, and goes on', async () => {
    const file = join(dir, 'app.log');
    await symlink('/dev/full', file);
    const log = new BoundedLog(file, 1_000);
    log.write('one of these is lost\n');
    log.write('and this one\n');
    // What is remembered is what a message about a failed start shows.
    expect(log.tail()).toEqual(['one of these is lost', 'and this one']);
    await rm(file);
    // Opened anew, as after a turn of the file.
    (log as unknown as { release(): void }).release();
    log.write('there is room\n');
    expect(await readFile(file, 'utf8')).toMatch(
      /^\n\S+Z 34 bytes of this log could not be written \(ENOSPC\)\nthere is room\n$/,
    );
    log.close();
  });

  it('ends nothing when its folder is gone, and is there again when that is', async () => {
    const file = join(dir, 'logs', 'app.log');
    const log = new BoundedLog(file, 100);
    log.write(`${'x'.repeat(60)}\n`);
    await rm(join(dir, 'logs'), { recursive: true });
    log.write(`${'y'.repeat(60)}\n`);
    log.write('z\n');
    await mkdir(join(dir, 'logs'));
    log.write('again\n');
    expect(await readFile(file, 'utf8')).toMatch(/63 bytes of this log .* \(ENOENT\)\nagain\n$/);
    log.close();
  });
});
