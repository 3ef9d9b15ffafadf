/** `npm run bench`: what this project costs over doing the same by hand, as ratios measured in one run. */
import { parseArgs } from 'node:util';
import { cpus, loadavg } from 'node:os';
import { UsageError } from '../operations/lib/errors';
import { main } from '../scripts/lib/command-line';
import { TestEnvironment } from '../test/helpers/e2e/test-environment';
import { benchDeploy } from './deploy';
import { benchDrives } from './drives';
import { benchObjects } from './objects';
import { type Comparison, comparisonText } from './statistics';

const HELP = `Usage: npm run bench -- [--rounds N] [--no-deploy] [--no-objects] [--no-drives] [--json]

Deploys an environment with a random name on free ports, measures, and removes it again. Needs what ./scripts/up needs,
and a machine that does nothing else: what runs beside it is in the numbers.

  deploy    cdktf deploy '*' against terraform init && terraform apply of the same synthesized stacks, one after the
            other: the first time, and unchanged
  objects   PUT and GET of 64 MiB and 4 KiB objects, 8 at a time, in each SSE mode, against MinIO of the same image with
            the same TLS but without KMS, and of that against MinIO without the guard; the modes take turns in every
            round
  drives    PUT and GET of 64 MiB objects, 8 at a time: MinIO with four drives against MinIO with one, all volumes of
            one Docker host

  --rounds  how often each is measured; the median counts (default: 5)
  --json    print the results as JSON
`;

void main(async (args, signal) => {
  const { values } = parseArguments(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError(`--rounds must be 1 or more, got: ${values.rounds}`);
  const environment = await TestEnvironment.create({ minio: { defaultKey: 'bench-key' } });
  const comparisons: Comparison[] = [];
  try {
    comparisons.push(...(await benchDeploy(environment, values['no-deploy'] === true ? 0 : rounds, signal)));
    if (values['no-objects'] !== true) comparisons.push(...(await benchObjects(environment, rounds, signal)));
    if (values['no-drives'] !== true) comparisons.push(...(await benchDrives(environment, rounds, signal)));
  } finally {
    process.stderr.write('removing the environment\n');
    await environment.remove();
  }
  const machine = { cpus: cpus().length, model: cpus()[0]?.model ?? 'unknown', load: loadavg()[0] };
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ machine, rounds, comparisons }, null, 2)}\n`
      : `${comparisonText(comparisons)}\n${machine.cpus} CPUs (${machine.model}), ${rounds} rounds, medians\n`,
  );
});

function parseArguments(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        rounds: { type: 'string', default: '5' },
        'no-deploy': { type: 'boolean' },
        'no-objects': { type: 'boolean' },
        'no-drives': { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, 'See npm run bench -- --help.');
  }
}
