import {
  APPROVAL_TYPE,
  approvalSigningInput,
  buildEnvelope,
  canonicalize,
  DEPLOYMENT_AUTHORIZATION,
  dssePae,
  KeyRing,
  MANIFEST_PAYLOAD_TYPE,
  manifestDigest,
  manifestStatement,
  provenEvents,
  sha256Hex,
  spannedSigners,
  UPGRADE_EVIDENCE_TYPE,
  type ApprovalAction,
  type ApprovalRecord,
  type ApproverKey,
  type ApproverPool,
  type AuditEvent,
  type Envelope,
  type FirstPool,
  type JsonObject,
  type JsonValue,
  type ManifestStatement,
  type TrustRoot,
  type UpgradeEvidence,
} from '#evidence';
import { ChainLog, type CheckpointParts, TestWitness } from './chain-log';
import { EvidenceChain, TestSigner, type TestEvent } from './evidence-chain';

const ORIGIN = 'kernel.example.com/upgraded';
const PROPOSER = { id: 'CN=proposer', kind: 'service' as const, roles: ['Operator'] };
const KERNEL = { id: 'kernel', kind: 'system' as const, roles: [] };
const UPGRADE = 'upg-7';
const POOL = 'approver_pool/kernel';

type Purpose = 'audit' | 'manifest' | 'checkpoint';

/** A key that is the same in every test. */
export function fixedSigner(kid: string, n: number, ...purposes: Purpose[]): TestSigner {
  return new TestSigner(kid, { seed: Buffer.alloc(32, n), purposes });
}

/** People who approve, with a key each. */
export class TestApprovers {
  readonly keys: readonly TestSigner[];
  readonly pool: ApproverPool;

  constructor(name = 'approver', seed = 60, threshold = 3) {
    this.keys = [1, 2, 3, 4, 5].map((n) => fixedSigner(`${name}-${n}-key`, seed + n));
    this.pool = {
      threshold,
      approvers: this.keys.map((key, i) => ({
        id: `${name}-${i + 1}`,
        name: `Person ${i + 1}`,
        contact: null,
        principals: [`spiffe://example.com/${name}-${i + 1}`],
        keys: [{ keyId: key.kid, algorithm: 'ed25519', publicKeyPem: key.entry.public_key_pem }],
      })),
    };
  }

  get digest(): FirstPool {
    return { version: 1, sha256: sha256Hex(canonicalize(poolJson(this.pool))) };
  }
}

export interface UpgradedKernelParts {
  approvers?: TestApprovers;
  /** What the founding names; default the digest of the approvers. */
  firstPool?: FirstPool | null;
  origin?: string;
  shards?: number;
}

/**
 * A kernel that was upgraded, with its evidence: five approvers, two audit keys, one of each other purpose, a checkpoint key
 * that was lost, and a log that two of three witnesses cosign. Tests tell its story on from any point, with keys that
 * should not have signed, or otherwise than a kernel would.
 */
export class UpgradedKernel {
  readonly k1 = fixedSigner('k1', 41, 'audit');
  readonly k2 = fixedSigner('k2', 42, 'audit');
  readonly m1 = fixedSigner('m1', 43, 'manifest');
  readonly c1 = fixedSigner('c1', 44, 'checkpoint');
  readonly cx = fixedSigner('cx', 45, 'checkpoint');
  readonly witnesses = ['w1', 'w2', 'w3'].map(
    (name, i) => new TestWitness(`${name}.example.org`, fixedSigner(name, 51 + i)),
  );
  readonly approvers: TestApprovers;
  readonly chain: EvidenceChain;
  readonly manifest: JsonObject = {
    upgradeId: UPGRADE,
    type: 'code',
    target: 'kernel-api',
    rationale: 'a fix',
    version: '2.0.0',
  };

  /** Shard 0: 1 to 6 the founding; 7 the pool; 8 the end of cx. */
  constructor({
    approvers = new TestApprovers(),
    firstPool,
    origin = ORIGIN,
    shards = 2,
  }: UpgradedKernelParts = {}) {
    const { k1, k2, m1, c1, cx } = this;
    this.approvers = approvers;
    const first = firstPool === undefined ? approvers.digest : firstPool;
    this.chain = new EvidenceChain(k1, origin, 0, { shards, firstPool: first }).found([k1, k2, m1, c1, cx]);
    this.append(POOL, 'approver_pool.registered', { version: 1, pool: poolJson(approvers.pool) });
    this.chain.compromiseSigner(cx, k1);
  }

  /** An upgrade that three people approved, a fourth rejected, and the kernel applied. */
  upgrade(): this {
    this.propose();
    this.give(4, 'reject');
    for (const n of [1, 2, 3]) this.give(n);
    return this.decide('upgrade.approved').decide();
  }

  propose(given: TestEvent = {}, more: JsonObject = {}): this {
    const payload = {
      upgradeId: UPGRADE,
      manifest: this.manifest,
      manifestSha256: manifestDigest(this.manifest),
      patchSha256: null,
      submittedBy: PROPOSER.id,
      pool: { version: 1, threshold: this.approvers.pool.threshold, size: 5 },
      expiresAt: '2026-03-02T10:00:00.000Z',
      approvalTtlHours: 336,
      ratificationHours: 48,
      ...more,
    };
    this.append(`upgrade/${UPGRADE}`, 'upgrade.proposed', payload, { actor: PROPOSER, ...given });
    return this;
  }

  /** A signature of the n-th approver. @param signer by whom it is really made */
  give(
    n: number,
    action: ApprovalAction = 'approve',
    change: Partial<ApprovalRecord> = {},
    signer = this.approvers.keys[n - 1] as TestSigner,
  ): this {
    const { threshold, approvers } = this.approvers.pool;
    const approver = approvers[n - 1];
    const record: ApprovalRecord = {
      origin: this.chain.origin,
      upgradeId: UPGRADE,
      manifestSha256: manifestDigest(this.manifest),
      patchSha256: null,
      action,
      approverId: approver?.id ?? '',
      keyId: approver?.keys[0]?.keyId ?? '',
      poolVersion: 1,
      threshold,
      approvedAt: '2026-01-31T10:00:00.000Z',
      expiresAt: '2026-02-14T10:00:00.000Z',
      notes: null,
      ...change,
    };
    const payload = {
      approvalId: `0198f4c2-1b2a-7000-8000-${String(this.chain.events.length).padStart(12, '0')}`,
      record: { type: APPROVAL_TYPE, ...record },
      signature: signer.sign(approvalSigningInput(record)),
    };
    return this.append(`upgrade/${UPGRADE}`, GIVEN[action], payload);
  }

  /** A decision of the kernel, a second after the event before it. @param more of its payload otherwise */
  decide(
    type: 'upgrade.approved' | 'upgrade.applied' | 'upgrade.ratified' = 'upgrade.applied',
    { approvers = [1, 2, 3], ...more }: { approvers?: number[] } & JsonObject = {},
    given: TestEvent = {},
  ): this {
    const payload = {
      approvers: approvers.map((n) => this.approvers.pool.approvers[n - 1]?.id ?? ''),
      required: this.approvers.pool.threshold,
      poolVersion: 1,
      ...this.basis(),
      decidedAt: this.chain.events.at(-1)?.ts ?? '',
      ...(type === 'upgrade.applied'
        ? {
            appliedBy: 'CN=deployer',
            claimedBy: null,
            effect: null,
            authorization: envelopeJson(this.authorize()),
          }
        : {}),
      ...more,
    };
    return this.append(`upgrade/${UPGRADE}`, type, payload, given);
  }

  /** What evidence has to have before a decision. */
  basis(): { poolEvents: number; signerEvents: number } {
    const count = (prefix: string) =>
      this.chain.events.filter(({ stream }) => stream.startsWith(prefix)).length;
    return { poolEvents: count(POOL), signerEvents: count('signer/') + count('kernel/') };
  }

  /** An authorisation to deploy the manifest. */
  authorize(signer = this.m1, change: Partial<ManifestStatement> = {}): Envelope {
    const payload = manifestStatement({
      manifestId: UPGRADE,
      version: '2.0.0',
      kind: DEPLOYMENT_AUTHORIZATION,
      division: null,
      origin: this.chain.origin,
      signedAt: '2026-01-31T10:00:00.000Z',
      requestedBy: 'CN=deployer',
      auditSeqAfter: '0:1',
      sha256: manifestDigest(this.manifest),
      ...change,
    });
    return buildEnvelope(payload, signer.kid, signer.sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload)));
  }

  append(stream: string, type: string, payload: JsonObject, given: TestEvent = {}): this {
    this.chain.append({ stream, type, payload, actor: KERNEL, ...given });
    return this;
  }

  /** The pool gets other people or another threshold, as after an upgrade. */
  changePool(pool: ApproverPool, version = 2): this {
    const payload = { version, pool: poolJson(pool), upgradeId: 'upg-6', provisional: false };
    return this.append(POOL, 'approver_pool.changed', payload);
  }

  revokeKey(n: number): this {
    const key = this.approvers.keys[n - 1] as TestSigner;
    const approverId = this.approvers.pool.approvers[n - 1]?.id ?? '';
    const keyMaterial = key.rawPublicKey.toString('base64');
    return this.append(POOL, 'approver_pool.key_revoked', {
      approverId,
      keyId: key.kid,
      keyMaterial,
      reason: 'lost',
    });
  }

  /** A kernel with the same past, which goes its own way from here on. @param length number of events that it keeps */
  fork(length = this.chain.events.length): UpgradedKernel {
    const copy = Object.create(UpgradedKernel.prototype) as UpgradedKernel;
    const [chain] = this.chain.fork();
    return Object.assign(copy, this, { chain: (chain as EvidenceChain).cut(length) });
  }

  log(signer = this.c1, witnesses: readonly TestWitness[] = this.witnesses.slice(0, 2)): ChainLog {
    return new ChainLog(this.chain, signer, witnesses);
  }

  /** The signers.json of the kernel as it is now. @param spans false: as if it were written without them */
  trust({ spans = true } = {}): TrustRoot {
    const { origin, shards, firstPool } = this.chain;
    const signers = [this.k1, this.k2, this.m1, this.c1, this.cx].map(({ entry }) => entry);
    const ring = new KeyRing({ origin, shards, firstPool, signers });
    for (const event of this.chain.events) ring.apply(event);
    return {
      origin,
      shards,
      firstPool,
      signers: spannedSigners(ring.registry).map(({ span, ...entry }) =>
        spans && span !== undefined ? { ...entry, span } : entry,
      ),
      log: { witnesses: this.witnesses.map(({ vkey }) => vkey), quorum: 2 },
    };
  }

  /** The evidence of the upgrade. @param checkpoint the note that its proofs lead to, or what it is made of */
  evidence(checkpoint: string | CheckpointParts = {}, log = this.log()): UpgradeEvidence {
    const { events, bytes, origin } = this.chain;
    const lines = bytes.map((one) => Buffer.from(one).toString());
    const of = (prefix: string) => lines.filter((_, i) => events[i]?.stream.startsWith(prefix));
    const file: UpgradeEvidence = {
      type: UPGRADE_EVIDENCE_TYPE,
      origin,
      upgradeId: UPGRADE,
      issuedAt: '2026-01-31T11:00:00.000Z',
      manifest: this.manifest,
      founded: lines[0] ?? '',
      events: of(`upgrade/${UPGRADE}`),
      pool: of(POOL),
      signers: of('signer/'),
      approvals: this.approvals(),
      proofs: [],
    };
    const parts = typeof checkpoint === 'string' ? {} : checkpoint;
    const note = typeof checkpoint === 'string' ? checkpoint : log.checkpoint(parts);
    file.proofs = provenEvents(file).map((line) => log.receipt(lines.indexOf(line) + 1, parts, note));
    return file;
  }

  /** Position of the first pool that has the key as it is now. */
  private registeredAt(keyId: string): number {
    const key = this.approvers.keys.find(({ kid }) => kid === keyId) as TestSigner;
    const pem = JSON.stringify(key.entry.public_key_pem);
    const first = this.chain.events.find(
      ({ stream, payload }) => stream === POOL && JSON.stringify(payload['pool'] ?? null).includes(pem),
    );
    return first?.seq ?? 0;
  }

  private approvals(): UpgradeEvidence['approvals'] {
    const keys = this.approvers.pool.approvers.flatMap((one) => one.keys);
    return this.chain.events
      .filter(({ type }) => Object.values(GIVEN).includes(type))
      .map(({ seq, payload }: AuditEvent) => {
        const record = payload['record'] as JsonObject;
        return {
          approvalId: payload['approvalId'] as string,
          position: `0:${seq}`,
          record,
          signature: payload['signature'] as JsonValue,
          key: keys.find(({ keyId }) => keyId === record['keyId']) as ApproverKey,
          keyRegisteredAt: `0:${this.registeredAt(record['keyId'] as string)}`,
        };
      });
  }
}

const GIVEN: Record<ApprovalAction, string> = {
  approve: 'upgrade.approval_given',
  reject: 'upgrade.rejection_given',
  ratify: 'upgrade.ratification_given',
};

function poolJson(pool: ApproverPool): JsonObject {
  return pool as unknown as JsonObject;
}

/** An envelope as a payload has it. */
export function envelopeJson(envelope: Envelope): JsonObject {
  return envelope as unknown as JsonObject;
}
