/** What must not work: connections that are not encrypted, or to another server. */
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { CheckFailure, type Evidence, type OutsideCheck, type OutsideContext } from '../check';
import { foreignCa } from './foreign-ca';
import { plainHttpAnswer, SPEAKS_HTTP } from './plain-http';
import { handshake, type Served } from '../../lib/net/handshake';

/** A port that must speak TLS of today only, and with its own certificate. */
export interface TlsPort {
  /** Begins a sentence. */
  readonly name: string;
  readonly endpoint: TlsEndpoint;
  /** What to do if it takes what it must not. */
  readonly fixes: { readonly plainHttp: string; readonly certificate: string; readonly oldTls: string };
}

function s3Port({ s3Endpoint }: OutsideContext): TlsPort {
  return {
    name: 'the S3 port',
    endpoint: s3Endpoint,
    fixes: {
      plainHttp: SPEAKS_HTTP,
      certificate:
        'MinIO serves a certificate that this CA did not issue for this address, or that expired: `npx cdktf deploy`',
      oldTls: 'MinIO itself never does: look for the proxy in front of it, and have it accept TLS 1.2 and newer only',
    },
  };
}

const plainHttpRefused: OutsideCheck = {
  from: 'outside',
  id: 'plain-http-refused',
  title: 'The S3 port gives plain HTTP no service',
  proves: 'A request in the clear reaches no S3 API: the connection is closed, or answered with “use HTTPS”.',
  doesNotProve: 'That no client sends its request in the clear first: what it sent was then already readable.',
  severity: 'critical',
  run: async (context) => requireNoPlainHttp(s3Port(context)),
};

/** @throws CheckFailure if plain HTTP gets any service */
export async function requireNoPlainHttp({ name, endpoint, fixes }: TlsPort): Promise<Evidence> {
  const answer = await plainHttpAnswer(endpoint, { method: 'GET', path: '/' });
  if (!answer.refused) throw new CheckFailure(`${name} serves plain HTTP: ${answer.said}`, fixes.plainHttp);
  return { answer: answer.said };
}

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
  run: async (context) => requireOwnCa(s3Port(context)),
};

/** @throws CheckFailure unless the certificate is trusted through its CA, and through no other */
export async function requireOwnCa({ name, endpoint, fixes }: TlsPort): Promise<Evidence> {
  const trusted = await handshake(endpoint);
  if ('refusal' in trusted) {
    throw new CheckFailure(
      `a client that trusts ${endpoint.caFile ?? 'the CAs of this system'} does not trust ${name}: ${trusted.refusal}`,
      fixes.certificate,
    );
  }
  const foreign = await handshake(endpoint, { ca: await foreignCa() });
  if (!('refusal' in foreign)) {
    throw new CheckFailure(
      `a client that trusts only another CA gets a connection to ${name}`,
      'something between here and there answers in its place: compare the certificate that it serves',
      { trusted: evidenceOf(trusted.served) },
    );
  }
  if (!UNTRUSTED.includes(foreign.refusal)) {
    throw new Error(`a client that trusts another CA is refused with ${foreign.refusal}, which says nothing about CAs`);
  }
  return { trusted: evidenceOf(trusted.served), withAnotherCa: foreign.refusal };
}

/** Broken, or without the ciphers of today (RFC 8996). */
const OLD = ['TLSv1', 'TLSv1.1'] as const;
const CURRENT = ['TLSv1.2', 'TLSv1.3'] as const;

const oldTlsRefused: OutsideCheck = {
  from: 'outside',
  id: 'old-tls-refused',
  title: 'TLS 1.0 and 1.1 are refused, today’s versions are not',
  proves: 'The server itself refuses a handshake with TLS 1.0 and with TLS 1.1, and accepts TLS 1.2 or 1.3.',
  doesNotProve: 'That every cipher suite of TLS 1.2 that the server would take is a good one.',
  severity: 'high',
  run: async (context) => requireCurrentTls(s3Port(context)),
};

/** @throws CheckFailure if an old version of TLS is taken */
export async function requireCurrentTls({ name, endpoint, fixes }: TlsPort): Promise<Evidence> {
  const accepted: string[] = [];
  const refused: Record<string, string> = {};
  for (const version of [...OLD, ...CURRENT]) {
    const result = await handshake(endpoint, {
      minVersion: version,
      maxVersion: version,
      // or this side would not even ask: OpenSSL allows them at its lowest level of security only
      ...(OLD.some((old) => old === version) ? { ciphers: 'DEFAULT:@SECLEVEL=0' } : {}),
    });
    if ('served' in result) accepted.push(version);
    else if (isFromServer(result.refusal)) refused[version] = result.refusal;
    else throw new Error(`nothing is known about ${version}: ${result.refusal}`);
  }
  const evidence = { accepted, refused };
  const old = OLD.filter((version) => accepted.includes(version));
  if (old.length > 0) throw new CheckFailure(`${name} accepts ${old.join(' and ')}`, fixes.oldTls, evidence);
  if (accepted.length === 0) throw new Error(`${name} accepts neither ${CURRENT.join(' nor ')}`);
  return evidence;
}

/** In the order in which they are reported. */
export const transportRefusals: readonly OutsideCheck[] = [plainHttpRefused, untrustedCaRefused, oldTlsRefused];

/** An alert that the other side sent, or a connection that it closed, and no error of our own. */
function isFromServer(code: string): boolean {
  return code.includes('_ALERT_') || code === 'ECONNRESET';
}

function evidenceOf({ certificate, protocol, cipher }: Served): Evidence {
  const { subject, fingerprint256, validTo } = certificate;
  return { protocol, cipher, subject: /^CN=.*$/m.exec(subject)?.[0] ?? 'none', fingerprint256, validTo };
}
