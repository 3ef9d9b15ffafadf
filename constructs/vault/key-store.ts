import { Audit } from '@cdktf/provider-vault/lib/audit';
import { ApproleAuthBackendRole } from '@cdktf/provider-vault/lib/approle-auth-backend-role';
import { AuthBackend } from '@cdktf/provider-vault/lib/auth-backend';
import { Mount } from '@cdktf/provider-vault/lib/mount';
import { Policy } from '@cdktf/provider-vault/lib/policy';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { vaultNames } from '../../config/deployment-names';
import { durationToMs } from '../../config/duration';
import { auditDeviceSettings, keyLocation, provisionedAuditDevices } from '../../config/keys/key-store';
import { isInVault } from '../../config/vault/vault';
import { kesPolicyRules, migrationPolicyRules, policyDocument } from '../../config/vault/vault-policies';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';

export interface KeyStoreProps {
  readonly deployment: DeploymentBase;
}

/**
 * Where KES keeps the master keys in Vault: a KV mount, a write-once policy, and an AppRole role whose token KES
 * renews for ever.
 *
 * No SecretID is declared, because the provider would write it into the state; an operation mints it.
 */
export class KeyStore extends Construct {
  private readonly role: ApproleAuthBackendRole;

  constructor(scope: Construct, id: string, { deployment }: KeyStoreProps) {
    super(scope, id);
    const { environment, migrationSource } = deployment;
    if (!isInVault(environment)) {
      throw new DeclarationError(
        this,
        `\`deployment\` must have its master keys in Vault, got: ${environment.keyStore.type}`,
      );
    }
    const { keyStore } = environment;
    const { approle } = keyStore;
    const names = vaultNames(environment);
    const keys = keyLocation(keyStore);
    // first, so that what follows is on record; whoever runs an external Vault has devices of their own
    const auditDevices = provisionedAuditDevices(environment).map(
      (device) => new Audit(this, `Audit-${device.name}`, auditDeviceSettings(device)),
    );
    new Mount(this, 'Mount', {
      path: keys.mount,
      type: 'kv',
      description: 'Master keys of KES',
      options: { version: String(keys.kvVersion) },
      dependsOn: auditDevices,
      ...declaredUnless(keyStore.existingMount),
      lifecycle: { preventDestroy: keyStore.existingMount || !deployment.allowsDataLoss },
    });
    const policy = new Policy(this, 'Policy', {
      name: names.kesPolicy,
      policy: policyDocument(
        migrationSource === undefined ? kesPolicyRules(keys) : migrationPolicyRules(keys, migrationSource),
      ),
      dependsOn: auditDevices,
    });
    const backend = new AuthBackend(this, 'AppRole', {
      type: 'approle',
      path: approle.mount,
      description: 'Logins of KES',
      dependsOn: auditDevices,
      ...declaredUnless(approle.existingMount),
      ...(approle.existingMount ? { lifecycle: { preventDestroy: true } } : {}),
    });
    const secretIdTtl = durationToMs(approle.secretId.ttl) / 1000;
    this.role = new ApproleAuthBackendRole(this, 'Role', {
      backend: approle.mount,
      roleName: names.kesRole,
      bindSecretId: true,
      tokenPolicies: [policy.name],
      tokenPeriod: durationToMs(approle.tokenPeriod) / 1000,
      ...(secretIdTtl === 0 ? {} : { secretIdTtl }),
      dependsOn: [backend],
    });
  }

  /** For the `dependsOn` of what logs in by the role. */
  get dependable(): ITerraformDependable {
    return this.role;
  }

  /** Changes when the role was made anew. */
  get roleId(): string {
    return this.role.roleId;
  }
}

/**
 * What is someone else's is declared zero times, and not left out: were it in the state from an earlier deploy that made
 * it, Terraform would delete what is left out, and refuses to delete what is still declared with `prevent_destroy`.
 */
function declaredUnless(existing: boolean): { count?: number } {
  return existing ? { count: 0 } : {};
}
