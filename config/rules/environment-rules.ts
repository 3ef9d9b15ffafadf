/** What relates two settings of an environment file to each other: the schema refuses with it what its shape cannot. */
import { isIPv4 } from 'node:net';
import { EARLIER_OBJECTS_BUCKET } from '../deployment-names';
import { needsTls, PLAIN_TCP_PROBLEM, takesCertificates } from '../docker/docker-engine';
import { isLoopback } from '../docker/reachable';
import { durationToMs, isDuration } from '../duration';
import type { BucketSettings, Environment, VaultKeyStoreSettings, VaultSettings } from '../environment';
import { declaredSeal } from '../vault/seal';
import { DISTRIBUTION_NAMES, embeddedVault } from '../vault/vault';
import { minioKeys } from '../keys/master-keys';
import { MOST_DRIVES } from '../minio/parity';
import { coversName, overlap } from '../names';
import { hostRules } from './host-rules';
import { networkRules } from './network-rules';
import type { Problem } from './problem';
import { s3Names } from '../minio/s3-endpoint';

/** Shortest period of the token of KES: below, it dies between two renewals (kes v0.24.0, vault/client.go). */
export const MINIMUM_TOKEN_PERIOD = '10m';

/** Longest life of a SecretID: Vault ends it then whatever was asked for (the default of max_lease_ttl, 32 days). */
const MAXIMUM_SECRET_ID_TTL = '768h';
/** Shortest: below, it would have to be renewed more often than anybody deploys. */
const MINIMUM_SECRET_ID_TTL = '24h';

/**
 * The rules that relate two settings to each other.
 *
 * @param written what of the file is not in the environment where no Vault takes part
 */
export function crossFieldRules(
  environment: Environment,
  written: { readonly vault?: VaultSettings | undefined },
): Problem[] {
  return [
    ...engineRules(environment),
    ...portRules(environment),
    ...hostRules(environment),
    ...networkRules(environment),
    ...keyStoreRules(environment, written),
    ...cacheRules(environment),
    ...riskRules(environment),
    ...driveRules(environment),
    ...bucketRules(environment),
    ...webhookRules(environment),
    ...kesClientRules(environment),
    ...clientRules(environment),
    ...certificateRules(environment),
    ...scheduleRules(environment),
    ...dataLossRules(environment),
  ];
}

function engineRules({ docker: { host, certPath } }: Environment): Problem[] {
  const setting = { path: ['docker', 'host'], other: ['docker', 'certPath'] };
  if (certPath === undefined && host !== undefined && needsTls(host)) {
    const fix = 'name a folder with ca.pem, cert.pem and key.pem in docker.certPath, or use ssh://';
    return [{ ...setting, message: PLAIN_TCP_PROBLEM, fix }];
  }
  if (certPath === undefined || takesCertificates(host)) return [];
  const message = 'must begin with tcp:// where docker.certPath is given';
  return [{ ...setting, message, fix: 'remove docker.certPath, or write such a docker.host' }];
}

function portRules(environment: Environment): Problem[] {
  const { kes, minio } = environment;
  const vault = embeddedVault(environment);
  const ports: { readonly path: Problem['path']; readonly port: number }[] = [
    ...(vault === undefined ? [] : [{ path: ['vault', 'port'], port: vault.port }]),
    { path: ['kes', 'port'], port: kes.port },
    { path: ['minio', 'port'], port: minio.port },
  ];
  return ports.flatMap(({ path, port }, index) => {
    const earlier = ports.slice(0, index).find((other) => other.port === port);
    if (earlier === undefined) return [];
    const message = `must differ from ${earlier.path.join('.')}`;
    return [{ path, message, fix: 'choose another port', other: earlier.path }];
  });
}

function vaultRules(vault: VaultSettings, images: Environment['images']): Problem[] {
  if (vault.mode !== 'embedded') return [];
  const problems: Problem[] = [];
  const { shares, threshold, distribution } = vault;
  if (images.source === 'registry' && images[distribution] === undefined) {
    const name = DISTRIBUTION_NAMES[distribution];
    const message = `must be given for an embedded ${name}`;
    const fix = `name an image of ${name} with its digest`;
    problems.push({ path: ['images', distribution], message, fix, other: [] });
  }
  if (distribution === 'openbao' && declaredSeal(vault) !== undefined) {
    const message = 'must be auto or manual with vault.distribution openbao: a seal of OpenBao was never tried';
    problems.push({ path: ['vault', 'unseal'], message, fix: 'write auto', other: ['vault', 'distribution'] });
  }
  const related = { path: ['vault', 'threshold'], other: ['vault', 'shares'] };
  if (threshold > shares) {
    problems.push({ ...related, message: `must be at most vault.shares (${shares})`, fix: 'raise vault.shares' });
  }
  if (threshold === 1 && shares > 1) {
    const message = 'must be at least 2 when there are several shares (Vault refuses it)';
    problems.push({ ...related, message, fix: 'raise vault.threshold' });
  }
  return problems;
}

function keyStoreRules({ keyStore, images }: Environment, written: { readonly vault?: unknown }): Problem[] {
  if (keyStore.type === 'vault') return [...vaultRules(keyStore.vault, images), ...appRoleRules(keyStore)];
  if (written.vault === undefined) return [];
  const message = `must not be given with keyStore.type ${keyStore.type}: no Vault takes part`;
  return [{ path: ['vault'], message, fix: 'remove it', other: ['keyStore', 'type'] }];
}

function cacheRules({ kes }: Environment): Problem[] {
  return (['any', 'unused'] as const).flatMap((which) => {
    const time = kes.cache[which];
    if (!isDuration(time) || durationToMs(time) !== 0) return [];
    const message = 'must be longer than 0s, because KES would then ask its key store for every object';
    const fix = which === 'any' ? 'write 5m' : 'write 30s';
    return [{ path: ['kes', 'cache', which], message, fix, other: [] }];
  });
}

function scheduleRules({ schedule: { backup } }: Environment): Problem[] {
  if (backup === undefined || backup.to.startsWith('s3://')) return [];
  return (['endpoint', 'region', 'caFile'] as const)
    .filter((setting) => backup[setting] !== undefined)
    .map((setting) => ({
      path: ['schedule', 'backup', setting],
      message: 'must not be given where schedule.backup.to is a folder',
      fix: 'remove it, or write an s3:// place',
      other: ['schedule', 'backup', 'to'],
    }));
}

/** What is built here has the guard: a row that is open all the same is a fault of it, and must fail. */
function riskRules({ images, minio }: Environment): Problem[] {
  if (images.source !== 'build' || minio.acceptedRisks.length === 0) return [];
  const message = 'must not be given with images.source: build, whose image of MinIO has the guard';
  return [{ path: ['minio', 'acceptedRisks'], message, fix: 'remove it', other: ['images', 'source'] }];
}

function driveRules(environment: Environment): Problem[] {
  const { keyStore } = environment;
  const { drives } = environment.minio;
  const problems: Problem[] = environment.hosts === undefined ? erasureRules(environment.minio) : [];
  if (typeof drives === 'number') return problems;
  const folders = drives.map((drive) => (typeof drive === 'string' ? drive : drive.path));
  const keys = keyStore.type === 'filesystem' ? keyStore.path : undefined;
  folders.forEach((folder, index) => {
    const path = ['minio', 'drives', index, ...(typeof drives[index] === 'string' ? [] : ['path'])];
    const twin = folders.findIndex((other) => other === folder || isInside(folder, other) || isInside(other, folder));
    if (twin < index) {
      const same = folders[twin] === folder;
      const message = `must ${same ? 'differ from' : 'not overlap with'} minio.drives[${twin}] (${folders[twin] ?? ''})`;
      problems.push({ path, message, fix: 'name a disk of its own', other: ['minio', 'drives', twin] });
    }
    if (keys !== undefined && (keys === folder || isInside(keys, folder) || isInside(folder, keys))) {
      const message = `must not overlap with keyStore.path (${keys}), where the master keys are`;
      problems.push({ path, message, fix: 'choose another folder', other: ['keyStore', 'path'] });
    }
  });
  return problems;
}

function erasureRules({ drives, parity }: Environment['minio']): Problem[] {
  const count = typeof drives === 'number' ? drives : drives.length;
  if (count !== 1 && (count < 4 || count > MOST_DRIVES)) {
    const message = `must be 1, or 4 to ${MOST_DRIVES}, because erasure coding is for four drives and more`;
    return [{ path: ['minio', 'drives'], message, fix: 'declare one drive, or four and more', other: ['hosts'] }];
  }
  const forParity = { path: ['minio', 'parity'], other: ['minio', 'drives'] };
  if (parity !== undefined && count === 1) {
    const message = 'must not be given with one drive: parity is kept on others';
    return [{ ...forParity, message, fix: 'remove it, or declare four drives or more' }];
  }
  if (parity !== undefined && parity > count / 2) {
    const most = Math.floor(count / 2);
    const message = `must be at most half of the drives (${most} of ${count})`;
    return [{ ...forParity, message, fix: `write ${most} or less` }];
  }
  return [];
}

const isInside = (folder: string, outer: string): boolean => folder.startsWith(`${outer}/`);

function bucketRules({ buckets }: Environment): Problem[] {
  return buckets.flatMap((bucket, index) => {
    const { name, objectLock, versioning } = bucket;
    const problems: Problem[] = [];
    const at = (...parts: string[]): Problem['path'] => ['buckets', index, ...parts];
    const first = buckets.findIndex((other) => other.name === name);
    if (first < index) {
      const message = `must differ from buckets[${first}].name`;
      problems.push({ path: at('name'), message, fix: 'remove one', other: ['buckets', first, 'name'] });
    }
    if (name === EARLIER_OBJECTS_BUCKET) {
      const message = 'must not be the one that deploys keep for the checks';
      problems.push({ path: at('name'), message, fix: 'choose another name', other: [] });
    }
    if (objectLock && versioning !== true) {
      const message = 'must be true where objectLock is';
      problems.push({ path: at('versioning'), message, fix: 'write versioning: true', other: at('objectLock') });
    }
    return [...problems, ...retentionRules(bucket, index), ...lifecycleRules(bucket, index)];
  });
}

function webhookRules({ buckets, hosts, minio: { webhooks } }: Environment): Problem[] {
  const problems: Problem[] = [];
  if (hosts !== undefined && webhooks.length > 0) {
    const message =
      'must not be given with hosts: MinIO reads webhooks when it starts, and all hosts would be restarted at once';
    problems.push({ path: ['minio', 'webhooks'], message, fix: 'remove it', other: ['hosts'] });
  }
  webhooks.forEach(({ name }, index) => {
    const first = webhooks.findIndex((other) => other.name === name);
    if (first === index) return;
    const message = `must differ from minio.webhooks[${first}].name`;
    const other = ['minio', 'webhooks', first, 'name'];
    problems.push({ path: ['minio', 'webhooks', index, 'name'], message, fix: 'remove one', other });
  });
  buckets.forEach(({ events = [] }, index) => {
    events.forEach((rule, number) => {
      const at = ['buckets', index, 'events', number];
      if (!webhooks.some(({ name }) => name === rule.webhook)) {
        const message = 'must be a webhook that is declared';
        const other = ['minio', 'webhooks'];
        problems.push({ path: [...at, 'webhook'], message, fix: 'declare it in minio.webhooks', other });
      }
      const repeated = rule.on.find((what, place) => rule.on.indexOf(what) < place);
      if (repeated === undefined) return;
      const message = `must name ${repeated} once`;
      problems.push({ path: [...at, 'on'], message, fix: 'remove one', other: [] });
    });
  });
  return problems;
}

function retentionRules({ name, objectLock, retention }: BucketSettings, index: number): Problem[] {
  if (retention === undefined) return [];
  const at = ['buckets', index, 'retention'];
  const problems: Problem[] = [];
  if (!objectLock) {
    const message = 'must not be given where objectLock is false';
    const fix = 'write objectLock: true, which can only be chosen when the bucket is made';
    problems.push({ path: at, message, fix, other: ['buckets', index, 'objectLock'] });
  }
  const path = [...at, 'confirm'];
  const other = [...at, 'mode'];
  if (retention.mode === 'compliance' && retention.confirm !== name) {
    const message = `must be the bucket’s own name (${name}) for compliance, which cannot be lifted before its end`;
    problems.push({ path, message, fix: `write confirm: ${name}, or mode: governance`, other });
  }
  if (retention.mode === 'governance' && retention.confirm !== undefined) {
    problems.push({ path, message: 'must only be given for compliance', fix: 'remove it', other });
  }
  return problems;
}

/** A life cycle waits for the end of the retention: a shorter one says what never happens. */
function lifecycleRules({ lifecycle = [], retention, versioning }: BucketSettings, index: number): Problem[] {
  return lifecycle.flatMap((rule, number) => {
    const at = ['buckets', index, 'lifecycle', number];
    const problems: Problem[] = [];
    if (rule.expireDays === undefined && rule.expireNoncurrentDays === undefined) {
      const message = 'must have expireDays or expireNoncurrentDays';
      problems.push({ path: at, message, fix: 'add one, or remove the rule', other: [] });
    }
    if (rule.expireNoncurrentDays !== undefined && versioning === false) {
      const message = 'must not be given where versioning is false: there are no older versions';
      const other = ['buckets', index, 'versioning'];
      problems.push({ path: [...at, 'expireNoncurrentDays'], message, fix: 'write expireDays', other });
    }
    for (const name of ['expireDays', 'expireNoncurrentDays'] as const) {
      const days = rule[name];
      if (days === undefined || retention === undefined || days >= retention.days) continue;
      const message = `must be at least retention.days (${retention.days}), before which nothing is deleted`;
      const other = ['buckets', index, 'retention', 'days'];
      problems.push({ path: [...at, name], message, fix: `write ${retention.days} or more`, other });
    }
    return problems;
  });
}

function dataLossRules({ name, allowDataLoss }: Environment): Problem[] {
  if (allowDataLoss === undefined || allowDataLoss === name) return [];
  const message = `must be the environment’s own name (${name})`;
  return [{ path: ['allowDataLoss'], message, fix: 'correct it, or remove the line', other: ['name'] }];
}

function appRoleRules(keyStore: VaultKeyStoreSettings): Problem[] {
  const problems: Problem[] = [];
  const at = ['keyStore', 'approle'] as const;
  const { tokenPeriod, secretId, existingMount } = keyStore.approle;
  if (isDuration(tokenPeriod) && durationToMs(tokenPeriod) < durationToMs(MINIMUM_TOKEN_PERIOD)) {
    problems.push({
      path: [...at, 'tokenPeriod'],
      message: `must be at least ${MINIMUM_TOKEN_PERIOD}, because the token of KES would die before KES renews it`,
      fix: `write ${MINIMUM_TOKEN_PERIOD} or more`,
      other: [],
    });
  }
  const life = isDuration(secretId.ttl) ? durationToMs(secretId.ttl) : 0;
  if (life !== 0 && life < durationToMs(MINIMUM_SECRET_ID_TTL)) {
    problems.push({
      path: [...at, 'secretId', 'ttl'],
      message: `must be 0s or at least ${MINIMUM_SECRET_ID_TTL}, because only a deploy renews it`,
      fix: `write ${MINIMUM_SECRET_ID_TTL} or more`,
      other: [],
    });
  }
  if (life > durationToMs(MAXIMUM_SECRET_ID_TTL)) {
    problems.push({
      path: [...at, 'secretId', 'ttl'],
      message: `must be at most ${MAXIMUM_SECRET_ID_TTL}, because Vault ends it then, whatever it says`,
      fix: `write ${MAXIMUM_SECRET_ID_TTL} or less, or 0s`,
      other: [],
    });
  }
  if (keyStore.vault.mode === 'embedded') {
    const needsExternal = (path: Problem['path'], why: string, fix: string): void => {
      problems.push({ path, message: `needs an external Vault, because ${why}`, fix, other: ['vault', 'mode'] });
    };
    if (keyStore.existingMount) {
      needsExternal(['keyStore', 'existingMount'], 'an embedded one begins empty', 'remove the line');
    }
    if (existingMount) needsExternal([...at, 'existingMount'], 'an embedded one begins empty', 'remove the line');
    if (secretId.delivery === 'wrapped') {
      needsExternal([...at, 'secretId', 'delivery'], 'only the deploy can mint in an embedded one', 'write minted');
    }
  }
  return problems;
}

/** The rules between names and certificates. */
function certificateRules({ tls, minio }: Environment): Problem[] {
  const problems = domainRule(minio);
  if (tls.mode === 'self-signed') return problems;
  const own = s3Names(minio);
  if (tls.mode === 'files') return own.length === 0 ? [] : [...problems, ...hostRule(own, ['tls', 'mode'])];
  const lists = [
    { path: ['tls', 'domains'], domains: tls.domains },
    ...tls.additional.map(({ domains }, index) => ({ path: ['tls', 'additional', index, 'domains'], domains })),
  ];
  const named = lists.flatMap(({ path, domains }) =>
    domains.map((domain, index) => ({ path: [...path, index], domain })),
  );
  named.forEach(({ path, domain }, index) => {
    const twin = named.slice(0, index).find((other) => overlap(other.domain, domain));
    if (twin !== undefined) {
      const message = `must not overlap with ${twin.domain}, because MinIO would show either certificate by chance`;
      problems.push({ path, message, fix: 'remove one', other: twin.path });
    }
    if (domain.startsWith('*.') && tls.challenge.type === 'http-01') {
      const message = 'must not be a wildcard, which can only be had by a dns-01 challenge';
      problems.push({ path, message, fix: 'use dns-01, or name each host', other: ['tls', 'challenge', 'type'] });
    }
  });
  minio.hostnames.forEach((name, index) => {
    if (named.some(({ domain }) => coversName(domain, name))) return;
    const message = 'must be covered by tls.domains or by the domains of tls.additional';
    problems.push({ path: ['minio', 'hostnames', index], message, fix: 'add it there', other: ['tls', 'domains'] });
  });
  s3Names({ hostnames: [], domain: minio.domain }).forEach((name) => {
    if (named.some(({ domain }) => coversName(domain, name))) return;
    const message = `must be covered by tls.domains or by the domains of tls.additional with ${name}`;
    problems.push({ path: ['minio', 'domain'], message, fix: 'add it there', other: ['tls', 'domains'] });
  });
  problems.push(...hostRule([...own, ...named.map(({ domain }) => domain)], ['tls', 'domains']));
  return problems;
}

/** Names below the domain mean buckets (minio/minio, cmd/api-router.go). */
function domainRule({ domain, hostnames }: Environment['minio']): Problem[] {
  if (domain === undefined) return [];
  return hostnames.flatMap((name, index) => {
    if (name.startsWith('*.') || !name.toLowerCase().endsWith(`.${domain.toLowerCase()}`)) return [];
    const message = `must not be below minio.domain (${domain}), where S3 takes it for a bucket`;
    const fix = `have clients use ${domain} itself, or choose a domain of its own for the buckets`;
    return [{ path: ['minio', 'hostnames', index], message, fix, other: ['minio', 'domain'] }];
  });
}

/** A key that two programs share is a key by which one opens what is the other's. */
function kesClientRules(environment: Environment): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map(minioKeys(environment).map((key): [string, string] => [key, 'MinIO']));
  const { clients } = environment.kes;
  clients.forEach(({ name, keys }, index) => {
    const at = ['kes', 'clients', index];
    const first = clients.findIndex((other) => other.name === name);
    if (first < index) {
      const message = `must differ from kes.clients[${first}].name`;
      problems.push({ path: [...at, 'name'], message, fix: 'remove one', other: ['kes', 'clients', first, 'name'] });
    }
    keys.forEach((key, number) => {
      const owner = owners.get(key);
      if (owner !== undefined) {
        const message = `must not be a key of ${owner}, which could then open what ${name} encrypts, and the other way round`;
        problems.push({ path: [...at, 'keys', number], message, fix: 'choose another name', other: ['minio'] });
      }
      owners.set(key, name);
    });
  });
  return problems;
}

/** Clients of the S3 API. */
function clientRules(environment: Environment): Problem[] {
  const { buckets, clients } = environment;
  return clients.flatMap(({ name, access, sourceAddresses }, index) => {
    const at = ['clients', index];
    const problems: Problem[] = sourceAddresses === undefined ? [] : sourceAddressRule(environment, at);
    const first = clients.findIndex((other) => other.name === name);
    if (first < index) {
      const message = `must differ from clients[${first}].name`;
      problems.push({ path: [...at, 'name'], message, fix: 'remove one', other: ['clients', first, 'name'] });
    }
    access.forEach(({ bucket, may, objectLock }, number) => {
      const here = [...at, 'access', number];
      const position = buckets.findIndex((declared) => declared.name === bucket);
      const declared = buckets[position];
      if (declared === undefined) {
        const message = 'must be a bucket that is declared';
        problems.push({ path: [...here, 'bucket'], message, fix: 'declare it in buckets', other: ['buckets'] });
        return;
      }
      if (may === 'append' && declared.versioning !== true) {
        const message = `must not be append where buckets[${position}].versioning is not true: what is overwritten would be gone`;
        const other = ['buckets', position, 'versioning'];
        problems.push({ path: [...here, 'may'], message, fix: 'write versioning: true for the bucket', other });
      }
      if (!objectLock) return;
      const path = [...here, 'objectLock'];
      if (!declared.objectLock) {
        const message = `must be false where buckets[${position}].objectLock is`;
        const other = ['buckets', position, 'objectLock'];
        problems.push({ path, message, fix: 'remove it, or declare a bucket with object lock', other });
      } else if (may === 'read') {
        const message = 'must be false for a client that may only read';
        problems.push({ path, message, fix: 'remove it, or write may: append', other: [...here, 'may'] });
      }
    });
    return problems;
  });
}

/** Measured with Docker 20.10: see docs/clients.md for what MinIO sees of whom. */
function sourceAddressRule({ docker: { publishAddress }, hosts }: Environment, client: Problem['path']): Problem[] {
  const path = [...client, 'sourceAddresses'];
  if (hosts !== undefined) {
    const message = 'must not be given with hosts: MinIO sees the balancers instead of the clients';
    return [{ path, message, fix: 'remove it', other: ['hosts'] }];
  }
  if (isIPv4(publishAddress) && !isLoopback(publishAddress)) return [];
  const message = `must not be given where docker.publishAddress is ${publishAddress}: MinIO sees all its clients with the address of the Docker network`;
  const fix = 'remove it, or publish on an IPv4 address of the host';
  return [{ path, message, fix, other: ['docker', 'publishAddress'] }];
}

function hostRule(names: readonly string[], other: Problem['path']): Problem[] {
  if (names.some((name) => !name.startsWith('*.'))) return [];
  const message = 'must name a host beside the wildcards, because the checks need one to ask for';
  return [{ path: ['minio', 'hostnames'], message, fix: 'add a name that clients use', other }];
}
