/** A person whom the development identity provider signs in at the press of a button. */
export interface DevelopmentPerson {
  /** Name on the button, and the subject in tokens. */
  readonly sub: string;
  readonly name: string;
  readonly groups: readonly string[];
  /** Division that the person leads. */
  readonly division?: string;
}

const APPROVERS = [1, 2, 3, 4, 5].map((n): DevelopmentPerson => ({
  sub: `approver-${n}`,
  name: `Approver ${n}`,
  groups: ['kernel-approvers'],
}));

/** People of the development stack, with the roles of the client certificates of the same names. */
export const DEVELOPMENT_PEOPLE: readonly DevelopmentPerson[] = [
  { sub: 'superadmin', name: 'Super Admin', groups: ['kernel-superadmins'] },
  { sub: 'lead', name: 'Division Lead', groups: ['kernel-leads'], division: 'product' },
  { sub: 'operator', name: 'Operator', groups: ['kernel-operators'] },
  { sub: 'auditor', name: 'Auditor', groups: ['kernel-auditors'] },
  { sub: 'norole', name: 'No Role', groups: [] },
  ...APPROVERS,
];

/** Which of their groups has which role: KERNEL_OIDC_ROLES. */
export const DEVELOPMENT_ROLES = [
  { claim: '/groups', value: 'kernel-superadmins', role: 'SuperAdmin' },
  { claim: '/groups', value: 'kernel-leads', role: 'DivisionLead', divisionClaim: '/division' },
  { claim: '/groups', value: 'kernel-operators', role: 'Operator' },
  { claim: '/groups', value: 'kernel-auditors', role: 'Auditor' },
] as const;
