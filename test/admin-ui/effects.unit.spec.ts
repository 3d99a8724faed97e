import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';

/** Pages say before a dangerous step what `./kernel … --dry-run` says: whoever changes the one changes the other. */
describe('what would happen, in the pages and on the command line', () => {
  const read = (path: string) => readFileSync(join(workTree(), path), 'utf8');

  it.each([
    ['keys/effects.ts', 'keys/change-keys.ts', 'a shard never goes back to an earlier key.'],
    ['keys/effects.ts', 'keys/change-keys.ts', 'It is done at once (KERNEL_DIRECT_KEY_ROTATION).'],
    [
      'keys/effects.ts',
      'keys/change-keys.ts',
      'An upgrade is proposed, and applied by itself when its approvers have signed.',
    ],
    [
      'keys/effects.ts',
      'keys/change-keys.ts',
      'signs nothing any more and never comes back; what it signed stays valid.',
    ],
    [
      'keys/effects.ts',
      'keys/change-keys.ts',
      'A process that has not changed over to the new key yet fails until it has.',
    ],
    [
      'keys/effects.ts',
      'keys/change-keys.ts',
      'is cut off at once and for ever: nothing that it signed from',
    ],
    ['keys/effects.ts', 'keys/change-keys.ts', 'The first candidate that fits'],
    [
      'system/mode-words.ts',
      'mode.command.ts',
      'every write and every signature is refused (503), reads go on.',
    ],
    ['webhooks/webhook.screen.tsx', 'webhook.command.ts', 'and its secret cannot be had again.'],
    [
      'webhooks/webhook.screen.tsx',
      'webhook.command.ts',
      'its dead letters, are not delivered; they stay in the chain.',
    ],
    [
      'system/legal-holds.screen.tsx',
      'audit/audit-hold.ts',
      'is held in the archive until someone lifts the hold',
    ],
  ])('%s and %s: %s', (page, command, sentence) => {
    expect(read(`apps/admin-ui/screens/${page}`)).toContain(sentence);
    expect(read(`apps/cli/commands/${command}`)).toContain(sentence);
  });
});
