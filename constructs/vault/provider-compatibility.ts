import { ApproleAuthBackendRole } from '@cdktf/provider-vault/lib/approle-auth-backend-role';
import type { IAspect } from 'cdktf';
import type { IConstruct } from 'constructs';
import { DeclarationError } from '../declaration-error';

/**
 * Lets constructs that are written for hashicorp/vault 5.x work with 1.9.0, the only version that can be built from Go
 * modules; see docs/adr/0002. It is the one place that knows the difference.
 *
 * | 5.x              | 1.9.0      | 1.9.0 when empty          |
 * |------------------|------------|---------------------------|
 * | `token_policies` | `policies` | crashes (its issue #485)  |
 * | `token_period`   | `period`   | crashes (its issue #489)  |
 */
export class VaultProviderCompatibility implements IAspect {
  private readonly version: string;

  /** @param version exact version of the provider */
  constructor(version: string) {
    this.version = version;
  }

  visit(node: IConstruct): void {
    if (!this.version.startsWith('1.') || !(node instanceof ApproleAuthBackendRole)) return;
    const policies = node.tokenPoliciesInput;
    const period = node.tokenPeriodInput;
    if (policies === undefined || policies.length === 0 || period === undefined || period === 0) {
      throw new DeclarationError(
        node,
        '`tokenPolicies` and `tokenPeriod` must not be empty with provider 1.9.0, which would crash on reading the role',
      );
    }
    node.resetTokenPolicies();
    node.resetTokenPeriod();
    node.addOverride('policies', policies);
    node.addOverride('period', period);
  }
}
