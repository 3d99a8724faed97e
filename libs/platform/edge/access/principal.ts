import { type Actor } from '#evidence';

export const ROLES = ['SuperAdmin', 'DivisionLead', 'Operator', 'Auditor'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Identity of the caller. Made from a verified certificate (later also from a verified ID token), never from headers.
 */
export interface Principal {
  /** The SPIFFE ID where the certificate has one, else its common name. */
  readonly id: string;
  readonly kind: 'service' | 'human';
  /** Empty when the identity has no role: such a caller reaches only public routes. */
  readonly roles: readonly Role[];
  /** The division that a DivisionLead leads. */
  readonly division?: string;
  readonly commonName?: string;
  readonly spiffeId?: string;
}

/** A principal as events name it. */
export function actorOf({ id, kind, roles }: Principal): Actor {
  return { id, kind, roles: [...roles] };
}
