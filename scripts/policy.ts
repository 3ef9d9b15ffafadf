/** `./scripts/policy`: what must be allowed where the master keys are kept. */
import { loadEnvironment } from '../operations/state/load';
import { retiredKeys } from '../operations/state/notes/retired-keys';
import { command, EXIT_CODES_HELP, FLAG } from './lib/command-line';
import { policyText } from './lib/pages/policy-text';

const HELP = `Usage: ./scripts/policy [environment] [--json]

Prints what must be allowed where the master keys are kept, or where the seal of Vault is, and nothing more.

With an external Vault: the policy of the token that deploys. Its administrator writes it, and makes the token:

  ./scripts/policy production | vault policy write ebs-production-provisioner -
  vault token create -orphan -no-default-policy -policy=ebs-production-provisioner -period=768h

With an embedded Vault that a seal opens (vault.unseal): the policy of the token by which it does.

With AWS: the IAM policy of the credentials of KES.

  aws iam create-policy --policy-name kes-production --policy-document "$(./scripts/policy production)"

No server is asked and nothing is changed: the policy follows from the environment file, and with AWS from the master keys
that it no longer names.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --json        print the rules of Vault as JSON: path, capabilities, and what each is for
  -h, --help    this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { json: FLAG };

void command('policy', HELP, OPTIONS, ({ values, positionals }) => {
  const { environment, state } = loadEnvironment(positionals[0]);
  process.stdout.write(
    policyText(environment, { retiredKeys: retiredKeys(environment, state), json: values.json ?? false }),
  );
});
