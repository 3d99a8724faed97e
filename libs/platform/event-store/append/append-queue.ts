import { type PendingAppend } from './pending-append';

export interface QueueBounds {
  maxQueuedRequests: number;
  maxQueuedBytes: number;
}

export interface GroupBounds {
  maxGroupRequests: number;
  maxGroupEvents: number;
  maxGroupBytes: number;
}

/** Requests of one shard in the order they came, bounded in number and bytes. */
export class AppendQueue {
  private items: PendingAppend[] = [];
  /** Index of the first item not taken yet; shifting an array of thousands for each group would cost more. */
  private first = 0;
  private nextTicket = 0;
  private bytes = 0;

  constructor(private readonly bounds: QueueBounds) {}

  get size(): number {
    return this.items.length - this.first;
  }

  /** False when the queue is full; then nothing was added. */
  push(pending: PendingAppend): boolean {
    if (this.size >= this.bounds.maxQueuedRequests) return false;
    // A single request larger than the whole bound is let in when nothing else waits.
    if (this.size > 0 && this.bytes + pending.bytes > this.bounds.maxQueuedBytes) return false;
    pending.ticket = this.nextTicket++;
    this.items.push(pending);
    this.bytes += pending.bytes;
    return true;
  }

  /** The next group: at least one request, at most what the bounds allow. A request marked `alone` comes alone. */
  take(bounds: GroupBounds): PendingAppend[] {
    const group: PendingAppend[] = [];
    let events = 0;
    let bytes = 0;
    for (let next = this.items[this.first]; next !== undefined; next = this.items[this.first]) {
      events += next.events.length;
      bytes += next.bytes;
      const fits =
        !next.alone &&
        group.length < bounds.maxGroupRequests &&
        events <= bounds.maxGroupEvents &&
        bytes <= bounds.maxGroupBytes;
      if (group.length > 0 && !fits) break;
      group.push(next);
      this.first++;
      this.bytes -= next.bytes;
      if (next.alone) break;
    }
    this.compact();
    return group;
  }

  /** Puts requests back in their place: they came before all waiting ones. Bounds do not apply. */
  putBack(requests: readonly PendingAppend[]): void {
    if (requests.length === 0) return;
    for (const { bytes } of requests) this.bytes += bytes;
    this.items = [...requests, ...this.items.slice(this.first)].sort((a, b) => a.ticket - b.ticket);
    this.first = 0;
  }

  /** Takes out the requests that have waited since before `time` (`performance.now()`). */
  takeOlderThan(time: number): PendingAppend[] {
    const old: PendingAppend[] = [];
    const young: PendingAppend[] = [];
    for (const pending of this.items.slice(this.first))
      (pending.enqueuedAt <= time ? old : young).push(pending);
    this.items = young;
    this.first = 0;
    for (const { bytes } of old) this.bytes -= bytes;
    return old;
  }

  private compact(): void {
    if (this.first < 1_024 && this.first < this.items.length) return;
    this.items = this.items.slice(this.first);
    this.first = 0;
  }
}
