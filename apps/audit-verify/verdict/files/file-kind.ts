import { UPGRADE_EVIDENCE_TYPE } from '#evidence';

/** What a file is for. */
export const FILE_KINDS = {
  signers: 'trust root (signers.json)',
  export: 'events of a chain, one a line',
  event: 'one event',
  receipt: 'receipt of an event',
  manifest: 'manifest',
  envelope: 'envelope of a manifest',
  upgrade: 'evidence of an upgrade',
  checkpoint: 'published checkpoint',
  policy: 'policy of witnesses',
  heads: 'heads to expect',
  pool: 'first approver pool',
} as const;

export type FileKind = keyof typeof FILE_KINDS;

/** Bytes that are looked at; a larger file is events if its first line is one. */
const LOOKED_AT = 1 << 20;

/** What a file looks like; whoever gives it may know better. */
export async function kindOf(file: Blob): Promise<FileKind> {
  const text = new TextDecoder().decode(await file.slice(0, LOOKED_AT).arrayBuffer());
  if (text.startsWith('c2sp.org/tlog-proof@')) return 'receipt';
  const [first = '', ...others] = text.split('\n');
  const line = parsed(first);
  const whole = others.some((other) => other !== '') ? parsed(text) : line;
  if (Array.isArray(whole)) return 'heads';
  if (whole !== null) return kindOfObject(whole as object);
  if (line !== null || /^\{"actor":/.test(first)) return 'export';
  if (/^(?:#.*\n|\s*\n)*(?:log|witness|group|quorum) /.test(text)) return 'policy';
  if (text.includes('\n\n\u2014 ')) return 'checkpoint';
  return /^\s*[{[]/.test(text) ? 'manifest' : 'export';
}

function kindOfObject(value: object): FileKind {
  const has = (...members: string[]): boolean => members.every((member) => member in value);
  // It has the keys of its time among its members.
  if ((value as { type?: unknown }).type === UPGRADE_EVIDENCE_TYPE) return 'upgrade';
  if (has('signers')) return 'signers';
  if (has('payloadType', 'signatures')) return 'envelope';
  if (has('prevHash', 'signerKid')) return 'event';
  if (has('approvers', 'threshold')) return 'pool';
  return 'manifest';
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
