import { type RowFault, RowKey } from '#platform/event-store';
import { Database, storable } from '#platform/postgres';
import { WebhookError } from './webhook.error';

export type RetryState = 'pending' | 'dead';

/** A delivery that failed. What is sent, and where, is read from the chain each time. */
export interface Retry {
  eventId: string;
  attempts: number;
}

export interface FailedAttempt {
  eventId: string;
  type: string;
  status: number | null;
  error: string;
  /** Time until it is tried again; null: never. */
  waitMs: number | null;
}

export interface RetryView {
  eventId: string;
  type: string;
  state: RetryState;
  attempts: number;
  createdAt: string;
  /** When it is tried next; null when it is dead. */
  dueAt: string | null;
  diedAt: string | null;
  lastStatus: number | null;
  lastError: string | null;
}

export interface RetryPage {
  deliveries: RetryView[];
  nextCursor: string | null;
}

/** Dead letters of a subscription that are kept, the newest: who needs older ones reads the chain. */
const MAX_DEAD = 10_000;
const KEPT_DEAD = '90 days';
/** Rows removed by one statement, and statements at a time: more than lanes can fill between two of them. */
const PRUNE_BATCH = 1_000;
const MAX_BATCHES = 1_000;
const MAX_SHARDS = 65_536;

/** Places move, and failures are noted, in one statement, and only by the leader with the highest epoch. */
const MOVE = `WITH moved AS (
    INSERT INTO kernel.webhook_places AS p (subscription, places, epoch, mac) VALUES ($1, $2, $3, $4)
    ON CONFLICT (subscription) DO UPDATE
      SET places = EXCLUDED.places, epoch = EXCLUDED.epoch, mac = EXCLUDED.mac, updated_at = clock_timestamp()
      WHERE p.epoch <= EXCLUDED.epoch
    RETURNING true),
  noted AS (
    INSERT INTO kernel.webhook_retries (subscription, event_id, type, attempts, state, due_at, died_at, last_status, last_error)
    SELECT $1, f."eventId", f.type, 1, CASE WHEN f."waitMs" IS NULL THEN 'dead' ELSE 'pending' END,
           clock_timestamp() + coalesce(f."waitMs", 0) * interval '1 millisecond',
           CASE WHEN f."waitMs" IS NULL THEN clock_timestamp() END, f.status, f.error
    FROM moved, json_to_recordset($5::json)
      AS f("eventId" uuid, type text, status integer, error text, "waitMs" float8)
    ON CONFLICT DO NOTHING)
  SELECT true FROM moved`;

function columnsOf(subscription: string, places: string, epoch: number): (string | number)[] {
  return [subscription, places, epoch];
}

/**
 * How far each subscription is in the chain, and its failed deliveries, in PostgreSQL. Delivered events leave no row: the
 * chain is the queue. Whoever writes these rows can have true events sent again to the receivers that asked for them, or
 * have a retry forgotten, but cannot pass over events that were not tried: the place carries a MAC.
 */
export class RetryList {
  constructor(
    private readonly database: Database,
    private readonly rowKey: RowKey,
    /** Told of places that no kernel wrote; they count as missing. */
    private readonly onFault: (fault: RowFault) => void = () => undefined,
  ) {}

  /** The place in each shard, in their order; null before the first, and when the row is not this kernel's. */
  async places(subscription: string): Promise<number[] | null> {
    const [row] = await this.database.query<{ places: string; epoch: string; mac: Buffer }>(
      'SELECT places, epoch, mac FROM kernel.webhook_places WHERE subscription = $1',
      [subscription],
    );
    if (row === undefined) return null;
    const columns = columnsOf(subscription, row.places, Number(row.epoch));
    if (this.rowKey.verifies('webhook_places', columns, row.mac)) return JSON.parse(row.places) as number[];
    // Out of the way: with an epoch of the forger's choosing it would stop every later move.
    await this.database.query('DELETE FROM kernel.webhook_places WHERE subscription = $1 AND mac = $2', [
      subscription,
      row.mac,
    ]);
    this.onFault({
      where: 'webhook',
      message: `The place of the webhook ${subscription} was not written by this kernel; events may be sent to it again.`,
    });
    return null;
  }

  /** @throws WebhookError `overtaken` when a later leader has moved it */
  async move(
    subscription: string,
    { places, epoch }: { places: readonly number[]; epoch: number },
    failed: readonly FailedAttempt[],
  ): Promise<void> {
    if (places.length > MAX_SHARDS) throw new RangeError(`${places.length} shards are too many`);
    const text = JSON.stringify(places);
    const mac = this.rowKey.mac('webhook_places', columnsOf(subscription, text, epoch));
    const moved = await this.database.query(MOVE, [
      subscription,
      text,
      epoch,
      mac,
      JSON.stringify(failed.map((one) => ({ ...one, error: storable(one.error) }))),
    ]);
    if (moved.length > 0) return;
    throw new WebhookError('overtaken', `another process moved the place of ${subscription}`);
  }

  /** Failed deliveries to try now, the longest due first. */
  async due(subscription: string, limit: number): Promise<Retry[]> {
    return this.database.query<{ eventId: string; attempts: number }>(
      `SELECT event_id AS "eventId", attempts FROM kernel.webhook_retries
       WHERE subscription = $1 AND state = 'pending' AND due_at <= clock_timestamp() ORDER BY due_at, n LIMIT $2`,
      [subscription, limit],
    );
  }

  /** Forgets a retry: it was delivered, or is not for this subscription. */
  async settled(subscription: string, eventId: string): Promise<void> {
    await this.database.query(
      `DELETE FROM kernel.webhook_retries WHERE subscription = $1 AND event_id = $2`,
      [subscription, eventId],
    );
  }

  async failed(subscription: string, { eventId, status, error, waitMs }: FailedAttempt): Promise<void> {
    await this.database.query(
      `UPDATE kernel.webhook_retries SET attempts = attempts + 1, last_status = $3, last_error = $4,
         state = CASE WHEN $5::float8 IS NULL THEN 'dead' ELSE state END,
         died_at = CASE WHEN $5::float8 IS NULL THEN clock_timestamp() END,
         due_at = clock_timestamp() + coalesce($5::float8, 0) * interval '1 millisecond'
       WHERE subscription = $1 AND event_id = $2 AND state = 'pending'`,
      [subscription, eventId, status, storable(error), waitMs],
    );
  }

  async pending(subscription: string): Promise<number> {
    const [row] = await this.database.query<{ count: string }>(
      `SELECT count(*) FROM kernel.webhook_retries WHERE subscription = $1 AND state = 'pending'`,
      [subscription],
    );
    return Number(row?.count ?? 0);
  }

  /** Tries all dead letters again, at once and with all attempts before them. */
  async reviveAll(subscription: string): Promise<void> {
    await this.database.query(
      `UPDATE kernel.webhook_retries SET state = 'pending', attempts = 0, due_at = clock_timestamp(), died_at = NULL
       WHERE subscription = $1 AND state = 'dead'`,
      [subscription],
    );
  }

  /** Has events sent, whether they were delivered or not. */
  async sendAgain(subscription: string, events: readonly { eventId: string; type: string }[]): Promise<void> {
    await this.database.query(
      `INSERT INTO kernel.webhook_retries (subscription, event_id, type)
       SELECT $1, e."eventId", e.type FROM json_to_recordset($2::json) AS e("eventId" uuid, type text)
       ON CONFLICT (subscription, event_id) DO UPDATE
         SET state = 'pending', attempts = 0, due_at = clock_timestamp(), died_at = NULL`,
      [subscription, JSON.stringify(events)],
    );
  }

  /** Undelivered events, by subscription. */
  async backlog(): Promise<{ subscription: string; state: RetryState; count: number }[]> {
    const rows = await this.database.query<{ subscription: string; state: RetryState; count: string }>(
      'SELECT subscription, state, count(*) FROM kernel.webhook_retries GROUP BY subscription, state',
      [],
    );
    return rows.map(({ count, ...row }) => ({ ...row, count: Number(count) }));
  }

  /** Newest first. `cursor` is the `nextCursor` of the page before. */
  async page(
    subscription: string,
    { state, cursor, limit }: { state: RetryState | null; cursor: number | null; limit: number },
  ): Promise<RetryPage> {
    const rows = await this.database.query<{
      n: string;
      event_id: string;
      type: string;
      state: RetryState;
      attempts: number;
      created_at: Date;
      due_at: Date;
      died_at: Date | null;
      last_status: number | null;
      last_error: string | null;
    }>(
      `SELECT n, event_id, type, state, attempts, created_at, due_at, died_at, last_status, last_error
       FROM kernel.webhook_retries
       WHERE subscription = $1 AND ($2::text IS NULL OR state = $2) AND ($3::bigint IS NULL OR n < $3)
       ORDER BY n DESC LIMIT $4`,
      [subscription, state, cursor, limit + 1],
    );
    const page = rows.slice(0, limit);
    return {
      deliveries: page.map((row) => ({
        eventId: row.event_id,
        type: row.type,
        state: row.state,
        attempts: row.attempts,
        createdAt: row.created_at.toISOString(),
        dueAt: row.state === 'pending' ? row.due_at.toISOString() : null,
        diedAt: row.died_at?.toISOString() ?? null,
        lastStatus: row.last_status,
        lastError: row.last_error,
      })),
      nextCursor: rows.length > limit ? (page.at(-1)?.n ?? null) : null,
    };
  }

  /** Forgets what belongs to no subscription any more, and dead letters that are old or too many, a batch at a time. */
  async prune(subscriptions: readonly string[]): Promise<void> {
    await this.database.query('DELETE FROM kernel.webhook_places WHERE subscription <> ALL ($1::text[])', [
      subscriptions,
    ]);
    await this.removeAll(
      `subscription <> ALL ($1::text[]) OR (state = 'dead' AND died_at < clock_timestamp() - $2::interval)`,
      [subscriptions, KEPT_DEAD],
    );
    for (const subscription of subscriptions) {
      await this.removeAll(`subscription = $1 AND state = 'dead' ORDER BY n DESC OFFSET $2`, [
        subscription,
        MAX_DEAD,
      ]);
    }
  }

  /** Removes the rows that a condition with two values selects, a batch at a time. */
  private async removeAll(condition: string, values: readonly [unknown, unknown]): Promise<void> {
    for (let batch = 0; batch < MAX_BATCHES; batch++) {
      const removed = await this.database.query<{ count: string }>(
        `WITH gone AS (
           DELETE FROM kernel.webhook_retries
           WHERE n IN (SELECT n FROM kernel.webhook_retries WHERE ${condition} LIMIT $3) RETURNING 1)
         SELECT count(*) FROM gone`,
        [...values, PRUNE_BATCH],
      );
      if (Number(removed[0]?.count ?? 0) < PRUNE_BATCH) return;
    }
  }
}
