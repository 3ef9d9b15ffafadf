/** What a check is. The catalogue of them is in catalogue.ts, how they run in runner.ts. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Environment, VaultEnvironment } from '../../config/environment';
import { isInVault } from '../../config/vault/vault';
import type { CheckedRow } from '../../config/guard-rules';
import type { LoadedEnvironment, LoadedVaultEnvironment } from '../state/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import type { StateLayout } from '../../config/state/layout';
import type { HttpClient } from '../lib/net/http';
import type { KesClient } from '../kes/kes-client';
import type { ReadableDrive } from '../minio/drives/drives';
import type { ScratchBucketOptions } from './objects/scratch-bucket';

/** Facts that a check saw: small, ends up in reports, never secret. */
export interface Evidence {
  readonly [fact: string]: EvidenceValue;
}
export type EvidenceValue = string | number | boolean | null | readonly EvidenceValue[] | Evidence;

/**
 * What it means when a check fails.
 *
 * - `critical`: stored data may be readable by others, or lost
 * - `high`: encryption does not work as declared
 * - `medium`: everything is encrypted, but not everything that was promised works
 */
export const SEVERITIES = ['critical', 'high', 'medium'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a check says of itself. */
export interface CheckDescription {
  /** Stable; people and pipelines select checks by it. */
  readonly id: string;
  readonly title: string;
  /** What is certain when the check passes … */
  readonly proves: string;
  /** … and what a reader might take for certain although it is not. */
  readonly doesNotProve: string;
  readonly severity: Severity;
}

/** A check that needs the S3 API and its credentials only, so that it can look at any endpoint. */
export interface OutsideCheck extends CheckDescription {
  readonly from: 'outside';
  /** It sends what a server must refuse, so another server gets it only when asked for. */
  readonly triesHoles?: true;
  /** Why the check means nothing for what is expected. Default: it always does. */
  readonly skipReason?: (expected: Expectations) => string | undefined;
  /**
   * Looks.
   *
   * @throws CheckFailure if what the check guards is broken; anything else that is thrown means that the check could
   * not find out
   */
  readonly run: (context: OutsideContext) => Promise<Evidence>;
}

/** What checks of the deployment itself, of its state folder, containers, KES or Vault, have in common. */
interface CheckFromInside extends CheckDescription {
  readonly from: 'deployment';
  /** Why the check means nothing for an environment. Default: it always does. */
  readonly skipReason?: (environment: Environment, state: StateLayout) => string | undefined;
}

/** A check that needs every service, as most do. */
export interface FullCheck extends CheckFromInside {
  readonly needs?: never;
  /** It interrupts service: it runs only when asked for, by itself, after all others, and puts everything back. */
  readonly disruptive?: true;
  /** Looks; see {@link OutsideCheck.run}. */
  readonly run: (context: CheckContext) => Promise<Evidence>;
}

/** A check that finds out something also while services are away. */
export interface ServiceCheck extends CheckFromInside {
  /** The last service that it needs; each needs those before it. */
  readonly needs: Service | 'none';
  /** It runs before all others, also when it was not selected: what it finds down is the cause of what they would find. */
  readonly first?: true;
  readonly disruptive?: never;
  /** Looks; see {@link OutsideCheck.run}. A {@link ServiceDown} makes every check that needs the service follow from it. */
  readonly run: (context: ServiceContext) => Promise<Evidence>;
}

/** A check of Vault, also while other services are away. It means nothing where the master keys are elsewhere. */
export interface VaultCheck extends CheckDescription {
  readonly from: 'vault';
  /** See {@link ServiceCheck.first}. */
  readonly first?: true;
  /** Why the check means nothing for an environment. Default: it always does. */
  readonly skipReason?: (environment: VaultEnvironment) => string | undefined;
  /** Looks; see {@link ServiceCheck.run}. */
  readonly run: (context: VaultContext) => Promise<Evidence>;
}

export type DeploymentCheck = FullCheck | ServiceCheck | VaultCheck;

/** One thing that is true of a healthy deployment, and a way to find out whether it is. */
export type Check = OutsideCheck | DeploymentCheck;

/** The services, each of which needs those before it. */
export const SERVICES = ['vault', 'kes', 'minio'] as const;
export type Service = (typeof SERVICES)[number];

/** How objects should be encrypted. */
export interface Expectations {
  /** Name of the environment; absent for an endpoint that was not deployed by this toolkit. */
  readonly environment?: string;
  /** Master key of auto-encryption and of SSE-S3; absent if it was not said. */
  readonly defaultKey?: string;
  /** Every master key that may be named in a request, the default one first. */
  readonly masterKeys: readonly string[];
  /** Whether a request without an encryption header must be encrypted; absent if it was not said. */
  readonly autoEncryption?: boolean;
  /** Rows of docs/guard.md that the server may let through. Absent: none can be accepted. */
  readonly acceptedRisks?: readonly CheckedRow[];
}

/** What any check of one run looks at an S3 endpoint with. */
export interface OutsideContext {
  readonly expected: Expectations;
  /** The S3 API as its clients reach it. */
  readonly s3Endpoint: TlsEndpoint;
  readonly region: string;
  /** The S3 API with credentials that may make a bucket. */
  readonly s3: S3Client;
  /** The same server without credentials, for what is not S3. */
  readonly minio: HttpClient;
  /**
   * A bucket for this run alone: not versioned, without default encryption, deleted afterwards. Reading it throws if
   * the bucket could not be made.
   */
  readonly bucket: string;
  /** Makes another one, of another kind, that is deleted with it. */
  readonly newBucket: (options?: ScratchBucketOptions) => Promise<string>;
}

/** What is there of a deployment also while its services are away. */
export interface ServiceContext extends Pick<OutsideContext, 's3Endpoint' | 'minio'> {
  readonly loaded: LoadedEnvironment;
  /** KES as the client that may use every master key and change none. */
  readonly kes: KesClient;
}

/** The same of a deployment with its master keys in Vault. */
export interface VaultContext extends ServiceContext {
  readonly loaded: LoadedVaultEnvironment;
}

export function hasVault(context: ServiceContext): context is VaultContext {
  return isInVault(context.loaded.environment);
}

/** What checks of a deployment have besides. */
export interface CheckContext extends OutsideContext, ServiceContext {
  /**
   * Stops a container while `use` runs. It is started again whatever happens, also when the run is interrupted or killed;
   * whether it works again is for the check to see.
   */
  readonly whileStopped: <T>(program: 'kes', use: () => Promise<T>) => Promise<T>;
  /** The drives of MinIO, to look at what they hold. */
  readonly drives: readonly ReadableDrive[];
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

/** What a check guards is broken, and the environment says that it may be. */
export class AcceptedRisk extends CheckFailure {}

/** A service is away, so that nothing can be said of what needs it. */
export class ServiceDown extends CheckFailure {
  readonly service: Service;

  constructor(service: Service, message: string, fix: string, evidence?: Evidence) {
    super(message, fix, evidence);
    this.service = service;
  }
}
