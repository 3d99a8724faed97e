import { importKey, type PublicKey, sha256Hex, verifyEd25519 } from '#evidence-crypto';
import { HEX_SHA256, isKid, isStream, UUID_V7, type AuditEvent } from './audit-event';
import { isTimestamp } from '../json/time';
import { auditGroupInput } from './audit-signing-input';
import { isCount } from '../json/count';
import { base64DecodeInto } from '../json/base64';
import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { GroupNodes, type EventGroup } from './event-group';
import { EvidenceError } from '../evidence.error';
import { isRegistryEvent } from '../keys/key-registry';
import { checkedKeyOfPem } from '../keys/public-key';
import { MAX_SHARDS } from '../keys/shard-heads';
import { type TrustRoot } from '../keys/trust-root';
import { parseEvent, parseEventParts } from './parse-event';
import { EventScanner } from './scan-event';
import { counterSignatureHolds } from '../keys/signer-possession';

export interface Inspection {
  /** Facts read from the bytes. If the format is wrong: the readable ones, with other texts empty, or null. */
  facts: EventFacts | null;
  /** Whether the format is right. */
  formatted: boolean;
  /** The event itself, when its format is right and something is wrong with it or it may speak for the key registry. */
  event: AuditEvent | null;
  faults: ChainFault[];
}

interface SignedGroup {
  kid: string;
  first: number;
  count: number;
  signature: string;
  /** Hex. */
  root: string;
  nodes: GroupNodes;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The checks that need only one event: format, hash, signature. */
export class EventInspector {
  private readonly keys = new Map<string, PublicKey | null>();
  private readonly scanner = new EventScanner();
  private readonly signature = new Uint8Array(64);
  /** The last group of a shard whose signature was right. */
  private readonly groups = new Map<number, SignedGroup>();

  constructor(
    private readonly origin: string,
    /** Raw public key of a kid, undefined when unknown: its signatures are then not checked here. */
    private readonly publicKey: (kid: string) => Uint8Array | undefined,
    private readonly checkSignatures: boolean,
  ) {}

  /** An inspector that knows the keys of a trust root. */
  static of(
    { origin, signers }: Pick<TrustRoot, 'origin' | 'signers'>,
    checkSignatures = true,
  ): EventInspector {
    const pems = new Map(signers.map(({ signer_kid, public_key_pem }) => [signer_kid, public_key_pem]));
    const publicKey = (kid: string): Uint8Array | undefined => {
      const pem = pems.get(kid);
      return pem === undefined ? undefined : checkedKeyOfPem(pem);
    };
    return new EventInspector(origin, publicKey, checkSignatures);
  }

  inspect(bytes: Uint8Array | string): Inspection {
    const facts = this.factsOfSound(bytes);
    if (facts === null) return this.inspectSlowly(bytes);
    const { stream } = facts;
    if (!stream.startsWith('signer/') && !stream.startsWith('kernel/')) {
      return { facts, event: null, formatted: true, faults: [] };
    }
    const event = parseEvent(bytes);
    return { facts, event, formatted: true, faults: this.counterSignatureFaults(event) };
  }

  /** The same for callers that need the event itself: it is set whenever its format is right. */
  inspectWhole(bytes: Uint8Array | string): Inspection {
    const inspection = this.inspect(bytes);
    if (inspection.event !== null || !inspection.formatted) return inspection;
    // What the scan accepts is canonical: no member occurs twice, no number loses digits.
    const text = typeof bytes === 'string' ? bytes : decoder.decode(bytes);
    return { ...inspection, event: JSON.parse(text) as AuditEvent };
  }

  /** The facts of an event that is right in every way; null when that is not certain. */
  private factsOfSound(bytes: Uint8Array | string): EventFacts | null {
    let text: string;
    try {
      text = typeof bytes === 'string' ? bytes : decoder.decode(bytes);
    } catch {
      return null;
    }
    const scanned = this.scanner.scan(text);
    if (scanned === null) return null;
    const { facts, group, hashed, signature } = scanned;
    if (sha256Hex(hashed) !== facts.hash) return null;
    if (!base64DecodeInto(signature, this.signature)) return null;
    return this.checkSignatures && this.signatureFails(facts, group, signature) ? null : facts;
  }

  private inspectSlowly(bytes: Uint8Array | string): Inspection {
    let event: AuditEvent;
    let hashed: string;
    try {
      ({ event, hashed } = parseEventParts(bytes));
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      const facts = salvage(bytes);
      const fault: ChainFault = {
        code: 'format',
        shard: facts?.shard ?? null,
        seq: facts?.seq ?? null,
        id: facts === null || facts.id === '' ? null : facts.id,
        message: error.located,
      };
      return { facts, event: null, formatted: false, faults: [fault] };
    }
    const faults: ChainFault[] = [];
    const hash = sha256Hex(hashed);
    if (hash !== event.hash) {
      faults.push(faultAt(event, 'hash', `the event says hash ${event.hash}, its content has ${hash}`));
    }
    base64DecodeInto(event.signature, this.signature);
    if (this.checkSignatures && this.signatureFails(event, event.group, event.signature)) {
      const message = `the signature is not one by ${event.signerKid} over the group that this position and hash lead to`;
      faults.push(faultAt(event, 'signature', message));
    }
    // An event already found wrong has no say, whatever else is wrong with it.
    if (faults.length === 0) faults.push(...this.counterSignatureFaults(event));
    return { facts: event, event, formatted: true, faults };
  }

  /** Checks that a key that replaces another has signed for that too. */
  private counterSignatureFaults(event: AuditEvent): ChainFault[] {
    if (!this.checkSignatures || !isRegistryEvent(event)) return [];
    if (counterSignatureHolds(this.origin, event)) return [];
    return [faultAt(event, 'signature', 'the counter-signature is not one by the key that comes in')];
  }

  /**
   * Whether `this.signature` is not a signature over the group that an event's hash and path lead to; false when its key
   * is unknown. One signature stands for the whole group, so it is verified once.
   */
  private signatureFails(facts: EventFacts, group: EventGroup, signature: string): boolean {
    const { signerKid: kid, shard } = facts;
    const key = this.key(kid);
    if (key === null) return false;
    const event = { seq: facts.seq, hash: facts.hash, group };
    const { first, count } = group;
    const last = this.groups.get(shard);
    const same =
      last !== undefined &&
      last.first === first &&
      last.count === count &&
      last.kid === kid &&
      last.signature === signature;
    const nodes = same ? last.nodes : new GroupNodes(count);
    const climb = nodes.climb(event);
    if (same && climb.root === last.root) {
      nodes.learn(climb);
      return false;
    }
    const input = auditGroupInput({ origin: this.origin, shard, first, count, root: climb.root });
    if (!verifyEd25519(key, input, this.signature)) return true;
    // Events may name shards that there are not.
    if (this.groups.size >= MAX_SHARDS) this.groups.clear();
    const fresh = new GroupNodes(count);
    fresh.learn(climb);
    this.groups.set(shard, { kid, first, count, signature, root: climb.root, nodes: fresh });
    return false;
  }

  private key(kid: string): PublicKey | null {
    let key = this.keys.get(kid);
    if (key === undefined) {
      const raw = this.publicKey(kid);
      key = raw === undefined ? null : importKey(raw);
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
