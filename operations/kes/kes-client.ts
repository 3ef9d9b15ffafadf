/** The part of KES's API that the operations use. Source: minio/kes v0.24.0, internal/api. */
import { z } from 'zod';
import type { MutualTlsEndpoint } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { HttpClient, type HttpResponse } from '../lib/net/http';

/** A data key, in the clear and sealed under a master key. Both base64. */
const dataKey = z.object({ plaintext: z.string(), ciphertext: z.string() });
export type DataKey = z.infer<typeof dataKey>;

const status = z.object({ keystore_unreachable: z.boolean().optional() });
const apiError = z.object({ message: z.string() });

/** KES refused or failed. */
export class KesError extends ExternalError {
  readonly status: number;

  constructor(what: string, response: HttpResponse) {
    super(`KES: ${what}: ${errorText(response)} (HTTP ${response.status})`);
    this.status = response.status;
  }
}

/** KES as one of its clients. */
export class KesClient {
  private readonly http: HttpClient;

  constructor(endpoint: MutualTlsEndpoint) {
    this.http = new HttpClient(endpoint);
  }

  /**
   * Whether KES reaches its key store.
   *
   * @param timeoutMs default: that of {@link HttpRequest.timeoutMs}
   */
  async ready(timeoutMs?: number): Promise<boolean> {
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const response = await this.http.send({ method: 'GET', path: '/v1/status', ...limit });
    if (response.status !== 200) throw new KesError('status', response);
    return status.parse(JSON.parse(response.text)).keystore_unreachable !== true;
  }

  /**
   * Creates a master key.
   *
   * @returns `exists` if there is one of that name; it is left as it is
   */
  async create(key: string): Promise<'created' | 'exists'> {
    const response = await this.http.send({ method: 'PUT', path: `/v1/key/create/${key}` });
    if (response.status === 200) return 'created';
    if (response.status === 400 && /already exists/i.test(response.text)) return 'exists';
    throw new KesError(`create key ${key}`, response);
  }

  /** @returns undefined if there is no such master key */
  async generate(key: string, context?: Buffer): Promise<DataKey | undefined> {
    const response = await this.http.send({
      method: 'PUT',
      path: `/v1/key/generate/${key}`,
      json: context === undefined ? {} : { context: context.toString('base64') },
    });
    if (response.status === 404) return undefined;
    if (response.status !== 200) throw new KesError(`generate a data key under ${key}`, response);
    return dataKey.parse(JSON.parse(response.text));
  }

  /**
   * Opens a sealed data key.
   *
   * @returns the data key; `missing` if there is no such master key; `other` if it does not fit the master key
   * @throws KesError for any other answer, also another 400 (minio/kms-go/kes v0.3.1, error.go)
   */
  async decrypt(key: string, ciphertext: string, context?: Buffer): Promise<Buffer | 'missing' | 'other'> {
    const response = await this.http.send({
      method: 'PUT',
      path: `/v1/key/decrypt/${key}`,
      json: { ciphertext, ...(context === undefined ? {} : { context: context.toString('base64') }) },
    });
    if (response.status === 404) return 'missing';
    if (response.status === 400 && response.text.includes('not authentic')) return 'other';
    if (response.status !== 200) throw new KesError(`open a data key under ${key}`, response);
    return Buffer.from(z.object({ plaintext: z.string() }).parse(JSON.parse(response.text)).plaintext, 'base64');
  }

  close(): void {
    this.http.close();
  }
}

function errorText(response: HttpResponse): string {
  try {
    return apiError.parse(JSON.parse(response.text)).message;
  } catch {
    return response.text.slice(0, 200);
  }
}
