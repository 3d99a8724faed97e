import { type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * Traces that go on behind the commit: the relay and the workers continue the trace of the request that wrote an event. Beside
 * the events and not in them, since they are evidence of nothing: a row may be lost or forged, and a picture of time is all
 * that changes. Only recorded traces have one, for a day (docs/adr/0206-traces-go-on-beside-the-events.md).
 */
export class EventTraces1764970000000 implements MigrationInterface {
  readonly name = 'EventTraces1764970000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kernel.event_traces');
  }
}

const STATEMENTS = [
  // Not logged: after a crash of the server it is empty, and nobody misses it.
  `CREATE UNLOGGED TABLE kernel.event_traces (
     shard integer NOT NULL,
     seq bigint NOT NULL,
     traceparent text NOT NULL CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'),
     recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT event_traces_pkey PRIMARY KEY (shard, seq)
   )`,
  `CREATE INDEX event_traces_recorded_at ON kernel.event_traces (recorded_at)`,
];
