import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ThrowawayCa } from '../certificates';
import { TlsServer } from './tls-server';

/** A fake of an S3 storage for Terraform's states, reached by the variables by which Terraform reaches it. */
export interface StateBucket {
  /** The setting of an environment file that names it. */
  readonly setting: () => string;
  /** States by `<environment>/<stack>`, locks by the same with `.tflock` behind it, and `<environment>/turn.json`. */
  readonly states: Map<string, unknown>;
  /** What it answers instead of any state, an error code of S3. */
  refusal: string | undefined;
}

/** Gives each test of the file an empty one. */
export function useStateBucket(): StateBucket {
  let folder: string;
  let server: TlsServer;
  const bucket: StateBucket = {
    setting: () => `state: { backend: s3, bucket: states, keyPrefix: all, region: eu-1, endpoint: "${server.url}" }`,
    states: new Map(),
    refusal: undefined,
  };
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'ebs-states-'));
    const ca = await ThrowawayCa.create(folder, 'ca');
    server = await TlsServer.start(await ca.issue('s3'), ({ url = '', method }, response, body) => {
      const { pathname } = new URL(url, 'https://s3');
      const path = /^\/states\/all\/(.*)$/.exec(pathname)?.[1] ?? '';
      const name = path.replace('.tfstate', '');
      const code = bucket.refusal ?? 'NoSuchKey';
      if (bucket.refusal === undefined && method === 'PUT') {
        bucket.states.set(name, JSON.parse(body));
        response.end();
      } else if (bucket.refusal === undefined && bucket.states.has(name)) {
        response.end(JSON.stringify(bucket.states.get(name)));
      } else {
        const text = `<Error><Code>${code}</Code><Message>said S3</Message></Error>`;
        response.writeHead(code === 'AccessDenied' ? 403 : 404).end(text);
      }
    });
    const variables = { AWS_ACCESS_KEY_ID: 'of-a-test', AWS_SECRET_ACCESS_KEY: 'of-a-test', AWS_CA_BUNDLE: ca.file };
    jest.replaceProperty(process, 'env', { ...process.env, ...variables });
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    bucket.states.clear();
    bucket.refusal = undefined;
    await server.stop();
    rmSync(folder, { recursive: true });
  });
  return bucket;
}
