/** `./scripts/drill`: the disaster, rehearsed on a copy. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nodesOf } from '../config/node';
import { pinEngine } from '../config/docker/docker-engine';
import { imageSource } from '../config/docker/image-source';
import { loadEnvironment, type LoadedEnvironment } from '../operations/state/load';
import { defaultStateHome } from '../config/state/layout';
import { projectRoot } from '../operations/lib/project-root';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { newIdentity } from '../operations/backup/age/age-keys';
import { backUp } from '../operations/backup/backup';
import {
  type CopyImages,
  copyOf,
  copyWithImages,
  DRILL_ENVIRONMENT,
  DRILL_LOCK,
  drillFolders,
  type DrillObject,
  firstOpening,
  openObjects,
  writeObjects,
} from '../operations/backup/drill/drill';
import { type DrillReport, drillJunit, drillText, recoveryPointOf } from '../operations/backup/drill/drill-report';
import { noteDrill } from '../operations/backup/drill/last-drill';
import { dockerEngine } from '../operations/docker/docker';
import { type RunningImages, runningImages } from '../operations/docker/running-images';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { writeFileAtomically } from '../operations/lib/files';
import { describeHolder, withLock } from '../operations/lib/lock';
import { leaveMetrics } from '../operations/monitoring/textfile';
import { dockerResourcesOf, tearDownSteps } from '../operations/docker/tear-down';
import type { Step } from '../operations/lib/step';
import { type DeployedVersions, readDeployedVersions } from '../operations/state/notes/versions-note';
import { readToolchain } from '../operations/toolchain/findings';
import { buildImage } from '../operations/toolchain/images/push-images';
import { versionChanges } from '../operations/toolchain/version-changes';
import { shippedVersions } from '../operations/toolchain/versions';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/drill [environment] [--upgrade] [--host NAME] [--json] [--junit FILE]

Rehearses the disaster on a copy of an environment, with other ports, an embedded Vault, keys and volumes of its own: it is
deployed, objects of all sizes are written in every mode of encryption, it is backed up, its containers, its Vault and its
state folder are destroyed, it is restored from the backup, and every object is read and compared. Then the copy is taken
away, also after a failure or Ctrl-C. Of the environment itself only files are read, so this is safe beside production.
The report also says what a disaster would take from it now, by the notes of its master keys and its newest backup.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --upgrade     rehearse the next upgrade instead: the copy is deployed with the images that run now, filled and backed up,
                upgraded to what is shipped, and read; then MinIO and KES go back, and it is read again
  --host NAME   of an environment with several hosts: make the copy on that host (default: on this machine). It has one
                drive: how MinIO spreads objects over hosts is not rehearsed
  --json        print the report as JSON
  --junit FILE  write the report as JUnit XML, too
  -h, --help    this text

The report goes to stdout, progress to stderr.

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('drill', args, {
    upgrade: { type: 'boolean' },
    json: { type: 'boolean' },
    junit: { type: 'string' },
    host: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const original = loadEnvironment(positionals[0]);
  const { environment, state } = original;
  if (values.upgrade && environment.hosts !== undefined && values.host === undefined) {
    throw new UsageError(
      `--upgrade: must be given with --host, because ${environment.name} has several hosts, and the images that run are on them`,
      'See ./scripts/drill --help.',
    );
  }
  // of several hosts none is touched, unless the copy is made there
  if (environment.hosts === undefined) {
    pinEngine(environment.docker);
    await requireOwnEngine(original);
  }
  const recoveryPoint = recoveryPointOf(state, new Date());
  mkdirSync(defaultStateHome(), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(path.join(defaultStateHome(), 'drill-'));
  const lock = path.join(folder, DRILL_LOCK);
  const rehearsed = await withLock(lock, `rehearsing the disaster of ${environment.name}`, async () => {
    const file = path.join(folder, DRILL_ENVIRONMENT);
    writeFileSync(file, await copyOf(environment, path.join(folder, 'state'), values.host));
    const copy = loadEnvironment(file);
    pinEngine(copy.environment.docker);
    await requireNoOther(copy, folder);
    const facts: Facts = {};
    const steps = values.upgrade
      ? upgradeSteps(copy, await runningImages(nodesOf(environment)), readDeployedVersions(state), folder, facts)
      : drillSteps(copy, folder, facts);
    return rehearse(environment.name, copy, { folder, steps, facts }, signal);
  });
  const report: DrillReport = { ...rehearsed, recoveryPoint };
  if (values.junit !== undefined) writeFileAtomically(path.resolve(values.junit), drillJunit(report), 0o644);
  // an environment that is only a file has no place for it; an upgrade tells of no recovery
  if (existsSync(state.deployment) && !values.upgrade) {
    noteDrill(state, report);
    leaveMetrics(original);
  }
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : drillText(report));
  signal.throwIfAborted();
  if (report.outcome === 'failed') throw new ExternalError(`the drill of ${environment.name} failed`, report.problem);
});

/** What the steps find out. */
type Facts = Partial<Record<'objects' | 'objectsSame' | 'backupBytes' | 'firstObjectSeconds', number>> & {
  changes?: readonly string[];
};

interface Rehearsal {
  /** Everything of the copy; removed at the end. */
  readonly folder: string;
  readonly steps: readonly Step[];
  /** Filled by the steps. */
  readonly facts: Facts;
}

async function rehearse(
  original: string,
  copy: LoadedEnvironment,
  { folder, steps, facts }: Rehearsal,
  signal: AbortSignal,
): Promise<Omit<DrillReport, 'recoveryPoint'>> {
  const startedAt = new Date();
  const timed: { name: string; seconds: number }[] = [];
  let problem: string | undefined;
  try {
    await showSteps(
      steps.map((step) => ({
        ...step,
        run: async (context) => {
          const started = performance.now();
          const remark = await step.run(context);
          timed.push({ name: step.title, seconds: (performance.now() - started) / 1000 });
          return remark;
        },
      })),
      signal,
    );
  } catch (error) {
    problem = messageOf(error);
  } finally {
    // whatever happened, and not to be interrupted: the copy is of no use to anybody
    await showSteps(takenAway(copy), new AbortController().signal);
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    version: 1,
    environment: original,
    copy: copy.environment.name,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    outcome: problem === undefined ? 'passed' : 'failed',
    ...(problem === undefined ? {} : { problem }),
    steps: timed,
    ...facts,
  };
}

/** The upgrade of what runs to what is shipped, and back. */
function upgradeSteps(
  copy: LoadedEnvironment,
  running: RunningImages,
  noted: DeployedVersions | undefined,
  folder: string,
  facts: Facts,
): Step[] {
  const asShipped = readFileSync(copy.file, 'utf8');
  const writeCopy = (text: string): void => {
    writeFileAtomically(copy.file, text);
  };
  let objects: readonly DrillObject[] = [];
  let before: CopyImages | undefined;
  let shipped: CopyImages | undefined;
  const open = async (): Promise<string> => {
    await openObjects(copy, objects);
    facts.objectsSame = objects.length;
    return `${objects.length} are what was written`;
  };
  return [
    {
      title: 'Versions',
      run: async ({ signal, announce }) => {
        await script('toolchain', [copy.file], signal);
        const coming = await shippedVersions(copy.environment, readToolchain());
        const { vault, kes, minio } = coming.programs;
        if (vault === undefined || kes === undefined || minio === undefined) throw new Error('a copy has all programs');
        shipped = { vault: vault.image, kes: kes.image, minio: minio.image };
        // no deploy has built it where the environment has no Vault of its own
        const source = imageSource({ environment: copy.environment, toolchain: readToolchain() }, 'vault');
        if (running.vault === undefined && source.kind === 'build') {
          await buildImage(dockerEngine(copy.environment.docker), vault.image, source, signal);
        }
        before = {
          // a copy has a Vault of its own, also where the environment has none
          vault: running.vault?.[0] ?? shipped.vault,
          kes: running.kes?.[0] ?? shipped.kes,
          minio: running.minio?.[0] ?? shipped.minio,
        };
        const changes = versionChanges(
          { vault: [before.vault], kes: [before.kes], minio: [before.minio] },
          noted,
          coming,
        ).filter(({ program }) => program !== undefined);
        facts.changes = changes.map(({ of, from, to }) => `${of}: from ${from} to ${to}`);
        for (const change of facts.changes) announce(change);
        if (changes.length === 0)
          throw new ExternalError('what runs is what is shipped, or nothing runs: no upgrade to rehearse');
        return undefined;
      },
    },
    {
      title: 'Deploy a copy with the images that run',
      run: async ({ signal }) => {
        if (before === undefined) throw new Error('the versions are not known');
        writeCopy(copyWithImages(asShipped, before));
        return script('up', [copy.file], signal);
      },
    },
    writeStep(copy, facts, (written) => {
      objects = written;
    }),
    {
      title: 'Back up',
      run: async () => {
        const identity = await newIdentity(path.join(folder, 'identity.txt'));
        const { bytes } = await backUp(copy, { kind: 'file', file: path.join(folder, 'backup.age') }, [identity]);
        facts.backupBytes = bytes;
        return `${bytes} bytes`;
      },
    },
    {
      title: 'Upgrade',
      run: async ({ signal }) => {
        writeCopy(asShipped);
        return script('up', [copy.file], signal);
      },
    },
    { title: 'Open every object', run: open },
    {
      title: 'MinIO and KES go back',
      run: async ({ signal }) => {
        if (before === undefined || shipped === undefined) throw new Error('the versions are not known');
        writeCopy(copyWithImages(asShipped, { ...before, vault: shipped.vault }));
        return script('up', [copy.file], signal);
      },
    },
    { title: 'Open every object again', run: open },
  ];
}

/** Fills the copy. */
function writeStep(copy: LoadedEnvironment, facts: Facts, keep: (written: readonly DrillObject[]) => void): Step {
  return {
    title: 'Write objects',
    run: async () => {
      const written = await writeObjects(copy);
      keep(written);
      facts.objects = written.length;
      return `${written.length} in every mode of encryption`;
    },
  };
}

function drillSteps(copy: LoadedEnvironment, folder: string, facts: Facts): Step[] {
  const { state } = copy;
  const identity = path.join(folder, 'identity.txt');
  const file = path.join(folder, 'backup.age');
  let objects: readonly DrillObject[] = [];
  let signer = '';
  return [
    { title: 'Deploy a copy', run: async ({ signal }) => script('up', [copy.file], signal) },
    writeStep(copy, facts, (written) => {
      objects = written;
    }),
    {
      title: 'Back up',
      run: async () => {
        const made = await backUp(copy, { kind: 'file', file }, [await newIdentity(identity)]);
        const { bytes } = made;
        signer = made.signer;
        facts.backupBytes = bytes;
        return `${bytes} bytes`;
      },
    },
    {
      title: 'Disaster',
      run: async (context) => {
        await lose(copy, context);
        rmSync(state.root, { recursive: true, force: true });
        return 'containers, Vault and state folder are gone; the drives are left';
      },
    },
    {
      title: 'Restore',
      run: async ({ signal }) => {
        const started = performance.now();
        const [first] = objects;
        if (first === undefined) throw new Error('no object was written');
        const done = new AbortController();
        const opening = firstOpening(() => copy, first, AbortSignal.any([done.signal, signal])).then((at) => {
          if (at !== undefined) facts.firstObjectSeconds = (performance.now() - started) / 1000;
        });
        try {
          const known = ['--identity', identity, '--signer', signer];
          await script('restore', ['--from', file, ...known, copy.file], signal);
        } finally {
          done.abort();
          await opening;
        }
        return undefined;
      },
    },
    {
      title: 'Open every object',
      run: async () => {
        await openObjects(copy, objects);
        facts.objectsSame = objects.length;
        return `${objects.length} are what was written`;
      },
    },
  ];
}

/** Everything but the objects: as if the host of Vault and of the deploys were gone. */
async function lose({ environment, state }: LoadedEnvironment, context: Parameters<Step['run']>[0]): Promise<void> {
  const docker = dockerEngine(environment.docker);
  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  const loaded = { environment, state, file: '', argument: environment.name };
  for (const step of tearDownSteps({ docker, owner, loaded, deleteData: false })) {
    if (step.applies?.() ?? true) await step.run(context);
  }
  const { dataVolumes } = await dockerResourcesOf(docker, owner);
  const drives = nodesOf(environment)[0].minio.drives.map(({ source }) => source);
  for (const name of dataVolumes.filter((volume) => !drives.includes(volume))) await docker.getVolume(name).remove();
}

function takenAway(copy: LoadedEnvironment): Step[] {
  const docker = dockerEngine(copy.environment.docker);
  const owner = { name: ENVIRONMENT_LABEL, value: copy.environment.name };
  return tearDownSteps({ docker, owner, loaded: copy, deleteData: true });
}

/**
 * Refuses beside another drill of the same environment, or somebody's environment of that name. Where there is none, what
 * killed drills left is of no use any more and goes: keys of a copy whose volumes are gone.
 */
async function requireNoOther({ environment }: LoadedEnvironment, folder: string): Promise<void> {
  const docker = dockerEngine(environment.docker);
  const others = (await drillFolders(defaultStateHome(), environment)).filter((drill) => drill.folder !== folder);
  const dockerResources = await dockerResourcesOf(docker, { name: ENVIRONMENT_LABEL, value: environment.name });
  const free = Object.values(dockerResources).every((list: readonly unknown[]) => list.length === 0);
  for (const drill of others) {
    if (!free || drill.holder !== undefined) continue;
    rmSync(drill.folder, { recursive: true, force: true });
    process.stderr.write(`removed ${drill.folder}: a drill that was killed had left it\n`);
  }
  if (free) return;
  rmSync(folder, { recursive: true, force: true });
  const holder = others.find((drill) => drill.holder !== undefined)?.holder;
  const killed = others[0]?.folder ?? path.join(defaultStateHome(), 'drill-…');
  throw new ExternalError(
    `there is an environment ${environment.name} already, and the copy would have its name`,
    holder === undefined
      ? `if a drill was killed, take away what it left with: ./scripts/down ${path.join(killed, DRILL_ENVIRONMENT)} --delete-data`
      : `wait until the other drill is done: ${describeHolder(holder)}`,
  );
}

/** One of our own commands; what it prints is its log. */
async function script(
  name: 'up' | 'restore' | 'toolchain',
  args: readonly string[],
  signal: AbortSignal,
): Promise<undefined> {
  const child = spawn(path.join(projectRoot, 'scripts', name), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString('utf8')));
  const interrupt = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    signal.throwIfAborted();
    if (code === 0) return undefined;
    const text = said.join('').trim();
    throw new ExternalError(`./scripts/${name} ended with exit code ${code ?? 'none'}:\n${text.slice(-4000)}`);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
