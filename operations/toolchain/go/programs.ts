/** The Go programs of this project: pinned in `toolchain/**`/go.mod, every byte checksummed by go.sum. */
import path from 'node:path';
import type { VaultDistribution } from '../../../config/environment';
import { PROVIDER_VERSIONS } from '../../../config/provider-versions';
import { projectRoot } from '../../lib/project-root';
import type { GoAdditions } from './go-additions';

/** A program that is built from a Go module of its own. */
export interface GoProgram {
  /** File name of the binary, and the name under which it is cached and reported. */
  readonly name: string;
  /** Folder with go.mod and go.sum. */
  readonly module: string;
  /** Import path of the main package. */
  readonly package: string;
  readonly tags: readonly string[];
  /** Files of our own, compiled with it. */
  readonly additions?: GoAdditions;
  /** `linux` for what runs in an image, the machine's own system for what runs here. */
  readonly target: 'image' | 'host';
  /**
   * What its modules and compiled packages add to the Go caches, in MB: measured with empty caches, in the order in
   * which the programs are built.
   */
  readonly diskMb: { readonly modules: number; readonly objects: number };
}

const moduleFolder = (folder: string): string => path.join(projectRoot, 'toolchain', folder);

/** MinIO as upstream left it: no image has it, tests and the benchmark compare with it. */
export const unguardedMinio: GoProgram = {
  name: 'minio',
  module: moduleFolder('images/minio'),
  package: 'github.com/minio/minio',
  tags: [],
  target: 'image',
  diskMb: { modules: 1050, objects: 800 },
};

/** MinIO with the guard, see docs/adr/0036-a-guard-in-minio.md. */
export const minio: GoProgram = {
  ...unguardedMinio,
  additions: { module: unguardedMinio.package, folder: moduleFolder('images/minio/guard') },
};

export const mc: GoProgram = {
  name: 'mc',
  module: moduleFolder('images/mc'),
  package: 'github.com/minio/mc',
  tags: [],
  target: 'image',
  diskMb: { modules: 160, objects: 160 },
};

export const kes: GoProgram = {
  name: 'kes',
  module: moduleFolder('images/kes'),
  package: 'github.com/minio/kes/cmd/kes',
  tags: [],
  target: 'image',
  diskMb: { modules: 890, objects: 200 },
};

export const vault: GoProgram = {
  name: 'vault',
  module: moduleFolder('images/vault'),
  package: 'github.com/hashicorp/vault',
  // keeps kv, approle, transit, pki, raft and the audit devices; drops the database and cloud plugins
  tags: ['minimal'],
  target: 'image',
  diskMb: { modules: 2880, objects: 1930 },
};

/** The fork of Vault by the Linux Foundation, under the Mozilla Public License 2.0. */
export const openbao: GoProgram = {
  name: 'bao',
  module: moduleFolder('images/openbao'),
  package: 'github.com/openbao/openbao',
  tags: [],
  target: 'image',
  // upper estimates, not measured: most of it is what Vault has, too
  diskMb: { modules: 1500, objects: 1500 },
};

/** What is built for an embedded Vault. */
export const vaultPrograms: Readonly<Record<VaultDistribution, GoProgram>> = { vault, openbao };

export const opentofu: GoProgram = {
  name: 'tofu',
  module: moduleFolder('opentofu'),
  package: 'github.com/opentofu/opentofu/cmd/tofu',
  tags: [],
  target: 'host',
  diskMb: { modules: 1090, objects: 1390 },
};

/** A Terraform provider that can be built here. */
export interface BuiltProvider extends GoProgram {
  readonly namespace: string;
  readonly type: keyof typeof PROVIDER_VERSIONS;
  /** The version under which the filesystem mirror offers it. */
  readonly version: string;
}

export const dockerProvider: BuiltProvider = {
  name: 'terraform-provider-docker',
  module: moduleFolder('providers/docker'),
  package: 'github.com/terraform-providers/terraform-provider-docker',
  tags: ['no_compose'],
  target: 'host',
  diskMb: { modules: 380, objects: 790 },
  namespace: 'kreuzwerker',
  type: 'docker',
  version: PROVIDER_VERSIONS.docker,
};

// go.mod names the commit of the tag v5.9.0: the Go module proxy has no tag of 5.x
export const vaultProvider: BuiltProvider = {
  name: 'terraform-provider-vault',
  module: moduleFolder('providers/vault'),
  package: 'github.com/hashicorp/terraform-provider-vault',
  tags: [],
  target: 'host',
  // an upper estimate, not measured: 48 MB of program, of modules that mostly nothing else here has
  diskMb: { modules: 900, objects: 1200 },
  namespace: 'hashicorp',
  type: 'vault',
  version: PROVIDER_VERSIONS.vault,
};
