/** A library is loaded outside of the files that use it: see unit-environment.cjs. */
const { createHash } = require('node:crypto');

const code = (file) => `module.exports = requireOnce(${JSON.stringify(file)});`;

module.exports = {
  getCacheKey: (_source, file) => createHash('sha256').update(code(file)).digest('hex'),
  process: (_source, file) => ({ code: code(file) }),
};
