/** Whether Vault still is as it was declared. */
import { z } from 'zod';
import { retiredKeys } from '../../state/notes/retired-keys';
import { durationToMs } from '../../../config/duration';
import { vaultNames } from '../../../config/deployment-names';
import { declaredSeal } from '../../../config/vault/seal';
import { embeddedVault } from '../../../config/vault/vault';
import { masterKeys } from '../../../config/keys/master-keys';
import { AUDIT_DEVICES, AUDIT_LOG, kesPolicy, metricsPolicy, provisionerPolicy } from '../../../config/keys/key-store';
import { nodesOf, onEachHost, onHost, vaultNodes, firstVault } from '../../../config/node';
import { VaultError } from '../../vault/vault-client';
import { CheckFailure, type Evidence, ServiceDown, type VaultCheck, type VaultContext } from '../check';
import { containerOf, type ServiceContainer } from '../at-rest/containers';
import { differences } from './differences';
import { seenVaults, vaultProblem } from '../health/each-vault';
import { newRole, readData, withoutOwnVault, withoutToken, withProvisioner, withVault } from '../health/vault';

const vaultUnsealed: VaultCheck = {
  from: 'vault',
  first: true,
  id: 'vault-unsealed',
  title: 'Vault is unsealed and answers',
  proves:
    'Vault is initialised, unsealed and serves requests, and so is each Vault of several hosts that answers. It has as ' +
    'many unseal shares as were declared.',
  doesNotProve: 'That the unseal shares still exist and are kept well.',
  severity: 'high',
  run: async (context) =>
    withVault(context, async (vault) => {
      const { environment } = context.loaded;
      const { initialized, sealed, t: threshold, n: shares, progress } = await vault.sealStatus();
      const evidence = { initialized, sealed, shares, threshold };
      if (sealed) {
        throw new ServiceDown(
          'vault',
          initialized
            ? `Vault is sealed; ${progress} of the ${threshold} unseal shares that it needs were given`
            : 'Vault is empty: it was never initialised, so it holds no key',
          initialized
            ? unsealing(context)
            : 'its volume was lost or replaced: attach the right one, or restore it from a backup',
          evidence,
        );
      }
      const declared = embeddedVault(environment);
      if (declared !== undefined && (declared.shares !== shares || declared.threshold !== threshold)) {
        throw new CheckFailure(
          `Vault has ${shares} unseal share(s) of which ${threshold} unseal it, declared ${declared.shares} and ` +
            String(declared.threshold),
          'shares are made once, when Vault is initialised: set vault.shares and vault.threshold to what it has',
          evidence,
        );
      }
      const health = await vault.health();
      // 429: a standby, which passes requests on
      if (health !== 200 && health !== 429) {
        throw new ServiceDown(
          'vault',
          `Vault is unsealed and does not serve: sys/health answers ${health}`,
          declared !== undefined
            ? `see \`docker logs ${firstVault(environment).vault.container}\`${onEachHost(environment)}`
            : 'ask who runs it',
          { ...evidence, health },
        );
      }
      // of several, the one that was asked may stand for all
      const vaults = await seenVaults(context.loaded);
      const problem = vaultProblem(vaults, context.loaded.argument, unsealing(context));
      if (problem === undefined) return { ...evidence, health };
      const states = { ...evidence, vaults: vaults.map(({ host, state }) => `${host}: ${state}`) };
      throw vaults.some(({ state }) => state === 'serves')
        ? new CheckFailure(problem.message, problem.fix, states)
        : new ServiceDown('vault', problem.message, problem.fix, states);
    }),
};

const auditOptions = z.record(z.string(), z.string()).nullable();
const auditDevices = z.record(z.string(), z.object({ type: z.string(), options: auditOptions }));

const vaultAudit: VaultCheck = {
  from: 'vault',
  id: 'vault-audit-devices',
  title: 'Vault records every request, where and how it was declared',
  proves:
    'The declared audit devices are on with the declared options, which hide every secret, there is no other, and Vault ' +
    'can write to each.',
  doesNotProve: 'That the records are kept or read. Root on the Docker host can change them.',
  severity: 'high',
  skipReason: withoutOwnVault,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const before = Math.floor(Date.now() / 1000);
      const { vault: node } = firstVault(context.loaded.environment);
      const isOpenbao = node.program === 'openbao';
      const found = Object.fromEntries(
        Object.entries(await readData(vault, 'sys/audit', auditDevices)).map(([path, { type, options }]) => [
          path.replace(/\/$/, ''),
          { type, ...options },
        ]),
      );
      const declared = Object.fromEntries(
        AUDIT_DEVICES.map(({ name, filePath }) => [name, { type: 'file', file_path: filePath, mode: '0600' }]),
      );
      requireNone(
        differences(declared, found).map((problem) => `audit device ${problem}`),
        isOpenbao
          ? `\`docker kill -s HUP ${node.container}\` has OpenBao make what is declared; its log says why it does not`
          : `./scripts/up ${context.loaded.argument} switches on what is declared; \`vault audit disable NAME\` takes another away`,
        { devices: found },
      );
      await requireWritable(context, before);
      return { devices: found };
    }),
};

/** Vault goes on as long as it can write to one device, and only its log says that another failed. */
async function requireWritable(context: VaultContext, sinceSeconds: number): Promise<void> {
  for (const node of vaultNodes(nodesOf(context.loaded.environment))) {
    await requireWritableOn(await containerOf(node, node.vault.container), onHost(node), sinceSeconds);
  }
}

async function requireWritableOn(container: ServiceContainer, where: string, sinceSeconds: number): Promise<void> {
  const lines = (await container.logsSince(sinceSeconds)).split('\n');
  // audit/broker.go of hashicorp/vault; vault/audit_broker.go of openbao
  const failed = lines.find((line) =>
    /log (?:request|response) underlying pipeline error|backend failed to log (?:request|response)/.test(line),
  );
  if (failed === undefined) return;
  const said = /error="?(.*)/.exec(failed)?.[1] ?? failed;
  throw new CheckFailure(
    `Vault${where} cannot write to every audit device: ${said}`,
    `free space where ${container.shown}'s volume for /vault/audit lies, or move old records away. When no device can be written, Vault answers nothing`,
  );
}

const auditWritten: VaultCheck = {
  from: 'vault',
  id: 'vault-audit-written',
  title: 'What Vault is asked is in its audit log a moment later',
  proves: `The file ${AUDIT_LOG} of the Vault that answers becomes longer by a request.`,
  doesNotProve: 'That older records are still there: docs/operations.md says how long they stay.',
  severity: 'high',
  skipReason: withoutOwnVault,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const { dockerEngine, outputOf } = await import('../../docker/docker.js');
      const hosts = vaultNodes(nodesOf(environment));
      const sizes = async (): Promise<Record<string, number>> =>
        Object.fromEntries(
          await Promise.all(
            hosts.map(async (node): Promise<[string, number]> => {
              const container = dockerEngine(node.docker).getContainer(node.vault.container);
              const { code, output } = await outputOf(container, ['stat', '-c', '%s', AUDIT_LOG]);
              return [`${node.vault.container}${onHost(node)}`, code === 0 ? Number(output) : 0];
            }),
          ),
        );
      const before = await sizes();
      await vault.read('auth/token/lookup-self');
      const after = await sizes();
      const evidence = { before, after };
      // with several hosts whoever is asked passes it on to the active one, which writes it
      if (Object.entries(after).some(([name, size]) => size > (before[name] ?? 0))) return evidence;
      throw new CheckFailure(
        `${AUDIT_LOG} does not grow when Vault is asked something: it was removed or replaced under Vault, which writes elsewhere`,
        hosts.map(({ vault: { container } }) => `\`docker kill -s HUP ${container}\``).join(', ') +
          ' has Vault open it again; find out who moved it',
        evidence,
      );
    }),
};

const policyShape = z.object({ policy: z.string() });

const vaultPolicies: VaultCheck = {
  from: 'vault',
  id: 'vault-policies',
  title: 'The policies in Vault are the declared ones, byte for byte',
  proves: 'What KES, and in an embedded Vault the provisioner, may do in Vault is exactly what this version declares.',
  doesNotProve: 'That no other token or policy allows more: they are not looked at.',
  severity: 'critical',
  skipReason: withoutToken,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const names = vaultNames(environment);
      const metrics = metricsPolicy(environment);
      const declared: Record<string, string> = {
        [names.kesPolicy]: kesPolicy(environment.keyStore),
        ...(embeddedVault(environment) !== undefined
          ? { [names.provisionerPolicy]: provisionerPolicy(environment) }
          : {}),
        ...(metrics === undefined ? {} : { [metrics.name]: metrics.document }),
      };
      const bytes: Record<string, number> = {};
      for (const [name, text] of Object.entries(declared)) {
        const actual = await unlessMissing(readData(vault, `sys/policies/acl/${name}`, policyShape));
        bytes[name] = actual?.policy.length ?? 0;
        if (actual?.policy === text) continue;
        throw new CheckFailure(
          actual === undefined
            ? `there is no policy ${name} in Vault`
            : `the policy ${name} in Vault is not the declared one: ${lineDifference(text, actual.policy)}`,
          name !== names.kesPolicy
            ? `\`docker rm -f ${firstVault(environment).vault.container}\`${onHost(firstVault(environment))}, then ./scripts/up ${context.loaded.argument}: its data stays, and ` +
                'the policy is written again'
            : `./scripts/up ${context.loaded.argument} writes it again; find out in Vault's audit log who changed it`,
          { policy: name, declaredBytes: text.length, bytes: bytes[name] },
        );
      }
      return { bytes };
    }),
};

const vaultRole: VaultCheck = {
  from: 'vault',
  id: 'vault-approle-role',
  title: 'The AppRole role of KES is as declared',
  proves:
    'KES logs in to a token with its one policy that it can renew for ever, by a SecretID without a limit of uses.',
  doesNotProve: 'That only KES logs in by this role: any holder of one of its SecretIDs can.',
  severity: 'high',
  skipReason: withoutToken,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const { kesRole, kesPolicy: policy } = vaultNames(environment);
      const { approle } = environment.keyStore;
      const declared: Record<string, unknown> = {
        bind_secret_id: true,
        secret_id_num_uses: 0,
        secret_id_ttl: durationToMs(approle.secretId.ttl) / 1000,
        token_policies: [policy],
        token_period: durationToMs(approle.tokenPeriod) / 1000,
        token_max_ttl: 0,
        token_explicit_max_ttl: 0,
        token_num_uses: 0,
        token_no_default_policy: false,
      };
      const path = `auth/${approle.mount}/role/${kesRole}`;
      const found = await unlessMissing(readData(vault, path, z.record(z.string(), z.unknown())));
      const fix = newRole(context);
      if (found === undefined) throw new CheckFailure(`there is no role ${path} in Vault`, fix);
      const actual = Object.fromEntries(Object.keys(declared).map((setting) => [setting, found[setting]]));
      requireNone(differences(declared, actual), fix, { role: path, ...(actual as Evidence) });
      return { role: path, ...(actual as Evidence) };
    }),
};

const mountShape = z.object({ type: z.string(), options: z.record(z.string(), z.string()).nullable() });
const mountConfiguration = z.object({ delete_version_after: z.string(), max_versions: z.number() });

const vaultMount: VaultCheck = {
  from: 'vault',
  id: 'vault-key-mount',
  title: 'The mount of the master keys is as declared, and forgets nothing',
  proves: 'The master keys are in a KV mount of the declared version that never deletes a version by itself.',
  doesNotProve: 'That the keys are in it: vault-master-keys does that.',
  severity: 'high',
  skipReason: withoutToken,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment } = context.loaded;
      const { mount, kvVersion } = environment.keyStore;
      const mounts = await readData(vault, 'sys/mounts', z.record(z.string(), mountShape));
      const { type, options } = mounts[`${mount}/`] ?? { type: 'nothing', options: null };
      const found = { type, version: options?.version ?? '1' };
      requireNone(
        differences({ type: 'kv', version: String(kvVersion) }, found),
        'the keys are where KES does not look for them: correct keyStore.mount and keyStore.kvVersion, or restore the mount',
        { mount, ...found },
      );
      if (kvVersion === 1) return { mount, ...found };
      const { delete_version_after: after } = await readData(vault, `${mount}/config`, mountConfiguration);
      if (after !== '0s') {
        throw new CheckFailure(
          `Vault deletes what is in ${mount}/ ${after} after it was written, master keys too`,
          `\`vault write ${mount}/config delete_version_after=0s\`, at once`,
          { mount, ...found, deleteVersionAfter: after },
        );
      }
      return { mount, ...found, deleteVersionAfter: after };
    }),
};

const keyMetadata = z.object({
  current_version: z.number(),
  delete_version_after: z.string(),
  versions: z.record(
    z.string(),
    z.object({ created_time: z.string(), deletion_time: z.string(), destroyed: z.boolean() }),
  ),
});

const vaultMasterKeys: VaultCheck = {
  from: 'vault',
  id: 'vault-master-keys',
  title: 'Every master key is in Vault, not only in the memory of KES',
  proves:
    'Vault holds the version of each master key that KES reads, those no longer declared among them, not deleted and ' +
    'not about to be.',
  doesNotProve: 'That it is the right key (key-continuity does), or that Vault has a backup.',
  severity: 'critical',
  skipReason: (environment) =>
    environment.keyStore.kvVersion === 1
      ? 'KV version 1 tells nothing about a key without showing it'
      : withoutToken(environment),
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { environment, state } = context.loaded;
      const { mount, prefix } = environment.keyStore;
      const keys: Record<string, Evidence> = {};
      const problems: string[] = [];
      for (const key of [...masterKeys(environment), ...retiredKeys(environment, state)]) {
        const path = `${mount}/metadata/${prefix}/${key}`;
        const metadata = await unlessMissing(readData(vault, path, keyMetadata));
        // KES reads this version and no other (minio/kes v0.24.0, internal/keystore/vault/vault.go)
        const version = metadata?.versions['1'];
        const problem = problemOf(metadata, version);
        if (problem !== undefined) problems.push(`${key} ${problem}`);
        keys[key] = { writtenAt: version?.created_time ?? null, versions: metadata?.current_version ?? 0 };
      }
      if (problems.length > 0) {
        throw new CheckFailure(
          `${problems.join('; ')}: KES serves from memory for minutes at most, then nothing can be read`,
          'do not restart KES; `vault kv undelete -versions=1` brings back what was deleted, a backup what is gone',
          { keys },
        );
      }
      return { keys };
    }),
};

/** What goes first. */
export const vaultSealChecks: readonly VaultCheck[] = [vaultUnsealed];

/** In the order in which they are reported. */
export const vaultDriftChecks: readonly VaultCheck[] = [
  vaultMount,
  vaultMasterKeys,
  vaultPolicies,
  vaultRole,
  vaultAudit,
  auditWritten,
];

function unsealing({ loaded }: VaultContext): string {
  const { environment } = loaded;
  const vault = embeddedVault(environment);
  if (vault === undefined) return 'ask who runs it to unseal it';
  if (declaredSeal(vault) !== undefined)
    return 'vault-seal says whether its seal answers; Vault tries it again every few seconds';
  return vault.unseal === 'manual'
    ? `./scripts/unseal ${loaded.argument}`
    : `./scripts/unseal ${loaded.argument} unseals it; \`docker logs ${firstVault(environment).vault.unsealer.container}\`${onEachHost(environment)} says why the unsealer did not`;
}

function problemOf(
  metadata: z.infer<typeof keyMetadata> | undefined,
  version: z.infer<typeof keyMetadata>['versions'][string] | undefined,
): string | undefined {
  if (metadata === undefined) return 'is not in Vault';
  if (version === undefined) return `has no version 1 in Vault, only version ${metadata.current_version}`;
  if (version.destroyed) return 'is destroyed in Vault';
  if (version.deletion_time !== '') {
    const when =
      Date.parse(version.deletion_time) > Date.now() ? 'will be deleted in Vault at' : 'was deleted in Vault at';
    return `${when} ${version.deletion_time}`;
  }
  return undefined;
}

/** What Vault answers, or undefined if it has nothing of that name. */
async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof VaultError && error.status === 404) return undefined;
    throw error;
  }
}

function requireNone(problems: readonly string[], fix: string, evidence: Evidence): void {
  if (problems.length > 0) throw new CheckFailure(problems.join('; '), fix, evidence);
}

/** The first line in which two texts differ. */
function lineDifference(declared: string, actual: string): string {
  const [wanted, got] = [declared.split('\n'), actual.split('\n')];
  const at = got.findIndex((line, index) => line !== wanted[index]);
  const line = at < 0 ? wanted[got.length] : got[at];
  return at < 0 ? `it ends before \`${line?.trim() ?? ''}\`` : `line ${at + 1} is \`${line?.trim() ?? ''}\``;
}
