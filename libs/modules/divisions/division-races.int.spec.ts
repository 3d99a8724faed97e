import { generateKeyPairSync, sign } from 'node:crypto';
import {
  type AppendRequest,
  type CommandAnswer,
  type EventSigner,
  EventStore,
  migrate,
  openEventStoreDataSource,
} from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Actor, type JsonObject } from '#evidence';
import { migratedBy, type TestDatabase, withPostgres } from '#dev/testing';
import { Allocate, AllocateHandler } from './allocate.handler';
import { ChangeAgentState, ChangeAgentStateHandler } from './change-agent-state.handler';
import { RegisterDivision, RegisterDivisionHandler } from './register-division.handler';
import { SpawnAgent, SpawnAgentHandler } from './spawn-agent.handler';
import { DivisionReader } from './division.reader';
import { type AgentLifecycleState } from './domain/agent';
import { DivisionError } from './domain/division.error';
import { PROFILE, TEMPLATE } from './fixtures/division-story.fixture';
import { type SignedTemplates } from './signed-templates';

const ORIGIN = 'kernel.example.com/races';
const OPERATOR: Actor = { id: 'operator', kind: 'service', roles: ['Operator'] };
const ASKING = { actor: OPERATOR, correlationId: null, idempotency: null };

/** The decisions of one kernel process, each with states that it folded itself. */
class Decisions {
  private readonly reader: DivisionReader;

  constructor(private readonly store: EventStore) {
    this.reader = new DivisionReader(store);
  }

  division(manifest: JsonObject & { id: string }): Promise<CommandAnswer> {
    const signature = { kid: 'manifest-1', keyVersion: '1', signature: Buffer.alloc(64).toString('base64') };
    const options = { origin: ORIGIN, now: () => new Date() };
    const handler = new RegisterDivisionHandler(
      this.store,
      this.reader,
      { sign: async () => signature },
      options,
    );
    return handler.execute(new RegisterDivision(manifest, 'all', ASKING));
  }

  spawn(agentId: string): Promise<CommandAnswer> {
    const templates = { verified: async () => TEMPLATE } as unknown as SignedTemplates;
    const handler = new SpawnAgentHandler(this.store, this.reader, templates);
    return handler.execute(new SpawnAgent(agentId, 'p', { auditId: '' }, PROFILE, 'all', ASKING));
  }

  lead(agentId: string, to: AgentLifecycleState): Promise<CommandAnswer> {
    const handler = new ChangeAgentStateHandler(this.store, this.reader);
    return handler.execute(new ChangeAgentState(agentId, to, null, 'all', ASKING));
  }

  allocate(agentId: string, delta: number): Promise<CommandAnswer> {
    const handler = new AllocateHandler(this.store, this.reader);
    const request = { pool: 'gpu', delta, reason: 'because', requestedBy: 'operator', evalId: null };
    return handler.execute(new Allocate({ agentId, divisionId: 'p' }, request, 'all', ASKING));
  }

  async held(): Promise<JsonObject> {
    const { state } = await this.reader.account('p');
    return Object.fromEntries([...state.held].map(([pool, holders]) => [pool, Object.fromEntries(holders)]));
  }
}

/** A store in which another process is faster: between the decision and its commit, once. */
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

describe('a decision that is overtaken by another', () => {
  const postgres = withPostgres();
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer: EventSigner = {
    activeKid: () => 'audit-1',
    sign: async (_, inputs) => inputs.map((input) => sign(null, input, privateKey).toString('base64')),
  };
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: EventStore;
  let other: Decisions;

  beforeEach(async () => {
    const chain = { origin: ORIGIN, shards: 3 };
    const { runtimeRole } = postgres();
    database = await postgres().createDatabase(migratedBy(migrate, { ...chain, runtimeRole }));
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    store = new EventStore({ ...chain, dataSource, signer });
    other = new Decisions(store);
    await other.division({ id: 'p', budget: 10 });
    await other.spawn('a');
  });
  afterEach(async () => {
    await store.close();
    await dataSource.destroy();
    await database.drop();
  });

  /** Decision of a kernel, or its refusal, when another one does something between its decision and the commit. */
  async function decided(
    act: (kernel: Decisions) => Promise<CommandAnswer>,
    meanwhile: () => Promise<unknown>,
  ): Promise<string | number> {
    let overtook = false;
    const kernel = new Decisions(
      overtaken(store, async () => {
        await meanwhile();
        overtook = true;
      }),
    );
    const outcome = await act(kernel).then(
      ({ status }) => status,
      (error: unknown) => {
        if (error instanceof DivisionError) return error.code;
        throw error;
      },
    );
    expect(overtook).toBe(true);
    return outcome;
  }

  it.each<
    [
      string,
      (kernel: Decisions) => Promise<CommandAnswer>,
      (other: Decisions) => Promise<unknown>,
      string | number,
    ]
  >([
    ['a grant, by a grant', (k) => k.allocate('a', 6), (o) => o.allocate('a', 5), 'over_budget'],
    ['a grant that still fits, by a grant', (k) => k.allocate('a', 6), (o) => o.allocate('a', 4), 200],
    [
      'a grant, by a cut of the budget',
      (k) => k.allocate('a', 6),
      (o) => o.division({ id: 'p', budget: 5, version: 1 }),
      'over_budget',
    ],
    ['a grant, by a retirement', (k) => k.allocate('a', 6), (o) => o.lead('a', 'retired'), 'agent_retired'],
    [
      'a cut of the budget, by a grant',
      (k) => k.division({ id: 'p', budget: 5, version: 1 }),
      (o) => o.allocate('a', 6),
      'budget_below_allocated',
    ],
    [
      'a change of a division, by another',
      (k) => k.division({ id: 'p', budget: 5, version: 1 }),
      (o) => o.division({ id: 'p', budget: 6, version: 1 }),
      'stale_version',
    ],
    [
      'a spawning, by the end of the division',
      (k) => k.spawn('b'),
      (o) => o.division({ id: 'p', budget: 10, version: 1, status: 'retired' }),
      'division_not_active',
    ],
    ['a spawning, by one with the same id', (k) => k.spawn('b'), (o) => o.spawn('b'), 'agent_exists'],
    [
      'a start, by a pause of the division',
      (k) => k.lead('a', 'running'),
      (o) => o.division({ id: 'p', budget: 10, version: 1, status: 'paused' }),
      'division_not_active',
    ],
    [
      'a start, by a retirement',
      (k) => k.lead('a', 'running'),
      (o) => o.lead('a', 'retired'),
      'agent_retired',
    ],
  ])('%s', async (_, act, meanwhile, outcome) => {
    expect(await decided(act, () => meanwhile(other))).toBe(outcome);
  });

  it('a release is made once, though it was decided twice', async () => {
    await other.allocate('a', 6);
    expect(
      await decided(
        (k) => k.allocate('a', -6),
        () => other.allocate('a', -4),
      ),
    ).toBe('nothing_to_release');
    expect(await other.held()).toEqual({ gpu: { 'agent/a': 2_000 } });
  });

  it.each([0, 3])(
    'a retirement releases what was granted a moment before, beside %d from long before',
    async (held) => {
      if (held > 0) await other.allocate('a', held);
      expect(
        await decided(
          (k) => k.lead('a', 'retired'),
          () => other.allocate('a', 4),
        ),
      ).toBe(200);
      expect(await other.held()).toEqual({});
    },
  );
});
