export { startTestPostgres, type TestDatabase, type TestPostgres, withPostgres } from './test-postgres';
export { describeWithSoftHsm, softHsmMissing } from './softhsm';
