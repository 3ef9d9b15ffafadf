import {
  type ClientPlace,
  CONFIGURATIONS,
  type ConfiguredProgram,
  isConfiguredProgram,
} from '../../../../scripts/lib/pages/client-configuration';
import { Secret } from '../../../../operations/lib/secret';

const PLACE: ClientPlace = {
  client: 'lap-tops',
  environment: 'test',
  key: { accessKey: 'abc', secretKey: new Secret('the-secret') },
  url: 'https://s3.example.org:9000',
  region: 'eu-central-1',
  caFile: '/etc/a folder/ca.crt',
  bucket: { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' } },
  prefix: 'laptops/',
};
const PROGRAMS = Object.keys(CONFIGURATIONS).filter(isConfiguredProgram);

test.each(PROGRAMS)('%s: names the key, its secret, and the CA', (program) => {
  const text = CONFIGURATIONS[program](PLACE);
  expect(text).toContain('abc');
  expect(text).toContain('the-secret');
  expect(text).toContain('/etc/a folder/ca.crt');
  expect(text.endsWith('\n')).toBe(true);
});

test.each(PROGRAMS)('%s: without a CA where everybody trusts the certificate', (program) => {
  expect(CONFIGURATIONS[program]({ ...PLACE, caFile: undefined })).not.toMatch(/ca\.crt|undefined|ca-cert|cacert/i);
});

const EXPECTED: Partial<Record<ConfiguredProgram, string>> = {
  env: `export AWS_ACCESS_KEY_ID=abc
export AWS_SECRET_ACCESS_KEY=the-secret
export AWS_DEFAULT_REGION=eu-central-1
export AWS_CA_BUNDLE='/etc/a folder/ca.crt'
export AWS_ENDPOINT_URL=https://s3.example.org:9000
`,
  rclone: `# ~/.config/rclone/rclone.conf
# rclone --ca-cert '/etc/a folder/ca.crt' copy FOLDER test_lap_tops:archive/laptops/
[test_lap_tops]
type = s3
provider = Minio
access_key_id = abc
secret_access_key = the-secret
region = eu-central-1
endpoint = https://s3.example.org:9000
no_check_bucket = true
server_side_encryption = aws:kms
sse_kms_key_id = archive-key
`,
  restic: `export AWS_ACCESS_KEY_ID=abc
export AWS_SECRET_ACCESS_KEY=the-secret
export AWS_DEFAULT_REGION=eu-central-1
export AWS_CA_BUNDLE='/etc/a folder/ca.crt'
export RESTIC_REPOSITORY=s3:https://s3.example.org:9000/archive/laptops
# export RESTIC_PASSWORD_FILE=FILE; restic --cacert '/etc/a folder/ca.crt' init; restic --cacert '/etc/a folder/ca.crt' backup FOLDER
`,
  pgbackrest: `[global]
repo1-type=s3
repo1-path=/laptops
repo1-s3-bucket=archive
repo1-s3-endpoint=s3.example.org
repo1-storage-port=9000
repo1-s3-uri-style=path
repo1-s3-region=eu-central-1
repo1-s3-key=abc
repo1-s3-key-secret=the-secret
repo1-storage-ca-file=/etc/a folder/ca.crt
`,
};

test.each(Object.entries(EXPECTED))('%s', (program, text) => {
  expect(isConfiguredProgram(program) && CONFIGURATIONS[program](PLACE)).toBe(text);
});

test('rclone is told of no encryption in a bucket under SSE-S3', () => {
  const text = CONFIGURATIONS.rclone({ ...PLACE, bucket: { name: 'backup', encryption: { type: 'sse-s3' } } });
  expect(text).not.toContain('server_side_encryption');
});
