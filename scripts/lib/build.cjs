/**
 * Makes the package in dist/, as `npm run build` does: docs/adr/0055.
 *
 * Constructs are compiled file by file, with their types. Operations are bundled with the packages that they use: what was
 * tested here is what runs there.
 */
'use strict';

const { spawnSync } = require('node:child_process');
const { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { bundle } = require('./bundle.cjs');

const project = path.resolve(__dirname, '..', '..');
const dist = path.join(project, 'dist');
const own = require('../../package.json');

/** Packages that must be there once in an app, the app's own. */
const PEERS = { cdktf: '^0.21.0', constructs: '^10.4.2' };
const PROVIDERS = ['@cdktf/provider-docker', '@cdktf/provider-vault'];
/** What constructs import besides. */
const DEPENDENCIES = ['zod'];

rmSync(dist, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.package.json'], {
  cwd: project,
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const { inputs } = bundle(['operations/run.ts', 'operations/checks/outage/cleanup-watchdog-process.ts'], {
  outdir: dist,
  chunkNames: 'operations/chunks/[name]-[hash]',
  sourcemap: false,
  legalComments: 'none',
});

copy('operations/run', 'operations/run');
chmodSync(path.join(dist, 'operations', 'run'), 0o755);
copy('LICENSE', 'LICENSE');
copy('docs/constructs.md', 'README.md');
copy('config/environment.schema.json', 'config/environment.schema.json');
write('THIRD-PARTY-LICENSES.txt', licenses(Object.keys(inputs)));
write('package.json', `${JSON.stringify(manifest(), null, 2)}\n`);

function manifest() {
  const { name, version, description, license, engines, dependencies } = own;
  const major = (provider) => `^${dependencies[provider]}`;
  return {
    name,
    version,
    description,
    license,
    keywords: ['cdktf', 'minio', 'kes', 'vault', 'encryption', 'backup'],
    engines,
    main: 'constructs/package.js',
    types: 'constructs/package.d.ts',
    exports: {
      '.': { types: './constructs/package.d.ts', default: './constructs/package.js' },
      './environment.schema.json': './config/environment.schema.json',
      './package.json': './package.json',
    },
    bin: { 'encrypted-backup-storage-operation': 'operations/run' },
    dependencies: Object.fromEntries(DEPENDENCIES.map((dependency) => [dependency, dependencies[dependency]])),
    peerDependencies: { ...PEERS, ...Object.fromEntries(PROVIDERS.map((provider) => [provider, major(provider)])) },
  };
}

/** The licenses of what is in the bundle: most ask to be passed on with it. */
function licenses(files) {
  const roots = new Set(
    files.flatMap((file) => {
      const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
      return found === null ? [] : [found[1]];
    }),
  );
  return [...roots]
    .sort()
    .map((root) => {
      const folder = path.join(project, root);
      const { name, version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
      const texts = readdirSync(folder)
        .filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
        .map((file) => readFileSync(path.join(folder, file), 'utf8').trim());
      return `${name} ${version} (${license})\n\n${texts.join('\n\n') || 'The package has no text of its license.'}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function copy(from, to) {
  const target = path.join(dist, to);
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(path.join(project, from), target);
}

function write(name, text) {
  writeFileSync(path.join(dist, name), text);
}
