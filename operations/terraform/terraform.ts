/** Terraform, or OpenTofu, in the folders of synthesized stacks. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../lib/project-root';
import { readToolchain } from '../toolchain/findings';
import { run } from '../lib/command';
import { parsedJson } from '../lib/text/json';

/** One stack as CDKTF wrote it. */
export interface SynthesizedFolder {
  /** As `npx cdktf` calls it. */
  readonly name: string;
  /** Holds its `cdk.tf.json`. */
  readonly folder: string;
  /** Names of the stacks that are deployed before it. */
  readonly dependencies: readonly string[];
}

export interface TerraformRun {
  /** The program that knows this project's providers. */
  readonly terraform: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Terraform as this project starts it. */
export function thisTerraform(signal: AbortSignal, env: Readonly<Record<string, string>> = {}): TerraformRun {
  const bin = path.join(projectRoot, 'node_modules', '.bin');
  return {
    terraform: path.join(bin, 'terraform'),
    env: {
      ...process.env,
      PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`,
      TF_IN_AUTOMATION: '1',
      ...env,
    },
    signal,
  };
}

/**
 * Where a deploy keeps providers from the registry, so that they are downloaded once for all stacks: where cdktf keeps
 * them, unless the user says otherwise. Terraform does not let two `init` share it at a time.
 */
export function providerCache(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const { CDKTF_DISABLE_PLUGIN_CACHE_ENV: disabled, TF_PLUGIN_CACHE_DIR: chosen } = env;
  if (readToolchain().providers.source !== 'registry' || disabled || chosen) return {};
  const folder = path.join(homedir(), '.terraform.d', 'plugin-cache');
  mkdirSync(folder, { recursive: true });
  return { TF_PLUGIN_CACHE_DIR: folder };
}

export interface TerraformOutput {
  /** @default - a file in the folder, which is as short-lived as that */
  readonly logFile?: string;
  /** Called with every line. */
  readonly onLine?: (line: string) => void;
  /** What of a line goes to the log, where that is not the line. */
  readonly logged?: (line: string) => string | undefined;
}

/** @throws CommandError if it ends with anything but 0 */
export async function runTerraform(
  folder: string,
  { terraform, env, signal }: TerraformRun,
  args: readonly string[],
  { logFile = path.join(folder, 'terraform.log'), ...output }: TerraformOutput = {},
): Promise<void> {
  // a Ctrl-C at the terminal would reach it twice, and at the second it gives up without saving
  await run(terraform, args, { cwd: folder, env, signal, logFile, detached: true, ...output });
}

/** Whether Terraform was initialised in this folder once. */
export function isInitialized(folder: string): boolean {
  return existsSync(path.join(folder, '.terraform'));
}

/**
 * Initialises Terraform for a stack: its backend and its providers.
 *
 * Versions of providers are exact, so `-upgrade` takes what is declared and nothing newer. Providers that were built here
 * are no longer those of the lock file when another Go has built them, so it goes.
 */
export async function initialize(folder: string, terraform: TerraformRun, output?: TerraformOutput): Promise<void> {
  if (readToolchain().providers.source === 'mirror') rmSync(path.join(folder, '.terraform.lock.hcl'), { force: true });
  await runTerraform(folder, terraform, ['init', '-input=false', '-no-color', '-upgrade'], output);
}

const diagnosticLine = z.object({
  '@level': z.literal('error'),
  diagnostic: z.object({ summary: z.string(), detail: z.string().default(''), address: z.string().optional() }),
});

/** An error that Terraform reports. */
export type Diagnostic = z.infer<typeof diagnosticLine>['diagnostic'];

/** The error in a line of `-json`, if it holds one. */
export function diagnosticOf(line: string): Diagnostic | undefined {
  return diagnosticLine.safeParse(parsedJson(line)).data?.diagnostic;
}

/** Whether Terraform says that this folder must be initialised (again) first. */
export function asksForInit({ summary, detail }: Diagnostic): boolean {
  return /\b(?:terraform|tofu) init\b/.test(`${summary}\n${detail}`);
}
