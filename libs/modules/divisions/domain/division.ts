import { type AuditEvent, type Envelope, type JsonObject, manifestDigest } from '#evidence';
import { type AccountState, overdrawn } from './account';
import { type Budget, readBudget } from './budget';
import { DivisionError } from './division.error';

export const DIVISION_STATUSES = ['active', 'paused', 'retired'] as const;
export type DivisionStatus = (typeof DIVISION_STATUSES)[number];

/** The part of a division's manifest that the kernel itself uses; the rest is for the people who read it. */
export interface DivisionTerms {
  id: string;
  name: string | null;
  status: DivisionStatus;
  budget: Budget;
}

export interface DivisionState extends DivisionTerms {
  /** Version of the manifest: 1 when it was registered. */
  version: number;
  /** The manifest as signed, including its version. */
  manifest: JsonObject;
  manifestSha256: string;
  signature: DivisionSignature;
  registeredAt: string;
  updatedAt: string;
  updatedBy: string;
  /** The event that made this version. */
  eventId: string;
}

export interface DivisionSignature {
  id: string;
  keyVersion: string;
  /** RFC 3339 UTC with milliseconds: the statement's time, so the signature covers it. */
  signedAt: string;
  envelope: Envelope;
}

export interface DivisionEvent {
  type: 'division.registered' | 'division.updated';
  payload: {
    division: string;
    version: number;
    manifest: JsonObject;
    manifestSha256: string;
  };
}

/** The same as in role bindings: a DivisionLead's binding names the division by it. */
const DIVISION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_NAME = 200;

export function divisionStream(divisionId: string): string {
  return `division/${divisionId}`;
}

/** @throws DivisionError `invalid_division` with the pointer into the manifest */
export function readDivisionManifest(manifest: JsonObject): DivisionTerms {
  const { id, name = null, status = 'active', budget } = manifest;
  if (typeof id !== 'string' || !DIVISION_ID.test(id)) {
    throw invalidDivision('/id', 'id is 1 to 128 letters, digits and "._-"');
  }
  if (name !== null && (typeof name !== 'string' || name.trim() === '' || name.length > MAX_NAME)) {
    throw invalidDivision('/name', `name is a text of 1 to ${MAX_NAME} characters`);
  }
  if (!DIVISION_STATUSES.includes(status as DivisionStatus)) {
    throw invalidDivision('/status', `status is one of ${DIVISION_STATUSES.join(', ')}`);
  }
  return { id, name, status: status as DivisionStatus, budget: readBudget(budget, invalidDivision) };
}

function invalidDivision(pointer: string, message: string): DivisionError {
  return new DivisionError('invalid_division', `The division does not fit: ${message}.`, { pointer });
}

/**
 * A division's manifest at its next version.
 * @param document the manifest; its `version` is the one it is based on, left out (or 0) for a new division
 * @throws DivisionError `invalid_division`, `stale_version`, `division_retired`, `budget_below_allocated`
 */
export function decideDivision(
  state: DivisionState | null,
  document: JsonObject,
  account: AccountState,
): DivisionEvent {
  const terms = readDivisionManifest(document);
  const { id } = terms;
  const base = document['version'] ?? 0;
  const current = state?.version ?? 0;
  if (!Number.isSafeInteger(base) || (base as number) < 0) {
    throw invalidDivision('/version', 'version is the version that the change is based on, a whole number');
  }
  if (base !== current) {
    throw new DivisionError(
      'stale_version',
      current === 0
        ? `There is no division ${id} yet; leave version out to register it.`
        : `The division ${id} is at version ${current}, the change is based on ${base === 0 ? 'none' : `version ${base as number}`}; fetch it and decide anew.`,
      { currentVersion: current },
    );
  }
  if (state?.status === 'retired') {
    throw new DivisionError('division_retired', `The division ${id} is retired, and stays so.`);
  }
  const over = overdrawn(account, terms.budget);
  if (over !== null) {
    throw new DivisionError(
      'budget_below_allocated',
      `${over.pool === null ? 'The budget' : `The budget of the pool ${over.pool}`} would be ${over.budget}, and ${over.allocated} are allocated; release the difference first.`,
      { ...over },
    );
  }
  const version = current + 1;
  const manifest: JsonObject = { ...document, version };
  return {
    type: state === null ? 'division.registered' : 'division.updated',
    payload: { division: id, version, manifest, manifestSha256: manifestDigest(manifest) },
  };
}

/** The division after an event of its stream. */
export function evolveDivision(state: DivisionState | null, event: AuditEvent): DivisionState | null {
  const { type, payload, ts, actor, id: eventId } = event;
  if (type !== 'division.registered' && type !== 'division.updated') return state;
  // Only the kernel writes these streams, and it checks what it writes.
  const { version, manifest, manifestSha256, signature } = payload as unknown as DivisionEvent['payload'] & {
    signature: DivisionSignature;
  };
  return {
    ...readDivisionManifest(manifest),
    version,
    manifest,
    manifestSha256,
    signature,
    registeredAt: state?.registeredAt ?? ts,
    updatedAt: ts,
    updatedBy: actor.id,
    eventId,
  };
}
