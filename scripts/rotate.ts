/** `./scripts/rotate`: replaces one kind of secret, under the running deployment. */
import { requireDeployable } from '../config/deployable';
import { type LoadedEnvironment, loadEnvironment } from '../config/load';
import { escrowWarning } from '../operations/backup/last-backup';
import { UsageError } from '../operations/errors';
import { readIfExists } from '../operations/files';
import { withLock } from '../operations/lock';
import { rotateCertificates } from '../operations/rotation/certificates';
import { rotateClientIdentity } from '../operations/rotation/client-identity';
import type { RotationContext } from '../operations/rotation/context';
import { Rotation } from '../operations/rotation/rotation';
import { rotateSecretId } from '../operations/rotation/secret-id';
import { rotateUnsealKeys } from '../operations/rotation/unseal-keys';
import { prepareToolchain } from '../operations/toolchain/prepare';
import type { Step } from '../operations/toolchain/step';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { showSteps } from './lib/progress';

const ROTATIONS: Readonly<Record<string, (context: RotationContext) => Step[]>> = {
  'secret-id': rotateSecretId,
  certificates: rotateCertificates,
  'client-identity': rotateClientIdentity,
  'unseal-keys': rotateUnsealKeys,
};

const HELP = `Usage: ./scripts/rotate WHAT [environment] [--verbose]

Replaces one kind of secret while the deployment goes on serving. The old one goes only when the new one has proved
itself. Interrupted, it goes on where it was when it is run again. It deploys: other changes of the environment file
are applied, too. What was done is in rotations.log of the state folder.

  secret-id        the SecretID by which KES logs in at Vault
  certificates     every certificate but that of the CA, and the keys of the servers
  client-identity  the keys by which MinIO and the other clients show themselves to KES
  unseal-keys      the unseal shares of an embedded Vault, as many as the environment declares

  environment      a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --verbose        show everything that cdktf prints
  -h, --help       this text

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine(
    'rotate',
    args,
    {
      verbose: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    1,
  );
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [what = 'nothing', name] = positionals;
  const steps = ROTATIONS[what];
  if (steps === undefined) {
    throw new UsageError(
      `WHAT: must be one of ${Object.keys(ROTATIONS).join(', ')}, got: ${what}`,
      'See ./scripts/rotate --help.',
    );
  }
  const loaded = loadEnvironment(name);
  requireDeployed(loaded);
  const { environment, state } = loaded;
  if (environment.docker.host !== undefined) process.env.DOCKER_HOST = environment.docker.host;

  await withLock(state.lock, `rotating ${what} of ${environment.name}`, async () => {
    const rotation = Rotation.begin(state, what);
    if (rotation.resumed) process.stderr.write(`going on with what was begun on ${rotation.startedAt.toISOString()}\n`);
    try {
      const { prerequisites, builds } = prepareToolchain({
        images: environment.images.source,
        providers: environment.providers,
      });
      const deploy = (title: string): Step => ({ ...deployStep(loaded, values.verbose ?? false), title });
      await showSteps([prerequisites, ...builds, ...steps({ loaded, rotation, deploy })], signal, {
        plain: values.verbose ?? false,
      });
    } catch (error) {
      rotation.abandonUnlessBegun();
      throw error;
    }
    rotation.end();
  });

  process.stdout.write(`Rotated ${what} of ${environment.name}.\n`);
  const warning = escrowWarning(environment.name, state);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
});

/** There is nothing to rotate before the first deploy. */
function requireDeployed(loaded: LoadedEnvironment): void {
  requireDeployable(loaded, process.env);
  const { environment, state } = loaded;
  if (readIfExists(state.deployment) === undefined) {
    throw new UsageError(
      `environment ${environment.name} is not deployed: there is no ${state.deployment}`,
      `deploy it with: ./scripts/up ${environment.name}`,
    );
  }
}
