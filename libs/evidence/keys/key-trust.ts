import { importKey, type PublicKey, verifyEd25519 } from '#evidence-crypto';
import { type AuditEvent } from '../chain/audit-event';
import { auditSigningInput } from '../chain/audit-signing-input';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { EventInspector } from '../chain/inspect-event';
import { evolveKeys, isRegistryEvent, NO_KEYS, type KeyRegistryState } from './key-registry';
import { KeyRing, type KeyUse, type KeyVerdict } from './key-ring';
import { checkedKeyOfPem } from './public-key';
import { counterSignatureHolds } from './signer-possession';
import { type SignerEntry } from './signers';

/**
 * The keys trusted by a process that follows the chain for years (docs/pipeline.md, trust): the trust root, and the
 * keys that trusted keys have added since, each by a registry event signed where the adding key was valid. An auditor's
 * verifier does not extend trust like that, see ADR 42; a worker that had to be told of each rotation beforehand would
 * stop at each one.
 */
export class KeyTrust {
  private readonly inspector: EventInspector;
  private readonly known = new Map<string, AuditEvent>();
  private readonly keys = new Map<string, PublicKey>();
  private ring: KeyRing;

  /** @param roots null: the first audit key that registers itself is trusted */
  constructor(
    private readonly origin: string,
    private readonly roots: readonly SignerEntry[] | null,
  ) {
    this.inspector = new EventInspector(origin, () => undefined, false);
    this.ring = new KeyRing(roots ?? []);
  }

  /**
   * Takes in registry events, in any order, as often as wanted. One whose format, hash or signature is wrong, or whose
   * signer was not trusted there, has no say; the reader that follows the chain finds it and reports it.
   */
  learn(events: Iterable<Uint8Array>): void {
    let news = false;
    for (const bytes of events) {
      const { event, faults } = this.inspector.inspectWhole(bytes);
      if (event === null || faults.length > 0 || !isRegistryEvent(event)) continue;
      if (!counterSignatureHolds(this.origin, event)) continue;
      // A forged copy must not block the event itself.
      const name = `${event.hash} ${event.signature}`;
      if (this.known.has(name)) continue;
      this.known.set(name, event);
      news = true;
    }
    if (news) this.fold();
  }

  /** Whether `use.kid` may have signed there, as far as is known now. */
  judge(use: KeyUse): KeyVerdict {
    return this.ring.judge(use);
  }

  /** The public key of a trusted kid. */
  key(kid: string): PublicKey | undefined {
    const root = this.ring.root(kid);
    if (root === undefined) return undefined;
    let key = this.keys.get(root.public_key_pem);
    if (key === undefined) {
      key = importKey(checkedKeyOfPem(root.public_key_pem));
      this.keys.set(root.public_key_pem, key);
    }
    return key;
  }

  get registry(): KeyRegistryState {
    return this.ring.registry;
  }

  /** Folds all events again each time, a handful: a late one may belong before the existing ones. */
  private fold(): void {
    const trusted = new Map((this.roots ?? []).map((entry) => [entry.signer_kid, entry]));
    this.ring = new KeyRing([...trusted.values()]);
    let pending = [...this.known.values()].sort(byTime);
    // In order of time; repeated for events whose signer, by the clocks, was added after them in another shard.
    for (let before = -1; before !== pending.length;) {
      before = pending.length;
      pending = pending.filter((event) => !this.extend(trusted, event));
    }
  }

  /** Whether the event counts. */
  private extend(trusted: Map<string, SignerEntry>, event: AuditEvent): boolean {
    const adds = addedKid(event);
    const first = this.roots === null && trusted.size === 0 && adds === event.signerKid;
    if (!first && !trusted.has(event.signerKid)) return false;
    let registry: KeyRegistryState;
    try {
      registry = evolveKeys(first ? NO_KEYS : this.ring.registry, event);
    } catch (error) {
      // It contradicts the registry as known so far, and so changes nothing.
      if (error instanceof EvidenceError) return false;
      throw error;
    }
    const added = adds === null ? undefined : registry.keys.get(adds)?.entry;
    const signers = new Map(trusted);
    if (added !== undefined && (first || !signers.has(added.signer_kid)))
      signers.set(added.signer_kid, added);
    const ring = new KeyRing([...signers.values()], { registry });
    // Judged with the event itself taken in: a key of the trust root may sign its own addition.
    const { signerKid: kid, shard, seq, ts } = event;
    const own = signers.get(kid);
    if (own === undefined || !ring.judge({ kid, shard, seq, ts }).valid) return false;
    const key = importKey(checkedKeyOfPem(own.public_key_pem));
    const input = auditSigningInput({ origin: this.origin, shard, seq, hash: event.hash });
    const signature = base64Decode(event.signature);
    if (signature === null || !verifyEd25519(key, input, signature)) return false;
    for (const [id, entry] of signers) trusted.set(id, entry);
    this.ring = ring;
    return true;
  }
}

/** The kid that the event adds to the registry. */
function addedKid({ type, payload }: AuditEvent): string | null {
  const entry = payload[type === 'signer.added' ? 'signer' : 'to'];
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return null;
  const kid = entry['signer_kid'];
  return typeof kid === 'string' ? kid : null;
}

function byTime(a: AuditEvent, b: AuditEvent): number {
  if (a.ts !== b.ts) return a.ts < b.ts ? -1 : 1;
  return a.shard - b.shard || a.seq - b.seq;
}
