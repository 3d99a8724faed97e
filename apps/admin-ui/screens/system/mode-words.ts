import { type Mode } from '../../api/connection';

export const MODES: readonly Mode[] = ['normal', 'read-only', 'safe-mode'];

export const MODE_COLOURS: Readonly<Record<Mode, string>> = {
  normal: 'teal',
  'read-only': 'orange',
  'safe-mode': 'red',
};

/** What each is for (docs/modes-and-replay.md). */
export const MODE_USES: Readonly<Record<Mode, string>> = {
  normal: 'Writes and signatures are answered.',
  'read-only': 'For a signing backend that will be away for long, or before an intervention.',
  'safe-mode': 'For evidence or keys in doubt.',
};

/** What a change does, in the sentences of `./kernel mode --dry-run`. */
export function modeEffects(from: Mode, to: Mode): string[] {
  if (to === 'normal') {
    return [
      `All kernels go from ${from} to normal: writes and signatures are answered again.`,
      'If something is in doubt still, what is written from then on builds on it.',
    ];
  }
  return [
    `All kernels go from ${from} to ${to}: every write and every signature is refused (503), reads go on.`,
    'Nobody can propose, approve, sign or record anything until somebody puts it back to normal.',
  ];
}

/** What has to be typed; it names the effect. */
export function modeWords(to: Mode): string {
  return {
    normal: 'answer writes again',
    'read-only': 'refuse all writes',
    'safe-mode': 'refuse all writes and signatures',
  }[to];
}
