import { type Command } from 'commander';
import { type Balance, type Division, type DivisionPage } from '#openapi/kernel';
import { print, table } from '../output/print';
import { shown } from '../output/shown';
import { type CallOptions, documentText, get, post, reading, withQuery, writing } from './api-calls';

/** Divisions: register, update, show. */
export function addDivision(program: Command): void {
  const division = program.command('division').summary('divisions, their signed manifests and budgets');

  writing(division.command('register'))
    .description(
      'Registers the division in FILE (a manifest in JSON; - reads standard input), or updates it: then `version` in the manifest is the version that the change is based on.',
    )
    .argument('<file>', 'the manifest')
    .action(async (file: string, options: CallOptions) => {
      const answer = await post(options, '/kernel/division', await documentText(file, 'registered'));
      print(options.json === true ? answer : describe(shown<Division>(answer)));
    });

  reading(division.command('list'))
    .description('Lists divisions, newest first.')
    .option('--limit <n>', 'how many', '20')
    .action(async (options: CallOptions & { limit: string }) => {
      const answer = await get(options, withQuery('/kernel/division', { limit: options.limit }));
      if (options.json === true) return print(answer);
      const { divisions } = shown<DivisionPage>(answer);
      const rows = divisions.map(({ id, name, status, version, updatedAt, updatedBy }) => ({
        id,
        name: name ?? '',
        status,
        version,
        since: updatedAt,
        by: updatedBy,
      }));
      print(rows.length === 0 ? 'There are no divisions.' : table(rows));
    });

  reading(division.command('show'))
    .description('Shows a division: its manifest, who signed it, and what is left of its budget.')
    .argument('<id>', 'the division')
    .option('--at <version>', 'its manifest as it was at this version')
    .action(async (id: string, options: CallOptions & { at?: string }) => {
      const path = withQuery(`/kernel/division/${encodeURIComponent(id)}`, { version: options.at });
      const answer = await get(options, path);
      if (options.json === true) return print(answer);
      const { manifest } = JSON.parse(answer) as Division;
      print(`${describe(shown<Division>(answer))}\n\n${JSON.stringify(manifest, null, 2)}`);
    });
}

function describe(division: Division): string {
  const { id, version, status, balances, signature_record: signature } = division;
  return [
    `${id} at version ${version} is ${status}`,
    `  updated   by ${division.updatedBy} at ${division.updatedAt}`,
    `  sha256    ${division.manifestSha256}`,
    `  signer    ${signature.signer_id}`,
    ...describeBalances(balances),
  ].join('\n');
}

/** Lines about what is left of a budget. */
export function describeBalances(balances: readonly Balance[]): string[] {
  if (balances.length === 0) return ['  budget    none'];
  return balances.map(
    ({ pool, budget, allocated, available }) =>
      `  budget    ${pool === null ? '' : `${pool}: `}${budget}, of which ${allocated} allocated and ${available} available`,
  );
}
