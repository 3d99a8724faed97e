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
      print(
        table(
          shown<Signers>(answer).signers.map((key) => ({
            kid: key.signer_kid,
            purposes: key.purposes.join(','),
            status: key.status,
            since: key.deployedAt,
            description: key.description,
          })),
        ),
      );
    });
  withConnectionOptions(keys.command('show'))
    .description('Shows one key with everything the registry says of it.')
    .argument('<kid>', 'name of the key')
    .action(async (kid: string, options: ConnectionOptions) => {
      const answer = await fetchText(options, `/kernel/keys/${encodeURIComponent(kid)}`);
      print(JSON.stringify(JSON.parse(answer), null, 2));
    });
  withConnectionOptions(keys.command('signers'))
    .description('Prints signers.json, the trust root of tools/audit-verify.js.')
    .action(async (options: ConnectionOptions) => {
      print((await fetchText(options, '/kernel/keys/signers.json')).trimEnd());
    });
  withConnectionOptions(keys.command('jwks'))
    .description('Prints the keys as a JWK set (RFC 7517, RFC 8037).')
    .action(async (options: ConnectionOptions) => {
      print((await fetchText(options, '/kernel/keys/jwks.json')).trimEnd());
    });
  addKeyChanges(keys);
  addMarks(keys);
}

async function fetchText(options: ConnectionOptions, path: string): Promise<string> {
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    return await client.get(path);
  } finally {
    await client.close();
  }
}
