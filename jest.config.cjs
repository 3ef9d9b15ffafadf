require('./test/helpers/own-variables.cjs');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // test/e2e drives real containers; ./scripts/test runs it with a configuration of its own
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/e2e/'],
  transform: { '^.+\\.[jt]s$': '<rootDir>/test/helpers/typescript-transform.cjs' },
  // age-encryption and what it needs are ES modules, which jest takes as CommonJS only
  transformIgnorePatterns: ['/node_modules/(?!(?:age-encryption|@noble/[^/]+|@scure/[^/]+)/)'],
  // import('./x.js') of a file x.ts
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  maxWorkers: '100%',
  // the end-to-end tests of the pipelines run these beside a deploy
  testTimeout: 30_000,
};
