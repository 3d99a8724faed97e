import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DevstackError } from '../devstack.error';

/** The account that PostgreSQL runs as when the launcher is root: PostgreSQL refuses to run as root. */
export interface SystemAccount {
  name: string;
  uid: number;
  gid: number;
}

/** In order of preference. Nothing is added to the system's users for a development stack. */
const CANDIDATES = ['postgres', 'nobody'];

/** Undefined for an ordinary user, who runs the server as themselves. */
export function serverAccount(): SystemAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
  for (const name of CANDIDATES) {
    const user = users.get(name);
    if (user !== undefined && user.uid > 0) return { name, ...user };
  }
  throw new DevstackError(
    'no_system_user',
    'PostgreSQL does not run as root, and this system has neither a user "postgres" nor "nobody" to run it as; run the command as an ordinary user.',
  );
}

/** Whether the account may enter the folder: every folder on the way must let it through. */
export async function reachableBy(folder: string, account: SystemAccount): Promise<boolean> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    const { uid, gid, mode } = await stat(path);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
