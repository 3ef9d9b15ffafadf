/** S3 requests as no SDK would send them: signed by version 4 in a header or a URL, or not at all. */
import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpClient, HttpRequest, HttpResponse } from '../../lib/net/http';
import { Sha256 } from '../minio-admin';
import type { S3Credentials } from '../s3-client';

export interface RawCredentials extends S3Credentials {
  /** Of credentials that end by themselves. @default - they have none */
  readonly sessionToken?: string;
}

export interface RawRequest {
  readonly method: HttpRequest['method'];
  /** `/bucket/key`, without the query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Added when everything is signed already. */
  readonly unsigned?: Readonly<Record<string, string>>;
  /** @default - the credentials of the client */
  readonly as?: RawCredentials;
  /** @default 'header' */
  readonly signature?: 'header' | 'url' | 'none';
  /** What the signature is for. @default 's3' */
  readonly service?: 's3' | 'sts';
}

export interface RawS3Options {
  readonly http: HttpClient;
  /** Address of the server that `http` asks. */
  readonly url: string;
  readonly credentials: RawCredentials;
  /** @default 'us-east-1' */
  readonly region?: string;
}

export class RawS3 {
  private readonly host: string;
  private readonly options: RawS3Options;

  constructor(options: RawS3Options) {
    this.options = options;
    this.host = new URL(options.url).host;
  }

  async send(request: RawRequest): Promise<HttpResponse> {
    const body = request.body === undefined ? undefined : Buffer.from(request.body);
    const headers: Record<string, string> = { host: this.host, ...request.headers };
    const { accessKey, secretKey, sessionToken } = request.as ?? this.options.credentials;
    const signer = new SignatureV4({
      credentials: {
        accessKeyId: accessKey,
        secretAccessKey: secretKey.reveal(),
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
      region: this.options.region ?? 'us-east-1',
      service: request.service ?? 's3',
      sha256: Sha256,
      uriEscapePath: false,
    });
    const unsigned = {
      method: request.method,
      protocol: 'https:',
      hostname: this.host,
      path: request.path,
      query: { ...request.query },
      headers,
    };
    const signature = request.signature ?? 'header';
    // a presigned URL has it in its query
    const unhoistableHeaders = new Set(Object.keys(headers));
    if (signature !== 'none') headers['x-amz-content-sha256'] ??= 'UNSIGNED-PAYLOAD';
    const signed =
      signature === 'header'
        ? await signer.sign(unsigned)
        : signature === 'url'
          ? await signer.presign(unsigned, { expiresIn: 300, unhoistableHeaders })
          : unsigned;
    const query = Object.entries(signed.query ?? {}).map(
      ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
    );
    return this.options.http.send({
      method: request.method,
      path: query.length === 0 ? request.path : `${request.path}?${query.join('&')}`,
      headers: { ...signed.headers, ...request.unsigned },
      ...(body === undefined ? {} : { body }),
    });
  }
}
