/** What ends by itself: certificates, tokens, SecretIDs. A deploy renews most of them; these checks see when none did. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isIP } from 'node:net';
import { z } from 'zod';
import { vaultNames } from '../../../config/deployment-names';
import type { Environment } from '../../../config/environment';
import { embeddedVault } from '../../../config/vault/vault';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import {
  kesNodeEndpoint,
  minioNodeEndpoint,
  vaultClientCa,
  vaultClientFiles,
  vaultNodeEndpoint,
} from '../../../config/state/endpoints';
import { hasVaultClients, s3CertificateFiles } from '../../../config/state/certificate-files';
import type { StateLayout } from '../../../config/state/layout';
import { nodesOf, firstVault, onHost } from '../../../config/node';
import { leafCertificates, vaultClientLeaves } from '../../../config/certificates/leaf-certificates';
import { handshake } from '../../lib/net/handshake';
import { namesOf as certificateNames } from '../../certificates/server-certificate';
import type { LoadedEnvironment } from '../../state/load';
import { VaultError } from '../../vault/vault-client';
import {
  type CheckContext,
  CheckFailure,
  type DeploymentCheck,
  type Evidence,
  type FullCheck,
  type VaultCheck,
} from '../check';
import { someOf } from '../drift/differences';
import { credentialsOfKes, readData, withoutOwnVault, withoutToken, withProvisioner } from './vault';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * A deploy renews what has a third of its life left. When only half of that is left, no deploy came although one was
 * due for long. The check says so while there is time.
 */
const LATE_SHARE = 1 / 6;

/** No deploy renews the CA, and clients have to be told of another one, so there must be time for that. */
const CA_NOTICE_DAYS = 90;

/**
 * No deploy renews a certificate that comes as a file: its owner must know, but not be kept from deploying. Some live for
 * hours only, so a sixth of the life counts where that is less.
 */
const FILE_NOTICE_DAYS = 7;

const certificatesValid: FullCheck = {
  from: 'deployment',
  id: 'certificates-valid',
  title: 'Every certificate is valid for long enough, and the served ones are those of the state folder',
  proves:
    'The certificates of servers and clients have at least a sixth of their life left, which a deploy would have ' +
    `renewed; those of tls.mode files a sixth or ${FILE_NOTICE_DAYS} days, whichever is less; the CA ` +
    `${CA_NOTICE_DAYS} days. MinIO, KES and an embedded Vault serve the present ones.`,
  doesNotProve: 'That clients have the right CA, or that a deploy will come in time: that takes a schedule.',
  severity: 'high',
  run: async (context) => {
    const { environment, state } = context.loaded;
    const now = Date.now();
    const problems: string[] = [];
    const fixes = new Set<string>();
    const byDeploy = `./scripts/up ${context.loaded.argument} renews certificates and has them served; then let it run on a schedule. The CA: ./scripts/rotate ca ${context.loaded.argument}`;
    const certificates: Record<string, Evidence> = {};
    const read = (name: string): X509Certificate =>
      new X509Certificate(readFileSync(path.join(state.tls, `${name}.crt`)));

    const caDays = daysUntil(new Date(read('ca').validTo), now);
    certificates.ca = { daysLeft: caDays };
    const late = [...lateCa('the CA', caDays), ...lateVaultClients(context.loaded, certificates, now)];
    problems.push(...late);
    if (late.length > 0) fixes.add(byDeploy);
    const sources = fileSourcesOf(environment, state);
    const lateFiles = new Set<string>();
    const ofClients = s3CertificateFiles(environment, state).map(({ certificate: file }) =>
      path.basename(file, '.crt'),
    );
    for (const name of [...leavesOf(environment), ...ofClients]) {
      const { validFrom, validTo } = read(name);
      const source = sources[name];
      const most = source === undefined ? Infinity : FILE_NOTICE_DAYS * DAY_MS;
      const { daysLeft, late } = remaining(new Date(validFrom), new Date(validTo), now, most);
      certificates[name] = { daysLeft };
      if (!late) continue;
      if (source === undefined) {
        problems.push(`${name} ${ended(daysLeft)}`);
        fixes.add(byDeploy);
      } else {
        problems.push(`${name}, deployed from ${source}, ${ended(daysLeft, '')}`);
        fixes.add(
          `put a renewed certificate with its key where ${source} is, then ./scripts/up ${context.loaded.argument}`,
        );
        lateFiles.add(name);
      }
    }
    for (const [name, endpoint] of Object.entries(serversOf(context, read))) {
      const served = await servedBy(endpoint);
      const expected = read(name).fingerprint256;
      certificates[name] = { ...certificates[name], served: served === expected ? 'yes' : served };
      if (served !== expected) {
        problems.push(`${name}: ${endpoint.url} serves another certificate than the one in ${state.tls} (${served})`);
        // the renewed file has to be deployed anyway, and nothing else helps
        if (!lateFiles.has(name)) fixes.add(byDeploy);
      }
    }
    if (problems.length === 0) return { certificates };
    throw new CheckFailure(someOf(problems), [...fixes].join('; '), { certificates });
  },
};

/**
 * Those that let KES and the operations in at the Vaults of several hosts.
 *
 * @param found gets what is left of each
 * @returns what is wrong
 */
export function lateVaultClients(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  found: Record<string, Evidence>,
  now: number,
): string[] {
  if (!hasVaultClients(environment)) return [];
  const read = (file: string) => new X509Certificate(readFileSync(file));
  const caDays = daysUntil(new Date(read(vaultClientCa(state)).validTo), now);
  found['vault-clients/ca'] = { daysLeft: caDays };
  const leaves = vaultClientLeaves(environment).flatMap(({ name }) => {
    const { validFrom, validTo } = read(vaultClientFiles(state, name).certificate);
    const { daysLeft, late } = remaining(new Date(validFrom), new Date(validTo), now);
    found[`vault-clients/${name}`] = { daysLeft };
    return late ? [`${name}, a client of Vault, ${ended(daysLeft)}`] : [];
  });
  return [...lateCa('the CA of the clients of Vault', caDays), ...leaves];
}

function lateCa(what: string, daysLeft: number): string[] {
  return daysLeft < CA_NOTICE_DAYS ? [`${what} ${ended(daysLeft, '; no deploy renews it')}`] : [];
}

const tokenShape = z.object({ ttl: z.number(), period: z.number().optional(), renewable: z.boolean() });
const secretIdShape = z.object({
  data: z.object({ creation_time: z.string(), expiration_time: z.string(), secret_id_num_uses: z.number() }).optional(),
});

const provisionerToken: VaultCheck = {
  from: 'vault',
  id: 'provisioner-token-valid',
  title: 'The token that declares the key store works for long enough',
  proves: 'Vault accepts the token, lets it be renewed, and it has more than a sixth of its period left.',
  doesNotProve: 'What the token may do (vault-policies does), or that it was not copied.',
  severity: 'medium',
  skipReason: withoutOwnVault,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const fix =
        `\`docker rm -f ${firstVault(environment).vault.container}\`${onHost(firstVault(environment))}, then ./scripts/up ${context.loaded.argument}: its data stays, and the ` +
        'initialisation makes another token by the unseal shares';
      let token: z.infer<typeof tokenShape>;
      try {
        token = await readData(vault, 'auth/token/lookup-self', tokenShape);
      } catch (error) {
        if (!(error instanceof VaultError) || error.status !== 403) throw error;
        throw new CheckFailure('Vault does not know the provisioner token: it has expired or was revoked', fix);
      }
      const { ttl, period = 0, renewable } = token;
      const daysLeft = inDays(ttl * 1000);
      const evidence = { daysLeft, periodDays: inDays(period * 1000), renewable };
      if (!renewable || period === 0) throw new CheckFailure('the provisioner token cannot be renewed', fix, evidence);
      if (ttl < period * LATE_SHARE) {
        throw new CheckFailure(`the provisioner token ${ended(daysLeft)}`, fix, evidence);
      }
      return evidence;
    }),
};

const secretIdOfKes: VaultCheck = {
  from: 'vault',
  id: 'kes-secret-id-valid',
  title: 'KES can log in to Vault again whenever it has to',
  proves: 'Vault knows the SecretID of KES, it has no limit of uses, and it ends never or not soon.',
  doesNotProve: 'That KES is logged in now (kms-ready and the round trips show that it gets keys).',
  severity: 'high',
  skipReason: withoutToken,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const { secretId } = credentialsOfKes(context);
      const role = `auth/${environment.keyStore.approle.mount}/role/${vaultNames(environment).kesRole}`;
      const { data } = secretIdShape.parse(
        await vault.write(`${role}/secret-id/lookup`, { secret_id: secretId.reveal() }),
      );
      const fix = `./scripts/rotate secret-id ${context.loaded.argument}`;
      // 204 without a body
      if (data === undefined) {
        throw new CheckFailure(
          'Vault does not know the SecretID of KES any more: KES works until its token is lost, and cannot start again',
          fix,
        );
      }
      const { secret_id_num_uses: usesLeft } = data;
      const { daysLeft, late } = endOf(data);
      const evidence = { daysLeft: daysLeft ?? 'never ends', usesLeft: usesLeft === 0 ? 'no limit' : usesLeft };
      if (usesLeft > 0) {
        throw new CheckFailure(
          `the SecretID of KES works ${usesLeft} more time(s), then KES cannot start`,
          fix,
          evidence,
        );
      }
      if (late || (daysLeft ?? Infinity) < 1) {
        throw new CheckFailure(`the SecretID of KES ${ended(daysLeft ?? 0)}`, fix, evidence);
      }
      return evidence;
    }),
};

/** In the order in which they are reported. */
export const expiryChecks: readonly DeploymentCheck[] = [certificatesValid, provisionerToken, secretIdOfKes];

function leavesOf(environment: Environment): string[] {
  return leafCertificates(environment).map(({ name }) => name);
}

/** Which setting a certificate that came as a file was taken from, and the file. */
function fileSourcesOf({ tls }: Environment, state: StateLayout): Readonly<Record<string, string>> {
  if (tls.mode !== 'files') return {};
  const sources = [tls, ...tls.additional];
  return Object.fromEntries(
    s3CertificateFiles({ tls }, state).flatMap(({ certificate: leaf }, index) =>
      sources.slice(index, index + 1).map(({ certificate }) => {
        const prefix = index === 0 ? 'tls' : `tls.additional[${index - 1}]`;
        return [path.basename(leaf, '.crt'), `${prefix}.certificate (${certificate})`];
      }),
    ),
  );
}

/** Who serves which certificate. */
function serversOf(context: CheckContext, read: (name: string) => X509Certificate): Record<string, TlsEndpoint> {
  const { environment, state } = context.loaded;
  const { s3Endpoint } = context;
  const ofClients = s3CertificateFiles(environment, state).map(({ certificate }): [string, TlsEndpoint] => {
    const name = path.basename(certificate, '.crt');
    const host = certificateNames(read(name)).find((candidate) => isIP(candidate) === 0);
    // MinIO shows each to who asks for one of its names
    return [name, host === undefined ? s3Endpoint : { ...s3Endpoint, serverName: host.replace('*', 'any') }];
  });
  const vault = embeddedVault(environment);
  const ofNodes = nodesOf(environment).flatMap((node): [string, TlsEndpoint][] => [
    [
      node.minio.certificate,
      {
        url: node.host === undefined ? s3Endpoint.url : minioNodeEndpoint(environment, state, node).url,
        caFile: state.caCertificate,
        serverName: node.minio.alias,
      },
    ],
    [node.kes.certificate, kesNodeEndpoint(environment, state, node)],
    ...(vault !== undefined && node.vault !== undefined
      ? [
          [
            node.vault.certificate,
            vaultNodeEndpoint(environment, vault, state, { ...node, vault: node.vault }),
          ] satisfies [string, TlsEndpoint],
        ]
      : []),
  ]);
  return { ...Object.fromEntries(ofClients), ...Object.fromEntries(ofNodes) };
}

/** The fingerprint of the certificate that a server shows, or why it is not trusted. */
async function servedBy(endpoint: TlsEndpoint): Promise<string> {
  const shaken = await handshake(endpoint);
  if ('served' in shaken) return shaken.served.certificate.fingerprint256;
  const { refusal } = shaken;
  // said of the connection, and not of the certificate
  if (refusal === 'ECONNRESET' || refusal.startsWith('ERR_SSL_')) throw new Error(`${endpoint.url}: ${refusal}`);
  return refusal;
}

interface Remaining {
  readonly daysLeft: number;
  /** Whether it should have been renewed long ago. */
  readonly late: boolean;
}

/** @param most it is not late with more than this left, however long it lives */
function remaining(from: Date, to: Date, now = Date.now(), most = Infinity): Remaining {
  const life = to.getTime() - from.getTime();
  return { daysLeft: daysUntil(to, now), late: to.getTime() - now < Math.min(life * LATE_SHARE, most) };
}

/** Vault writes the year 1 where there is no end. */
function endOf(secretId: { creation_time: string; expiration_time: string }): Partial<Remaining> & { late: boolean } {
  const end = new Date(secretId.expiration_time);
  return end.getUTCFullYear() <= 1 ? { late: false } : remaining(new Date(secretId.creation_time), end);
}

function daysUntil(date: Date, now: number): number {
  return inDays(date.getTime() - now);
}

/** Days with one decimal: the last day is worth knowing by the hour. */
function inDays(ms: number): number {
  return Math.floor((ms / DAY_MS) * 10) / 10;
}

function ended(daysLeft: number, remark = ', and no deploy renewed it'): string {
  if (daysLeft < 0) return `expired ${-daysLeft} days ago`;
  return `ends in ${daysLeft} days${remark}`;
}
