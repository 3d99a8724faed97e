import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevelopmentCa } from '#dev/devstack';
import { TestCa } from '#dev/testing';
import { certificatesIn, whyNotInForce } from '#platform/process';
import { readRevocationLists, RevocationLists, revocationListFile } from './revocation-lists';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('revocation lists', () => {
  let dir: string;
  let ca: DevelopmentCa;
  let pem: Buffer;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'revocation-lists-'));
    ca = await DevelopmentCa.open(join(dir, 'ca'));
    await ca.revoke(await ca.ensure({ name: 'bad', commonName: 'bad', usage: 'client' }));
    pem = await readFile(ca.crlFile);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const der = async (name: string, from = ca): Promise<Uint8Array> => {
    const { cert } = await from.ensure({ name, commonName: name, usage: 'client' });
    return certificatesIn(await readFile(cert))[0]?.raw ?? new Uint8Array();
  };

  it('name a certificate by its issuer and serial number', async () => {
    const lists = new RevocationLists(pem);
    expect(lists.revokes(await der('bad'))).toBe(true);
    expect(lists.revokes(await der('good'))).toBe(false);
    const other = await TestCa.create('another CA');
    expect(lists.revokes((await other.issueClient('bad')).der)).toBe(false);
  });

  it('have to cover every authority, of its own key', async () => {
    const authority = await readFile(ca.certFile);
    expect(readRevocationLists({ ca: authority, crl: pem })).toHaveLength(1);
    const other = await TestCa.create('another CA');
    const both = Buffer.concat([authority, Buffer.from(other.cert)]);
    expect(() => readRevocationLists({ ca: both, crl: pem })).toThrow('no revocation list of CN=another CA');
    // The same name and another key.
    const next = await DevelopmentCa.open(join(dir, 'next'));
    const renewed = await readFile(next.certFile);
    expect(() => readRevocationLists({ ca: renewed, crl: pem })).toThrow(
      'no revocation list of CN=Illuvrse Kernel development CA',
    );
  });

  it('are not asked for where none are set', async () => {
    expect(readRevocationLists({ ca: await readFile(ca.certFile), crl: undefined })).toEqual([]);
  });

  it('are refused as a setting when they are none, or have ended', async () => {
    const setting = revocationListFile();
    expect(setting.safeParse(ca.crlFile).success).toBe(true);
    const none = join(dir, 'none.pem');
    await writeFile(none, 'no list');
    expect(setting.safeParse(none).success).toBe(false);
    expect(setting.safeParse(ca.certFile).success).toBe(false);
    expect(setting.safeParse(join(dir, 'missing.pem')).success).toBe(false);
    const past = await DevelopmentCa.open(join(dir, 'past'), () => new Date(Date.now() - 3651 * DAY_MS));
    expect(setting.safeParse(past.crlFile).success).toBe(false);
    const [list] = new RevocationLists(await readFile(past.crlFile)).validities();
    expect(list && whyNotInForce(list, Date.now())).toMatch(/^the revocation list of CN=.* expired on/);
  });
});
