/** `./scripts/policy`: what the credentials of a deploy must be allowed where the master keys are kept. */
import { provisionerRules } from '../config/key-store';
import { loadEnvironment } from '../config/load';
import { UsageError } from '../operations/errors';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { policyText } from './lib/policy-text';

const HELP = `Usage: ./scripts/policy [environment] [--json]

Prints the Vault policy that the token of a deploy needs with an external Vault: every rule of it, and nothing more.
Its administrator writes it, and makes the token:

  ./scripts/policy production | vault policy write ebs-production-provisioner -
  vault token create -orphan -no-default-policy -policy=ebs-production-provisioner -period=768h

Nothing is asked, read or changed: the policy follows from the environment file alone.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --json        print the rules as JSON: path, capabilities, and what each is for
  -h, --help    this text

${EXIT_CODES_HELP}
`;

void main((args) => {
  const { values, positionals } = parseCommandLine('policy', args, {
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return Promise.resolve();
  }
  const { environment } = loadEnvironment(positionals[0]);
  if (environment.keyStore.type !== 'vault' || environment.vault.mode !== 'external') {
    const why =
      environment.vault.mode === 'embedded'
        ? 'an embedded Vault, whose initialisation writes the policy itself'
        : `its master keys not in Vault (keyStore.type: ${environment.keyStore.type})`;
    throw new UsageError(`environment ${environment.name} has ${why}`, 'name an environment with vault.mode: external');
  }
  process.stdout.write(
    values.json ? `${JSON.stringify(provisionerRules(environment), null, 2)}\n` : policyText(environment),
  );
  return Promise.resolve();
});
