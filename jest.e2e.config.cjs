/** Drives real containers; ./scripts/test runs it after the toolchain is there. @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test/e2e'],
  testMatch: ['**/*.e2e.test.ts'],
  transform: { '^.+\\.ts$': '<rootDir>/test/helpers/typescript-transform.cjs' },
  // one deployment at a time: two would only wait for each other's CPU
  maxWorkers: 1,
  testTimeout: 300_000,
  verbose: true,
};
