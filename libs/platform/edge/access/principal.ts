import { type Actor } from '#evidence';

export const ROLES = ['SuperAdmin', 'DivisionLead', 'Operator', 'Auditor'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Identity of the caller. Made from a verified certificate, from the session of a person who signed in, or from a verified
 * access token; from no other header.
 */
export interface Principal {
  /** The SPIFFE ID where the certificate has one, else its common name; `<issuer>#<sub>` of a person. */
  readonly id: string;
  readonly kind: 'service' | 'human';
  /** Empty when the identity has no role: such a caller reaches only public routes. */
  readonly roles: readonly Role[];
  /** The division that a DivisionLead leads. */
  readonly division?: string;
  readonly commonName?: string;
  readonly spiffeId?: string;
  /** When a person last proved to the identity provider who they are, in milliseconds since the epoch. */
  readonly authenticatedAt?: number;
  /** A sentence that says why a person has no role. */
  readonly roleless?: string;
}

/** A principal as events name it. */
export function actorOf({ id, kind, roles }: Principal): Actor {
  return { id, kind, roles: [...roles] };
}
