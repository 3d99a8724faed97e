export { startTestPostgres, type TestDatabase, type TestPostgres, withPostgres } from './test-postgres';
