import { z } from 'zod';
import { AccessError } from './access-error';
import { type CertificateIdentity } from './certificate-identity';
import { ROLES, type Principal } from './principal';

const role = z.enum(ROLES);
export const divisionId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected a division id');

/**
 * Configuration: `[{ "cn": "release-bot", "role": "Operator" }, { "spiffe": "spiffe://prod/lead", "role": "DivisionLead", "division": "product" }]`.
 * One entry per identity, by the certificate's exact common name or its exact SPIFFE ID.
 */
export const roleBindings = z.array(
  z.union([
    z.strictObject({ cn: z.string().min(1).max(64), role, division: divisionId.optional() }),
    z.strictObject({ spiffe: z.string().startsWith('spiffe://'), role, division: divisionId.optional() }),
  ]),
);
export type RoleBinding = z.output<typeof roleBindings>[number];

/** The active bindings. Read only; a change of configuration makes a new one. */
export class RoleBindings {
  private readonly byCommonName = new Map<string, RoleBinding>();
  private readonly bySpiffeId = new Map<string, RoleBinding>();

  /** @throws AccessError `invalid_bindings`, naming the entry. */
  constructor(bindings: readonly RoleBinding[]) {
    for (const binding of bindings) {
      const [index, identity] =
        'cn' in binding ? [this.byCommonName, binding.cn] : [this.bySpiffeId, binding.spiffe];
      if (index.has(identity)) {
        throw new AccessError(
          'invalid_bindings',
          `The identity "${identity}" is bound twice; keep one binding.`,
        );
      }
      if ((binding.role === 'DivisionLead') !== (binding.division !== undefined)) {
        throw new AccessError(
          'invalid_bindings',
          `The binding of "${identity}" must name a division exactly when its role is DivisionLead.`,
        );
      }
      index.set(identity, binding);
    }
  }

  /**
   * The principal of a verified certificate. Only the SPIFFE ID identifies a certificate that has one:
   * issuers of SVIDs do not vouch for the common name.
   */
  principalFor(identity: CertificateIdentity): Principal {
    const { commonName, spiffeId } = identity;
    const binding =
      spiffeId !== undefined
        ? this.bySpiffeId.get(spiffeId)
        : commonName !== undefined
          ? this.byCommonName.get(commonName)
          : undefined;
    const id = spiffeId ?? commonName;
    if (id === undefined) {
      throw new AccessError(
        'ambiguous_certificate',
        'The client certificate has neither a common name nor a SPIFFE ID.',
      );
    }
    return Object.freeze({
      id,
      kind: 'service',
      roles: Object.freeze(binding === undefined ? [] : [binding.role]),
      ...(binding?.division !== undefined && { division: binding.division }),
      ...(commonName !== undefined && { commonName }),
      ...(spiffeId !== undefined && { spiffeId }),
    });
  }
}
