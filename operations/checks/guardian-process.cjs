/**
 * The process of guardian.ts. Plain JavaScript that loads nothing as long as the run lives, so that it costs the run next
 * to nothing.
 */
'use strict';

let notes = '';
process.stdin
  .setEncoding('utf8')
  .on('data', (text) => (notes += text))
  .on('end', () => {
    require('tsx/cjs/api').register();
    require('./put-back.ts')
      .putBack(notes)
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  });
