import { evolvePool, type JsonObject, POOL_STREAM, type PoolState } from '#evidence';
import { person, poolOf } from '../fixtures/upgrade-story.fixture';
import { countReview, hasPart, reviewUpgrade } from './upgrade.review';

const at = (seconds: number) =>
  new Date(Date.parse('2026-03-01T00:00:00.000Z') + seconds * 1_000).toISOString();
const PERIOD = { from: at(0), asOf: at(1_000_000) };

type Given = [type: string, by: string, payload?: JsonObject, kind?: 'service' | 'human' | 'system'];

const proposal = (manifest: JsonObject = {}): JsonObject => ({
  upgradeId: 'u',
  manifest: { upgradeId: 'u', type: 'code', target: 'api', rationale: 'because', ...manifest },
  manifestSha256: 'ab'.repeat(32),
  patchSha256: null,
  submittedBy: 'principal-1',
  pool: { version: 1, threshold: 2, size: 3 },
  expiresAt: at(100_000),
  approvalTtlHours: 24,
  ratificationHours: 24,
});
const signed = (n: number, action: string): JsonObject => ({
  approvalId: `a-${n}`,
  record: {
    type: 'illuvrse-kernel/approval/v1',
    origin: 'kernel.example.com/test',
    upgradeId: 'u',
    manifestSha256: 'ab'.repeat(32),
    patchSha256: null,
    action,
    approverId: `person-${n}`,
    keyId: `key-${n}`,
    poolVersion: 1,
    threshold: 2,
    approvedAt: at(1),
    expiresAt: at(90_000),
    notes: null,
  },
  signature: Buffer.alloc(64).toString('base64'),
});

/** Events a second apart, at positions 10, 11, … of the governance shard. */
const story = (...given: Given[]) =>
  given.map(([type, by, payload = {}, kind = 'service'], n) => ({
    id: `event-${n}`,
    type: `upgrade.${type}`,
    payload,
    ts: at(n),
    actor: { id: by, kind, roles: [] },
    shard: 0,
    seq: 10 + n,
    streamVersion: n + 1,
  }));

const pool = evolvePool(null, {
  stream: POOL_STREAM,
  type: 'approver_pool.registered',
  payload: {
    version: 1,
    pool: poolOf(
      2,
      [1, 2, 3].map((n) => person(n)),
    ) as unknown as JsonObject,
  },
  shard: 0,
  seq: 2,
  ts: at(-10),
}) as PoolState;
const review = (events: ReturnType<typeof story>, poolAt: (seq: number) => PoolState | null = () => pool) =>
  reviewUpgrade(events, poolAt, PERIOD);

const applied = (approvers: string[]): JsonObject => ({
  approvers,
  required: 2,
  claimedBy: null,
  effect: null,
  authorization: null,
});

describe('the report on an upgrade', () => {
  it('names a person who decided about their own proposal, whatever let them', () => {
    const events = story(
      ['proposed', 'principal-1', proposal()],
      ['approval_given', 'principal-1', signed(1, 'approve')],
      ['approval_given', 'principal-2', signed(2, 'approve')],
    );
    expect(review(events).separation.decidedOwn).toEqual(['person-1']);
    expect(countReview([review(events)])).toMatchObject({ upgrades: 1, decidedOwn: 1 });
    // By the pool of that moment, and by who called where there was none.
    expect(review(events, () => null).separation.decidedOwn).toEqual(['person-1']);
    const other = story(
      ['proposed', 'principal-1', proposal()],
      ['approval_given', 'another-name', signed(1, 'approve')],
    );
    expect(review(other).separation.decidedOwn).toEqual(['person-1']);
    expect(review(other, () => null).separation.decidedOwn).toEqual([]);
  });

  it('names who ratified what they had applied themselves', () => {
    const emergency = { reason: 'it burns', ratifyBy: at(3_600), effect: null, authorization: null };
    const events = story(
      ['proposed', 'operator', proposal()],
      ['emergency_applied', 'principal-3', emergency],
      ['ratification_given', 'principal-3', signed(3, 'ratify')],
    );
    expect(review(events).separation).toEqual({
      decidedOwn: ['person-3'],
      appliedByProposer: false,
      appliedByApprovers: [],
    });
  });

  it('takes two principals of an approver for one person', () => {
    const [first, ...others] = pool.inForce.pool.approvers;
    const approvers = [{ ...first, principals: ['principal-1', 'cert-1'] }, ...others];
    const both = { ...pool, inForce: { ...pool.inForce, pool: { threshold: 2, approvers } } } as PoolState;
    const events = story(
      ['proposed', 'principal-1', proposal()],
      ['applied', 'cert-1', applied(['person-2', 'person-3'])],
    );
    expect(review(events, () => both).separation.appliedByProposer).toBe(true);
    expect(review(events).separation.appliedByProposer).toBe(false);
    const byApprover = story(
      ['proposed', 'operator', proposal()],
      ['applied', 'principal-2', applied(['person-2', 'person-3'])],
    );
    expect(review(byApprover).separation.appliedByApprovers).toEqual(['person-2']);
  });

  it.each<[string, JsonObject, string]>([
    ['code', {}, 'api'],
    ['manifest', { type: 'manifest', target: ['a', 1] }, '["a",1]'],
    ['a type of its own', { type: 'own_type', target: null }, 'something outside the kernel'],
    ['a long target', { target: 'x'.repeat(400) }, `${'x'.repeat(299)}…`],
    ['rollback', { type: 'rollback', undoes: 'old' }, 'undoes old'],
    [
      'policy',
      { type: 'policy', policy: { approvalTtlHours: 1, proposalTtlHours: 2, ratificationHours: 3 } },
      'approvals hold 1 h, proposals 2 h, emergencies wait 3 h',
    ],
    [
      'approver_pool',
      {
        type: 'approver_pool',
        pool: poolOf(
          2,
          [1, 2, 3].map((n) => person(n)),
        ) as unknown as JsonObject,
      },
      'a pool of 3 approvers, 2 of whom have to agree',
    ],
  ])('says in a line what it changes: %s', (_, manifest, line) => {
    expect(review(story(['proposed', 'operator', proposal(manifest)])).change).toBe(line);
  });

  it('has refused signatures with their reason, and no reports of checks', () => {
    const refusal = {
      action: 'approve',
      approverId: 'person-2',
      keyId: 'key-2',
      error: 'invalid_signature',
      reasons: ['signature: wrong'],
    };
    const reviewed = review(
      story(
        ['proposed', 'operator', proposal()],
        ['check_reported', 'ci', { name: 'smoke', passed: true, by: 'ci', detail: null }],
        ['approval_refused', 'principal-2', refusal],
      ),
    );
    expect(reviewed.acts.map(({ text }) => text)).toEqual([
      null,
      'approve: invalid_signature (signature: wrong)',
    ]);
    expect(countReview([reviewed, reviewed]).refusedSignatures).toBe(2);
    for (const name of ['operator', 'principal-1', 'person-2']) expect(hasPart(reviewed, name)).toBe(true);
    for (const name of ['ci', 'person', 'key-2']) expect(hasPart(reviewed, name)).toBe(false);
  });
});
