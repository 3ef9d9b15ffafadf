/** `./scripts/backup`: everything that a rebuild needs, in one encrypted file. */
import { requireIntactState } from '../operations/state/intact-state';
import { vaultVariables } from '../config/vault/external-vault';
import { MIGRATION_VARIABLE, requireSameKeyStore } from '../operations/state/notes/key-store-note';
import { pinEngines } from '../config/docker/docker-engine';
import { requireDeployed } from '../operations/state/deployed';
import { loadEnvironment } from '../operations/state/load';
import { newIdentity, readRecipients } from '../operations/backup/age/age-keys';
import { backUp, type BackupResult } from '../operations/backup/backup';
import { parsePlace } from '../operations/backup/destination';
import { requireOwnTurn } from '../operations/terraform/turn';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { signerLine } from '../operations/backup/bundle/signature';
import { UsageError } from '../operations/lib/errors';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { leaveMetrics } from '../operations/monitoring/textfile';
import { command, EXIT_CODES_HELP, FLAG, LIST, TEXT } from './lib/command-line';

const HELP = `Usage: ./scripts/backup [environment] --to FILE --recipient AGE_KEY… [--new-signer] [--json]
       ./scripts/backup [environment] --to s3://BUCKET/KEY [--endpoint URL] [--region NAME] [--ca FILE] --recipient …
       ./scripts/backup --new-identity FILE

Writes one file, encrypted with age, with everything that a rebuild needs and that cannot be made again: master keys,
CA and private keys, root credentials, canaries, unseal shares, MinIO's IAM and settings, the environment file.
Objects are not in it; settings of MinIO that cannot be saved are named. It is read back and compared before it is
called a backup. It is signed by a key that the first backup makes, and says by which: ./scripts/restore takes only a
backup of a signer that it was told.

  environment     a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --to            a file that does not exist yet, or an object of another S3 storage, with the AWS_… variables
  --recipient     who can open it: age1…, or a file of such lines; may be given several times
  --endpoint      address of the S3 storage (default: AWS_ENDPOINT_URL_S3, or that of the profile, or AWS)
  --region        its region (default: AWS_REGION, or that of the profile; with --endpoint else us-east-1)
  --ca            CA certificates of it, PEM (default: AWS_CA_BUNDLE, or the system's)
  --new-signer    sign with another key from now on; restores of later backups ask for the new signer
  --new-identity  make a key pair: the secret half goes into FILE, the recipient to stdout. Keep FILE away from here
  --json          print what was made as JSON
  -h, --help      this text

${EXIT_CODES_HELP}
`;

const OPTIONS = {
  to: TEXT,
  recipient: LIST,
  endpoint: TEXT,
  region: TEXT,
  ca: TEXT,
  'new-identity': TEXT,
  'new-signer': FLAG,
  json: FLAG,
};

void command('backup', HELP, OPTIONS, async ({ values, positionals }) => {
  if (values['new-identity'] !== undefined) {
    process.stdout.write(`${await newIdentity(values['new-identity'])}\n`);
    return;
  }
  if (values.to === undefined) throw new UsageError('--to: must be given, got nothing', 'See ./scripts/backup --help.');
  const place = parsePlace('--to', values.to, { endpoint: values.endpoint, region: values.region, caFile: values.ca });
  const recipients = readRecipients(values.recipient ?? []);
  const loaded = loadEnvironment(positionals[0]);
  const { environment, state } = loaded;
  pinEngines(environment);
  requireDeployed(loaded);
  requireIntactState(environment.name, state);
  requireSameKeyStore(environment, vaultVariables(process.env), state, { [MIGRATION_VARIABLE]: '1' });
  if (environment.hosts === undefined) await requireOwnEngine(loaded);
  await requireOwnTurn(loaded);
  const result = await withDeploymentLock(state, `backing up ${environment.name}`, () =>
    backUp(loaded, place, recipients, { newSigner: values['new-signer'] ?? false }),
  );
  leaveMetrics(loaded);
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : text(result));
});

function text({ header, destination, bytes, sha256, signer }: BackupResult): string {
  return `Backed up ${header.environment} to ${destination}: ${header.masterKeys.length} master key(s), ${bytes} bytes,
written, read back and compared. SHA-256 ${sha256}
${notSaved(header.notSaved)}
A restore asks who has signed it, so that it accepts no other file. Keep this line in the file of the identity:
${signerLine(signer, header.environment)}

It is worth as much as what it saves, and worth nothing without the identity of a recipient: keep both away from this
machine, and apart. Rehearse with ./scripts/drill, restore with ./scripts/restore --from FILE --identity FILE.
`;
}

function notSaved(settings: readonly string[]): string {
  if (settings.length === 0) return '';
  return `
NOT in it, because MinIO returns no credentials of it. Write them down; after a restore they must be set again:
${settings.map((setting) => `- ${setting}\n`).join('')}`;
}
