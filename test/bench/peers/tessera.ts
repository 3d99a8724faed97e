import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, guardFolder, releaseFolder, userCache } from '#dev/devstack';
import { workTree } from '#dev/testing';
import { type Peer } from './peer';

const SOURCES = ['go.mod', 'go.sum', 'main.go'];
const NAME = 'bench.test/log';
/** Type of an Ed25519 key in a note (c2sp.org/signed-note). */
const ED25519 = 1;
const START_MS = 20_000;

/** Tessera's POSIX driver behind plain HTTP: entries in tiles, only tree heads are signed; an answer is an index. */
export const TESSERA: Peer = {
  name: 'Tessera POSIX, plain HTTP',
  missing: () =>
    existsSync(program())
      ? null
      : 'Tessera is not installed (scripts/install-bench-peers.sh builds it with Go)',
  async start() {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-bench-tessera-'));
    guardFolder(dir);
    const port = await freePort();
    const child = spawn(program(), ['--dir', join(dir, 'log'), '--listen', `127.0.0.1:${port}`], {
      env: { LOG_PRIVATE_KEY: privateNoteKey() },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const ended = once(child, 'exit');
    const url = `http://127.0.0.1:${port}`;
    for (const until = performance.now() + START_MS; ; await delay(20)) {
      if (await answers(`${url}/checkpoint`)) break;
      if (child.exitCode !== null || performance.now() > until) throw new Error('Tessera did not start');
    }
    return {
      pid: child.pid ?? 0,
      url,
      tls: null,
      workload: { kind: 'tessera' },
      async stop() {
        child.kill('SIGKILL');
        await ended;
        await rm(dir, { recursive: true, force: true });
        releaseFolder(dir);
      },
    };
  },
};

function program(): string {
  const sources = SOURCES.map((file) => readFileSync(join(workTree(), 'test/bench/peers/tessera', file)));
  const digest = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12);
  return join(userCache(), `tessera-${digest}`, 'tessera');
}

/** A new key in the form that golang.org/x/mod/sumdb/note takes. */
function privateNoteKey(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = (value: string | undefined): Buffer => Buffer.from(value ?? '', 'base64url');
  const { d } = privateKey.export({ format: 'jwk' });
  const { x } = publicKey.export({ format: 'jwk' });
  const digest = createHash('sha256')
    .update(`${NAME}\n`)
    .update(Buffer.of(ED25519))
    .update(raw(x))
    .digest('hex');
  return `PRIVATE+KEY+${NAME}+${digest.slice(0, 8)}+${Buffer.concat([Buffer.of(ED25519), raw(d)]).toString('base64')}`;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
