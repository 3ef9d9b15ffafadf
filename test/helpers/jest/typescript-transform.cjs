/**
 * Strips the types with esbuild, which also makes the programs that run. Types are checked by `npm run typecheck`.
 * `jest.mock` is not hoisted; nothing here mocks modules.
 */
const { createHash } = require('node:crypto');
const { transformSync, version } = require('esbuild');

const OPTIONS = {
  loader: 'ts',
  format: 'cjs',
  target: 'node20',
  sourcemap: 'inline',
  sourcesContent: false,
  // what is loaded late is required then: the virtual machines of jest know no import()
  supported: { 'dynamic-import': false },
};

module.exports = {
  getCacheKey: (source, file) =>
    createHash('sha256')
      .update(JSON.stringify([version, OPTIONS, file, source]))
      .digest('hex'),
  process: (source, file) => ({ code: transformSync(source, { ...OPTIONS, sourcefile: file }).code }),
};
