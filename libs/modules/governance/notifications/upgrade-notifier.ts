import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { evolvePool, type PoolState } from '#evidence';
import { EventStore, type StoredEvent } from '#platform/event-store';
import { type NewDelivery, type Reminder, WebhookOutbox } from '#platform/webhooks';
import {
  expiring,
  type Happening,
  notificationsOf,
  NOTIFYING_EVENTS,
  remindersOf,
  type UpgradeNotification,
  type UpgradeReminder,
} from '../domain/upgrade.notifications';
import { evolveUpgrade, type UpgradeState } from '../domain/upgrade.state';
import { GovernanceOptions } from '../governance.ports';
import { GovernanceReader, upgradeStream } from '../governance.reader';
import { NotificationOptions } from './notification.options';

/** Names the position; the shard is that of governance. */
const CONSUMER = 'upgrade-notifications';
const PAGE = 100;
/** Period covered by the first pass: earlier events were over before anyone asked for notifications. */
const FIRST_LOOK_MS = 60 * 60 * 1_000;
/** Most undelivered notifications. Beyond it, events wait in the chain, which keeps them better than a queue. */
const MAX_PENDING = 10_000;

/**
 * Makes notifications from the chain's events about upgrades. The position moves in the statement that queues them, so
 * each event is taken in once, whichever process dies where.
 */
@Injectable()
export class UpgradeNotifier {
  private readonly logger = new Logger(UpgradeNotifier.name);

  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly outbox: WebhookOutbox,
    private readonly options: GovernanceOptions,
    private readonly notifications: NotificationOptions,
  ) {}

  /**
   * Takes in new events and due reminders, a page of each.
   * @param epoch of the term: a later leader's position is not moved
   * @returns whether there may be more
   * @throws WebhookError `overtaken`, EventStoreError, PostgresError
   */
  async pass(epoch: number): Promise<boolean> {
    const pending = (await this.outbox.backlog())
      .filter(({ state }) => state === 'pending')
      .reduce((sum, { count }) => sum + count, 0);
    if (pending >= MAX_PENDING) {
      this.logger.warn(
        `${pending} notifications wait for their receivers; no more are made until they go down`,
      );
      return false;
    }
    const events = await this.takeEvents(epoch);
    const reminders = await this.takeReminders();
    return events === PAGE || reminders === PAGE;
  }

  private async takeEvents(epoch: number): Promise<number> {
    const shard = this.store.shardOf(upgradeStream(''));
    const from = await this.outbox.position(CONSUMER);
    const events = await this.store.readTypes(shard, {
      afterSeq: from ?? 0,
      types: NOTIFYING_EVENTS,
      limit: PAGE,
    });
    const last = events.at(-1);
    if (last === undefined) return 0;
    const earliest = from === null ? this.options.now().getTime() - FIRST_LOOK_MS : -Infinity;
    const deliveries: NewDelivery[] = [];
    const reminders: Reminder[] = [];
    for (const happening of await this.happenings(events)) {
      if (Date.parse(happening.event.ts) < earliest) continue;
      for (const one of notificationsOf(happening)) deliveries.push(...this.deliveriesOf(one));
      for (const one of remindersOf(happening, this.notifications.expiringMs)) {
        const subject = happening.after.upgradeId;
        reminders.push({ ...one, subject, key: digest(`${subject} ${one.kind} ${one.deadline}`) });
      }
    }
    const move = { consumer: CONSUMER, from: from ?? 0, to: last.event.seq, epoch };
    await this.outbox.commit(move, deliveries, reminders);
    return events.length;
  }

  /** Each event with its upgrade before and after it, and the pool at that point. */
  private async happenings(events: readonly StoredEvent[]): Promise<Happening[]> {
    const pool = (await this.reader.pool()).events;
    const streams = new Map<string, StoredEvent[]>();
    const found: Happening[] = [];
    for (const { event } of events) {
      let stream = streams.get(event.stream);
      if (stream === undefined) {
        stream = await this.store.loadStream(event.stream);
        streams.set(event.stream, stream);
      }
      const folded = (versions: number): UpgradeState | null =>
        stream
          .slice(0, versions)
          .reduce<UpgradeState | null>((state, one) => evolveUpgrade(state, one.event), null);
      const after = folded(event.streamVersion);
      const poolThen = pool
        .filter((one) => one.event.seq < event.seq)
        .reduce<PoolState | null>((state, one) => evolvePool(state, one.event), null);
      if (after === null || poolThen === null) continue;
      found.push({
        event,
        before: folded(event.streamVersion - 1),
        after,
        pool: poolThen,
        origin: this.options.origin,
      });
    }
    return found;
  }

  private async takeReminders(): Promise<number> {
    const now = this.options.now();
    const due = await this.outbox.dueReminders(CONSUMER, now, PAGE);
    for (const { key, subject, kind, deadline } of due) {
      const loaded = await this.reader.upgrade(subject);
      const { state: pool } = await this.reader.pool();
      const notification =
        loaded === null || pool === null
          ? null
          : expiring(
              { kind: kind as UpgradeReminder['kind'], deadline },
              loaded.state,
              pool,
              now.getTime(),
              this.options.origin,
            );
      await this.outbox.settleReminder(
        CONSUMER,
        key,
        notification === null ? [] : this.deliveriesOf(notification),
      );
    }
    return due.length;
  }

  private deliveriesOf({ type, cause, timestamp, upgradeId, data }: UpgradeNotification): NewDelivery[] {
    const id = `msg_${digest(`${this.options.origin}\n${type}\n${cause}`)}`;
    const body = JSON.stringify({ type, timestamp, data });
    return this.notifications.endpoints
      .filter(({ types }) => types === null || types.has(type))
      .map((endpoint) => ({ id, endpoint: endpoint.name, type, subject: upgradeId, body }));
  }
}

/** Id without a dot: in the signed text, dots separate the id from the rest (Standard Webhooks). */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
