import { importKey, type PublicKey, verifyEd25519 } from '#evidence-crypto';
import { type AuditEvent } from '../chain/audit-event';
import { inputOfEvent } from '../chain/audit-signing-input';
import { base64Decode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { EventInspector } from '../chain/inspect-event';
import {
  evolveKeys,
  isRegistryEvent,
  NO_KEYS,
  registeredSigners,
  type KeyRegistryState,
} from './key-registry';
import { KeyRing, type KeyUse, type KeyVerdict } from './key-ring';
import { checkedKeyOfPem } from './public-key';
import { counterSignatureHolds } from './signer-possession';
import { type SignerEntry, type TrustedSigner } from './signers';

/** Ways in which the events at hand could make a founding, at most: each costs some verifications. */
const MAX_WAYS = 64;

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
  private vouched: readonly TrustedSigner[] = [];
  private ring: KeyRing;

  /** @param roots null: the keys with which the kernel was founded are trusted */
  constructor(
    private readonly origin: string,
    private readonly roots: readonly TrustedSigner[] | null,
  ) {
    this.inspector = new EventInspector(origin, () => undefined, false);
    this.ring = this.ringOf(new Map((roots ?? []).map((entry) => [entry.signer_kid, entry])), NO_KEYS);
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

  /**
   * Trusts these keys as well, in the place of those vouched for before: one that came in the place of a lost key signs
   * its own coming. Who founded the kernel stays as it is.
   */
  vouchFor(entries: readonly SignerEntry[]): void {
    this.vouched = entries;
    this.fold();
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
    const events = [...this.known.values()].sort((a, b) => a.seq - b.seq);
    const trusted = new Map(
      [...this.vouched, ...(this.roots ?? [])].map((entry) => [entry.signer_kid, entry]),
    );
    this.ring = this.ringOf(trusted, NO_KEYS);
    for (const first of events) {
      const founding = this.founded(first, events, trusted);
      if (founding === null) continue;
      this.ring = this.ringOf(trusted, founding);
      break;
    }
    const { foundedUntil } = this.ring.registry;
    for (const event of events) if (event.seq > foundedUntil) this.extend(trusted, event);
  }

  /**
   * The registry after the founding that begins with `first`: it and the additions that are linked to it, as many as are
   * sound. Null unless each of them is signed by an audit key that they add, and that the trust root has, when there is
   * one.
   */
  private founded(
    first: AuditEvent,
    events: readonly AuditEvent[],
    trusted: Map<string, TrustedSigner>,
  ): KeyRegistryState | null {
    const begin = this.evolve(NO_KEYS, first);
    if (begin?.founding?.origin !== this.origin) return null;
    let best: KeyRegistryState | null = null;
    // More than one way only where someone made copies.
    const ways = [{ run: [first], state: begin }];
    for (let tried = 0; tried < MAX_WAYS; tried++) {
      const way = ways.pop();
      if (way === undefined) break;
      const { run, state } = way;
      if (state.foundedUntil > (best?.foundedUntil ?? 1) && this.isSoundFounding(run, state)) best = state;
      const last = run.at(-1);
      for (const next of events) {
        if (next.prevHash !== last?.hash || next.type !== 'signer.added') continue;
        // Where no trust root says who may found, only the founder adds: anyone can add a key that they sign with.
        if (this.roots === null && next.signerKid !== first.signerKid) continue;
        const after = this.evolve(state, next);
        if (after?.foundedUntil === next.seq) ways.push({ run: [...run, next], state: after });
      }
    }
    for (const { entry } of best?.keys.values() ?? []) {
      if (!trusted.has(entry.signer_kid)) trusted.set(entry.signer_kid, entry);
    }
    return best;
  }

  private isSoundFounding(run: readonly AuditEvent[], state: KeyRegistryState): boolean {
    const signers = this.roots ?? registeredSigners(state);
    const ring = new KeyRing({ origin: this.origin, signers }, { registry: state });
    return run.every((event) => {
      const { signerKid: kid, shard, seq } = event;
      return ring.judge({ kid, shard, seq }).valid && this.signed(event, ring.root(kid));
    });
  }

  /** Takes the event in when a trusted key signed it where that key was valid. */
  private extend(trusted: Map<string, TrustedSigner>, event: AuditEvent): void {
    const registry = this.evolve(this.ring.registry, event);
    if (registry === null) return;
    const kid = addedKid(event);
    const added = kid === null ? undefined : registry.keys.get(kid)?.entry;
    const signers = new Map(trusted);
    if (added !== undefined && !signers.has(added.signer_kid)) signers.set(added.signer_kid, added);
    // Judged with the event itself taken in: a key of the trust root may sign its own addition.
    const ring = this.ringOf(signers, registry);
    const { signerKid, shard, seq } = event;
    if (!trusted.has(signerKid) || !ring.judge({ kid: signerKid, shard, seq }).valid) return;
    if (!this.signed(event, signers.get(signerKid))) return;
    for (const [id, entry] of signers) trusted.set(id, entry);
    this.ring = ring;
  }

  /** Null when the event contradicts the registry as known so far, and so changes nothing. */
  private evolve(state: KeyRegistryState, event: AuditEvent): KeyRegistryState | null {
    try {
      return evolveKeys(state, event);
    } catch (error) {
      if (error instanceof EvidenceError) return null;
      throw error;
    }
  }

  private signed(event: AuditEvent, signer: TrustedSigner | undefined): boolean {
    const bytes = base64Decode(event.signature);
    if (signer === undefined || bytes === null) return false;
    const key = importKey(checkedKeyOfPem(signer.public_key_pem));
    return verifyEd25519(key, inputOfEvent(this.origin, event), bytes);
  }

  private ringOf(signers: ReadonlyMap<string, TrustedSigner>, registry: KeyRegistryState): KeyRing {
    return new KeyRing({ origin: this.origin, signers: [...signers.values()] }, { registry });
  }
}

/** The kid that the event adds to the registry. */
function addedKid({ type, payload }: AuditEvent): string | null {
  const entry = payload[type === 'signer.added' ? 'signer' : 'to'];
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return null;
  const kid = entry['signer_kid'];
  return typeof kid === 'string' ? kid : null;
}
