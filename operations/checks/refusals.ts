/** What must not work. */
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { CheckFailure, type Evidence, type OutsideCheck } from './check';
import { foreignCa } from './foreign-ca';

const CONNECTION_TIMEOUT_MS = 5_000;

const plainHttpRefused: OutsideCheck = {
  from: 'outside',
  id: 'plain-http-refused',
  title: 'The S3 port gives plain HTTP no service',
  proves: 'A request in the clear reaches no S3 API: the connection is closed, or answered with “use HTTPS”.',
  doesNotProve: 'That no client sends its request in the clear first: what it sent was then already readable.',
  severity: 'critical',
  run: async ({ s3Endpoint }) => {
    const answer = await plainHttpAnswer(s3Endpoint);
    const [statusLine = ''] = answer.split('\r\n');
    const evidence = { answer: answer === '' ? 'connection closed' : statusLine };
    // Go's TLS listener says so itself, before any handler of MinIO sees the request (net/http, server.go)
    const refused = /^HTTP\/1\.[01] 400 /.test(statusLine) && answer.includes('HTTP request to an HTTPS server');
    if (answer !== '' && (!refused || /^x-(?:amz|minio)-/im.test(answer))) {
      throw new CheckFailure(
        `the S3 port serves plain HTTP: ${statusLine}`,
        'MinIO runs without its certificate, or a proxy in front of it speaks HTTP: see /files/certs in its container',
        evidence,
      );
    }
    return evidence;
  },
};

/** What OpenSSL says when no trusted CA issued the certificate: with it sent, or not, or itself the issuer. */
const UNTRUSTED = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

const untrustedCaRefused: OutsideCheck = {
  from: 'outside',
  id: 'untrusted-ca-refused',
  title: 'The S3 certificate is trusted through its own CA and through no other',
  proves:
    'A client that trusts the CA of this environment verifies certificate and address; one that trusts another CA ' +
    'gets no connection.',
  doesNotProve: 'That clients verify certificates at all: that is their own setting.',
  severity: 'high',
  run: async ({ s3Endpoint }) => {
    const { caFile } = s3Endpoint;
    const trusted = await handshake(s3Endpoint, caFile === undefined ? undefined : readFileSync(caFile, 'utf8'));
    if ('refusal' in trusted) {
      throw new CheckFailure(
        `a client that trusts ${caFile ?? 'the CAs of this system'} is refused: ${trusted.refusal}`,
        'MinIO serves a certificate that this CA did not issue for this address, or that expired: `npx cdktf deploy`',
      );
    }
    const foreign = await handshake(s3Endpoint, await foreignCa());
    if (!('refusal' in foreign)) {
      throw new CheckFailure(
        'a client that trusts only another CA gets a connection',
        'NODE_TLS_REJECT_UNAUTHORIZED=0, or something between this machine and MinIO, switches verification off',
        { trusted: trusted.verified },
      );
    }
    if (!UNTRUSTED.includes(foreign.refusal)) {
      throw new Error(
        `a client that trusts another CA is refused with ${foreign.refusal}, which says nothing about CAs`,
      );
    }
    return { trusted: trusted.verified, withAnotherCa: foreign.refusal };
  },
};

/** In the order in which they are reported. */
export const refusals: readonly OutsideCheck[] = [plainHttpRefused, untrustedCaRefused];

/** Everything that the port answers to a plain HTTP request; nothing if it only closes. */
async function plainHttpAnswer({ url }: TlsEndpoint): Promise<string> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    let connected = false;
    const socket = connectTcp({ host: hostname, port: Number(port || 443) }, () => {
      connected = true;
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.setTimeout(CONNECTION_TIMEOUT_MS, () => socket.destroy(new Error(`${host} does not answer plain HTTP`)));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // reset once connected: the server hung up, which is a refusal, too
      if (connected && error.code === 'ECONNRESET') resolve(answer);
      else reject(error);
    });
    socket.on('close', () => {
      resolve(answer);
    });
  });
}

/** What a handshake verified, or the code with which verification refused it. */
type Handshake = { readonly verified: Evidence } | { readonly refusal: string };

/** Fails if there is no handshake because of anything but a certificate. */
async function handshake({ url }: TlsEndpoint, ca: string | undefined): Promise<Handshake> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls(
      { host: hostname, port: Number(port || 443), ...(ca === undefined ? {} : { ca }) },
      () => {
        const { subject, fingerprint256, valid_to: validTo } = socket.getPeerCertificate();
        const { name: cipher } = socket.getCipher();
        const protocol = socket.getProtocol();
        socket.end();
        resolve({ verified: { protocol, cipher, subject: `CN=${String(subject.CN)}`, fingerprint256, validTo } });
      },
    );
    socket.setTimeout(CONNECTION_TIMEOUT_MS, () => socket.destroy(new Error(`${host} does not answer TLS`)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const { code } = error;
      // codes of the network have an errno, those of certificates have not
      if (code === undefined || error.errno !== undefined) reject(error);
      else resolve({ refusal: code });
    });
  });
}
