/**
 * Registers divisions, controls their agents, records evaluations and allocates from budgets. Changes of the kernel
 * itself are in libs/modules/governance.
 */
export { DivisionError } from './domain/division.error';
export { DivisionsModule } from './divisions.module';
