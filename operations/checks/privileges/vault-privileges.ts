/**
 * What Vault must refuse. Real keys are only asked about (`sys/capabilities-self`); what is tried aims at names that do
 * not exist, or cannot succeed, so that nothing is lost where Vault wrongly allows it.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { vaultNames } from '../../../config/deployment-names';
import type { VaultEnvironment } from '../../../config/environment';
import { masterKeys } from '../../../config/keys/master-keys';
import { retiredKeys } from '../../state/notes/retired-keys';
import { messageOf } from '../../lib/errors';
import type { HttpRequest } from '../../lib/net/http';
import type { VaultClient } from '../../vault/vault-client';
import { CheckFailure, type Evidence, type VaultCheck, type VaultContext } from '../check';
import { someOf } from '../drift/differences';
import { credentialsOfKes, withoutLoginOfKes, withVault } from '../health/vault';
import { Secret } from '../../lib/secret';

/** More versions than any key has: a write that asks for it fails even where it is allowed. */
const IMPOSSIBLE_VERSION = 2 ** 31 - 1;

const capabilities = z.object({ data: z.record(z.string(), z.unknown()) });

const kesTokenConfined: VaultCheck = {
  from: 'vault',
  id: 'vault-kes-token-confined',
  title: 'The token of KES can read its keys and write each once, and nothing else in Vault',
  proves:
    'A token of the role of KES may create and read below its prefix; updating, deleting, destroying and listing keys, ' +
    'reading outside the prefix, and looking at policies, roles and mounts is refused.',
  doesNotProve: 'That no SecretID of KES has leaked, or that no other token or policy reaches the keys.',
  severity: 'critical',
  skipReason: withoutLoginOfKes,
  run: async (context) =>
    withTokenOfKes(context, async (kes, policies) => {
      const { environment, state } = context.loaded;
      const keys = [...masterKeys(environment), ...retiredKeys(environment, state)];
      const paths = pathsOf(environment, keys);
      const problems: string[] = [];
      const expectedPolicies = ['default', vaultNames(environment).kesPolicy].sort();
      if (policies.join() !== expectedPolicies.join()) {
        problems.push(`it has the policies ${policies.join(', ')}, declared ${expectedPolicies.join(', ')}`);
      }
      const asked = await kes.write('sys/capabilities-self', { paths: [...paths.keys, ...paths.closed] });
      const { data } = capabilities.parse(asked);
      for (const path of paths.keys) {
        const may = granted(data[path]);
        if (may !== 'create, read') problems.push(`it may ${may} ${path}, declared create, read`);
      }
      for (const path of paths.closed) {
        const may = granted(data[path]);
        if (may !== 'deny') problems.push(`it may ${may} ${path}, declared nothing`);
      }
      const tried: Record<string, number> = {};
      for (const { what, method, path, json } of attempts(environment)) {
        const status = await kes.probe(method, path, json);
        tried[what] = status;
        if (status !== 403) problems.push(`${what} (${path}) is answered with HTTP ${status}, not refused`);
      }
      const evidence: Evidence = { policies, keys: paths.keys.length, closedPaths: paths.closed.length, tried };
      if (problems.length === 0) return evidence;
      throw new CheckFailure(
        `a token of KES: ${someOf(problems)}`,
        'its policy or its role is not the declared one: see vault-policies and vault-approle-role',
        evidence,
      );
    }),
};

const anonymousRefused: VaultCheck = {
  from: 'vault',
  id: 'vault-anonymous-refused',
  title: 'Vault shows nothing to who has no token',
  proves: 'Without a token, and with a made-up one, reading or listing master keys, policies and mounts is refused.',
  doesNotProve: 'That no token is in the wrong hands.',
  severity: 'critical',
  run: async (context) =>
    withVault(context, async (vault) => {
      const { environment } = context.loaded;
      const { mount } = environment.keyStore;
      const [key = ''] = pathsOf(environment, masterKeys(environment)).keys;
      const madeUp = vault.withToken(new Secret(`hvs.${randomBytes(18).toString('base64url')}`));
      const answers: Record<string, number> = {};
      try {
        for (const [who, client] of [
          ['a request without token', vault] as const,
          ['a made-up token', madeUp] as const,
        ]) {
          for (const path of [key, `${mount}/?list=true`, 'sys/policies/acl?list=true', 'sys/mounts']) {
            answers[`${who}: ${path}`] = await client.probe('GET', path);
          }
        }
      } finally {
        madeUp.close();
      }
      const wrong = Object.entries(answers).find(([, status]) => ![400, 401, 403].includes(status));
      if (wrong === undefined) return { answers };
      const [who, status] = wrong;
      // 5xx refuses as well, but for another reason, and tomorrow it may be gone
      if (status >= 500) throw new Error(`Vault answers ${who} with HTTP ${status}; what it refuses is unknown`);
      throw new CheckFailure(
        `Vault answers ${who} with HTTP ${status}, not with a refusal`,
        'something between here and Vault adds a token (a Vault Agent or proxy with auto-auth): take it away',
        { answers },
      );
    }),
};

/** In the order in which they are reported. */
export const vaultPrivilegeChecks: readonly VaultCheck[] = [kesTokenConfined, anonymousRefused];

/** Calls `use` with a fresh token of KES and revokes it; were the check killed, it would die after its period. */
async function withTokenOfKes<T>(
  context: VaultContext,
  use: (kes: VaultClient, policies: string[]) => Promise<T>,
): Promise<T> {
  const { environment } = context.loaded;
  return withVault(context, async (vault) => {
    const { mount } = environment.keyStore.approle;
    const { client, policies } = await vault.logIn(mount, credentialsOfKes(context)).catch((error: unknown) => {
      throw new Error(`login as KES failed: ${messageOf(error)}`, { cause: error });
    });
    return client.usedUp((kes) => use(kes, [...policies].sort()));
  });
}

interface Paths {
  /** Where KES has its keys. */
  readonly keys: readonly string[];
  /** Where it has no business. */
  readonly closed: readonly string[];
}

function pathsOf(environment: VaultEnvironment, keys: readonly string[]): Paths {
  const { mount, prefix, kvVersion, approle } = environment.keyStore;
  const { kesPolicy, kesRole } = vaultNames(environment);
  const inMount = kvVersion === 2 ? `${mount}/data` : mount;
  const about = kvVersion === 2 ? ['metadata', 'delete', 'undelete', 'destroy'] : [];
  return {
    keys: keys.map((key) => `${inMount}/${prefix}/${key}`),
    closed: [
      ...about.flatMap((part) => keys.map((key) => `${mount}/${part}/${prefix}/${key}`)),
      `${inMount}/${prefix}-2/key`,
      `${inMount}/key`,
      `${mount}/config`,
      `sys/mounts/${mount}`,
      `sys/policies/acl/${kesPolicy}`,
      `auth/${approle.mount}/role/${kesRole}`,
      `auth/${approle.mount}/role/${kesRole}/secret-id`,
      'auth/token/create',
      'sys/audit',
      'sys/seal',
      'sys/storage/raft/snapshot',
    ],
  };
}

interface Attempt {
  readonly what: string;
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly json?: unknown;
}

/** Each is harmless should it be allowed. */
function attempts(environment: VaultEnvironment): Attempt[] {
  const { mount, prefix, kvVersion } = environment.keyStore;
  const nobody = `ebs-check-${randomBytes(8).toString('hex')}`;
  const { defaultKey } = environment.minio;
  if (kvVersion === 1) {
    return [
      { what: 'reading outside the prefix', method: 'GET', path: `${mount}/${nobody}` },
      { what: 'listing the keys', method: 'GET', path: `${mount}/${prefix}?list=true` },
      { what: 'deleting a key', method: 'DELETE', path: `${mount}/${prefix}/${nobody}` },
    ];
  }
  return [
    { what: 'reading outside the prefix', method: 'GET', path: `${mount}/data/${nobody}` },
    { what: 'listing the keys', method: 'GET', path: `${mount}/metadata/${prefix}?list=true` },
    {
      what: 'updating a key',
      method: 'PUT',
      path: `${mount}/data/${prefix}/${defaultKey}`,
      json: { options: { cas: IMPOSSIBLE_VERSION }, data: {} },
    },
    { what: 'deleting a key', method: 'DELETE', path: `${mount}/data/${prefix}/${nobody}` },
    { what: 'deleting all versions of a key', method: 'DELETE', path: `${mount}/metadata/${prefix}/${nobody}` },
    {
      what: 'destroying a version',
      method: 'PUT',
      path: `${mount}/destroy/${prefix}/${nobody}`,
      json: { versions: [1] },
    },
  ];
}

/** Capabilities as one text. */
function granted(value: unknown): string {
  return z.array(z.string()).parse(value).sort().join(', ');
}
