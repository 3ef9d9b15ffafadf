import { DeleteBucketPolicyCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { issueCertificates } from '../../../operations/certificates/issue-certificates';
import { certificateOf } from '../../helpers/e2e/certificate-of';
import { startPlainHttpFront } from '../../helpers/e2e/servers/plain-http-front';
import type { GatewayRequest } from '../../helpers/e2e/servers/s3-gateway';
import type { PlantedFault } from './planted-fault';

const SSE = 'x-amz-server-side-encryption';

/** What nobody gets who cannot reach the S3 API. */
const NO_S3 = [
  'bucket-default-encryption',
  'sse-s3-round-trip',
  'sse-kms-default-key-round-trip',
  'sse-kms-named-key-round-trip',
  'sse-kms-context-round-trip',
  'sse-c-round-trip',
  'auto-encryption',
  'bucket-default-sse-s3-round-trip',
  'bucket-default-sse-kms-round-trip',
  'range-read',
  'copy-between-modes',
  'versions',
  'presigned-urls',
  'listing',
  'ciphertext-on-disk',
  'old-tls-refused',
  'anonymous-read-refused',
  'altered-presigned-url-refused',
  'forged-writes-refused',
  'locked-versions-survive',
  'internal-headers-refused',
  'forwarded-headers-ignored',
  'sse-c-key-required',
  'sse-c-plain-http-refused',
  'kms-ready',
  'earlier-objects-open',
  'objects-encrypted',
];

export const refusalFaults: readonly PlantedFault[] = [
  {
    name: 'the S3 port serves plain HTTP as well',
    red: {
      'plain-http-refused': {
        message: /^the S3 port serves plain HTTP: HTTP\/1\.1 403 /,
        fix: /runs without its certificate, or a proxy in front of it speaks HTTP/,
      },
      'sse-c-plain-http-refused': {
        message: /^a PUT with a client’s key over plain HTTP answered HTTP\/1\.1 200 /,
        fix: /runs without its certificate, or a proxy in front of it speaks HTTP/,
      },
    },
    plant: async (bench) => {
      await bench.gateway({ plainHttp: 'served' });
    },
  },
  {
    name: 'the S3 port serves a certificate of another CA',
    red: {
      'untrusted-ca-refused': {
        message: /^a client that trusts .*ca\.crt does not trust the S3 port: UNABLE_TO_VERIFY_LEAF_SIGNATURE$/,
        fix: /a certificate that this CA did not issue/,
      },
      'certificates-valid': {
        message: /^minio-server: https:.* serves another certificate .*\(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)$/,
        fix: /^\.\/scripts\/up .* has them served/,
      },
    },
    alsoRed: Object.fromEntries(NO_S3.map((id) => [id, 'clients that verify certificates do not get to the S3 API'])),
    plant: async (bench) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'ebs-foreign-'));
      bench.mendBy(async () => {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      });
      await issueCertificates({
        environment: 'foreign',
        certificateFolder: folder,
        privateKeyFolder: folder,
        validityDays: 1,
        leaves: [{ name: 'server', usage: 'server', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }],
        renewalNote: path.join(folder, 'renewal.json'),
      });
      await bench.gateway({
        certificateFile: path.join(folder, 'server.crt'),
        privateKeyFile: path.join(folder, 'server.key'),
      });
    },
  },
  {
    name: 'the S3 port serves a certificate that has expired',
    red: {
      'untrusted-ca-refused': {
        message: /^a client that trusts .*ca\.crt does not trust the S3 port: CERT_HAS_EXPIRED$/,
        fix: /or that expired/,
      },
      'certificates-valid': {
        message: /^minio-server: https:.* serves another certificate .*\(CERT_HAS_EXPIRED\)$/,
        fix: /^\.\/scripts\/up .* renews certificates/,
      },
    },
    alsoRed: Object.fromEntries(NO_S3.map((id) => [id, 'clients that verify certificates do not get to the S3 API'])),
    plant: async (bench) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'ebs-expired-'));
      bench.mendBy(async () => {
        rmSync(folder, { recursive: true });
        return Promise.resolve();
      });
      const certificateFile = path.join(folder, 'server.crt');
      writeFileSync(certificateFile, await certificateOf(bench.deployed.state, 'minio-server', -2));
      await bench.gateway({ certificateFile });
    },
  },
  {
    name: 'KES is reached by plain HTTP as well',
    red: {
      'kms-tls-only': { message: /^KES serves plain HTTP: HTTP\/1\.1 200 OK$/, fix: /what answers in its place/ },
    },
    alsoRed: { 'containers-hardened': 'the checks are told of the port of the proxy, where no container is' },
    plant: async (bench) => {
      const front = await startPlainHttpFront(bench.deployed.environment.kes.port);
      bench.mendBy(async () => front.stop());
      bench.declare((environment) => ({ ...environment, kes: { ...environment.kes, port: front.port } }));
    },
  },
  {
    name: 'a proxy in front of MinIO takes TLS 1.1',
    red: {
      'old-tls-refused': { message: /^the S3 port accepts TLSv1\.1$/, fix: /the proxy in front of it/ },
    },
    plant: async (bench) => {
      await bench.gateway({ tls: { minVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } });
    },
  },
  {
    name: 'everybody may read a bucket',
    red: {
      'anonymous-read-refused': {
        message: /^a policy allows everybody to do something, in 1 of its statements \(bucket backup\)$/,
        fix: /mc anonymous set private/,
      },
    },
    plant: async (bench) => {
      const s3 = bench.s3();
      const Bucket = 'backup';
      bench.mendBy(async () => s3.send(new DeleteBucketPolicyCommand({ Bucket })));
      // as `mc anonymous set download` does
      const Statement = [
        {
          Effect: 'Allow',
          Principal: { AWS: ['*'] },
          Action: ['s3:GetObject'],
          Resource: [`arn:aws:s3:::${Bucket}/*`],
        },
      ];
      await s3.send(
        new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
      );
    },
  },
  {
    name: 'a proxy lends its credentials to everybody',
    red: {
      'anonymous-read-refused': {
        message: /^a list of the buckets without credentials answered 200 /,
        fix: /a proxy that lends its credentials to everybody/,
      },
    },
    alsoRed: {
      'forged-writes-refused': 'what nobody signed is signed by it',
      'forwarded-headers-ignored': 'and nobody asks by an address any more',
      'locked-versions-survive': 'a form that is signed, too, is none that S3 takes',
      'internal-headers-refused': 'the same',
    },
    plant: async (bench) => {
      await bench.misbehave({ signAnonymous: true });
    },
  },
  {
    name: 'a proxy signs presigned requests anew without a look at them',
    red: {
      'altered-presigned-url-refused': {
        message: /^a presigned URL expired answered 200$/,
        fix: /signs requests anew/,
      },
    },
    alsoRed: { 'forged-writes-refused': 'it signs the headers that were added to a URL, too' },
    plant: async (bench) => {
      await bench.misbehave({ signPresigned: true });
    },
  },
  {
    name: 'a proxy encrypts in its own way what should be under the key of a client',
    red: {
      'sse-c-key-required': {
        message: /^a GET without the key succeeded, but must be refused \(small, multipart\)$/,
        fix: /stop using SSE-C with it, or through this proxy/,
      },
    },
    plant: async (bench) => {
      await bench.misbehave({
        onRequest: (request) => {
          if (!isAboutSseC(request)) return undefined;
          const { headers } = request;
          asked.set(request, { ...headers });
          const makes = request.method === 'PUT' && !request.path.includes('partNumber');
          for (const name of Object.keys(headers))
            if (name.includes('-customer-')) Reflect.deleteProperty(headers, name);
          if (makes || request.path.includes('?uploads')) headers[SSE] = 'AES256';
          return undefined;
        },
        onAnswer: ({ headers }, request) => {
          const sent = asked.get(request);
          if (sent === undefined || !(`${SSE}-customer-key-md5` in sent)) return;
          // and says what the client wants to hear
          Reflect.deleteProperty(headers, SSE);
          headers[`${SSE}-customer-algorithm`] = 'AES256';
          headers[`${SSE}-customer-key-md5`] = sent[`${SSE}-customer-key-md5`] ?? '';
        },
      });
    },
  },
];

/** The headers with which a request came. */
const asked = new WeakMap<GatewayRequest, Record<string, string>>();

function isAboutSseC({ path: address }: GatewayRequest): boolean {
  return decodeURIComponent(address).includes('/sse-c-key-required/');
}
