/** Divisions, their agents, evaluations and what is allocated to them. How the kernel itself is changed is libs/modules/governance. */
export { DivisionError, type DivisionErrorCode } from './domain/division.error';
export { DivisionsModule } from './divisions.module';
