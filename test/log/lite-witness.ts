import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { emptyRoot } from '#evidence';
import { BoundedLog, freePort, type RunningChild, startChild } from '#dev/devstack';
import { type SmallLog } from './small-log';
import { tlogTool } from './tlog-tools';

const run = promisify(execFile);
const GRACE_MS = 5_000;

/** A real litewitness (filippo.io/torchwood), with its key in an ssh-agent of its own, that knows one log. */
export class LiteWitness {
  private constructor(
    readonly url: string,
    readonly vkey: string,
    private readonly children: readonly RunningChild[],
    private readonly logs: readonly BoundedLog[],
  ) {}

  static async start(dir: string, { name, log }: { name: string; log: SmallLog }): Promise<LiteWitness> {
    await mkdir(dir, { recursive: true });
    const [key, socket, database] = ['id_ed25519', 'agent.sock', 'witness.db'].map((file) =>
      join(dir, file),
    ) as [string, string, string];
    // There is no tool to be had that adds a log: these are its own tables.
    const db = new DatabaseSync(database);
    db.exec(`CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
      CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));`);
    db.prepare('INSERT INTO log VALUES (?, 0, ?)').run(log.name, Buffer.from(emptyRoot()).toString('base64'));
    db.prepare('INSERT INTO key VALUES (?, ?)').run(log.name, log.vkey);
    db.close();

    const logs = ['agent', 'litewitness'].map((one) => new BoundedLog(join(dir, `${one}.log`))) as [
      BoundedLog,
      BoundedLog,
    ];
    const path = { PATH: '/usr/bin:/bin' };
    const agent = await startChild({
      command: 'ssh-agent',
      args: ['-D', '-a', socket],
      env: path,
      cwd: dir,
      log: logs[0],
    });
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const env = { ...path, SSH_AUTH_SOCK: socket };
    while ((await run('ssh-add', ['-q', key], { env }).catch(() => null)) === null) {
      if (agent.exit !== undefined) throw new Error(`ssh-agent ended: ${logs[0].tail().join('\n')}`);
      await sleep(20);
    }
    const { stdout } = await run('ssh-keygen', ['-l', '-f', key]);
    const fingerprint = stdout.split(' ')[1] ?? '';
    const port = await freePort();
    const witness = await startChild({
      command: tlogTool('litewitness'),
      args: [
        ...['-name', name, '-db', database, '-ssh-agent', socket],
        ...['-listen', `127.0.0.1:${port}`, '-key', fingerprint],
      ],
      env: {},
      cwd: dir,
      log: logs[1],
    });
    const url = `http://127.0.0.1:${port}`;
    for (;;) {
      if (witness.exit !== undefined) throw new Error(`litewitness ended: ${logs[1].tail().join('\n')}`);
      const page = await fetch(url)
        .then((answer) => answer.text())
        .catch(() => '');
      // Its page has entities in place of "+".
      const vkey = page.replaceAll('&#43;', '+').match(/^\S+\+[0-9a-f]{8}\+\S+$/m)?.[0];
      if (vkey !== undefined) return new LiteWitness(url, vkey, [witness, agent], logs);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.children) await child.stop(GRACE_MS);
    for (const log of this.logs) log.close();
  }
}
