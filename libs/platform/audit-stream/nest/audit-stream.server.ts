import { Logger } from '@nestjs/common';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { AUDIT_EVENTS, AUDIT_POSITION } from './audit-events.decorators';
import { type StreamPosition } from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';
import { type ShardHandler, type VerifiedEvent } from '../shard-handler';

export interface AuditShard {
  readonly shard: number;
}

export interface AuditEventsBatch extends AuditShard {
  readonly events: readonly VerifiedEvent[];
}

export interface AuditStreamServerOptions {
  /** One subscription for each. */
  readonly shards: number;
  /**
   * Follows one shard: reads the position from the handler, verifies what comes behind it, has the handler apply it.
   * Resolves when `signal` is aborted and the handler is not at work any more; rejects when this shard must not go on.
   */
  readonly follow: (shard: number, handler: ShardHandler, signal: AbortSignal) => Promise<void>;
  /** Told of a shard that must not go on. The others do. */
  readonly onStopped?: (shard: number, error: unknown) => void;
}

/**
 * The transport strategy of the workers: `NestFactory.createMicroservice(Module, { strategy: new AuditStreamServer(...) })`.
 * One controller is the handler of all shards, by {@link ApplyAuditEvents} and {@link StoredAuditPosition}.
 *
 * Unlike Nest's own Kafka server it hands over batches of bytes, waits for the handler, lets its failure through as it
 * was thrown, and never goes on past one.
 */
export class AuditStreamServer extends Server implements CustomTransportStrategy {
  protected override readonly logger = new Logger('AuditStream');
  private readonly stopping = new AbortController();
  private subscriptions: Promise<void>[] = [];

  constructor(private readonly options: AuditStreamServerOptions) {
    super();
  }

  listen(callback: (error?: unknown) => void): void {
    let handler: ShardHandler;
    try {
      handler = this.shardHandler();
    } catch (error) {
      callback(error);
      return;
    }
    this.subscriptions = Array.from({ length: this.options.shards }, (_, shard) =>
      this.follow(shard, handler),
    );
    callback();
  }

  /** Takes nothing new, and settles when the batches at hand are applied or given up. */
  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.subscriptions);
  }

  /** There is nothing to listen to: see `onStopped`. */
  on(): never {
    throw new TypeError('The audit stream has no events of its own.');
  }

  unwrap<T>(): T {
    return this.subscriptions as T;
  }

  private async follow(shard: number, handler: ShardHandler): Promise<void> {
    try {
      await this.options.follow(shard, handler, this.stopping.signal);
    } catch (error) {
      this.logger.error(`Shard ${shard} stopped: ${error instanceof Error ? error.message : String(error)}`);
      this.options.onStopped?.(shard, error);
    }
  }

  private shardHandler(): ShardHandler {
    for (const pattern of [AUDIT_EVENTS, AUDIT_POSITION]) this.handlerOf(pattern);
    return {
      position: (shard) => this.call<StreamPosition>(AUDIT_POSITION, { shard }),
      apply: (shard, events) => this.call<void>(AUDIT_EVENTS, { shard, events }),
    };
  }

  private handlerOf(pattern: string): NonNullable<ReturnType<Server['getHandlerByPattern']>> {
    const handler = this.getHandlerByPattern(pattern);
    if (handler !== null) return handler;
    throw new AuditStreamError(
      'misconfigured',
      `No controller handles ${pattern}; mark its method with @ApplyAuditEvents() or @StoredAuditPosition().`,
      { pattern },
    );
  }

  /** Through guards, pipes, interceptors and filters, as any Nest handler. */
  private async call<T>(pattern: string, data: AuditShard | AuditEventsBatch): Promise<T> {
    const answer: unknown = await this.handlerOf(pattern)(data);
    return (isObservable(answer) ? await lastValueFrom(answer, { defaultValue: undefined }) : answer) as T;
  }
}
