/**
 * What an environment file reaches outside of its own deployment: folders and programs of this machine, a Docker host,
 * addresses, accounts, images. Out of a backup it counts only when it was confirmed.
 *
 * The list is of what stays inside, so that a setting that is missing here has to be confirmed.
 */
import { parse } from 'yaml';
import { UsageError } from '../../lib/errors';

const INNER: ReadonlySet<string> = new Set([
  'name',
  ...['unseal', 'shares', 'threshold', 'port', 'memoryMb'].map((setting) => `vault.${setting}`),
  ...['mount', 'prefix', 'kvVersion'].map((setting) => `keyStore.${setting}`),
  ...['mount', 'tokenPeriod', 'secretId.ttl', 'secretId.boundCidrs', 'secretId.tokenBoundCidrs'].map(
    (setting) => `keyStore.approle.${setting}`,
  ),
  ...['port', 'cache.any', 'cache.unused', 'cache.offline', 'clients.name', 'clients.keys', 'memoryMb'].map(
    (setting) => `kes.${setting}`,
  ),
  ...['port', 'hostnames', 'domain', 'region', 'defaultKey', 'keys', 'autoEncryption', 'sseC', 'memoryMb'].map(
    (setting) => `minio.${setting}`,
  ),
  ...['name', 'encryption.type', 'encryption.key', 'versioning', 'objectLock'].map((setting) => `buckets.${setting}`),
  ...['validityDays', 'ipAddresses'].map((setting) => `tls.${setting}`),
]);

/** Of settings that choose a kind: those kinds that need nothing from outside. */
const INNER_VALUES: ReadonlySet<string> = new Set([
  'vault.mode: embedded',
  'keyStore.type: vault',
  'keyStore.type: filesystem',
  'keyStore.approle.secretId.delivery: minted',
  'images.source: build',
  'tls.mode: self-signed',
  'state.backend: local',
  'docker.publishAddress: 127.0.0.1',
  'kes.publishAddress: 127.0.0.1',
  'vault.publishAddress: 127.0.0.1',
]);

export interface OuterSetting {
  /** Such as `docker.host`; entries of a list have the name of the list. */
  readonly name: string;
  readonly value: unknown;
}

/** @param text of an environment file that was parsed and found right */
export function outerSettings(text: string): OuterSetting[] {
  return leaves(parse(text), '').filter(
    ({ name, value }) => !INNER.has(name) && !INNER_VALUES.has(`${name}: ${String(value)}`),
  );
}

/**
 * @param trusted names that were confirmed; one that stands for a group, such as `tls`, confirms all of it
 * @throws UsageError that lists what was not, with its values
 */
export function requireConfirmed(text: string, trusted: readonly string[]): void {
  const outer = outerSettings(text);
  const covers = (name: string, { name: setting }: OuterSetting): boolean =>
    setting === name || setting.startsWith(`${name}.`);
  const names = [...new Set(outer.map(({ name }) => name))];
  const unknown = trusted.find((name) => !outer.some((setting) => covers(name, setting)));
  if (unknown !== undefined) {
    throw new UsageError(
      `--trust-environment: must name settings of the environment file in the backup that reach outside of the deployment (${names.join(', ') || 'there are none'}), got: ${unknown}`,
    );
  }
  const unconfirmed = outer.filter((setting) => !trusted.some((name) => covers(name, setting)));
  if (unconfirmed.length === 0) return;
  throw new UsageError(
    [
      'the environment file in the backup reaches outside of its deployment:',
      ...unconfirmed.map(({ name, value }) => `  ${name}: ${JSON.stringify(value)}`),
    ].join('\n'),
    `if all of that is right on this machine, write --trust-environment ${names.join(',')}; else give an environment file of your own`,
  );
}

function leaves(value: unknown, name: string): OuterSetting[] {
  if (Array.isArray(value)) return value.flatMap((one) => leaves(one, name));
  if (typeof value !== 'object' || value === null) return name === '' ? [] : [{ name, value }];
  return Object.entries(value).flatMap(([key, one]) => leaves(one, name === '' ? key : `${name}.${key}`));
}
