import { namesOf } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { provisionerPolicy } from '../../config/key-store';

/** The policy of the token that deploys against an external Vault, with what its administrator should know. */
export function policyText(environment: Environment): string {
  return `${head(environment)}\n\n${provisionerPolicy(environment)}`;
}

function head(environment: Environment): string {
  const namespace = environment.vault.mode === 'external' ? environment.vault.namespace : undefined;
  return [
    `# What the token that deploys ${environment.name} may do: ${namesOf(environment).provisionerPolicy}`,
    ...(namespace === undefined ? [] : [`# Belongs in namespace ${namespace}; every path is below it.`]),
    '# It cannot read, change or delete a master key, and cannot change this policy. It can write the policy and the role',
    '# of KES, so whoever holds the token can get at the keys all the same: keep it like one.',
  ].join('\n');
}
