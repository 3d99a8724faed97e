import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importPublicKey, verifyEd25519 } from '#libs/evidence';
import { describeWithSoftHsm } from '#libs/testing';
import { Pkcs11Backend } from './pkcs11/pkcs11.backend';
import { provisionSoftHsm } from './pkcs11/provision-softhsm';
import { type SigningBackend } from './signing-backend';
import { SoftwareBackend } from './software/software.backend';

const AUDIT = 'behaviour-audit-v1';
const MANIFEST = 'behaviour-manifest-v1';

/** What every backend has to do, run against each. */
function behavesAsBackend(name: string, open: (dir: string) => Promise<SigningBackend>): void {
  let dir: string;
  let backend: SigningBackend;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), `backend-${name}-`));
    backend = await open(dir);
  });
  afterAll(async () => {
    await backend?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('tells of its keys everything but the keys', () => {
    expect(backend.keys()).toEqual(
      [AUDIT, MANIFEST].map((kid) => ({
        kid,
        keyVersion: '1',
        algorithm: 'ed25519',
        publicKeyPem: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----\n/),
        purposes: [kid === AUDIT ? 'audit' : 'manifest'],
        backend: name,
        protection: name === 'software' ? 'software' : 'softhsm',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })),
    );
  });

  it.each([1, 2, 15, 16, 17, 100, 512])(
    'signs a batch of %i in order, each with the key that was named',
    async (size) => {
      const messages = Array.from({ length: size }, (_, n) => new TextEncoder().encode(`message ${n}`));
      for (const { kid, publicKeyPem } of backend.keys()) {
        const key = importPublicKey(publicKeyPem);
        const signatures = await backend.sign(kid, messages);
        expect(signatures).toHaveLength(size);
        const wrong = messages.findIndex(
          (message, n) => !verifyEd25519(key, message, signatures[n] ?? new Uint8Array()),
        );
        expect(wrong).toBe(-1);
      }
    },
  );

  it('signs 4,096 bytes', async () => {
    const message = new Uint8Array(4096).fill(0xff);
    const [signature] = await backend.sign(AUDIT, [message]);
    expect(
      verifyEd25519(importPublicKey(backend.keys()[0]?.publicKeyPem ?? ''), message, signature ?? message),
    ).toBe(true);
  });

  it('keeps many batches at once apart', async () => {
    const key = importPublicKey(backend.keys()[0]?.publicKeyPem ?? '');
    await Promise.all(
      Array.from({ length: 20 }, async (_, batch) => {
        const messages = Array.from({ length: 1 + (batch % 7) }, (__, n) => Buffer.from(`${batch}/${n}`));
        const signatures = await backend.sign(AUDIT, messages);
        messages.forEach((message, n) =>
          expect(verifyEd25519(key, message, signatures[n] ?? message)).toBe(true),
        );
      }),
    );
  });

  it('does not know other keys', async () => {
    await expect(backend.sign('other', [Buffer.from('x')])).rejects.toMatchObject({ code: 'unknown_key' });
  });

  it('is healthy', async () => {
    expect(await backend.health()).toMatchObject({ ok: true });
  });

  it('has the same keys when it is opened again', async () => {
    const again = await open(dir);
    try {
      expect(again.keys()).toEqual(backend.keys());
    } finally {
      await again.close();
    }
  });

  it('refuses to sign once it is closed', async () => {
    const other = await open(dir);
    await other.close();
    await expect(other.sign(AUDIT, [Buffer.from('x')])).rejects.toMatchObject({ code: 'closed' });
    expect(await other.health()).toMatchObject({ ok: false });
  });
}

describe('software backend', () => {
  behavesAsBackend('software', (dir) =>
    SoftwareBackend.open({
      dir: join(dir, 'keys'),
      keys: [
        { kid: AUDIT, purposes: ['audit'] },
        { kid: MANIFEST, purposes: ['manifest'] },
      ],
      production: false,
    }),
  );
});

describeWithSoftHsm('pkcs11 backend on SoftHSM', () => {
  behavesAsBackend('pkcs11', async (dir) =>
    Pkcs11Backend.open(
      await provisionSoftHsm({
        dir: join(dir, 'token'),
        keys: [
          { kid: AUDIT, purpose: 'audit' },
          { kid: MANIFEST, purpose: 'manifest' },
        ],
      }),
    ),
  );
});
