/** What a check is. The catalogue of them is in catalogue.ts, how they run in runner.ts. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Environment } from '../../config/environment';
import type { LoadedEnvironment } from '../../config/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import type { HttpClient } from '../http';
import type { KesClient } from '../kes-client';

/** Facts that a check saw: small, ends up in reports, never secret. */
export interface Evidence {
  readonly [fact: string]: EvidenceValue;
}
export type EvidenceValue = string | number | boolean | null | readonly EvidenceValue[] | Evidence;

/**
 * What it means when a check fails.
 *
 * - `critical`: somebody else may read what is stored, or nobody may be able to read it again
 * - `high`: encryption does not work as declared
 * - `medium`: everything is encrypted, but not everything that was promised works
 */
export const SEVERITIES = ['critical', 'high', 'medium'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** One thing that is true of a healthy deployment, and a way to find out whether it is. */
export interface Check {
  /** Stable; people and pipelines select checks by it. */
  readonly id: string;
  readonly title: string;
  /** What is certain when the check passes … */
  readonly proves: string;
  /** … and what a reader might take for certain although it is not. */
  readonly doesNotProve: string;
  readonly severity: Severity;
  /** Why the check means nothing for an environment. Default: it always does. */
  readonly skipReason?: (environment: Environment) => string | undefined;
  /**
   * Looks.
   *
   * @throws CheckFailure if what the check guards is broken; anything else that is thrown means that the check could
   * not find out
   */
  readonly run: (context: CheckContext) => Promise<Evidence>;
}

/** What the checks of one run look at the deployment with. */
export interface CheckContext {
  readonly loaded: LoadedEnvironment;
  /** The S3 API as its clients reach it. */
  readonly s3Endpoint: TlsEndpoint;
  /** The S3 API with MinIO's root credentials. */
  readonly s3: S3Client;
  /** The same server without credentials, for what is not S3. */
  readonly minio: HttpClient;
  /** KES as the client that may use every master key and change none. */
  readonly kes: KesClient;
  /** A folder in MinIO's container as a tar archive, as the drive holds it. */
  readonly readDrive: (folder: string) => Promise<NodeJS.ReadableStream>;
  /**
   * A bucket for this run alone: not versioned, without default encryption, deleted afterwards. Reading it throws if
   * the bucket could not be made.
   */
  readonly bucket: string;
}

/** What a check guards is broken. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure';
  readonly fix: string | undefined;
  readonly evidence: Evidence | undefined;

  constructor(message: string, fix?: string, evidence?: Evidence) {
    super(message);
    this.fix = fix;
    this.evidence = evidence;
  }
}
