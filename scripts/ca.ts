/** `./scripts/ca`: hands out what S3 clients must trust. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { loadEnvironment } from '../operations/state/load';
import { s3CaFile } from '../config/state/endpoints';
import { pemCertificates } from '../operations/certificates/certificate-authority';
import { UsageError } from '../operations/lib/errors';
import { command, EXIT_CODES_HELP } from './lib/command-line';

const HELP = `Usage: ./scripts/ca [environment]

Prints the CA certificate that S3 clients must trust, PEM; both, while the CA is rotated. For example:
  ./scripts/ca production | ssh backup-client 'cat > /usr/local/share/ca-certificates/backup.crt'

Its fingerprint goes to stderr: compare it where the certificate arrives. Where every system trusts the certificate of
the S3 API, nothing is printed. \`cdktf output\` has the same text as ca_certificate_pem.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  -h, --help    this text

${EXIT_CODES_HELP}
`;

void command('ca', HELP, {}, ({ positionals }) => {
  const { environment, argument, state } = loadEnvironment(positionals[0]);
  const file = s3CaFile(environment, state);
  if (file === undefined) {
    process.stderr.write(`clients of ${environment.name} need no CA certificate: every system trusts its authority\n`);
    return;
  }
  if (!existsSync(file)) {
    throw new UsageError(`there is no ${file}`, `deploy it first: ./scripts/up ${argument}`);
  }
  const text = readFileSync(file, 'utf8');
  const fingerprints = pemCertificates(text).map((pem) => new X509Certificate(pem).fingerprint256);
  for (const fingerprint of fingerprints) process.stderr.write(`SHA-256 ${fingerprint}\n`);
  process.stdout.write(text);
});
