/** What a client that goes away while it enables an audit device leaves in Vault. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { AUDIT_DEVICES } from '../../../config/keys/key-store';
import { vaultAccess } from '../../../config/state/endpoints';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { VaultClient, VaultError } from '../../../operations/vault/vault-client';
import { inVault } from '../servers/vault';
import { Secret } from '../../../operations/lib/secret';

const ATTEMPTS = 200;
/** Raft writes what is enabled to disk: the client must be gone before, and Vault must have begun, on whatever machine. */
const STAYS_MS = [1, 3, 5, 8, 12, 18, 27, 40, 60];

/**
 * Makes the last audit device by half: registered, so that Vault refuses to enable it, and not in its table, so that Vault
 * neither lists nor removes it.
 *
 * @returns how many clients had to go away
 */
export async function halveAuditDevice({ environment, state }: LoadedEnvironment): Promise<number> {
  const device = AUDIT_DEVICES.at(-1);
  if (device === undefined) throw new Error('no audit device is declared');
  const access = vaultAccess(inVault(environment), state, {});
  const token = readFileSync(state.secret.provisionerToken, 'utf8').trim();
  const vault = new VaultClient(access, new Secret(token));
  const agent = new Agent({ ca: readFileSync(state.caCertificate), rejectUnauthorized: true, keepAlive: true });
  const path = `sys/audit/${device.name}`;
  const body = {
    type: 'file',
    description: 'encrypted-backup-storage',
    options: { file_path: device.filePath, mode: '0600' },
  };
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await vault.probe('DELETE', path);
      await goAway(new URL(`/v1/${path}`, access.url), agent, {
        token,
        body,
        afterMs: STAYS_MS[attempt % STAYS_MS.length] ?? 0,
      });
      if (await isHalf(vault, path, body)) return attempt;
    }
    throw new Error(`${ATTEMPTS} clients went away, and Vault has ${path} or has it not`);
  } finally {
    vault.close();
    agent.destroy();
  }
}

/** Asks, and does not wait for the answer. */
async function goAway(
  url: URL,
  agent: Agent,
  { token, body, afterMs }: { readonly token: string; readonly body: unknown; readonly afterMs: number },
): Promise<void> {
  await new Promise<void>((resolve) => {
    const asking = request(url, { method: 'PUT', agent, headers: { 'x-vault-token': token } }, (answer) => {
      answer.resume();
    });
    asking.on('close', resolve);
    asking.on('error', () => {
      // it was cut off
    });
    asking.end(JSON.stringify(body), () => void delay(afterMs).then(() => asking.destroy()));
  });
}

async function isHalf(vault: VaultClient, path: string, body: unknown): Promise<boolean> {
  try {
    await vault.write(path, body);
    return false;
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    // "already in use" is what is said of a device that was enabled in time
    return error.message.includes('backend already registered');
  }
}
