import { type AuditStreamPublisher } from '../audit-stream';

/**
 * The relay's side over PostgreSQL. Nothing is copied: the relay's cursor is the end of the stream, and moving it
 * publishes.
 */
export class PostgresPublisher implements AuditStreamPublisher {
  async prepare(): Promise<void> {
    // The tables came with the migrations.
  }

  async publish(): Promise<void> {
    // The events are where consumers read them.
  }

  async check(): Promise<void> {
    // The process that moves the cursor notices.
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }
}
