import { setTimeout as sleep } from 'node:timers/promises';
import { request, Agent } from 'undici';
import {
  auditSigningInput,
  ChainVerifier,
  dssePae,
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  genesisHash,
  headsPayload,
  type JsonObject,
  importPublicKey,
  MANIFEST_PAYLOAD_TYPE,
  manifestStatement,
  sealEvent,
  type SignerEntry,
  verifyEd25519,
} from '#evidence';
import { createLogger } from '#platform/process';
import {
  type KeyInfo,
  MAX_SIGNING_INPUT_BYTES,
  SIGNING_PURPOSES,
  type SigningBackend,
} from '#platform/signer';
import { describeWithOpenBao, describeWithSoftHsm, TestCa } from '#dev/testing';
import { type RunningSigningProxy, startSigningProxy } from '../../apps/signing-proxy/start-signing-proxy';
import {
  AUDIT,
  type BackendSubject,
  KEYS,
  MANIFEST,
  ORIGIN,
  startSubject,
  SUBJECTS,
  type SubjectName,
} from './backend-subjects';

/** A refusal is due to a deadline, not chance, however busy the machine is; test/faults shows the promised 2 s. */
const BOUNDED_MS = 15_000;

const auditInput = (seq: number): Uint8Array =>
  auditSigningInput({ origin: ORIGIN, shard: 0, seq, hash: 'ab'.repeat(32) });
const auditInputs = (count: number, from = 1): Uint8Array[] =>
  Array.from({ length: count }, (_, n) => auditInput(from + n));

/** Signing input of a manifest with names of this many bytes; a name has up to 255 characters, here of three bytes. */
function manifestInput(names: {
  id: number;
  version: number;
  kind: number;
  requestedBy: number;
}): Uint8Array {
  const name = (bytes: number): string => '\u20ac'.repeat(Math.floor(bytes / 3)) + 'x'.repeat(bytes % 3);
  return dssePae(
    MANIFEST_PAYLOAD_TYPE,
    manifestStatement({
      manifestId: name(names.id),
      version: name(names.version),
      kind: name(names.kind),
      origin: ORIGIN,
      signedAt: '2026-01-31T10:00:00.000Z',
      requestedBy: name(names.requestedBy),
      division: null,
      auditSeqAfter: '0:41',
      sha256: 'cd'.repeat(32),
    }),
  );
}

/** The largest input that may be signed. */
function largestInput(): Uint8Array {
  const names = { id: 480, version: 760, kind: 760, requestedBy: 760 };
  const short = MAX_SIGNING_INPUT_BYTES - manifestInput(names).length;
  // The id occurs twice.
  const id = names.id + Math.floor(short / 2);
  const input = manifestInput({ ...names, id, kind: names.kind + (short % 2) });
  if (input.length !== MAX_SIGNING_INPUT_BYTES) throw new Error(`the input has ${input.length} bytes`);
  return input;
}

function entryOf({ kid, publicKeyPem, purposes }: KeyInfo): SignerEntry {
  return {
    signer_kid: kid,
    algorithm: 'ed25519',
    public_key_pem: publicKeyPem,
    deployedAt: '2026-01-01T00:00:00.000Z',
    description: '',
    purposes,
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
  };
}

function keyOf(backend: SigningBackend, kid: string): KeyInfo {
  const info = backend.keys().find((key) => key.kid === kid);
  if (!info) throw new Error(`there is no key ${kid}`);
  return info;
}

function behaves(subject: () => BackendSubject): void {
  let backend: SigningBackend;
  beforeAll(async () => {
    backend = await subject().open();
  });
  afterAll(() => backend?.close());

  it('tells of its keys everything but the keys', () => {
    const { name, protection } = subject();
    expect(backend.keys()).toEqual(
      KEYS.map(({ kid, purposes }) => ({
        kid,
        keyVersion: expect.stringMatching(/^.+$/),
        algorithm: 'ed25519',
        publicKeyPem: expect.stringMatching(/^-----BEGIN PUBLIC KEY-----\n/),
        purposes,
        backend: name,
        protection,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })),
    );
  });

  it.each([1, 2, 15, 17, 100, 512])('signs a batch of %i in order', async (size) => {
    const inputs = auditInputs(size);
    const key = importPublicKey(keyOf(backend, AUDIT).publicKeyPem);
    const signatures = await backend.sign(AUDIT, inputs);
    expect(signatures).toHaveLength(size);
    const wrong = inputs.findIndex(
      (input, n) => !verifyEd25519(key, input, signatures[n] ?? new Uint8Array()),
    );
    expect(wrong).toBe(-1);
  });

  it('signs each input with the key that was named', async () => {
    const input = manifestInput({ id: 9, version: 5, kind: 5, requestedBy: 30 });
    const [signature = new Uint8Array()] = await backend.sign(MANIFEST, [input]);
    const by = KEYS.filter(({ kid }) =>
      verifyEd25519(importPublicKey(keyOf(backend, kid).publicKeyPem), input, signature),
    );
    expect(by.map(({ kid }) => kid)).toEqual([MANIFEST]);
  });

  it('signs an event that the verifier accepts', async () => {
    const info = keyOf(backend, AUDIT);
    const lines: Uint8Array[] = [];
    const record = async (type: string, stream: string, payload: JsonObject, prevHash: string) => {
      const seq = lines.length + 1;
      const sealed = sealEvent(
        {
          v: 1,
          id: `0198f4c2-1b2a-7000-8000-00000000000${seq}`,
          shard: 0,
          seq,
          ts: '2026-01-31T10:00:00.000Z',
          type,
          stream,
          streamVersion: 1,
          actor: { id: 'kernel', kind: 'system', roles: [] },
          payload,
          correlationId: null,
          causationId: null,
          signerKid: info.kid,
          prevHash,
        },
        ORIGIN,
      );
      const [signature] = await backend.sign(info.kid, [sealed.signingInput]);
      const { event, bytes } = sealed.finish(Buffer.from(signature ?? []).toString('base64'));
      lines.push(bytes);
      return event;
    };
    const founding = foundingPayload({ origin: ORIGIN, shards: 1, approverPool: null });
    const { hash } = await record(FOUNDING_TYPE, FOUNDING_STREAM, founding, genesisHash(ORIGIN, 0));
    const heads = headsPayload([{ shard: 0, seq: 1, hash }]);
    const added = { signer: { ...entryOf(info) }, heads };
    await record('signer.added', `signer/${info.kid}`, added, hash);
    const faults = (signers: SignerEntry[]) => {
      const verifier = new ChainVerifier({ origin: ORIGIN, signers });
      return [...lines.flatMap((line) => [...verifier.accept(line)]), ...verifier.finish()];
    };
    expect(faults([entryOf(info)])).toEqual([]);
    // The same verifier refuses it with another backend's key under the name.
    expect(faults([entryOf({ ...keyOf(backend, MANIFEST), kid: info.kid })])).not.toEqual([]);
  });

  it('makes keys, or says who does', async () => {
    const open = await subject().open();
    const kid = 'backend-audit-v2';
    const wanted = { kid, purposes: ['audit' as const] };
    const { maker } = open;
    if (typeof maker !== 'object') {
      expect(maker).toMatch(
        /^Keys .* are made by .*, and named in KERNEL_SIGNING_KEYS|^Keys .* are made by .* KERNEL_SIGNING_KEYS/,
      );
      expect(['aws-kms', 'proxy']).toContain(open.name);
      return open.close();
    }
    const other = await subject().open();
    try {
      expect([await maker.has(AUDIT), await maker.has(kid)]).toEqual([true, false]);
      await expect(
        maker.take({ ...wanted, publicKeyPem: keyOf(open, AUDIT).publicKeyPem }),
      ).rejects.toMatchObject({ code: 'unknown_key' });
      expect(open.keys()).toHaveLength(KEYS.length);
      const key = await maker.make(wanted);
      expect(key).toMatchObject({ kid, purposes: ['audit'], protection: subject().protection });
      expect(await maker.make(wanted)).toEqual(key);
      await expect(maker.make({ kid, purposes: ['audit', 'manifest'] })).rejects.toMatchObject({
        code: 'key_exists',
      });
      expect(open.keys().map((one) => one.kid)).toEqual([...KEYS.map((one) => one.kid), kid]);
      expect(await maker.has(kid)).toBe(true);

      // Another process of the proxy opens the same key, and both sign alike in any of their sessions.
      if (typeof other.maker !== 'object') throw new Error('the other makes no keys');
      await expect(other.sign(kid, auditInputs(1))).rejects.toMatchObject({ code: 'unknown_key' });
      const strange = { ...wanted, publicKeyPem: keyOf(open, AUDIT).publicKeyPem };
      await expect(other.maker.take(strange)).rejects.toMatchObject({ code: 'key_refused' });
      expect(other.keys()).toHaveLength(KEYS.length);
      expect(await other.maker.take({ ...wanted, publicKeyPem: key.publicKeyPem })).toEqual(key);
      const inputs = auditInputs(64);
      const publicKey = importPublicKey(key.publicKeyPem);
      for (const backend of [open, other]) {
        const signatures = await backend.sign(kid, inputs);
        expect(inputs.every((input, n) => verifyEd25519(publicKey, input, signatures[n] as Uint8Array))).toBe(
          true,
        );
        expect(await backend.health()).toMatchObject({ ok: true });
      }
    } finally {
      await open.close();
      await other.close();
    }
  });

  it('gives the same signature for the same input', async () => {
    const [first, second] = [
      await backend.sign(AUDIT, auditInputs(1)),
      await backend.sign(AUDIT, auditInputs(1)),
    ];
    expect(first.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(
      second.map((bytes) => Buffer.from(bytes).toString('hex')),
    );
  });

  it('signs the largest input there is, 4,096 bytes', async () => {
    const input = largestInput();
    const [signature] = await backend.sign(MANIFEST, [input]);
    expect(
      verifyEd25519(importPublicKey(keyOf(backend, MANIFEST).publicKeyPem), input, signature ?? input),
    ).toBe(true);
  });

  it('has nothing larger to sign for an event, whatever its size: the input holds its hash', () => {
    const origin = 'o'.repeat(255);
    const input = auditSigningInput({
      origin,
      shard: 255,
      seq: Number.MAX_SAFE_INTEGER,
      hash: 'ab'.repeat(32),
    });
    expect(input.length).toBeLessThan(512);
  });

  it('keeps many batches at once apart', async () => {
    const key = importPublicKey(keyOf(backend, AUDIT).publicKeyPem);
    await Promise.all(
      Array.from({ length: 20 }, async (_, batch) => {
        const inputs = auditInputs(1 + (batch % 7), 1 + batch * 100);
        const signatures = await backend.sign(AUDIT, inputs);
        inputs.forEach((input, n) => expect(verifyEd25519(key, input, signatures[n] ?? input)).toBe(true));
      }),
    );
  });

  it('does not know other keys', async () => {
    await expect(backend.sign('other', auditInputs(1))).rejects.toMatchObject({ code: 'unknown_key' });
  });

  it('is healthy', async () => {
    expect(await backend.health()).toMatchObject({ ok: true });
  });

  it('has the same keys when it is opened again, and refuses to sign once it is closed', async () => {
    const again = await subject().open();
    expect(again.keys()).toEqual(backend.keys());
    await again.close();
    await expect(again.sign(AUDIT, auditInputs(1))).rejects.toMatchObject({ code: 'closed' });
    expect(await again.health()).toMatchObject({ ok: false });
  });
}

/** A signing proxy in front of the backend, called as the kernel calls it. */
class Front {
  private constructor(
    readonly backend: SigningBackend,
    private readonly proxy: RunningSigningProxy,
    private readonly agent: Agent,
  ) {}

  static async start(backend: SigningBackend): Promise<Front> {
    const ca = await TestCa.create();
    const server = await ca.issueServer();
    const client = await ca.issueClient('kernel');
    const proxy = await startSigningProxy({
      origin: ORIGIN,
      shards: 1,
      clients: [{ cn: 'kernel', purposes: [...SIGNING_PURPOSES] }],
      backends: [backend],
      logger: createLogger({ app: 'front', level: 'silent' }),
      host: '127.0.0.1',
      port: 0,
      tls: { cert: server.cert, key: server.key, ca: ca.cert },
      management: { host: '127.0.0.1', port: 0 },
      // Opens soon, and closes when a health check succeeds: there are many troubles to go through.
      guard: { timeoutMs: 800, failuresToOpen: 3, openMs: 60_000, longestOpenMs: 60_000 },
    });
    const agent = new Agent({ connect: { ca: ca.cert, cert: client.cert, key: client.key } });
    return new Front(backend, proxy, agent);
  }

  async sign(count: number): Promise<{ status: number; body: Record<string, unknown>; retryAfter: unknown }> {
    const requests = auditInputs(count).map((input) => ({
      purpose: 'audit-event',
      kid: AUDIT,
      input: Buffer.from(input).toString('base64'),
    }));
    const response = await request(`https://localhost:${this.proxy.port}/v1/sign`, {
      dispatcher: this.agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ requests }),
    });
    const body = (await response.body.json()) as Record<string, unknown>;
    return { status: response.statusCode, body, retryAfter: response.headers['retry-after'] };
  }

  async metrics(): Promise<string> {
    const response = await request(`http://127.0.0.1:${this.proxy.managementPort}/metrics`);
    return response.body.text();
  }

  async ready(): Promise<boolean> {
    const response = await request(`http://127.0.0.1:${this.proxy.managementPort}/ready`);
    await response.body.dump();
    return response.statusCode === 200;
  }

  async stop(): Promise<void> {
    await this.agent.destroy();
    await this.proxy.close();
  }
}

function refusesInTrouble(subject: () => BackendSubject, troubles: readonly string[]): void {
  let front: Front;
  beforeAll(async () => {
    front = await Front.start(await subject().open());
  });
  afterAll(() => front?.stop());

  it.each(troubles)('answers 503 and signs nothing when it %s, and signs again afterwards', async (name) => {
    while ((await front.sign(3)).status !== 200) await sleep(50);
    const trouble = subject().troubles[name]?.(front.backend);
    if (!trouble) throw new Error(`there is no trouble "${name}"`);
    await trouble.begin();
    try {
      // Requests sent before the trouble took effect may still be signed; after the first refusal none is.
      while ((await front.sign(3)).status === 200);
      // More than it takes to open the circuit: the first ones wait for their deadline, the others do not.
      for (let round = 0; round < 8; round++) {
        const started = performance.now();
        const { status, body, retryAfter } = await front.sign(3);
        expect({ status, error: body['error'], signatures: body['signatures'], retryAfter }).toEqual({
          status: 503,
          error: 'signing_unavailable',
          signatures: undefined,
          retryAfter: '1',
        });
        expect(performance.now() - started).toBeLessThan(BOUNDED_MS);
      }
      expect(await front.metrics()).toContain(
        `signing_proxy_backend_circuit_open{backend="${subject().name}"} 1`,
      );
    } finally {
      await trouble.end();
    }
    // A successful health check closes the circuit; all callers within half a second share one check.
    while ((await front.sign(3)).status !== 200) {
      await front.ready();
      await sleep(50);
    }
    expect(await front.metrics()).toContain(
      `signing_proxy_backend_circuit_open{backend="${subject().name}"} 0`,
    );
  });
}

/** Listed before anything is started, since tests need their names by then; compared with the actual troubles. */
const TROUBLES: Record<SubjectName, readonly string[]> = {
  software: [],
  pkcs11: ['is killed', 'hangs'],
  'aws-kms': [
    'is killed',
    'hangs',
    'is slow',
    'throttles',
    'fails in the middle of a batch',
    'has its key disabled',
    'has its key awaiting deletion',
  ],
  'vault-transit': [
    'is killed',
    'hangs',
    'is slow',
    'throttles',
    'is sealed',
    'fails in the middle of a batch',
    'takes its policy away',
  ],
  'vault-transit (OpenBao)': [
    'is killed',
    'hangs',
    'is slow',
    'throttles',
    'is sealed',
    'takes its policy away',
    'lets only a newer version sign',
  ],
  proxy: ['is killed'],
};

/** Suites of the subjects that need a program which may be missing. */
const SUITES: Partial<Record<SubjectName, (name: string, suite: () => void) => void>> = {
  pkcs11: describeWithSoftHsm,
  'vault-transit (OpenBao)': describeWithOpenBao,
};

for (const name of SUBJECTS) {
  const suite = SUITES[name] ?? describe;
  suite(`signing backend ${name}`, () => {
    let started: BackendSubject | undefined;
    const subject = (): BackendSubject => {
      if (!started) throw new Error('the backend was not started');
      return started;
    };
    beforeAll(async () => {
      started = await startSubject(name);
    });
    afterAll(() => started?.stop());

    it('has a test for each of its troubles', () => {
      expect(Object.keys(subject().troubles)).toEqual(TROUBLES[name]);
    });
    describe('by itself', () => behaves(subject));
    if (TROUBLES[name].length > 0) {
      describe('behind the signing proxy', () => refusesInTrouble(subject, TROUBLES[name]));
    }
  });
}
