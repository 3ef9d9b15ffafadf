/**
 * The configuration of a host's HAProxy, which leads S3 clients to a MinIO that can serve, MinIO to a KES, and KES to the
 * active Vault. It passes TLS on and ends none: it holds no key of a server. Facts: HAProxy 2.6, doc/configuration.txt.
 */
import { isIP } from 'node:net';

/** Paths inside the container. */
export const BALANCER_FILES = {
  configuration: '/files/haproxy.cfg',
  ca: '/files/ca.crt',
  /** Shown to KES by its check. HAProxy reads the private key from the file of this name and `.key`. */
  kesClient: '/files/kes-client.crt',
  /** The same for Vault. */
  vaultClient: '/files/vault-client.crt',
} as const;

/** HAProxy was seen to need 11 MB; each of its 4096 connections may have 33 KB of buffers. */
export const DEFAULT_BALANCER_MEMORY_MB = 256;

/** Within which every balancer has seen that a server answers, or does not: see `default-server` below. */
export const SEEN_WITHIN_MS = 3_000;

/** Where the health check of the container asks; on loopback only. */
export const BALANCER_HEALTH = 'http://127.0.0.1:8404/';

/** A server that connections may be led to. */
export interface BalancedServer {
  /** Its certificate is issued for this name. */
  readonly name: string;
  /** IP address: HAProxy looks names up only when it starts. */
  readonly address: string;
  readonly port: number;
}

export interface BalancedService {
  /**
   * Where clients connect to it: a port of all networks of the container, or of the one in which it has that name.
   */
  readonly bind: { readonly name?: string; readonly port: number };
  readonly servers: readonly [BalancedServer, ...BalancedServer[]];
}

export interface BalancerConfiguration {
  /** Connections go to any MinIO that has a read quorum and reaches a KES; where none reaches one, to any with a read quorum. */
  readonly s3: BalancedService;
  /** Connections go to the first KES of the list that answers. */
  readonly kes: BalancedService;
  /** Connections go to the active Vault. @default - an external Vault, or none */
  readonly vault?: BalancedService;
}

/** Everything that is wrong with a configuration: which property, the rule, the value got. Empty if nothing is. */
export function balancerProblems(configuration: BalancerConfiguration): string[] {
  const problems: string[] = [];
  const refuse = (property: string, rule: string, got: unknown): void => {
    problems.push(`\`${property}\` ${rule}, got: ${String(got)}`);
  };
  const requirePort = (property: string, port: number): void => {
    if (!Number.isInteger(port) || port < 1024 || port > 65_535) {
      refuse(property, 'must be a port from 1024 to 65535, because HAProxy is not root', port);
    }
  };
  for (const [service, { bind, servers }] of servicesOf(configuration)) {
    requirePort(`${service}.bind.port`, bind.port);
    if (bind.name !== undefined && !NAME.test(bind.name)) refuse(`${service}.bind.name`, NAME_RULE, bind.name);
    const names = servers.map(({ name }) => name);
    servers.forEach(({ name, address, port }, index) => {
      const at = `${service}.servers[${index}]`;
      if (!NAME.test(name)) refuse(`${at}.name`, NAME_RULE, name);
      if (names.indexOf(name) < index) refuse(`${at}.name`, 'must be unique, because checks tell servers by it', name);
      if (isIP(address) === 0) refuse(`${at}.address`, 'must be an IP address', address);
      requirePort(`${at}.port`, port);
    });
  }
  return problems;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const NAME_RULE = 'must have lower-case letters, digits and hyphens inside';

function servicesOf({ s3, kes, vault }: BalancerConfiguration): (readonly [string, BalancedService])[] {
  return [['s3', s3], ['kes', kes], ...(vault === undefined ? [] : [['vault', vault] as const])];
}

/**
 * The file that HAProxy reads. The same configuration gives the same text.
 *
 * {@link balancerProblems} is asked before.
 */
export function renderBalancer({ s3, kes, vault }: BalancerConfiguration): string {
  return `${[
    GENERAL,
    s3Frontend(s3),
    backend('s3', s3, { ...READABLE, paths: [...READABLE.paths, WITH_KEYS] }),
    // lists and deletes need no key
    backend('s3-without-keys', s3, READABLE),
    // not /v1/status: it fails while Vault elects a leader
    listener('kes', kes, {
      paths: ['/version'],
      algorithm: 'first-of-the-list',
      certificate: BALANCER_FILES.kesClient,
    }),
    ...(vault === undefined
      ? []
      : [
          // a standby answers 429, a sealed one 503
          listener('vault', vault, {
            paths: ['/v1/sys/health'],
            algorithm: 'roundrobin',
            certificate: BALANCER_FILES.vaultClient,
          }),
        ]),
  ].join('\n\n')}\n`;
}

/**
 * A check each second, each 300 ms once one failed: a host that is away is excluded after 3 s at most, and its
 * connections are closed so that clients try again instead of waiting. Those to a KES of another host are closed when that
 * of this host is back: it has the keys in its memory that are in use here, also while the Vaults elect a leader. An idle
 * connection may last as long as the longest silence of an S3 request: MinIO completes a large upload without a word.
 */
const GENERAL = `global
  maxconn 4096
  hard-stop-after 2s
  ssl-load-extra-files key
  ssl-default-server-options ssl-min-ver TLSv1.2

defaults
  mode tcp
  timeout connect 1s
  timeout check 1s
  timeout client 15m
  timeout server 15m
  timeout client-fin 10s
  timeout server-fin 10s
  retries 3
  option redispatch 1
  option clitcpka
  option srvtcpka
  default-server inter 1s fastinter 300ms fall 2 rise 1 on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions check check-ssl verify required ca-file ${BALANCER_FILES.ca}

frontend alive
  mode http
  bind ${new URL(BALANCER_HEALTH).host}
  monitor-uri /`;

interface Check {
  /** One after the other; each must answer 200. */
  readonly paths: readonly string[];
  readonly algorithm: 'leastconn' | 'roundrobin' | 'first-of-the-list';
  /**
   * How long a server that was connected to may take to answer. MinIO asks the other hosts first: while one of them is not
   * known to be away yet, that takes seconds on every host, and all of them would be taken for dead.
   *
   * @default 1s
   */
  readonly answer?: string;
  /** What the check shows. @default - no certificate */
  readonly certificate?: string;
}

/** Not /minio/health/cluster: without a write quorum every node would be down, and what can be read could not be. */
const READABLE: Check = { paths: ['/minio/health/cluster/read'], algorithm: 'leastconn', answer: '4s' };

/** MinIO asks the KMS for a key. Without its balancer it asks for up to 30 s, and so would every client that is led to it. */
const WITH_KEYS = '/minio/health/ready';

const s3Frontend = ({ bind }: BalancedService): string =>
  [
    'frontend clients',
    `  bind ${bindOf(bind)}`,
    '  use_backend s3 if { nbsrv(s3) gt 0 }',
    '  default_backend s3-without-keys',
  ].join('\n');

const bindOf = ({ name = '', port }: BalancedService['bind']): string => `${name}:${port}`;

const listener = (service: string, balanced: BalancedService, check: Check): string =>
  [`listen ${service}`, `  bind ${bindOf(balanced.bind)}`, ...checked(service, balanced, check)].join('\n');

const backend = (service: string, balanced: BalancedService, check: Check): string =>
  [`backend ${service}`, ...checked(service, balanced, check)].join('\n');

function checked(service: string, { servers }: BalancedService, check: Check): string[] {
  const certificate = check.certificate === undefined ? '' : ` crt ${check.certificate}`;
  return [
    ...(check.algorithm === 'first-of-the-list' ? [] : [`  balance ${check.algorithm}`]),
    ...(check.answer === undefined ? [] : [`  timeout check ${check.answer}`]),
    '  option httpchk',
    ...check.paths.flatMap((path) => [
      // HAProxy wants it said where there are several; the default is what the line of the server says
      ...(check.paths.length > 1 ? ['  http-check connect default'] : []),
      `  http-check send meth GET uri ${path} ver HTTP/1.1 hdr Host ${service}`,
      '  http-check expect status 200',
    ]),
    ...servers.map(({ name, address, port }, index) => {
      const backup = check.algorithm === 'first-of-the-list' && index > 0 ? ' backup' : '';
      const host = isIP(address) === 6 ? `[${address}]` : address;
      return `  server ${name} ${host}:${port} verifyhost ${name} check-sni ${name}${certificate}${backup}`;
    }),
  ];
}
