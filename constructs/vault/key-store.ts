import { Audit } from '@cdktf/provider-vault/lib/audit';
import { ApproleAuthBackendRole } from '@cdktf/provider-vault/lib/approle-auth-backend-role';
import { AuthBackend } from '@cdktf/provider-vault/lib/auth-backend';
import { Mount } from '@cdktf/provider-vault/lib/mount';
import { Policy } from '@cdktf/provider-vault/lib/policy';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { durationRule, durationToMs, isDuration } from '../../config/duration';
import { MINIMUM_TOKEN_PERIOD } from '../../config/environment-rules';
import type { AuditDevice } from '../../config/keys/key-store';
import {
  kesPolicyRules,
  migrationPolicyRules,
  type KeyLocation,
  policyDocument,
} from '../../config/vault/vault-policies';
import { DeclarationError } from '../declaration-error';

export interface KeyStoreProps extends KeyLocation {
  /** Use a KV mount that someone else made, and never change or remove it. @default false */
  readonly existingMount?: boolean;
  /** Name of the policy of KES. */
  readonly policyName: string;
  readonly appRole: {
    readonly mount: string;
    /** Use an AppRole backend that someone else made, and never change or remove it. @default false */
    readonly existingMount?: boolean;
    readonly role: string;
    /** Period of KES's token, a duration of at least 10m. */
    readonly tokenPeriod: string;
    /** Life of a SecretID, a duration. @default 0s - without end */
    readonly secretIdTtl?: string;
  };
  /**
   * Audit devices. Vault answers nothing when it can write to none of them, so give two.
   *
   * @default - none is declared: whoever runs the Vault has theirs
   */
  readonly auditDevices?: readonly AuditDevice[];
  /** The place in the same Vault that a migration takes the keys from. @default - none is under way */
  readonly migrationSource?: KeyLocation;
  /** Let Terraform delete the mount with every master key in it. @default false */
  readonly allowDataLoss?: boolean;
}

/**
 * Where KES keeps the master keys in Vault: a KV mount, a write-once policy, and an AppRole role whose token KES
 * renews for ever.
 *
 * No SecretID is declared, because the provider would write it into the state; an operation mints it.
 */
export class KeyStore extends Construct {
  private readonly role: ApproleAuthBackendRole;

  constructor(scope: Construct, id: string, props: KeyStoreProps) {
    super(scope, id);
    const { tokenPeriod, secretIdTtl = '0s' } = props.appRole;
    if (!isDuration(secretIdTtl)) {
      throw new DeclarationError(this, `\`appRole.secretIdTtl\` ${durationRule}, got: ${secretIdTtl}`);
    }
    if (!isDuration(tokenPeriod)) {
      throw new DeclarationError(this, `\`appRole.tokenPeriod\` ${durationRule}, got: ${tokenPeriod}`);
    }
    if (durationToMs(tokenPeriod) < durationToMs(MINIMUM_TOKEN_PERIOD)) {
      throw new DeclarationError(
        this,
        `\`appRole.tokenPeriod\` must be at least ${MINIMUM_TOKEN_PERIOD}, got: ${tokenPeriod}`,
        'KES would lose its token between two renewals',
      );
    }

    // first, so that what follows is on record
    const auditDevices = (props.auditDevices ?? []).map(
      ({ name, filePath }) =>
        new Audit(this, `Audit-${name}`, {
          path: name,
          type: 'file',
          description: 'encrypted-backup-storage',
          options: { file_path: filePath, mode: '0600' },
        }),
    );
    new Mount(this, 'Mount', {
      path: props.mount,
      type: 'kv',
      description: 'Master keys of KES',
      options: { version: String(props.kvVersion) },
      dependsOn: auditDevices,
      ...declaredUnless(props.existingMount),
      lifecycle: { preventDestroy: props.existingMount === true || props.allowDataLoss !== true },
    });
    const policy = new Policy(this, 'Policy', {
      name: props.policyName,
      policy: policyDocument(
        props.migrationSource === undefined
          ? kesPolicyRules(props)
          : migrationPolicyRules(props, props.migrationSource),
      ),
      dependsOn: auditDevices,
    });
    const backend = new AuthBackend(this, 'AppRole', {
      type: 'approle',
      path: props.appRole.mount,
      description: 'Logins of KES',
      dependsOn: auditDevices,
      ...declaredUnless(props.appRole.existingMount),
      ...(props.appRole.existingMount === true ? { lifecycle: { preventDestroy: true } } : {}),
    });
    this.role = new ApproleAuthBackendRole(this, 'Role', {
      backend: props.appRole.mount,
      roleName: props.appRole.role,
      bindSecretId: true,
      tokenPolicies: [policy.name],
      tokenPeriod: durationToMs(tokenPeriod) / 1000,
      ...(durationToMs(secretIdTtl) === 0 ? {} : { secretIdTtl: durationToMs(secretIdTtl) / 1000 }),
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
function declaredUnless(existing = false): { count?: number } {
  return existing ? { count: 0 } : {};
}
