import { HEX_SHA256, isKid, isStream, isTimestamp, UUID_V7, type AuditEvent } from './audit-event';
import { signingText } from './audit-signing-input';
import { base64Decode } from './base64';
import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { EvidenceError } from './evidence.error';
import { type EvidenceCrypto } from './evidence-crypto';
import { parseEventParts } from './parse-event';

export interface Inspection {
  /** What the bytes say; of an event whose format is wrong what can be read, other texts empty, or null. */
  facts: EventFacts | null;
  /** The event when its format is right. */
  event: AuditEvent | null;
  faults: ChainFault[];
}

const encoder = new TextEncoder();

/** The checks that need one event alone: format, hash, signature. */
export class EventInspector<Key = unknown> {
  private readonly keys = new Map<string, Key | null>();

  constructor(
    private readonly crypto: EvidenceCrypto<Key>,
    private readonly origin: string,
    /** Raw public key of a kid, undefined when it is not known: its signatures are then not checked here. */
    private readonly publicKey: (kid: string) => Uint8Array | undefined,
    private readonly checkSignatures: boolean,
  ) {}

  inspect(bytes: Uint8Array | string): Inspection {
    let event: AuditEvent;
    let hashed: string;
    try {
      ({ event, hashed } = parseEventParts(bytes));
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      const facts = salvage(bytes);
      const at = error.pointer === undefined || error.pointer === '' ? '' : ` (at ${error.pointer})`;
      const fault: ChainFault = {
        code: 'format',
        shard: facts?.shard ?? null,
        seq: facts?.seq ?? null,
        id: facts === null || facts.id === '' ? null : facts.id,
        message: `${error.message}${at}`,
      };
      return { facts, event: null, faults: [fault] };
    }
    const faults: ChainFault[] = [];
    const hash = this.crypto.sha256Hex(hashed);
    if (hash !== event.hash) {
      faults.push(faultAt(event, 'hash', `the event says hash ${event.hash}, its content has ${hash}`));
    }
    if (this.checkSignatures && this.signatureFails(event)) {
      faults.push(
        faultAt(
          event,
          'signature',
          `the signature is not one by ${event.signerKid} over this position and hash`,
        ),
      );
    }
    return { facts: event, event, faults };
  }

  private signatureFails(event: AuditEvent): boolean {
    const key = this.key(event.signerKid);
    if (key === null) return false;
    const { shard, seq, hash } = event;
    const input = encoder.encode(signingText({ origin: this.origin, shard, seq, hash }));
    const signature = base64Decode(event.signature);
    return signature === null || !this.crypto.verify(key, input, signature);
  }

  private key(kid: string): Key | null {
    let key = this.keys.get(kid);
    if (key === undefined) {
      const raw = this.publicKey(kid);
      key = raw === undefined ? null : this.crypto.importKey(raw);
      this.keys.set(kid, key);
    }
    return key;
  }
}

/** Position and links of an event whose format is wrong, so that its neighbours are not blamed for it. */
function salvage(bytes: Uint8Array | string): EventFacts | null {
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const v = value as Record<string, unknown>;
  const { shard, seq, streamVersion } = v;
  if (!isCount(shard, 0) || !isCount(seq, 1)) return null;
  const text = (name: string, fits: (text: string) => boolean): string => {
    const member = v[name];
    return typeof member === 'string' && fits(member) ? member : '';
  };
  const isHash = (hash: string): boolean => HEX_SHA256.test(hash);
  return {
    shard,
    seq,
    id: text('id', (id) => UUID_V7.test(id)),
    ts: text('ts', isTimestamp),
    stream: text('stream', isStream),
    streamVersion: isCount(streamVersion, 1) ? streamVersion : 0,
    signerKid: text('signerKid', isKid),
    prevHash: text('prevHash', isHash),
    hash: text('hash', isHash),
  };
}

function isCount(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}
