/**
 * What KES must refuse. Nothing here can do harm where KES wrongly allows it: KES decides who may before it looks at the
 * name and the body of a request (minio/kes v0.24.0, internal/api/api.go), so names that no key can have and bodies that
 * are no JSON show whether a request is allowed and never get further.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { retiredKeysByClient } from '../../state/notes/retired-keys';
import { kesUrl } from '../../../config/docker/reachable';
import { masterKeys } from '../../../config/keys/master-keys';
import { kesClients } from '../../../config/kes/kes-clients';
import { allowedPaths } from '../../../config/kes/kes-configuration';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { issuingCertificate } from '../../certificates/certificate-authority';
import { type ClientIdentity, HttpClient, type HttpRequest } from '../../lib/net/http';
import { KesError } from '../../kes/kes-client';
import { CheckFailure, type ServiceCheck, type ServiceContext } from '../check';
import { someOf } from '../drift/differences';
import { selfSignedClient, unknownClientOf } from './unknown-clients';

/** The one unknown client that gets a connection. */
const UNKNOWN = 'with an unknown certificate of the private CA';

/** A route of KES about a key: none gets as far as a key. */
interface KeyRoute {
  readonly action: string;
  readonly method: HttpRequest['method'];
  /** Whether it reads a body, so that it can be asked about a real key and still get nowhere. */
  readonly takesBody: boolean;
}

const KEY_ROUTES: readonly KeyRoute[] = [
  { action: 'create', method: 'PUT', takesBody: false },
  { action: 'delete', method: 'DELETE', takesBody: false },
  { action: 'describe', method: 'GET', takesBody: false },
  { action: 'import', method: 'PUT', takesBody: true },
  { action: 'generate', method: 'PUT', takesBody: true },
  { action: 'encrypt', method: 'PUT', takesBody: true },
  { action: 'decrypt', method: 'PUT', takesBody: true },
  { action: 'hmac', method: 'PUT', takesBody: true },
];

/** Routes that only tell something. */
const READ_ROUTES = [
  '/v1/status',
  '/v1/ready',
  '/v1/metrics',
  '/v1/api',
  '/v1/key/list/',
  '/v1/policy/list/',
  '/v1/identity/list/',
];

const kesClientsConfined: ServiceCheck = {
  from: 'deployment',
  needs: 'kes',
  id: 'kes-clients-confined',
  title: 'Each client of KES may do what is declared and nothing else',
  proves:
    'KES refuses MinIO’s identity creating, deleting, importing or listing a key and using one that is not its own; the ' +
    'other clients are confined to their task, and none is an admin.',
  doesNotProve:
    'That no single other key is named in a policy: kes-configuration compares the policies themselves. Nor that no ' +
    'private key of a client was copied.',
  severity: 'critical',
  run: async (context) => {
    const { environment, state } = context.loaded;
    const keys = masterKeys(environment);
    const probes = probesFor(keys);
    const refused: Record<string, number> = {};
    const allowed = await Promise.all(
      kesClients(environment, retiredKeysByClient(environment, state)).map(async (client) => {
        const mayHave = new Set(allowedPaths(client));
        const asked = probes.filter((probe) => !mayHave.has(probe.path));
        const may = await allowedTo(clientOf(context, client.name), asked);
        refused[client.name] = asked.length - may.length;
        return may.map((what) => `${client.name} may ${what}`);
      }),
    );
    const problems = allowed.flat();
    if (problems.length === 0) return { refused };
    throw new CheckFailure(
      `not declared: ${someOf(problems)}`,
      'KES runs with other policies than the declared ones: kes-configuration says which, and what to do',
      { refused, allowed: problems },
    );
  },
};

const kesUnknownClientsRefused: ServiceCheck = {
  from: 'deployment',
  needs: 'kes',
  id: 'kes-strangers-refused',
  title: 'KES does nothing for a client that it does not know',
  proves:
    'Without a client certificate, or with a self-signed one, there is no connection; with one of the private CA that no ' +
    'policy names, every request is refused.',
  doesNotProve: 'That neither the private key of a known client nor that of the private CA was copied.',
  severity: 'critical',
  run: async (context) => {
    const { state } = context.loaded;
    await requireAnswer(context);
    const caKeyFile = path.join(state.secret.tls, 'ca.key');
    const evidence: Record<string, string> = {};
    const unknownClients: [string, ClientIdentity | undefined][] = [
      ['without a certificate', undefined],
      ['with a self-signed certificate', await selfSignedClient()],
    ];
    if (existsSync(caKeyFile)) {
      const privateKey = readFileSync(caKeyFile, 'utf8');
      const certificate = issuingCertificate(readFileSync(state.caCertificate, 'utf8'), privateKey);
      if (certificate !== undefined) unknownClients.push([UNKNOWN, await unknownClientOf({ certificate, privateKey })]);
    }
    const route = `/v1/key/generate/${context.loaded.environment.minio.defaultKey}`;
    for (const [who, identity] of unknownClients) {
      const answer = await answerTo(endpointOf(context), identity, route);
      evidence[who] = answer;
      if (who === UNKNOWN ? answer === 'HTTP 403' : answer.startsWith('no connection')) continue;
      throw new CheckFailure(
        `a client ${who} gets an answer from KES to a request for a data key: ${answer}`,
        'KES must verify client certificates (tls.auth: on, no skip_auth): see kes-configuration',
        evidence,
      );
    }
    return evidence;
  },
};

/** In the order in which they are reported. */
export const kesPrivilegeChecks: readonly ServiceCheck[] = [kesClientsConfined, kesUnknownClientsRefused];

/** A refusal says nothing if KES is not there. */
async function requireAnswer({ kes }: ServiceContext): Promise<void> {
  try {
    await kes.ready();
  } catch (error) {
    if (!(error instanceof KesError)) throw error;
  }
}

/** Requests that get no further than to whether they are allowed. */
function probesFor(keys: readonly string[]): HttpRequest[] {
  // a name may not end with "-", so this is the name of no key; a wildcard that covers names like it covers it
  const noKeys = [`ebs-check-${randomBytes(8).toString('hex')}-`, ...keys.map((key) => `${key}-`)];
  const body = Buffer.from('not JSON');
  const to = ({ action, method, takesBody }: KeyRoute, name: string): HttpRequest => ({
    method,
    path: `/v1/key/${action}/${name}`,
    ...(takesBody ? { body } : {}),
  });
  return [
    ...KEY_ROUTES.flatMap((route) => noKeys.map((name) => to(route, name))),
    ...KEY_ROUTES.filter(({ takesBody }) => takesBody).flatMap((route) => keys.map((key) => to(route, key))),
    ...READ_ROUTES.map((route): HttpRequest => ({ method: 'GET', path: route })),
  ];
}

function endpointOf({ loaded }: ServiceContext): TlsEndpoint {
  const { environment, state } = loaded;
  return { url: kesUrl(environment), caFile: state.caCertificate };
}

/** KES as one of its clients. Docker’s health check has its certificate in the state folder, too. */
function clientOf(context: ServiceContext, name: string): HttpClient {
  const { state } = context.loaded;
  return new HttpClient({
    ...endpointOf(context),
    certificateFile: path.join(state.tls, `${name}.crt`),
    privateKeyFile: path.join(state.secret.tls, `${name}.key`),
  });
}

/** Which of these requests KES allows; everything if it takes the client for its admin. */
async function allowedTo(kes: HttpClient, requests: readonly HttpRequest[]): Promise<string[]> {
  const allowed: string[] = [];
  try {
    // every client may ask for its own identity; KES finds an answer for the admin only (minio/kes v0.24.0, server.go)
    const { status, text } = await kes.send({ method: 'GET', path: '/v1/identity/self/describe' });
    if (status === 200 && /"admin":\s*true/.test(text)) return ['do everything, as the admin of KES'];
    for (const request of requests) {
      if ((await kes.send(request)).status !== 403) allowed.push(`${request.method} ${request.path}`);
    }
    return allowed;
  } finally {
    kes.close();
  }
}

/** What becomes of a request for a data key: an HTTP status, or no connection and why. */
async function answerTo(endpoint: TlsEndpoint, identity: ClientIdentity | undefined, route: string): Promise<string> {
  const kes = new HttpClient(endpoint, identity);
  try {
    return `HTTP ${(await kes.send({ method: 'PUT', path: route, body: Buffer.from('not JSON') })).status}`;
  } catch (error) {
    const { code } = (error as { cause?: NodeJS.ErrnoException }).cause ?? {};
    if (code === undefined || !/^(?:ERR_SSL_|ECONNRESET|EPIPE)/.test(code)) throw error;
    return `no connection: ${code}`;
  } finally {
    kes.close();
  }
}
