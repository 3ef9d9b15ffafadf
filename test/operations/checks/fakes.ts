import type { S3Client } from '@aws-sdk/client-s3';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import type { Check, CheckContext } from '../../../operations/checks/check';
import { expectationsOf } from '../../../operations/checks/context';
import { bind, type BoundCheck, type CheckResult, runAll } from '../../../operations/checks/runner';
import { HttpClient } from '../../../operations/lib/net/http';
import { issueCertificates } from '../../../operations/certificates/issue-certificates';
import { KesClient } from '../../../operations/kes/kes-client';

/** An environment whose state is in `folder`. */
export function loaded(folder: string, text = 'name: test'): LoadedEnvironment {
  const environment = parseEnvironment(text, 'test.yaml');
  const file = '/project/environments/test.yaml';
  return { environment, file, argument: environment.name, state: stateLayout(environment.name, folder) };
}

/** A check that does what it is told. */
export function check(id: string, run: BoundCheck['run'], more: Partial<BoundCheck> = {}): BoundCheck {
  return { id, title: `title of ${id}`, proves: 'something', doesNotProve: 'all', severity: 'high', run, ...more };
}

/** What comes of one of these checks. */
export async function resultOf(checks: readonly Check[], id: string, context: CheckContext): Promise<CheckResult> {
  const chosen = checks.filter((one) => one.id === id);
  const [result] = await runAll(chosen.map((one) => bind(one, context)));
  if (result === undefined) throw new Error(`there is no check ${id}`);
  return result;
}

/** A context in which every S3 request is answered by `answer`, and nothing else can be reached. */
export function contextWith(
  environment: LoadedEnvironment,
  answer: (command: string, input: Record<string, unknown>) => unknown,
): CheckContext {
  const send = async (command: { constructor: { name: string }; input: Record<string, unknown> }): Promise<unknown> =>
    Promise.resolve(answer(command.constructor.name, command.input));
  const nowhere = { url: 'https://127.0.0.1:1' };
  return {
    loaded: environment,
    expected: expectationsOf(environment.environment),
    s3Endpoint: nowhere,
    region: 'us-east-1',
    s3: { send } as unknown as S3Client,
    minio: new HttpClient(nowhere),
    kes: { ready: async () => Promise.resolve(true) } as unknown as KesClient,
    whileStopped: async () => Promise.reject(new Error('there is nothing to stop')),
    drives: [],
    bucket: 'scratch',
    newBucket: async () => Promise.resolve('another-scratch'),
  };
}

/** What the S3 client makes of an object's body. */
export function bodyOf(bytes: Buffer): { transformToByteArray: () => Promise<Buffer> } {
  return { transformToByteArray: async () => Promise.resolve(bytes) };
}

/** A deployment as far as its state folder goes, with a server of ours in the place of MinIO. */
export interface FakeDeployment {
  readonly loaded: LoadedEnvironment;
  readonly port: number;
  readonly close: () => Promise<void>;
}

export async function fakeDeployment(folder: string, handler: RequestListener): Promise<FakeDeployment> {
  const draft = loaded(folder);
  const { state } = draft;
  await issueCertificates({
    environment: 'test',
    certificateFolder: state.tls,
    privateKeyFolder: state.secret.tls,
    validityDays: 7,
    leaves: [
      { name: 'minio-server', usage: 'server', dnsNames: ['minio', 'localhost'], ipAddresses: ['127.0.0.1'] },
      { name: 'key-prover', usage: 'client', dnsNames: [], ipAddresses: [] },
    ],
    renewalNote: path.join(folder, 'renewal.json'),
  });
  await mkdir(path.dirname(state.secret.minioRoot), { recursive: true });
  writeFileSync(state.secret.minioRoot, JSON.stringify({ accessKey: 'root', secretKey: 'the-secret-key' }));
  const server = createServer(
    {
      cert: readFileSync(path.join(state.tls, 'minio-server.crt')),
      key: readFileSync(path.join(state.secret.tls, 'minio-server.key')),
    },
    handler,
  );
  const port = await listen(server);
  return {
    port,
    loaded: loaded(folder, `name: test\nminio: { port: ${port} }\nbuckets: [{ name: ebs-check-00000000000000aa }]`),
    close: async () => close(server),
  };
}

/** A Docker of which each container is in the state that a test says; undefined: there is none of that name. */
export async function fakeDocker(
  folder: string,
  stateOf: (container: string) => object | undefined,
): Promise<{ readonly host: string; readonly close: () => Promise<void> }> {
  const socket = path.join(folder, 'docker.sock');
  const server = createHttpServer(({ url = '' }, response) => {
    const State = stateOf(url.split('/')[2] ?? '');
    response.writeHead(State === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(State === undefined ? { message: 'No such container' } : { State }));
  });
  server.listen(socket);
  await once(server, 'listening');
  return { host: `unix://${socket}`, close: async () => close(server) };
}

/** Has a server listen on a free port. */
export async function listen(server: HttpServer): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function close(server: HttpServer): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
