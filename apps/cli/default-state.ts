import { join } from 'node:path';
import { workTree } from '#dev/devstack';

/** Where state lives when nothing else is said: in the work tree, whatever folder the command is called from. */
export function defaultState(): string {
  return join(workTree(), '.kernel');
}
