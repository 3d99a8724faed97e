import { type RowFault, RowKey } from '#platform/event-store';
import { Database, storable } from '#platform/postgres';
import { WebhookError } from './webhook.error';

export type DeliveryState = 'pending' | 'delivered' | 'dead';

export interface NewDelivery {
  /** Same id for the same cause, however often it is found: receivers recognise repetitions by it. */
  id: string;
  endpoint: string;
  type: string;
  /** Subject, for people. */
  subject: string;
  /** JSON, exactly as it is sent and signed. */
  body: string;
}

/** Something to check again at a time, unless it has become pointless by then. */
export interface Reminder {
  key: string;
  subject: string;
  kind: string;
  /** RFC 3339. */
  dueAt: string;
  /** What it reminds of. */
  deadline: string;
}

export interface DueDelivery {
  id: string;
  body: string;
  type: string;
  attempts: number;
}

export interface DeliveryView {
  id: string;
  endpoint: string;
  type: string;
  subject: string;
  state: DeliveryState;
  attempts: number;
  createdAt: string;
  /** When it is tried next; null when it is settled. */
  dueAt: string | null;
  settledAt: string | null;
  lastStatus: number | null;
  lastError: string | null;
}

export interface DeliveryPage {
  deliveries: DeliveryView[];
  nextCursor: string | null;
}

/**
 * Turns findings in the chain into deliveries and reminders in the statement that moves the position: all or nothing,
 * and only by the leader with the highest epoch.
 */
const COMMIT = `WITH moved AS (
    INSERT INTO kernel.webhook_positions AS p (consumer, seq, epoch) VALUES ($1, $3, $4)
    ON CONFLICT (consumer) DO UPDATE SET seq = EXCLUDED.seq, epoch = EXCLUDED.epoch, updated_at = clock_timestamp()
      WHERE p.seq = $2 AND p.epoch <= EXCLUDED.epoch
    RETURNING p.seq),
  queued AS (
    INSERT INTO kernel.webhook_deliveries (id, endpoint, type, subject, body, mac)
    SELECT d.id, d.endpoint, d.type, d.subject, d.body, decode(d.mac, 'hex')
    FROM moved, json_to_recordset($5::json) AS d(id text, endpoint text, type text, subject text, body text, mac text)
    ON CONFLICT DO NOTHING),
  reminded AS (
    INSERT INTO kernel.webhook_reminders (consumer, key, subject, kind, due_at, deadline)
    SELECT $1, r.key, r.subject, r.kind, r."dueAt", r.deadline
    FROM moved, json_to_recordset($6::json)
      AS r(key text, subject text, kind text, "dueAt" timestamptz, deadline timestamptz)
    ON CONFLICT DO NOTHING)
  SELECT seq FROM moved`;

const SETTLE_REMINDER = `WITH gone AS (
    DELETE FROM kernel.webhook_reminders WHERE consumer = $1 AND key = $2 RETURNING key)
  INSERT INTO kernel.webhook_deliveries (id, endpoint, type, subject, body, mac)
  SELECT d.id, d.endpoint, d.type, d.subject, d.body, decode(d.mac, 'hex')
  FROM gone, json_to_recordset($3::json) AS d(id text, endpoint text, type text, subject text, body text, mac text)
  ON CONFLICT DO NOTHING`;

/** How long settled deliveries stay in the list. */
const KEPT_DELIVERED = '7 days';
const KEPT_DEAD = '90 days';
/** Rows removed by one statement. */
const PRUNE_BATCH = 500;

function columnsOf({ id, endpoint, type, subject, body }: NewDelivery): string[] {
  return [id, endpoint, type, subject, body];
}

/** Deliveries, reminders and positions, in PostgreSQL. */
export class WebhookOutbox {
  constructor(
    private readonly database: Database,
    private readonly rowKey: RowKey,
    /** Told of deliveries that this kernel did not queue; they are not sent. */
    private readonly onFault: (fault: RowFault) => void = () => undefined,
  ) {}

  /** Position up to which events were read; null before the first time. */
  async position(consumer: string): Promise<number | null> {
    const [row] = await this.database.query<{ seq: string }>(
      'SELECT seq FROM kernel.webhook_positions WHERE consumer = $1',
      [consumer],
    );
    return row === undefined ? null : Number(row.seq);
  }

  /** @throws WebhookError `overtaken` when another process has moved the position */
  async commit(
    move: { consumer: string; from: number; to: number; epoch: number },
    deliveries: readonly NewDelivery[],
    reminders: readonly Reminder[],
  ): Promise<void> {
    const { consumer, from, to, epoch } = move;
    const moved = await this.database.query(COMMIT, [
      consumer,
      from,
      to,
      epoch,
      this.authenticated(deliveries),
      JSON.stringify(reminders),
    ]);
    if (moved.length > 0) return;
    throw new WebhookError('overtaken', `another process moved the position of ${consumer} on from ${from}`);
  }

  private authenticated(deliveries: readonly NewDelivery[]): string {
    return JSON.stringify(
      deliveries.map((delivery) => ({
        ...delivery,
        mac: this.rowKey.mac('webhook_deliveries', columnsOf(delivery)).toString('hex'),
      })),
    );
  }

  async dueReminders(consumer: string, now: Date, limit: number): Promise<Reminder[]> {
    const rows = await this.database.query<{ due: Date; until: Date } & Reminder>(
      `SELECT key, subject, kind, due_at AS due, deadline AS until FROM kernel.webhook_reminders
       WHERE consumer = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3`,
      [consumer, now.toISOString(), limit],
    );
    return rows.map(({ key, subject, kind, due, until }) => ({
      key,
      subject,
      kind,
      dueAt: due.toISOString(),
      deadline: until.toISOString(),
    }));
  }

  /** Forgets a reminder and queues its deliveries, both or neither. */
  async settleReminder(consumer: string, key: string, deliveries: readonly NewDelivery[]): Promise<void> {
    await this.database.query(SETTLE_REMINDER, [consumer, key, this.authenticated(deliveries)]);
  }

  /** Deliveries to try now. One that no kernel queued goes to the dead letters: what is sent is signed. */
  async due(endpoint: string, limit: number): Promise<DueDelivery[]> {
    const rows = await this.database.query<DueDelivery & { subject: string; mac: Buffer | null }>(
      `SELECT id, body, type, subject, attempts, mac FROM kernel.webhook_deliveries
       WHERE endpoint = $1 AND state = 'pending' AND due_at <= clock_timestamp() ORDER BY due_at, n LIMIT $2`,
      [endpoint, limit],
    );
    const due: DueDelivery[] = [];
    for (const { mac, subject, ...delivery } of rows) {
      const { id, type, body } = delivery;
      const columns = columnsOf({ id, endpoint, type, subject, body });
      if (mac !== null && this.rowKey.verifies('webhook_deliveries', columns, mac)) {
        due.push(delivery);
        continue;
      }
      const message = `The notification ${JSON.stringify(id)} to ${endpoint} was not queued by this kernel.`;
      this.onFault({ where: 'notification', message });
      await this.failed(id, endpoint, { status: null, error: message, waitMs: null });
    }
    return due;
  }

  async delivered(id: string, endpoint: string, status: number): Promise<void> {
    await this.database.query(
      `UPDATE kernel.webhook_deliveries SET state = 'delivered', attempts = attempts + 1, last_status = $3,
         last_error = NULL, settled_at = clock_timestamp()
       WHERE id = $1 AND endpoint = $2 AND state = 'pending'`,
      [id, endpoint, status],
    );
  }

  /** @param waitMs time until it is tried again; null: never */
  async failed(
    id: string,
    endpoint: string,
    { status, error, waitMs }: { status: number | null; error: string; waitMs: number | null },
  ): Promise<void> {
    await this.database.query(
      `UPDATE kernel.webhook_deliveries SET attempts = attempts + 1, last_status = $3, last_error = $4,
         state = CASE WHEN $5::float8 IS NULL THEN 'dead' ELSE state END,
         settled_at = CASE WHEN $5::float8 IS NULL THEN clock_timestamp() END,
         due_at = clock_timestamp() + coalesce($5::float8, 0) * interval '1 millisecond'
       WHERE id = $1 AND endpoint = $2 AND state = 'pending'`,
      [id, endpoint, status, storable(error), waitMs],
    );
  }

  /** Abandons deliveries to endpoints that no longer exist. */
  async abandonAllBut(endpoints: readonly string[]): Promise<number> {
    const rows = await this.database.query(
      `UPDATE kernel.webhook_deliveries SET state = 'dead', settled_at = clock_timestamp(),
         last_error = 'the configuration does not name this endpoint any more'
       WHERE state = 'pending' AND endpoint <> ALL ($1::text[]) RETURNING true`,
      [endpoints],
    );
    return rows.length;
  }

  /** Endpoints to which a notification was not delivered. @param endpoint null: anywhere */
  async undelivered(id: string, endpoint: string | null): Promise<string[]> {
    const rows = await this.database.query<{ endpoint: string }>(
      `SELECT endpoint FROM kernel.webhook_deliveries
       WHERE id = $1 AND state <> 'delivered' AND ($2::text IS NULL OR endpoint = $2) ORDER BY endpoint`,
      [id, endpoint],
    );
    return rows.map((row) => row.endpoint);
  }

  /** Retries dead letters, at once and with all attempts ahead of them. A repeated call changes nothing. */
  async revive(id: string, endpoint: string | null): Promise<void> {
    await this.database.query(
      `UPDATE kernel.webhook_deliveries SET state = 'pending', attempts = 0, due_at = clock_timestamp(), settled_at = NULL
       WHERE id = $1 AND state = 'dead' AND ($2::text IS NULL OR endpoint = $2)`,
      [id, endpoint],
    );
  }

  /** Undelivered notifications, by endpoint. */
  async backlog(): Promise<{ endpoint: string; state: DeliveryState; count: number; oldestS: number }[]> {
    const rows = await this.database.query<{
      endpoint: string;
      state: DeliveryState;
      count: string;
      oldest: string;
    }>(
      `SELECT endpoint, state, count(*), extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest
       FROM kernel.webhook_deliveries WHERE state <> 'delivered' GROUP BY endpoint, state`,
      [],
    );
    return rows.map(({ endpoint, state, count, oldest }) => ({
      endpoint,
      state,
      count: Number(count),
      oldestS: Number(oldest),
    }));
  }

  /** Newest first. `cursor` is the `nextCursor` of the page before. */
  async page(query: {
    state: DeliveryState | null;
    cursor: number | null;
    limit: number;
  }): Promise<DeliveryPage> {
    const { state, cursor, limit } = query;
    const rows = await this.database.query<{
      n: string;
      id: string;
      endpoint: string;
      type: string;
      subject: string;
      state: DeliveryState;
      attempts: number;
      created_at: Date;
      due_at: Date;
      settled_at: Date | null;
      last_status: number | null;
      last_error: string | null;
    }>(
      `SELECT n, id, endpoint, type, subject, state, attempts, created_at, due_at, settled_at, last_status, last_error
       FROM kernel.webhook_deliveries
       WHERE ($1::text IS NULL OR state = $1) AND ($2::bigint IS NULL OR n < $2) ORDER BY n DESC LIMIT $3`,
      [state, cursor, limit + 1],
    );
    const page = rows.slice(0, limit);
    return {
      deliveries: page.map((row) => ({
        id: row.id,
        endpoint: row.endpoint,
        type: row.type,
        subject: row.subject,
        state: row.state,
        attempts: row.attempts,
        createdAt: row.created_at.toISOString(),
        dueAt: row.state === 'pending' ? row.due_at.toISOString() : null,
        settledAt: row.settled_at?.toISOString() ?? null,
        lastStatus: row.last_status,
        lastError: row.last_error,
      })),
      nextCursor: rows.length > limit ? (page.at(-1)?.n ?? null) : null,
    };
  }

  /** Forgets deliveries settled long ago, a small batch at a time. */
  async prune(): Promise<void> {
    await this.database.query(
      `DELETE FROM kernel.webhook_deliveries WHERE n IN (
         SELECT n FROM kernel.webhook_deliveries
         WHERE (state = 'delivered' AND settled_at < clock_timestamp() - $1::interval)
            OR (state = 'dead' AND settled_at < clock_timestamp() - $2::interval)
         ORDER BY n LIMIT $3)`,
      [KEPT_DELIVERED, KEPT_DEAD, PRUNE_BATCH],
    );
  }
}
