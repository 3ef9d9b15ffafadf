/**
 * Runs a program of this project: `node scripts/lib/run.cjs scripts/up.ts ARGUMENT…`.
 *
 * A first deploy starts a dozen programs, and each took longer to load from TypeScript and hundreds of small files than
 * it then ran. So esbuild bundles them all, once for each state of the sources: docs/adr/0023.
 */
'use strict';

const { createHash } = require('node:crypto');
const { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { bundle } = require('./bundle.cjs');

// cdktf calls util.isArray and docker-modem url.parse, which Node 22 and 24 warn of; no setting of a deploy changes that
process.noDeprecation = true;

const project = path.resolve(__dirname, '..', '..');
const bundles = path.join(project, '.toolchain', 'bundles');

/** What a program may be made of. Every other file that esbuild reads belongs to a package, of which the lock file is the state. */
const SOURCES = [
  'package-lock.json',
  'main.ts',
  'bench',
  'config',
  'constructs',
  'operations',
  'scripts',
  'stacks',
  'test/helpers',
];
const PROGRAMS =
  /^(?:main|bench\/bench|operations\/(?:run|checks\/outage\/cleanup-watchdog-process)|scripts\/[^/]+)\.ts$/;
/** Since it was last started: a deploy that runs from an older bundle may yet load a part of it. */
const KEPT_MS = 24 * 60 * 60 * 1000;

function* filesIn(name) {
  const file = path.join(project, name);
  if (!existsSync(file)) return;
  if (!statSync(file).isDirectory()) return void (yield name);
  for (const entry of readdirSync(file).sort()) yield* filesIn(`${name}/${entry}`);
}

function currentBundle() {
  const sources = SOURCES.flatMap((name) => [...filesIn(name)]);
  const hash = createHash('sha256');
  for (const name of sources) {
    const content = readFileSync(path.join(project, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  const folder = path.join(bundles, hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) markAsUsed(folder);
  else build(sources, folder);
  return folder;
}

function markAsUsed(folder) {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch {
    // it is another user's, who has to look after it
  }
}

/** Two that build at once make the same; the folder appears when it is whole. */
function build(sources, folder) {
  const made = `${folder}.${process.pid}`;
  const { inputs } = bundle(
    sources.filter((name) => PROGRAMS.test(name)),
    { outdir: made, sourcemap: 'linked', sourcesContent: false },
  );
  const unknown = Object.keys(inputs).filter((name) => !name.startsWith('node_modules/') && !sources.includes(name));
  if (unknown.length > 0) {
    rmSync(made, { recursive: true });
    throw new Error(`scripts/lib/run.cjs does not know that programs are made of ${unknown.join(', ')}: see SOURCES`);
  }
  for (const name of readdirSync(bundles)) {
    const old = path.join(bundles, name);
    // another that builds may have renamed or removed it since
    const usedAt = statSync(old, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - usedAt > KEPT_MS) rmSync(old, { recursive: true, force: true });
  }
  try {
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}

process.setSourceMapsEnabled(true);
const [node, , program = '', ...args] = process.argv;
process.argv = [node, path.join(project, program), ...args];
import(pathToFileURL(path.join(currentBundle(), program.replace(/\.ts$/, '.mjs'))).href).catch((error) => {
  console.error(error);
  process.exit(1);
});
