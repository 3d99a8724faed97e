import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { PipelineDurability } from '#platform/audit-stream';
import { type Patience, type Scope } from '#platform/edge';
import { EventStore } from '#platform/event-store';
import { PublishedLog } from '#platform/log';
import { AuditError } from './domain/audit.error';
import { existingEvent } from './get-event.handler';
import { readingLog } from './published-log.errors';

/** The receipt of one event (c2sp.org/tlog-proof), as soon as its checkpoint is published. */
export class GetReceipt extends Query<string> {
  constructor(
    readonly id: string,
    readonly scope: Scope,
    readonly patience: Patience,
  ) {
    super();
  }
}

@QueryHandler(GetReceipt)
export class GetReceiptHandler implements IQueryHandler<GetReceipt, string> {
  constructor(
    private readonly store: EventStore,
    private readonly log: PublishedLog,
    private readonly durability: PipelineDurability,
  ) {}

  async execute({ id, scope, patience }: GetReceipt): Promise<string> {
    const { shard, seq } = (await existingEvent(this.store, id, scope)).event;
    const receipt = async (): Promise<string | undefined> =>
      readingLog(async () => (await this.log.proofs(shard, [seq]))?.proofs[0]);
    const now = await receipt();
    if (now !== undefined) return now;
    const waitMs = patience.waitMs(this.durability.maxWaitMs);
    if (waitMs > 0 && (await this.durability.reached('logged', `${shard}:${seq}`, waitMs, patience.gone))) {
      const then = await receipt();
      if (then !== undefined) return then;
    }
    throw new AuditError(
      'not_in_log_yet',
      `Event ${shard}:${seq} is committed, and no published checkpoint includes it yet; ask again, or wait with Kernel-Await: logged.`,
    );
  }
}
