import {
  buildEnvelope,
  checkpointSigningInput,
  cosignatureInput,
  documentEnvelope,
  type DocumentFormat,
  documentPayload,
  documentSigningInput,
  dssePae,
  consistencyPath,
  includes,
  inclusionPath,
  type JsonObject,
  type KernelDocument,
  type KeySpan,
  isConsistent,
  leafHash,
  logName,
  logProofText,
  MANIFEST_PAYLOAD_TYPE,
  manifestDigest,
  manifestStatement,
  type ManifestStatement,
  nodeHash,
  noteKeyHash,
  noteKeyText,
  parseLogPolicy,
  parseLogProof,
  parseSignedCheckpoint,
  parseSignedNote,
  signatureLine,
  signedCheckpoint,
  type SignerEntry,
  type Subtree,
  timestampedSignature,
  treeRoot,
  type TrustedSigner,
  type TrustRoot,
  judgeCheckpoint,
  verifyDocument,
  verifyManifestEnvelope,
} from '#evidence';
import { EvidenceChain, TestSigner, verifyEvidence, type EvidenceOptions } from '#dev/testing';
import { wordsOf } from './fake';

const ORIGIN = 'kernel.example.com/red-team';
/** Events of its chain. */
const LENGTH = 24;
/** Where the stolen manifest key began, was first in doubt, and ended. */
const STOLEN = { after: 2, since: 10, until: 16 };

const at = (seq: number): KeySpan['after'] => [{ shard: 0, seq }];
const key = (kid: string, n: number, purpose: 'audit' | 'manifest' | 'checkpoint'): TestSigner =>
  new TestSigner(kid, { seed: Buffer.alloc(32, n), purposes: [purpose] });

/**
 * A kernel with its evidence, as those know it from outside who judge what a thief shows them: a chain by `audit`, manifests
 * by `manifest` after `stolenManifest` had to be replaced, a log signed with `checkpoint` and cosigned by any two of three
 * witnesses. The thief has private keys; what is public, everyone has.
 */
export class KernelWithEvidence {
  readonly origin = ORIGIN;
  readonly audit = key('audit-1', 1, 'audit');
  readonly stolenManifest = key('manifest-1', 2, 'manifest');
  readonly manifest = key('manifest-2', 3, 'manifest');
  readonly retiredManifest = key('manifest-0', 4, 'manifest');
  readonly checkpoint = key('checkpoint-1', 5, 'checkpoint');
  readonly stranger = key('stranger', 6, 'audit');
  readonly witnesses = [11, 12, 13].map((n) => ({
    name: `witness.example.com/w${n - 10}`,
    signer: seeded(n),
  }));
  readonly chain = new EvidenceChain(this.audit, ORIGIN).found().appendMany(LENGTH - 2);
  /** A reader's policy: checkpoints of this log alone, cosigned by two of the three witnesses. */
  readonly policy = parseLogPolicy(
    [
      `log ${noteKeyText({ name: logName(ORIGIN, 0), type: 'ed25519', raw: this.checkpoint.rawPublicKey })}`,
      ...this.witnesses.map(
        ({ name, signer }, n) =>
          `witness w${n} ${noteKeyText({ name, type: 'cosignature/v1', raw: signer.rawPublicKey })}`,
      ),
      'group two-of-three 2 w0 w1 w2',
      'quorum two-of-three',
      '',
    ].join('\n'),
  );

  /** Status of the checkpoint key by the trust root; a thief of it may have been noticed or not. */
  keys(checkpoint: SignerEntry['status'] = 'active'): TrustedSigner[] {
    const ended = (signer: TestSigner, status: 'retired' | 'compromised', span: KeySpan): TrustedSigner => ({
      ...signer.entry,
      status,
      [status === 'retired' ? 'retiredAt' : 'compromisedAt']: '2026-01-31T10:00:16.000Z',
      span,
    });
    return [
      this.audit.entry,
      ended(this.retiredManifest, 'retired', { after: at(1), until: at(STOLEN.after), since: null }),
      ended(this.stolenManifest, 'compromised', {
        after: at(STOLEN.after),
        until: at(STOLEN.until),
        since: at(STOLEN.since),
      }),
      { ...this.manifest.entry, span: { after: at(STOLEN.until), until: null, since: null } },
      { ...this.checkpoint.entry, status: checkpoint },
    ];
  }

  trust(): TrustRoot {
    return { origin: ORIGIN, shards: 1, firstPool: null, signers: [this.audit.entry] };
  }

  /** What is wrong with a chain, by the codes of the faults. */
  chainFaults(chain: readonly Uint8Array[], options: EvidenceOptions = {}, trust = this.trust()): string[] {
    return verifyEvidence(chain, trust, options).map(({ code }) => code);
  }

  /** A signed manifest. @param more of the statement, in place of what belongs there */
  envelope(signer: TestSigner, manifest: JsonObject & { id: string }, more: Partial<ManifestStatement> = {}) {
    const payload = manifestStatement({
      manifestId: manifest.id,
      version: '1',
      kind: null,
      division: null,
      origin: ORIGIN,
      signedAt: '2026-01-31T10:00:12.000Z',
      requestedBy: 'deployer',
      auditSeqAfter: '0:12',
      sha256: manifestDigest(manifest),
      ...more,
    });
    return this.enveloped(signer, payload);
  }

  enveloped(signer: TestSigner, payload: Uint8Array, type = MANIFEST_PAYLOAD_TYPE) {
    const { payload: base64, signatures } = buildEnvelope(
      payload,
      signer.kid,
      signer.sign(dssePae(type, payload)),
    );
    return { payloadType: type, payload: base64, signatures };
  }

  /** What is wrong with a manifest's signature. @param seq position of its `manifest.signed`, where a receipt shows it */
  manifestFaults(manifest: JsonObject, envelope: unknown, seq?: number, shard = 0): string[] {
    const recordedAt = seq === undefined ? {} : { recordedAt: { shard, seq } };
    const { reasons } = verifyManifestEnvelope({
      manifest,
      envelope,
      keys: this.keys(),
      origin: ORIGIN,
      ...recordedAt,
    });
    return wordsOf(...reasons);
  }

  /** A document about the chain, as it is stored. */
  document<T extends KernelDocument>(format: DocumentFormat<T>, signer: TestSigner, document: T): Uint8Array {
    const payload = documentPayload(format, document);
    return documentEnvelope(format, payload, signer.kid, signer.sign(documentSigningInput(format, payload)));
  }

  /** What is wrong with a stored document. @param status of the checkpoint key */
  faultsOfDocument<T extends KernelDocument>(
    format: DocumentFormat<T>,
    envelope: Uint8Array,
    status: SignerEntry['status'] = 'active',
  ): string[] {
    const { reasons } = verifyDocument(format, { envelope, keys: this.keys(status), origin: ORIGIN });
    return wordsOf(...reasons);
  }

  documentFaults<T extends KernelDocument>(
    format: DocumentFormat<T>,
    signer: TestSigner,
    document: T,
    { status = 'active' }: { status?: SignerEntry['status'] } = {},
  ): string[] {
    return this.faultsOfDocument(format, this.document(format, signer, document), status);
  }

  /** The checkpoint of a tree over these events. */
  async note(
    events: readonly Uint8Array[] = this.chain.bytes,
    { signer = this.checkpoint, origin = ORIGIN, shard = 0 } = {},
  ): Promise<string> {
    const head = { origin, shard, size: events.length, root: await rootOf(events) };
    const signature = Buffer.from(signer.sign(checkpointSigningInput(head)), 'base64');
    return signedCheckpoint(head, signer.entry.public_key_pem, signature);
  }

  /** The line with which a witness, or someone by its name, cosigns a note. */
  cosignature(
    note: string,
    n: number,
    signer = this.witnesses[n]?.signer ?? this.stranger,
    time = 1_800_000_000,
  ): string {
    const { text } = parseSignedNote(note);
    const name = this.witnesses[n]?.name ?? 'witness.example.com/other';
    const signature = Buffer.from(signer.sign(cosignatureInput(time, text)), 'base64');
    return signatureLine({
      name,
      keyHash: noteKeyHash(name, signer.rawPublicKey, 'cosignature/v1'),
      signature: timestampedSignature({ time, signature }),
    });
  }

  /** The checkpoint of the genuine chain, as it was published. */
  async published(size = LENGTH): Promise<string> {
    const note = await this.note(this.chain.bytes.slice(0, size));
    return `${note}${this.cosignature(note, 0)}${this.cosignature(note, 1)}`;
  }

  /** What is wrong with a checkpoint for those who have the trust root. */
  noteFaults(note: string, status: SignerEntry['status'] = 'active'): string[] {
    let signed: ReturnType<typeof parseSignedCheckpoint>;
    try {
      signed = parseSignedCheckpoint(note);
    } catch (error) {
      return [(error as { code: string }).code];
    }
    const { reasons } = judgeCheckpoint(signed, { ...this.trust(), signers: this.keys(status) }, this.policy);
    return wordsOf(...reasons);
  }

  /**
   * What is wrong with a log that is said to be the published one, some events later.
   * @param size of the published checkpoint
   * @param proving the tree that the proof of consistency is from
   */
  async consistencyFaults(
    size: number,
    now: readonly Uint8Array[],
    proving: readonly Uint8Array[],
  ): Promise<string[]> {
    const before = { size, root: await rootOf(this.chain.bytes.slice(0, size)) };
    const after = { size: now.length, root: await rootOf(now) };
    const proof = await consistencyPath(treeOf(proving), size, now.length);
    return isConsistent(before, after, proof) ? [] : ['inconsistent'];
  }

  /** A receipt of an event. @param tree that of the checkpoint */
  async receipt(
    index: number,
    note: string,
    tree: readonly Uint8Array[] = this.chain.bytes,
  ): Promise<string> {
    return logProofText(index, await inclusionPath(treeOf(tree), index, tree.length), note);
  }

  /** What is wrong with a receipt for an event; `inclusion`: it does not show this event. */
  receiptFaults(receipt: string, event: Uint8Array): string[] {
    const proof = parseLogProof(receipt);
    const { seq } = JSON.parse(Buffer.from(event).toString()) as { seq: number };
    const shown = proof.index === seq - 1 && includes(proof, event);
    const note = receipt.slice(receipt.indexOf('\n\n') + 2);
    return [...(shown ? [] : ['inclusion']), ...this.noteFaults(note)];
  }
}

/** Root of the tree over these events. */
function rootOf(events: readonly Uint8Array[]): Promise<Uint8Array> {
  return treeRoot(treeOf(events), events.length);
}

function treeOf(events: readonly Uint8Array[]): Subtree {
  const hash = (level: number, index: number): Uint8Array =>
    level === 0
      ? leafHash(events[index] as Uint8Array)
      : nodeHash(hash(level - 1, index * 2), hash(level - 1, index * 2 + 1));
  return (level, index) => Promise.resolve(hash(level, index));
}

const seeded = (n: number): TestSigner => new TestSigner(`witness-${n}`, { seed: Buffer.alloc(32, n) });
