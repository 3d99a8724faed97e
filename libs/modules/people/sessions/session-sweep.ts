import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Actor } from '#evidence';
import { KERNEL_ACTOR } from '#platform/event-store';
import { type Logger } from '#platform/process';
import { pause } from '#platform/resilience';
import { endedBy } from '../domain/person-session';
import { LogoutTokens } from './logout-tokens';
import { SessionRecords } from './session-records';
import { SessionTable } from './session-table';

const EVERY_MS = 60_000;
const BATCH = 500;

/** Removes sessions that have ended by their times, and records it. Each row is removed, and recorded, by one process. */
@Injectable()
export class SessionSweep implements OnModuleInit, OnModuleDestroy {
  private readonly stopped = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly sessions: SessionTable,
    private readonly logoutTokens: LogoutTokens,
    private readonly records: SessionRecords,
    private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.loop = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped.abort();
    await this.loop;
    await this.records.close();
  }

  /** @returns the number of rows removed */
  async sweep(now: number = Date.now()): Promise<number> {
    const { removed, sessions } = await this.sessions.removeEnded(now, BATCH);
    const actor: Actor = KERNEL_ACTOR;
    this.records.closed(
      sessions
        .filter(({ person }) => person !== null)
        .map((session) => ({ id: session.id, why: endedBy(session, now) ?? 'idle', actor })),
    );
    await this.logoutTokens.purge(now, BATCH);
    return removed;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      await pause(EVERY_MS, signal);
      try {
        while (!signal.aborted && (await this.sweep()) === BATCH);
      } catch (error) {
        this.logger.warn({ err: error }, 'ended sessions were not removed');
      }
    }
  }
}
