import fc from 'fast-check';
import { type JsonObject, type SignerEntry, type SignerPurpose } from '#evidence';
import {
  DAY,
  person,
  poolOf,
  signerEntry,
  type TestApprover,
  UpgradeStory,
} from '../fixtures/upgrade-story.fixture';
import { ableApprovers, decideRevocation } from './able-approvers';
import { GovernanceError } from './governance.error';
import { type UpgradeCommand } from './upgrade.decider';

/**
 * Whatever a SuperAdmin does alone, and whatever a quorum agrees to: a quorum can always act again, no emergency
 * outlives the settled window, and the kernel can always sign again by a documented path. Each is shown by doing it
 * after every sequence, not by a look at the state.
 */
const PEOPLE: readonly TestApprover[] = [1, 2, 3, 4, 5, 6].map((n) => person(n, [`key-${n}`, `key-${n}b`]));
const IDS = Array.from({ length: 7 }, (_, i) => `u${i}`);
const PURPOSES = ['audit', 'manifest', 'checkpoint'] as const satisfies readonly SignerPurpose[];
const HOUR = DAY / 24;

type Purpose = (typeof PURPOSES)[number];
type What =
  | { what: 'code' }
  | { what: 'policy'; hours: number }
  | { what: 'pool'; people: number[]; threshold: number }
  | { what: 'rotation'; purpose: Purpose }
  | { what: 'rollback'; undoes: string };
type Step =
  | { do: 'propose'; id: string; as: What }
  | { do: 'all'; id: string; action: 'approve' | 'ratify' | 'reject' }
  | { do: 'apply' | 'emergency' | 'settle'; id: string }
  | { do: 'revoke'; n: number; key: number }
  | { do: 'retire'; purpose: Purpose }
  | { do: 'wait'; hours: number };

const id = fc.constantFrom(...IDS);
const n = fc.integer({ min: 1, max: PEOPLE.length });
const purpose = fc.constantFrom(...PURPOSES);
const what: fc.Arbitrary<What> = fc.oneof(
  fc.record({ what: fc.constant('code') }),
  fc.record({ what: fc.constant('policy'), hours: fc.constantFrom(1, 24, 100, 8_784) }),
  fc.record({
    what: fc.constant('pool'),
    people: fc.uniqueArray(n, { minLength: 1, maxLength: 6 }),
    threshold: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({ what: fc.constant('rotation'), purpose }),
  fc.record({ what: fc.constant('rollback'), undoes: id }),
  fc.record({ what: fc.constant('rollback'), undoes: id }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('propose'), id, as: what }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('all'),
      id,
      action: fc.constantFrom('approve', 'approve', 'ratify', 'reject'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom('apply', 'apply', 'emergency', 'emergency', 'settle'), id }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('revoke'), n, key: fc.constantFrom(0, 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retire'), purpose }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait'), hours: fc.constantFrom(1, 23, 49, 24 * 20) }),
  },
);

/** Something to decide about from the beginning on. */
const start = fc.array(what, { minLength: 4, maxLength: 4 });

/** Refusals that show that a rule was tried, by code. */
type Tried = Map<string, number>;

class Kernel {
  readonly story = new UpgradeStory(PEOPLE, 3, 5);
  private made = 0;

  constructor(private readonly tried: Tried) {
    this.signers = PURPOSES.map((one) => this.key(one, 1));
  }

  private get signers(): readonly SignerEntry[] {
    return this.story.governance.signers;
  }

  private set signers(signers: readonly SignerEntry[]) {
    this.story.governance = { ...this.story.governance, signers };
  }

  take(one: Step): void {
    const { story } = this;
    switch (one.do) {
      case 'propose':
        return this.attempt(one.id, story.propose(one.id, this.manifest(one.as)));
      case 'all':
        return this.everyone(one.id, one.action);
      case 'apply':
        return this.attempt(one.id, { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' });
      case 'emergency':
        return this.attempt(one.id, { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
      case 'settle':
        return this.attempt(one.id, { kind: 'settle-emergency' });
      case 'revoke':
        return this.revoke(one.n, one.key);
      case 'retire':
        return this.retire(one.purpose);
      case 'wait':
        story.now += one.hours * HOUR;
    }
  }

  /** Time passes until every emergency is over, and the coordinator does what is due. */
  settle(): void {
    const { story } = this;
    const ends = [...story.upgrades.values()].map(({ application }) =>
      Date.parse(application?.ratifyBy ?? ''),
    );
    story.now = Math.max(story.now, ...ends.filter((end) => !Number.isNaN(end)));
    for (const upgradeId of story.upgrades.keys()) story.when(upgradeId, { kind: 'settle-emergency' });
  }

  /** Proposes, has everyone sign who can, and applies. @throws GovernanceError */
  decide(upgradeId: string, manifest: JsonObject): void {
    this.story.when(upgradeId, this.story.propose(upgradeId, manifest));
    this.everyone(upgradeId, 'approve');
    this.story.apply(upgradeId);
  }

  rotation(of: Purpose): JsonObject {
    const from = this.inForce(of)?.signer_kid ?? 'none';
    return { type: 'signer_rotation', from, signer: { ...this.key(of, ++this.made + 1) } };
  }

  /** The key that a purpose is signed with: the one registered last, for a purpose never goes back to a key. */
  inForce(of: Purpose): SignerEntry | undefined {
    const last = this.signers.filter(({ purposes }) => purposes.includes(of)).at(-1);
    return last?.status === 'active' ? last : undefined;
  }

  private key(of: Purpose, number: number): SignerEntry {
    return { ...signerEntry(`${of}-${number}`), purposes: [of] };
  }

  private manifest(as: What): JsonObject {
    switch (as.what) {
      case 'code':
        return {};
      case 'policy': {
        const { hours } = as;
        const policy = { approvalTtlHours: hours, proposalTtlHours: hours, ratificationHours: hours };
        return { type: 'policy', policy };
      }
      case 'pool': {
        const people = as.people.map((one) => PEOPLE[one - 1]!);
        const { approvers } = poolOf(1, people);
        // Nobody proposes keys that were revoked, or everything would be refused soon.
        const usable = approvers.map((one) => ({
          ...one,
          keys: one.keys.filter(({ keyId }) => !this.revoked.has(keyId)),
        }));
        const pool = { threshold: Math.min(as.threshold, people.length), approvers: usable };
        return { type: 'approver_pool', pool: pool as never };
      }
      case 'rotation':
        return this.rotation(as.purpose);
      case 'rollback':
        return { type: 'rollback', undoes: as.undoes };
    }
  }

  private readonly revoked = new Set<string>();

  private revoke(one: number, index: number): void {
    const { approver } = PEOPLE[one - 1]!;
    const keyId = approver.keys[index]?.keyId ?? '';
    try {
      const { pool } = this.story.governance;
      const material = decideRevocation(pool, { approverId: approver.id, keyId, principal: null });
      if (material === null) return;
      this.story.revokeKey(one, index);
      this.revoked.add(keyId);
    } catch (error) {
      this.note(error);
    }
  }

  /** What the key registry allows a SuperAdmin alone: the end of a key that another one has replaced. */
  private retire(of: Purpose): void {
    const keys = this.signers.filter(({ purposes, status }) => status === 'active' && purposes.includes(of));
    if (keys.length < 2) return;
    const ended = keys[0]!.signer_kid;
    this.signers = this.signers.map((one) =>
      one.signer_kid === ended ? { ...one, status: 'retired' } : one,
    );
  }

  private everyone(upgradeId: string, action: 'approve' | 'ratify' | 'reject'): void {
    if (!this.story.upgrades.has(upgradeId)) return;
    PEOPLE.forEach(({ approver }, i) => {
      for (const { keyId } of approver.keys) {
        this.attempt(upgradeId, this.story.signing(upgradeId, i + 1, action, { keyId }));
      }
    });
  }

  private attempt(upgradeId: string, command: UpgradeCommand): void {
    try {
      this.story.when(upgradeId, command);
    } catch (error) {
      this.note(error);
    }
  }

  private note(error: unknown): void {
    if (!(error instanceof GovernanceError)) throw error;
    this.tried.set(error.code, (this.tried.get(error.code) ?? 0) + 1);
  }
}

/** The settled policy and the window of each emergency, read off the chain by one that knows the rule alone. */
function judgeWindows(chain: UpgradeStory['chain'], settledHours: number): number {
  let settled = settledHours;
  let pending: { hours: number; by: string } | null = null;
  const ends = new Map<string, number>();
  for (const { upgradeId, type, payload, at } of chain) {
    if (type === 'policy.changed') {
      const { ratificationHours } = payload['policy'] as { ratificationHours: number };
      if (payload['provisional'] === true) {
        pending = { hours: ratificationHours, by: payload['upgradeId'] as string };
      } else settled = ratificationHours;
    }
    if (type === 'policy.confirmed' && pending !== null) settled = pending.hours;
    if (upgradeId === null) continue;
    if (type === 'upgrade.emergency_applied') {
      const end = Date.parse(payload['ratifyBy'] as string);
      expect(end - at).toBeLessThanOrEqual(settled * HOUR);
      ends.set(upgradeId, end);
    }
    if (type === 'upgrade.ratified') expect(at).toBeLessThan(ends.get(upgradeId) ?? 0);
  }
  return ends.size;
}

describe('for any sequence of what people do alone and together', () => {
  it('a quorum can act again, no emergency outlives the settled window, and the kernel can sign again', () => {
    const tried: Tried = new Map();
    let emergencies = 0;
    let kept = 0;
    fc.assert(
      fc.property(start, fc.array(step, { minLength: 40, maxLength: 80 }), (first, then) => {
        const steps = [...first.map((as, i): Step => ({ do: 'propose', id: IDS[i]!, as })), ...then];
        const kernel = new Kernel(tried);
        const { story } = kernel;
        const settledHours = story.governance.policy.policy.ratificationHours;
        for (const one of steps) {
          kernel.take(one);
          // Nothing that anyone does leaves a purpose without a key, not even for a moment.
          for (const of of PURPOSES) expect(kernel.inForce(of)).toBeDefined();
        }
        kernel.settle();
        const statuses = [...story.upgrades.values()].map(({ status }) => status);
        expect(statuses).not.toContain('emergency_applied');
        expect(story.governance.pool.provisional).toBeNull();
        expect(story.governance.policy.provisional).toBeNull();
        emergencies += judgeWindows(story.chain, settledHours);
        kept += [...story.upgrades.values()].filter(({ reason }) => reason?.includes('key in force')).length;

        kernel.decide('afterwards', {});
        expect(story.status('afterwards')).toBe('applied');
        for (const of of PURPOSES) {
          const before = kernel.inForce(of)?.signer_kid;
          kernel.decide(`rotation-${of}`, kernel.rotation(of));
          expect(kernel.inForce(of)?.signer_kid).not.toBe(before);
        }
        const { inForce, revoked } = story.governance.pool;
        const able = ableApprovers(inForce.pool, revoked);
        expect(able.length).toBeGreaterThanOrEqual(inForce.pool.threshold);
      }),
      { numRuns: 100 },
    );
    // Sequences in which none of it was tried would show nothing.
    expect(emergencies).toBeGreaterThan(100);
    const count = (code: string) => tried.get(code) ?? 0;
    for (const times of [count('below_threshold'), count('unsettled'), count('last_key') + kept]) {
      expect(times).toBeGreaterThan(5);
    }
  });
});
