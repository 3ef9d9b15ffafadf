/** S3 requests as no SDK would send them: signed by version 4 in a header or a URL, or not at all. */
import { Sha256 } from '../../../operations/minio/minio-admin';
import { SignatureV4 } from '@smithy/signature-v4';
import { HttpClient, type HttpRequest, type HttpResponse } from '../../../operations/lib/http';
import type { S3Credentials } from '../../../operations/minio/s3-client';

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
  readonly as?: S3Credentials;
  /** @default 'header' */
  readonly signature?: 'header' | 'url' | 'none';
}

export class RawS3 {
  private readonly http: HttpClient;
  private readonly host: string;
  private readonly credentials: S3Credentials;

  constructor(endpoint: { readonly url: string; readonly caFile: string }, credentials: S3Credentials) {
    this.credentials = credentials;
    this.http = new HttpClient(endpoint);
    this.host = new URL(endpoint.url).host;
  }

  async send(request: RawRequest): Promise<HttpResponse> {
    const body = request.body === undefined ? undefined : Buffer.from(request.body);
    const headers: Record<string, string> = { host: this.host, ...request.headers };
    const { accessKey, secretKey } = request.as ?? this.credentials;
    const signer = new SignatureV4({
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      region: 'us-east-1',
      service: 's3',
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
    return this.http.send({
      method: request.method,
      path: query.length === 0 ? request.path : `${request.path}?${query.join('&')}`,
      headers: { ...signed.headers, ...request.unsigned },
      ...(body === undefined ? {} : { body }),
    });
  }

  close(): void {
    this.http.close();
  }
}
