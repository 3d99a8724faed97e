import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { importPublicKey, verifyEd25519 } from '#evidence';
import { Pkcs11Backend, provisionSoftHsm, type SigningProxyClient } from '#platform/signer';
import { describeWithSoftHsm } from '#dev/testing';
import {
  AUDIT,
  auditInput,
  MANIFEST,
  manifestInput,
  type ProxyFixture,
  startProxyFixture,
} from './proxy.fixture';

/** The client of libs/platform/signer and this proxy, over real TLS. */
function signsTogether(fixtureOf: () => ProxyFixture): void {
  const keyOf = (kid: string) =>
    importPublicKey(
      fixtureOf()
        .backend.keys()
        .find((key) => key.kid === kid)?.publicKeyPem ?? '',
    );

  it('signs what concurrent callers want, each its own', async () => {
    const client = fixtureOf().client();
    const audit = keyOf(AUDIT);
    const manifest = keyOf(MANIFEST);
    await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const event = auditInput(n + 1);
        const [first, second] = await client.sign([
          { purpose: 'audit-event', kid: AUDIT, input: event },
          { purpose: 'manifest', kid: MANIFEST, input: manifestInput() },
        ]);
        expect(verifyEd25519(audit, event, Buffer.from(first?.signature ?? '', 'base64'))).toBe(true);
        expect(verifyEd25519(manifest, manifestInput(), Buffer.from(second?.signature ?? '', 'base64'))).toBe(
          true,
        );
      }),
    );
  });

  it('signs 1,000 events for one caller', async () => {
    const client = fixtureOf().client();
    const inputs = Array.from({ length: 1_000 }, (_, n) => auditInput(n + 1));
    const signatures = await client.sign(
      inputs.map((input) => ({ purpose: 'audit-event', kid: AUDIT, input })),
    );
    const wrong = inputs.findIndex(
      (input, n) =>
        !verifyEd25519(keyOf(AUDIT), input, Buffer.from(signatures[n]?.signature ?? '', 'base64')),
    );
    expect(wrong).toBe(-1);
  });

  it('fails a caller with a bad input and nobody else', async () => {
    const client = fixtureOf().client();
    const good = Array.from({ length: 10 }, (_, n) =>
      client.sign([{ purpose: 'audit-event', kid: AUDIT, input: auditInput(n + 1) }]),
    );
    const bad = client.sign([{ purpose: 'audit-event', kid: AUDIT, input: Buffer.from('attack at dawn') }]);
    const unknown = client.sign([{ purpose: 'audit-event', kid: 'nobody', input: auditInput() }]);
    await expect(bad).rejects.toMatchObject({
      code: 'signing_refused',
      details: { error: 'input_not_of_purpose', index: 0 },
    });
    await expect(unknown).rejects.toMatchObject({ code: 'unknown_key' });
    for (const signatures of await Promise.all(good)) expect(signatures).toHaveLength(1);
  });

  it('reads keys and health', async () => {
    const client = fixtureOf().client();
    expect(await client.keys()).toEqual(fixtureOf().backend.keys());
    expect(await client.health()).toMatchObject({ ok: true });
  });

  it('is unavailable while the proxy is down and goes on when it is back, all under load', async () => {
    const fixture = fixtureOf();
    const client = fixture.client();
    const key = keyOf(AUDIT);
    const outcomes = { signed: 0, unavailable: 0 };
    let stop = false;
    const call = async (client: SigningProxyClient, n: number): Promise<void> => {
      const input = auditInput(n + 1);
      try {
        const [signed] = await client.sign([{ purpose: 'audit-event', kid: AUDIT, input }]);
        expect(verifyEd25519(key, input, Buffer.from(signed?.signature ?? '', 'base64'))).toBe(true);
        outcomes.signed++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'signing_unavailable' });
        outcomes.unavailable++;
        await sleep(5);
      }
    };
    const load = Promise.all(
      Array.from({ length: 20 }, async (_, worker) => {
        for (let n = 0; !stop; n++) await call(client, worker * 100_000 + n);
      }),
    );
    for (let round = 0; round < 2; round++) {
      const signed = outcomes.signed;
      while (outcomes.signed < signed + 50) await sleep(1);
      const restart = await fixture.crash();
      const unavailable = outcomes.unavailable;
      while (outcomes.unavailable < unavailable + 50) await sleep(1);
      await restart();
    }
    const signed = outcomes.signed;
    while (outcomes.signed < signed + 50) await sleep(1);
    stop = true;
    await load;
  });
}

describe('client and proxy with keys in files', () => {
  let fixture: ProxyFixture;
  beforeAll(async () => {
    fixture = await startProxyFixture();
  });
  afterAll(() => fixture.stop());
  signsTogether(() => fixture);
});

describeWithSoftHsm('client and proxy with SoftHSM', () => {
  let fixture: ProxyFixture;
  beforeAll(async () => {
    fixture = await startProxyFixture({
      open: async (dir) =>
        Pkcs11Backend.open(
          await provisionSoftHsm({
            dir: join(dir, 'token'),
            keys: [
              { kid: AUDIT, purpose: 'audit' },
              { kid: MANIFEST, purpose: 'manifest' },
            ],
          }),
        ),
    });
  });
  afterAll(() => fixture.stop());
  signsTogether(() => fixture);
});
