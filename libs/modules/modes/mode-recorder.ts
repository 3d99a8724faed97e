import { Injectable } from '@nestjs/common';
import { type Actor, type JsonObject } from '#evidence';
import { EventStore, EventStoreError, KERNEL_ACTOR } from '#platform/event-store';
import { KERNEL_MODES, type KernelMode } from './domain/kernel-mode';
import { type Detachment, type Repair, type Restore, ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';

/** Delay after a failure (mostly: nothing can be signed now). */
const RETRY_MS = 1_000;
const MODE_STREAM = 'mode/kernel';
const STORE_STREAM = 'kernel/store';
/** Events of the mode that are read at a time to find the latest change; the others are of restores. */
const PAGE = 20;
/** A connection as the schema's owner: who held it is what they say, in `statedBy`. */
const REPAIR: Actor = { id: 'repair', kind: 'system', roles: [] };
const PARTITIONS: Actor = { id: 'partitions', kind: 'system', roles: [] };
const REPLAY: Actor = { id: 'replay', kind: 'system', roles: [] };

/** An event of a change, or of what the schema's owner did: it has its id before it is recorded. */
interface Record {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly payload: JsonObject;
  readonly actor: Actor;
}

/**
 * Records every change of the mode in the chain, in order and exactly once: as soon as it happens, or as soon as
 * signing is possible again. Every kernel process tries; the id of the event decides which was first. The chain says
 * what is recorded, and only rows that a kernel authenticated, or that only the schema's owner can write, become events.
 */
@Injectable()
export class ModeRecorder {
  private running: Promise<void> | undefined;
  private again = false;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Version of the latest change that is in the chain; undefined: it has to be read. */
  private recordedUpTo: number | undefined;
  /** What the schema's owner had said, and the latest change, when both were last acted on. */
  private heard: string | undefined;
  private readonly recorded = new Set<string>();
  /** Number of changes that are not in the chain yet, as known to this process. */
  unrecorded = 0;

  constructor(
    private readonly modes: ModeStore,
    private readonly events: EventStore,
    private readonly watch: ModeWatch,
  ) {}

  /**
   * Reads the latest change that the chain records: a database that is older than the chain, or was made to look so,
   * must not loosen the mode. Safe-mode when these events cannot be trusted.
   */
  async readChain(): Promise<void> {
    try {
      const latest = await this.latestInChain();
      this.modes.noteChain(latest);
      this.recordedUpTo = latest?.version ?? 0;
    } catch (error) {
      if (!(error instanceof EventStoreError) || error.code !== 'integrity') throw error;
      this.modes.noteChain('untrusted');
      this.recordedUpTo = undefined;
    }
  }

  /** Settles when the pending changes are recorded, or could not be for now. */
  async record(): Promise<void> {
    this.again = true;
    this.running ??= (async () => {
      clearTimeout(this.retry);
      try {
        while (this.again && !this.stopped) {
          this.again = false;
          await this.recordAll();
        }
      } catch {
        // Signer or database unreachable; the mode itself is in force anyway.
        if (!this.stopped) {
          this.retry = setTimeout(() => void this.record(), RETRY_MS);
          this.retry.unref();
        }
      } finally {
        this.running = undefined;
      }
    })();
    await this.running;
  }

  private async recordAll(): Promise<void> {
    // An event appended to a store that is being rebuilt would begin a second chain.
    if (this.watch.current.restoring) {
      this.recordedUpTo = undefined;
      return;
    }
    const recordedUpTo = this.recordedUpTo ?? (await this.readAgain());
    const { latest, ownerSaid } = this.watch.known;
    if (latest !== null && latest.version > recordedUpTo) await this.recordChanges(recordedUpTo);
    // Asked after every look, so every second.
    const heard = `${ownerSaid} ${latest?.eventId}`;
    if (heard === this.heard) return;
    const { restores, repairs, detachments } = await this.modes.ownerStatements();
    for (const restore of restores) await this.recordRestore(restore);
    for (const repair of repairs) await this.append(recordOf(repair));
    for (const detachment of detachments) await this.append(recordOfDetachment(detachment));
    await this.leaveSafeMode(restores);
    this.heard = heard;
  }

  /** @returns the version up to which the chain records changes @throws while that cannot be trusted: a retry has its pause */
  private async readAgain(): Promise<number> {
    await this.readChain();
    await this.watch.look();
    if (this.recordedUpTo !== undefined) return this.recordedUpTo;
    throw new Error('What the chain records of the mode cannot be trusted.');
  }

  private async recordChanges(recordedUpTo: number): Promise<void> {
    const changes = await this.modes.changesAfter(recordedUpTo);
    this.unrecorded = changes.length;
    for (const { version, eventId: id, from, to, reason, actor, changedAt } of changes) {
      const payload = { change: version, from, to, reason, changedAt };
      await this.append({ id, stream: MODE_STREAM, type: 'mode.changed', payload, actor });
      this.recordedUpTo = version;
      this.unrecorded--;
    }
  }

  /** Records the beginning and the end of a restore, where they changed the mode. */
  private async recordRestore({
    begin_id,
    reason,
    began_ms,
    end_id,
    end_reason,
    ended_ms,
  }: Restore): Promise<void> {
    if (this.recorded.has(end_id ?? begin_id)) return;
    const changes = await this.modes.changesAfter(0);
    const before = (ms: number): KernelMode =>
      changes.findLast(({ changedAt }) => Date.parse(changedAt) <= ms)?.to ?? 'normal';
    const record = (id: string, from: KernelMode, to: KernelMode, why: string, ms: number): Record => ({
      id,
      stream: MODE_STREAM,
      type: 'mode.changed',
      payload: { change: null, from, to, reason: why, changedAt: new Date(ms).toISOString() },
      actor: REPLAY,
    });
    const from = before(began_ms);
    if (from !== 'safe-mode') await this.append(record(begin_id, from, 'safe-mode', reason, began_ms));
    if (end_id === null || ended_ms === null) return;
    const to = before(ended_ms);
    if (to !== 'safe-mode') await this.append(record(end_id, 'safe-mode', to, end_reason ?? '', ended_ms));
    this.recorded.add(end_id);
  }

  /** Ends the safe-mode that the kernel entered because events were missing, when a restore has brought them back. */
  private async leaveSafeMode(restores: readonly Restore[]): Promise<void> {
    const { latest } = this.watch.known;
    if (latest?.to !== 'safe-mode' || latest.actor.kind !== 'system' || latest.actor.id !== KERNEL_ACTOR.id)
      return;
    const restore = restores.find(
      ({ end_id, after_change }) => end_id !== null && after_change === latest.eventId,
    );
    if (restore === undefined) return;
    await this.modes.change(latest.from, restore.end_reason ?? 'The store was restored.', REPLAY);
    await this.watch.look();
    this.again = true;
  }

  private async append({ id, stream, type, payload, actor }: Record): Promise<void> {
    if (this.recorded.has(id)) return;
    try {
      await this.events.append({
        actor,
        whateverTheMode: true,
        writes: [{ stream, expectedVersion: 'any', events: [{ id, type, payload }] }],
      });
    } catch (error) {
      if (!(error instanceof EventStoreError && error.code === 'duplicate_event_id')) throw error;
    }
    this.recorded.add(id);
  }

  private async latestInChain(): Promise<{ version: number; to: KernelMode } | null> {
    let cursor: string | undefined;
    do {
      const page = await this.events.query({
        stream: MODE_STREAM,
        order: 'newest',
        limit: PAGE,
        ...(cursor !== undefined && { cursor }),
      });
      for (const { event } of page.events) {
        const { change, to } = event.payload;
        const mode = KERNEL_MODES.find((one) => one === to);
        if (typeof change === 'number' && mode !== undefined) return { version: change, to: mode };
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return null;
  }

  async close(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    await this.running;
  }
}

function recordOf({
  event_id,
  shard,
  from_seq,
  to_seq,
  removed,
  reason,
  actor,
  repaired_ms,
}: Repair): Record {
  return {
    id: event_id,
    stream: STORE_STREAM,
    type: 'store.repaired',
    payload: {
      shard,
      fromSeq: from_seq,
      toSeq: to_seq,
      removed,
      reason,
      statedBy: actor,
      repairedAt: new Date(repaired_ms).toISOString(),
    },
    actor: REPAIR,
  };
}

function recordOfDetachment(detachment: Detachment): Record {
  const { event_id, shard, from_seq, to_seq, summary, reason, actor, detached_ms } = detachment;
  return {
    id: event_id,
    stream: STORE_STREAM,
    type: 'store.detached',
    payload: {
      shard,
      fromSeq: from_seq,
      toSeq: to_seq,
      ...summary,
      reason,
      statedBy: actor,
      detachedAt: new Date(detached_ms).toISOString(),
    },
    actor: PARTITIONS,
  };
}
