/** `./scripts/client`: the clients of the S3 API, and how they connect. */
import { pinEngines } from '../config/docker/docker-engine';
import type { ClientSettings } from '../config/environment';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { type ClientDescription, describeClient } from '../operations/minio/clients/describe-client';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { type Call, command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { clientConfiguration, CONFIGURATIONS } from './lib/pages/client-configuration';

const HELP = `Usage: ./scripts/client list [environment] [--json]
       ./scripts/client show NAME [environment] [--for PROGRAM] [--bucket BUCKET] [--ca-file PATH]
       ./scripts/client mend [environment]

The clients that the environment file declares in \`clients\`, each with an access key of its own. A deploy makes the keys;
./scripts/rotate client NAME replaces one.

  list            every client: what it may do, and when its access key ends
  show NAME       the same of one. With --for, its configuration for a program, with the secret key:
                  ${Object.keys(CONFIGURATIONS).join(', ')}
  mend            sets users, policies and access keys of clients in MinIO back to what is declared

  environment     a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --bucket        which of its buckets (default: the first)
  --ca-file PATH  where the CA certificate lies on the client's machine (default: in the state folder)
  --json          print the list as JSON
  -h, --help      this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { for: TEXT, bucket: TEXT, 'ca-file': TEXT, json: FLAG };

void command('client', HELP, OPTIONS, client, ([action]) => (action === 'show' ? 2 : 1));

async function client({ values, positionals: [action = 'nothing', ...rest] }: Call<typeof OPTIONS>): Promise<void> {
  switch (action) {
    case 'list': {
      const loaded = loadEnvironment(rest[0]);
      const { clients, name } = loaded.environment;
      const described = clients.map((one) => describeClient(loaded, one));
      process.stdout.write(values.json ? `${JSON.stringify(described, null, 2)}\n` : described.map(textOf).join(''));
      if (clients.length === 0) process.stderr.write(`${name} declares no clients\n`);
      return;
    }
    case 'show': {
      const loaded = loadEnvironment(rest[1]);
      const declared = declaredClient(loaded, rest[0]);
      const { for: program, bucket, 'ca-file': caFile } = values;
      process.stdout.write(
        program === undefined
          ? textOf(describeClient(loaded, declared))
          : clientConfiguration(loaded, declared, { for: program, bucket, caFile }),
      );
      return;
    }
    case 'mend': {
      await mend(loadEnvironment(rest[0]));
      return;
    }
    default:
      throw new UsageError(`must be one of list, show, mend, got: ${action}`, 'See ./scripts/client --help.');
  }
}

function declaredClient({ environment: { clients } }: LoadedEnvironment, name = 'nothing'): ClientSettings {
  const found = clients.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    `NAME: must be a declared client, got: ${name}`,
    clients.length === 0 ? 'declare it in clients' : `there are ${clients.map((one) => one.name).join(', ')}`,
  );
}

async function mend(loaded: LoadedEnvironment): Promise<void> {
  const { environment, state } = loaded;
  pinEngines(environment);
  if (environment.hosts === undefined) await requireOwnEngine(loaded);
  await withDeploymentLock(state, `mending the clients of ${environment.name}`, async () => {
    const { clientInput } = await import('../operations/minio/clients/client-input.js');
    const { provisionClients } = await import('../operations/minio/clients/provision-clients.js');
    await provisionClients(clientInput(loaded));
  });
  process.stdout.write(`The clients of ${environment.name} are as declared: ${environment.clients.length}.\n`);
}

function textOf({ name, access, accessKey, expires, previousAccessKey }: ClientDescription): string {
  const key = accessKey === null ? 'none yet' : `${accessKey}${expires === null ? '' : `, until ${expires}`}`;
  return [
    name,
    ...access.map(({ bucket, prefix = '', may }) => `  ${may} ${bucket}/${prefix}`),
    `  access key ${key}`,
    ...(previousAccessKey === null ? [] : [`  old access key ${previousAccessKey} still works`]),
    '',
  ].join('\n');
}
