import {
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  importPublicKey,
  type DocumentFormat,
  type KernelDocument,
  type SignerEntry,
  verifyDocument,
} from '#evidence';
import { SignerError } from './signer.error';
import { type KeyInfo } from './signing-backend';
import { KEY_PURPOSE_OF, type SigningPurpose } from './signing-contract';
import { type SigningProxyClient } from './signing-proxy.client';

/** Purposes whose key makes statements about the chain. */
export type DocumentPurpose = {
  [P in SigningPurpose]: (typeof KEY_PURPOSE_OF)[P] extends 'checkpoint' ? P : never;
}[Exclude<SigningPurpose, 'log-checkpoint'>];

/** Gets documents signed with a checkpoint key that the registry has and the signing proxy holds. */
export class DocumentSigner {
  constructor(
    private readonly proxy: Pick<SigningProxyClient, 'keys' | 'sign'>,
    /** Returns the current registry, in the order of registration. */
    private readonly registered: () => Promise<readonly SignerEntry[]>,
  ) {}

  /**
   * @returns the bytes to store: the canonical envelope, verified
   * @throws SignerError `signing_unavailable` when there is no such key, or the proxy does not answer
   */
  async sign<T extends KernelDocument>(
    purpose: DocumentPurpose,
    format: DocumentFormat<T>,
    document: T,
  ): Promise<Uint8Array> {
    const payload = documentPayload(format, document);
    const input = documentSigningInput(format, payload);
    const [registered, held] = await Promise.all([this.registered(), this.proxy.keys()]);
    const key = registeredCheckpointKey(registered, held);
    const kid = key.signer_kid;
    const publicKey = importPublicKey(key.public_key_pem);
    const [signed] = await this.proxy.sign([{ purpose, kid, input, publicKey }]);
    const envelope = documentEnvelope(format, payload, kid, signed?.signature ?? '');
    // Storage is irreversible, so the document must verify first.
    const { reasons } = verifyDocument(format, { envelope, keys: [key], origin: document.origin });
    if (reasons.length === 0) return envelope;
    throw new SignerError('signing_unavailable', `The signature for ${kid} is wrong: ${reasons.join('; ')}`);
  }
}

/**
 * The checkpoint key that is registered as active and that the signing proxy holds.
 * @throws SignerError `signing_unavailable` when there is none
 */
export function registeredCheckpointKey(
  registered: readonly SignerEntry[],
  held: readonly KeyInfo[],
): SignerEntry {
  const registeredKeys = registered.filter(
    ({ status, purposes }) => status === 'active' && purposes.includes('checkpoint'),
  );
  // The newest registration wins: during a rotation's overlap the old key is still active.
  const key = registeredKeys.findLast((entry) =>
    held.some(
      ({ kid, purposes, publicKeyPem }) =>
        kid === entry.signer_kid &&
        purposes.includes('checkpoint') &&
        publicKeyPem.trim() === entry.public_key_pem.trim(),
    ),
  );
  if (key !== undefined) return key;
  const names = registeredKeys.map(({ signer_kid }) => signer_kid).join(', ') || 'none';
  throw new SignerError(
    'signing_unavailable',
    `No checkpoint key can sign: active in the registry is ${names}, and the signing proxy holds no such key; ` +
      'name one for "checkpoint" in its KERNEL_SIGNING_KEYS (docs/signing-proxy.md)',
  );
}
