import { type Command } from 'commander';
import { type Signers } from '#openapi/kernel';
import { connectionFrom, type ConnectionOptions, withConnectionOptions } from '../api/connection';
import { KernelApiClient } from '../api/kernel-api.client';
import { print, table } from '../output/print';
import { shown } from '../output/shown';
import { addKeyChanges } from './keys/change-keys';
import { addMarks } from './keys/restore-window';

/** The key registry: who may sign what, since when, and what changes that. */
export function addKeys(program: Command): void {
  const keys = program.command('keys').summary('the keys that sign, and what they may sign');
  withConnectionOptions(keys.command('list', { isDefault: true }))
    .description('Lists the registered keys.')
    .option('--json', "print the kernel's answer as it came")
    .action(async (options: ConnectionOptions & { json?: true }) => {
      const answer = await fetchText(options, '/kernel/keys');
      if (options.json === true) {
        print(answer);
        return;
      }
      const { signers } = shown<Signers>(answer);
      print(
        table(
          signers.map((key) => ({
            kid: key.signer_kid,
            purposes: key.purposes.join(','),
            status: key.status,
            signs: signsNow(key, signers).join(',') || '-',
            since: key.deployedAt,
            description: key.description,
          })),
        ),
      );
    });
  withConnectionOptions(keys.command('show'))
    .description('Shows one key with everything the registry says of it.')
    .argument('<kid>', 'name of the key')
    .option('--json', "print the kernel's answer as it came")
    .action(async (kid: string, options: ConnectionOptions & { json?: true }) => {
      const answer = await fetchText(options, `/kernel/keys/${encodeURIComponent(kid)}`);
      if (options.json === true) return print(answer);
      print(JSON.stringify(JSON.parse(answer), null, 2));
    });
  withConnectionOptions(keys.command('signers'))
    .description('Prints signers.json, the trust root of tools/audit-verify.js.')
    .option('--json', 'as without it: it is JSON')
    .action(async (options: ConnectionOptions) => {
      print((await fetchText(options, '/kernel/keys/signers.json')).trimEnd());
    });
  withConnectionOptions(keys.command('jwks'))
    .description('Prints the keys as a JWK set (RFC 7517, RFC 8037).')
    .option('--json', 'as without it: it is JSON')
    .action(async (options: ConnectionOptions) => {
      print((await fetchText(options, '/kernel/keys/jwks.json')).trimEnd());
    });
  addKeyChanges(keys);
  addMarks(keys);
}

/** The purposes that a key signs for now: of the active keys of a purpose, the one that was registered last. */
function signsNow(key: Signers['signers'][number], signers: Signers['signers']): string[] {
  return key.purposes.filter(
    (purpose) =>
      signers.findLast(({ status, purposes }) => status === 'active' && purposes.includes(purpose))
        ?.signer_kid === key.signer_kid,
  );
}

async function fetchText(options: ConnectionOptions, path: string): Promise<string> {
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    return await client.get(path);
  } finally {
    await client.close();
  }
}
