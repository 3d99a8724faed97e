import { type ApprovalRecord } from '#evidence';

/** A text as one argument of a POSIX shell, on one line. */
export function shellQuoted(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=-]+$/.test(text)) return text;
  // Line feeds and other controls by their codes: a line that is copied must stay one line.
  // eslint-disable-next-line no-control-regex -- controls are what must not be pasted into a terminal
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    const escaped = text
      .replaceAll('\\', '\\\\')
      .replaceAll("'", "\\'")
      // eslint-disable-next-line no-control-regex -- as above
      .replaceAll(/[\u0000-\u001f\u007f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
    return `$'${escaped}'`;
  }
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

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
