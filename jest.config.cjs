/**
 * The name of a test's file says its reach: unit, int (real servers) or e2e (whole processes). Each reach is a
 * project, so `jest --selectProjects unit` runs one of them.
 */
const { enableEsModules } = require('./scripts/jest/enable-es-modules.cjs');

enableEsModules();

/** Files that run side by side: an int or e2e test mostly waits (CONTRIBUTING.md, "How long the tests take"). */
const WORKERS = 3;

const project = (reach) => ({
  displayName: reach,
  testEnvironment: 'node',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testRegex: `\\.${reach}\\.spec\\.ts$`,
  transform: { '^.+\\.ts$': '<rootDir>/scripts/jest/compile.cjs' },
  ...(reach === 'unit'
    ? {}
    : {
        globalSetup: '<rootDir>/scripts/jest/start-run.cjs',
        globalTeardown: '<rootDir>/scripts/jest/end-run.cjs',
      }),
  moduleNameMapper: {
    '^#evidence$': '<rootDir>/libs/evidence/index.ts',
    '^#evidence-crypto$': '<rootDir>/libs/evidence/crypto/node-crypto.ts',
    '^#(modules|platform|dev)/([^/]+)$': '<rootDir>/libs/$1/$2/index.ts',
  },
});

module.exports = {
  projects: ['unit', 'int', 'e2e'].map(project),
  testSequencer: '<rootDir>/scripts/jest/longest-first.cjs',
  // On a busy machine Jest may say that a worker "failed to exit gracefully". No test leaks then: with nothing open and its
  // 'exit' event long gone, a worker that has run many files takes more than Jest's 500 ms to give its heap back.
  maxWorkers: WORKERS,
  // Jest reads this option here, not in a project.
  testTimeout: 60_000,
};
