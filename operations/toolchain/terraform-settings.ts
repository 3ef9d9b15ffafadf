/** The two files by which the shim in `toolchain/terraform` tells Terraform where this project's providers are. */
import path from 'node:path';
import { writeFileAtomically } from '../lib/files';

export interface TerraformSettings {
  /** The filesystem mirror; `undefined` where providers come from the registry. */
  readonly mirror?: string | undefined;
  /** OpenTofu in the cache, for machines without Terraform. */
  readonly opentofu?: string | undefined;
}

/** A string as one word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function cliConfiguration(mirror: string): string {
  return `# Written by ./scripts/toolchain: this project's providers, which were built on this machine.
provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror).replaceAll('${', '$${').replaceAll('%{', '%%{')}
    include = ["registry.terraform.io/*/*", "registry.opentofu.org/*/*"]
  }
}
`;
}

/** Writes both files into the clone's `.toolchain` folder. */
export function writeTerraformSettings(folder: string, settings: TerraformSettings): void {
  const configuration = path.join(folder, 'terraform.rc');
  const lines = ['# Written by ./scripts/toolchain, read by toolchain/terraform/bin/terraform.'];
  if (settings.mirror !== undefined) {
    writeFileAtomically(configuration, cliConfiguration(settings.mirror), 0o644);
    lines.push(`EBS_PROVIDER_MIRROR=${shellQuote(settings.mirror)}`);
    lines.push(`EBS_TERRAFORM_CONFIG=${shellQuote(configuration)}`);
  }
  if (settings.opentofu !== undefined) lines.push(`EBS_OPENTOFU=${shellQuote(settings.opentofu)}`);
  writeFileAtomically(path.join(folder, 'terraform.env'), `${lines.join('\n')}\n`, 0o644);
}
