const path = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/**
 * The long files of the end-to-end tests, longest first, so that no worker is left alone with one at the end. A fresh
 * clone has no times of an earlier run, and would begin with the files that have most lines.
 */
const LONG = [
  'reliability',
  'checks',
  'deployment',
  'disaster',
  'rotation',
  'key-stores',
  'external-vault',
  'engines',
  'pipelines',
  'certificates',
];

const rank = (test) => {
  const found = LONG.indexOf(path.basename(test.path).split('.')[0]);
  return found === -1 ? LONG.length : found;
};

module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((one, other) => rank(one) - rank(other) || (one.path < other.path ? -1 : 1));
  }
};
