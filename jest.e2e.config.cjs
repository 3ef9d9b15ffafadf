require('./test/helpers/jest/own-variables.cjs');

/** Drives real containers; ./scripts/test runs it after the toolchain is there. @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test/e2e'],
  testMatch: ['**/*.e2e.test.ts'],
  transform: { '^.+\\.[jt]s$': '<rootDir>/test/helpers/jest/typescript-transform.cjs' },
  // age-encryption and what it needs are ES modules, which jest takes as CommonJS only
  transformIgnorePatterns: ['/node_modules/(?!(?:age-encryption|@noble/[^/]+|@scure/[^/]+)/)'],
  // import('./x.js') of a file x.ts
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // each file has a deployment of its own, which waits for containers most of the time
  maxWorkers: 2,
  testSequencer: '<rootDir>/test/helpers/jest/longest-first.cjs',
  // ends what hangs; limits that are promised are asserted where they are measured
  testTimeout: 1_200_000,
  // what failed comes before what passed: CI may show no more than some lines after the name of the file
  verbose: false,
};
