import { type JsonObject, type JsonValue, manifestDigest, manifestDivision } from '#evidence';

/** Subject of a manifest signature: the statement's subject and predicate (docs/spec/manifest-signature.md). */
export interface ManifestSubject {
  manifestId: string;
  version: string;
  kind: string;
  /** Hex SHA-256 of the manifest's canonical JSON. */
  sha256: string;
  /** The division that the manifest says it belongs to; decides what a DivisionLead may sign. */
  division: string | null;
}

/**
 * A manifest too large to send is named only by its digest. What it says of itself is then the caller's word, so only a
 * caller who is bound to no division may do this.
 */
export interface ManifestReference {
  manifestId: string;
  version: string | number;
  sha256: string;
  kind?: string;
  division?: string;
}

/** Recorded if a manifest names no version or kind of its own: the digest still says exactly what was signed. */
export const UNVERSIONED = 'unversioned';
export const DEFAULT_KIND = 'manifest';

const ID_MEMBERS = ['manifestId', 'id', 'upgradeId', 'name'] as const;

/** Reads id, version, kind and division off a manifest. One without any id member is named by its digest. */
export function subjectOfManifest(manifest: JsonObject): ManifestSubject {
  const sha256 = manifestDigest(manifest);
  const id = ID_MEMBERS.map((member) => text(manifest[member])).find((value) => value !== null);
  return {
    manifestId: id ?? `sha256:${sha256}`,
    version: text(manifest['version']) ?? numeral(manifest['version']) ?? UNVERSIONED,
    kind: text(manifest['kind']) ?? text(manifest['type']) ?? DEFAULT_KIND,
    sha256,
    division: manifestDivision(manifest),
  };
}

export function subjectOfReference(reference: ManifestReference): ManifestSubject {
  return {
    manifestId: reference.manifestId,
    version: String(reference.version),
    kind: reference.kind ?? DEFAULT_KIND,
    sha256: reference.sha256,
    division: reference.division ?? null,
  };
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function numeral(value: JsonValue | undefined): string | null {
  return typeof value === 'number' ? String(value) : null;
}
