import { join } from 'node:path';

/** What is in the folder of a witness. */
export function witnessFiles(dir: string): { key: string; state: string; logs: string } {
  return { key: join(dir, 'witness.key'), state: join(dir, 'state'), logs: join(dir, 'logs') };
}
