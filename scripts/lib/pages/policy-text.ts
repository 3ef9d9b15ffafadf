import { awsPolicy, sealPolicy } from '../../../config/keys/aws';
import { vaultNames } from '../../../config/deployment-names';
import type { Environment, VaultEnvironment } from '../../../config/environment';
import { declaredSeal } from '../../../config/vault/seal';
import { embeddedVault, isInVault } from '../../../config/vault/vault';
import { policyDocument, sealRules } from '../../../config/vault/vault-policies';
import { provisionerPolicy, provisionerRules } from '../../../config/keys/key-store';
import { UsageError } from '../../../operations/lib/errors';

/**
 * The policy that someone who runs the key store has to grant before a deploy: of the token that deploys against an
 * external Vault, or opens an embedded one by a seal, in Vault's language, or of the credentials of KES in AWS, as IAM takes it.
 *
 * @param retiredKeys master keys that are no longer declared and stay readable
 * @throws UsageError where nothing has to be granted
 */
export function policyText(
  environment: Environment,
  { retiredKeys = [], json = false }: { readonly retiredKeys?: readonly string[]; readonly json?: boolean } = {},
): string {
  const { name, keyStore } = environment;
  if (keyStore.type === 'aws') return jsonText(awsPolicy(environment, retiredKeys));
  const vault = embeddedVault(environment);
  const seal = vault === undefined ? undefined : declaredSeal(vault);
  if (seal?.type === 'awskms') return jsonText(sealPolicy(seal));
  if (seal !== undefined) {
    const rules = sealRules(seal);
    return json ? jsonText(rules) : `${SEAL_HEAD}\n\n${policyDocument(rules)}`;
  }
  if (!isInVault(environment) || environment.keyStore.vault.mode === 'embedded') {
    throw new UsageError(
      isInVault(environment)
        ? `environment ${name} has an embedded Vault, whose initialisation writes the policy itself`
        : `environment ${name} keeps its master keys in a folder, which needs no policy`,
      'name an environment with vault.mode: external, or with keyStore.type: aws',
    );
  }
  return json ? jsonText(provisionerRules(environment)) : `${head(environment)}\n\n${provisionerPolicy(environment)}`;
}

const SEAL_HEAD = `# What the token may do by which an embedded Vault opens itself. Who holds it and has the storage of that Vault can
# read everything in it: protect it like a key.`;

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** What the administrator of Vault should know. */
function head(environment: VaultEnvironment): string {
  const { vault } = environment.keyStore;
  const namespace = vault.mode === 'external' ? vault.namespace : undefined;
  return [
    `# What the token that deploys ${environment.name} may do: ${vaultNames(environment).provisionerPolicy}`,
    ...(namespace === undefined ? [] : [`# Belongs in namespace ${namespace}; every path is below it.`]),
    '# It cannot read, change or delete a master key, and cannot change this policy. It can write the policy and the role',
    '# of KES, so whoever holds the token can reach the keys: protect it like a key.',
  ].join('\n');
}
