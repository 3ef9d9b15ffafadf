/** `./scripts/drill`: the disaster, rehearsed on a copy. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pinEngine } from '../config/docker/docker-engine';
import { nodesOf } from '../config/node';
import { defaultStateHome } from '../config/state/layout';
import { copyOf, DRILL_ENVIRONMENT, DRILL_LOCK } from '../operations/backup/drill/copy';
import { type DrillReport, drillJunit, drillText, recoveryPointOf } from '../operations/backup/drill/drill-report';
import { noteDrill } from '../operations/backup/drill/last-drill';
import { drillSteps } from '../operations/backup/drill/recovery-drill';
import { type Facts, rehearse, requireNoOther } from '../operations/backup/drill/rehearse';
import { upgradeSteps } from '../operations/backup/drill/upgrade-drill';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { runningImages } from '../operations/docker/running-images';
import { ExternalError, UsageError } from '../operations/lib/errors';
import { writeFileAtomically } from '../operations/lib/files';
import { withLock } from '../operations/lib/lock';
import { leaveMetrics } from '../operations/monitoring/textfile';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { readDeployedVersions } from '../operations/state/notes/versions-note';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
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

const OPTIONS = { upgrade: FLAG, json: FLAG, junit: TEXT, host: TEXT };

void command('drill', HELP, OPTIONS, async ({ values, positionals, signal }) => {
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
  const copyIn = async (file: string): Promise<LoadedEnvironment> => {
    writeFileSync(file, await copyOf(environment, path.join(folder, 'state'), values.host));
    const copy = loadEnvironment(file);
    pinEngine(copy.environment.docker);
    await requireNoOther(copy, folder);
    return copy;
  };
  const rehearsed = await withLock(lock, `rehearsing the disaster of ${environment.name}`, async () => {
    const file = path.join(folder, DRILL_ENVIRONMENT);
    const copy = await copyIn(file).catch((error: unknown) => {
      // a refusal leaves nothing
      rmSync(folder, { recursive: true, force: true });
      throw error;
    });
    const facts: Facts = {};
    const steps = values.upgrade
      ? upgradeSteps(copy, await runningImages(nodesOf(environment)), readDeployedVersions(state), folder, facts)
      : drillSteps(copy, folder, facts);
    return rehearse(environment.name, copy, { folder, steps, facts, show: showSteps }, signal);
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
