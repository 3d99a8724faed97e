/**
 * Registers divisions, leads their agents, records evaluations and allocates from budgets. How the kernel itself is
 * changed is libs/modules/governance.
 */
export { DivisionError } from './domain/division.error';
export { DivisionsModule } from './divisions.module';
