/** The Vaults of three hosts, asked for their health by a client with a certificate. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { VAULT_CLIENTS } from '../../../config/deployment-names';
import { vaultClientFiles } from '../../../config/state/endpoints';
import { embeddedVault } from '../../../config/vault/vault';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { type Host, HOSTS, type ThreeHosts } from './three-hosts';

/** By which a client knows Vault, and Vault the client. */
export interface VaultTrust {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** What the deploying machine has. */
export function operatorTrust({ environment }: ThreeHosts): VaultTrust {
  const { state } = environment;
  const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.operator);
  return { ca: readFileSync(state.caCertificate), cert: readFileSync(certificate), key: readFileSync(privateKey) };
}

/**
 * @param trust default: what the deploying machine has
 * @returns the status of `sys/health`; nothing where no connection was made
 */
export async function healthOfVault(
  lab: ThreeHosts,
  host: Host,
  trust: VaultTrust = operatorTrust(lab),
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const sent = request({
      host: lab.hosts.address(host),
      port: embeddedVault(lab.environment.loaded.environment)?.port,
      path: '/v1/sys/health',
      ...trust,
      agent: false,
      timeout: 2000,
    });
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => {
      resolve(undefined);
    });
    sent.end();
  });
}

/** The host whose Vault is the active one. */
export async function activeVault(lab: ThreeHosts): Promise<Host> {
  return waitFor({ what: 'an active Vault', timeoutMs: 30_000 }, async () => {
    const answers = await Promise.all(HOSTS.map(async (host) => ({ host, status: await healthOfVault(lab, host) })));
    const active = answers.find(({ status }) => status === 200);
    return active === undefined ? new NotYet(JSON.stringify(answers)) : active.host;
  });
}

/** @returns seconds until the Vault of a host is unsealed */
export async function untilVaultServes(lab: ThreeHosts, host: Host): Promise<number> {
  const began = performance.now();
  await waitFor({ what: `the Vault of host ${host} to be open`, timeoutMs: 90_000 }, async () => {
    const status = await healthOfVault(lab, host);
    return status === 200 || status === 429 ? true : new NotYet(`sys/health answers ${status}`);
  });
  return (performance.now() - began) / 1000;
}
