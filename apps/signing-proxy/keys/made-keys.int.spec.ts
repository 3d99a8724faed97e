import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { FileMadeKeys } from './file-made-keys';
import { type MadeKey, type MadeKeys } from './made-keys';
import { openMadeKeys } from './open-made-keys';
import { PostgresMadeKeys } from './postgres-made-keys';

const ORIGIN = 'kernel.example.com/made';
const KEY: MadeKey = {
  kid: 'a2',
  purposes: ['audit', 'manifest'],
  publicKeyPem: null,
  madeBy: 'kernel',
  madeAt: '2026-02-01T10:00:00.000Z',
};

const postgres = withPostgres();

describe.each(['file', 'postgres'] as const)('the list of made keys in %s', (kind) => {
  let dir: string;
  let database: TestDatabase | undefined;
  const opened: MadeKeys[] = [];
  const open = async (): Promise<MadeKeys> => {
    const list =
      kind === 'file'
        ? new FileMadeKeys(join(dir, 'marks'))
        : await PostgresMadeKeys.open(database?.ownerUrl ?? '', ORIGIN, true);
    if (list === undefined) throw new Error('there is no list');
    opened.push(list);
    return list;
  };
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'made-keys-'));
    if (kind === 'postgres') database = await postgres().createDatabase();
  });
  afterEach(async () => {
    for (const list of opened.splice(0)) await list.close();
    await database?.drop();
    database = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  it('is there after a restart, in the order in which keys were begun', async () => {
    const list = await open();
    expect(await list.all()).toEqual([]);
    await list.begin(KEY);
    await list.begin({ ...KEY, kid: 'a1', madeAt: '2026-02-02T10:00:00.000Z' });
    await list.complete('a2', 'pem');
    await list.close();
    expect(await (await open()).all()).toEqual([
      { ...KEY, publicKeyPem: 'pem' },
      { ...KEY, kid: 'a1', madeAt: '2026-02-02T10:00:00.000Z' },
    ]);
  });

  if (kind === 'file') {
    it('says which file cannot be understood', async () => {
      const list = await open();
      await list.begin(KEY);
      await writeFile(join(dir, 'marks', 'made-keys.json'), '{"v":1,"keys":[{"kid":"../x"}]}');
      await expect(list.all()).rejects.toMatchObject({
        code: 'signing_unavailable',
        message: expect.stringContaining('made-keys.json'),
      });
    });
    return;
  }

  it('lets one process at a time make keys, and gives way when it failed', async () => {
    const [one, other] = [await open(), await open()];
    const order: string[] = [];
    const inside = Promise.withResolvers<void>();
    const first = one.exclusively(async () => {
      inside.resolve();
      await other.begin(KEY);
      order.push('first');
      throw new Error('broke off');
    });
    await inside.promise;
    const second = other.exclusively(async () => {
      order.push('second');
      return other.all();
    });
    await expect(first).rejects.toThrow('broke off');
    expect(await second).toEqual([KEY]);
    expect(order).toEqual(['first', 'second']);
  });

  it('is made when somebody may make keys, and not otherwise', async () => {
    const url = database?.ownerUrl ?? '';
    const settings = { signingMarksDir: undefined, signingMarksDatabaseUrl: url, origin: ORIGIN };
    expect(await openMadeKeys({ ...settings, signingKeyMakers: [] })).toBeUndefined();
    const lists = await Promise.all(
      Array.from({ length: 4 }, () => openMadeKeys({ ...settings, signingKeyMakers: ['kernel'] })),
    );
    for (const list of lists) await list?.close();
    const later = await openMadeKeys({ ...settings, signingKeyMakers: [] });
    expect(await later?.all()).toEqual([]);
    await later?.close();
    await expect(
      openMadeKeys({ ...settings, signingMarksDatabaseUrl: undefined, signingKeyMakers: ['kernel'] }),
    ).rejects.toMatchObject({
      code: 'misconfigured',
      message: expect.stringContaining('KERNEL_SIGNING_MARKS_DIR'),
    });
  });
});
