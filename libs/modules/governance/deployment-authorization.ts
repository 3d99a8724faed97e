import { DEPLOYMENT_AUTHORIZATION, type Envelope } from '#evidence';
import { type ManifestSigner, signManifest } from '#platform/signer';
import { type UpgradeState } from './domain/upgrade.state';

/** A manifest signature (docs/spec/manifest-signature.md) over the upgrade's manifest, of the kind that lets it be deployed. */
export async function authorizeDeployment(
  signer: ManifestSigner,
  { upgradeId, document, manifestSha256 }: UpgradeState,
  facts: { origin: string; signedAt: string; requestedBy: string; head: { shard: number; seq: number } },
): Promise<Envelope> {
  const { version } = document;
  const { envelope } = await signManifest(signer, {
    ...facts,
    manifestId: upgradeId,
    version: typeof version === 'string' && version !== '' && version.length <= 255 ? version : 'unversioned',
    kind: DEPLOYMENT_AUTHORIZATION,
    division: null,
    sha256: manifestSha256,
  });
  return envelope;
}
