import { z } from 'zod';
import { SIGNING_PURPOSES, type SigningPurpose } from '#platform/signer';

/** Client certificates and what each may have signed. A client not named may read public keys and nothing else. */
export const signingClients = z
  .array(
    z.strictObject({
      cn: z.string().min(1).max(64),
      purposes: z.array(z.enum(SIGNING_PURPOSES)).min(1),
      /** Signatures a second; without it as many as can be made. */
      perSecond: z.int().min(1).max(1_000_000).optional(),
    }),
  )
  .min(1)
  .refine(
    (clients) => new Set(clients.map(({ cn }) => cn)).size === clients.length,
    'a common name is listed twice',
  );

export type SigningClient = z.infer<typeof signingClients>[number];

/** The allow-list of common names, denied by default. */
export class SigningClients {
  private readonly purposes: ReadonlyMap<string, ReadonlySet<SigningPurpose>>;

  constructor(clients: readonly SigningClient[]) {
    this.purposes = new Map(clients.map(({ cn, purposes }) => [cn, new Set(purposes)]));
  }

  purposesOf(commonName: string | undefined): ReadonlySet<SigningPurpose> {
    return (commonName !== undefined && this.purposes.get(commonName)) || NONE;
  }
}

const NONE: ReadonlySet<SigningPurpose> = new Set();
