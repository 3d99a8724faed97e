import { type CustomTransportStrategy, Server } from '@nestjs/microservices';

/**
 * The transport strategy of the apps that follow the stream.
 *
 * Unlike Nest's own Kafka server it waits for the handler and never continues past a failure: `follow` does that.
 */
export class AuditStreamServer extends Server implements CustomTransportStrategy {
  private readonly stopping = new AbortController();
  private following: Promise<unknown> = Promise.resolve();

  /** @param follow resolves when `signal` is aborted and no work of the shard is running; never rejects */
  constructor(
    private readonly shards: number,
    private readonly follow: (shard: number, signal: AbortSignal) => Promise<void>,
  ) {
    super();
  }

  listen(callback: () => void): void {
    this.following = Promise.all(
      Array.from({ length: this.shards }, (_, shard) => this.follow(shard, this.stopping.signal)),
    );
    callback();
  }

  /** Accepts nothing new, and settles when the current batches are applied or abandoned. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.following;
  }

  on(): never {
    throw new TypeError('The audit stream has no events of its own.');
  }

  unwrap<T>(): T {
    return this.following as T;
  }
}
