import { type AppendRequest, type EventStore, newEventId, type StoredEvent } from '#platform/event-store';
import { NO_KEYS, type SignerEntry } from '#evidence';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { GovernanceError } from './domain/governance.error';
import { signerEntry } from './fixtures/upgrade-story.fixture';
import { governedDatabase, type GovernedKernel, ORIGIN } from './fixtures/governed-store.fixture';
import { GetApprovalRequest, GetApprovalRequestHandler } from './get-approval-request.handler';
import { type SigningKeyRegistry } from './governance.ports';
import { RevokeApproverKey, RevokeApproverKeyHandler } from './revoke-approver-key.handler';

const HOUR = 3_600_000;
const SUPERADMIN = { id: 'superadmin', kind: 'human', roles: ['SuperAdmin'] } as const;
const ASKING = {
  actor: { ...SUPERADMIN, roles: [...SUPERADMIN.roles] },
  correlationId: null,
  idempotency: null,
};

/** A store in which something else happens between a decision and its first commit. */
function overtaken(store: EventStore, other: () => Promise<unknown>): EventStore {
  let overtook = false;
  const append = async (request: AppendRequest) => {
    if (!overtook) {
      overtook = true;
      await other();
    }
    return store.append(request);
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function refusal(act: () => Promise<unknown>): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    if (error instanceof GovernanceError) return error.code;
    throw error;
  }
}

describe('governance against a real store', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let governed: Awaited<ReturnType<typeof governedDatabase>>;
  beforeEach(async () => {
    governed = await governedDatabase(postgres());
    ({ database } = governed);
  });
  afterEach(async () => {
    await governed.close();
    await database.drop();
  });

  const revoke = ({ store, reader }: GovernedKernel, n: number) =>
    refusal(() =>
      new RevokeApproverKeyHandler(store, reader).execute(
        new RevokeApproverKey(`person-${n}`, `person-${n}-key`, 'lost', false, ASKING),
      ),
    );

  it('does not take the pool below its threshold by revocations at the same moment', async () => {
    const kernel = await governed.kernel();
    expect(await revoke(kernel, 1)).toBeNull();
    const slower = await governed.kernel((store) => overtaken(store, () => revoke(kernel, 2)));
    expect(await revoke(slower, 3)).toBe('below_threshold');
    await kernel.propose('u');
    for (const n of [3, 4, 5]) await kernel.sign('u', n);
    expect(await kernel.status('u')).toBe('approved');
  });

  describe('when the chain is ahead of the clock', () => {
    beforeEach(async () => {
      const kernel = await governed.kernel();
      governed.clock.now += 3 * HOUR;
      await kernel.propose('while-ahead');
      governed.clock.now -= 3 * HOUR;
    });

    it('issues an approval request whose time it takes itself', async () => {
      const kernel = await governed.kernel();
      await kernel.propose('u');
      const { reader, options } = kernel;
      for (const id of ['while-ahead', 'u']) {
        const { record } = await new GetApprovalRequestHandler(reader, options).execute(
          new GetApprovalRequest(id, {
            approverId: 'person-1',
            action: 'approve',
            keyId: null,
            approvedAt: null,
            notes: null,
          }),
        );
        const { state } = await reader.existing(id);
        expect(Date.parse(String(record['approvedAt']))).toBeGreaterThanOrEqual(
          Date.parse(state.submittedAt),
        );
        await kernel.sign(id, 1, 'approve', String(record['approvedAt']));
      }
    });

    it('still refuses a time before the proposal, and one beyond the head', async () => {
      const kernel = await governed.kernel();
      const at = (ms: number) => new Date(governed.clock.now + ms).toISOString();
      for (const ms of [0, 2 * HOUR, 4 * HOUR]) {
        expect(await refusal(() => kernel.sign('while-ahead', 1, 'approve', at(ms)))).toBe(
          'invalid_approved_at',
        );
      }
      await kernel.sign('while-ahead', 1, 'approve', at(3 * HOUR));
    });

    it('gives an emergency its whole window, and lets it end by the same time', async () => {
      const kernel = await governed.kernel();
      await kernel.decide('while-ahead', { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
      const { state } = await kernel.reader.existing('while-ahead');
      const ratifyBy = Date.parse(state.application?.ratifyBy ?? '');
      expect(ratifyBy - Date.parse(state.application?.at ?? '')).toBe(48 * HOUR);
      governed.clock.now = ratifyBy - 1;
      expect(await kernel.coordinator.pass()).toMatchObject({ rollbackRequired: [] });
      governed.clock.now = ratifyBy;
      expect(await kernel.coordinator.pass()).toMatchObject({ rollbackRequired: ['while-ahead'] });
    });
  });

  it('does not end a key while the one that came after it ends elsewhere', async () => {
    let signers: readonly SignerEntry[] = [signerEntry('manifest-1')];
    const entries = () => new Map(signers.map((entry) => [entry.signer_kid, { entry }]));
    const registryOf = (store: EventStore): SigningKeyRegistry => ({
      registry: async () => {
        const streams = ['signer/manifest-2', 'signer/manifest-3'];
        const versions = new Map<string, number>();
        for (const stream of streams) versions.set(stream, (await store.loadStream(stream)).length);
        const state = { keys: entries(), marks: [] } as never;
        return { state, versions, fence: await store.keyFence() };
      },
    });
    const first = await governed.kernel();
    const kernel = await governed.kernel(undefined, registryOf(first.store));
    for (const [id, from, to] of [
      ['r', 'manifest-1', 'manifest-2'],
      ['s', 'manifest-2', 'manifest-3'],
    ] as const) {
      await kernel.propose(id, { type: 'signer_rotation', from, signer: { ...signerEntry(to) } });
      for (const n of [1, 2, 3]) await kernel.sign(id, n);
      await kernel.decide(id, { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' });
      signers = [...signers, signerEntry(to)];
    }
    await kernel.propose('undo', { type: 'rollback', undoes: 'r' });
    for (const n of [1, 2, 3]) await kernel.sign('undo', n);
    const compromise = async () => {
      await first.store.append({
        actor: ASKING.actor,
        writes: [
          {
            stream: 'signer/manifest-3',
            expectedVersion: 1,
            events: [
              {
                id: newEventId(),
                type: 'signer.compromised',
                payload: { signer_kid: 'manifest-3', at: ORIGIN },
              },
            ],
          },
        ],
      });
      signers = signers.map((one) =>
        one.signer_kid === 'manifest-3' ? { ...one, status: 'compromised' } : one,
      );
    };
    const slower = await governed.kernel((store) => overtaken(store, compromise), registryOf(first.store));
    expect(
      await refusal(() =>
        slower.decide('undo', { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' }),
      ),
    ).toBe('last_key');
    expect(await first.store.loadStream('signer/manifest-2')).toHaveLength(1);
  });

  it('names exactly as many events of the key registry as there are before a decision', async () => {
    const SIGNER = 'signer/manifest-9';
    const first = await governed.kernel();
    /** Registry events are those of one stream, and of another that comes while the decision is made. */
    const registry: SigningKeyRegistry = {
      registry: async () => {
        const fence = await first.store.keyFence();
        const events = await first.store.loadStream(SIGNER);
        return {
          state: { ...NO_KEYS, marks: events.map(({ event }) => event) } as never,
          fence,
        };
      },
    };
    const kernel = await governed.kernel(undefined, registry);
    await kernel.propose('u');
    for (const n of [1, 2]) await kernel.sign('u', n);
    let changes = 0;
    const change = async () => {
      changes++;
      await first.store.append({
        actor: ASKING.actor,
        writes: [
          {
            stream: SIGNER,
            expectedVersion: 0,
            events: [
              {
                id: newEventId(),
                type: 'signer.added',
                payload: { signer: { ...signerEntry('manifest-9') } },
              },
            ],
          },
        ],
      });
    };
    const slower = await governed.kernel((store) => overtaken(store, change), registry);
    await slower.sign('u', 3);
    expect(changes).toBe(1);
    const [{ event: added }] = (await first.store.loadStream(SIGNER)) as [StoredEvent];
    const approved = (await first.store.loadStream('upgrade/u')).at(-1)?.event;
    expect(approved).toMatchObject({ type: 'upgrade.approved', payload: { signerEvents: 1, poolEvents: 1 } });
    expect(approved?.seq).toBeGreaterThan(added.seq);
  });
});
