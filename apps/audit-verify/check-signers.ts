import { TRUST_OPTIONS, trustOptions } from './arguments';
import { readOptions } from './read-options';
import { readTrustRoot, signersIn } from './trust-root';

/** `--signers FILE` without anything to verify with it: the file itself is looked at, as after a rotation. */
export function asksForSigners(argv: readonly string[], environment: NodeJS.ProcessEnv): boolean {
  if (environment['DATABASE_URL']) return false;
  const names = argv
    .filter((argument) => argument.startsWith('--'))
    .map((argument) => argument.split('=', 1)[0]);
  const known = Object.keys(TRUST_OPTIONS).map((name) => `--${name}`);
  return names.includes('--signers') && names.every((name) => known.includes(name ?? ''));
}

/** @returns what the file says, one line a key; the last one says that no chain was checked @throws UsageError */
export function describeSigners(argv: readonly string[]): string[] {
  const values = readOptions(argv, TRUST_OPTIONS);
  const options = trustOptions(values);
  const { origin } = readTrustRoot(options);
  const signers = signersIn(options.signers ?? '');
  return [
    `${options.signers} is a trust root of ${origin}: ${signers.length} ${signers.length === 1 ? 'key' : 'keys'}`,
    ...signers.map(
      ({ signer_kid, purposes, status, deployedAt }) =>
        `  ${signer_kid}: ${purposes.join(' and ')}, ${status}, since ${deployedAt}`,
    ),
    'No chain was checked: name one with --export FILE, --dir DIR, --s3 URL or --database-url URL.',
  ];
}
