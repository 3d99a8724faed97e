import { type Actor } from '#libs/evidence';
import { WriteHold } from '#libs/key-registry';
import { type ModeStore, type ModeWatch } from '#libs/modes';

/** Read-only, for as long as keys are changed; a mode that is in force already stays as it is. */
export class ModeWriteHold extends WriteHold {
  constructor(
    private readonly modes: ModeStore,
    private readonly watch: ModeWatch,
  ) {
    super();
  }

  override async begin(reason: string, actor: Actor): Promise<{ end(reason: string): Promise<void> }> {
    await this.watch.look();
    if (this.watch.current.mode !== 'normal') return { end: async () => undefined };
    const change = async (to: 'read-only' | 'normal', why: string): Promise<void> => {
      await this.modes.change(to, why, actor);
      await this.watch.look();
    };
    await change('read-only', reason);
    return { end: (why) => change('normal', why) };
  }
}
