/**
 * moto, a stand-in for AWS: Secrets Manager, KMS and IAM as an HTTPS server of this machine. It is not AWS. It keeps
 * everything in memory, seals nothing, and knows of IAM policies the actions, but not the resources. Who asks without
 * credentials or rights it refuses by its own judgement, but always in the words of IAM: a front gives the refusals of
 * the other services the words that AWS documents for them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { projectRoot } from '../../../../operations/lib/project-root';
import type { IamPolicy } from '../../../../config/keys/aws';
import type { AwsCredentials } from '../../../../operations/keys/aws-credentials';
import { UsageError } from '../../../../operations/lib/errors';
import { HttpClient } from '../../../../operations/lib/net/http';
import { cacheLayout, provideFolder, type WorkOptions } from '../../../../operations/toolchain/cache';
import { capture, run } from '../../../../operations/lib/command';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { findClient, NO_AWS_SETTINGS } from '../clients/client-programs';
import { output } from '../command';
import { testPorts } from '../test-ports';
import { Secret } from '../../../../operations/lib/secret';

/** With a hash for each file that may be installed. */
const REQUIREMENTS = path.join(projectRoot, 'toolchain', 'moto', 'requirements.txt');

export function hasPython(): boolean {
  return capture('python3', ['-c', 'import venv, ensurepip']) !== undefined;
}

function motoFolder(): string {
  const key = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  return path.join(cacheLayout().root, 'moto', key);
}

/** Installs moto from PyPI into the cache, unless it is there. */
export async function provideMoto(options: WorkOptions = {}): Promise<string> {
  const folder = motoFolder();
  await provideFolder(folder, 'installing moto', options, async (temporary) => {
    const venv = path.join(temporary, 'venv');
    const logFile = path.join(cacheLayout().logs, 'moto.log');
    const more = options.signal === undefined ? {} : { signal: options.signal };
    await run('python3', ['-m', 'venv', venv], { logFile, ...more });
    // by hash, and no package that would run code of its own to be built
    const pip = ['-m', 'pip', 'install', '--require-hashes', '--only-binary', ':all:', '-r', REQUIREMENTS];
    await run(path.join(venv, 'bin', 'python'), pip, { logFile, ...more });
  });
  return folder;
}

export const REGION = 'eu-central-1';

const EVERYTHING = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
const createdKey = z.object({ AccessKey: z.object({ AccessKeyId: z.string(), SecretAccessKey: z.string() }) });

/** moto knows neither resources nor conditions: with it a policy is a list of actions. */
export function forMoto({ Statement, ...policy }: IamPolicy) {
  return {
    ...policy,
    Statement: Statement.map(({ Condition: _, ...statement }) => ({ ...statement, Resource: '*' })),
  };
}

export interface MotoOptions {
  readonly address: string;
  readonly port: number;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  readonly caFile: string;
  readonly logFile: string;
}

export class Moto {
  readonly url: string;
  readonly caFile: string;
  private readonly process: ChildProcess;
  private readonly front: Server;
  private administrator: AwsCredentials = { accessKeyId: 'nobody', secretAccessKey: new Secret('looks at it yet') };

  private constructor(url: string, caFile: string, child: ChildProcess, front: Server) {
    this.url = url;
    this.caFile = caFile;
    this.process = child;
    this.front = front;
  }

  /** A new user that may do what a policy says. */
  async user(name: string, policy: unknown): Promise<AwsCredentials> {
    await this.aws(['iam', 'create-user', '--user-name', name]);
    await this.allow(name, name, policy);
    const { AccessKey } = createdKey.parse(
      JSON.parse(await this.aws(['iam', 'create-access-key', '--user-name', name])),
    );
    return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: new Secret(AccessKey.SecretAccessKey) };
  }

  /** Gives a user a policy, besides those of other names. */
  async allow(user: string, name: string, policy: unknown): Promise<void> {
    await this.aws([
      ...['iam', 'put-user-policy', '--user-name', user],
      ...['--policy-name', name, '--policy-document', JSON.stringify(policy)],
    ]);
  }

  /** The AWS command line interface as administrator. */
  async aws(args: readonly string[]): Promise<string> {
    const program = findClient('aws');
    if (program === undefined) throw new UsageError('no aws that works was found', './scripts/test installs it');
    return output(program, ['--endpoint-url', this.url, '--ca-bundle', this.caFile, '--output', 'json', ...args], {
      env: {
        AWS_ACCESS_KEY_ID: this.administrator.accessKeyId,
        AWS_SECRET_ACCESS_KEY: this.administrator.secretAccessKey.reveal(),
        AWS_DEFAULT_REGION: REGION,
        ...NO_AWS_SETTINGS,
      },
    });
  }

  static async start(options: MotoOptions): Promise<Moto> {
    const { address, port, certificateFile, privateKeyFile, caFile, logFile } = options;
    const log = openSync(logFile, 'w', 0o600);
    const [inner = 0] = await testPorts(1);
    const child = spawn(
      path.join(await provideMoto(), 'venv', 'bin', 'python'),
      ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(inner)],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    const tls = { cert: readFileSync(certificateFile), key: readFileSync(privateKeyFile) };
    const front = createServer(tls, (request, response) => {
      // until moto answers, nobody does
      passOn(inner, request, response).catch(() => response.destroy());
    });
    front.listen(port, address);
    await once(front, 'listening');
    const moto = new Moto(`https://${address}:${port}`, caFile, child, front);
    const http = new HttpClient({ url: moto.url, caFile });
    await waitFor({ what: 'moto to answer', timeoutMs: 180_000, hint: `see ${logFile}` }, async () => {
      const { status } = await http.send({ method: 'GET', path: '/moto-api/data.json' });
      return status === 200 ? true : new NotYet(`HTTP ${status}`);
    });
    moto.administrator = await moto.user('administrator', EVERYTHING);
    // from now on nobody gets in without credentials and rights
    await http.send({ method: 'POST', path: '/moto-api/reset-auth', json: 0 });
    http.close();
    return moto;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('close', resolve));
    this.process.kill('SIGTERM');
    await ended;
    this.front.closeAllConnections();
    this.front.close();
    await once(this.front, 'close');
  }
}

/**
 * How a service with the JSON protocol of AWS says what moto says in IAM's words. Source: AWS Secrets Manager API
 * Reference and AWS KMS API Reference, "Common Error Types".
 */
const AS_AWS_SAYS: Readonly<Record<string, string>> = {
  InvalidClientTokenId: 'UnrecognizedClientException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
  AccessDenied: 'AccessDeniedException',
};

async function passOn(port: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url: target, headers } = request;
  const forwarded = httpRequest({ host: '127.0.0.1', port, method, path: target, headers });
  forwarded.end(await buffer(request));
  const [answer] = (await once(forwarded, 'response')) as [IncomingMessage];
  const body = await buffer(answer);
  const refusal = /<Code>(.*?)<\/Code>\s*<Message>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?<\/Message>/s.exec(
    body.toString('utf8'),
  );
  const type = AS_AWS_SAYS[refusal?.[1] ?? ''];
  if (headers['x-amz-target'] === undefined || type === undefined) {
    const { 'transfer-encoding': _, connection: __, ...same } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, { ...same, 'content-length': body.length }).end(body);
    return;
  }
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify({ __type: type, Message: refusal?.[2] ?? '' }));
}
