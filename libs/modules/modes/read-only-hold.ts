import { Injectable } from '@nestjs/common';
import { type Actor } from '#evidence';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';

/** Longest reason, in characters, in the record of a mode. */
const MAX_REASON = 1_000;

/** Read-only while keys are changed; a mode in force for another cause stays as it is. */
@Injectable()
export class ReadOnlyHold {
  constructor(
    private readonly modes: ModeStore,
    private readonly watch: ModeWatch,
  ) {}

  async begin(cause: string, detail: string, actor: Actor): Promise<{ end(reason: string): Promise<void> }> {
    await this.watch.look();
    const { mode, reason: why } = this.watch.current;
    const change = async (to: 'read-only' | 'normal', reason: string): Promise<void> => {
      await this.modes.change(to, reason, actor);
      await this.watch.look();
    };
    if (mode === 'normal') await change('read-only', `${cause}: ${detail}`.slice(0, MAX_REASON));
    else if (mode !== 'read-only' || !why.startsWith(`${cause}: `)) return { end: async () => undefined };
    return { end: (reason) => change('normal', reason) };
  }
}
