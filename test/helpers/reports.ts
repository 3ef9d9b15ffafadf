/** Reports of whole runs, as the catalogue says them; what the checks saw is made up. */
import { catalogue } from '../../operations/checks/catalogue';
import type { Evidence } from '../../operations/checks/check';
import { type LeftOut, makeReport, type Report } from '../../operations/checks/report/model';
import type { CheckResult } from '../../operations/checks/runner';

const STARTED_AT = new Date('2026-01-02T03:04:05.678Z');

/** Nested, tabular, long, empty, and of every type. */
export const EVIDENCE: Evidence = {
  filesSearched: 12,
  encrypted: true,
  plaintext: null,
  ranges: ['bytes=65526-65545', 'bytes=-700'],
  nothing: [],
  trusted: { protocol: 'TLSv1.3', fingerprint256: 'AB:'.repeat(31) + 'AB', validTo: 'Jan  1 00:00:00 2027 GMT' },
  objects: Object.fromEntries(
    ['sse-s3-inline', 'sse-s3-file', 'sse-kms-inline'].map((name) => [
      name,
      {
        objectBytes: 1048576,
        storedBytes: 1050112,
        stored: '1 part file',
        sealedKey: ['X-Minio-Internal-Server-Side-Encryption-S3-Sealed-Key'],
        filesWithMarker: 0,
      },
    ]),
  ),
  keys: [
    { key: 'backup-default', sha256: 'c0ffee'.repeat(10) + 'beef' },
    { key: 'archive-key', sha256: 'decade'.repeat(10) + 'face' },
  ],
};

/** A result of each check of the catalogue; `more` changes those with its ids. */
function results(more: Readonly<Record<string, Partial<CheckResult>>> = {}): CheckResult[] {
  return catalogue.map(({ id, title, proves, doesNotProve, severity }, index) => ({
    ...{ id, title, proves, doesNotProve, severity },
    status: 'passed',
    durationMs: 40 + 171 * index,
    evidence: EVIDENCE,
    ...more[id],
  }));
}

const RUN = {
  endpoint: 'https://127.0.0.1:9000',
  startedAt: STARTED_AT,
  finishedAt: new Date(STARTED_AT.getTime() + 6789),
} as const;

export function passedReport(): Report {
  return makeReport({ environment: 'production', ...RUN }, results());
}

export function acceptedReport(): Report {
  return makeReport(
    { environment: 'production', ...RUN },
    results({
      'forged-writes-refused': {
        status: 'accepted',
        message: 'unsigned-streaming: an object is written without a signature',
      },
    }),
  );
}

/** Says whatever a hostile server might say. */
export const HOSTILE = `</textarea>"'&<script>alert(1)</script>]]>\u0000\u001b[31m\u202e\ud800\ufffe`;

export function failedReport(): Report {
  return makeReport(
    { environment: 'a-name-that-is-as-long-as-names-can-be', ...RUN },
    results({
      'kms-ready': { status: 'could-not-check', message: 'connect ECONNREFUSED 127.0.0.1:7373' },
      'ciphertext-on-disk': {
        status: 'failed',
        message: Array.from(
          { length: 6 },
          (_, index) =>
            `sse-s3-${index}: its plaintext is in data/ebs-check-0123456789abcdef/${'0123456789abcdef'.repeat(8)}/part.1 at byte 4096`,
        ).join('; '),
        fix: 'stop writing backups: MinIO stores what it says it encrypts in another way; see `docker logs ebs-production-minio`',
      },
      'range-read': { status: 'failed', message: HOSTILE, evidence: { answer: HOSTILE, [HOSTILE]: [HOSTILE] } },
      'auto-encryption': {
        status: 'skipped',
        message: 'minio.autoEncryption is false: requests without an encryption header are stored as they come',
        durationMs: 0,
      },
    }),
  );
}

/** Of an endpoint of which nothing but the endpoint is known. */
export function outsideReport(): Report {
  const outside = ['plain-http-refused', 'untrusted-ca-refused', 'sse-s3-round-trip', 'range-read'];
  const leftOut = catalogue
    .filter(({ id }) => !outside.includes(id))
    .map(({ id, title }): LeftOut => ({ id, title, reason: 'needs the drive of MinIO, which only its host can read' }));
  return makeReport(
    { ...RUN, endpoint: 'https://s3.backup.example.org:9443' },
    results().filter(({ id }) => outside.includes(id)),
    leftOut,
  );
}
