import { type JsonObject, type JsonValue } from '#evidence';
import { atPointer } from './json-pointer';

/** Which role a value of a claim gives. */
export interface RoleRule {
  /** JSON pointer to a text, or to a list of texts. */
  readonly claim: string;
  readonly value: string;
  readonly role: string;
  /** The division of a DivisionLead. */
  readonly division?: string | undefined;
  /** JSON pointer to it, where a claim names it. */
  readonly divisionClaim?: string | undefined;
}

/** The texts at the pointers that the rules look at: all that is kept of a person's claims. */
export type RoleClaims = Readonly<Record<string, readonly string[]>>;

export interface RoleMapping {
  readonly rules: readonly RoleRule[];
  /** Whether a person for whom several rules hold has all of their roles; else such a person is refused. */
  readonly union: boolean;
}

export type MappedRoles =
  | { readonly roles: readonly string[]; readonly division: string | null; readonly roleless: string | null }
  | { readonly refused: string };

/** Most values of a claim that are looked at: a person may be in many groups, of which few concern the kernel. */
export const MAX_CLAIM_VALUES = 1_000;
const MAX_VALUE_LENGTH = 256;
const DIVISION_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Picks from verified claims what the rules look at. */
export function roleClaimsOf(claims: JsonObject, rules: readonly RoleRule[]): RoleClaims {
  const pointers = new Set(rules.flatMap(({ claim, divisionClaim }) => [claim, divisionClaim ?? []].flat()));
  return Object.fromEntries(
    [...pointers].sort().map((pointer) => [pointer, textsOf(atPointer(claims, pointer))] as const),
  );
}

function textsOf(value: JsonValue | undefined): string[] {
  const list = Array.isArray(value) ? value : [value];
  return list
    .slice(0, MAX_CLAIM_VALUES)
    .filter((one): one is string => typeof one === 'string' && one.length <= MAX_VALUE_LENGTH);
}

/**
 * The roles that claims give. Values are compared exactly. A person for whom no rule holds has no role; one for whom rules
 * of different roles or divisions hold is refused, unless roles are united: the least that someone could have meant is not
 * for the kernel to guess. Two divisions are never united, since a lead leads one.
 */
export function mapRoles(claims: RoleClaims, { rules, union }: RoleMapping): MappedRoles {
  const roles = new Set<string>();
  const divisions = new Set<string>();
  for (const { claim, value, role, division, divisionClaim } of rules) {
    if (claims[claim]?.includes(value) !== true) continue;
    if (divisionClaim !== undefined) {
      const named = claims[divisionClaim] ?? [];
      const [only] = named;
      if (only === undefined || named.length > 1 || !DIVISION_ID.test(only)) {
        return { refused: `The claim ${divisionClaim} does not name the one division that a ${role} leads.` };
      }
      divisions.add(only);
    }
    if (division !== undefined) divisions.add(division);
    roles.add(role);
  }
  if (divisions.size > 1) {
    return { refused: `Your groups name ${divisions.size} divisions, and one person leads one division.` };
  }
  if (roles.size > 1 && !union) {
    return {
      refused: `Your groups give several roles (${[...roles].join(', ')}), and this kernel takes only people with one.`,
    };
  }
  const [division = null] = divisions;
  return { roles: [...roles], division, roleless: roles.size > 0 ? null : NO_ROLE };
}

const NO_ROLE =
  'None of the groups or roles that the identity provider names for you has a role here; ask whoever administers it.';
