import fc from 'fast-check';
import { type ApproverPool, type JsonObject } from '#evidence';
import { DAY, person, poolOf, type TestApprover, UpgradeStory } from '../fixtures/upgrade-story.fixture';
import { GovernanceError } from './governance.error';
import { type UpgradeCommand } from './upgrade.decider';

/**
 * Whatever people and clocks do: an applied upgrade has a quorum of distinct, valid, current approvers, or is an
 * emergency. The judge below is written independently, over plain lists, and shares no code with the code it judges.
 */
const PEOPLE: readonly TestApprover[] = [1, 2, 3, 4, 5, 6].map((n) => person(n, [`key-${n}`, `key-${n}b`]));
const IDS = ['a', 'b', 'c', 'd'] as const;

type Step =
  | { do: 'propose'; id: string; by: number | null }
  | { do: 'propose-pool'; id: string; people: number[]; threshold: number }
  | { do: 'propose-rollback'; id: string; undoes: string }
  | { do: 'sign'; id: string; n: number; key: 0 | 1; action: 'approve' | 'reject' | 'ratify' }
  | { do: 'sign-as'; id: string; n: number; as: number }
  | { do: 'forge'; id: string; n: number; member: 'upgradeId' | 'origin' | 'action' | 'manifestSha256' }
  | { do: 'replay'; id: string; to: string; n: number }
  | { do: 'apply' | 'emergency' | 'withdraw' | 'settle' | 'expire'; id: string }
  | { do: 'revoke'; n: number; key: 0 | 1 }
  | { do: 'wait'; hours: number };

const id = fc.constantFrom(...IDS);
const n = fc.integer({ min: 1, max: PEOPLE.length });
const key = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('propose'), id, by: fc.option(n) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('propose-pool'),
      id,
      people: fc.uniqueArray(n, { minLength: 2, maxLength: 6 }),
      threshold: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('propose-rollback'), id, undoes: id }) },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('sign'),
      id,
      n,
      key,
      action: fc.constantFrom('approve', 'approve', 'approve', 'approve', 'ratify', 'reject'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sign-as'), id, n, as: n }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('forge'),
      id,
      n,
      member: fc.constantFrom('upgradeId', 'origin', 'action', 'manifestSha256'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replay'), id, to: id, n }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('apply'), id }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('emergency', 'withdraw', 'settle', 'expire'), id }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke'), n, key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait'),
      hours: fc.constantFrom(-30, 1, 1, 1, 47, 49, 24 * 10, 24 * 15, 24 * 31),
    }),
  },
);

/** The content of the chain, read by a judge that only knows the rules. */
class Judge {
  private pool: ApproverPool = { threshold: 0, approvers: [] };
  private settled: ApproverPool = this.pool;
  private readonly revoked = new Set<string>();
  private readonly proposals = new Map<
    string,
    { by: string; threshold: number; signed: Signed[]; state: string }
  >();
  applied = 0;

  read({ upgradeId, type, payload, at }: UpgradeStory['chain'][number], by: string): void {
    const text = (name: string) => payload[name] as string;
    if (upgradeId === null) {
      if (type === 'approver_pool.key_revoked') this.revoked.add(text('keyId'));
      else if (type === 'approver_pool.confirmed') this.settled = this.pool;
      else if (type.startsWith('approver_pool.')) {
        this.pool = payload['pool'] as unknown as ApproverPool;
        if (payload['provisional'] !== true) this.settled = this.pool;
      }
      return;
    }
    if (type === 'upgrade.proposed') {
      const threshold = Math.max(this.pool.threshold, this.settled.threshold);
      this.proposals.set(upgradeId, { by, threshold, signed: [], state: 'open' });
      return;
    }
    const proposal = this.proposals.get(upgradeId)!;
    if (type.endsWith('_given')) {
      const record = payload['record'] as JsonObject;
      proposal.signed.push({
        person: record['approverId'] as string,
        keyId: record['keyId'] as string,
        approves: record['action'] === 'approve',
        until: Date.parse(record['expiresAt'] as string),
      });
    }
    if (type === 'upgrade.applied') {
      this.applied++;
      expect(proposal.state).toBe('open');
      const valid = this.validPeople(proposal.signed, proposal.by, at);
      const required = Math.max(proposal.threshold, this.pool.threshold, this.settled.threshold);
      expect(valid.size).toBeGreaterThanOrEqual(required);
      const counted = payload['approvers'] as string[];
      expect(new Set(counted).size).toBe(counted.length);
      expect(counted.length).toBeGreaterThanOrEqual(required);
      for (const one of counted) expect(valid).toContain(one);
    }
    if (['applied', 'emergency_applied', 'rejected', 'withdrawn', 'expired'].includes(type.slice(8))) {
      expect(proposal.state).toBe('open');
      proposal.state = 'closed';
    }
  }

  private validPeople(signed: readonly Signed[], proposer: string, at: number): Set<string> {
    const last = new Map(signed.map((one) => [one.person, one]));
    const member = (pool: ApproverPool, { person: who, keyId }: Signed) =>
      pool.approvers.some(
        (one) =>
          one.id === who &&
          !one.principals.includes(proposer) &&
          one.keys.some((candidate) => candidate.keyId === keyId),
      );
    return new Set(
      [...last.values()]
        .filter((one) => one.approves && one.until > at && !this.revoked.has(one.keyId))
        .filter((one) => member(this.pool, one) && member(this.settled, one))
        .map((one) => one.person),
    );
  }
}

interface Signed {
  person: string;
  keyId: string;
  approves: boolean;
  until: number;
}

function commandOf(story: UpgradeStory, one: Step): [string, UpgradeCommand] | null {
  if (one.do === 'wait' || one.do === 'revoke') return null;
  const known = story.upgrades.has(one.id);
  const keyId = (who: number, index: 0 | 1) => PEOPLE[who - 1]?.approver.keys[index]?.keyId ?? '';
  switch (one.do) {
    case 'propose':
      return [one.id, story.propose(one.id, {}, one.by === null ? {} : { by: `principal-${one.by}` })];
    case 'propose-pool': {
      const people = one.people.map((who) => PEOPLE[who - 1]!);
      const pool = poolOf(Math.min(one.threshold, people.length), people);
      return [one.id, story.propose(one.id, { type: 'approver_pool', pool: pool as never })];
    }
    case 'propose-rollback':
      return [one.id, story.propose(one.id, { type: 'rollback', undoes: one.undoes })];
    case 'sign':
      return known
        ? [one.id, story.signing(one.id, one.n, one.action, { keyId: keyId(one.n, one.key) })]
        : null;
    case 'sign-as':
      return known ? [one.id, story.signing(one.id, one.n, 'approve', { by: `principal-${one.as}` })] : null;
    case 'forge': {
      const other = {
        upgradeId: 'z',
        origin: 'kernel.example.com/z',
        action: 'ratify',
        manifestSha256: '0'.repeat(64),
      };
      const signed = { [one.member]: other[one.member] };
      return known ? [one.id, story.signing(one.id, one.n, 'approve', { signed })] : null;
    }
    case 'replay':
      return known && one.to !== one.id ? [one.to, story.signing(one.id, one.n)] : null;
    case 'apply':
      return [one.id, { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' }];
    case 'emergency':
      return [one.id, { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' }];
    case 'withdraw':
      return [one.id, { kind: 'withdraw', reason: 'no', by: 'operator' }];
    case 'settle':
      return [one.id, { kind: 'settle-emergency' }];
    case 'expire':
      return [one.id, { kind: 'expire' }];
  }
}

describe('for any sequence of what people and clocks do', () => {
  it('an upgrade is applied with a quorum of distinct, valid, current approvers, or as an emergency', () => {
    let applied = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 120 }), (sequence) => {
        // Something to decide about from the beginning on.
        const steps: Step[] = [
          { do: 'propose', id: 'a', by: 1 },
          { do: 'propose', id: 'b', by: null },
          { do: 'propose-pool', id: 'c', people: [2, 3, 4, 5, 6], threshold: 3 },
          ...sequence,
        ];
        const story = new UpgradeStory(PEOPLE, 2, 4);
        const judge = new Judge();
        let read = 0;
        const judgeNews = (by: string) => {
          for (const event of story.chain.slice(read)) judge.read(event, by);
          read = story.chain.length;
        };
        judgeNews('configuration');
        for (const one of steps) {
          if (one.do === 'wait') story.now += one.hours * (DAY / 24);
          if (one.do === 'revoke') story.revokeKey(one.n, one.key);
          const command = commandOf(story, one);
          if (command !== null) {
            const [upgradeId, what] = command;
            try {
              story.when(upgradeId, what);
              // A signature that is false in any way must have been refused.
              if (one.do === 'forge' || one.do === 'replay')
                throw new Error(`accepted: ${JSON.stringify(one)}`);
              if (one.do === 'sign-as') expect(one.as).toBe(one.n);
            } catch (error) {
              if (!(error instanceof GovernanceError)) throw error;
            }
          }
          judgeNews(command !== null && 'by' in command[1] ? command[1].by : 'kernel');
        }
        applied += judge.applied;
      }),
      { numRuns: 250 },
    );
    // Sequences in which nothing was ever applied would show nothing.
    expect(applied).toBeGreaterThan(50);
  });
});
