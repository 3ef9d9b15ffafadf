import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheLayout } from '../../../operations/toolchain/cache';
import { buildProgram, locateProgram } from '../../../operations/toolchain/go/go-build';
import { HttpClient } from '../../../operations/lib/net/http';
import { RawS3 } from '../../../operations/minio/objects/raw-s3';
import { type GoProgram, mc as mcProgram, minio, unguardedMinio } from '../../../operations/toolchain/go/programs';
import { output } from '../../helpers/e2e/command';
import { AuditReceiver } from '../../helpers/e2e/servers/audit-receiver';
import { OtherStorage } from '../../helpers/e2e/servers/other-storage';

/** Versions, no lock. */
export const PLAIN = 'plain';
/** Object lock, and a default retention of one day in GOVERNANCE. */
export const LOCKED = 'locked';
/** Object lock without a default retention. */
export const LOCKABLE = 'lockable';
export const CONTENT = 'hello';

/** A user that may read, write and delete objects, but no version, and nothing about retention. */
export const WRITER = { accessKey: 'writer', secretKey: randomBytes(16).toString('hex') };

const WRITER_POLICY = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'], Resource: ['arn:aws:s3:::*'] },
  ],
};

export interface Server {
  readonly storage: OtherStorage;
  /** As root, unless the request says otherwise. */
  readonly raw: RawS3;
  readonly http: HttpClient;
  readonly audit: AuditReceiver;
  /** Its drive, as a folder of this machine. */
  readonly drive: string;
}

export interface Guard {
  readonly guarded: Server;
  /** The same sources without our files. */
  readonly unguarded: Server;
}

/** Both, for all tests of a file. */
export function useGuard(): () => Guard {
  const folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-guard-'));
  const started: Server[] = [];
  let guard: Guard;
  beforeAll(async () => {
    for (const program of [minio, unguardedMinio]) await buildProgram(cacheLayout(), program);
    const [guarded, unguarded] = await Promise.all([
      start(path.join(folder, 'guarded'), minio, started),
      start(path.join(folder, 'unguarded'), unguardedMinio, started),
    ]);
    guard = { guarded, unguarded };
  });
  afterAll(async () => {
    for (const { storage, http, audit } of started) {
      http.close();
      await storage.stop();
      await audit.stop();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return () => guard;
}

async function start(folder: string, program: GoProgram, started: Server[]): Promise<Server> {
  mkdirSync(folder);
  const audit = await AuditReceiver.start();
  const storage = await OtherStorage.start(folder, PLAIN, {
    program,
    domain: 'guard.test',
    variables: {
      MINIO_KMS_SECRET_KEY: `guard-key:${randomBytes(32).toString('base64')}`,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
      MINIO_AUDIT_WEBHOOK_ENABLE_GUARD: 'on',
      MINIO_AUDIT_WEBHOOK_ENDPOINT_GUARD: audit.url,
    },
  });
  const { s3, url, credentials } = storage;
  const http = new HttpClient(storage);
  const raw = new RawS3({ http, url, credentials });
  const server = { storage, audit, http, raw, drive: path.join(folder, 'drive') };
  started.push(server);
  await s3.send(new PutBucketVersioningCommand({ Bucket: PLAIN, VersioningConfiguration: { Status: 'Enabled' } }));
  for (const Bucket of [LOCKED, LOCKABLE]) {
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  }
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } as const;
  await s3.send(
    new PutObjectLockConfigurationCommand({
      Bucket: LOCKED,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
    }),
  );
  for (const Bucket of [PLAIN, LOCKED]) {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'object', Body: CONTENT }));
  }
  await addWriter(storage, folder);
  return server;
}

/** What `mc` is told of a server, and as whom. */
type Alias = Pick<OtherStorage, 'url' | 'caFile' | 'credentials'>;

/** `mc` with the server as its alias `guard`. */
export async function mc(storage: Alias, args: readonly string[]): Promise<string> {
  const command = await mcCommand(storage, args);
  return output(command.program, command.args, { env: command.env });
}

/** The same, for whoever starts it. */
export async function mcCommand(
  storage: Alias,
  args: readonly string[],
): Promise<{ readonly program: string; readonly args: string[]; readonly env: Readonly<Record<string, string>> }> {
  const { file } = await locateProgram(cacheLayout(), mcProgram);
  const { accessKey, secretKey } = storage.credentials;
  return {
    program: file,
    args: ['--config-dir', path.join(path.dirname(storage.caFile), 'mc'), ...args],
    env: {
      MC_HOST_guard: storage.url.replace('://', `://${accessKey}:${secretKey.reveal()}@`),
      SSL_CERT_FILE: storage.caFile,
    },
  };
}

async function addWriter(storage: OtherStorage, folder: string): Promise<void> {
  const policy = path.join(folder, 'policy.json');
  writeFileSync(policy, JSON.stringify(WRITER_POLICY));
  await mc(storage, ['admin', 'policy', 'create', 'guard', 'writer', policy]);
  await mc(storage, ['admin', 'user', 'add', 'guard', WRITER.accessKey, WRITER.secretKey]);
  await mc(storage, ['admin', 'policy', 'attach', 'guard', 'writer', '--user', WRITER.accessKey]);
}
