import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * How far each webhook subscription is, and the events whose delivery failed. Neither says what is sent, or where: that is
 * the chain's word (docs/adr/0178-webhooks-follow-the-index.md).
 */
export class WebhookSubscriptions1764920000000 implements MigrationInterface {
  readonly name = 'WebhookSubscriptions1764920000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.webhook_places, kernel.webhook_retries');
  }
}

const STATEMENTS = [
  // The place of each shard, as a JSON list in their order. The epoch is that of the leader that may move the row.
  `CREATE TABLE kernel.webhook_places (
     subscription text PRIMARY KEY CHECK (subscription <> ''),
     places text NOT NULL,
     epoch bigint NOT NULL CHECK (epoch >= 1),
     mac bytea NOT NULL,
     updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
   ) WITH (fillfactor = 50)`,
  `CREATE TABLE kernel.webhook_retries (
     n bigint GENERATED ALWAYS AS IDENTITY,
     subscription text NOT NULL CHECK (subscription <> ''),
     event_id uuid NOT NULL,
     type text NOT NULL,
     state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dead')),
     attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
     created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     died_at timestamptz,
     last_status integer,
     last_error text,
     CONSTRAINT webhook_retries_pkey PRIMARY KEY (subscription, event_id),
     CONSTRAINT webhook_retries_died CHECK ((state = 'dead') = (died_at IS NOT NULL))
   )`,
  `CREATE INDEX webhook_retries_due_idx ON kernel.webhook_retries (subscription, due_at) WHERE state = 'pending'`,
  `CREATE UNIQUE INDEX webhook_retries_page_idx ON kernel.webhook_retries (subscription, n)`,
  `CREATE INDEX webhook_retries_died_idx ON kernel.webhook_retries (died_at) WHERE state = 'dead'`,
];
