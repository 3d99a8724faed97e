/** One test run for everything; a test's reach is in its file name: unit, int (real servers), e2e (whole processes). */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testRegex: '\\.(unit|int|e2e)\\.spec\\.ts$',
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: { '^#libs/([^/]+)$': '<rootDir>/libs/$1/src/index.ts' },
  testTimeout: 60_000,
  maxWorkers: 2,
};
