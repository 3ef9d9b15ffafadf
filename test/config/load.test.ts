import { readdirSync } from 'node:fs';
import path from 'node:path';
import { programPaths } from '../../config/docker/program-paths';
import { environmentFile, parseEnvironment, readEnvironment } from '../../config/load';
import { projectRoot } from '../../operations/lib/project-root';
import { UsageError } from '../../operations/lib/errors';
import { thrownBy } from '../helpers/thrown';

/** What is wrong with a file, one line for each problem, and where. */
function placedProblemsOf(text: string): string[] {
  const error = thrownBy(() => parseEnvironment(text, 'test.yaml'));
  expect(error).toBeInstanceOf(UsageError);
  const [, ...problems] = error.message.split('\n');
  return problems.map((problem) => problem.trim());
}

/** The same without the lines, of which there are tests of their own. */
function problemsOf(text: string): string[] {
  return placedProblemsOf(text).map((problem) => problem.replace(/^line \d+: /, ''));
}

describe('a file that says nothing but the name', () => {
  const environment = parseEnvironment('name: x', 'test.yaml');

  test('is a whole deployment in containers on this machine', () => {
    expect(environment).toEqual({
      name: 'x',
      requireDiskEncryption: false,
      docker: { publishAddress: '127.0.0.1', processLimit: 8192 },
      images: { source: 'build' },
      providers: {},
      keyStore: {
        type: 'vault',
        vault: {
          mode: 'embedded',
          distribution: 'vault',
          unseal: 'auto',
          shares: 1,
          threshold: 1,
          port: 8200,
          publishAddress: '127.0.0.1',
          memoryMb: 512,
        },
        mount: 'kes',
        existingMount: false,
        prefix: 'x',
        kvVersion: 2,
        approle: {
          mount: 'approle',
          existingMount: false,
          tokenPeriod: '30m',
          secretId: { delivery: 'minted', ttl: '0s', boundCidrs: [], tokenBoundCidrs: [] },
        },
      },
      kes: {
        port: 7373,
        publishAddress: '127.0.0.1',
        cache: { any: '5m', unused: '30s', offline: '0s' },
        clients: [],
        memoryMb: 256,
      },
      minio: {
        port: 9000,
        hostnames: [],
        region: 'us-east-1',
        defaultKey: 'backup-default',
        drives: 1,
        keys: [],
        autoEncryption: true,
        sseC: 'allow',
        memoryMb: 2048,
        webhooks: [],
        acceptedRisks: [],
      },
      buckets: [],
      clients: [],
      tls: { mode: 'self-signed', validityDays: 365, ipAddresses: [] },
      trustedCAs: [],
      schedule: { jobs: ['start', 'deploy', 'check', 'backup', 'drill', 'versions'] },
      state: { backend: 'local' },
    });
  });

  test('encrypts a bucket under the default key unless it says otherwise', () => {
    const { buckets } = parseEnvironment('{name: x, buckets: [{name: backup}]}', 'test.yaml');
    expect(buckets).toEqual([{ name: 'backup', encryption: { type: 'sse-s3' }, objectLock: false }]);
  });
});

test('a file may use every setting', () => {
  const text = `
name: everything
docker: { host: ssh://backup@nas, publishAddress: 0.0.0.0, subnet: 10.89.0.0/24, mtu: 1400 }
images:
  source: registry
  vault: docker.io/hashicorp/vault@sha256:${'a'.repeat(64)}
  kes: quay.io/minio/kes:2025-03-12T09-35-18Z@sha256:${'b'.repeat(64)}
  minio: quay.io/minio/minio@sha256:${'c'.repeat(64)}
providers: { vault: 5.11.0, docker: 4.6.0 }
vault: { mode: external, address: https://vault.example.org:8200, namespace: team/backup, caFile: /etc/vault/ca.pem }
keyStore: { type: vault, mount: team/kes, prefix: prod, kvVersion: 1, approle: { mount: ci/approle, tokenPeriod: 10m } }
kes:
  port: 17373
  publishAddress: 2001:db8::7
  cache: { any: 1h30m, unused: 5m, offline: 24h }
  clients: [{ name: warehouse, keys: [stock, prices] }]
  memoryMb: 64
minio:
  port: 19000
  hostnames: [s3.example.org, '*.s3.example.org']
  region: eu-central-1
  defaultKey: Default_1
  keys: [legal]
  sseC: deny
  autoEncryption: false
  memoryMb: 4096
buckets:
  - { name: plain }
  - { name: locked, encryption: { type: sse-kms, key: archive-key }, versioning: true, objectLock: true, retention: { mode: compliance, days: 30, confirm: locked }, lifecycle: [{ prefix: tmp/, expireDays: 30, expireNoncurrentDays: 60 }], quotaGiB: 500, tags: { team: backup } }
clients:
  - { name: postgres, access: [{ bucket: plain, prefix: postgres/16/, may: write }] }
  - { name: veeam, access: [{ bucket: locked, may: append, objectLock: true }, { bucket: plain, may: read }], expireDays: 90 }
tls: { mode: self-signed, validityDays: 90, ipAddresses: [192.0.2.7, '2001:db8::7'] }
trustedCAs: [/etc/pki/company, /etc/ssl/vault-ca.pem]
state: { backend: s3, directory: /srv/ebs, bucket: states, keyPrefix: prod, region: eu, endpoint: https://s3.aws.example }
schedule:
  jobs: [backup, check]
  backup: { to: s3://elsewhere/ebs/, endpoint: https://s3.other.example, region: eu, caFile: /etc/ca.pem, recipients: [age1x], keep: 7 }
  variablesFile: /etc/ebs/variables
notify: { type: webhook, urlFile: /etc/ebs/webhook, caFile: /etc/ca.pem, when: always }
allowDataLoss: everything
`;
  expect(parseEnvironment(text, 'test.yaml')).toMatchObject({
    keyStore: {
      kvVersion: 1,
      approle: { tokenPeriod: '10m' },
      vault: { mode: 'external', namespace: 'team/backup' },
    },
    buckets: [{ name: 'plain' }, { objectLock: true, encryption: { key: 'archive-key' } }],
    state: { backend: 's3', keyPrefix: 'prod' },
    allowDataLoss: 'everything',
  });
});

test('every file of environments/ is valid', () => {
  const files = readdirSync(path.join(projectRoot, 'environments')).filter((file) => /\.ya?ml$/.test(file));
  expect(files).toContain('local.yaml');
  for (const file of files) {
    const { environment } = readEnvironment(path.join(projectRoot, 'environments', file));
    expect(file).toMatch(new RegExp(`^${environment.name}(\\.|$)`));
  }
});

/** A certificate from an ACME authority, with these settings besides the needed ones. */
const acme = (settings: string): string =>
  `tls: {mode: acme, directory: "https://acme.example/d", email: ops@example.org, termsOfServiceAgreed: true, ${settings}}`;

describe('a wrong setting is named with its path, the rule and the value', () => {
  const kesName =
    'must be 1 to 80 characters of 0-9, A-Z, a-z, "_" and "-", without "-" at either end, and not "_" alone';
  const bucketName =
    'must be 3 to 63 characters of a-z, 0-9, "-" and ".", with a letter or digit at either end and around each ".", and no IP address';
  const objectPrefix =
    'must be segments of 0-9, A-Z, a-z, ".", "_", "=", "@", "+" and "-", each with a "/" after it, and none "." or ".."';
  const vaultPath =
    'must be segments of 0-9, A-Z, a-z, "_" and "-" joined by single slashes, without a slash at either end';
  const oneAddress = 'must be one address, because whoever reaches Vault can cancel a rekeying without a token';
  const driveCount = 'must be 1, or 4 to 16, because erasure coding is for four drives and more';
  const fourDrives = 'Declare one drive, or four and more.';
  const driveFolder = 'must be an absolute path without "." and "..", and without "/" at its end';
  const image = 'must be an image reference with a digest, such as quay.io/minio/minio@sha256:…';

  test.each([
    // the file itself
    ['', 'name: must be a string, got nothing.'],
    ['[]', 'the file: must be a map of settings, got: [].'],
    ['name', 'the file: must be a map of settings, got: "name".'],
    // name
    [
      'name: Local',
      'name: must be 1 to 32 characters of a-z, 0-9 and "-", beginning with a letter and not ending with "-", got: "Local".',
    ],
    ['name: 3', 'name: must be a string, got: 3.'],
    // docker
    [
      'docker: {host: nas}',
      'docker.host: must be unix:///path, ssh://[user@]host[:port] or tcp://host:port, got: "nas".',
    ],
    [
      'schedule: {jobs: [checks]}',
      'schedule.jobs[0]: must be one of start, deploy, check, backup, drill, versions, got: "checks". Did you mean check?',
    ],
    [
      'schedule: {backup: {to: backups, recipients: [age1x]}}',
      'schedule.backup.to: must be an absolute path of a folder, or s3://bucket/ or s3://bucket/prefix/, got: "backups".',
    ],
    [
      'schedule: {backup: {to: s3://bucket/name, recipients: [age1x]}}',
      'schedule.backup.to: must be an absolute path of a folder, or s3://bucket/ or s3://bucket/prefix/, got: "s3://bucket/name".',
    ],
    ['notify: {type: webhook}', 'notify.urlFile: must be a string, got nothing.'],
    ['docker: {certPath: pki}', 'docker.certPath: must be an absolute path, got: "pki".'],
    ['docker: {host: 5}', 'docker.host: must be a string, got: 5.'],
    ['docker: {publishAddress: localhost}', 'docker.publishAddress: must be an IP address, got: "localhost".'],
    [
      'docker: {subnet: 10.1.0.0}',
      'docker.subnet: must be an IPv4 range between /8 and /27 such as 10.123.0.0/24, got: "10.1.0.0".',
    ],
    [
      'docker: {subnet: 10.1.0.0/28}',
      'docker.subnet: must be an IPv4 range between /8 and /27 such as 10.123.0.0/24, got: "10.1.0.0/28".',
    ],
    [
      'docker: {subnet: 10.1.2.3/16}',
      'docker.subnet: must begin at its first address, as 10.1.0.0/16 does, got: "10.1.2.3/16".',
    ],
    ['docker: {mtu: 100}', 'docker.mtu: must be at least 576, got: 100.'],
    [
      'docker: {publishAddress: 10.89.0.7, subnet: 10.89.0.0/24}',
      'docker.publishAddress: must not be in docker.subnet (10.89.0.0/24), whose addresses are those of containers, got: "10.89.0.7". Choose another docker.subnet.',
    ],
    // images and providers
    ['images: {source: pull}', 'images.source: must be one of build, registry, got: "pull".'],
    [
      `images: {source: registry, vault: 'vault:latest', kes: 'k@sha256:${'0'.repeat(64)}', minio: 'm@sha256:${'0'.repeat(64)}'}`,
      `images.vault: ${image}, got: "vault:latest".`,
    ],
    [
      `images: {source: registry, vault: 'v@sha256:${'0'.repeat(64)}', kes: 'k@sha256:${'0'.repeat(64)}', minio: 'm@sha256:${'0'.repeat(64)}', programs: {minio: silo}}`,
      'images.programs.minio: must be an absolute path, got: "silo".',
    ],
    [
      'minio: {acceptedRisks: [unsigned-steaming]}',
      'minio.acceptedRisks[0]: must be one of unsigned-streaming, archive-upload, unsigned-header, version-on-write, ' +
        'replica-claim, retention-bypass, legal-hold-alone, form-upload, internal-header, duplicate-part, ' +
        'forwarded-address, got: "unsigned-steaming". Did you mean unsigned-streaming?',
    ],
    [
      'providers: {vault: ~> 5}',
      'providers.vault: must be an exact version from 5.0.0 on, such as 5.9.0, got: "~> 5".',
    ],
    [
      'providers: {vault: 1.9.0}',
      'providers.vault: must be an exact version from 5.0.0 on, such as 5.9.0, got: "1.9.0".',
    ],
    ['providers: {docker: 4.6}', 'providers.docker: must be a string, got: 4.6.'],
    ['providers: {docker: v4.6.0}', 'providers.docker: must be an exact version such as 4.6.0, got: "v4.6.0".'],
    // drives
    ['minio: {drives: many}', 'minio.drives: must be a number of Docker volumes, or a list of folders, got: "many".'],
    ['minio: {drives: 3}', `minio.drives: ${driveCount}, got: 3. ${fourDrives}`],
    ['minio: {drives: 17}', `minio.drives: ${driveCount}, got: 17. ${fourDrives}`],
    ['minio: {drives: []}', `minio.drives: ${driveCount}, got: []. ${fourDrives}`],
    ['minio: {drives: [/a, /b]}', `minio.drives: ${driveCount}, got: ["/a","/b"]. ${fourDrives}`],
    ['minio: {drives: 1.5}', 'minio.drives: must be a number of Docker volumes, or a list of folders, got: 1.5.'],
    ['minio: {drives: [mnt/a]}', `minio.drives[0]: ${driveFolder}, got: "mnt/a".`],
    ['minio: {drives: [/]}', `minio.drives[0]: ${driveFolder}, got: "/".`],
    ['minio: {drives: [/a, /b, /c, /d/]}', `minio.drives[3]: ${driveFolder}, got: "/d/".`],
    ['minio: {drives: [/a, /b, /c/../d, /d]}', `minio.drives[2]: ${driveFolder}, got: "/c/../d".`],
    ['minio: {drives: [{path: a, adopt: true}]}', `minio.drives[0].path: ${driveFolder}, got: "a".`],
    ['minio: {drives: [{path: /a, adopt: maybe}]}', 'minio.drives[0].adopt: must be true or false, got: "maybe".'],
    ['minio: {drives: [{adopt: true}]}', 'minio.drives[0].path: must be a string, got nothing.'],
    ['minio: {drives: [{path: /a, adpt: true}]}', 'minio.drives[0].adpt: is not a setting. Did you mean adopt?'],
    ['minio: {drives: [7]}', 'minio.drives[0]: must be a folder, or {path, adopt}, got: 7.'],
    ['minio: {rootAccess: never}', 'minio.rootAccess: must be true or false, got: "never".'],
    ['minio: {parity: 0}', 'minio.parity: must be at least 1, got: 0.'],
    // vault
    ['vault: {port: 1}', 'vault.mode: must be one of embedded, external, got nothing.'],
    ['vault: {mode: intern}', 'vault.mode: must be one of embedded, external, got: "intern".'],
    ['vault: {mode: embedded, port: 0}', 'vault.port: must be at least 1, got: 0.'],
    ['vault: {mode: embedded, port: 70000}', 'vault.port: must be at most 65535, got: 70000.'],
    ['vault: {mode: embedded, port: 1.5}', 'vault.port: must be a whole number, got: 1.5.'],
    ['vault: {mode: embedded, unseal: never}', 'vault.unseal: must be one of auto, manual, got: "never".'],
    [
      'vault: {mode: embedded, unseal: {type: pkcs11}}',
      'vault.unseal.type: must be one of transit, awskms, got: "pkcs11".',
    ],
    [
      'vault: {mode: embedded, unseal: {type: transit, address: "https://s.example.com", key: k}}',
      'vault.unseal.tokenFile: must be a string, got nothing.',
    ],
    [
      'vault: {mode: embedded, unseal: {type: awskms, region: x, kmsKey: k, credentialsFile: /c}}',
      'vault.unseal.region: must be an AWS region such as eu-central-1, got: "x".',
    ],
    ['vault: {mode: embedded, shares: 0}', 'vault.shares: must be at least 1, got: 0.'],
    ['vault: {mode: embedded, shares: 11, threshold: 2}', 'vault.shares: must be at most 10, got: 11.'],
    ['vault: {mode: embedded, memoryMb: 64}', 'vault.memoryMb: must be at least 128, got: 64.'],
    [
      'vault: {mode: embedded, publishAddress: 0.0.0.0}',
      `vault.publishAddress: ${oneAddress}, got: "0.0.0.0". Name the address by which this machine reaches the Docker host.`,
    ],
    [
      'vault: {mode: embedded, publishAddress: "::"}',
      `vault.publishAddress: ${oneAddress}, got: "::". Name the address by which this machine reaches the Docker host.`,
    ],
    [
      'vault: {mode: external, address: "http://vault:8200"}',
      'vault.address: must be an https:// address; Vault is never spoken to in the clear, got: "http://vault:8200".',
    ],
    ['vault: {mode: external, caFile: ca.pem}', 'vault.caFile: must be an absolute path, got: "ca.pem".'],
    // keyStore
    ['keyStore: {type: gcp}', 'keyStore.type: must be one of vault, aws, filesystem, got: "gcp".'],
    ['keyStore: {type: aws}', 'keyStore.region: must be a string, got nothing.'],
    [
      'keyStore: {type: aws, region: Frankfurt}',
      'keyStore.region: must be an AWS region such as eu-central-1, got: "Frankfurt".',
    ],
    [
      'keyStore: {type: aws, region: eu-central-1, endpoint: "http://127.0.0.1:5000"}',
      'keyStore.endpoint: must be an https:// address; master keys are never sent in the clear, got: "http://127.0.0.1:5000".',
    ],
    [
      'keyStore: {type: aws, region: eu-central-1, kmsKey: "my key"}',
      'keyStore.kmsKey: must be the id, ARN or alias/… of a KMS key, got: "my key".',
    ],
    [
      'keyStore: {type: aws, region: eu-central-1, credentials: env}',
      'keyStore.credentials: must be one of chain, instance-role, got: "env".',
    ],
    [
      'keyStore: {type: aws, region: eu-central-1, caFile: ca.pem}',
      'keyStore.caFile: must be an absolute path, got: "ca.pem".',
    ],
    ['keyStore: {type: vault, mount: /kes}', `keyStore.mount: ${vaultPath}, got: "/kes".`],
    ['keyStore: {type: vault, prefix: a//b}', `keyStore.prefix: ${vaultPath}, got: "a//b".`],
    ['keyStore: {type: vault, kvVersion: 3}', 'keyStore.kvVersion: must be one of 1, 2, got: 3.'],
    ['keyStore: {type: vault, approle: {mount: a/}}', `keyStore.approle.mount: ${vaultPath}, got: "a/".`],
    [
      'keyStore: {type: vault, approle: {tokenPeriod: 1d}}',
      'keyStore.approle.tokenPeriod: must be a duration such as 30s, 5m or 1h30m, got: "1d".',
    ],
    ['keyStore: {type: filesystem, path: keys}', 'keyStore.path: must be an absolute path, got: "keys".'],
    // kes
    ['kes: {cache: {any: soon}}', 'kes.cache.any: must be a duration such as 30s, 5m or 1h30m, got: "soon".'],
    ['kes: {cache: {offline: 0}}', 'kes.cache.offline: must be a string, got: 0.'],
    ['kes: {memoryMb: 8}', 'kes.memoryMb: must be at least 32, got: 8.'],
    ['kes: null', 'kes: must be a map of settings, got: null.'],
    // minio
    ['minio: {defaultKey: a/b}', `minio.defaultKey: ${kesName}, got: "a/b".`],
    ['minio: {hostnames: s3.example.org}', 'minio.hostnames: must be a list, got: "s3.example.org".'],
    ['minio: {hostnames: [a b]}', 'minio.hostnames[0]: must be a DNS name, got: "a b".'],
    ...['*.s3.lan', '192.0.2.7', 'a b'].map((domain): [string, string] => [
      `minio: {domain: '${domain}'}`,
      `minio.domain: must be a DNS name without a wildcard, such as s3.example.com, got: "${domain}".`,
    ]),
    [
      "minio: {domain: s3.lan, hostnames: [S3.lan, '*.s3.lan', other.S3.lan]}",
      'minio.hostnames[2]: must not be below minio.domain (s3.lan), where S3 takes it for a bucket, got: "other.S3.lan". Have clients use s3.lan itself, or choose a domain of its own for the buckets.',
    ],
    ['minio: {region: EU West}', 'minio.region: must be a region name such as us-east-1, got: "EU West".'],
    ['minio: {autoEncryption: "yes"}', 'minio.autoEncryption: must be true or false, got: "yes".'],
    ['minio: {memoryMb: 128}', 'minio.memoryMb: must be at least 256, got: 128.'],
    ['minio: {sseC: forbid}', 'minio.sseC: must be one of allow, deny, got: "forbid".'],
    // clients of KES
    ['kes: {clients: [{name: w, keys: []}]}', 'kes.clients[0].keys: must be at least 1, got: [].'],
    ['kes: {clients: [{name: w/x, keys: [k]}]}', `kes.clients[0].name: ${kesName}, got: "w/x".`],
    // rules of buckets
    [
      'buckets: [{name: backup, versioning: true, objectLock: true, retention: {mode: governance, days: 0}}]',
      'buckets[0].retention.days: must be at least 1, got: 0.',
    ],
    ['buckets: [{name: backup, quotaGiB: 0}]', 'buckets[0].quotaGiB: must be at least 1, got: 0.'],
    ['buckets: [{name: backup, lifecycle: []}]', 'buckets[0].lifecycle: must be at least 1, got: [].'],
    // clients
    [
      'buckets: [{name: backup}]\nclients: [{name: Postgres, access: [{bucket: backup, may: read}]}]',
      'clients[0].name: must be 1 to 32 characters of a-z, 0-9 and "-", beginning with a letter and not ending with "-", got: "Postgres".',
    ],
    ['buckets: [{name: backup}]\nclients: [{name: c, access: []}]', 'clients[0].access: must be at least 1, got: [].'],
    ...['/a/', 'a', 'a//b/', '../a/', 'a/../b/', 'a*/', 'a?/', '${aws:username}/', 'ä/', ''].map(
      (prefix): [string, string] => [
        `buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read, prefix: '${prefix}'}]}]`,
        `clients[0].access[0].prefix: ${objectPrefix}, got: ${JSON.stringify(prefix)}.`,
      ],
    ),
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: delete}]}]',
      'clients[0].access[0].may: must be one of read, append, write, got: "delete".',
    ],
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], expireDays: 400}]',
      'clients[0].expireDays: must be at most 365, got: 400.',
    ],
    // buckets
    ['buckets: [backup]', 'buckets[0]: must be a map of settings, got: "backup".'],
    ['buckets: [{name: Backup}]', `buckets[0].name: ${bucketName}, got: "Backup".`],
    [
      'buckets: [{name: backup, encryption: {type: sse-c}}]',
      'buckets[0].encryption.type: must be one of sse-s3, sse-kms, got: "sse-c".',
    ],
    [
      'buckets: [{name: backup, encryption: {type: sse-kms}}]',
      'buckets[0].encryption.key: must be a string, got nothing.',
    ],
    [
      'buckets: [{name: backup, encryption: {type: sse-kms, key: -k}}]',
      `buckets[0].encryption.key: ${kesName}, got: "-k".`,
    ],
    // tls
    [
      'tls: {mode: off}',
      'tls.mode: must be one of self-signed, files, acme; TLS cannot be switched off, because MinIO refuses SSE-C (and every key would travel in the clear) without it, got: "off".',
    ],
    ['tls: {mode: self-signed, validityDays: 6}', 'tls.validityDays: must be at least 7, got: 6.'],
    ['tls: {mode: self-signed, validityDays: 826}', 'tls.validityDays: must be at most 825, got: 826.'],
    ['tls: {mode: self-signed, ipAddresses: [s3]}', 'tls.ipAddresses[0]: must be an IP address, got: "s3".'],
    [
      'tls: {mode: self-signed, certificate: /a}',
      'tls.certificate: is a setting only with mode: files. Remove it, or write that.',
    ],
    ['tls: {mode: files, certificate: /a.crt}', 'tls.privateKey: must be a string, got nothing.'],
    [
      'tls: {mode: files, certificate: a.crt, privateKey: /a.key}',
      'tls.certificate: must be an absolute path, got: "a.crt".',
    ],
    [
      acme('domains: [s3.example.org]').replace('https:', 'http:'),
      'tls.directory: must be an https:// address, got: "http://acme.example/d".',
    ],
    [
      acme('domains: [a.example]').replace('ops@', 'ops'),
      'tls.email: must be an e-mail address, got: "opsexample.org".',
    ],
    [acme('domains: [a.example]').replace('true', 'false'), 'tls.termsOfServiceAgreed: must be true, got: false.'],
    [
      acme('domains: [a.example], eab: {keyId: "", hmacKeyFile: /eab.key}'),
      'tls.eab.keyId: must be the identifier that the authority gave you, got: "".',
    ],
    [
      acme('domains: [a.example], eab: {keyId: one, hmacKeyFile: eab.key}'),
      'tls.eab.hmacKeyFile: must be an absolute path, got: "eab.key".',
    ],
    [acme('domains: []'), 'tls.domains: must be at least 1, got: [].'],
    [
      acme("domains: ['*.s3.example.org', s3.example.org]"),
      'tls.domains[0]: must not be a wildcard, which can only be had by a dns-01 challenge, got: "*.s3.example.org". Use dns-01, or name each host.',
    ],
    [
      acme(
        "domains: ['*.example.org'], additional: [{domains: [s3.example.org]}], challenge: {type: dns-01, hook: /hook}",
      ),
      'tls.additional[0].domains[0]: must not overlap with *.example.org, because MinIO would show either certificate by chance, got: "s3.example.org". Remove one.',
    ],
    [
      `${acme('domains: [s3.example.org]')}\nminio: {hostnames: [backup.example.org]}`,
      'minio.hostnames[0]: must be covered by tls.domains or by the domains of tls.additional, got: "backup.example.org". Add it there.',
    ],
    [
      `${acme('domains: [s3.example.org]')}\nminio: {domain: s3.example.org}`,
      'minio.domain: must be covered by tls.domains or by the domains of tls.additional with *.s3.example.org, got: "s3.example.org". Add it there.',
    ],
    [
      acme("domains: ['*.example.org'], challenge: {type: dns-01, hook: /hook}"),
      'minio.hostnames: must name a host beside the wildcards, because the checks need one to ask for, got: [] (the default). Add a name that clients use.',
    ],
    [
      acme('domains: [s3.example.org], challenge: {type: dns-01}'),
      'tls.challenge.hook: must be a string, got nothing.',
    ],
    ['trustedCAs: [ca.crt]', 'trustedCAs[0]: must be an absolute path, got: "ca.crt".'],
    [
      "minio: {hostnames: ['*.s3.example.org']}\ntls: {mode: files, certificate: /a.crt, privateKey: /a.key}",
      'minio.hostnames: must name a host beside the wildcards, because the checks need one to ask for, got: ["*.s3.example.org"]. Add a name that clients use.',
    ],
    // state
    ['state: {backend: gcs}', 'state.backend: must be one of local, s3, got: "gcs".'],
    ['state: {backend: local, directory: here}', 'state.directory: must be an absolute path, got: "here".'],
    ['state: {backend: s3, bucket: B_, region: eu}', `state.bucket: ${bucketName}, got: "B_".`],
    [
      'state: {backend: s3, bucket: states, region: eu, endpoint: "http://s3"}',
      'state.endpoint: must be an https:// address, got: "http://s3".',
    ],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: minted, boundCidrs: [10.0.0.1/33]}}}',
      'keyStore.approle.secretId.boundCidrs[0]: must be a range of addresses such as 192.0.2.0/24 or 2001:db8::/32, got: "10.0.0.1/33".',
    ],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: minted, boundCidrs: [10.0.0.0/8]}}}',
      'keyStore.approle.secretId.boundCidrs: needs docker.subnet with an embedded Vault, because Docker otherwise chooses the address of KES, got: ["10.0.0.0/8"]. Write docker.subnet, or remove the line.',
    ],
    [
      'docker: {subnet: 10.89.0.0/24}\nkeyStore: {type: vault, approle: {secretId: {delivery: minted, tokenBoundCidrs: [10.89.0.0/25]}}}',
      'keyStore.approle.secretId.tokenBoundCidrs: must hold 10.89.0.128/25, the half of docker.subnet where Vault and KES are, got: ["10.89.0.0/25"]. Add 10.89.0.128/25.',
    ],
    ['allowDataLoss: true', 'allowDataLoss: must be a string, got: true.'],
  ])('%s', (text, problem) => {
    const named = text === '' || /^(name|\[)/.test(text) ? text : `name: x\n${text}`;
    expect(problemsOf(named)).toEqual([problem]);
  });
});

describe('what is not a setting is an error, wherever it is', () => {
  const NOTHING_LIKE_IT = 'is not a setting. Remove it, or correct its spelling.';
  const didYouMean = (setting: string): string => `is not a setting. Did you mean ${setting}?`;
  const onlyWith = (other: string): string => `is a setting only with ${other}. Remove it, or write that.`;

  test.each([
    ['nam: y', 'nam', didYouMean('name')],
    ['bucket: []', 'bucket', didYouMean('buckets')],
    ['docker: {hots: ssh://nas}', 'docker.hots', didYouMean('host')],
    ['minio: {memoryMB: 512}', 'minio.memoryMB', didYouMean('memoryMb')],
    ['minio: {auto-encryption: true}', 'minio.auto-encryption', didYouMean('autoEncryption')],
    ['vault: {mode: embedded, address: "https://v"}', 'vault.address', onlyWith('mode: external')],
    ['vault: {mode: external, token: hvs.1}', 'vault.token', NOTHING_LIKE_IT],
    ['vault: {mode: external, unseal: auto}', 'vault.unseal', onlyWith('mode: embedded')],
    ['keyStore: {type: vault, approle: {secret: x}}', 'keyStore.approle.secret', didYouMean('secretId')],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: minted, wrappingTokenFile: /x}}}',
      'keyStore.approle.secretId.wrappingTokenFile',
      onlyWith('delivery: wrapped'),
    ],
    ['keyStore: {type: filesystem, mount: kes}', 'keyStore.mount', onlyWith('type: vault')],
    ['keyStore: {type: aws, region: eu-central-1, secretKey: x}', 'keyStore.secretKey', NOTHING_LIKE_IT],
    ['kes: {cache: {expiry: 1m}}', 'kes.cache.expiry', NOTHING_LIKE_IT],
    ['minio: {rootPassword: x}', 'minio.rootPassword', NOTHING_LIKE_IT],
    ['buckets: [{name: backup, key: k}]', 'buckets[0].key', NOTHING_LIKE_IT],
    [
      'buckets: [{name: backup, encryption: {type: sse-s3, key: k}}]',
      'buckets[0].encryption.key',
      onlyWith('type: sse-kms'),
    ],
    ['state: {backend: local, bucket: states}', 'state.bucket', onlyWith('backend: s3')],
    ['images: {source: build, vault: x}', 'images.vault', onlyWith('source: registry')],
    ['__proto__: {name: y}', '__proto__', NOTHING_LIKE_IT],
  ])('%s', (text, setting, said) => {
    expect(problemsOf(`name: x\n${text}`)).toEqual([`${setting}: ${said}`]);
  });
});

test('each problem is shown with its line, or that of the settings in which something is missing', () => {
  const text = `# an environment
name: x
docker: { mtu: 100 }
minio:
  port: 9001

  memoryMB: 512
kes: { port: 9001 }
buckets:
  - name: backup
  - name: archive
    objectLock: true
`;
  expect(placedProblemsOf(text)).toEqual([
    'line 3: docker.mtu: must be at least 576, got: 100.',
    'line 7: minio.memoryMB: is not a setting. Did you mean memoryMb?',
    'line 5: minio.port: must differ from kes.port, got: 9001. Choose another port.',
    'line 11: buckets[1].versioning: must be true where objectLock is, got nothing. Write versioning: true.',
  ]);
  expect(placedProblemsOf('name: x\ntls:\n  mode: files\n  certificate: /a.crt')).toEqual([
    'line 2: tls.privateKey: must be a string, got nothing.',
  ]);
});

describe('settings that contradict each other', () => {
  test.each([
    ['kes: {port: 8200}', 'kes.port: must differ from vault.port, got: 8200. Choose another port.'],
    ['minio: {port: 8200}', 'minio.port: must differ from vault.port, got: 8200. Choose another port.'],
    ['kes: {port: 9000}', 'minio.port: must differ from kes.port, got: 9000 (the default). Choose another port.'],
    [
      `images: {source: registry, kes: 'k@sha256:${'0'.repeat(64)}', minio: 'm@sha256:${'0'.repeat(64)}'}`,
      'images.vault: must be given for an embedded Vault, got nothing. Name an image of Vault with its digest.',
    ],
    [
      'schedule: {backup: {to: /backups, region: eu, recipients: [age1x]}}',
      'schedule.backup.region: must not be given where schedule.backup.to is a folder, got: "eu". Remove it, or write an s3:// place.',
    ],
    [
      'minio: {acceptedRisks: [form-upload]}',
      'minio.acceptedRisks: must not be given with images.source: build, whose image of MinIO has the guard, got: ["form-upload"]. Remove it.',
    ],
    [
      'minio: {parity: 1}',
      'minio.parity: must not be given with one drive: parity is kept on others, got: 1. Remove it, or declare four drives or more.',
    ],
    [
      'minio: {drives: 5, parity: 3}',
      'minio.parity: must be at most half of the drives (2 of 5), got: 3. Write 2 or less.',
    ],
    [
      'minio: {drives: [/a, /b, /a, /d]}',
      'minio.drives[2]: must differ from minio.drives[0] (/a), got: "/a". Name a disk of its own.',
    ],
    [
      'minio: {drives: [/a, /b, /c, {path: /b/d}]}',
      'minio.drives[3].path: must not overlap with minio.drives[1] (/b), got: "/b/d". Name a disk of its own.',
    ],
    [
      'minio: {drives: [/a/x, /a, /ab, /d]}',
      'minio.drives[1]: must not overlap with minio.drives[0] (/a/x), got: "/a". Name a disk of its own.',
    ],
    [
      'minio: {drives: [/srv]}\nkeyStore: {type: filesystem, path: /srv/keys}',
      'minio.drives[0]: must not overlap with keyStore.path (/srv/keys), where the master keys are, got: "/srv". Choose another folder.',
    ],
    [
      'docker: {host: "tcp://nas:2376"}',
      'docker.host: must not be tcp:// without TLS except on loopback, because secrets go that way, got: "tcp://nas:2376". Name a folder with ca.pem, cert.pem and key.pem in docker.certPath, or use ssh://.',
    ],
    [
      'docker: {host: "ssh://nas", certPath: /pki}',
      'docker.host: must begin with tcp:// where docker.certPath is given, got: "ssh://nas". Remove docker.certPath, or write such a docker.host.',
    ],
    [
      'vault: {mode: embedded, shares: 3, threshold: 4}',
      'vault.threshold: must be at most vault.shares (3), got: 4. Raise vault.shares.',
    ],
    [
      'vault: {mode: embedded, shares: 3}',
      'vault.threshold: must be at least 2 when there are several shares (Vault refuses it), got: 1 (the default). Raise vault.threshold.',
    ],
    [
      'keyStore: {type: vault, approle: {tokenPeriod: 9m59s}}',
      'keyStore.approle.tokenPeriod: must be at least 10m, because the token of KES would die before KES renews it, got: "9m59s". Write 10m or more.',
    ],
    [
      'keyStore: {type: filesystem}\nvault: {mode: embedded}',
      'vault: must not be given with keyStore.type filesystem: no Vault takes part, got: {"mode":"embedded"}. Remove it.',
    ],
    [
      'keyStore: {type: aws, region: eu-central-1}\nvault: {mode: external}',
      'vault: must not be given with keyStore.type aws: no Vault takes part, got: {"mode":"external"}. Remove it.',
    ],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: minted, ttl: 1h}}}',
      'keyStore.approle.secretId.ttl: must be 0s or at least 24h, because only a deploy renews it, got: "1h". Write 24h or more.',
    ],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: minted, ttl: 769h}}}',
      'keyStore.approle.secretId.ttl: must be at most 768h, because Vault ends it then, whatever it says, got: "769h". Write 768h or less, or 0s.',
    ],
    [
      'keyStore: {type: vault, existingMount: true}',
      'keyStore.existingMount: needs an external Vault, because an embedded one begins empty, got: true. Remove the line.',
    ],
    [
      'keyStore: {type: vault, approle: {existingMount: true}}',
      'keyStore.approle.existingMount: needs an external Vault, because an embedded one begins empty, got: true. Remove the line.',
    ],
    [
      'keyStore: {type: vault, approle: {secretId: {delivery: wrapped}}}',
      'keyStore.approle.secretId.delivery: needs an external Vault, because only the deploy can mint in an embedded one, got: "wrapped". Write minted.',
    ],
    [
      'kes: {cache: {any: 0s}}',
      'kes.cache.any: must be longer than 0s, because KES would then ask its key store for every object, got: "0s". Write 5m.',
    ],
    [
      'kes: {cache: {unused: 0m}}',
      'kes.cache.unused: must be longer than 0s, because KES would then ask its key store for every object, got: "0m". Write 30s.',
    ],
    [
      'kes: {clients: [{name: w, keys: [a]}, {name: w, keys: [b]}]}',
      'kes.clients[1].name: must differ from kes.clients[0].name, got: "w". Remove one.',
    ],
    [
      'kes: {clients: [{name: w, keys: [backup-default]}]}',
      'kes.clients[0].keys[0]: must not be a key of MinIO, which could then open what w encrypts, and the other way round, got: "backup-default". Choose another name.',
    ],
    [
      'kes: {clients: [{name: w, keys: [a]}, {name: v, keys: [a]}]}',
      'kes.clients[1].keys[0]: must not be a key of w, which could then open what v encrypts, and the other way round, got: "a". Choose another name.',
    ],
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}]}, {name: c, access: [{bucket: backup, may: read}]}]',
      'clients[1].name: must differ from clients[0].name, got: "c". Remove one.',
    ],
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backups, may: read}]}]',
      'clients[0].access[0].bucket: must be a bucket that is declared, got: "backups". Declare it in buckets.',
    ],
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: append}]}]',
      'clients[0].access[0].may: must not be append where buckets[0].versioning is not true: what is overwritten would be gone, got: "append". Write versioning: true for the bucket.',
    ],
    [
      'docker: {publishAddress: 192.0.2.1}\nbuckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], sourceAddresses: ["2001:db8::/32"]}]',
      'clients[0].sourceAddresses[0]: must be a range of IPv4 addresses such as 192.0.2.0/24, because MinIO sees no IPv6 address of a client, got: "2001:db8::/32".',
    ],
    [
      'docker: {publishAddress: 192.0.2.1}\nbuckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], sourceAddresses: [192.0.2.7/24]}]',
      'clients[0].sourceAddresses[0]: must begin at its first address, such as 192.0.2.0/24, got: "192.0.2.7/24".',
    ],
    [
      'docker: {publishAddress: 192.0.2.1}\nbuckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], sourceAddresses: [192.0.2.7/32, 192.0.2.7/32]}]',
      'clients[0].sourceAddresses: must name each range once, got: ["192.0.2.7/32","192.0.2.7/32"].',
    ],
    [
      'buckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], sourceAddresses: [192.0.2.0/24]}]',
      'clients[0].sourceAddresses: must not be given where docker.publishAddress is 127.0.0.1: MinIO sees all its clients with the address of the Docker network, got: ["192.0.2.0/24"]. Remove it, or publish on an IPv4 address of the host.',
    ],
    [
      'docker: {publishAddress: "::"}\nbuckets: [{name: backup}]\nclients: [{name: c, access: [{bucket: backup, may: read}], sourceAddresses: [192.0.2.0/24]}]',
      'clients[0].sourceAddresses: must not be given where docker.publishAddress is ::: MinIO sees all its clients with the address of the Docker network, got: ["192.0.2.0/24"]. Remove it, or publish on an IPv4 address of the host.',
    ],
    [
      'buckets: [{name: backup, versioning: true}]\nclients: [{name: c, access: [{bucket: backup, may: append, objectLock: true}]}]',
      'clients[0].access[0].objectLock: must be false where buckets[0].objectLock is, got: true. Remove it, or declare a bucket with object lock.',
    ],
    [
      'buckets: [{name: backup, versioning: true, objectLock: true}]\nclients: [{name: c, access: [{bucket: backup, may: read, objectLock: true}]}]',
      'clients[0].access[0].objectLock: must be false for a client that may only read, got: true. Remove it, or write may: append.',
    ],
    [
      'buckets: [{name: backup, versioning: true, retention: {mode: governance, days: 30}}]',
      'buckets[0].retention: must not be given where objectLock is false, got: {"mode":"governance","days":30}. Write objectLock: true, which can only be chosen when the bucket is made.',
    ],
    [
      'buckets: [{name: backup, versioning: true, objectLock: true, retention: {mode: compliance, days: 30}}]',
      'buckets[0].retention.confirm: must be the bucket’s own name (backup) for compliance, which cannot be lifted before its end, got nothing. Write confirm: backup, or mode: governance.',
    ],
    [
      'buckets: [{name: backup, versioning: true, objectLock: true, retention: {mode: governance, days: 30, confirm: backup}}]',
      'buckets[0].retention.confirm: must only be given for compliance, got: "backup". Remove it.',
    ],
    [
      'buckets: [{name: backup, versioning: true, objectLock: true, retention: {mode: compliance, days: 30, confirm: backup}, lifecycle: [{expireDays: 29}]}]',
      'buckets[0].lifecycle[0].expireDays: must be at least retention.days (30), before which nothing is deleted, got: 29. Write 30 or more.',
    ],
    [
      'buckets: [{name: backup, lifecycle: [{prefix: a/}]}]',
      'buckets[0].lifecycle[0]: must have expireDays or expireNoncurrentDays, got: {"prefix":"a/"}. Add one, or remove the rule.',
    ],
    [
      'buckets: [{name: backup, versioning: false, lifecycle: [{expireNoncurrentDays: 3}]}]',
      'buckets[0].lifecycle[0].expireNoncurrentDays: must not be given where versioning is false: there are no older versions, got: 3. Write expireDays.',
    ],
    [
      'buckets: [{name: backup, events: [{webhook: inbox}]}]',
      'buckets[0].events[0].webhook: must be a webhook that is declared, got: "inbox". Declare it in minio.webhooks.',
    ],
    [
      'minio: {webhooks: [{name: inbox, endpoint: "https://a.example.com/"}, {name: inbox, endpoint: "https://b.example.com/"}]}',
      'minio.webhooks[1].name: must differ from minio.webhooks[0].name, got: "inbox". Remove one.',
    ],
    [
      'minio: {webhooks: [{name: inbox, endpoint: "https://a.example.com/"}]}\nbuckets: [{name: backup, events: [{webhook: inbox, on: [created, created]}]}]',
      'buckets[0].events[0].on: must name created once, got: ["created","created"]. Remove one.',
    ],
    [
      'buckets: [{name: backup}, {name: other}, {name: backup}]',
      'buckets[2].name: must differ from buckets[0].name, got: "backup". Remove one.',
    ],
    [
      'buckets: [{name: backup, objectLock: true}]',
      'buckets[0].versioning: must be true where objectLock is, got nothing. Write versioning: true.',
    ],
    [
      'allowDataLoss: y',
      'allowDataLoss: must be the environment’s own name (x), got: "y". Correct it, or remove the line.',
    ],
  ])('%s', (text, problem) => {
    expect(problemsOf(`name: x\n${text}`)).toEqual([problem]);
  });

  test('an external Vault takes no port of this machine', () => {
    const text = 'name: x\nvault: {mode: external}\nkes: {port: 8200}';
    expect(parseEnvironment(text, 'test.yaml').kes.port).toBe(8200);
  });
});

test('there is a Vault by default where the master keys are to be in one, and none elsewhere', () => {
  const keyStoreOf = (text: string) => parseEnvironment(text, 'test.yaml').keyStore;
  expect(keyStoreOf('name: x')).toMatchObject({ type: 'vault', vault: { mode: 'embedded', port: 8200 } });
  expect(keyStoreOf('name: x\nkeyStore: {type: vault}')).toMatchObject({ type: 'vault', vault: { mode: 'embedded' } });
  expect(keyStoreOf('name: x\nkeyStore: {type: filesystem}')).toEqual({ type: 'filesystem' });
});

test('the master keys are in a folder of Vault that is named like the environment, or as the file says', () => {
  const prefixOf = (text: string) => parseEnvironment(text, 'test.yaml').keyStore;
  expect(prefixOf('name: x')).toMatchObject({ prefix: 'x' });
  expect(prefixOf('name: x\nkeyStore: {type: vault, prefix: team/backup}')).toMatchObject({ prefix: 'team/backup' });
});

test('an embedded OpenBao needs its own image, and not that of Vault', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const withImage = (image: string) =>
    `{name: x, vault: {mode: embedded, distribution: openbao}, images: {source: registry, ${image}: i@${digest}, kes: k@${digest}, minio: m@${digest}}}`;
  expect(problemsOf(withImage('vault'))).toEqual([
    'images.openbao: must be given for an embedded OpenBao, got nothing. Name an image of OpenBao with its digest.',
  ]);
  expect(programPaths(parseEnvironment(withImage('openbao'), 'test.yaml')).openbao).toBe('/bin/bao');
});

test('an embedded OpenBao is opened by unseal shares alone', () => {
  const unseal = '{type: transit, address: "https://seal.example.com", key: k, tokenFile: /t}';
  expect(problemsOf(`name: x\nvault: {mode: embedded, distribution: openbao, unseal: ${unseal}}`)).toEqual([
    expect.stringMatching(
      /^vault\.unseal: must be auto or manual with vault\.distribution openbao: a seal of OpenBao was never tried, got: .* Write auto\.$/,
    ),
  ]);
});

test('an external Vault needs no image', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const text = `{name: x, vault: {mode: external}, images: {source: registry, kes: k@${digest}, minio: m@${digest}}}`;
  expect(parseEnvironment(text, 'test.yaml').images).not.toHaveProperty('vault');
});

test('all problems are reported at once: wrong values, unknown settings and contradictions', () => {
  // GIVEN
  const text = `
name: x
minoi: {}
allow: x
vault: { mode: embedded, memoryMb: 1 }
kes: { port: 9000 }
buckets:
  - { name: backup }
  - { name: backup }
  - { name: B }
allowDataLoss: y
`;

  // WHEN
  const { message } = thrownBy(() => parseEnvironment(text, 'prod.yaml'));

  // THEN
  const [title, ...problems] = message.split('\n');
  expect(title).toBe('prod.yaml has 7 problems:');
  expect(problems.map((problem) => /^ {2}(?:line )?((?:\d+: )?[^:]+)/.exec(problem)?.[1])).toEqual([
    '5: vault.memoryMb',
    '10: buckets[2].name',
    '3: minoi',
    '4: allow',
    // no line of the file asks for it
    'minio.port',
    '9: buckets[1].name',
    '11: allowDataLoss',
  ]);
});

test('a rule about two settings is silent when one of them is wrong by itself', () => {
  expect(problemsOf('name: x\nvault: { mode: embedded, shares: 11, threshold: 2 }')).toEqual([
    'vault.shares: must be at most 10, got: 11.',
  ]);
});

test('an unknown setting silences no rule', () => {
  expect(problemsOf('name: x\nfoo: 1\nkes: { cache: { any: 0s } }')).toEqual([
    'foo: is not a setting. Remove it, or correct its spelling.',
    expect.stringMatching(/^kes\.cache\.any: must be longer than 0s/),
  ]);
});

test('one problem is not called problems', () => {
  expect(thrownBy(() => parseEnvironment('', 'prod.yaml')).message).toBe(
    'prod.yaml has a problem:\n  name: must be a string, got nothing.',
  );
});

describe('what is not YAML is shown with its line', () => {
  test.each([
    ['name: x\nname: y', 'line 2, column 1: Map keys must be unique'],
    ['name: x\nkes:\n\tport: 1', 'line 3, column 1: Tabs are not allowed as indentation'],
    [
      'name: x\n---\nname: y',
      'line 2, column 1: Source contains multiple documents; please use YAML.parseAllDocuments()',
    ],
    ['name: "x', 'line 1, column 9: Missing closing "quote'],
    ['name: *x', 'Unresolved alias (the anchor must be set before the alias): x'],
    // each level is ten of the one before
    [
      [
        'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
        ...Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join()}]`),
      ].join('\n'),
      'Excessive alias count indicates a resource exhaustion attack',
    ],
  ])('%j', (text, problem) => {
    const error = thrownBy(() => parseEnvironment(text, 'prod.yaml'));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message.split('\n').slice(0, 2)).toEqual(['prod.yaml is not YAML:', `  ${problem}`]);
  });
});

describe('which file is meant', () => {
  test.each([
    ['local', path.join(projectRoot, 'environments', 'local.yaml')],
    ['prod.yaml', path.resolve('prod.yaml')],
    ['./prod', path.resolve('prod')],
    ['/etc/ebs/prod.yml', '/etc/ebs/prod.yml'],
  ])('%s', (name, file) => {
    expect(environmentFile(name)).toBe(file);
  });
});
