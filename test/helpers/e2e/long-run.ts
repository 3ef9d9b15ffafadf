/**
 * What `./scripts/test` leaves to `./scripts/test --long`, by the beginning of its name after that of its file: further
 * cases of what one case proves every day, and what is slow and rarely touched. Why each is here is said in
 * docs/adr/0050-what-runs-every-day.md. A name that leaves nothing out fails `./scripts/test`.
 */
export const LONG_RUN: Readonly<Record<string, readonly string[]>> = {
  // every day: KES is killed, Vault is sealed, MinIO is killed; KES is removed, a master key is deleted, two deploys
  reliability: [
    'what heals by itself Vault is restarted',
    'what heals by itself Vault is out of reach',
    'what heals by itself KES is cut off the network',
    'what heals by itself MinIO is cut off the network',
    'what heals by itself every container is killed',
    'what somebody has to mend the token of KES is revoked',
    'what somebody has to mend the SecretID of KES is revoked',
    'what somebody has to mend the certificate of KES expires',
    'what somebody has to mend the default key is replaced',
    'what somebody has to mend the disk of an audit device is full',
    'what somebody has to mend the secrets folder is lost',
    "what somebody has to mend Terraform's state is lost",
    'what somebody has to mend the KV mount is deleted',
  ],
  // every day: SecretID, client identity, root credentials, a master key, each killed once
  rotation: [
    'certificates killed on the way',
    'unseal-keys killed after Vault took the new share',
    'master-key the default key',
    'ca killed on the way',
  ],
  // every day: Vault and state are lost, the state alone is lost, everything is lost; the drill
  disaster: ['a restore the drive is another one'],
  // every day: nothing. The check itself is in the unit tests
  audit: ['the record of a request', 'the receiver'],
  // every day: nothing. Each boot takes minutes
  reboot: ['the engine is late', 'one of four disks', 'every disk', 'with nothing missing'],
  // every day: nothing. It deploys three times, and needs the history of the clone
  'earlier-version': ['what an earlier commit has deployed'],
  // every day: nothing. What an upgrade is, is in the unit tests
  upgrade: [
    'versions says',
    'an upgrade without a backup',
    'the upgrade is rehearsed',
    'it is backed up',
    'a second run upgrades nothing',
    'MinIO goes back',
  ],
  // every day: four folders of the host are refused, deployed, searched, and all that a disaster leaves
  drives: ['moves'],
  // every day: files to the embedded Vault, on to AWS, and back
  'key-stores': [
    'killed on the way',
    'Vault KV v1 to v2',
    'the embedded Vault to one of someone else',
    'Vault to AWS, which is behind a proxy the secrets are lost',
  ],
  // every day: every right of the token, mounts of its own, a SecretID with bounds
  'external-vault': [
    'mounts of its own, KV version 2, where VAULT_… variables say it is renewed by the first deploy',
    'mounts of its own, KV version 2, where VAULT_… variables say a mount that the deploy made',
    'mounts of its own, KV version 2, where VAULT_… variables say an image that takes forged writes',
    'mounts of its own, KV version 2, where VAULT_… variables say what the policy allows',
    'mounts of someone else, KV version 2',
  ],
  // every day: a deploy by ssh, TLS, `up` and `down` refused
  engines: [
    'by ssh, with a key file that only the configuration of ssh names up again',
    'by ssh, with a key file that only the configuration of ssh names check',
    'by ssh, with a key file that only the configuration of ssh names rotate',
    'by ssh, with a key file that only the configuration of ssh names backup',
    'the same engine, by another address a context',
    'the same engine, by another address a port of loopback',
    ...['another machine in its place', 'another engine'].flatMap((place) =>
      ['plan', 'check', 'backup', 'drill', 'rotate'].map((script) => `${place} ./scripts/${script}`),
    ),
    'another machine in its place Terraform refuses',
    'another machine in its place a key that is not known',
  ],
  // every day: from files, renewed under load; ACME itself is in acme
  certificates: ['acme a directory that is down', 'acme a certificate of which two thirds'],
  // every day: drift is found
  pipelines: ['the drift job finds nothing', 'the drift job tells what could not be checked'],
  // every day: kill -9 and Ctrl-C; Vault is stopped; two machines take turns with a state in S3
  checks: [
    'a run of the checks that is ended while it is at work SIGTERM',
    'a run of the checks that is ended while it is at work a closed terminal',
    'a run of the checks that is ended while it is at work Ctrl-C while KES is stopped',
    'Terraform state in S3 a plan beside a deploy',
    './scripts/check while something is stopped the container of KES was removed',
    './scripts/check while something is stopped MinIO was stopped',
    './scripts/check while something is stopped the checks of a deploy wait',
  ],
  // every day: a drive is wiped, a drive is away, two are away
  heal: ['a volume that is lost'],
  // every day: objects and users that a MinIO without KMS wrote, in test/e2e/encrypt.e2e.test.ts
  'moving-in': ['moving in'],
  // every day: each policy, rule and event against a MinIO without a deployment
  'client-deployment': [
    'a client works at its addresses',
    'the webhook of a bucket gets its events',
    'a tenant with the access key',
    'a plain deploy in the last third',
    'a drill passes with clients',
  ],
  'many-clients': ['a deploy, a second one'],
  // every day: a first deploy, a host that loses its power under load, and is back
  hosts: [
    'three hosts a first deploy is refused',
    'three hosts up again changes nothing',
    'three hosts a client that does not read',
    'three hosts plain cdktf deploy',
    'three hosts further faults',
    'three hosts monitoring:',
    'three hosts the firewall of docs',
    'three hosts rotations',
    'three hosts migrate',
    'three hosts what is left of all hosts',
  ],
  pools: ['a second pool'],
  // every day: nothing. It mounts disks of its own, and looks for minutes
  monitoring: [
    'of a new deployment only one thing is wrong',
    'exactly its alert',
    'a red check, such as',
    'the audit log is rotated under load',
    'every query of the dashboard',
    'each run of the checks has left a signed record',
    'none of it is in what Terraform keeps',
  ],
  // every day: a client that may append with SSE-KMS, and one that may write with SSE-S3
  recipes: [
    ...['duplicity', 'pgbackrest', 's3fs'].map((page) => `${page} as a client`),
    ...['restic', 'rclone', 's3cmd', 'aws', 'mc', 'boto3'].flatMap((page) =>
      ['append, in a bucket with sse-s3', 'write, in a bucket with sse-kms'].map(
        (which) => `${page} as a client that may ${which}`,
      ),
    ),
  ],
  // every day: nothing of OpenBao, which nothing else builds
  openbao: ['OpenBao'],
  // every day: a deployment that refuses root, over ssh, in test/e2e/engines.e2e.test.ts; rights, in identities
  'root-refused': ['an environment that refuses root'],
  // every day: nothing of seals
  seals: ['a transit seal', 'a seal of AWS KMS'],
  // every day: gone with all its versions
  deployment: ['faults a master key deleted, so that Vault keeps its version'],
};

/** Names of tests that are not of {@link LONG_RUN}, for `jest --testNamePattern`. */
export function everyDay(): string {
  const names = Object.values(LONG_RUN).flat();
  return `^(?!${names.map((name) => name.replaceAll(/[^\w ]/g, '\\$&')).join('|')})`;
}
