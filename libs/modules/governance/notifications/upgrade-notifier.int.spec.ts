import { openEventStoreDataSource, RowKey } from '#platform/event-store';
import { Database } from '#platform/postgres';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { WebhookOutbox, WebhookSecrets } from '#platform/webhooks';
import { type GovernedKernel, governedDatabase } from '../fixtures/governed-store.fixture';
import { UpgradeNotifier } from './upgrade-notifier';

const DAY = 24 * 3_600_000;

describe('the notifier of upgrades', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let governed: Awaited<ReturnType<typeof governedDatabase>>;
  let dataSource: Awaited<ReturnType<typeof openEventStoreDataSource>>;
  let outbox: WebhookOutbox;
  let kernel: GovernedKernel;
  beforeEach(async () => {
    governed = await governedDatabase(postgres());
    ({ database } = governed);
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 3 });
    outbox = new WebhookOutbox(new Database(dataSource, 5_000), RowKey.random('kernel.example.com/test'));
    kernel = await governed.kernel();
  });
  afterEach(async () => {
    await governed.close();
    await dataSource.destroy();
    await database.drop();
  });

  function notifier(of: GovernedKernel = kernel): UpgradeNotifier {
    const secrets = WebhookSecrets.parse(`whsec_${Buffer.alloc(32).toString('base64')}`);
    const endpoint = { url: 'https://hooks.example.com', secrets, ca: null };
    return new UpgradeNotifier(of.store, of.reader, outbox, of.options, {
      endpoints: [
        { ...endpoint, name: 'all', types: null },
        { ...endpoint, name: 'fires', types: new Set(['upgrade.emergency_applied', 'upgrade.unratified']) },
      ],
      expiringMs: 2 * DAY,
    });
  }
  async function told(endpoint = 'all'): Promise<string[]> {
    const { deliveries } = await outbox.page({ state: null, cursor: null, limit: 100 });
    return deliveries
      .filter((one) => one.endpoint === endpoint)
      .map(({ type, subject }) => `${subject} ${type.replace('upgrade.', '')}`)
      .reverse();
  }

  it('takes each event in once, and goes on where the last one died', async () => {
    await kernel.propose('a');
    expect(await notifier().pass(1)).toBe(false);
    for (const n of [1, 2, 3]) await kernel.sign('a', n);
    await Promise.allSettled([notifier().pass(2), notifier().pass(2)]);
    await notifier().pass(3);
    await kernel.decide('a', { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' });
    await notifier().pass(3);
    await notifier().pass(4);
    expect(await told()).toEqual(['a proposed', 'a last_signature_needed', 'a approved', 'a applied']);
    expect(await told('fires')).toEqual([]);
    // A leader that woke up late.
    await kernel.propose('b');
    await expect(notifier().pass(2)).rejects.toMatchObject({ code: 'overtaken' });
    await notifier().pass(4);
    expect((await told()).filter((one) => one.startsWith('b'))).toEqual(['b proposed']);
  });

  it('makes the same ids of the same chain, for receivers to tell repetitions by', async () => {
    await kernel.propose('a');
    await notifier().pass(1);
    const ids = async () =>
      (await outbox.page({ state: null, cursor: null, limit: 10 })).deliveries.map(({ id }) => id);
    const before = await ids();
    expect(before).toEqual([expect.stringMatching(/^msg_[0-9a-f]{32}$/)]);
    await dataSource.query('DELETE FROM kernel.webhook_deliveries');
    await dataSource.query('UPDATE kernel.webhook_positions SET seq = 0');
    await notifier().pass(2);
    expect(await ids()).toEqual(before);
  });

  it('reminds before deadlines, once, of what is open still', async () => {
    for (const id of ['open', 'gone', 'fire']) await kernel.propose(id);
    await kernel.decide('fire', { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
    await notifier().pass(1);
    expect(await told('fires')).toEqual(['fire emergency_applied']);
    governed.clock.now += 1.75 * DAY;
    await notifier().pass(1);
    expect((await told()).slice(4)).toEqual(['fire expiring']);
    governed.clock.now += DAY;
    await kernel.coordinator.pass();
    await kernel.decide('gone', { kind: 'withdraw', reason: 'no', by: 'operator' });
    governed.clock.now += 26 * DAY;
    await notifier().pass(1);
    await notifier().pass(2);
    expect((await told()).slice(5)).toEqual(['fire unratified', 'gone withdrawn', 'open expiring']);
    expect(await told('fires')).toEqual(['fire emergency_applied', 'fire unratified']);
  });

  it('does not tell of what was over long before anybody asked', async () => {
    await kernel.propose('old');
    governed.clock.now += DAY;
    await kernel.propose('new');
    await notifier().pass(1);
    expect(await told()).toEqual(['new proposed']);
  });
});
