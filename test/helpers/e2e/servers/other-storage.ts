/**
 * An S3 storage that is none of the deployment's: a MinIO that the toolchain built, started by the test on the loopback,
 * with TLS by a CA of its own and one drive; without encryption, unless its variables say so.
 */
import { CreateBucketCommand, GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync } from 'node:fs';
import path from 'node:path';
import { HttpClient } from '../../../../operations/lib/net/http';
import { s3Client, type S3Credentials } from '../../../../operations/minio/s3-client';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { locateProgram } from '../../../../operations/toolchain/go/go-build';
import { type GoProgram, minio } from '../../../../operations/toolchain/go/programs';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { ThrowawayCa } from '../../certificates';
import { endServer } from '../command';
import { testPorts } from '../test-ports';
import { Secret } from '../../../../operations/lib/secret';

interface Settings {
  /** @default - MinIO as the images have it */
  readonly program?: GoProgram;
  /** Further environment variables. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Folder of the drive, perhaps that of one before. @default - a new one */
  readonly drive?: string;
  /** Of which each bucket is a host. */
  readonly domain?: string;
}

export class OtherStorage {
  readonly url: string;
  readonly caFile: string;
  /** As every S3 client is told its credentials. */
  readonly variables: Readonly<Record<'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY', string>>;
  readonly s3: S3Client;
  readonly credentials: S3Credentials;
  private server: ChildProcess;
  private readonly startServer: () => Promise<ChildProcess>;

  private constructor(
    url: string,
    caFile: string,
    variables: OtherStorage['variables'],
    server: ChildProcess,
    startServer: () => Promise<ChildProcess>,
  ) {
    this.startServer = startServer;
    this.url = url;
    this.caFile = caFile;
    this.variables = variables;
    this.server = server;
    this.credentials = {
      accessKey: variables.AWS_ACCESS_KEY_ID,
      secretKey: new Secret(variables.AWS_SECRET_ACCESS_KEY),
    };
    this.s3 = s3Client({ endpoint: { url, caFile }, region: 'us-east-1', credentials: this.credentials });
  }

  /**
   * @param folder for its files; not in that of an environment whose processes are killed
   * @param bucket the only one that it has, on a drive of its own
   */
  static async start(folder: string, bucket: string, settings: Settings = {}): Promise<OtherStorage> {
    const certificates = path.join(folder, 'certificates');
    mkdirSync(certificates);
    const ca = await ThrowawayCa.create(folder, 'other-storage-ca');
    const { certificateFile, privateKeyFile } = await ca.issue('other-storage', '127.0.0.1', [
      'localhost',
      ...(settings.domain === undefined ? [] : [`*.${settings.domain}`]),
    ]);
    renameSync(certificateFile, path.join(certificates, 'public.crt'));
    renameSync(privateKeyFile, path.join(certificates, 'private.key'));
    const [port = 0] = await testPorts(1);
    const url = `https://127.0.0.1:${port}`;
    const variables = { AWS_ACCESS_KEY_ID: 'of-the-other', AWS_SECRET_ACCESS_KEY: randomBytes(16).toString('hex') };
    const { file } = await locateProgram(cacheLayout(), settings.program ?? minio);
    const logFile = path.join(folder, 'minio.log');
    const startServer = async (): Promise<ChildProcess> => {
      const log = openSync(logFile, 'a', 0o600);
      const server = spawn(
        file,
        [
          'server',
          '--address',
          `127.0.0.1:${port}`,
          '--certs-dir',
          certificates,
          settings.drive ?? path.join(folder, 'drive'),
        ],
        {
          stdio: ['ignore', log, log],
          env: {
            PATH: process.env.PATH,
            MINIO_ROOT_USER: variables.AWS_ACCESS_KEY_ID,
            MINIO_ROOT_PASSWORD: variables.AWS_SECRET_ACCESS_KEY,
            MINIO_BROWSER: 'off',
            ...(settings.domain === undefined ? {} : { MINIO_DOMAIN: settings.domain }),
            ...settings.variables,
          },
        },
      );
      closeSync(log);
      const http = new HttpClient({ url, caFile: ca.file });
      await waitFor({ what: `the other storage at ${url}`, timeoutMs: 180_000, hint: `see ${logFile}` }, async () => {
        const { status } = await http.send({ method: 'GET', path: '/minio/health/ready' });
        return status === 200 ? true : new NotYet(`HTTP ${status}`);
      });
      http.close();
      return server;
    };
    const storage = new OtherStorage(url, ca.file, variables, await startServer(), startServer);
    await storage.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    return storage;
  }

  async read(Bucket: string, Key: string): Promise<Uint8Array> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket, Key }));
    if (Body === undefined) throw new Error(`${Bucket}/${Key} has no content`);
    return Body.transformToByteArray();
  }

  async restart(): Promise<void> {
    await endServer(this.server);
    this.server = await this.startServer();
  }

  async stop(): Promise<void> {
    this.s3.destroy();
    await endServer(this.server);
  }
}
