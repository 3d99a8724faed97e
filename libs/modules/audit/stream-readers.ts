import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from '#platform/process';
import { Limiter } from '#platform/resilience';
import { AuditError } from './domain/audit.error';

/** Readers of one process, and of one caller: each costs a query whenever events come. */
const MOST_READERS = 200;
const MOST_OF_A_CALLER = 20;
/** Queries of all readers at a time: lists and look-ups must find a connection, too. */
const QUERIES = 3;
/** All readers look at the same moments, so that they share the look at the index's positions. */
const LOOK_EVERY_MS = 100;

/** The open streams of this process: bounded, and woken together. */
@Injectable()
export class StreamReaders {
  private readonly queries = new Limiter(QUERIES);
  private readonly ofCallers = new Map<string, number>();
  private readers = 0;
  private next: Promise<void> | undefined;

  constructor(registry: Registry) {
    new Gauge({
      name: 'kernel_audit_stream_readers',
      help: 'Readers of GET /kernel/audit/stream that are connected to this process.',
      registers: [registry],
      collect: ((of) =>
        function (this: Gauge) {
          this.set(of.readers);
        })(this),
    });
  }

  /** @returns what ends the reader's place @throws AuditError `too_many_streams` */
  enter(caller: string): () => void {
    const ofCaller = this.ofCallers.get(caller) ?? 0;
    if (this.readers >= MOST_READERS || ofCaller >= MOST_OF_A_CALLER) {
      throw new AuditError(
        'too_many_streams',
        ofCaller >= MOST_OF_A_CALLER
          ? `This caller has ${ofCaller} streams open, the most that one may have; end one of them.`
          : `${this.readers} streams are open, the most that one process serves; try again, or another replica.`,
      );
    }
    this.readers += 1;
    this.ofCallers.set(caller, ofCaller + 1);
    return () => {
      this.readers -= 1;
      const left = (this.ofCallers.get(caller) ?? 1) - 1;
      if (left === 0) this.ofCallers.delete(caller);
      else this.ofCallers.set(caller, left);
    };
  }

  query<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.queries.run(ask, { signal });
  }

  /** Resolves at the next look. */
  look(): Promise<void> {
    this.next ??= delay(LOOK_EVERY_MS).then(() => {
      this.next = undefined;
    });
    return this.next;
  }
}
