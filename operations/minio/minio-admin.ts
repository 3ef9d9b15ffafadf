/** The part of MinIO's admin API that the operations use: signed requests (AWS Signature V4, service s3). */
import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac } from 'node:crypto';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { LoadedEnvironment } from '../state/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { s3Endpoint } from '../../config/state/endpoints';
import { ExternalError, messageOf } from '../lib/errors';
import { bounded, HttpClient, type HttpRequest, type HttpResponse } from '../lib/net/http';
import type { Secret } from '../lib/secret';
import { openFromAdmin, sealForAdmin } from './madmin-cipher';
import { type InspectedFile, inspectedFiles } from './drives/minio-inspection';
import { type OwnFile, ownFile, readCredentials, type S3Credentials } from './s3-client';

const ADMIN = '/minio/admin/v3';

/** Bytes of the text with which an error comes. */
const MOST_OF_AN_ERROR = 64 * 1024;

/** What MinIO says of an import: for each bucket the kinds of settings, each with its error (madmin, bucket-metadata.go). */
const bucketImport = z.object({
  buckets: z
    .record(z.string(), z.record(z.string(), z.union([z.object({ error: z.string().optional() }), z.string()])))
    .optional(),
});
const entities = z.record(z.string(), z.array(z.unknown()).nullable());
/** What MinIO says of an import of users and policies (madmin-go, user-commands.go, ImportIAMResult). */
const iamImport = z.object({ skipped: entities.optional(), failed: entities.optional() });
const namedEntity = z.looseObject({ name: z.string() });
const tiers = z.array(z.object({ Name: z.string() })).nullable();
const remoteTargets = z.array(z.unknown()).nullable();
const storage = z.object({
  // Go leaves out what is empty or zero (madmin-go, info-commands.go, Disk)
  Disks: z.array(
    z.object({
      endpoint: z.string().default('of an unknown path'),
      state: z.string().default('unknown'),
      totalspace: z.number().default(0),
      availspace: z.number().default(0),
      healing: z.boolean().default(false),
      heal_info: z.object({ items_healed: z.number(), objects_total_count: z.number() }).optional(),
    }),
  ),
});
const siteReplication = z.object({ enabled: z.boolean() });

const serverInfo = z.object({ sqsARN: z.array(z.string()).nullish() });
const policyInfo = z.object({ Policy: z.unknown() });
const bucketQuota = z.object({ size: z.number().default(0), quota: z.number().default(0) });
const jobStarted = z.object({ id: z.string() });
const jobStatus = z.object({
  LastMetric: z.object({
    complete: z.boolean(),
    failed: z.boolean(),
    rotation: z.object({ objects: z.number(), objectsFailed: z.number() }).optional(),
  }),
});

const healStarted = z.object({ clientToken: z.string() });
const drivesOfItem = z.object({ drives: z.array(z.object({ endpoint: z.string(), state: z.string() })).nullable() });
/** What MinIO did to an object, or to a bucket (madmin-go, heal-commands.go, HealResultItem). */
const healItem = z.object({
  bucket: z.string(),
  object: z.string(),
  versionId: z.string(),
  /** Why it could not; empty if it could. */
  detail: z.string(),
  before: drivesOfItem,
  after: drivesOfItem,
});
export type HealItem = z.infer<typeof healItem>;
/** Its names begin with capitals, other than those of madmin (cmd/admin-heal-ops.go, healSequenceStatus). */
const healStatus = z.object({
  Summary: z.enum(['not started', 'running', 'stopped', 'finished']),
  Detail: z.string().default(''),
  StartTime: z.string(),
  Items: z.array(healItem).nullable().default([]),
});
/** How Go writes a time that was never set. */
const NEVER = '0001-01-01T00:00:00Z';

/** A drive as MinIO sees it. */
export interface DriveState {
  /** In the container. */
  readonly path: string;
  /** `ok`, `offline`, `unformatted`, `corrupt`, `permission-denied`, `faulty`, `root-mount`, `unknown…` (cmd/erasure.go). */
  readonly state: string;
  /** MinIO writes anew what an empty drive lacks. Absent: it does not. */
  readonly healing?: { readonly done: number; readonly total: number };
  /** 0: MinIO does not reach it. */
  readonly totalBytes: number;
  /** What MinIO may still write. */
  readonly freeBytes: number;
}

/** How a heal goes. */
export interface HealProgress {
  /** `forgotten`: MinIO was started anew, and knows nothing of it. */
  readonly state: 'running' | 'ended' | 'failed' | 'forgotten';
  /** Why it failed. */
  readonly detail: string;
  /** What was looked at since this was last asked. */
  readonly items: readonly HealItem[];
}

/** What a batch job puts objects under. */
export type JobEncryption = { readonly type: 'sse-s3' } | { readonly type: 'sse-kms'; readonly key: string };

/** MinIO as one user. Only its settings are encrypted beyond TLS, see madmin-cipher.ts (cmd/admin-router.go). */
export class MinioAdmin {
  private readonly http: HttpClient;
  private readonly host: string;
  private readonly signer: SignatureV4;
  private readonly secretKey: Secret;

  constructor(endpoint: TlsEndpoint, region: string, { accessKey, secretKey }: S3Credentials) {
    this.secretKey = secretKey;
    this.http = new HttpClient(endpoint);
    this.host = new URL(endpoint.url).host;
    this.signer = new SignatureV4({
      service: 's3',
      region,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey.reveal() },
      sha256: Sha256,
      uriEscapePath: false,
    });
  }

  /** Users, groups, policies and service accounts as a ZIP archive. It holds secret keys in the clear. */
  async exportIam(): Promise<Buffer> {
    return (await this.call({ method: 'GET', path: `${ADMIN}/export-iam` })).bytes;
  }

  /**
   * Adds what an archive of {@link exportIam} holds; what is there under the same name is replaced. Access keys and groups
   * that were disabled are enabled (minio/minio, cmd/admin-handlers-users.go, importIAM), users are not.
   *
   * @returns what MinIO did not take, though it answers 200, each as `kind: name`
   */
  async importIam(archive: Buffer): Promise<string[]> {
    const request = { method: 'PUT', path: `${ADMIN}/import-iam-v2`, body: archive, timeoutMs: 600_000 } as const;
    const { text: report } = await this.call(request);
    const { skipped, failed } = iamImport.parse(JSON.parse(report));
    return [...Object.entries(skipped ?? {}), ...Object.entries(failed ?? {})].flatMap(([kind, entities]) =>
      (entities ?? []).map((entity) => `${kind}: ${nameOf(entity)}`),
    );
  }

  /** Disables an access key: a service account, as MinIO calls it. */
  async disableAccessKey(accessKey: string): Promise<void> {
    const body = sealForAdmin(this.secretKey, Buffer.from(JSON.stringify({ newStatus: 'off' })));
    const path = `${ADMIN}/update-service-account`;
    // MinIO may have closed the connection while the body was sealed
    await this.call({ method: 'POST', path, query: { accessKey }, body, repeatable: true }, [200, 204]);
  }

  /** Disables a group: MinIO refuses its members everything, whatever other policies they have (cmd/iam-store.go). */
  async disableGroup(group: string): Promise<void> {
    await this.call({ method: 'PUT', path: `${ADMIN}/set-group-status`, query: { group, status: 'disabled' } });
  }

  async deletePolicy(name: string): Promise<void> {
    await this.call({ method: 'DELETE', path: `${ADMIN}/remove-canned-policy`, query: { name } });
  }

  /** Removes a user with its access keys. */
  async deleteUser(name: string): Promise<void> {
    await this.call({ method: 'DELETE', path: `${ADMIN}/remove-user`, query: { accessKey: name } });
  }

  async leaveGroup(group: string, user: string): Promise<void> {
    const body = Buffer.from(JSON.stringify({ group, members: [user], isRemove: true }));
    await this.call({ method: 'PUT', path: `${ADMIN}/update-group-members`, body });
  }

  async deleteAccessKey(accessKey: string): Promise<void> {
    const query = { accessKey };
    await this.call({ method: 'DELETE', path: `${ADMIN}/delete-service-account`, query }, [200, 204]);
  }

  /** Policies, life cycles, tags, quotas, encryption and so on of all buckets as a ZIP archive. */
  async exportBuckets(): Promise<Buffer> {
    return (await this.call({ method: 'GET', path: `${ADMIN}/export-bucket-metadata`, query: { bucket: '' } })).bytes;
  }

  /**
   * Applies what an archive of {@link exportBuckets} holds; a bucket that does not exist is made.
   *
   * @returns what MinIO did not take, though it answers 200, each as `bucket: kind of setting: why`
   */
  async importBuckets(archive: Buffer): Promise<string[]> {
    const path = `${ADMIN}/import-bucket-metadata`;
    const { text: report } = await this.call({ method: 'PUT', path, query: { bucket: '' }, body: archive });
    return Object.entries(bucketImport.parse(JSON.parse(report)).buckets ?? {}).flatMap(([bucket, kinds]) =>
      Object.entries(kinds).flatMap(([kind, state]) => {
        const why = typeof state === 'string' ? state : state.error;
        return why === undefined || why === '' ? [] : [`${bucket}: ${kind}: ${why}`];
      }),
    );
  }

  /**
   * The settings of the server, such as the targets of events: lines as `mc admin config export` prints them, without
   * those that come from its variables or are switched off. They hold secrets in the clear.
   */
  async exportSettings(): Promise<string> {
    const { bytes } = await this.call({ method: 'GET', path: `${ADMIN}/config` });
    const lines = openFromAdmin(this.secretKey, bytes).toString('utf8').split('\n');
    return lines.filter((line) => line !== '' && !line.startsWith('#')).join('\n');
  }

  /** Replaces the settings of the server by those of {@link exportSettings}. Some count from its next start on. */
  async importSettings(settings: string): Promise<void> {
    const body = sealForAdmin(this.secretKey, Buffer.from(`${settings}\n`));
    await this.call({ method: 'PUT', path: `${ADMIN}/config`, body });
  }

  /** The drives that MinIO was told of, in their order. */
  async drives(): Promise<DriveState[]> {
    const { text: answer } = await this.call({ method: 'GET', path: `${ADMIN}/storageinfo` });
    return storage
      .parse(JSON.parse(answer))
      .Disks.map(({ endpoint, state, totalspace, availspace, healing, heal_info: info }) => ({
        path: endpoint,
        state,
        totalBytes: totalspace,
        freeBytes: availspace,
        ...(healing ? { healing: { done: info?.items_healed ?? 0, total: info?.objects_total_count ?? 0 } } : {}),
      }))
      .sort((one, other) => one.path.localeCompare(other.path, 'en', { numeric: true }));
  }

  /**
   * Has MinIO look at everything that it stores, and write anew what a drive lacks. Another such heal ends. It stands still
   * after a thousand items, until a client asks for them (cmd/admin-heal-ops.go, pushHealResultItem).
   *
   * @param scan `deep` reads everything and compares checksums; `normal` sees what is missing or outdated
   * @returns by what it is asked for
   */
  async startHeal(scan: 'normal' | 'deep'): Promise<string> {
    const body = Buffer.from(JSON.stringify({ recursive: true, scanMode: scan === 'deep' ? 2 : 1 }));
    const { text } = await this.call({ method: 'POST', path: `${ADMIN}/heal/`, query: { forceStart: 'true' }, body });
    return healStarted.parse(JSON.parse(text)).clientToken;
  }

  /** @throws HealTakenOver if another one has begun since */
  async healProgress(clientToken: string): Promise<HealProgress> {
    const request: AdminRequest = { method: 'POST', path: `${ADMIN}/heal/`, query: { clientToken } };
    const response = await this.call(request, [200, 400]);
    const { status, text } = response;
    if (status === 400) {
      if (text.includes('XMinioHealInvalidClientToken')) throw new HealTakenOver();
      throw this.refused(request, response);
    }
    const { Summary, Detail: detail, StartTime, Items } = healStatus.parse(JSON.parse(text));
    const items = Items ?? [];
    if (Summary === 'finished') return { state: StartTime === NEVER ? 'forgotten' : 'ended', detail, items };
    return { state: Summary === 'stopped' ? 'failed' : 'running', detail, items };
  }

  /** Ends the heal that is under way, if one is. */
  async stopHeal(): Promise<void> {
    await this.call({ method: 'POST', path: `${ADMIN}/heal/`, query: { forceStop: 'true' }, body: Buffer.from('{}') });
  }

  /** Changes one setting of the server, as `mc admin config set` takes it. It may hold a secret. */
  async putSetting(setting: Secret): Promise<void> {
    const body = sealForAdmin(this.secretKey, Buffer.from(setting.reveal()));
    await this.call({ method: 'PUT', path: `${ADMIN}/set-config-kv`, body });
  }

  /** Takes back what {@link putSetting} set, such as `notify_webhook:name`. */
  async removeSetting(name: string): Promise<void> {
    const body = sealForAdmin(this.secretKey, Buffer.from(name));
    await this.call({ method: 'DELETE', path: `${ADMIN}/del-config-kv`, body });
  }

  /** ARNs to which MinIO sends events of buckets now. */
  async eventTargets(): Promise<string[]> {
    const { text } = await this.call({ method: 'GET', path: `${ADMIN}/info` });
    return serverInfo.parse(JSON.parse(text)).sqsARN ?? [];
  }

  /** Names of the storages to which life cycles move objects. */
  async tiers(): Promise<string[]> {
    const { text: answer } = await this.call({ method: 'GET', path: `${ADMIN}/tier` });
    return (tiers.parse(JSON.parse(answer)) ?? []).map(({ Name }) => Name);
  }

  /** Whether a bucket replicates to others, or was told of one to replicate to. */
  async replicates(bucket: string): Promise<boolean> {
    const query = { bucket, type: '' };
    const { text: answer } = await this.call({ method: 'GET', path: `${ADMIN}/list-remote-targets`, query });
    return (remoteTargets.parse(JSON.parse(answer)) ?? []).length > 0;
  }

  /** Whether this site replicates to others as a whole. */
  async replicatesSites(): Promise<boolean> {
    const { text: answer } = await this.call({ method: 'GET', path: `${ADMIN}/site-replication/info` });
    return siteReplication.parse(JSON.parse(answer)).enabled;
  }

  /** Has MinIO refuse writes where a bucket holds more. */
  async setQuota(bucket: string, bytes: number): Promise<void> {
    const body = Buffer.from(JSON.stringify({ quota: bytes, size: bytes, quotatype: 'hard' }));
    await this.call({ method: 'PUT', path: `${ADMIN}/set-bucket-quota`, query: { bucket }, body });
  }

  /** In bytes; 0: there is none. */
  async quota(bucket: string): Promise<number> {
    const { text } = await this.call({ method: 'GET', path: `${ADMIN}/get-bucket-quota`, query: { bucket } });
    const { size, quota: before } = bucketQuota.parse(JSON.parse(text));
    return size === 0 ? before : size;
  }

  /** Makes an IAM policy, or replaces the one of this name. */
  async putPolicy(name: string, document: object): Promise<void> {
    const body = Buffer.from(JSON.stringify(document));
    await this.call({ method: 'PUT', path: `${ADMIN}/add-canned-policy`, query: { name }, body });
  }

  /** Makes a user with this secret key and this policy alone, or makes it so. */
  async putUser({ accessKey, secretKey }: S3Credentials, policy: string): Promise<void> {
    const body = sealForAdmin(
      this.secretKey,
      Buffer.from(JSON.stringify({ secretKey: secretKey.reveal(), status: 'enabled' })),
    );
    await this.call({ method: 'PUT', path: `${ADMIN}/add-user`, query: { accessKey }, body });
    const query = { policyName: policy, userOrGroup: accessKey, isGroup: 'false' };
    await this.call({ method: 'PUT', path: `${ADMIN}/set-user-or-group-policy`, query });
  }

  /** The document of an IAM policy; undefined if there is none of this name. */
  async policy(name: string): Promise<unknown> {
    const { status, text } = await this.call(
      { method: 'GET', path: `${ADMIN}/info-canned-policy`, query: { name, v: '2' } },
      [200, 404],
    );
    return status === 404 ? undefined : policyInfo.parse(JSON.parse(text)).Policy;
  }

  /**
   * Starts a batch job that seals the data keys of a bucket's objects anew. Data is not rewritten.
   *
   * Not for a bucket with versions: it takes all of them, gives each the time of now, and so changes which one is the
   * current one (cmd/erasure-object.go, CopyObject).
   *
   * `sse-s3` puts SSE-S3 objects under the present default key and counts each SSE-KMS object as failed; `sse-kms` puts
   * SSE-KMS objects, under whatever key they are, under `key`, and SSE-S3 objects under the default key. Its filter by
   * key has no effect: it asks for a header that xl.meta does not hold (cmd/batch-rotate.go).
   *
   * @param prefix beginning of the objects' names
   * @returns the id of the job
   */
  async startKeyRotation(bucket: string, prefix: string, encryption: JobEncryption): Promise<string> {
    const flags = { retry: { attempts: 1, delay: '1ms' } };
    const job = { keyrotate: { apiVersion: 'v1', bucket, prefix, encryption, flags } };
    const answer = await this.call({ method: 'POST', path: `${ADMIN}/start-job`, body: Buffer.from(stringify(job)) });
    return jobStarted.parse(JSON.parse(answer.text)).id;
  }

  /** How a job goes. */
  async keyRotation(jobId: string): Promise<z.infer<typeof jobStatus>['LastMetric']> {
    const answer = await this.call({ method: 'GET', path: `${ADMIN}/status-job`, query: { jobId } });
    return jobStatus.parse(JSON.parse(answer.text)).LastMetric;
  }

  /**
   * Files of the drives as they are, such as `xl.meta`, in which data keys are named.
   *
   * @param volume a bucket, or `.minio.sys`
   * @param glob of paths in it, as Go's filepath.Match has them; `**` stands for any number of folders
   */
  async *rawFiles(volume: string, glob: string): AsyncGenerator<InspectedFile> {
    const path = `${ADMIN}/inspect-data`;
    const query = { volume, file: glob };
    const answer = await this.http.open({ ...(await this.signed({ method: 'GET', path, query })), timeoutMs: 600_000 });
    if (answer.statusCode !== 200) {
      const what = `MinIO at ${this.host}: GET ${path}: HTTP ${answer.statusCode ?? 0}`;
      throw new ExternalError(`${what}: ${(await bounded(answer, MOST_OF_AN_ERROR, what)).toString('utf8')}`);
    }
    for await (const file of inspectedFiles(answer as AsyncIterable<Buffer>)) {
      const path = withoutDrive(file.path, volume);
      if (path !== undefined) yield { ...file, path };
    }
  }

  close(): void {
    this.http.close();
  }

  private async signed({ query = {}, timeoutMs = 60_000, repeatable, ...request }: AdminRequest): Promise<HttpRequest> {
    const body = request.body ?? Buffer.alloc(0);
    const signed = await this.signer.sign({
      method: request.method,
      protocol: 'https:',
      hostname: this.host,
      path: request.path,
      query,
      headers: { host: this.host, 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') },
      body,
    });
    const search = new URLSearchParams(query).toString();
    return {
      method: request.method,
      path: search === '' ? request.path : `${request.path}?${search}`,
      headers: signed.headers,
      timeoutMs,
      ...(repeatable === undefined ? {} : { repeatable }),
      ...(request.body === undefined ? {} : { body: request.body }),
    };
  }

  private async call(request: AdminRequest, expected = [200]): Promise<HttpResponse> {
    const response = await this.http.send(await this.signed(request)).catch((error: unknown) => {
      throw new ExternalError(`MinIO does not answer at ${messageOf(error)}`, 'see whether its container runs', {
        cause: error,
      });
    });
    if (expected.includes(response.status)) return response;
    throw this.refused(request, response);
  }

  private refused({ method, path }: AdminRequest, { status, text }: HttpResponse): RefusedByMinio {
    return new RefusedByMinio(
      `MinIO at ${this.host}: ${method} ${path}: HTTP ${status}: ${text.slice(0, 200)}`,
      status,
    );
  }
}

/** A bucket may be called as a drive is. */
function withoutDrive(path: string, volume: string): string | undefined {
  const [drive] = /^.*?\/(data|drives\/\d+)\//.exec(path) ?? [];
  const onDrive = path.slice(drive?.length ?? 0);
  return drive !== undefined && onDrive.startsWith(`${volume}/`) ? onDrive.slice(volume.length + 1) : undefined;
}

/** MinIO answered, and not as it should. */
export class RefusedByMinio extends ExternalError {
  /** Of HTTP. */
  readonly status: number;

  constructor(message: string, status = 0) {
    super(message);
    this.status = status;
  }
}

/** A heal was ended, because another one was begun. */
export class HealTakenOver extends ExternalError {
  constructor() {
    super('another heal has begun, which ended this one', 'it does the same: wait for it');
  }
}

/** The name of something that an import did not take: itself, its field `name`, or the first of its keys. */
function nameOf(entity: unknown): string {
  if (typeof entity === 'string') return entity;
  const named = namedEntity.safeParse(entity);
  return named.success ? named.data.name : (Object.keys(entity ?? {})[0] ?? 'without a name');
}

/** MinIO of a deployment as one of the project's users. The caller closes it. */
export function openAdmin(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  as: OwnFile = 'minioOperations',
): MinioAdmin {
  return new MinioAdmin(
    s3Endpoint(environment, state),
    environment.minio.region,
    readCredentials(ownFile({ state }, as)),
  );
}

interface AdminRequest {
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** @default 60000 */
  readonly timeoutMs?: number;
  readonly repeatable?: boolean;
}

/** Node's SHA-256 in the shape that the signer takes. */
export class Sha256 {
  private readonly hash: { update(data: Buffer): unknown; digest(): Buffer };

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
