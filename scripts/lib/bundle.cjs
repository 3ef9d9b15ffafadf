/** How programs of this project become bundles. */
'use strict';

const path = require('node:path');

const project = path.resolve(__dirname, '..', '..');

/** Bundles programs with everything that they use. Parts that several need are files of their own. */
exports.bundle = function bundle(entryPoints, options) {
  return require('esbuild').buildSync({
    absWorkingDir: project,
    entryPoints,
    outbase: project,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    keepNames: true,
    metafile: true,
    logLevel: 'error',
    // native parts of packages are optional and not built; prettier loads its parsers by name
    external: ['*.node', 'cpu-features', 'esbuild', 'prettier'],
    // what CommonJS packages expect to be there, under names that nothing else has
    banner: {
      js: [
        "import { createRequire as $createRequire } from 'node:module';",
        "import { fileURLToPath as $fileURLToPath } from 'node:url';",
        'const require = $createRequire(import.meta.url);',
        'const __filename = $fileURLToPath(import.meta.url);',
        "const __dirname = $fileURLToPath(new URL('.', import.meta.url));",
      ].join(' '),
    },
    ...options,
  }).metafile;
};
