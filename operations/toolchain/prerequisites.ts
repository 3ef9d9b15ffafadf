/** The programs that must be on the machine: installed where that is allowed, else named with what to do. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { defaultStateHome } from '../../config/state/layout';
import { projectRoot } from '../lib/project-root';
import { ExternalError, UsageError } from '../lib/errors';
import { type CacheLayout, cacheLayout } from './cache';
import { capture, CommandError, run } from '../lib/command';
import { MINIMUM_GO } from './go/go-toolchain';
import { findProgram, isStaticElf, type Machine } from '../lib/machine';
import type { TerraformFlavour } from './images/registry';
import type { StepContext } from '../lib/step';

/** The oldest versions of the programs that cdktf calls. */
const MINIMUM_TERRAFORM: Readonly<Record<TerraformFlavour, readonly [number, number]>> = {
  terraform: [1, 5],
  tofu: [1, 6],
};

/** The shim, which is no Terraform by itself. */
const SHIM = path.join(projectRoot, 'toolchain', 'terraform', 'bin', 'terraform');

/** Something that is not there. */
export interface Missing {
  /** What it is and what it is for. */
  readonly what: string;
  /** The packages of Debian and Ubuntu; none where theirs will not do. */
  readonly aptPackages: readonly string[];
  /** What to do without them. */
  readonly elsewhere: string;
}

export const missingBusybox: Missing = {
  what: 'a statically linked busybox, the shell of the images',
  aptPackages: ['busybox-static'],
  elsewhere: 'install the package busybox-static (Debian, Ubuntu) or busybox (Alpine, Fedora)',
};

export const missingEngine = (problem: string): Missing => ({
  what: `a Docker Engine that answers (${problem})`,
  aptPackages: ['docker.io', 'iptables'],
  elsewhere: 'install Docker Engine, https://docs.docker.com/engine/install/, and start it',
});

/** Debian's own may be too old to build, and fetches the Go that does. */
export const missingGo = (found: string | undefined, anyWillDo: boolean): Missing => ({
  what: `Go ${MINIMUM_GO} or newer, which builds images and providers (found: ${found ?? 'no go on PATH'})`,
  aptPackages: anyWillDo ? ['golang-go'] : [],
  elsewhere: 'install it from https://go.dev/dl/ and put its bin folder on PATH',
});

export interface TerraformProgram {
  readonly flavour: TerraformFlavour;
  readonly file: string;
  readonly version: string;
}

/** The Terraform or OpenTofu of this machine; `undefined` where OpenTofu has to be built. */
export function findTerraform(env: NodeJS.ProcessEnv = process.env): TerraformProgram | undefined {
  const wanted = env.TERRAFORM_BINARY_NAME === 'tofu' ? ['tofu'] : ['terraform', 'tofu'];
  for (const name of wanted) {
    const file = findProgram(name, [SHIM], env.PATH);
    if (file !== undefined)
      return checkTerraform(file, capture(file, ['version'], { env: { ...env, CHECKPOINT_DISABLE: '1' } }) ?? '');
  }
  return undefined;
}

/** Reads `terraform version`; refuses what is too old. */
export function checkTerraform(file: string, printed: string): TerraformProgram {
  const match = /^(Terraform|OpenTofu) v((\d+)\.(\d+)\.\S+)/m.exec(printed);
  const flavour = match?.[1] === 'OpenTofu' ? 'tofu' : 'terraform';
  const [major, minor] = MINIMUM_TERRAFORM[flavour];
  const found = [Number(match?.[3] ?? 0), Number(match?.[4] ?? 0)] as const;
  if (match === null || found[0] < major || (found[0] === major && found[1] < minor)) {
    throw new UsageError(
      `${file} must be Terraform ${MINIMUM_TERRAFORM.terraform.join('.')} or newer, or OpenTofu ${MINIMUM_TERRAFORM.tofu.join('.')} or newer, got: ${printed === '' ? 'no version' : (printed.split('\n')[0] ?? '')}`,
      'Update it (https://developer.hashicorp.com/terraform/install), or take it off PATH: OpenTofu is then built here with Go.',
    );
  }
  return { flavour, file, version: match[2] ?? '' };
}

/** Where one is that was built elsewhere. */
export function importedBusybox(cache: CacheLayout): string {
  return path.join(cache.programs, 'busybox', 'imported', 'busybox');
}

/** The static busybox of this machine, or else one that was imported. */
export function findBusybox(cache: CacheLayout = cacheLayout()): string | undefined {
  const file = findProgram('busybox', [], `${process.env.PATH ?? ''}:/usr/bin:/bin`);
  if (file !== undefined && isStaticElf(file)) return file;
  return existsSync(importedBusybox(cache)) ? importedBusybox(cache) : undefined;
}

/** Installs what is missing as root on Debian and Ubuntu; elsewhere says exactly what to install. */
export async function install(missing: readonly Missing[], machine: Machine, context: StepContext): Promise<void> {
  if (missing.length === 0) return;
  const installable = missing.every((item) => item.aptPackages.length > 0);
  if (!machine.apt || !machine.root || !installable) throw refusal(missing, machine);
  const packages = missing.flatMap((item) => item.aptPackages);
  const logFile = path.join(defaultStateHome(), 'apt.log');
  const apt = async (args: readonly string[]): Promise<void> => {
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      logFile,
      signal: context.signal,
      onLine: context.report,
    });
  };
  try {
    // a run that was interrupted may have left packages unconfigured, with which apt-get refuses to work
    await run('dpkg', ['--configure', '-a'], { logFile, signal: context.signal });
    await apt(['update']);
    await apt(['install', '-y', '--no-install-recommends', ...packages]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new ExternalError(
      `installing ${packages.join(', ')} failed: ${error.describe()}`,
      `Install by hand: apt-get update && apt-get install --no-install-recommends ${packages.join(' ')}`,
    );
  }
}

/** Names everything that is missing at once, with what to do about each. */
export function refusal(missing: readonly Missing[], machine: Machine): UsageError {
  const list = missing.map((item) => {
    const byApt = machine.apt && item.aptPackages.length > 0;
    return `\n  - ${item.what}: ${byApt ? `apt-get install --no-install-recommends ${item.aptPackages.join(' ')}` : item.elsewhere}`;
  });
  return new UsageError(
    `this machine lacks:${list.join('')}`,
    machine.apt && !machine.root && missing.some((item) => item.aptPackages.length > 0)
      ? 'Install what is listed, then run this again; as root, this command runs apt-get itself.'
      : 'Install what is listed, then run this again.',
  );
}
