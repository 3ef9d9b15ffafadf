/** `./scripts/client`: the clients of the S3 API, and how they connect. */
import { pinEngines } from '../config/docker/docker-engine';
import { s3Url } from '../config/minio/s3-endpoint';
import { s3CaFile } from '../config/state/endpoints';
import { clientFile } from '../config/state/layout';
import type { ClientSettings } from '../config/environment';
import { nearest } from '../config/spelling';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { type AccessKeys, readAccessKeys } from '../operations/minio/clients/access-keys';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { CONFIGURATIONS, isConfiguredProgram } from './lib/pages/client-configuration';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';

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

void main(async (args) => {
  const { values, positionals } = parseCommandLine(
    'client',
    args,
    {
      for: { type: 'string' },
      bucket: { type: 'string' },
      'ca-file': { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    args.includes('show') ? 2 : 1,
  );
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [action = 'nothing', ...rest] = positionals;
  switch (action) {
    case 'list': {
      const loaded = loadEnvironment(rest[0]);
      const clients = loaded.environment.clients.map((client) => descriptionOf(loaded, client));
      process.stdout.write(values.json ? `${JSON.stringify(clients, null, 2)}\n` : clients.map(textOf).join(''));
      if (clients.length === 0) process.stderr.write(`${loaded.environment.name} declares no clients\n`);
      return;
    }
    case 'show': {
      show(loadEnvironment(rest[1]), rest[0], values);
      return;
    }
    case 'mend': {
      await mend(loadEnvironment(rest[0]));
      return;
    }
    default:
      throw new UsageError(`must be one of list, show, mend, got: ${action}`, 'See ./scripts/client --help.');
  }
});

function show(
  loaded: LoadedEnvironment,
  name: string | undefined,
  options: {
    readonly for?: string | undefined;
    readonly bucket?: string | undefined;
    readonly 'ca-file'?: string | undefined;
  },
): void {
  const { environment, state, argument } = loaded;
  const names = environment.clients.map((client) => client.name);
  const client = environment.clients.find((one) => one.name === name);
  if (client === undefined) {
    throw new UsageError(
      `NAME: must be a declared client, got: ${name ?? 'nothing'}`,
      names.length === 0 ? 'declare it in clients' : `there are ${names.join(', ')}`,
    );
  }
  if (options.for === undefined) {
    process.stdout.write(textOf(descriptionOf(loaded, client)));
    return;
  }
  if (!isConfiguredProgram(options.for)) {
    const meant = nearest(options.for, Object.keys(CONFIGURATIONS));
    throw new UsageError(
      `--for: must be one of ${Object.keys(CONFIGURATIONS).join(', ')}, got: ${options.for}`,
      meant === undefined ? 'env fits most programs' : `did you mean ${meant}?`,
    );
  }
  const access = client.access.find(({ bucket }) => options.bucket === undefined || bucket === options.bucket);
  const bucket = environment.buckets.find((declared) => declared.name === access?.bucket);
  if (access === undefined || bucket === undefined) {
    const own = client.access.map((one) => one.bucket).join(', ');
    throw new UsageError(`--bucket: must be one of ${own}, got: ${options.bucket ?? 'nothing'}`);
  }
  const keys = keysOf(loaded, client.name);
  if (keys === undefined) {
    throw new UsageError(`client ${client.name} has no access key yet`, `deploy it with: ./scripts/up ${argument}`);
  }
  process.stdout.write(
    CONFIGURATIONS[options.for]({
      client: client.name,
      environment: environment.name,
      key: keys.current,
      url: s3Url(environment),
      region: environment.minio.region,
      caFile: options['ca-file'] ?? s3CaFile(environment, state),
      bucket,
      prefix: access.prefix ?? '',
    }),
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

interface Description {
  readonly name: string;
  readonly access: readonly { readonly bucket: string; readonly prefix?: string; readonly may: string }[];
  /** Null: a deploy has not made one yet. */
  readonly accessKey: string | null;
  /** Null: it does not end. */
  readonly expires: string | null;
  /** The one before, which still works. */
  readonly previousAccessKey: string | null;
}

function descriptionOf(loaded: LoadedEnvironment, { name, access }: ClientSettings): Description {
  const keys = keysOf(loaded, name);
  return {
    name,
    access: access.map(({ bucket, prefix, may }) => ({ bucket, ...(prefix === undefined ? {} : { prefix }), may })),
    accessKey: keys?.current.accessKey ?? null,
    expires: keys?.current.expires ?? null,
    previousAccessKey: keys?.previous?.accessKey ?? null,
  };
}

function textOf({ name, access, accessKey, expires, previousAccessKey }: Description): string {
  const key = accessKey === null ? 'none yet' : `${accessKey}${expires === null ? '' : `, until ${expires}`}`;
  return [
    name,
    ...access.map(({ bucket, prefix = '', may }) => `  ${may} ${bucket}/${prefix}`),
    `  access key ${key}`,
    ...(previousAccessKey === null ? [] : [`  old access key ${previousAccessKey} still works`]),
    '',
  ].join('\n');
}

function keysOf({ state }: LoadedEnvironment, name: string): AccessKeys | undefined {
  return readAccessKeys(clientFile(state.secret.clients, name));
}
