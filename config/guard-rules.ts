/** What the guard compiled into MinIO refuses or corrects, by name: the names are in every refusal, trace and audit entry. */

/** One rule of the guard. */
export interface GuardRule {
  readonly id: string;
  /** What it does, as a sentence without its end. */
  readonly does: string;
  /** Advisories that it answers; `none public` where none is known to us. */
  readonly advisories: readonly string[];
}

/** Refusals: `toolchain/images/minio/guard/internal/ebsguard/rules.go` has the same names. */
export const GUARD_RULES = [
  {
    id: 'unsigned-streaming',
    does: 'refuses a body in chunks without an Authorization header of signature version 4',
    advisories: ['CVE-2026-41145', 'GHSA-hv4r-mvr4-25vw'],
  },
  {
    id: 'archive-upload',
    does: 'refuses an upload that the server should unpack',
    advisories: ['CVE-2026-40344', 'GHSA-9c4q-hq6p-c237'],
  },
  {
    id: 'internal-header',
    does: 'refuses what only MinIO servers send each other, as header, query parameter or form field',
    advisories: ['CVE-2026-34204', 'GHSA-3rh2-v3gr-35p9', 'SN-2026-008'],
  },
  {
    id: 'replica-claim',
    does: 'refuses a request that claims to come from replication',
    advisories: ['none public'],
  },
  { id: 'version-on-write', does: 'refuses a write that names its own version', advisories: ['none public'] },
  {
    id: 'unsigned-header',
    does: 'refuses an x-amz- header that the signature of a presigned URL does not cover',
    advisories: ['SN-2026-011'],
  },
  {
    id: 'retention-bypass',
    does: 'refuses to bypass GOVERNANCE without the rights to bypass and to set retention',
    advisories: ['SN-2026-015', 'GHSA-67mv-7hc9-wj88'],
  },
  {
    id: 'legal-hold-alone',
    does: 'refuses a legal hold without retention where it would leave out the default retention of the bucket',
    advisories: ['silo#165'],
  },
  {
    id: 'form-upload',
    does: 'refuses uploads by an HTML form into a bucket with object lock, and forms that cannot be read',
    advisories: ['none public'],
  },
  { id: 'duplicate-part', does: 'refuses to complete an upload that lists a part twice', advisories: ['none public'] },
  { id: 'select', does: 'refuses S3 Select', advisories: ['CVE-2026-39414', 'silo#183'] },
  {
    id: 'repeated-parameter',
    does: 'refuses a header or parameter that decides about the request and is there twice',
    advisories: [],
  },
  { id: 'malformed-query', does: 'refuses a query that cannot be parsed', advisories: [] },
  {
    id: 'condition-name',
    does: 'refuses a header or parameter with the name of a policy condition, such as Prefix or SourceIp',
    advisories: ['none public'],
  },
  {
    id: 'force-delete',
    does: 'refuses to delete every version of an object without the right to delete versions',
    advisories: ['none public'],
  },
] as const satisfies readonly GuardRule[];

export type GuardRuleId = (typeof GUARD_RULES)[number]['id'];

/** What is not refused, but made right. */
export const GUARD_CORRECTIONS = [
  {
    id: 'tampered-status',
    does: 'answers 500 instead of 206 where an object was changed on the drive',
    advisories: ['silo#110'],
  },
  {
    id: 'forwarded-address',
    does: 'drops X-Forwarded-*, X-Real-IP and Forwarded, so that policies see the address of the connection',
    advisories: ['none public'],
  },
] as const satisfies readonly GuardRule[];

export type GuardCorrectionId = (typeof GUARD_CORRECTIONS)[number]['id'];

/**
 * Rows of which the checks find out whether a MinIO lets them through, and which an environment may so accept as a risk.
 * Not among them: what is a function of other servers (`select`), what needs a damaged drive (`tampered-status`), and what
 * hardens the others (`repeated-parameter`, `malformed-query`). What confines clients (`condition-name`, `force-delete`)
 * the checks of clients try.
 */
export const CHECKED_ROWS = [
  ...(['unsigned-streaming', 'archive-upload', 'unsigned-header'] as const),
  ...(['version-on-write', 'replica-claim', 'retention-bypass', 'legal-hold-alone', 'form-upload'] as const),
  ...(['internal-header', 'duplicate-part'] as const),
  'forwarded-address',
] as const satisfies readonly (GuardRuleId | GuardCorrectionId)[];

export type CheckedRow = (typeof CHECKED_ROWS)[number];

/** The text by which a client, a log and a check recognise a refusal. */
export function guardRefusalText(id: GuardRuleId): string {
  return `refused by the rule ${id} of ebs-guard: `;
}
