import { Injectable } from '@nestjs/common';
import { IntegrityAlarm } from '#platform/kernel-store';
import { ChannelListener } from '#platform/postgres';
import { type ModeState } from './domain/kernel-mode';
import { ModeError } from './domain/mode.error';
import { type ModeReading, ModeStore } from './mode-store';

/** Interval of looking up the mode, in case a notification gets lost. */
const POLL_MS = 1_000;

/**
 * The mode as this process knows it: from notifications, and looked up every second. While the database cannot be
 * asked, the last known mode stays in force; nothing can be committed then anyway.
 */
@Injectable()
export class ModeWatch {
  private reading: ModeReading | undefined;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private lookAgain = false;
  private readonly listener: ChannelListener;
  private readonly listeners: ((state: ModeState) => void)[] = [];

  constructor(
    private readonly store: ModeStore,
    private readonly alarm: IntegrityAlarm,
  ) {
    const look = (): void => void this.look().catch(() => undefined);
    this.listener = new ChannelListener(store.database, ['kernel_mode'], look, look);
  }

  /** Settles when the mode is known. */
  async start(): Promise<void> {
    await this.look();
    this.listener.listen();
    this.timer = setInterval(() => void this.look().catch(() => undefined), POLL_MS);
    this.timer.unref();
  }

  get current(): ModeState {
    return this.known.state;
  }

  /** The mode with what it rests on. */
  get known(): ModeReading {
    if (this.reading === undefined) throw new TypeError('The mode is not known before ModeWatch.start().');
    return this.reading;
  }

  /** Called with the mode whenever it has been looked up. */
  onLook(listener: (state: ModeState) => void): void {
    this.listeners.push(listener);
  }

  /** Guards actions that require writes to be allowed. @throws ModeError `read_only`, `safe_mode` */
  assertWritable(): void {
    const { mode, restoring, since, actor, reason } = this.current;
    if (mode === 'normal') return;
    const [code, effect] =
      mode === 'read-only'
        ? (['read_only', 'takes no writes until the mode is changed'] as const)
        : ([
            'safe_mode',
            `signs and writes nothing ${restoring ? 'while its store is rebuilt from the archive' : 'until the mode is changed'}`,
          ] as const);
    const why = /[.!?]$/.test(reason) ? reason : `${reason}.`;
    throw new ModeError(
      code,
      `The kernel is ${mode === 'read-only' ? mode : `in ${mode}`} since ${since}, by ${String(actor.id)}: ${why} It ${effect}.`,
      { mode, since, by: actor.id, reason, restoring },
    );
  }

  /** Looks up the mode now, for a caller that has just changed it. */
  async look(): Promise<void> {
    this.lookAgain = true;
    this.looking ??= (async () => {
      try {
        while (this.lookAgain) {
          this.lookAgain = false;
          const reading = await this.store.read();
          this.reading = reading;
          for (const message of reading.problems) this.alarm.raise({ where: 'mode', message });
          for (const listener of this.listeners) listener(reading.state);
        }
      } finally {
        this.looking = undefined;
      }
    })();
    await this.looking;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.listener.close();
    await this.looking?.catch(() => undefined);
  }
}
