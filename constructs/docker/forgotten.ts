import { TerraformElement } from 'cdktf';
import type { Construct } from 'constructs';

/**
 * A resource that was declared at this place of the construct tree and no longer is: Terraform forgets it, and deletes
 * nothing. Without this it would delete the resource, because what is not declared has no `prevent_destroy`.
 */
export class Forgotten extends TerraformElement {
  private readonly type: string;

  /** @param type as in `docker_volume` */
  constructor(scope: Construct, id: string, type: string) {
    super(scope, id);
    this.type = type;
    // `removed` is younger than the rest
    this.cdktfStack.addOverride('terraform.required_version', '>= 1.7');
  }

  override toTerraform(): object {
    return { removed: [{ from: `${this.type}.${this.friendlyUniqueId}`, lifecycle: { destroy: false } }] };
  }
}
