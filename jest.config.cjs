require('./test/helpers/jest/own-variables.cjs');
const { dependencies, devDependencies } = require('./package.json');

const libraries = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name !== 'jest');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/helpers/jest/unit-environment.cjs',
  roots: ['<rootDir>/test'],
  // test/e2e drives real containers; ./scripts/test runs it with a configuration of its own
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/e2e/'],
  // the first that fits
  transform: {
    [`/node_modules/(?:${libraries.join('|')})/.+\\.[cm]?js$`]: '<rootDir>/test/helpers/jest/library-once.cjs',
    '\\.[jt]s$': '<rootDir>/test/helpers/jest/typescript-transform.cjs',
  },
  transformIgnorePatterns: [],
  // import('./x.js') of a file x.ts
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  maxWorkers: '100%',
  // the end-to-end tests of the pipelines run these beside a deploy
  testTimeout: 30_000,
};
