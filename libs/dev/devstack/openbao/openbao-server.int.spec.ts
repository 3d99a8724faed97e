import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeWithOpenBao } from '#dev/testing';
import { OpenBaoApi } from './openbao-api';
import { type OpenBaoServer, startOpenBao } from './openbao-server';
import { provisionTransit } from './provision-transit';
import { DevelopmentCa } from '../certificates/development-ca';

describeWithOpenBao('the OpenBao server', () => {
  let base: string;
  let ca: DevelopmentCa;
  const started: OpenBaoServer[] = [];
  const start = async (options: { port?: number; restart?: boolean } = {}): Promise<OpenBaoServer> => {
    const server = await startOpenBao({ dir: join(base, 'openbao'), ca, throwaway: true, ...options });
    started.push(server);
    return server;
  };
  const publicKey = async (server: OpenBaoServer, kid: string): Promise<string | undefined> => {
    const { data } = (await server.ask('GET', `transit/keys/${kid}`)) as {
      data: { keys: Record<string, { public_key: string }> };
    };
    return data.keys['1']?.public_key;
  };

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'openbao server-'));
    ca = await DevelopmentCa.open(join(base, 'identities'));
  });
  afterEach(() => Promise.all(started.splice(0).map((server) => server.stop())));
  afterAll(() => rm(base, { recursive: true, force: true }));

  it('keeps its keys over a crash, a stop and another port, and lets nobody else read what opens them', async () => {
    const server = await start();
    await provisionTransit(server, { ca, kids: ['one'] });
    const key = await publicKey(server, 'one');
    expect(key).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    const { pid } = server;
    await server.kill();
    // It comes back by itself, unsealed.
    while (server.pid === undefined || server.pid === pid) await delay(20);
    while ((await publicKey(server, 'one').catch(() => undefined)) === undefined) await delay(20);
    await server.stop();

    const again = await start();
    await provisionTransit(again, { ca, kids: ['one', 'two'] });
    expect(await publicKey(again, 'one')).toBe(key);
    expect(await publicKey(again, 'two')).not.toBe(key);
    const dir = join(base, 'openbao');
    expect((await stat(join(dir, 'data'))).mode & 0o777).toBe(0o700);
    for (const name of await readdir(dir)) {
      if (name !== 'data') expect([name, (await stat(join(dir, name))).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it('answers 503 while it is sealed', async () => {
    const server = await start({ restart: false });
    const api = new OpenBaoApi(server.address, await readFile(server.caFile, 'utf8'));
    await server.seal();
    expect(await api.send('GET', 'sys/mounts')).toMatchObject({ status: 503, why: 'Vault is sealed' });
    await server.unseal();
    expect(await api.send('GET', 'sys/mounts')).toMatchObject({ status: 403 });
  });

  it('says what is missing instead of making new keys in the place of lost ones', async () => {
    const [data, secrets] = [join(base, 'openbao', 'data'), join(base, 'openbao', 'unseal.json')];
    for (const [path, sentence] of [
      [secrets, /unseal\.json is missing, without which nobody can unseal the keys/],
      [data, /data is empty, but there was a storage/],
    ] as const) {
      await rename(path, `${path}.away`);
      await expect(start()).rejects.toMatchObject({
        code: 'state_broken',
        message: expect.stringMatching(sentence),
      });
      await rm(path, { recursive: true, force: true });
      await rename(`${path}.away`, path);
    }
  });

  it('names a port that is taken', async () => {
    const server = await start();
    const other = startOpenBao({ dir: join(base, 'other'), ca, port: server.port, throwaway: true });
    await expect(other).rejects.toMatchObject({
      code: 'port_in_use',
      message: expect.stringContaining(`Port ${server.port} (OpenBao) is already in use`),
    });
  });
});
