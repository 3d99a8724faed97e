import {
  buildEnvelope,
  dssePae,
  type Envelope,
  MANIFEST_PAYLOAD_TYPE,
  type ManifestStatement,
  manifestStatement,
} from '#evidence';

/** Signs with the active manifest key; the key registry knows which that is. */
export abstract class ManifestSigner {
  /**
   * @param input the DSSE pre-authentication encoding to sign
   * @returns the key that signed, its version at the backend, and the base64 signature
   * @throws SignerError `signing_unavailable` when no manifest key can sign now
   */
  abstract sign(input: Uint8Array): Promise<{ kid: string; keyVersion: string; signature: string }>;
}

/** Content of a statement, and the head of the shard in which the signature will be recorded. */
export type StatementToSign = Omit<ManifestStatement, 'auditSeqAfter'> & {
  head: { shard: number; seq: number };
};

export interface SignedManifest {
  keyVersion: string;
  envelope: Envelope;
}

/** Makes a manifest signature (docs/spec/manifest-signature.md) with the active manifest key. */
export async function signManifest(
  signer: ManifestSigner,
  { head, ...statement }: StatementToSign,
): Promise<SignedManifest> {
  const payload = manifestStatement({ ...statement, auditSeqAfter: `${head.shard}:${head.seq}` });
  const { kid, keyVersion, signature } = await signer.sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload));
  return { keyVersion, envelope: buildEnvelope(payload, kid, signature) };
}
