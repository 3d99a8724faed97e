import {
  buildEnvelope,
  dssePae,
  type Envelope,
  MANIFEST_PAYLOAD_TYPE,
  type ManifestStatement,
  manifestStatement,
} from '#evidence';
import { type AuthorizationSigner } from './governance.ports';

/** What a statement says, and the head of the shard in which the signature will be recorded. */
export type OwnStatement = Omit<ManifestStatement, 'auditSeqAfter'> & {
  head: { shard: number; seq: number };
};

export interface OwnSignature {
  keyVersion: string;
  envelope: Envelope;
}

/**
 * Signs a manifest in the kernel's own name (docs/spec/manifest-signature.md), by the manifest key in force. Its `kind`
 * is one that libs/modules/signing refuses to callers.
 */
export async function signOwnManifest(
  signer: AuthorizationSigner,
  { head, ...statement }: OwnStatement,
): Promise<OwnSignature> {
  const payload = manifestStatement({ ...statement, auditSeqAfter: `${head.shard}:${head.seq}` });
  const { kid, keyVersion, signature } = await signer.sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload));
  return { keyVersion, envelope: buildEnvelope(payload, kid, signature) };
}
