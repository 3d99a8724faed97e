import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Notifications on their way to other systems: a projection of the chain, and its position. Ids follow from their
 * causes, so when it is emptied and made again, receivers recognise what they have received.
 */
export class Webhooks1764700000000 implements MigrationInterface {
  readonly name = 'Webhooks1764700000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE kernel.webhook_deliveries, kernel.webhook_reminders, kernel.webhook_positions',
    );
  }
}

const STATEMENTS = [
  // Without a row nothing was read yet. The epoch is that of the leader that may move the row.
  `CREATE TABLE kernel.webhook_positions (
     consumer text PRIMARY KEY CHECK (consumer <> ''),
     seq bigint NOT NULL CHECK (seq >= 0),
     epoch bigint NOT NULL CHECK (epoch >= 1),
     updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
   ) WITH (fillfactor = 50)`,
  `CREATE TABLE kernel.webhook_deliveries (
     n bigint GENERATED ALWAYS AS IDENTITY,
     id text NOT NULL CHECK (id <> ''),
     endpoint text NOT NULL,
     type text NOT NULL,
     subject text NOT NULL,
     body text NOT NULL,
     state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
     attempts integer NOT NULL DEFAULT 0,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     settled_at timestamptz,
     last_status integer,
     last_error text,
     CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id, endpoint),
     CONSTRAINT webhook_deliveries_settled CHECK ((state = 'pending') = (settled_at IS NULL))
   )`,
  `CREATE UNIQUE INDEX webhook_deliveries_n_idx ON kernel.webhook_deliveries (n)`,
  `CREATE INDEX webhook_deliveries_due_idx ON kernel.webhook_deliveries (endpoint, due_at) WHERE state = 'pending'`,
  `CREATE INDEX webhook_deliveries_open_idx ON kernel.webhook_deliveries (state, n) WHERE state <> 'delivered'`,
  `CREATE INDEX webhook_deliveries_settled_idx ON kernel.webhook_deliveries (settled_at) WHERE state <> 'pending'`,
  `CREATE TABLE kernel.webhook_reminders (
     consumer text NOT NULL,
     key text NOT NULL,
     subject text NOT NULL,
     kind text NOT NULL,
     due_at timestamptz NOT NULL,
     deadline timestamptz NOT NULL,
     CONSTRAINT webhook_reminders_pkey PRIMARY KEY (consumer, key)
   )`,
  `CREATE INDEX webhook_reminders_due_idx ON kernel.webhook_reminders (consumer, due_at)`,
];
