import { createPrivateKey, createPublicKey, randomBytes, sign, type KeyObject } from 'node:crypto';
import {
  auditGroupInput,
  emptyHeads,
  foundingPayload,
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  genesisHash,
  groupTree,
  headsPayload,
  pemOfRawKey,
  sealEvent,
  sha256Hex,
  signerPossessionInput,
  type Actor,
  type AuditEvent,
  type FirstPool,
  type JsonObject,
  type JsonValue,
  type SealedEvent,
  type SignerEntry,
  type SignerPurpose,
  type StatedHead,
  type TrustRoot,
  type UnhashedEvent,
} from '#evidence';

/** PKCS #8 of an Ed25519 private key up to the seed (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** An Ed25519 key for tests, from a seed when it has to be the same every time. */
export class TestSigner {
  readonly seed: Uint8Array;
  readonly privateKey: KeyObject;
  readonly rawPublicKey: Buffer;
  readonly entry: SignerEntry;

  constructor(
    readonly kid: string,
    options: { seed?: Uint8Array; purposes?: SignerPurpose[] } = {},
  ) {
    const seed = options.seed ?? randomBytes(32);
    this.seed = seed;
    this.privateKey = createPrivateKey({
      key: Buffer.concat([PKCS8_PREFIX, seed]),
      format: 'der',
      type: 'pkcs8',
    });
    this.rawPublicKey = createPublicKey(this.privateKey).export({ type: 'spki', format: 'der' }).subarray(12);
    this.entry = {
      signer_kid: kid,
      algorithm: 'ed25519',
      public_key_pem: pemOfRawKey(this.rawPublicKey),
      deployedAt: '2026-01-01T00:00:00.000Z',
      description: `Key ${kid} of a test`,
      purposes: options.purposes ?? ['audit', 'manifest'],
      status: 'active',
      retiredAt: null,
      compromisedAt: null,
    };
  }

  /** The counter-signature with which the key takes the place of another. */
  provePossession(origin: string, replaces: string): string {
    return this.sign(
      signerPossessionInput({
        origin,
        replaces,
        kid: this.kid,
        publicKeySha256: sha256Hex(this.rawPublicKey),
      }),
    );
  }

  /** Base64 Ed25519 signature. */
  sign(input: Uint8Array): string {
    return sign(null, input, this.privateKey).toString('base64');
  }
}

export interface TestEvent extends Partial<Omit<UnhashedEvent, 'v'>> {
  signer?: TestSigner;
}

export interface TestKernel {
  /** How many shards it has; default 1. */
  shards?: number;
  firstPool?: FirstPool | null;
}

const ACTOR: Actor = { id: 'CN=test', kind: 'service', roles: ['Operator'] };
const START = Date.parse('2026-01-31T10:00:00.000Z');

/**
 * Makes valid chains, without a store: each event follows from the ones before. The chain of shard 0 begins with the
 * founding; it makes the chains of the other shards with `beside`, so that signer events can state their heads.
 */
export class EvidenceChain {
  readonly events: AuditEvent[] = [];
  readonly bytes: Uint8Array[] = [];
  readonly shards: number;
  readonly firstPool: FirstPool | null;
  private readonly versions = new Map<string, number>();
  private readonly all: Map<number, EvidenceChain>;

  constructor(
    readonly signer: TestSigner,
    readonly origin = 'kernel.example.com/test',
    readonly shard = 0,
    { shards = shard + 1, firstPool = null }: TestKernel = {},
  ) {
    this.shards = shards;
    this.firstPool = firstPool;
    this.all = new Map([[shard, this]]);
  }

  /** The chain of another shard of the same kernel. */
  beside(shard: number): EvidenceChain {
    const known = this.all.get(shard);
    if (known !== undefined) return known;
    const { shards, firstPool } = this;
    const chain = new EvidenceChain(this.signer, this.origin, shard, { shards, firstPool });
    this.all.set(shard, chain);
    for (const other of this.all.values()) for (const [of, one] of this.all) other.all.set(of, one);
    return chain;
  }

  /** The trust root of a verifier who knows these keys and what the kernel was founded with. */
  trust(...signers: TestSigner[]): TrustRoot {
    const { origin, shards, firstPool } = this;
    return { origin, shards, firstPool, signers: signers.map(({ entry }) => entry) };
  }

  /** Copies of the chains of all shards, which go their own way from here on. */
  fork(): EvidenceChain[] {
    const { signer, origin, shards, firstPool } = this;
    const first = new EvidenceChain(signer, origin, 0, { shards, firstPool });
    for (const [shard, chain] of this.all) {
      const copy = first.beside(shard);
      copy.events.push(...chain.events);
      copy.bytes.push(...chain.bytes);
      for (const [stream, version] of chain.versions) copy.versions.set(stream, version);
    }
    return Array.from({ length: shards }, (_, shard) => first.beside(shard));
  }

  /** Takes back all events but the first ones. */
  cut(length: number): this {
    for (const { stream, streamVersion } of this.events.slice(length).reverse()) {
      this.versions.set(stream, streamVersion - 1);
    }
    this.events.length = Math.min(this.events.length, length);
    this.bytes.length = this.events.length;
    return this;
  }

  /** The head of every shard now. */
  heads(): StatedHead[] {
    return emptyHeads(this.origin, this.shards).map((empty) => {
      const last = this.all.get(empty.shard)?.events.at(-1);
      return last === undefined ? empty : { shard: last.shard, seq: last.seq, hash: last.hash };
    });
  }

  /**
   * The founding: `kernel.founded`, and the first keys, of which this chain's signer signs it all.
   * @param more members that its events have instead of those that follow from the chain
   */
  found(keys: readonly TestSigner[] = [this.signer], more: TestEvent = {}): this {
    const { origin, shards, firstPool: approverPool } = this;
    this.append({
      type: FOUNDING_TYPE,
      stream: FOUNDING_STREAM,
      payload: foundingPayload({ origin, shards, approverPool }),
      ...more,
    });
    for (const { kid, entry } of keys) {
      const payload = { heads: headsPayload(this.heads()), signer: { ...entry } };
      this.append({ type: 'signer.added', stream: `signer/${kid}`, payload, ...more });
    }
    return this;
  }

  /** Appends an event; what is given replaces what would follow from the chain. */
  append(given: TestEvent = {}): AuditEvent {
    return this.appendTogether([given])[0] as AuditEvent;
  }

  /** The same for events that are signed together, by the signer of the first. */
  appendTogether(all: readonly TestEvent[]): AuditEvent[] {
    const signer = all[0]?.signer ?? this.signer;
    const drafts: { seq: number; sealed: SealedEvent }[] = [];
    for (const given of all) drafts.push(this.draft({ ...given, signer }, drafts.at(-1)));
    const first = drafts[0]?.seq ?? 0;
    const { root, paths } = groupTree(drafts.map(({ sealed }) => sealed.hash));
    const { origin, shard } = this;
    const signature = signer.sign(
      auditGroupInput({ origin, shard: all[0]?.shard ?? shard, first, count: all.length, root }),
    );
    return drafts.map(({ sealed }, n) => {
      const group = { first, count: all.length, path: paths[n] ?? [] };
      const { event, bytes } = sealed.finish(signature, group);
      this.events.push(event);
      this.bytes.push(bytes);
      return event;
    });
  }

  /** An event on top of the chain, or of a draft, that is not signed yet. */
  private draft(
    { signer = this.signer, ...given }: TestEvent,
    before: { seq: number; sealed: SealedEvent } | undefined,
  ): { seq: number; sealed: SealedEvent } {
    const head = this.events.at(-1);
    const last = before === undefined ? head : { seq: before.seq, hash: before.sealed.hash };
    const seq = given.seq ?? (last?.seq ?? 0) + 1;
    const stream = given.stream ?? `thing/${seq % 7}`;
    const streamVersion = given.streamVersion ?? (this.versions.get(stream) ?? 0) + 1;
    this.versions.set(stream, streamVersion);
    const at = START + seq * 1_000;
    const sealed = sealEvent(
      {
        v: 1,
        id: uuidV7(at, this.shard, seq),
        shard: this.shard,
        seq,
        ts: new Date(at).toISOString(),
        type: 'thing.happened',
        stream,
        streamVersion,
        actor: ACTOR,
        payload: { n: seq, text: `event ${seq}` },
        correlationId: null,
        causationId: null,
        signerKid: signer.kid,
        prevHash: last?.hash ?? genesisHash(this.origin, this.shard),
        ...given,
      },
      this.origin,
    );
    return { seq, sealed };
  }

  appendMany(count: number): this {
    for (let i = 0; i < count; i++) this.append();
    return this;
  }

  /** The event with which a registered key adds another, or one of the first ones in a founding. */
  addSigner(added: TestSigner = this.signer, by: TestSigner = this.signer): AuditEvent {
    return this.registry('signer.added', added.kid, { signer: added.entry as unknown as JsonValue }, by);
  }

  rotateSigner(from: TestSigner, to: TestSigner, by: TestSigner = from): AuditEvent {
    return this.registry('signer.rotated', from.kid, this.replacement(from, to), by);
  }

  /** Ends a key that a thief may have; the one in its place signs from the next event on. */
  emergencySigner(lost: TestSigner, to: TestSigner, by: TestSigner = lost): AuditEvent {
    const compromisedAt = this.events.at(-1)?.ts ?? new Date(START).toISOString();
    const payload = { ...this.replacement(lost, to), reason: 'stolen', compromisedAt };
    return this.registry('signer.emergency', lost.kid, payload, by);
  }

  retireSigner(retired: TestSigner, by: TestSigner): AuditEvent {
    const retiredAt = this.events.at(-1)?.ts ?? new Date(START).toISOString();
    return this.registry('signer.retired', retired.kid, { signer_kid: retired.kid, retiredAt }, by);
  }

  /** @param more what it says of earlier signatures: `since` and `reattested` */
  compromiseSigner(lost: TestSigner, by: TestSigner, more: JsonObject = {}): AuditEvent {
    const compromisedAt = this.events.at(-1)?.ts ?? new Date(START).toISOString();
    const payload = { signer_kid: lost.kid, compromisedAt, ...more };
    return this.registry('signer.compromised', lost.kid, payload, by);
  }

  /** The range of a statement that vouches for what a key signed from one position to another. */
  range(from: number, to: number, count = to - from + 1): JsonObject {
    const point = (seq: number): JsonObject => ({ seq, hash: this.events[seq - 1]?.hash ?? '' });
    return { shard: this.shard, from: point(from), to: point(to), count };
  }

  /** Drops all events but the last, to continue a chain that is too long for memory. */
  forget(): void {
    this.events.splice(0, this.events.length - 1);
    this.bytes.length = 0;
  }

  /** The chain as an export: NDJSON of canonical events. */
  ndjson(): string {
    return this.bytes.map((bytes) => `${Buffer.from(bytes).toString()}\n`).join('');
  }

  private replacement(from: TestSigner, to: TestSigner): JsonObject {
    return {
      from: from.kid,
      to: to.entry as unknown as JsonValue,
      counterSignature: to.provePossession(this.origin, from.kid),
    };
  }

  /** A registry event, with the heads of now unless its payload states others. */
  registry(type: string, kid: string, payload: JsonObject, signer: TestSigner): AuditEvent {
    const stated = { heads: headsPayload(this.heads()), ...payload };
    return this.append({ type, stream: `signer/${kid}`, payload: stated, signer });
  }
}

/** A UUIDv7 that is the same for the same place. */
function uuidV7(ms: number, shard: number, seq: number): string {
  const time = ms.toString(16).padStart(12, '0');
  const place = shard.toString(16).padStart(3, '0');
  const rest = seq.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${place}-8000-${rest}`;
}
