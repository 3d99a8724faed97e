import { type ApprovalRecord } from '#evidence';
import { shellQuoted } from '../../parts/shell-quoted';

type Named = Pick<ApprovalRecord, 'action' | 'upgradeId' | 'approverId' | 'keyId' | 'notes'>;

function lineOf({ action, upgradeId, approverId, keyId, notes }: Named, more: readonly string[]): string {
  return [
    './kernel upgrade',
    action,
    ...[upgradeId, '--approver', approverId, '--key-id', keyId].map(shellQuoted),
    ...(notes === null ? [] : ['--notes', shellQuoted(notes)]),
    ...more,
  ].join(' ');
}

/** The command that signs with a key file, or with a key in a token. What is in capitals is for the person to fill in. */
export function signingLine(named: Named, where: 'file' | 'token'): string {
  const key =
    where === 'file'
      ? ['--signing-key', 'KEY.pem']
      : [
          '--pkcs11-module',
          'LIBRARY.so',
          '--pkcs11-token',
          'TOKEN',
          '--pkcs11-key',
          'LABEL',
          '--pkcs11-pin-file',
          'PIN',
        ];
  return lineOf(named, key);
}

/** The command that makes the same record and the same digests on a second device, and signs nothing. */
export function comparingLine(record: ApprovalRecord): string {
  return lineOf(record, ['--approved-at', record.approvedAt, '--dry-run']);
}
