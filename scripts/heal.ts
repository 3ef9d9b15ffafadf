/** `./scripts/heal`: brings every object back to all drives. */
import { pinEngines } from '../config/docker/docker-engine';
import { ExternalError } from '../operations/lib/errors';
import { waitForLock } from '../operations/lib/lock';
import { printable } from '../operations/lib/text/printable';
import { type HealResult, healSteps, requireHealable, someOf } from '../operations/minio/drives/heal';
import { openAdmin } from '../operations/minio/minio-admin';
import { loadEnvironment, type LoadedEnvironment } from '../operations/state/load';
import { command, EXIT_CODES_HELP, FLAG } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/heal [environment] [--deep] [--json]

Has MinIO look at every object on all drives, and write anew what a drive lacks: after a drive was replaced, wiped or away.
MinIO fills an empty drive by itself, and this waits for it. What was written while a drive was away it leaves in part,
so everything is looked at again, until nothing is left to heal. Clients go on reading and writing.

It changes nothing that a deploy changes, so it takes no lock of the environment. When MinIO is restarted meanwhile, it
begins again. Only one heal runs at a time: another one waits.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --deep        also read everything and compare checksums: finds what a drive has spoiled, takes as long as reading it all
  --json        print what came of it as JSON
  -h, --help    this text

${EXIT_CODES_HELP.replace('failed; the error says', 'a drive is away, or something cannot be healed; the error says')}
`;

const NOTHING: HealResult = { passes: 0, looked: 0, healed: 0, failed: [], gone: [], away: [] };

const OPTIONS = { deep: FLAG, json: FLAG };

void command('heal', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const loaded = loadEnvironment(positionals[0]);
  requireHealable(loaded);
  pinEngines(loaded.environment);
  const result = await heal(loaded, values.deep === true ? 'deep' : 'normal', signal);
  const { looked, healed, passes } = result;
  if (values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else {
    const times = passes === 1 ? 'once' : `${passes} times`;
    process.stdout.write(`Healed ${healed} of ${looked} in ${loaded.environment.name}, looked at ${times}.\n`);
  }
  requireHealed(result);
});

async function heal(loaded: LoadedEnvironment, scan: 'normal' | 'deep', signal: AbortSignal): Promise<HealResult> {
  const lock = await waitForLock(loaded.state.healLock, `healing ${loaded.environment.name}`, {
    signal,
    onProgress: sayOnce(),
  });
  const admin = openAdmin(loaded);
  let result = NOTHING;
  try {
    await showSteps(
      healSteps({ loaded, admin, scan }, (part) => (result = { ...result, ...part })),
      signal,
    );
    return result;
  } finally {
    admin.close();
    lock.release();
  }
}

function sayOnce(): (line: string) => void {
  const said = new Set<string>();
  return (line) => {
    if (!said.has(line)) process.stderr.write(`${line}\n`);
    said.add(line);
  };
}

function requireHealed({ failed, gone, away }: HealResult): void {
  if (gone.length > 0) {
    const why = 'deleted while a drive was away, or since; or lost on more drives than the parity stands';
    process.stderr.write(`warning: MinIO removed what too few drives held (${why}):\n`);
    for (const name of someOf(gone)) process.stderr.write(`  ${printable(name)}\n`);
  }
  const problems = [...away.map((drive) => `${drive}: nothing was healed onto it`), ...someOf(failed)];
  if (problems.length === 0) return;
  throw new ExternalError(
    ['not everything is healed:', ...problems].join('\n  '),
    [
      ...(away.length > 0 ? ['./scripts/check says what to do about a drive'] : []),
      ...(failed.length > 0 ? ['what more drives lack than the parity stands comes back from a copy only'] : []),
    ].join('\n      '),
  );
}
