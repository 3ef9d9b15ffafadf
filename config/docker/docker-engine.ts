/**
 * Which Docker engine is meant, and how it is reached.
 *
 * It is the one that the docker command would speak to, unless the environment file names another (docker/cli,
 * cli/command/cli.go, resolveContextName and getServerHost):
 *
 * | first that is set                     | TLS material of tcp://                                  |
 * |---------------------------------------|---------------------------------------------------------|
 * | `docker.host` of the environment file | `docker.certPath`                                       |
 * | DOCKER_HOST                           | DOCKER_CERT_PATH, or with DOCKER_TLS_VERIFY ~/.docker   |
 * | DOCKER_CONTEXT                        | that of the context                                     |
 * | `currentContext` of ~/.docker         | that of the context                                     |
 * | the default socket                    |                                                         |
 *
 * `~/.docker` stands for DOCKER_CONFIG where that is set. Whatever wins, it wins with everything that belongs to it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../../operations/lib/errors';

/** What an environment file says about its engine. */
export interface DockerSettings {
  readonly host?: string | undefined;
  readonly certPath?: string | undefined;
  /** Path of the settings in the file. @default - `docker.host` and `docker.certPath` */
  readonly writtenAt?: { readonly host: string; readonly certPath: string };
}

/** An engine, and how it is reached. */
export interface EngineAddress {
  /** As Docker writes it, with the port where it is tcp://. */
  readonly host: string;
  /** `tcp` is without TLS, and on loopback. */
  readonly transport: 'unix' | 'ssh' | 'tcp' | 'tls';
  /** Folder with `ca.pem`, `cert.pem` and `key.pem`, for `tls`. */
  readonly certPath?: string;
  /** The setting or variable that named it. @default - none did: it is the default socket */
  readonly namedBy?: string;
}

export const DEFAULT_SOCKET = 'unix:///var/run/docker.sock';

/** Files of a folder with TLS material, as Docker calls them. */
const TLS_FILES = ['ca.pem', 'cert.pem', 'key.pem'] as const;

/** Variables by which Docker's clients and the Terraform provider choose and reach an engine. */
const ENGINE_VARIABLES = [
  'DOCKER_HOST',
  'DOCKER_CONTEXT',
  'DOCKER_TLS',
  'DOCKER_TLS_VERIFY',
  'DOCKER_CERT_PATH',
] as const;

/** Says in the environment of our own children what named the engine: for them it is always DOCKER_HOST. */
const NAMED_BY = 'EBS_ENGINE_NAMED_BY';

/**
 * For every call of `ssh`: a host key must be known, as `ssh` itself would ask a person about it, and there is nobody to
 * ask. Everything else is as `~/.ssh/config` says.
 */
export const SSH_OPTIONS = [
  '-o',
  'BatchMode=yes',
  '-o',
  'StrictHostKeyChecking=yes',
  '-o',
  'ConnectTimeout=10',
  // a connection that a router has forgotten ends, instead of waiting for an answer
  '-o',
  'ServerAliveInterval=15',
] as const;

/** Why nothing secret may go over a plain connection, for the messages of every setting alike. */
export const PLAIN_TCP_PROBLEM = 'must not be tcp:// without TLS except on loopback, because secrets go that way';

/** What is wrong with the address of an engine; undefined where nothing is. */
export function engineHostProblem(host: string): string | undefined {
  return parseHost(host) === undefined
    ? 'must be unix:///path, ssh://[user@]host[:port] or tcp://host:port'
    : undefined;
}

/** Whether an address is tcp:// to another machine: only with TLS. */
export function needsTls(host: string): boolean {
  const parsed = parseHost(host);
  return parsed?.scheme === 'tcp' && !isLoopbackName(parsed.hostname);
}

/** Whether `docker.certPath` belongs to an address. */
export function takesCertificates(host: string | undefined): boolean {
  return host !== undefined && parseHost(host)?.scheme === 'tcp';
}

/**
 * The engine that is meant.
 *
 * @throws UsageError that names the setting or variable, what is wrong, and the fix
 */
export function resolveEngine(settings: DockerSettings, env: NodeJS.ProcessEnv): EngineAddress {
  if (settings.host !== undefined) {
    const { host, certPath } = settings.writtenAt ?? { host: 'docker.host', certPath: 'docker.certPath' };
    return address(host, settings.host, settings.certPath, certPath);
  }
  const folder = configFolder(env);
  const host = env.DOCKER_HOST;
  const wantsTls = Boolean(env.DOCKER_TLS_VERIFY) || Boolean(env.DOCKER_TLS);
  if (host) {
    const certPath = given(env.DOCKER_CERT_PATH) ?? (wantsTls ? folder : undefined);
    return address(given(env[NAMED_BY]) ?? 'DOCKER_HOST', host, certPath);
  }
  if (env.DOCKER_CONTEXT) return context(env.DOCKER_CONTEXT, 'DOCKER_CONTEXT', folder, env);
  const current = currentContext(folder);
  if (current !== undefined) return context(current, `currentContext of ${folder}/config.json`, folder, env);
  return byDefault(folder, env);
}

function byDefault(folder: string, env: NodeJS.ProcessEnv): EngineAddress {
  return env.DOCKER_TLS_VERIFY || env.DOCKER_TLS
    ? address('DOCKER_TLS_VERIFY', 'tcp://localhost:2376', given(env.DOCKER_CERT_PATH) ?? folder)
    : { host: DEFAULT_SOCKET, transport: 'unix' };
}

/** Variables by which another program reaches exactly this engine. Empty ones count as unset. */
export function engineVariables({ host, transport, certPath = '', namedBy }: EngineAddress): Record<string, string> {
  return {
    DOCKER_HOST: host,
    DOCKER_CONTEXT: '',
    DOCKER_TLS: '',
    DOCKER_TLS_VERIFY: transport === 'tls' ? '1' : '',
    DOCKER_CERT_PATH: certPath,
    ...(namedBy === undefined ? {} : { [NAMED_BY]: namedBy }),
  };
}

/** Variables by which a program is told of no engine: with several hosts each call names its own. */
const NO_ENGINE_VARIABLES: Readonly<Record<string, string>> = Object.fromEntries(
  ENGINE_VARIABLES.map((name) => [name, '']),
);

/** Variables of what acts on a whole deployment: they name its engine where it is one. */
export function deployVariables(
  { hosts }: { readonly hosts?: unknown },
  engine: EngineAddress,
): Record<string, string> {
  return hosts === undefined ? engineVariables(engine) : { ...NO_ENGINE_VARIABLES };
}

/**
 * Resolves the engine, and makes this process and its children speak to no other.
 *
 * @throws UsageError like {@link resolveEngine}
 */
export function pinEngine(settings: DockerSettings, env: NodeJS.ProcessEnv = process.env): EngineAddress {
  const engine = resolveEngine(settings, env);
  for (const name of [...ENGINE_VARIABLES, NAMED_BY]) Reflect.deleteProperty(env, name);
  // the default socket is named by no variable: an engine there may be started, see ensureEngine
  if (engine.namedBy !== undefined) Object.assign(env, engineVariables(engine));
  return engine;
}

/**
 * Has this process and its children speak to the engine of an environment and no other. With several hosts that is none:
 * each call names the one that it is for, and a variable would win over that.
 *
 * @throws UsageError like {@link resolveEngine}
 */
export function pinEngines(
  { docker, hosts }: { readonly docker: DockerSettings; readonly hosts?: unknown },
  env: NodeJS.ProcessEnv = process.env,
): void {
  if (hosts === undefined) pinEngine(docker, env);
  else for (const name of [...ENGINE_VARIABLES, NAMED_BY]) Reflect.deleteProperty(env, name);
}

/** An engine for a message. */
export function describeEngine({ host, namedBy }: EngineAddress): string {
  return namedBy === undefined ? `the default socket, ${host}` : `${namedBy}, ${host}`;
}

/** The name or address of the machine of an engine; undefined where that is this one. */
export function remoteMachine({ host }: EngineAddress): string | undefined {
  const parsed = parseHost(host);
  return parsed === undefined || parsed.scheme === 'unix' || isLoopbackName(parsed.hostname)
    ? undefined
    : parsed.hostname;
}

/** The arguments of `ssh` that lead to an engine, as docker/cli has them (cli/connhelper). */
export function sshArguments({ host }: EngineAddress): string[] {
  const parsed = parseHost(host);
  if (parsed?.scheme !== 'ssh') throw new Error(`${host} is not reached by ssh`);
  const { username, hostname, port, pathname } = parsed;
  return [
    ...SSH_OPTIONS,
    '-T',
    ...(username === '' ? [] : ['-l', username]),
    ...(port === '' ? [] : ['-p', port]),
    '--',
    hostname,
    'docker',
    ...(pathname === '' ? [] : ['--host', `unix://${pathname}`]),
    'system',
    'dial-stdio',
  ];
}

/** Host and port of an engine that is reached by tcp://. */
export function tcpEndpoint({ host }: EngineAddress): { readonly host: string; readonly port: number } {
  const parsed = parseHost(host);
  if (parsed?.scheme !== 'tcp') throw new Error(`${host} is not reached by tcp`);
  return { host: parsed.hostname, port: Number(parsed.port) };
}

function address(
  namedBy: string,
  text: string,
  certPath: string | undefined,
  certificatesNamedBy = 'DOCKER_CERT_PATH',
): EngineAddress {
  const parsed = parseHost(text);
  if (parsed === undefined) {
    throw new UsageError(
      // a password in it is a mistake, and none to be repeated
      `${namedBy}: ${engineHostProblem(text) ?? ''}, got: ${text.replace(/:[^/:@]*@/, ':…@')}`,
      'correct or remove it; nothing was changed',
    );
  }
  if (parsed.scheme === 'unix') return { host: text, transport: 'unix', namedBy };
  if (parsed.scheme === 'ssh') return { host: text, transport: 'ssh', namedBy };
  if (certPath === undefined && !isLoopbackName(parsed.hostname)) {
    throw new UsageError(
      `${namedBy}: ${PLAIN_TCP_PROBLEM}, got: ${text}`,
      `use ssh://, or name a folder with ${TLS_FILES.join(', ')} in ${certificatesNamedBy}`,
    );
  }
  const port = parsed.port || (certPath === undefined ? '2375' : '2376');
  const name = parsed.hostname.includes(':') ? `[${parsed.hostname}]` : parsed.hostname;
  const host = `tcp://${name}:${port}`;
  if (certPath === undefined) return { host, transport: 'tcp', namedBy };
  const missing = TLS_FILES.filter((file) => !existsSync(path.join(certPath, file)));
  if (missing.length > 0) {
    throw new UsageError(
      `${namedBy}: ${text} needs ${TLS_FILES.join(', ')} in ${certPath}, which has no ${missing.join(', ')}`,
      'put the CA certificate of the engine and a client certificate with its key there; no engine goes unverified',
    );
  }
  return { host, transport: 'tls', certPath, namedBy };
}

interface ParsedHost {
  readonly scheme: 'unix' | 'ssh' | 'tcp';
  readonly username: string;
  readonly hostname: string;
  readonly port: string;
  readonly pathname: string;
}

function parseHost(text: string): ParsedHost | undefined {
  const socket = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socket !== undefined) return { scheme: 'unix', username: '', hostname: '', port: '', pathname: socket };
  const scheme = /^(ssh|tcp):\/\//.exec(text)?.[1];
  if ((scheme !== 'ssh' && scheme !== 'tcp') || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const pathname = url.pathname === '/' ? '' : url.pathname;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const username = decoded(url.username);
  const surplus = url.password + url.search + url.hash + (scheme === 'tcp' ? pathname + username : '');
  // names go into commands of ~/.ssh/config (%h, %r of ProxyCommand and Match exec), the path to a shell of the other machine
  if (surplus !== '' || !/^[\w.:%][\w.:%-]*$/.test(hostname)) return undefined;
  if (!/^(?:[\w.][\w.@+-]*)?$/.test(username) || !/^[\w/.-]*$/.test(pathname)) return undefined;
  return { scheme, username, hostname, port: url.port, pathname };
}

/** Empty where nothing can be: then it stays as it is, and is refused. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '::1' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** What Docker takes for set: an empty variable is none. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** Where the docker command keeps its settings. */
function configFolder(env: NodeJS.ProcessEnv): string {
  return given(env.DOCKER_CONFIG) ?? path.join(given(env.HOME) ?? homedir(), '.docker');
}

function currentContext(folder: string): string | undefined {
  const file = path.join(folder, 'config.json');
  const settings = readJson(file, z.object({ currentContext: z.string().optional() }));
  return given(settings?.currentContext);
}

const contextMeta = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string(), SkipTLSVerify: z.boolean().optional() }) }),
});

/** A context of the docker command: its store names folders by the SHA-256 of the context's name (docker/cli, cli/context/store). */
function context(name: string, source: string, folder: string, env: NodeJS.ProcessEnv): EngineAddress {
  if (name === 'default') {
    const engine = byDefault(folder, env);
    // it is above the current context: once the variable is gone, that would win
    return source === 'DOCKER_CONTEXT' ? { ...engine, namedBy: engine.namedBy ?? source } : engine;
  }
  const namedBy = `Docker context ${name} (${source})`;
  const id = createHash('sha256').update(name).digest('hex');
  const meta = readJson(path.join(folder, 'contexts', 'meta', id, 'meta.json'), contextMeta);
  if (meta === undefined) {
    throw new UsageError(
      `${namedBy} does not exist in ${path.join(folder, 'contexts')}`,
      '`docker context ls` lists those that do; `docker context use default` goes back',
    );
  }
  const { Host, SkipTLSVerify } = meta.Endpoints.docker;
  if (SkipTLSVerify === true) {
    throw new UsageError(
      `${namedBy} skips the verification of its engine (SkipTLSVerify), and secrets go that way`,
      `docker context update ${name} --docker "host=${Host},ca=…,cert=…,key=…"`,
    );
  }
  const certificates = path.join(folder, 'contexts', 'tls', id, 'docker');
  return address(namedBy, Host, takesCertificates(Host) && existsSync(certificates) ? certificates : undefined);
}

function readJson<T>(file: string, schema: z.ZodType<T>): T | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(
      `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'it says which Docker engine is meant; DOCKER_HOST or docker.host say so, too',
    );
  }
  // as the docker command takes it
  if (text.trim() === '') return undefined;
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `${file} is not what the docker command writes`,
    'it says which Docker engine is meant; DOCKER_HOST or docker.host say so, too',
  );
}
