/** `./scripts/rotate`: replaces one kind of secret, under the running deployment. */
import { pinEngines } from '../config/docker/docker-engine';
import { backupCoverageWarning } from '../operations/backup/last-backup';
import { askCaRotation } from '../operations/certificates/rotate-certificate-authority';
import { rotateCertificates } from '../operations/certificates/rotate-certificates';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { requireEveryHost } from '../operations/docker/hosts/hosts-step';
import { idleOrphansStep } from '../operations/docker/orphans-step';
import { rotateClientIdentity } from '../operations/kes/rotate-client-identity';
import { rotateSecretId } from '../operations/kes/rotate-secret-id';
import { askKeyRotation } from '../operations/keys/ask-key-rotation';
import { inventoryOf } from '../operations/keys/rotate-master-key';
import { proveDeployedKeys } from '../operations/keys/verify-master-keys';
import { UsageError } from '../operations/lib/errors';
import { askClientRotation } from '../operations/minio/clients/rotate-client';
import { rotateRootCredentials } from '../operations/minio/rotate-root-credentials';
import { requireDeployable } from '../operations/state/deployable';
import { requireDeployed } from '../operations/state/deployed';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { Rotation } from '../operations/state/rotation';
import type { AskedRotation, RotationContext } from '../operations/state/rotation-context';
import { requireWholeStates } from '../operations/terraform/terraform-state';
import { turnStep } from '../operations/terraform/turn-step';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import { rotateAuditLogs } from '../operations/vault/rotate-audit-log';
import { rotateUnsealKeys } from '../operations/vault/rotate-unseal-keys';
import { type Call, command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { deployOf } from './lib/deploy';
import { inventoryText } from './lib/pages/inventory-text';
import { showSteps } from './lib/progress';

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

const OPTIONS = { to: TEXT, finish: FLAG, days: TEXT, verbose: FLAG };

/** What is rotated by its name alone. */
const ROTATIONS: Readonly<Record<string, AskedRotation['phases']>> = {
  'secret-id': rotateSecretId,
  certificates: rotateCertificates,
  'client-identity': rotateClientIdentity,
  'unseal-keys': rotateUnsealKeys,
  'root-credentials': rotateRootCredentials,
};

const KINDS = [...Object.keys(ROTATIONS), 'ca', 'client', 'master-key', 'audit-log', 'inventory'];

/** Those that NAME follows. */
const NAMED: readonly string[] = ['client', 'master-key'];

void command('rotate', HELP, OPTIONS, rotateKind, ([kind = '']) => (NAMED.includes(kind) ? 2 : 1));

async function rotateKind({ values, positionals, signal }: Call<typeof OPTIONS>): Promise<void> {
  const [kind = 'nothing', ...rest] = positionals;
  if (!KINDS.includes(kind)) {
    throw new UsageError(`WHAT: must be one of ${KINDS.join(', ')}, got: ${kind}`, 'See ./scripts/rotate --help.');
  }
  const { finish = false, days, to, verbose: plain = false } = values;
  if (finish && kind !== 'ca' && kind !== 'client') throw new UsageError('--finish: is only for ca and client');
  if (days !== undefined && kind !== 'client') throw new UsageError(`--days: is only for client, got: ${days}`);
  if (to !== undefined && kind !== 'master-key') throw new UsageError(`--to: is only for master-key, got: ${to}`);
  const name = NAMED.includes(kind) ? rest[0] : undefined;
  const loaded = loadEnvironment(rest[NAMED.includes(kind) ? 1 : 0]);
  const { environment, argument, state } = loaded;
  requireDeployable(loaded, process.env);
  requireDeployed(loaded);
  requireWholeStates(loaded);
  pinEngines(environment);
  if (environment.hosts === undefined) await requireOwnEngine(loaded);
  else await requireEveryHost(loaded, './scripts/rotate');

  switch (kind) {
    case 'audit-log':
      process.stdout.write(await putAuditLogAside(loaded));
      return;
    case 'inventory':
      process.stdout.write(inventoryText(await inventoryOf(loaded, (text) => process.stderr.write(`${text}\n`))));
      return;
    case 'master-key':
      await rotate(loaded, askKeyRotation(loaded, name, to), signal, plain);
      break;
    case 'ca':
      await rotate(loaded, askCaRotation(loaded, finish), signal, plain);
      break;
    case 'client':
      await rotate(loaded, askClientRotation(loaded, name, { finish, days }), signal, plain);
      break;
    default:
      await rotate(loaded, { what: kind, phases: ROTATIONS[kind] ?? (() => []) }, signal, plain);
  }
  const warning = backupCoverageWarning(argument, state);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
}

async function rotate(
  loaded: LoadedEnvironment,
  { what, phases, ended = `Rotated ${what} of ${loaded.environment.name}.` }: AskedRotation,
  signal: AbortSignal,
  plain: boolean,
): Promise<void> {
  const { environment, argument, state } = loaded;
  await withDeploymentLock(state, `rotating ${what} of ${environment.name}`, async () => {
    const rotation = Rotation.begin(state, what, argument);
    if (rotation.resumed) process.stderr.write(`going on with what was begun on ${rotation.startedAt.toISOString()}\n`);
    const deploy = deployOf(loaded, plain);
    const context: RotationContext = {
      ...{ loaded, rotation },
      deploy: (title, range) => ({ ...deploy(range), title }),
      prove: () => proveDeployedKeys(environment, state),
    };
    try {
      const { prerequisites, builds } = prepareToolchain(toolchainRequest(environment));
      const before = [prerequisites, idleOrphansStep(loaded), ...builds, turnStep(loaded)];
      await showSteps([...before, ...rotation.steps(phases(context))], signal, { plain });
    } catch (error) {
      rotation.abandonUnlessBegun();
      throw error;
    }
    rotation.end();
  });
  process.stdout.write(`${ended}\n`);
}

async function putAuditLogAside(loaded: LoadedEnvironment): Promise<string> {
  const rotated = await rotateAuditLogs(loaded, { always: true });
  if (rotated.length === 0) {
    throw new UsageError(
      `environment ${loaded.environment.name} does not declare vault.auditLog, or has no Vault of its own`,
      'write `auditLog: {}` below vault: it says how many files stay',
    );
  }
  return rotated
    .map(
      ({ container, putAside, removed }) =>
        `${container}: ${putAside ?? 'nothing'} put aside, removed: ${removed.join(', ') || 'none'}\n`,
    )
    .join('');
}
