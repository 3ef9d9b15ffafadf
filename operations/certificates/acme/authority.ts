/** Certificates from one ACME authority (RFC 8555), with errors that say what it said. */
import 'reflect-metadata';
import { type Authorization, axios, Client, crypto } from 'acme-client';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { z } from 'zod';
import { ExternalError, messageOf } from '../../lib/errors';
import { HttpClient } from '../../lib/net/http';
import { GiveUp, NotYet, waitFor } from '../../lib/wait';
import type { Responder } from './responders';

export interface AuthorityOptions {
  readonly directory: string;
  /** CA certificates of the directory. Default: the system's. */
  readonly directoryCaFile?: string | undefined;
  /** Key of the account, PEM. */
  readonly accountKey: string;
  readonly email: string;
  /** What binds a new account to a customer of the authority (RFC 8555, section 7.3.4). */
  readonly externalAccountBinding?: { readonly kid: string; readonly hmacKey: string } | undefined;
}

/** What was issued, PEM. */
export interface IssuedCertificate {
  readonly chain: string;
  readonly privateKey: string;
}

/** How an authority says no (RFC 7807). */
const problem = z.object({ type: z.string().default('about:blank'), detail: z.string().default('') });
const RATE_LIMITED = 'urn:ietf:params:acme:error:rateLimited';
const BINDING_REQUIRED = 'urn:ietf:params:acme:error:externalAccountRequired';

const REQUEST_TIMEOUT_MS = 30_000;
const VALIDATION_TIMEOUT_MS = 3 * 60 * 1000;

/** A new key for an account. */
export async function newAccountKey(): Promise<string> {
  return (await crypto.createPrivateEcdsaKey('P-256')).toString();
}

export class AcmeAuthority {
  private readonly client: Client;
  private readonly options: AuthorityOptions;

  constructor(options: AuthorityOptions) {
    this.options = options;
    // the library has one HTTP client for all; a process talks to one authority
    Object.assign(axios.defaults, {
      timeout: REQUEST_TIMEOUT_MS,
      httpsAgent: new Agent({
        // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
        rejectUnauthorized: true,
        ...(options.directoryCaFile === undefined ? {} : { ca: readFileSync(options.directoryCaFile) }),
      }),
      // it would wait for as long as a rate limit lasts
      acmeSettings: { retryMaxAttempts: 0 },
    });
    this.client = new Client({
      directoryUrl: options.directory,
      accountKey: options.accountKey,
      ...(options.externalAccountBinding === undefined
        ? {}
        : { externalAccountBinding: options.externalAccountBinding }),
      backoffAttempts: 60,
      backoffMin: 250,
      backoffMax: 5_000,
    });
  }

  /**
   * Asked before the library is, which knows no more of a failed connection than that there is no answer
   * (acme-client 5.4.0, src/axios.js, validateStatus).
   *
   * @throws ExternalError unless the directory answers as one
   */
  async requireDirectory(): Promise<void> {
    const { directory, directoryCaFile } = this.options;
    const { pathname, search } = new URL(directory);
    const http = new HttpClient({
      url: directory,
      ...(directoryCaFile === undefined ? {} : { caFile: directoryCaFile }),
    });
    try {
      const { status, text } = await http.send({
        method: 'GET',
        path: `${pathname}${search}`,
        // RFC 8555, section 6.1
        headers: { 'user-agent': 'encrypted-backup-storage' },
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      if (status === 200 && text.includes('newOrder')) return;
      throw this.unreachable(`HTTP ${status}, which is no ACME directory`);
    } catch (error) {
      throw error instanceof ExternalError ? error : this.unreachable(messageOf(error), { cause: error });
    } finally {
      http.close();
    }
  }

  /**
   * One certificate for all of these domains, with a key of its own.
   *
   * @throws ExternalError that says what was refused and why
   */
  async order(domains: readonly string[], responder: Responder): Promise<IssuedCertificate> {
    const { email } = this.options;
    await this.requireDirectory();
    await this.ask('accept the account', () =>
      this.client.createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${email}`] }),
    );
    const names = domains.join(', ');
    const order = await this.ask(`take an order for ${names}`, () =>
      this.client.createOrder({ identifiers: domains.map((value) => ({ type: 'dns', value })) }),
    );
    const authorizations = () =>
      this.ask(`show the challenges for ${names}`, () => this.client.getAuthorizations(order));
    // one after the other: a hook may know only one value for a name, which a wildcard shares with its parent
    for (const authorization of await authorizations()) {
      if (authorization.status === 'valid') continue;
      await this.prove(authorization, responder, async () =>
        (await authorizations()).find(({ url }) => url === authorization.url),
      );
    }
    const [privateKey, csr] = await crypto.createCsr(
      { commonName: '', altNames: [...domains] },
      await crypto.createPrivateEcdsaKey('P-256'),
    );
    return this.ask(`issue a certificate for ${names}`, async () => {
      const finalized = await this.client.finalizeOrder(order, csr);
      return { chain: await this.client.getCertificate(finalized), privateKey: privateKey.toString() };
    });
  }

  /** Shows that a domain is ours, and waits until the authority has seen it. */
  private async prove(
    { challenges, identifier, wildcard }: Authorization,
    responder: Responder,
    look: () => Promise<Authorization | undefined>,
  ): Promise<void> {
    const domain = wildcard === true ? `*.${identifier.value}` : identifier.value;
    const challenge = challenges.find(({ type }) => type === responder.type);
    if (challenge === undefined) {
      const offered = challenges.map(({ type }) => type).join(', ');
      throw new ExternalError(
        `the ACME authority ${this.host} offers no ${responder.type} challenge for ${domain}, only: ${offered}`,
        'choose another tls.challenge.type',
      );
    }
    const answer = await this.client.getChallengeKeyAuthorization(challenge);
    process.stderr.write(`proving ${domain} by ${responder.type}\n`);
    try {
      await responder.present(domain, challenge.token, answer);
      await this.ask(`look at the challenge for ${domain}`, () => this.client.completeChallenge(challenge));
      await waitFor(
        {
          what: `the ACME authority ${this.host} to validate ${domain}`,
          timeoutMs: VALIDATION_TIMEOUT_MS,
          intervalMs: 500,
        },
        async () => {
          const now = await look().catch((error: unknown) => {
            throw error instanceof ExternalError ? new GiveUp(error) : error;
          });
          if (now?.status === 'valid') return true;
          if (now === undefined || now.status === 'pending') return new NotYet(now?.status ?? 'nothing');
          throw new GiveUp(this.refusedChallenge(domain, responder.type, now));
        },
      );
    } finally {
      await responder.cleanUp(domain, challenge.token, answer);
    }
  }

  private refusedChallenge(domain: string, type: Responder['type'], { status, challenges }: Authorization) {
    const refused = challenges.map((challenge) => problem.safeParse(challenge.error)).find(({ success }) => success);
    const said = refused?.data === undefined ? status : `${refused.data.detail} (${refused.data.type})`;
    return new ExternalError(
      `the ACME authority ${this.host} did not accept the ${type} challenge for ${domain}: ${said}`,
      type === 'http-01'
        ? `it must reach this machine at http://${domain}/.well-known/acme-challenge/, on port 80: see tls.challenge`
        : 'the record must be served by every name server of the domain when the hook returns',
    );
  }

  /** What the authority answers; its refusals, and its silence, as errors for people. */
  private async ask<T>(what: string, action: () => Promise<T>): Promise<T> {
    let last: { status: number; data: unknown; headers: Record<string, unknown> } | undefined;
    const { response } = axios.interceptors;
    const listener = response.use((answer) => {
      last = {
        status: answer.status,
        data: answer.data as unknown,
        headers: Object.fromEntries(Object.entries(answer.headers)),
      };
      return answer;
    });
    try {
      return await action();
    } catch (error) {
      if (error instanceof ExternalError) throw error;
      throw this.refusal(what, error, last);
    } finally {
      response.eject(listener);
    }
  }

  private refusal(
    what: string,
    error: unknown,
    answer: { status: number; data: unknown; headers: Record<string, unknown> } | undefined,
  ): ExternalError {
    if (answer === undefined) return this.unreachable('the connection broke', { cause: error });
    const { type, detail } = problem.catch({ type: 'about:blank', detail: messageOf(error) }).parse(answer.data);
    if (answer.status === 429 || type === RATE_LIMITED) {
      return new ExternalError(
        `the ACME authority ${this.host} does not ${what}, because of a rate limit: ${detail}`,
        `try again ${retryTime(answer.headers['retry-after'])}; the staging directory of an authority has higher limits`,
      );
    }
    return new ExternalError(
      `the ACME authority ${this.host} does not ${what}: ${detail} (${type}, HTTP ${answer.status})`,
      type === BINDING_REQUIRED ? 'get a key for external account binding there, and name it in tls.eab' : undefined,
    );
  }

  private unreachable(reason: string, options?: ErrorOptions): ExternalError {
    const { directory, directoryCaFile } = this.options;
    return new ExternalError(
      `the ACME directory ${directory} does not answer: ${reason}`,
      directoryCaFile === undefined
        ? 'check tls.directory and the network; for a directory of a private CA set tls.directoryCaFile'
        : `check tls.directory and the network, and that ${directoryCaFile} holds the CA of the directory`,
      options,
    );
  }

  private get host(): string {
    return new URL(this.options.directory).host;
  }
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). */
export function retryTime(header: unknown, now = new Date()): string {
  const text = typeof header === 'string' || typeof header === 'number' ? String(header) : '';
  const at = /^\d+$/.test(text) ? new Date(now.getTime() + Number(text) * 1000) : new Date(text);
  return Number.isNaN(at.getTime()) ? 'later (it did not say when)' : `after ${at.toISOString()}`;
}
