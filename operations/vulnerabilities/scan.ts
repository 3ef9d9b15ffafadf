/** Runs govulncheck, built from pinned modules, over the sources of the shipped programs with a pinned database. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { projectRoot } from '../lib/project-root';
import { ExternalError, messageOf } from '../lib/errors';
import { cacheLayout } from '../toolchain/cache';
import { run } from '../lib/command';
import { buildProgram, goEnvironment } from '../toolchain/go/go-build';
import { findGo, type GoCommand, noGo, PINNED_GO } from '../toolchain/go/go-toolchain';
import type { GoProgram } from '../toolchain/go/programs';
import type { Step } from '../lib/step';
import { type Findings, parseFindings, pinsOf, SHIPPED } from './findings';

const MODULE = path.join(projectRoot, 'toolchain', 'vulnerabilities');
const DATABASE = 'golang.org/x/vulndb';

const tool = (name: string, pkg: string): GoProgram => ({
  name,
  module: MODULE,
  package: pkg,
  tags: [],
  target: 'host',
  diskMb: { modules: 250, objects: 250 },
});

const govulncheck = tool('govulncheck', 'golang.org/x/vuln/cmd/govulncheck');
/** Makes the files that govulncheck asks for out of the files that the module holds. */
const indexdb = tool('indexdb', `${DATABASE}/cmd/indexdb`);
export const cyclonedx = tool('cyclonedx-gomod', 'github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod');

/**
 * The steps that look every shipped program up.
 *
 * @param level `symbol` looks for paths of calls, which takes gigabytes and minutes for MinIO and Vault; `package` does not
 * @param done told what was found, after the last step
 */
export function scanSteps(level: 'symbol' | 'package', done: (findings: Findings) => void): Step[] {
  const cache = cacheLayout();
  const programs: Record<string, Findings['programs'][string]> = {};
  let database: { version: string; folder: string } | undefined;
  let scanner = '';

  const tools: Step = {
    title: 'Scanner and database',
    run: async ({ signal, report }) => {
      const go = findGo(cache);
      if (go === undefined) throw noGo();
      scanner = await buildProgram(cache, govulncheck, { signal, onProgress: report });
      const indexer = await buildProgram(cache, indexdb, { signal, onProgress: report });
      const { version, dir } = await moduleFolder(go, signal);
      const folder = await mkdtemp(path.join(tmpdir(), 'ebs-vulndb-'));
      await run(indexer, ['-vulns', path.join(dir, 'data', 'osv'), '-out', folder], {
        logFile: path.join(cache.logs, 'indexdb.log'),
        signal,
      });
      database = { version, folder };
      return version;
    },
  };

  const scans = SHIPPED.map((program): Step => ({
    title: `Scan ${program.name}`,
    run: async ({ signal }) => {
      const go = findGo(cache);
      if (go === undefined) throw noGo();
      if (database === undefined) throw new Error('the database was not made');
      const tags = program.tags.length > 0 ? ['-tags', program.tags.join(',')] : [];
      const dbOption = ['-db', `file://${database.folder}`];
      const args = [...dbOption, '-scan', level, '-format', 'json', ...tags, program.package];
      // govulncheck asks the go of PATH, and takes its standard library for the one of the program
      const PATH = [path.dirname(go.program), process.env.PATH].join(path.delimiter);
      const env = { ...goEnvironment(program, go), PATH };
      const printed = await output(scanner, args, program.module, env, signal);
      const findings = parseFindings(printed);
      programs[program.name] = { pins: pinsOf(program), findings };
      return `${findings.length} findings`;
    },
  }));

  const end: Step = {
    title: 'Findings',
    run: async () => {
      if (database === undefined) throw new Error('the database was not made');
      await rm(database.folder, { recursive: true });
      done({ database: database.version, go: PINNED_GO, programs });
      return undefined;
    },
  };
  return [tools, ...scans, end];
}

/** Where the pinned database is in the module cache, downloaded if it is not there. */
async function moduleFolder(go: GoCommand, signal: AbortSignal): Promise<{ version: string; dir: string }> {
  const environment = { ...process.env, ...go.env, GOFLAGS: '-mod=readonly', GOWORK: 'off' };
  const printed = await output(go.program, ['mod', 'download', '-json', DATABASE], MODULE, environment, signal);
  const { Version, Dir } = z.object({ Version: z.string(), Dir: z.string() }).parse(JSON.parse(printed));
  return { version: Version, dir: Dir };
}

/** All that a program prints on stdout. */
async function output(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string> {
  try {
    // the paths of calls in MinIO and Vault are long: some 100 MB of them
    const options = { cwd, env, maxBuffer: 1e9, ...(signal === undefined ? {} : { signal }) };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    signal?.throwIfAborted();
    const { stderr } = error as { stderr?: string };
    throw new ExternalError(
      `\`${path.basename(program)} ${args.join(' ')}\` failed: ${stderr?.trim() ?? messageOf(error)}`,
    );
  }
}
