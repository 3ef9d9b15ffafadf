import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import { type SummaryInput, summaryJson, summaryText } from '../../../../scripts/lib/pages/summary';

const environment = parseEnvironment(
  `
name: home-lab
minio: { port: 9443, hostnames: [s3.example.org], rootAccess: true }
buckets:
  - { name: backup }
  - { name: archive, encryption: { type: sse-kms, key: archive-key } }
`,
  'home-lab.yaml',
);
const input: SummaryInput = {
  environment,
  state: stateLayout('home-lab', '/home/ann/my state'),
  report: '/home/ann/my state/reports/checks.html',
  mc: '/src/.toolchain/bin/mc',
  home: '/home/ann',
};

test('fits on one screen and its commands can be pasted', () => {
  expect(summaryText(input)).toMatchInlineSnapshot(`
   "
   Encrypted backup storage "home-lab" is ready and proven.

     S3 endpoint   https://s3.example.org:9443   (region us-east-1)
     buckets       backup (SSE-S3), archive (SSE-KMS with key archive-key)
     CA file       ~/my state/tls/ca.crt
     credentials   ~/my state/secrets/minio/config.env
     report        ~/my state/reports/checks.html
     state         ~/my state   (back it up: without it, nothing can be unsealed)

   Connect (once per shell; the credentials are not shown):
     . ~/'my state/secrets/minio/config.env'
     export AWS_ACCESS_KEY_ID="$MINIO_ROOT_USER" AWS_SECRET_ACCESS_KEY="$MINIO_ROOT_PASSWORD"
     export AWS_DEFAULT_REGION=us-east-1 CA=~/'my state/tls/ca.crt'

     aws      aws --endpoint-url https://s3.example.org:9443 --ca-bundle "$CA" s3 cp FILE s3://backup/
     mc       export MC_HOST_home_lab="https://$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY@s3.example.org:9443"
              SSL_CERT_FILE="$CA" /src/.toolchain/bin/mc cp FILE home_lab/backup/
     rclone   rclone --ca-cert "$CA" copy FILE ":s3,provider=Minio,env_auth,region=us-east-1,endpoint='https://s3.example.org:9443':backup/"
              rclone --ca-cert "$CA" copy FILE ":s3,provider=Minio,env_auth,region=us-east-1,endpoint='https://s3.example.org:9443',server_side_encryption='aws:kms',sse_kms_key_id=archive-key:archive/"
     restic   export RESTIC_REPOSITORY=s3:https://s3.example.org:9443/backup/restic RESTIC_PASSWORD_FILE=FILE
              restic --cacert "$CA" init   # once; then: backup FOLDER, snapshots, restore latest --target FOLDER
   "
  `);
  expect(summaryText(input).split('\n').length).toBeLessThanOrEqual(24);
});

test('where root is refused it names the clients, and how to connect as one', () => {
  const { minio } = environment;
  const clients = [{ name: 'laptops', access: [{ bucket: 'backup', may: 'append' as const, objectLock: false }] }];
  const refused = { ...input, environment: { ...environment, clients, minio: { ...minio, rootAccess: false } } };
  const text = summaryText(refused);
  expect(text).toContain('  clients       laptops\n');
  expect(text).toContain('\n  ./scripts/client show laptops home-lab --for env ');
  expect(text).not.toMatch(/ROOT|config\.env/);
  expect(summaryJson(refused).s3.credentialsFile).toBeNull();
});

test('says the same as JSON, with whole paths', () => {
  expect(summaryJson(input)).toEqual({
    environment: 'home-lab',
    s3: {
      endpoint: 'https://s3.example.org:9443',
      region: 'us-east-1',
      caFile: '/home/ann/my state/tls/ca.crt',
      credentialsFile: '/home/ann/my state/secrets/minio/root.json',
      buckets: [
        { name: 'backup', encryption: 'SSE-S3' },
        { name: 'archive', encryption: 'SSE-KMS with key archive-key' },
      ],
    },
    notes: [],
    stateFolder: '/home/ann/my state',
    report: '/home/ann/my state/reports/checks.html',
  });
  expect(summaryJson({ ...input, report: undefined }).report).toBeNull();
});

test('says what to know about how it is reached', () => {
  const notes = ['this machine does not resolve s3.example.org'];
  expect(summaryText({ ...input, notes })).toContain(
    '\n  note          this machine does not resolve s3.example.org\n\nConnect',
  );
  expect(summaryJson({ ...input, notes }).notes).toEqual(notes);
});

test.each([
  [{ publishAddress: '127.0.0.1' }, [], 'https://127.0.0.1:9000'],
  [{ publishAddress: '0.0.0.0' }, [], 'https://127.0.0.1:9000'],
  [{ publishAddress: '192.0.2.7' }, [], 'https://192.0.2.7:9000'],
  [{ publishAddress: '0.0.0.0' }, ['s3.example.org'], 'https://s3.example.org:9000'],
])('the endpoint of %j with names %j is one that the certificate covers', (docker, hostnames, endpoint) => {
  const minio = { ...environment.minio, port: 9000, hostnames };
  expect(
    summaryJson({ ...input, environment: { ...environment, docker: { ...environment.docker, ...docker }, minio } }).s3
      .endpoint,
  ).toBe(endpoint);
});

test('a publicly trusted certificate needs no CA file', () => {
  const { tls } = parseEnvironment(`{name: x, tls: {mode: files, certificate: /a, privateKey: /b}}`, 'x.yaml');
  const trusted = { ...input, environment: { ...environment, tls } };
  expect(summaryJson(trusted).s3.caFile).toBeNull();
  const text = summaryText(trusted);
  expect(text).toContain('CA file       none needed: publicly trusted\n');
  expect(text).toContain('aws --endpoint-url https://s3.example.org:9443 s3 cp FILE');
  expect(text).not.toContain('$CA');
});
