/** One test run for everything; a test's reach is in its file name: unit, int (real servers), e2e (whole processes). */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testRegex: '\\.(unit|int|e2e)\\.spec\\.ts$',
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^#evidence$': '<rootDir>/libs/evidence/index.ts',
    '^#evidence-crypto$': '<rootDir>/libs/evidence/crypto/node-crypto.ts',
    '^#(modules|platform|dev)/([^/]+)$': '<rootDir>/libs/$1/$2/index.ts',
  },
  testTimeout: 60_000,
  // On a busy machine Jest may say that a worker "failed to exit gracefully". No test leaks then: with nothing open and its
  // 'exit' event long gone, a worker that has run many files takes more than Jest's 500 ms to give its heap back.
  maxWorkers: 2,
};
