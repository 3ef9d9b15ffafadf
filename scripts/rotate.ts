/** `./scripts/rotate`: replaces one kind of secret, under the running deployment. */
import { requireDeployable } from '../operations/state/deployable';
import { pinEngines } from '../config/docker/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { backupCoverageWarning } from '../operations/backup/last-backup';
import { requireOneHost } from '../operations/state/one-host';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { readIfExists } from '../operations/lib/files';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { beginCa, finishCa, requireOverlap } from '../operations/certificates/rotate-certificate-authority';
import { rotateCertificates } from '../operations/certificates/rotate-certificates';
import { rotateClientIdentity } from '../operations/kes/rotate-client-identity';
import type { RotationContext } from '../operations/state/rotation-context';
import { keysIn, usesOf } from '../operations/keys/inventory';
import {
  inventoryOf,
  isRetired,
  requireSuccession,
  rotateMasterKey,
  successorOf,
  withdrawMasterKey,
} from '../operations/keys/rotate-master-key';
import { proveDeployedKeys } from '../operations/keys/verify-master-keys';
import { type Phase, Rotation } from '../operations/state/rotation';
import { finishClient, requireRotatable, rotateClient } from '../operations/minio/clients/rotate-client';
import { rotateRootCredentials } from '../operations/minio/rotate-root-credentials';
import { rotateSecretId } from '../operations/kes/rotate-secret-id';
import { rotateAuditLogs } from '../operations/vault/rotate-audit-log';
import { rotateUnsealKeys } from '../operations/vault/rotate-unseal-keys';
import { cutStates } from '../operations/terraform/terraform-state';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { requireEveryHost } from '../operations/docker/hosts/hosts-step';
import { showSteps } from './lib/progress';
import { idleOrphansStep } from '../operations/docker/orphans-step';
import { turnStep } from '../operations/terraform/turn-step';

const ROTATIONS: Readonly<Record<string, (context: RotationContext) => Phase[]>> = {
  'secret-id': rotateSecretId,
  certificates: rotateCertificates,
  'client-identity': rotateClientIdentity,
  'unseal-keys': rotateUnsealKeys,
  'root-credentials': rotateRootCredentials,
};

/** Those that need to know more, and what rotates nothing. */
const OTHERS = ['ca', 'client', 'master-key', 'audit-log', 'inventory'];

/** Those that several hosts have, too; the others are made for one so far. */
const SEVERAL_HOSTS: readonly string[] = [
  'secret-id',
  'certificates',
  'client-identity',
  'root-credentials',
  'client',
  'master-key',
  'audit-log',
  'inventory',
];

const HELP = `Usage: ./scripts/rotate WHAT [environment] [--verbose]
       ./scripts/rotate master-key NAME [environment] [--to NEW] [--verbose]
       ./scripts/rotate client NAME [environment] [--days N | --finish]
       ./scripts/rotate audit-log|inventory [environment]

Replaces one kind of secret while the deployment keeps serving. The old one goes only when the new one has proved
itself. After an interruption run it again: it resumes. It deploys: other changes of the environment file
are applied, too. What was done is in rotations.log of the state folder.

  secret-id        the SecretID by which KES logs in at Vault
  certificates     every certificate but that of the CA, and the keys of the servers
  ca               the private CA: a new one is trusted beside the old one. When clients have both (./scripts/ca),
                   --finish has the new one issue every certificate and drops the old one. MinIO restarts
  client-identity  the keys by which MinIO, the operations and the health check show themselves to KES; not those of
                   kes.clients
  unseal-keys      the unseal shares of an embedded Vault, as many as the environment declares
  root-credentials the password of MinIO's root user, which clients that use it need then; MinIO restarts
  client NAME      the access key of a client of the S3 API: the new one works beside the old one, until --finish, or for
                   --days. Nothing restarts; ./scripts/client show NAME prints the new one
  master-key NAME  a key of MinIO: writes the new name into the environment file, re-seals the data keys of objects, and
                   retires the old key, which is never deleted. Versions stay under it, and MinIO may open them by it;
                   when they are gone, the same command withdraws it. For the default key MinIO restarts
  audit-log        no secret: puts the audit log of an embedded Vault aside and has Vault begin a new one, whatever its
                   size; for vault.auditLog
  inventory        rotates nothing: prints what is under which master key

  environment      a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --finish         ends what \`rotate ca\` or \`rotate client\` began
  --days N         days after which the old access key of a client ends by itself
  --to NEW         name of the new master key (default: NAME with the month, such as archive-2026-11)
  --verbose        show everything that Terraform says
  -h, --help       this text

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine(
    'rotate',
    args,
    {
      to: { type: 'string' },
      finish: { type: 'boolean' },
      days: { type: 'string' },
      verbose: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    args.includes('master-key') || args.includes('client') ? 2 : 1,
  );
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [kind = 'nothing', ...rest] = positionals;
  const ofMasterKey = kind === 'master-key';
  if (![...Object.keys(ROTATIONS), ...OTHERS].includes(kind)) {
    throw new UsageError(
      `WHAT: must be one of ${[...Object.keys(ROTATIONS), ...OTHERS].join(', ')}, got: ${kind}`,
      'See ./scripts/rotate --help.',
    );
  }
  const ofClient = kind === 'client';
  if (values.finish === true && kind !== 'ca' && !ofClient) throw new UsageError('--finish: is only for ca and client');
  if (values.days !== undefined && !ofClient) throw new UsageError(`--days: is only for client, got: ${values.days}`);
  if (values.to !== undefined && !ofMasterKey) throw new UsageError(`--to: is only for master-key, got: ${values.to}`);
  const loaded = loadEnvironment(rest[ofMasterKey || ofClient ? 1 : 0]);
  if (!SEVERAL_HOSTS.includes(kind)) requireOneHost(loaded.environment, `./scripts/rotate ${kind}`);
  requireDeployed(loaded);
  pinEngines(loaded.environment);
  if (loaded.environment.hosts === undefined) await requireOwnEngine(loaded);
  else await requireEveryHost(loaded, './scripts/rotate');
  if (kind === 'audit-log') {
    await putAuditLogAside(loaded);
    return;
  }
  if (kind === 'inventory') {
    await showInventory(loaded);
    return;
  }
  const {
    what,
    steps,
    ended = `Rotated ${what} of ${loaded.environment.name}.`,
  }: Chosen = ofMasterKey
    ? masterKeyRotation(loaded, rest[0], values.to)
    : kind === 'ca'
      ? caRotation(loaded, values.finish ?? false)
      : ofClient
        ? clientRotation(loaded, rest[0], { finish: values.finish ?? false, days: values.days })
        : { what: kind, steps: ROTATIONS[kind] ?? (() => []) };
  const { environment, argument, state } = loaded;

  await withDeploymentLock(state, `rotating ${what} of ${environment.name}`, async () => {
    const rotation = Rotation.begin(state, what, argument);
    if (rotation.resumed) process.stderr.write(`going on with what was begun on ${rotation.startedAt.toISOString()}\n`);
    try {
      const { prerequisites, builds } = prepareToolchain(toolchainRequest(environment));
      const deploy: RotationContext['deploy'] = (title, range) => ({
        ...deployStep(loaded, values.verbose ?? false, range),
        title,
      });
      const prove: RotationContext['prove'] = () => proveDeployedKeys(environment, state);
      await showSteps(
        [
          prerequisites,
          idleOrphansStep(loaded),
          ...builds,
          turnStep(loaded),
          ...rotation.steps(steps({ loaded, rotation, deploy, prove })),
        ],
        signal,
        {
          plain: values.verbose ?? false,
        },
      );
    } catch (error) {
      rotation.abandonUnlessBegun();
      throw error;
    }
    rotation.end();
  });

  process.stdout.write(`${ended}\n`);
  const warning = backupCoverageWarning(argument, state);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
});

/** The rotation that was asked for. */
interface Chosen {
  readonly what: string;
  readonly steps: (context: RotationContext) => Phase[];
  /** Printed when it has ended. Default: that it was rotated */
  readonly ended?: string;
}

/** Which key takes the place of which: as the rotation that was interrupted has it, or as it is asked for. */
function masterKeyRotation(loaded: LoadedEnvironment, from: string | undefined, wanted: string | undefined): Chosen {
  if (from === undefined) throw new UsageError('NAME: must be given, got nothing', 'See ./scripts/rotate --help.');
  const unfinished = Rotation.unfinished(loaded.state) ?? '';
  const withdrawal = `master-key ${from}`;
  if (unfinished === withdrawal || (unfinished === '' && isRetired(loaded, from))) {
    if (wanted !== undefined) {
      throw new UsageError(
        `--to: must not be given for ${from}, which has a successor already, got: ${wanted}`,
        'without it the key is withdrawn from MinIO, if nothing is under it any more',
      );
    }
    return {
      what: withdrawal,
      steps: (context) => withdrawMasterKey(context, from),
      ended: `${from} is withdrawn: MinIO may not use it any more. It stays in the key store.`,
    };
  }
  const begun = unfinished.startsWith(`${withdrawal} --to `) ? unfinished.split(' ').at(-1) : undefined;
  const succession = { from, to: wanted ?? begun ?? successorOf(from) };
  // a rotation that is under way has changed what is asked for here
  if (unfinished === '') requireSuccession(loaded, succession);
  return {
    what: `master-key ${from} --to ${succession.to}`,
    steps: (context) => rotateMasterKey(context, succession),
  };
}

function caRotation(loaded: LoadedEnvironment, finish: boolean): Chosen {
  const what = finish ? 'ca --finish' : 'ca';
  // a rotation that is under way has changed what is asked for here
  if (Rotation.unfinished(loaded.state) === undefined) requireOverlap(loaded, finish);
  if (finish) return { what, steps: finishCa };
  const { environment, argument } = loaded;
  const ended = `Two CAs of ${environment.name} are trusted. Give both to its clients (./scripts/ca ${argument}), then: ./scripts/rotate ca ${argument} --finish`;
  return { what, steps: beginCa, ended };
}

function clientRotation(
  loaded: LoadedEnvironment,
  name: string | undefined,
  { finish, days: given }: { readonly finish: boolean; readonly days: string | undefined },
): Chosen {
  if (name === undefined) throw new UsageError('NAME: must be given, got nothing', 'See ./scripts/rotate --help.');
  const days = given === undefined ? undefined : Number(given);
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= 365)) {
    throw new UsageError(`--days: must be a whole number from 1 to 365, got: ${given ?? ''}`);
  }
  if (finish && days !== undefined) throw new UsageError('--days: must not be given with --finish');
  const what = [`client ${name}`, ...(finish ? ['--finish'] : days === undefined ? [] : [`--days ${days}`])].join(' ');
  // a rotation that is under way has changed what is asked for here
  if (Rotation.unfinished(loaded.state) === undefined) requireRotatable(loaded, name, finish);
  if (finish) return { what, steps: (context) => finishClient(context, name) };
  const { argument } = loaded;
  const then =
    days === undefined
      ? `then: ./scripts/rotate client ${name} ${argument} --finish`
      : `the old one ends after ${days} ${days === 1 ? 'day' : 'days'}, or by --finish`;
  return {
    what,
    steps: (context) => rotateClient(context, name, days),
    ended: `Client ${name} has a second access key. Give it to the client (./scripts/client show ${name} ${argument} --for PROGRAM), ${then}`,
  };
}

async function showInventory(loaded: LoadedEnvironment): Promise<void> {
  const inventory = await inventoryOf(loaded, (text) => process.stderr.write(`${text}\n`));
  for (const key of keysIn(inventory)) {
    process.stdout.write(`${key}: ${usesOf(inventory, key) ?? 'nothing'}\n`);
    for (const { bucket, sseS3, sseKms } of inventory.buckets) {
      const counts = [[sseS3[key] ?? 0, 'SSE-S3'] as const, [sseKms[key] ?? 0, 'SSE-KMS'] as const];
      const found = counts.filter(([count]) => count > 0).map(([count, mode]) => `${count} by ${mode}`);
      if (found.length > 0) process.stdout.write(`  ${bucket}: ${found.join(', ')}\n`);
    }
    for (const path of inventory.own[key] ?? []) process.stdout.write(`  .minio.sys/${path}\n`);
  }
}

/** There is nothing to rotate before the first deploy. */
function requireDeployed(loaded: LoadedEnvironment): void {
  requireDeployable(loaded, process.env);
  const { environment, argument, state } = loaded;
  if (readIfExists(state.deployment) === undefined) {
    throw new UsageError(
      `environment ${environment.name} is not deployed: there is no ${state.deployment}`,
      `deploy it with: ./scripts/up ${argument}`,
    );
  }
  const [cut] = cutStates(loaded);
  if (cut !== undefined) {
    throw new UsageError(
      `${cut} was cut short, as by a kill of Terraform in the middle of writing it`,
      `./scripts/up ${argument} finds again what it named; then run this again`,
    );
  }
}

async function putAuditLogAside(loaded: LoadedEnvironment): Promise<void> {
  const rotated = await rotateAuditLogs(loaded, { always: true });
  if (rotated.length === 0) {
    throw new UsageError(
      `environment ${loaded.environment.name} does not declare vault.auditLog, or has no Vault of its own`,
      'write `auditLog: {}` below vault: it says how many files stay',
    );
  }
  for (const { container, putAside, removed } of rotated) {
    process.stdout.write(
      `${container}: ${putAside ?? 'nothing'} put aside, removed: ${removed.join(', ') || 'none'}\n`,
    );
  }
}
